"""orq: a rating, a defect or a correction on one traced model call. Wire format: docs/dialects/orq.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError

from adapters.common.plain_text import SPACE
from adapters.common.schemas import Flag, Number, Payload, Text, TextList, length, means, one_of, type_name
from adapters.contract import Adapter, Door, Inbound, Problem, Reply
from adapters.contract.description import Shape, Shown, text
from adapters.contract.record import Category, Record, Saved, Sentiment

PRODUCTS = (
    "remoteconfigs",
    "deployments",
    "experiments",
    "playgrounds",
    "spreadsheets",
    "spreadsheet_run",
    "llm_evaluator",
    "knowledge",
    "router",
    "workflows",
    "external_events",
    "agents",
    "memory-stores",
    "generic",
    "evaluators",
    "otel",
    "ai-chat",
    "mcp_gateway",
)
SPELLINGS = {"corrections": "correction", "innapropriate": "inappropriate"}  # both are in orq's own pages


@dataclass(frozen=True)
class Meaning:
    """What a word says without words: category, sentiment with its score (-1..1), severity (0..5)."""

    category: Category | None = None
    sentiment: Sentiment | None = None
    score: float | None = None
    severity: int | None = None


GOOD = Meaning("praise", "positive", 0.8, 0)
BAD = Meaning("bug", "negative", -0.8, 2)
# property -> word -> meaning; a word that is not listed is left to triage.
MEANINGS: dict[str, dict[str, Meaning]] = {
    "rating": {"good": GOOD, "bad": BAD},
    "defects": {
        "hallucination": Meaning("bug", "negative", -0.8, 3),
        "inappropriate": Meaning("bug", "negative", -0.9, 4),
        "off_topic": Meaning("bug", "negative", -0.5, 2),
        "incompleteness": Meaning("bug", "negative", -0.5, 2),
        "repetition": Meaning("bug", "negative", -0.4, 2),
        "ambiguity": Meaning("bug", "negative", -0.4, 1),
        "grammatical": Meaning("bug", "negative", -0.3, 1),
        "spelling": Meaning("bug", "negative", -0.3, 1),
    },
    "interactions": {
        "reported": Meaning("bug", "negative", -0.8, 3),
        "deleted": Meaning("other", "negative", -0.4, 1),
        "saved": Meaning("praise", "positive", 0.5, 0),
        "selected": Meaning("praise", "positive", 0.3, 0),
        "shared": Meaning("praise", "positive", 0.6, 0),
        "copied": Meaning("praise", "positive", 0.4, 0),
    },
}
CORRECTED = Meaning("bug", "negative", -0.3, 2)  # somebody had to write the answer anew
LONGEST_NAME = 100  # characters of a property, which stands in each of its tags
CATEGORY: dict[str, Category] = {"bug": "bug", "feature_request": "feature", "other": "other"}


def _value(value: Any) -> None:
    if type(value) in (str, int, float):
        return
    if not isinstance(value, list):
        raise ValidationError(f"Expected string, number or array of strings, received {type_name(value)}")
    for item in value:
        if not isinstance(item, str):
            raise ValidationError(f"Expected array of strings, received {type_name(item)} in it")


@means(pattern=f"^https?://[^{SPACE}]")
def _web_address(value: str) -> None:
    if not re.match(r"https?://\S", value):
        raise ValidationError("Must be an http or https URL")


class Value(Text):
    """A string, a number or an array of strings, kept in the shape it came in."""

    expected = "string, number or array of strings"
    described = {"type": ["string", "number", "array"], "items": {"type": "string"}}
    accepts = (str, int, float, list, bool, dict)  # the check below says which of them are wrong


class Feedback(Payload):
    property = Text(required=True)
    value = Value(_value, required=True)
    trace_id = Text(required=True)
    id = Text()
    product = Text(one_of(PRODUCTS), load_default="deployments")


class Removal(Payload):
    id = Text(length(least=1), required=True)
    trace_id = Text(required=True)
    product = Text(one_of(PRODUCTS), required=True)


class Evaluation(Payload):
    id = Text(length(least=1), required=True)
    evaluation_type = Text(required=True)
    type = Text(one_of(("string", "number", "boolean", "string_array")), required=True)
    trace_id = Text(required=True)
    human_review_id = Text()
    source = Text(one_of(("orq", "external")), load_default="orq")
    explanation = Text(allow_none=True)


class StringEvaluation(Evaluation):
    type = Text(one_of(("string",)), required=True)
    value = Text(required=True)


class NumberEvaluation(Evaluation):
    type = Text(one_of(("number",)), required=True)
    value = Number(required=True)


class BooleanEvaluation(Evaluation):
    type = Text(one_of(("boolean",)), required=True)
    value = Flag(required=True)


class StringArrayEvaluation(Evaluation):
    type = Text(one_of(("string_array",)), required=True)
    values = TextList(required=True)


EVALUATIONS: dict[str, type[Evaluation]] = {
    "string": StringEvaluation,
    "number": NumberEvaluation,
    "boolean": BooleanEvaluation,
    "string_array": StringArrayEvaluation,
}


class EvaluationRemoval(Payload):
    id = Text(length(least=1), required=True)
    trace_id = Text(required=True)


class Submission(Payload):
    message = Text(length(least=1, most=10_000), required=True)
    category = Text(required=True)
    request_id = Text()
    url = Text(_web_address)


class FeedbackShown(Shown):
    id = text()
    property = text()
    value = Value()
    trace_id = text()
    product = text(*PRODUCTS)


class RemovalShown(Shown):
    id = text()
    trace_id = text()
    product = text(*PRODUCTS)


class EvaluationShown(Shown):
    id = text()


class EvaluationRemovalShown(Shown):
    id = text()
    trace_id = text()


class SubmissionShown(Shown):
    feedback_id = text()


class Error(Shown):
    message = text()


def read(inbound: Inbound) -> list[Record]:
    sent = Feedback.of(inbound)
    feedback_id = _id(inbound, sent)
    record = {
        "external_id": feedback_id,
        "dedupe_key": f"feedback:{feedback_id}",
        "subject": {name: sent[name] for name in ("trace_id", "product", "property", "value")},
    }
    return [_record(sent["property"], sent["value"], [f"product:{sent['product']}"], record)]


def reply(inbound: Inbound, saved: list[Saved]) -> Reply:
    sent = Feedback.of(inbound)
    names = ("property", "value", "trace_id", "product")
    return Reply(200, {"id": _id(inbound, sent), **{name: sent[name] for name in names}})


def read_removal(inbound: Inbound) -> list[Record]:
    return [_removed("feedback", Removal.of(inbound))]


def reply_removal(inbound: Inbound, saved: list[Saved]) -> Reply:
    sent = Removal.of(inbound)
    return Reply(200, {name: sent[name] for name in ("id", "trace_id", "product")})


def read_evaluation(inbound: Inbound) -> list[Record]:
    sent = Evaluation.of(inbound)
    sent = EVALUATIONS[sent["type"]].of(inbound)
    value = sent["values"] if sent["type"] == "string_array" else sent["value"]
    review = sent.get("human_review_id") or "correction"  # omitted on corrections only
    names = ("trace_id", "evaluation_type", "human_review_id", "explanation")
    record = {
        "external_id": sent["id"],
        "dedupe_key": f"evaluation:{sent['id']}",
        "subject": {"value": value, **{name: sent[name] for name in names if sent.get(name)}},
    }
    read_value = {True: "good", False: "bad"}[value] if isinstance(value, bool) else value
    return [_record(review, read_value, [f"source:{sent['source']}"], record, sent.get("explanation") or "")]


def reply_evaluation(inbound: Inbound, saved: list[Saved]) -> Reply:
    return Reply(200, {"id": Evaluation.of(inbound)["id"]})


def read_evaluation_removal(inbound: Inbound) -> list[Record]:
    return [_removed("evaluation", EvaluationRemoval.of(inbound))]


def reply_evaluation_removal(inbound: Inbound, saved: list[Saved]) -> Reply:
    sent = EvaluationRemoval.of(inbound)
    return Reply(200, {"id": sent["id"], "trace_id": sent["trace_id"]})


def read_submission(inbound: Inbound) -> list[Record]:
    sent = Submission.of(inbound)
    return [
        Record(
            text=sent["message"],
            kind=sent["category"],
            category=CATEGORY.get(sent["category"]),
            subject={name: sent[name] for name in ("request_id", "url") if name in sent},
        )
    ]


def reply_submission(inbound: Inbound, saved: list[Saved]) -> Reply:
    return Reply(200, {"feedback_id": saved[0].id})


def refuse(problem: Problem) -> Reply:
    # A top-level string `message` is what every orq client reads; without it they raise another error.
    return Reply(problem.status, {"message": problem.message}, problem.headers)


def meaning_of(name: str, value: Any) -> Meaning:
    """What a value says about the model call: of several words the one with the highest severity counts."""
    if name == "correction":
        return CORRECTED
    if isinstance(value, int | float):
        return _number_meaning(value) if name == "rating" else Meaning()
    words = value if isinstance(value, list) else [value]
    known = [MEANINGS[name][word] for word in map(_spelled, words) if word in MEANINGS.get(name, {})]
    return max(known, key=lambda meaning: meaning.severity or 0, default=Meaning())


def _number_meaning(number: float) -> Meaning:
    """A rating on the smallest usual scale that holds it: 0..1, 1..5, 0..10 or 0..100.

    Exactly 1 may be the best of 0..1 or the worst of 1..5, so it says nothing.
    """
    if number == 1:
        return Meaning(None, "neutral", 0.0, None)
    scales = ((0.0, 1.0), (1.0, 5.0), (0.0, 10.0), (0.0, 100.0))
    low, high = next((scale for scale in scales if scale[0] <= number <= scale[1]), (number, number))
    if low == high:
        return BAD if number < 0 else Meaning()
    share = (number - low) / (high - low)
    if share >= 0.7:
        return GOOD
    return BAD if share <= 0.4 else Meaning(None, "neutral", 0.0, None)


def _record(
    name: str, value: Any, tags: list[str], record: Mapping[str, Any], explanation: str = ""
) -> Record:
    name = _spelled(name)
    meaning = meaning_of(name, value)
    words = [_spelled(word) for word in (value if isinstance(value, list) else [value])]
    listed = ", ".join(words) or "(none)"
    is_text = name == "correction"
    return Record(
        **record,
        type="correction" if is_text else "rating",
        title=f"{name}: {listed}"[:120],
        text="\n\n".join(part for part in (listed if is_text else f"{name}: {listed}", explanation) if part),
        kind=name,
        category=meaning.category,
        sentiment=meaning.sentiment,
        sentiment_score=meaning.score,
        severity=meaning.severity,
        tags=(*tags, *(f"{name[:LONGEST_NAME]}:{word}" for word in words if _is_label(name, word, value))),
        replaceable=True,
    )


def _is_label(name: str, word: str, value: Any) -> bool:
    """Whether a word is a choice somebody made rather than free text, which makes no good tag."""
    return not isinstance(value, str) or word in MEANINGS.get(name, {})


def _removed(what: str, sent: Mapping[str, Any]) -> Record:
    return Record(
        text="", external_id=sent["id"], dedupe_key=f"{what}:{sent['id']}", replaceable=True, retracts=True
    )


def _id(inbound: Inbound, sent: Mapping[str, Any]) -> str:
    """The sender's id, or a ULID when it sent none: the request's own, so that reading twice agrees."""
    return sent.get("id") or inbound.request_id.removeprefix("req_")


def _spelled(word: Any) -> str:
    """A word as orq's specification spells it; a whole number the same from every client (4, not 4.0)."""
    if isinstance(word, float) and word.is_integer() and abs(word) < 1e15:
        word = int(word)
    return SPELLINGS.get(word, word) if isinstance(word, str) else str(word)


