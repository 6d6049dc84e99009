"""One story told by several deliveries: the same record whatever their order, and however often they come.

Every field is merged by itself: the delivery that tells it best wins, and one that leaves it out changes
nothing. Each rule below is a minimum, a maximum, a sum or a union over distinct deliveries, so the result
does not depend on the order in which they arrive.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from models.intake.story_state import StoryState, moment_of, state_of
from models.intake.telling import FIELDS, MACHINES, OVER, STATUS, Telling, Told, severity_of
from models.tables.alert_group import TYPES, group_of
from models.tables.search_words import words_of

DELETED = "Deleted by its author"
VISIBILITY = "visibility"  # in the subject, and the name of a tag
AUTHOR = ("author_id", "author_name", "author_email")
# What follows from the words; the severity among the reasons of an impact has a rule of its own.
LABELS = (
    "language",
    "category",
    "category_origin",
    "category_confidence",
    "sentiment",
    "sentiment_origin",
    "sentiment_score",
    "sentiment_confidence",
    "model_version",
    "fingerprint",
)


def begun(
    row: Mapping[str, Any], telling: Telling, counted: bool, remembered: StoryState | None = None
) -> dict[str, Any]:
    """The columns of a record that begins with this delivery; `remembered` is what was said before."""
    told = Told(stated=telling.means != "note")
    if counted:
        told.counts[row["source"]] = 1
    began = {
        **row,
        **_content(row, row, telling, told),
        "triggers": int(counted),
        "occurrences": 1,
        "first_seen_at": happened(row, telling),
        "last_seen_at": telling.at,
        "state_key": None,
    }
    began |= _settled(began, telling, told, remembered)
    if remembered is not None:
        began["last_seen_at"] = max(began["last_seen_at"], moment_of(remembered.newest))
    return {**began, **left(began, told), "content_key": told.column()}


def merged(
    known: Mapping[str, Any],
    row: Mapping[str, Any],
    telling: Telling,
    counted: bool,
    remembered: StoryState | None = None,
) -> dict[str, Any]:
    """The columns that this delivery changes in a known record; `counted` when it is an occurrence more.

    `remembered` is what was said of the story before it was known to be that of this record.
    """
    told, changed = Told.of(known), dict[str, Any]()
    known = _unmarked(known, told)
    stateful, at = telling.means != "note", telling.at
    if telling.quiet:
        changed["last_seen_at"] = max(known["last_seen_at"], at)
    elif stateful == told.stated:
        changed["first_seen_at"] = min(known["first_seen_at"], happened(row, telling))
        changed["last_seen_at"] = max(known["last_seen_at"], at)
    elif stateful:  # times of notes do not count once a state is known
        told.stated = True
        changed["first_seen_at"] = happened(row, telling)
        changed["last_seen_at"] = max(at, moment_of(known["state_key"]) if known["state_key"] else 0)
    if remembered is not None:
        changed["last_seen_at"] = max(changed["last_seen_at"], moment_of(remembered.newest))
    changed |= _settled(known, telling, told, remembered)
    if telling.quiet:
        return {**changed, **left({**known, **changed}, told), "content_key": told.column()}
    if counted:
        source = row["source"]
        told.counts[source] = told.counts.get(source, 0) + 1
        # Sources that tell the same story count the same occurrences.
        most = max(told.counts.values())
        changed |= {"triggers": most, "occurrences": max(1, most)}
    changed |= _content(known, row, telling, told)
    return {**changed, **left({**known, **changed}, told), "content_key": told.column()}


def _settled(
    known: Mapping[str, Any], telling: Telling, told: Told, remembered: StoryState | None
) -> dict[str, Any]:
    """The columns that a delivery's state changes; `told` is brought up to date.

    What people have set stays while the state is the same and the delivery only says how it found the story.
    """
    state = told.state
    newest, resolved_at = state.newest, state.resolved_at
    if telling.means != "note":
        state.add(telling.state_key, itself=telling.is_state)
    if remembered is not None:
        state.join(remembered)
    by_people = known["resolved_at"] != resolved_at
    if state.newest == newest:
        return {} if by_people or state.resolved_at == resolved_at else {"resolved_at": state.resolved_at}
    now, changed = state_of(state.newest), dict[str, Any](state_key=state.newest)
    same = bool(newest) and state_of(newest) == now
    if telling.is_state or not same:
        changed["status"] = STATUS[now]
    if by_people and now == "resolved" and known["status"] == STATUS[now]:
        pass  # since when somebody has said so, which stays should this end be found to be another story's
    elif not (same and by_people):
        changed["resolved_at"] = state.resolved_at
    elif telling.is_state and known["status"] != STATUS[now]:
        changed["resolved_at"] = moment_of(state.newest) if now == "resolved" else None
    changed["retracted_at"] = moment_of(state.newest) if now == "retracted" else None
    return changed


def event_type(known: Mapping[str, Any], changed: Mapping[str, Any], telling: Telling) -> str:
    """What the history calls this delivery."""
    if known["status"] == "resolved" and changed.get("status") == "open":
        return "reopened"
    if telling.restates:
        return "updated" if changed.get("status", known["status"]) == known["status"] else telling.state
    if telling.state != "triggered":
        return telling.state
    return "repeated" if known["triggers"] else "received"


def _content(
    known: Mapping[str, Any], row: Mapping[str, Any], telling: Telling, told: Told
) -> dict[str, Any]:
    """What tells the story, field by field; `told` is brought up to date."""
    key, changed = telling.content_key(), dict[str, Any]()
    if telling.whole and row["occurred_at"] is not None:  # it began when the first of them says so
        before = (known["occurred_at"],) if told.floor and known["occurred_at"] is not None else ()
        changed["occurred_at"] = min((row["occurred_at"], *before))
        told.takes("occurred_at", key)
    noted = key[0] == "0"
    if any(row[name] for name in AUTHOR):
        richness = 4 * bool(row["author_email"]) + sum(bool(row[name]) for name in AUTHOR)
        if told.takes("author", f"{int(not noted)}{richness}{key}"):
            changed |= {name: row[name] for name in AUTHOR}
    stated = telling.whole or telling.severity is not None
    own_words = telling.whole or telling.restates or row["text"] != row["title"]
    words_key = telling.content_key(int(own_words))
    words, severity = known, known
    own_severity = severity_of(row)
    if own_severity and told.takes("severity", f"1{key}" if stated and not noted else f"0{words_key}"):
        severity = row
        told.severity = own_severity
    if key < told.floor:  # a whole end tells all but the severity, which an alert that is over has none of
        return changed if severity is known else {**changed, "impact_reasons": _reasons(known, row)}
    for name in FIELDS:
        said = row[name] not in (None, "") or (telling.whole and name != "occurred_at")
        if said and told.takes(name, key):
            changed[name] = row[name]
    if (telling.whole or row["text"]) and told.takes("text", words_key):
        changed |= {name: row[name] for name in ("text", *LABELS)}
        words = row
        told.secrecy = telling.secrecy
        told.reach = next(
            ((r["points"], r["why"]) for r in row["impact_reasons"] if r["part"] == "reach"), None
        )
    if words is row or severity is row:
        changed["impact_reasons"] = _reasons(words, severity)
    if told.takes("story", key):
        changed |= {"source": row["source"], "incident_key": row["incident_key"]}
    changed |= _subject(known["subject"], row["subject"], telling, told)
    changed |= _tags(known["tags"], row["tags"], telling, told)
    changed |= _marked(changed, told)
    if telling.whole:
        told.floor = key
    if changed.keys() & {"title", "text", "language"}:
        changed["words"] = words_of({**known, **changed})
    if row["type"] in TYPES or known["alert_group"] is not None:
        changed["alert_group"] = group_of({**known, **changed})
    return changed


def _subject(
    known: Mapping[str, Any], sent: Mapping[str, Any], telling: Telling, told: Told
) -> dict[str, Any]:
    """The subject, each name by itself."""
    key, subject = telling.content_key(), dict(known)
    if telling.whole:
        for name in known.keys() - sent.keys():
            if key > told.keys.get(f"subject.{name}", ""):
                told.keys.pop(f"subject.{name}", None)
                del subject[name]
    for name, value in sent.items():
        if told.takes(f"subject.{name}", key):
            subject[name] = value
    return {"subject": subject}


def _tags(known: list[str], sent: list[str], telling: Telling, told: Told) -> dict[str, Any]:
    """The tags of whoever tells them best in their order, then those of all others, sorted."""
    best, others = known[: told.best], set(known[told.best :])
    if (sent or telling.whole) and told.takes("tags", telling.content_key()):
        others = set() if telling.whole else others | set(best)
        best = list(dict.fromkeys(sent))
    elif told.keys.get("tags"):
        others |= set(sent)
    told.best = len(best)
    return {"tags": [*best, *sorted(others - set(best))]}


def _marked(changed: Mapping[str, Any], told: Told) -> dict[str, Any]:
    """The mark of who may see the words that the record has, unless its story has one."""
    if not told.secrecy or VISIBILITY in changed["subject"]:
        return {}
    return {
        "subject": {**changed["subject"], VISIBILITY: told.secrecy},
        "tags": [*changed["tags"], f"{VISIBILITY}:{told.secrecy}"],
    }


def _unmarked(known: Mapping[str, Any], told: Told) -> Mapping[str, Any]:
    """What is known of a story, without the mark that its words alone gave it."""
    if not told.secrecy or f"subject.{VISIBILITY}" in told.keys:
        return known
    subject = {name: value for name, value in known["subject"].items() if name != VISIBILITY}
    mark = f"{VISIBILITY}:{told.secrecy}"
    return {**known, "subject": subject, "tags": [tag for tag in known["tags"] if tag != mark]}


def _reasons(words: Mapping[str, Any], severity: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The reasons of one row's impact with the severity among those of another."""
    told = {reason["part"]: reason for reason in severity["impact_reasons"]}
    return [
        dict(told.get("severity", reason)) if reason["part"] == "severity" else dict(reason)
        for reason in words["impact_reasons"]
    ]


