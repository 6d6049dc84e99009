"""One answer to all who asked about a theme: by mail, to those who asked for that, once each.

An author asks for it with `email_followup_opted_in` in a record's subject; a project allows it with
`email_followup`. An address is told of a theme once, and of no two themes within a day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from adapters.contract import Problem, Refused
from gateway.access import audit_log
from gateway.core import encryption, mail
from gateway.core.ids import id_at, new_id
from gateway.core.mail_rules import BadAddress, address
from gateway.core.pacing import Pace
from gateway.replies import recipients
from gateway.replies.by_mail import CLOSED, EMAIL, SERVER
from gateway.replies.sending import NAME
from gateway.replies.writing import UNDO
from models.database.base import writing
from models.queries.askers import askers
from models.tables import feedback, job, reply, theme
from models.tables.workspace import list_projects

OPTED_IN = "email_followup_opted_in"  # in a record's subject: true for an author who wants to hear of it
DAY = 86_400_000  # milliseconds
MOST_A_DAY = 2_000  # mails of this kind of a workspace
MOST_ALSO = 50  # an author's other records that are noted to be answered, too
SKIPPED = ("no_address", "not_opted_in", "followup_off", "unsubscribed", "told_before", "undeliverable")


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose authors are told: those of a theme's records in a workspace, or in one of its projects."""

    workspace_id: str
    project_id: str | None
    theme_id: str


def tell(scope: Scope, text: str, *, by: str, now: int, dry_run: bool = False) -> dict[str, Any]:
    """Queues an answer to each author who wants one: how many, and how many get none and why.

    With `dry_run` only says so, with the first mail as it would be. Raises Refused: 404 for no such theme,
    409 without a mail server or for more than MOST_A_DAY.
    """
    _check_theme(scope)
    if not mail.is_configured():
        raise _conflict("Mail needs GATEWAY_SMTP_URL.")
    skipped: Counter[str] = Counter()
    new = [{**row, "text": text, "key_id": by, "created_at": now} for row in _to_be_told(scope, now, skipped)]
    told: dict[str, Any] = {"dry_run": dry_run, "skipped": {why: skipped[why] for why in SKIPPED}}
    before = reply.count_told(scope.workspace_id, id_at("rpl", now - DAY))
    if before + len(new) > MOST_A_DAY:
        raise _conflict(
            f"That is {len(new)} mails, and {before} were written within a day: {MOST_A_DAY} are the most."
        )
    if dry_run:
        return {**told, "queued": len(new), "mail": _sample(new)}
    queued = sum(Pace().each(new, reply.add_all))
    with writing():
        audit_log.note(scope.workspace_id, by, "theme.answered", scope.theme_id, queued=queued)
        job.ask(NAME, None)
    return {**told, "queued": queued, "mail": None}


def take_back(scope: Scope, *, by: str) -> int:
    """Deletes the answers that nobody has begun to send, or that were given up; how many.

    Raises Refused (404).
    """
    _check_theme(scope)
    projects = [row["id"] for row in list_projects(scope.workspace_id, only=scope.project_id)[0]]
    gone = Pace().until_none(partial(reply.take_back_some, scope.workspace_id, scope.theme_id, projects))
    with writing():
        audit_log.note(scope.workspace_id, by, "theme.answers_taken_back", scope.theme_id, cancelled=gone)
    return gone


def _to_be_told(scope: Scope, now: int, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    """An answer's row for each author, but for its words; counts the others by why they get none."""
    try:
        with writing():
            digest = recipients.digests(scope.workspace_id)
    except encryption.WrongKey:
        raise _conflict(CLOSED) from None
    by_digest = {digest(name): records for name, records in _asking(scope, skipped).items()}
    unwanted = reply.unsubscribed(scope.workspace_id, [*by_digest])
    before = reply.told(scope.workspace_id, scope.theme_id, [*by_digest])
    nobodys = reply.undeliverable(scope.workspace_id, [*by_digest])
    last = reply.last_told(scope.workspace_id, [*by_digest])
    for name, (*others, newest) in by_digest.items():
        whys = {"unsubscribed": unwanted, "told_before": before, "undeliverable": nobodys}
        if why := next((why for why, names in whys.items() if name in names), None):
            skipped[why] += 1
            continue
        row: dict[str, Any] = {"id": new_id("rpl"), "workspace_id": scope.workspace_id, "feedback": newest}
        row |= {"theme": scope.theme_id, "also": others[-MOST_ALSO:], "address": name}
        row |= {"channel": EMAIL.name, "server": SERVER}
        yield {**row, "next_at": max(now + UNDO, last.get(name, 0) + DAY)}


def _asking(scope: Scope, skipped: Counter[str]) -> dict[str, list[str]]:
    """The records by the address of their author, of those who want to hear; why others are not told."""
    found = list_projects(scope.workspace_id, only=scope.project_id)[0]
    telling = {row["id"] for row in found if row["email_followup"]}
    by_address: dict[str, list[str]] = {}
    why_not: dict[str, str] = {}
    for record in askers(scope.workspace_id, scope.project_id, scope.theme_id):
        name = recipients.plain(record["author_email"])
        if record["subject"].get(OPTED_IN) is not True:
            why_not[name] = "not_opted_in"
        elif record["project_id"] not in telling:
            why_not[name] = "followup_off"
        elif not _is_address(record["author_email"]):
            why_not[name] = "no_address"
        else:
            by_address.setdefault(name, []).append(record["id"])
    skipped.update(why for name, why in why_not.items() if name not in by_address)
    return by_address


def _is_address(text: str) -> bool:
    try:
        address(text)
    except BadAddress:
        return False
    return True


def _check_theme(scope: Scope) -> None:
    if not theme.is_of(scope.theme_id, scope.workspace_id, scope.project_id):
        raise Refused(Problem(404, "not_found", "No such theme."))


def _sample(new: list[dict[str, Any]]) -> dict[str, Any] | None:
    record = feedback.first_of(new[0]["feedback"]) if new else None
    return None if record is None else EMAIL.shown(new[0], record)


def _conflict(message: str) -> Refused:
    return Refused(Problem(409, "conflict", message))
