"""What routes take and answer, said as data: the description of the API is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from marshmallow import EXCLUDE, Schema, fields, missing

from adapters.contract.record import ORIGINS

Kind = type[Schema]


@dataclass(frozen=True, slots=True)
class Proof:
    """One way a sender proves who it is: a bearer, basic authentication, or a value at a place of its own.

    `name` is that of the header or query parameter. Of `together` all are needed at once.
    """

    way: Literal["bearer", "basic", "header", "query"] = "bearer"
    name: str = ""
    about: str = ""
    together: tuple[Proof, ...] = ()


BEARER = Proof(about="A key of the gateway, or the secret of a hook.")
NOT_THE_SECRET = "Neither a bearer nor a password shows the secret of this hook."
SECRET = (BEARER, Proof("basic", about="The secret of a hook as the password; any user name."))


def signature(header: str, *others: str) -> Proof:
    """A signature in a header, with `others` beside it."""
    return Proof("header", header, together=tuple(Proof("header", name) for name in others))


@dataclass(frozen=True, slots=True)
class Shape:
    """What a route takes and answers.

    `body` is the schema of its body, several where it is one of them; None is no body, or any JSON
    at a door. `query` and `headers` have the parameters. `answers` are by status: the schema of the
    answer's body, several where it is one of them, None for an empty one. `refusals` are statuses
    that it refuses with beside those every route has. `example` is a body that is taken, `asked`
    parameters of the query; the tests send them. An `optional` body may be left out. `media` is the
    type of the body, and `shown_as` those of an answer that is no JSON. `form` is the form of several parts
    that may bring files in place of the body.
    """

    summary: str = ""
    body: Kind | tuple[Kind, ...] | None = None
    query: Kind | None = None
    headers: Kind | None = None
    answers: Mapping[int, Kind | tuple[Kind | None, ...] | None] = field(default_factory=dict)
    refusals: tuple[int, ...] = ()
    example: Any = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    optional: bool = False
    media: str = "application/json"
    shown_as: tuple[str, ...] = ()
    form: Kind | None = None


NO_SHAPE = Shape()


class Shown(Schema):
    """An object in an answer: it has all of its fields, but for those that it has `sometimes`."""

    sometimes: ClassVar[tuple[str, ...]] = ()

    class Meta:
        unknown = EXCLUDE  # who reads it must expect more

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        field_obj.required = field_obj.load_default is missing and field_name not in self.sometimes


class Taken(Shown):
    """What a sender is told that reads only the status."""

    status = fields.String(metadata={"enum": ["ok"]})


def text(*words: str, **options: Any) -> fields.String:
    """A text in an answer; one of these words, when there are any."""
    return fields.String(metadata={"enum": list(words)} if words else {}, **options)


def time(**options: Any) -> fields.String:
    """A time in an answer: ISO 8601 with Z."""
    return fields.String(metadata={"format": "date-time"}, **options)


def whole(**words: int) -> fields.Integer:
    """A whole number in an answer, with what JSON Schema says of it."""
    return fields.Integer(metadata=words)


def binaries(*, required: bool = False, **words: int) -> fields.List[Any]:
    """The files of a form, each as its bytes, with what JSON Schema says of how many they are."""
    one = fields.String(metadata={"contentMediaType": "application/octet-stream"})
    return fields.List(one, required=required, metadata=words)


def listed(schema: Kind, **options: Any) -> fields.List[Any]:
    """An array of these objects in an answer."""
    return fields.List(fields.Nested(schema), **options)


class FieldFault(Shown):
    field = text()
    message = text()


class AuthorShown(Shown):
    id = text(allow_none=True)
    name = text(allow_none=True)
    email = text(allow_none=True)


class ReasonShown(Shown):
    part = text("severity", "sentiment", "reach", "area", "merged")
    points = whole(minimum=0, maximum=5)
    why = text()


class FeedbackRecord(Shown):
    """The canonical record, as every answer shows it."""

    id = fields.String(metadata={"pattern": "^fb_[0-9A-Z]{26}$"})
    workspace_id = text()
    project_id = text()
    source = text()
    type = text("message", "rating", "correction", "alert", "ci", "chat")
    title = text()
    text = fields.String()
    language = fields.String(allow_none=True)
    kind = fields.String(allow_none=True)
    category = fields.String(metadata={"enum": ["bug", "feature", "question", "praise", "other"]})
    category_origin = fields.String(metadata={"enum": list(ORIGINS)})
    category_confidence = fields.Float(metadata={"minimum": 0, "maximum": 1})
    sentiment = fields.String(metadata={"enum": ["positive", "neutral", "negative"]})
    sentiment_origin = fields.String(metadata={"enum": list(ORIGINS)})
    sentiment_score = fields.Float(metadata={"minimum": -1, "maximum": 1})
    sentiment_confidence = fields.Float(metadata={"minimum": 0, "maximum": 1}, allow_none=True)
    topic = fields.String(allow_none=True)
    topic_origin = fields.String(metadata={"enum": ["predicted", "corrected"]}, allow_none=True)
    topic_confidence = fields.Float(metadata={"minimum": 0, "maximum": 1}, allow_none=True)
    impact = whole(minimum=0, maximum=14)
    impact_origin = fields.String(metadata={"enum": ["declared", "predicted", "corrected"]})
    impact_reasons = fields.List(fields.Nested(ReasonShown))
    overruled = fields.Dict(allow_none=True)
    subject = fields.Dict()
    author = fields.Nested(AuthorShown)
    tags = fields.List(fields.String())
    status = fields.String(metadata={"enum": ["open", "acknowledged", "resolved", "ignored"]})
    assignee = fields.String(allow_none=True)
    snoozed_until = time(allow_none=True)
    wakes_on_delivery = fields.Boolean(allow_none=True)
    incident_key = fields.String(allow_none=True)
    occurrences = whole(minimum=1)
    votes = whole(minimum=0)
    merged_into = fields.String(allow_none=True)
    people = fields.Integer(metadata={"minimum": 1}, allow_none=True)
    first_seen_at = time()
    last_seen_at = time()
    resolved_at = time(allow_none=True)
    retracted_at = time(allow_none=True)
    external_id = fields.String(allow_none=True)
    occurred_at = time(allow_none=True)
    received_at = time()
    updated_at = time()
    model_version = fields.String()
