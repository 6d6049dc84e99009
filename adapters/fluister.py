"""Fluister: free words on a page of a site or app. Wire format: docs/dialects/fluister.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from marshmallow import fields

from adapters.common.multipart import form_with_files
from adapters.common.schemas import Flag, Object, Payload, Text, length, not_blank, one_of
from adapters.contract import Adapter, Answer, Ask, Code, Door, Inbound, Lookup, Problem, Reply, bearer
from adapters.contract.description import (
    BEARER,
    FieldFault,
    Proof,
    Shape,
    Shown,
    binaries,
    listed,
    text,
    time,
    whole,
)
from adapters.contract.files import MOST_FILES
from adapters.contract.record import Author, Category, Record, Saved, Sentiment
from adapters.contract.strict_json import InvalidJSON, parse

CATEGORIES: tuple[Category, ...] = ("bug", "feature", "question")  # the only ones Fluister's clients know
# The face a person picked in the app: sentiment, its score (-1..1), and what a face without words is.
FACES: dict[str, tuple[Sentiment, float, Category]] = {
    "love": ("positive", 1.0, "praise"),
    "happy": ("positive", 0.6, "praise"),
    "neutral": ("neutral", 0.0, "other"),
    "sad": ("negative", -0.7, "other"),
}
CODES: dict[Code, str] = {"invalid": "validation_error", "invalid_key": "invalid_api_key"}
METADATA = ("app_version", "android_version", "device_model")
YES = ("true", "1", "on", "yes")  # how forms write what JSON writes as true


class Feedback(Payload):
    projectId = Text(length(least=1), required=True)
    text = Text(not_blank, required=True)
    page = Text(allow_none=True)
    userEmail = Text(allow_none=True)


class AppFeedback(Payload):
    sentiment = Text(one_of(FACES), required=True)
    message = Text(allow_none=True)
    page_url = Text(allow_none=True)
    platform = Text(allow_none=True)
    session_id = Text(allow_none=True)
    user_email = Text(allow_none=True)
    email_followup_opted_in = Flag(allow_none=True)
    metadata = Object(allow_none=True)


class AppFeedbackForm(AppFeedback):
    """The same as fields of a form, and up to five files under any names."""

    file = binaries(maxItems=MOST_FILES)


class FeedbackShown(Shown):
    id = fields.String()
    projectId = fields.String()
    text = fields.String(allow_none=True)
    page = fields.String(allow_none=True)
    category = fields.String(metadata={"enum": list(CATEGORIES)})
    sentiment = fields.String(metadata={"enum": ["positive", "neutral", "negative"]})
    impactScore = whole(minimum=0, maximum=14)
    createdAt = time()


class WidgetQuery(Payload):
    project = Text(metadata={"description": "The key, where no header can show it."})


class Widget(Shown):
    email_followup_enabled = fields.Boolean()


class ErrorTold(Shown):
    sometimes = ("faults",)
    code = text()
    message = text()
    status = whole()
    faults = listed(FieldFault, data_key="fields")


class Error(Shown):
    error = fields.Nested(ErrorTold)
    requestId = fields.String()


def read(inbound: Inbound) -> list[Record]:
    sent = Feedback.of(inbound)
    return [
        Record(
            text=sent["text"],
            subject=_present({"page": sent.get("page"), "project_id": sent["projectId"]}),
            author=Author(email=sent.get("userEmail") or None),
            project_ref=sent["projectId"],
        )
    ]


def reply(inbound: Inbound, saved: list[Saved]) -> Reply:
    sent = Feedback.of(inbound)
    return Reply(201, _shown(saved[0], sent["projectId"], sent["text"], sent.get("page")))


def _words(fields: Mapping[str, str]) -> bytes:
    """The JSON that a form with files stands for: one field that is it, or its own names as fields."""
    whole = next((value for value in fields.values() if value.lstrip()[:1] == "{"), "")
    if whole and "sentiment" not in fields:
        return whole.encode()
    sent: dict[str, Any] = dict(fields)
    if "email_followup_opted_in" in sent:
        sent["email_followup_opted_in"] = fields["email_followup_opted_in"].strip().lower() in YES
    with suppress(InvalidJSON):  # without it the words are as good
        sent["metadata"] = parse(sent.pop("metadata", "null").encode())
    return json.dumps(sent).encode()


def read_app(inbound: Inbound) -> list[Record]:
    sent = AppFeedback.of(inbound)
    sentiment, score, wordless = FACES[sent["sentiment"]]
    words = (sent.get("message") or "").strip()
    metadata = {name: (sent.get("metadata") or {}).get(name) for name in METADATA}
    names = ("platform", "session_id", "email_followup_opted_in")
    return [
        Record(
            text=words,
            title="" if words else f"{sent['sentiment']} (no message)",
            type="message" if words else "rating",
            kind=sent["sentiment"],
            category=None if words else wordless,
            sentiment=sentiment,
            sentiment_score=score,
            subject=_present(
                {"page": sent.get("page_url"), **{name: sent.get(name) for name in names}, **metadata}
            ),
            author=Author(email=sent.get("user_email") or None),
            tags=(f"platform:{sent['platform']}",) if sent.get("platform") else (),
            files=tuple(inbound.files),
        )
    ]


def reply_app(inbound: Inbound, saved: list[Saved]) -> Reply:
    sent = AppFeedback.of(inbound)
    project_id = saved[0].document["project_id"]
    return Reply(201, _shown(saved[0], project_id, sent.get("message"), sent.get("page_url")))


def ask_widget(inbound: Inbound) -> Ask:
    return Ask("widget")


def show_widget(inbound: Inbound, answer: Answer) -> Reply:
    return Reply(200, {"email_followup_enabled": bool(answer.rows and answer.rows[0]["email_followup"])})


def refuse(problem: Problem) -> Reply:
    """Fluister publishes no error shape; its example prints the body, so the body says what is wrong."""
    error: dict[str, Any] = {
        "code": CODES.get(problem.code, problem.code),
        "message": problem.message,
        "status": problem.status,
    }
    if problem.faults:
        error["fields"] = [{"field": fault.field, "message": fault.message} for fault in problem.faults]
    return Reply(problem.status, {"error": error, "requestId": problem.request_id}, problem.headers)


def key(inbound: Inbound) -> str | None:
    """The web API shows its key as a bearer, the app as X-API-Key, the app's settings call as ?project=."""
    asked = inbound.query.get("project") if inbound.path == "/api/widget/config" else None
    return bearer(inbound) or inbound.headers.get("x-api-key") or asked or None


