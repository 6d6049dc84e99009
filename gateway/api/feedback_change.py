"""What people change: labels, status, tags and notes, with what they replaced kept beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from marshmallow import ValidationError, fields

from adapters.common.schemas import (
    Number,
    Strict,
    Text,
    TextList,
    at_most,
    every,
    length,
    meaning_of,
    means,
    not_blank,
    one_of,
    type_name,
)
from adapters.contract import Fault, Inbound, Problem, Refused, Reply, invalid
from adapters.contract.record import CATEGORIES, SENTIMENTS
from gateway.access import assignees, mentions
from gateway.access.caller import Caller, rules_in
from gateway.api.snoozing import Snooze, snooze_of
from gateway.core.area_rules import Rules
from gateway.core.ids import new_id
from gateway.http import entity_tags
from gateway.triage.stored import reconsidered
from models.database.base import insert_all, values, writing
from models.tables import feedback, mention, outbox, topic
from models.tables.event import Event
from models.tables.feedback import STATUSES, Feedback, told

TOLD = {
    "relabelled": outbox.RELABELLED,
    "status": outbox.STATUS_CHANGED,
    "tagged": outbox.TAGGED,
    "note": outbox.NOTED,
    "assigned": outbox.ASSIGNED,
    "snoozed": outbox.SNOOZED,
    "woken": outbox.WOKEN,
}
SNOOZE = ("snoozed_until", "wakes_on_delivery")
DONE = ("resolved", "ignored")  # what is done with sleeps no more
ME = "me"  # as an assignee: the person who asks
LABELS = ("category", "sentiment", "impact")
WEIGHED = {"category", "sentiment"}  # labels that the impact follows
SCORES = {"positive": 1.0, "neutral": 0.0, "negative": -1.0}  # a person does not say how much
LONGEST_TAG = 200  # characters, as at the doors
MOST_TAGS = 100
LONGEST_ASSIGNEE = 320  # characters of an id or email address
LONGEST_NOTE = 10_000  # characters


@means(enum=list(range(15)))
def _impact(value: float) -> None:
    if value not in range(15):
        raise ValidationError("Number must be a whole one from 0 to 14")


_tag = every(not_blank, length(most=LONGEST_TAG))
_few = at_most(MOST_TAGS)


class TagEdit(Strict):
    add = TextList(_tag, validate=_few, load_default=list)
    remove = TextList(_tag, validate=_few, load_default=list)


class Tags(fields.Field[Any]):
    """All the tags as an array, or an object with those to `add` and to `remove`."""

    _all = TextList(_tag, validate=_few)

    def __init__(self, **options: Any) -> None:
        words = {"type": "array", "items": {"type": "string", **meaning_of(_tag)}, **meaning_of(_few)}
        edit = {
            "type": "object",
            "properties": {"add": words, "remove": words},
            "additionalProperties": False,
        }
        super().__init__(metadata={"anyOf": [words, edit]}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        if isinstance(value, list):
            return self._all.deserialize(value, attr, data)
        if isinstance(value, dict):
            return TagEdit().load(value)
        raise ValidationError(f"Expected array or object, received {type_name(value)}")


class Change(Strict):
    means = {"minProperties": 1}

    category = Text(one_of(CATEGORIES))
    sentiment = Text(one_of(SENTIMENTS))
    topic = Text(allow_none=True)
    impact = Number(_impact)
    status = Text(one_of(STATUSES))
    assignee = Text(every(not_blank, length(most=LONGEST_ASSIGNEE)), allow_none=True)
    snooze = fields.Nested(Snooze, allow_none=True)
    tags = Tags(error_messages={"null": "Expected array or object, received null"})
    note = Text(every(not_blank, length(most=LONGEST_NOTE)))


def read_change(sent: Any) -> dict[str, Any]:
    """A change, checked: what to set, by name. Raises Refused (400) that names every bad field."""
    change = dict(Change.check(sent))
    if not change:
        raise invalid(Fault("body", f"Must have one of {', '.join(Change().fields)}"))
    if "impact" in change:
        change["impact"] = int(change["impact"])
    if "snooze" in change:
        change["snooze"] = snooze_of(change["snooze"])
    return change


def change_feedback(caller: Caller, inbound: Inbound) -> Reply:
    """PATCH of one record. What does not change anything is no event.

    With If-Match it is changed only when it still has that ETag. Raises Refused: 400 with every bad
    field, 404 for a record that is not the caller's, 412 when somebody changed it since.
    """
    change = read_change(inbound.json)
    with writing():
        row = feedback.find(
            caller.workspace_id, caller.project_id, inbound.params["feedback_id"], to_change=True
        )
        if row is None:
            raise Refused(Problem(404, "not_found", "No such feedback."))
        check_match(inbound, row)
        check_topic(caller, change, row["project_id"])
        check_assignee(caller, change)
        row |= apply([row], change, caller=caller, at=inbound.received_at, request_id=inbound.request_id)[0]
    return shown(row)


def shown(row: Mapping[str, Any], **more: Any) -> Reply:
    """A record as it is answered, with its ETag."""
    return Reply(200, {**feedback.document(row), **more}, {"ETag": etag(row)})


def etag(row: Mapping[str, Any]) -> str:
    """The strong entity tag of a record."""
    return entity_tags.tag(feedback.version(row))


def check_match(inbound: Inbound, row: Mapping[str, Any]) -> None:
    """Raises Refused (412) when the record does not meet the request's If-Match (RFC 9110 13.1.1)."""
    entity_tags.check_match(inbound, feedback.version(row))