ADAPTER = Adapter(
    name="orq",
    doors=(
        Door(
            "/v2/feedback",
            read,
            reply,
            shape=Shape(
                summary="Rate one traced call, or say its defects.",
                body=Feedback,
                answers={200: FeedbackShown},
                example={"property": "rating", "value": ["bad"], "trace_id": "01JM4Q7XK2N8V5T3R9WYBZC6DA"},
            ),
        ),
        Door(
            "/v2/feedback/remove",
            read_removal,
            reply_removal,
            shape=Shape(
                summary="Take a rating back.",
                body=Removal,
                answers={200: RemovalShown},
                example={"id": "r-1", "trace_id": "01JM4Q7XK2N8V5T3R9WYBZC6DA", "product": "agents"},
            ),
        ),
        Door(
            "/v2/feedback/evaluation",
            read_evaluation,
            reply_evaluation,
            shape=Shape(
                summary="Take a human review or a correction.",
                body=tuple(EVALUATIONS.values()),
                answers={200: EvaluationShown},
                example={
                    "id": "e-1",
                    "evaluation_type": "human_review",
                    "type": "boolean",
                    "value": False,
                    "trace_id": "01JM4Q7XK2N8V5T3R9WYBZC6DA",
                },
            ),
        ),
        Door(
            "/v2/feedback/evaluation/remove",
            read_evaluation_removal,
            reply_evaluation_removal,
            shape=Shape(
                summary="Take a review back.",
                body=EvaluationRemoval,
                answers={200: EvaluationRemovalShown},
                example={"id": "e-1", "trace_id": "01JM4Q7XK2N8V5T3R9WYBZC6DA"},
            ),
        ),
        Door(
            "/v3/submit-feedback",
            read_submission,
            reply_submission,
            shape=Shape(
                summary="Take words on the product.",
                body=Submission,
                answers={200: SubmissionShown},
                example={"message": "The traces page needs a filter", "category": "feature_request"},
            ),
        ),
    ),
    refuse=refuse,
    owns=("/v2", "/v3"),
    title="orq",
    error=Error,
)
