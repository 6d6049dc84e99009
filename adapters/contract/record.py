"""The canonical record: the words every dialect is turned into, and what triage and the commit add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from adapters.contract.files import LinkedFile, SentFile

Category = Literal["bug", "feature", "question", "praise", "other"]
Sentiment = Literal["positive", "neutral", "negative"]
RecordType = Literal["message", "rating", "correction", "alert", "ci", "chat"]

ANY_SERVER = "any"
PART_HEADER = "gateway-part"  # of a delivery in quarantine that is only a part of what came (Record.held)

CATEGORIES: tuple[Category, ...] = ("bug", "feature", "question", "praise", "other")
SENTIMENTS: tuple[Sentiment, ...] = ("positive", "neutral", "negative")
OF_TRIAGE = ("predicted", "second_reader")  # origins of labels that nobody but triage gave
ORIGINS = ("declared", *OF_TRIAGE, "corrected")  # of a record's category and sentiment
TYPES: tuple[RecordType, ...] = ("message", "rating", "correction", "alert", "ci", "chat")

# What one delivery says of the story it belongs to. A note adds to the history and changes no state.
State = Literal["triggered", "acknowledged", "suppressed", "resolved", "note"]

Outcome = Literal["created", "updated", "unchanged", "retracted", "ignored", "quarantined"]


@dataclass(frozen=True, slots=True)
class Author:
    """Who gave the feedback, as far as the sender said."""

    id: str | None = None
    name: str | None = None
    email: str | None = None

    @classmethod
    def of(cls, id: str = "", name: str = "", email: str = "") -> Self:
        """Whom these texts name, each empty where nothing was said."""
        return cls(id or None, name or None, email or None)


@dataclass(slots=True)  # not frozen, which would take three times as long to make
class Record:
    """One piece of feedback in canonical form, before it is labelled.

    `category`, `sentiment`, `sentiment_score` (-1..1) and `severity` (0..5) are set only when the
    sender declared them; `severity_word` is how it said so when that is on no scale we know. `subject`
    says what it is about: page, url, trace_id, product, property, value, environment, release, visibility
    and ids the sender got elsewhere. `occurred_at` is milliseconds UTC.

    `dedupe_key` identifies one delivery within its source: the same key again is stored once.
    With `replaceable` the same key with other content updates the record instead; `retracts` takes
    back what came with the key, and `votes_for` names the dedupe_key of a record this only adds to.

    `incident_key` ties deliveries of one story (an alert, a CI run, a thread) to one record within
    its source; `state` is what this one says of it, in any order of arrival, `revised_at` when it was
    said if not when it happened, and `stands` the state that a note finds its story in. A `whole` one
    says all that there is, so that what it leaves out is gone; of others what they leave out stays.
    `joins` is the incident_key that another source may know the same story by. `family` is shared by
    the stories of one alert: an end whose own story is unknown ends the newest open one that had begun by
    then. With `quiet` an end makes no record where nothing had begun. Of several notifications of the same
    `occurrence` one counts, and none of those that have `counts` false.

    `comment` names the comment in its story that a note is, in all its versions; with `retracts` its author
    has deleted it, and its words go.

    `server` is the host whose ids the keys are made of, where each counts for itself: stored keys begin with
    it. With ANY_SERVER the delivery does not name it. None is the vendor's own.

    `secrecy` says who may see this remark alone (a mark of adapters.common.tags), when others see its story.
    One without words says so of its `comment`, in all its versions, whenever they come.

    `voter` is the one person whose vote it is, for or (with `retracts`) no longer for `votes_for`.

    `unreadable` says why a delivery that proved its origin could not be understood: it is kept raw
    in quarantine and is no record. With `held`, a body of the same dialect, only that is kept there: the
    rest of the delivery was read.
    `files` are those of the request that belong to it, and those that it links to.
    `workspace_ref` and `project_ref` are ids the sender named; when they are ours they must be
    ones the caller may use, otherwise they are kept as references.
    """

    text: str
    title: str = ""
    type: RecordType = "message"
    kind: str | None = None
    category: Category | None = None
    sentiment: Sentiment | None = None
    sentiment_score: float | None = None
    severity: int | None = None
    severity_word: str | None = None
    language: str | None = None
    subject: Mapping[str, Any] = field(default_factory=dict)
    author: Author = Author()
    tags: tuple[str, ...] = ()
    external_id: str | None = None
    occurred_at: int | None = None
    dedupe_key: str | None = None
    replaceable: bool = False
    retracts: bool = False
    votes_for: str | None = None
    incident_key: str | None = None
    state: State | None = None
    joins: str | None = None
    revised_at: int | None = None
    stands: State | None = None
    whole: bool = False
    quiet: bool = False
    family: str | None = None
    occurrence: str | None = None
    counts: bool = True
    comment: str | None = None
    server: str | None = None
    secrecy: str = ""
    voter: str | None = None
    unreadable: str | None = None
    held: str | bytes | None = None
    files: tuple[SentFile | LinkedFile, ...] = ()
    workspace_ref: str | None = None
    project_ref: str | None = None

    def of_its_server(self) -> Record:
        """This record with the keys that are stored: its server's own."""
        if self.server in (None, ANY_SERVER):
            return self

        def own(key: str | None) -> str | None:
            return key and f"{self.server}:{key}"

        keys = own(self.dedupe_key), own(self.incident_key), own(self.votes_for), own(self.comment)
        dedupe_key, incident_key, votes_for, comment = keys
        return replace(
            self, dedupe_key=dedupe_key, incident_key=incident_key, votes_for=votes_for, comment=comment
        )


@dataclass(frozen=True, slots=True)
class Reason:
    """One part of an impact score: severity, sentiment, reach or area, its points and why."""

    part: Literal["severity", "sentiment", "reach", "area"]
    points: int
    why: str


@dataclass(slots=True)
class Labels:
    """What triage says of one record.

    `*_origin` is "declared" when the sender said so, else "predicted", or "second_reader" when that was
    asked, too (gateway.triage.second_reader). `category_confidence` is 0..1 (1 when declared),
    `category_scores` the probability of each category. `sentiment_score` is -1..1, `sentiment_confidence`
    0..1 (1 when declared, or when a rating says it). `impact` is 0..14, the sum of the points of
    `impact_reasons`.
    """

    category: Category
    category_origin: Literal["declared", "predicted", "second_reader"]
    category_confidence: float
    category_scores: Mapping[str, float]
    sentiment: Sentiment
    sentiment_origin: Literal["declared", "predicted", "second_reader"]
    sentiment_score: float
    sentiment_confidence: float
    language: str | None
    impact: int
    impact_reasons: tuple[Reason, ...]
    model_version: str


@dataclass(slots=True)
class Saved:
    """One record after the commit.

    `document` is the canonical record as the API shows it; empty only when the outcome is
    "ignored" or "quarantined". `category_scores` are those of the labels, for dialects that know
    fewer categories.
    """

    outcome: Outcome
    document: Mapping[str, Any]
    category_scores: Mapping[str, float] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return str(self.document["id"])
