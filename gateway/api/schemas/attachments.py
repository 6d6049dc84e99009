"""What the files of records are asked for with, and how they are shown."""

from __future__ import annotations

from marshmallow import Schema, fields

from adapters.common.schemas import Text, one_of
from adapters.contract.description import Shown, listed, text, time, whole
from adapters.contract.files import MOST_FILES
from gateway.api.file_download import SIZES
from models.tables.asset import STATUSES


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
    status = text(*STATUSES)
    reason = text(allow_none=True)
    source_url = text(allow_none=True)
    uploaded_via = text()
    created_at = time()
    path = text(allow_none=True)
    thumbnail_path = text(allow_none=True)


class RefusedFile(Shown):
    name = text()
    reason = text()


class Attached(Shown):
    """The files that are kept, and those that are not, with why."""

    data = listed(Attachment)
    refused = listed(RefusedFile)


class FilesForm(Schema):
    """A form of up to five parts `file`."""

    file = fields.List(
        fields.String(metadata={"contentMediaType": "application/octet-stream"}),
        required=True,
        metadata={"minItems": 1, "maxItems": MOST_FILES},
    )


class DownloadQuery(Schema):
    size = Text(one_of(SIZES))
    exp = Text(metadata={"description": "When a signed address ends, in seconds since 1970."})
    sig = Text(metadata={"description": "The signature of a signed address."})