def without_words(row: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    """The columns of a record whose words are those of deliveries with these keys, without the words."""
    told = Told.of(row)
    if not _says(told, keys):
        return {}
    # A title may be that of the thread.
    said = ("text", "title") if row["title"].rstrip("…") in row["text"] else ("text",)
    for name in said:
        told.keys.pop(name, None)
    changed = dict.fromkeys(said, DELETED)
    after = {**row, **changed}
    made = {"words": words_of(after), "alert_group": group_of(after)}
    return {**changed, **made, "content_key": told.column()}


def hidden(row: Mapping[str, Any], keys: Collection[str], secrecy: str) -> dict[str, Any]:
    """The columns of a record whose words are those of deliveries with these keys, with who may see them."""
    told = Told.of(row)
    if not _says(told, keys) or told.secrecy:
        return {}
    told.secrecy = secrecy
    return {**_marked(row, told), "content_key": told.column()}


def _says(told: Told, keys: Collection[str]) -> bool:
    """Whether the words of a record are those of a delivery with one of these keys."""
    return told.keys.get("text", "").split(":", 3)[-1] in keys


def left(row: Mapping[str, Any], told: Told) -> dict[str, Any]:
    """The columns that follow from what is left of an alert: one that is over has no severity."""
    if row["type"] not in MACHINES or told.severity is None:
        return {}
    over = row["state_key"] and state_of(row["state_key"]) == "resolved"
    points, why = (0, OVER) if over else told.severity
    reasons = [
        {**reason, "points": points, "why": why} if reason["part"] == "severity" else reason
        for reason in row["impact_reasons"]
    ]
    return {"impact_reasons": reasons} if reasons != row["impact_reasons"] else {}


def happened(row: Mapping[str, Any], telling: Telling) -> int:
    """When what is told took place, in milliseconds."""
    return int(row["occurred_at"] if row["occurred_at"] is not None else telling.at)
