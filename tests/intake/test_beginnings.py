"""Many records of one delivery end as the same records do that come one after the other."""

from __future__ import annotations

import random
from typing import Any

import pytest

from adapters import native
from adapters.contract import Inbound
from adapters.contract.record import Author, Record
from gateway import triage
from gateway.access.caller import Caller
from gateway.core.ids import new_ulid, now_ms
from gateway.intake import store
from models.database.base import AT_ONCE, rows
from models.tables.feedback import Feedback
from tests.conftest import Tenant, make_tenant

both = pytest.mark.both(long=True)
COLUMNS = ("external_id", "title", "text", "status", "votes", "triggers", "impact", "impact_reasons", "type")
# Of each there are few, so that records have to do with each other.
TEXTS = [f"The page of {what} is gone when I press save" for what in ("invoices", "orders", "users")]
VOTE_BEFORE = [Record("", votes_for="k1", voter="ada"), Record("", retracts=True, dedupe_key="k2")]


def record(dice: random.Random, number: int) -> Record:
    text = dice.choice([*TEXTS, f"Number {number} says what nobody says"])
    key = dice.choice([None, *(f"k{n}" for n in range(20))])
    person = Author(id=f"person {dice.randrange(5)}")
    kind = dice.choice(["begins"] * 6 + ["replaces", "retracts", "votes", "story"])
    if kind == "retracts":
        return Record("", retracts=True, dedupe_key=key or "k1")
    if kind == "votes":
        return Record("", votes_for=key or "k1", voter=person.id, dedupe_key=f"vote {number}")
    story = f"story {dice.randrange(3)}" if kind == "story" else None
    return Record(text, author=person, dedupe_key=key, replaceable=kind == "replaces", incident_key=story)


def end_of(tenant: Tenant, records: list[Record], at_once: int, now: int) -> tuple[list[str], list[Any]]:
    """What became of each record, and what is stored, in the order of their numbers."""
    caller = Caller("key", tenant.workspace_id, None, tenant.project_id, frozenset({"ingest"}))
    outcomes: list[str] = []
    for start in range(0, len(records), at_once):
        some = records[start : start + at_once]
        inbound = Inbound("POST", "/x", {}, b"{}", request_id=f"req_{new_ulid()}", received_at=now)
        labels = triage.label_all([(one, None) for one in some])
        outcomes += [saved.outcome for saved in store.save(caller, native.ADAPTER, inbound, some, labels)]
    query = Feedback.select().where(Feedback.workspace_id == tenant.workspace_id)
    stored = [{name: row[name] for name in COLUMNS} for row in rows(query)]
    return outcomes, sorted(stored, key=lambda row: int(row["external_id"]))


@both
@pytest.mark.parametrize("seed", range(4))
def test_as_if_one_after_the_other(tenant: Tenant, kind: str, seed: int) -> None:
    """Words and keys that repeat, changes, votes and removals, each before and after what they are about."""
    dice = random.Random(seed)
    records = [*VOTE_BEFORE, Record(TEXTS[0], dedupe_key="k1"), Record(TEXTS[0], dedupe_key="k2")]
    records += [record(dice, number) for number in range(AT_ONCE)]
    for number, one in enumerate(records):
        one.external_id = str(number)
    now = now_ms()

    many = end_of(tenant, records, len(records), now)
    assert many == end_of(make_tenant("one by one"), records, 1, now)
    assert {"created", "ignored", "updated", "unchanged"} <= set(many[0])
