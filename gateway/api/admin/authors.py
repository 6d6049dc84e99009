"""/gateway/v1/authors: what is stored about somebody, and its erasure."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError

from adapters.common.plain_text import SPACE
from adapters.common.schemas import Flag, Strict, Text, every, length, means, not_blank, one_of
from adapters.contract import Fault, Inbound, Problem, Refused, Reply, invalid
from gateway.access import audit_log
from gateway.access.caller import Caller
from gateway.core import concurrency
from gateway.transfer import erasure, subject_access
from gateway.transfer.erasure import MODES
from models.database.base import writing
from models.queries.email_addresses import Address
from models.queries.personal_data import Person

LONGEST = 320  # characters of an address


@means(pattern=f"^[{SPACE}]*[^{SPACE}]+@[^{SPACE}@]+[{SPACE}]*$", maxLength=LONGEST)
def _email(value: str) -> None:
    local, at, domain = value.strip().rpartition("@")
    if not (local and at and domain) or len(value) > LONGEST or any(char.isspace() for char in value.strip()):
        raise ValidationError("Must be an email address")
    try:
        Address(value)
    except ValueError:
        raise ValidationError("Must be an email address") from None


class Who(Strict):
    means = {
        "anyOf": [
            {"properties": {"email": {"type": "string"}}, "required": ["email"]},
            {"properties": {"id": {"type": "string"}}, "required": ["id"]},
        ]
    }

    email = Text(_email, allow_none=True)
    id = Text(every(not_blank, length(most=500)), allow_none=True)


class Erasure(Who):
    mode = Text(one_of(MODES), load_default="delete")
    dry_run = Flag(load_default=False)
    compact = Flag(load_default=True)


def erase_author(caller: Caller, inbound: Inbound) -> Reply:
    """Erases a person from the workspace and answers the receipt. Raises Refused (400, 403)."""
    sent = Erasure.of(inbound)
    person = _person(caller, sent)
    with concurrency.long(caller.workspace_id):
        done = erasure.erase(
            caller.workspace_id,
            person,
            sent["mode"],
            by=caller.key_id,
            dry_run=sent["dry_run"],
            compact=sent["compact"],
        )
    return Reply(200, done, {"Cache-Control": "no-store"})


def export_author(caller: Caller, inbound: Inbound) -> Reply:
    """Everything the workspace holds about a person, as one document. Raises Refused (400, 403)."""
    sent = Who.of(inbound)
    with concurrency.long(caller.workspace_id):
        found = collected(caller.workspace_id, _person(caller, sent))
    with writing():
        audit_log.note(
            caller.workspace_id, caller.key_id, "author.exported", "", records=len(found["records"])
        )
    return Reply(200, found, {"Cache-Control": "no-store"})


def collected(workspace_id: str, person: Person) -> dict[str, Any]:
    """What subject_access.export tells, in one document."""
    found: dict[str, list[Any]] = {"record": [], "mention": [], "delivery": []}
    for kind, part in subject_access.export(workspace_id, person):
        found[kind].append(part)
    return {
        "records": found["record"],
        "mentions": found["mention"],
        "quarantine": found["delivery"],
    }


def person_of(email: str | None, author_id: str | None) -> Person:
    """A person by what they are known by; the address in lower case."""
    return Person(email.strip().lower() if email else None, author_id or None)


def _person(caller: Caller, sent: dict[str, Any]) -> Person:
    if caller.project_id is not None:
        raise Refused(Problem(403, "forbidden", "A person's data is the whole workspace's."))
    person = person_of(sent.get("email"), sent.get("id"))
    if person == Person():
        raise invalid(Fault("body", "Must have email or id"))
    return person
