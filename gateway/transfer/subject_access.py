"""All that is stored about a person (GDPR article 15)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gateway.core.ids import now_ms
from models.database.base import first
from models.queries import personal_data
from models.queries.personal_data import Person, Row
from models.tables import asset, delivery, event, feedback, quarantine, reply
from models.tables.delivery import Delivery
from models.tables.event import Event
from models.tables.feedback import Feedback
from models.tables.quarantine import Quarantine


def export(workspace_id: str, person: Person) -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything a workspace holds about a person, each part with its kind.

    `record` is one of theirs, with its history, raw payloads and what they were answered; `mention` is where
    somebody else's has their address, with the words around it; `delivery` is raw and was not understood.
    """
    for page in personal_data.records(workspace_id, now_ms()):
        own = [row["id"] for row in page if person.wrote(row)]
        for row in map(_record, own):
            if row is not None:
                told = delivery.enveloped(event.of(row["id"], limit=None))
                history = [event.document(item) for item in told]
                files = list(map(asset.document, asset.of_feedback([row["id"]])))
                answers = list(map(reply.document, reply.of_record(row["id"])))
                more = {"events": history, "attachments": files, "replies": answers}
                yield "record", {**feedback.document(row), **more}
        for row in page:
            if row["id"] in own:
                continue
            for name in person.mentions(Feedback, row):
                yield "mention", {"feedback_id": row["id"], "field": name, "words": person.around(row[name])}
        for item in personal_data.events([row["id"] for row in page if row["id"] not in own]):
            if person.is_in(item["payload"]) or person.mentions(Event, item):
                words = bytes(item["payload"] or b"").decode("utf-8", "replace")
                place = {"feedback_id": item["feedback_id"], "event_id": item["id"], "field": "payload"}
                yield "mention", {**place, "words": person.around(words) or person.around(item["detail"])}
    for page in personal_data.by_id(Delivery, workspace_id):
        for row in page:
            for name in ("envelope", "rest"):
                if person.is_in(row[name]):
                    words = person.around(bytes(row[name]).decode("utf-8", "replace"))
                    yield "mention", {"delivery_id": row["id"], "field": name, "words": words}
    for page in personal_data.by_id(Quarantine, workspace_id):
        for row in page:
            if person.is_in(row["payload"]) or person.mentions(Quarantine, row):
                yield "delivery", quarantine.document({**row, "request": json.loads(row["request"])})


def _record(feedback_id: str) -> Row | None:
    return first(Feedback.select().where(Feedback.id == feedback_id))