def check_topic(caller: Caller, change: Mapping[str, Any], project_id: str | None = None) -> None:
    """Raises Refused (400) unless a change's topic is one of the caller's.

    With a record's project it is one of that, and is still when the open transaction ends.
    """
    topic_id, scope = change.get("topic"), (caller.workspace_id, project_id or caller.project_id)
    if topic_id is not None and not topic.find(*scope, topic_id, to_keep=project_id is not None):
        raise invalid(
            Fault("topic", "No such topic in the record's project" if project_id else "No such topic")
        )


def check_assignee(caller: Caller, change: dict[str, Any]) -> None:
    """Puts the user's id in the place of a change's assignee.

    Raises Refused (400) unless that is one of the workspace's people who may change records.
    """
    if (who := change.get("assignee")) is None:
        return
    if who == ME and caller.person is None:
        raise invalid(Fault("assignee", "me is a person at the inbox: name an email address"))
    found = assignees.find(caller.workspace_id, caller.person or "" if who == ME else who)
    if found is None:
        raise invalid(Fault("assignee", "Nobody here has this address and may change records"))
    change["assignee"] = found


def apply(
    rows: list[dict[str, Any]], change: Mapping[str, Any], *, caller: Caller, at: int, request_id: str
) -> list[dict[str, Any]]:
    """Makes a change to rows that were read to be changed, within the open transaction.

    Writes an event for each kind of change and returns the new columns of each row, none for a row
    that has all of it already. Records of other projects than the topic's are left as they are.
    """
    if change.get("topic") is not None:
        kept = topic.find(caller.workspace_id, caller.project_id, change["topic"], to_keep=True)
        of_it = kept and kept["project"]
    else:
        of_it = None
    if change.get("assignee") and not assignees.stays(caller.workspace_id, change["assignee"]):
        return [{} for _ in rows]
    rules = rules_in(caller.workspace_id) if WEIGHED & change.keys() else {}
    changed: list[dict[str, Any]] = []
    events: list[tuple[dict[str, Any], str, dict[str, Any]]] = []
    for row in rows:
        apart = change.get("topic") is not None and row["project_id"] != of_it
        columns, told = ({}, []) if apart else _planned(row, change, at, rules.get(row["project_id"]))
        changed.append(columns)
        if columns:
            Feedback.update(columns).where(Feedback.id == row["id"]).execute()
        events += [(row, kind, detail) for kind, detail in told]
    _write_events(events, caller, at, request_id)
    return changed


def restore(
    row: Mapping[str, Any],
    was: Mapping[str, Any],
    made: Mapping[str, Any],
    *,
    caller: Caller,
    at: int,
    request_id: str,
) -> bool:
    """Takes a change back within the open transaction: columns are again what each `was`.

    Nothing happens, and False is returned, when one of them is no longer what the change `made` of it, or
    the topic that it had is gone, or who took care of it. What people said of other labels stays, and an
    impact that only followed from a label follows from what that is again.
    """
    followed = {"impact_reasons", *(() if "impact_origin" in was else ("impact",))} & was.keys()
    columns = {
        name: value for name, value in was.items() if name not in ("overruled", "updated_at", *followed)
    }
    if any(row[name] != made[name] for name in columns):
        return False
    if columns.get("topic") and not topic.find(
        caller.workspace_id, row["project_id"], columns["topic"], to_keep=True
    ):
        return False
    if columns.get("assignee") and not assignees.stays(caller.workspace_id, columns["assignee"]):
        return False
    if "overruled" in was:
        before, labels = was["overruled"] or {}, [name for name in LABELS if name in columns]
        named = [*labels, *(f"{name}_origin" for name in labels)]
        kept = {name: value for name, value in (row["overruled"] or {}).items() if name not in named}
        kept |= {name: before[name] for name in named if name in before}
        columns["overruled"] = kept or None
    if followed:
        if all(row[name] == made[name] for name in followed):
            columns |= {name: was[name] for name in followed}
        else:  # as others report it, say
            rules = rules_in(caller.workspace_id).get(row["project_id"])
            columns |= reconsidered({**row, **columns}, rules)
    told = (*LABELS, "topic", "status", "tags", "assignee", *SNOOZE)
    new = {name: columns[name] for name in told if name in columns}
    if "impact" in followed and new.get("impact") == row["impact"]:
        del new["impact"]
    columns["updated_at"] = max(at, row["updated_at"] + 1)
    Feedback.update(columns).where(Feedback.id == row["id"]).execute()
    events = [(dict(row), kind, {**detail, "undone": True}) for kind, detail in _events_of(row, new)]
    _write_events(events, caller, at, request_id)
    return True