def _shown(saved: Saved, project_id: str, text: str | None, page: str | None) -> dict[str, Any]:
    document = saved.document
    return {
        "id": saved.id,
        "projectId": project_id,
        "text": text,
        "page": page,
        "category": _category(saved),
        "sentiment": document["sentiment"],
        "impactScore": document["impact"],
        "createdAt": f"{document['received_at'][:19]}Z",
    }


def _category(saved: Saved) -> str:
    """The record's category, or the likeliest of those Fluister's clients know."""
    category = str(saved.document["category"])
    if category in CATEGORIES:
        return category
    return max(CATEGORIES, key=lambda name: saved.category_scores.get(name, 0.0))


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "")}


ADAPTER = Adapter(
    name="fluister",
    doors=(
        Door(
            "/v1/feedback",
            read,
            reply,
            shape=Shape(
                summary="Take words on a page of a site.",
                body=Feedback,
                answers={201: FeedbackShown},
                example={"projectId": "my-shop", "text": "De knop reageert niet", "page": "/checkout"},
            ),
        ),
        Door(
            "/api/feedback",
            read_app,
            reply_app,
            streamed=form_with_files(_words),
            shape=Shape(
                summary="Take a face, with or without words, from an app.",
                body=AppFeedback,
                form=AppFeedbackForm,
                answers={201: FeedbackShown},
                example={"sentiment": "sad", "message": "It stops at the login", "platform": "android"},
            ),
        ),
    ),
    title="Fluister",
    error=Error,
    proofs=(BEARER, Proof("header", "X-API-Key")),
    refuse=refuse,
    lookups=(
        Lookup(
            "/api/widget/config",
            ask_widget,
            show_widget,
            shape=Shape(
                summary="Tell an app what its project asks for.", query=WidgetQuery, answers={200: Widget}
            ),
        ),
    ),
    owns=("/v1", "/api/feedback", "/api/widget"),
    key=key,
)
