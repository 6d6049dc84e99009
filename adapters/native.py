"""native: the canonical record itself, for programs written against this gateway. docs/dialects/native.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields

from adapters.common.multipart import form_with_files
from adapters.common.native_answers import BatchResult, FeedbackTaken, ProblemDetails
from adapters.common.schemas import (
    Number,
    Object,
    Payload,
    Strict,
    Text,
    TextList,
    length,
    means,
    not_blank,
    one_of,
)
from adapters.common.times import milliseconds
from adapters.contract import Adapter, Batch, Door, Fault, Inbound, Problem, Reply, invalid
from adapters.contract.description import Shape, binaries
from adapters.contract.files import MOST_FILES
from adapters.contract.record import CATEGORIES, OF_TRIAGE, SENTIMENTS, TYPES, Author, Record, Saved

TITLES = {
    "invalid_json": "Body is not valid JSON",
    "invalid": "Fields are invalid",
    "invalid_request": "Request is not valid HTTP",
    "unauthorized": "Key missing",
    "invalid_key": "Key invalid",
    "forbidden": "Forbidden",
    "not_found": "Not found",
    "method_not_allowed": "Method not allowed",
    "cursor_expired": "Cursor too old",
    "precondition_failed": "Changed meanwhile",
    "too_large": "Body too large",
    "unsupported_encoding": "Content encoding not supported",
    "idempotency_conflict": "Idempotency-Key reused",
    "idempotency_in_flight": "Idempotency-Key in flight",
    "conflict": "Not in this state",
    "insufficient_credits": "Budget used up",
    "rate_limited": "Rate limit exceeded",
    "overloaded": "Overloaded",
    "internal": "Internal error",
}


@means(minimum=-1, maximum=1)
def _score(value: float) -> None:
    if not -1 <= value <= 1:
        raise ValidationError("Number must be from -1 to 1")


@means(enum=[0, 1, 2, 3, 4, 5])
def _severity(value: float) -> None:
    if value not in (0, 1, 2, 3, 4, 5):
        raise ValidationError("Number must be a whole one from 0 to 5")


@means(pattern="^[a-z]{2}$")
def _language(value: str) -> None:
    if not (len(value) == 2 and value.isascii() and value.islower()):
        raise ValidationError("Must be an ISO 639-1 code of two lower-case letters")


@means(format="date-time")
def iso_time(value: str) -> None:
    """A check that a text is a time from 1970 on."""
    try:
        milliseconds(value)
    except (ValueError, OverflowError):
        raise ValidationError("Must be an ISO 8601 time such as 2026-04-09T10:30:00Z") from None


class AuthorPart(Strict):
    id = Text(allow_none=True)
    name = Text(allow_none=True)
    email = Text(allow_none=True)


class Feedback(Strict):
    means = {
        "if": {"properties": {"sentiment_score": {"type": "number"}}, "required": ["sentiment_score"]},
        "then": {"properties": {"sentiment": {"type": "string"}}, "required": ["sentiment"]},
    }

    text = Text(not_blank, required=True)
    title = Text(length(most=500))
    type = Text(one_of(TYPES), load_default="message")
    kind = Text(length(most=200), allow_none=True)
    category = Text(one_of(CATEGORIES), allow_none=True)
    sentiment = Text(one_of(SENTIMENTS), allow_none=True)
    sentiment_score = Number(_score, allow_none=True)
    severity = Number(_severity, allow_none=True)
    language = Text(_language, allow_none=True)
    subject = Object(load_default=dict)
    author = fields.Nested(AuthorPart, allow_none=True)
    tags = TextList(length(least=1, most=200), load_default=list)
    external_id = Text(length(most=500), allow_none=True)
    project_id = Text(length(least=1), allow_none=True)
    occurred_at = Text(iso_time, allow_none=True)


class Document(Payload):
    """A record as this gateway shows it, of which what a sender can set is taken."""

    id = Text(required=True)
    text = Text(required=True)
    title = Text(required=True)
    type = Text(one_of(TYPES), required=True)
    kind = Text(allow_none=True)
    category = Text(one_of(CATEGORIES), required=True)
    category_origin = Text(required=True)
    sentiment = Text(one_of(SENTIMENTS), required=True)
    sentiment_origin = Text(required=True)
    sentiment_score = Number(_score, required=True)
    impact_reasons = fields.List(Object(), required=True)
    language = Text(_language, allow_none=True)
    subject = Object(required=True)
    author = fields.Nested(AuthorPart, required=True)
    tags = TextList(required=True)
    external_id = Text(allow_none=True)
    project_id = Text(required=True)
    occurred_at = Text(iso_time, allow_none=True)


class FeedbackForm(Payload):
    """The record as JSON, and up to five files."""

    feedback = fields.Nested(Feedback, required=True)
    file = binaries(maxItems=MOST_FILES)


def read(inbound: Inbound) -> list[Record]:
    record = _record(Feedback.of(inbound))
    record.files = tuple(inbound.files)
    return [record]


def read_item(item: Any) -> Record:
    """The record of one item of a batch."""
    return _record(Feedback.check(item))


def is_document(value: Any) -> bool:
    """Whether a JSON value looks like a record that a gateway showed, rather than one for it to take."""
    return isinstance(value, dict) and "id" in value and "received_at" in value


def read_document(value: Any) -> Record:
    """The record that a shown one would be sent as: labels that triage predicted are predicted anew.

    Its id is its `dedupe_key`. Raises Refused (400).
    """
    sent = Document.check(value)
    by_sender = {name for name in ("category", "sentiment") if sent[f"{name}_origin"] not in OF_TRIAGE}
    occurred_at = sent.get("occurred_at")
    return Record(
        text=sent["text"],
        title=sent["title"],
        type=sent["type"],
        kind=sent.get("kind"),
        category=sent["category"] if "category" in by_sender else None,
        sentiment=sent["sentiment"] if "sentiment" in by_sender else None,
        sentiment_score=sent["sentiment_score"] if "sentiment" in by_sender else None,
        severity=_declared_severity(sent["impact_reasons"]),
        language=sent.get("language"),
        subject=sent["subject"],
        author=Author(**sent["author"]),
        tags=tuple(sent["tags"]),
        external_id=sent.get("external_id"),
        project_ref=sent["project_id"],
        occurred_at=None if occurred_at is None else milliseconds(occurred_at),
        dedupe_key=sent["id"],
    )


def _declared_severity(reasons: list[Mapping[str, Any]]) -> int | None:
    """The severity that the first sender declared, as the reasons of an impact tell it."""
    for reason in reasons:
        points = reason.get("points")
        if reason.get("part") == "severity" and str(reason.get("why")).startswith("the sender says"):
            return points if type(points) is int and 0 <= points <= 5 else None
    return None


def _record(checked: Mapping[str, Any]) -> Record:
    sent = dict(checked)
    if sent.get("sentiment_score") is not None and sent.get("sentiment") is None:
        raise invalid(Fault("sentiment", "Required with sentiment_score"))
    occurred_at = sent.pop("occurred_at", None)
    project_id = sent.pop("project_id", None)
    author = sent.pop("author", None)
    severity = sent.pop("severity", None)
    given: dict[str, Any] = {name: value for name, value in sent.items() if value is not None}
    if project_id:
        given["subject"] = {**given["subject"], "project_id": project_id}
    given["tags"] = tuple(given["tags"])
    return Record(
        **given,
        author=Author(**author) if author else Author(),
        severity=None if severity is None else int(severity),
        project_ref=project_id,
        occurred_at=None if occurred_at is None else milliseconds(occurred_at),
    )


def reply(inbound: Inbound, saved: list[Saved]) -> Reply:
    return Reply(201, saved[0].document, {"Location": f"/gateway/v1/feedback/{saved[0].id}"})


def _words(fields: Mapping[str, str]) -> bytes:
    """The record in a form that brings files, which has nothing else."""
    unknown = [Fault(name, "Unrecognized key") for name in fields if name != "feedback"]
    if unknown or "feedback" not in fields:
        raise invalid(*(unknown or [Fault("feedback", "Required")]))
    return fields["feedback"].encode()


def refuse(problem: Problem) -> Reply:
    """RFC 9457 problem details; `errors` names every bad field."""
    body: dict[str, Any] = {
        "type": f"urn:feedback-gateway:problem:{problem.code}",
        "title": TITLES.get(problem.code, problem.code),
        "status": problem.status,
        "detail": problem.message,
        "instance": f"urn:feedback-gateway:request:{problem.request_id}",
    }
    if problem.faults:
        body["errors"] = [{"field": fault.field, "message": fault.message} for fault in problem.faults]
    return Reply(problem.status, body, problem.headers, "application/problem+json")


ADAPTER = Adapter(
    name="native",
    doors=(
        Door(
            "/gateway/v1/feedback",
            read,
            reply,
            streamed=form_with_files(_words, named=frozenset({"feedback"})),
            shape=Shape(
                summary="Take one piece of feedback.",
                body=Feedback,
                form=FeedbackForm,
                answers={201: FeedbackTaken},
                example={
                    "text": "Sort by date would help",
                    "category": "feature",
                    "author": {"email": "anna@example.org"},
                    "tags": ["plan:pro"],
                },
            ),
        ),
    ),
    batches=(
        Batch(
            "/gateway/v1/feedback/batch",
            read_item,
            shape=Shape(
                summary="Take up to 10,000 pieces of feedback, each by itself.",
                body=Feedback,
                answers={200: BatchResult},
                example=[{"text": "The map is blank on my phone"}, {"text": ""}],
            ),
        ),
    ),
    refuse=refuse,
    owns=("/gateway", "/"),
    title="Native",
    error=ProblemDetails,
)