def _write_events(
    told: Iterable[tuple[dict[str, Any], str, dict[str, Any]]], caller: Caller, at: int, request_id: str
) -> None:
    """Stores what happened to rows, each with its type and detail, and notes it for destinations."""
    events: list[list[Any]] = []
    noted: list[tuple[str, dict[str, Any], int, str | None]] = []
    named: list[dict[str, Any]] = []
    people = None
    for row, kind, detail in told:
        detail |= {"key_id": caller.key_id, "request_id": request_id}
        event = {"id": new_id("ev"), "feedback": row["id"], "type": kind, "at": at}
        events.append(values(Event, {**event, "detail": detail, "payload": None, "delivery_id": None}))
        noted.append((TOLD[kind], row, at, event["id"]))
        if kind == "note" and mentions.MARK in detail["text"]:
            people = mentions.people_of(caller.workspace_id) if people is None else people
            named += [
                {
                    "id": f"{event['id']}:{user_id}",
                    "workspace_id": row["workspace_id"],
                    "user": user_id,
                    "feedback": row["id"],
                    "at": at,
                }
                for user_id in mentions.mentioned(detail["text"], people)
                if user_id != caller.key_id
            ]
    insert_all(Event, events)
    mention.add_all(named)
    outbox.note_all(noted)


def _events_of(row: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events, by type, of new values that a row is given."""
    sleep = "woken" if new.get("wakes_on_delivery", 0) is None else "snoozed"
    kinds: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("relabelled", (*LABELS, "topic")),
        ("status", ("status",)),
        ("tagged", ("tags",)),
        ("assigned", ("assignee",)),
        (sleep, SNOOZE),
    )
    for kind, names in kinds:
        changes = {
            name: {"from": told(name, row[name]), "to": told(name, new[name])}
            for name in names
            if name in new
        }
        if changes:
            yield kind, {"changes": changes}


def _planned(
    row: Mapping[str, Any], change: Mapping[str, Any], at: int, rules: Rules
) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    """The columns that a change gives a row, and its events by type; both empty when nothing changes."""
    wanted = {name: value for name, value in change.items() if name not in ("tags", "note", "snooze")}
    if "snooze" in change:
        wanted |= zip(SNOOZE, change["snooze"], strict=True)
    elif change.get("status") in DONE:
        wanted |= dict.fromkeys(SNOOZE)
    if "tags" in change:
        wanted["tags"] = list(_tagged(row["tags"], change["tags"]))
    new = {name: value for name, value in wanted.items() if row[name] != value}
    if "topic" in wanted and row["topic_origin"] != "corrected":
        new["topic"] = wanted[
            "topic"
        ]  # a person says that it is right, or that there is none: that is learnt
    note = change.get("note")
    if not new and note is None:
        return {}, []
    # Always later than before, so that no two versions of a record are the same.
    columns: dict[str, Any] = {**new, "updated_at": max(at, row["updated_at"] + 1)}
    labels = [name for name in LABELS if name in new]
    if labels:
        # The model's own answer stays the first one, however often people change their minds.
        said = {name: row[name] for name in labels}
        by = {f"{name}_origin": row[f"{name}_origin"] for name in labels}
        said |= {name: origin for name, origin in by.items() if origin not in ("predicted", "corrected")}
        columns["overruled"] = said | (row["overruled"] or {})
        columns |= {f"{name}_origin": "corrected" for name in labels}
    if "category" in new:
        columns["category_confidence"] = 1.0
    if "sentiment" in new:
        columns["sentiment_score"] = SCORES[new["sentiment"]]
        columns["sentiment_confidence"] = 1.0
    if "topic" in new:
        columns |= {"topic_origin": "corrected", "topic_confidence": 1.0 if new["topic"] else None}
    if "status" in new:
        columns["resolved_at"] = at if new["status"] == "resolved" else None
    if WEIGHED & new.keys():
        columns |= reconsidered({**row, **columns}, rules)
        if columns.get("impact", row["impact"]) != row["impact"]:
            new = {**new, "impact": columns["impact"]}
    events = list(_events_of(row, new))
    if note is not None:
        events.append(("note", {"text": note}))
    return columns, events


def _tagged(tags: list[str], change: Any) -> Iterator[str]:
    """The tags after a change, each once."""
    if isinstance(change, list):
        yield from dict.fromkeys(change)
        return
    removed = set(change["remove"])
    yield from dict.fromkeys(tag for tag in (*tags, *change["add"]) if tag not in removed)
