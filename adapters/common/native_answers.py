"""What the native dialect answers, as readers of the API's description are told."""

from __future__ import annotations

from marshmallow import fields

from adapters.contract.description import FeedbackRecord, FieldFault, Shown, listed, text, time, whole


class Attachment(Shown):
    """A file; `path` is where its bytes are, null while they are not here."""

    id = text()
    feedback_id = text(allow_none=True)
    name = text()
    content_type = text()
    size = whole(minimum=0)
    sha256 = text(allow_none=True)
    width = fields.Integer(allow_none=True)
    height = fields.Integer(allow_none=True)
    status = text("pending_upload", "ready", "failed")
    reason = text(allow_none=True)
    source_url = text(allow_none=True)
    uploaded_via = text()
    created_at = time()
    path = text(allow_none=True)
    thumbnail_path = text(allow_none=True)


class FeedbackTaken(FeedbackRecord):
    """The record, with its files in the order in which they came, if it came with some."""

    sometimes = ("attachments",)
    attachments = listed(Attachment)


class ProblemDetails(Shown):
    """RFC 9457."""

    sometimes = ("errors",)
    type = text()
    title = text()
    status = whole()
    detail = text()
    instance = text()
    errors = listed(FieldFault)


class ItemResult(Shown):
    sometimes = ("id", "error")
    index = whole(minimum=0)
    status = whole()
    id = text()
    error = fields.Nested(ProblemDetails)


class BatchResult(Shown):
    data = listed(ItemResult)
    accepted = whole(minimum=0)
    duplicate = whole(minimum=0)
    invalid = whole(minimum=0)
    failed = whole(minimum=0)
