"""No page in Dutch has an English word of ours, with records from every door and each kind of event on it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser

from gateway.inbox.field_names import NAMES, SPOKEN
from models import ApiKey, Asset, Event, Feedback, Quarantine, User
from tests.adapters.test_adapters import CASES
from tests.conftest import Call, Tenant
from tests.inbox.conftest import Reader
from tests.inbox.messages import messages
from tests.inbox.payloads import case_of
from tests.inbox.test_hostile_fields import _deliver
from tests.inbox.test_roles import PAGES, _ids
from tests.inbox.test_roles import filled as path_of

Make = Callable[..., Reader]
deliver, ids = _deliver, _ids
# Words of English that are none of Dutch, of which nearly every sentence of ours has one.
WORDS = """
the and with from this that not are by must has have its it to for or be been at on was were which who
what when where why how there their they none no yes all any every each more most less least than then
people person record records page pages name names address error user key keys file files
author sender answer received updated resolved reopened opened closed created deleted changed triggered
acknowledged suppressed retracted tagged note voted unvoted repeated expected invalid missing required
settings day month new save wish question praise positive negative neutral severity reach
"""
ENGLISH = frozenset(WORDS.split())
# Who started the fixture's run, words of the API's own, and what a library says of an expression.
KEPT = ("key", "day, week, month of twee datums", "title: In function length()")
# Fields that fixtures' senders named themselves.
OWN: set[str] = set()
UNREAD = {"pre", "code", "script", "style", "textarea", "datalist"}


def texts(page: str) -> Iterator[str]:
    """What a reader reads or hears of a page: text and attributes that are told; no code and payloads."""
    yield from _told(LexborHTMLParser(page).root)


def _told(node: Any) -> Iterator[str]:
    if node.tag == "-text":
        yield node.text(strip=True)
        return
    if node.tag in UNREAD or node.attributes.get("lang") == "en":
        return
    for name in ("title", "aria-label", "placeholder", "alt", "data-sure"):
        if said := node.attributes.get(name):
            yield said
    for child in node.iter(include_text=True):
        yield from _told(child)


def english(text: str) -> bool:
    """Whether a text has words of English. Quotes are somebody's, and dotted or slashed names the API's."""
    if text.startswith(KEPT):
        return False
    bare = re.sub(r'"[^"]*"|(^|(?<=; ))[\w.-]+: ', " ", text)
    bare = re.sub(r"[\w-]+(?:[._/=][\w-]+)+", " ", bare)
    return bool(ENGLISH.intersection(re.findall(r"[^\W\d]+", bare.lower())))


@pytest.fixture(name="filled")
def _filled(deliver: Any, call: Call, tenant: Tenant, ids: dict[str, str]) -> dict[str, str]:
    """A workspace with records from every door, without English words, and one of everything else."""
    for path in CASES:
        if (case := case_of(path)) is not None:
            deliver(case, case.body(str, frozenset()))
    record_id = ids["feedback_id"]
    for change in ({"category": "praise"}, {"status": "resolved"}, {"tags": ["x"]}, {"note": "Woorden"}):
        call("PATCH", f"/gateway/v1/feedback/{record_id}", json=change)
    words = {"text": "Woorden", "title": "Woorden", "tags": [], "author_name": "Auteur"}
    for row in Feedback.select(Feedback.id, Feedback.subject).dicts():
        subject = dict.fromkeys(row["subject"], "w")
        Feedback.update(**words, subject=subject).where(Feedback.id == row["id"]).execute()
    Feedback.update(alert_group="bron:woorden").where(Feedback.alert_group.is_null(False)).execute()
    ApiKey.update(name="sleutel").execute()
    Asset.update(name="woorden.txt").execute()
    return ids


def test_no_page_has_english_words(filled: dict[str, str], reader: Make) -> None:
    """What a reader of Dutch reads or hears of a page is no English of ours, whatever is on it."""
    ann = reader("admin")
    User.update(language="nl").execute()
    paths = [path_of(route, filled) for route in PAGES if route.startswith("GET /")]
    records = {(row.source, row.type, *row.subject): row.id for row in Feedback.select()}
    held = {row.source: row.id for row in Quarantine.select()}
    paths += [f"/records/{record_id}" for record_id in records.values()]
    paths += [f"/settings/quarantine/{held_id}" for held_id in held.values()]
    found: dict[str, str] = {}
    looked = 0
    for path in paths:
        answer = ann.get(path)
        if answer.status_code == 200 and answer.content_type.startswith("text/html"):
            looked += 1
            found |= {text: path for text in texts(answer.text) if english(text)}

    assert looked > 100
    assert found == {}


def test_every_event_and_field_has_its_words(filled: dict[str, str]) -> None:
    """What the history calls an event, and our adapters a part of a subject, is translated."""
    known = messages()
    events = {row.type for row in Event.select(Event.type)}
    records = [record for path in CASES for record in json.loads(path.read_text()).get("records", [])]
    names = {name for record in records for name in record.get("subject", {})}

    assert len(events) > 12
    assert events - known == set()
    assert {name for name in names if SPOKEN.get(name, name.replace("_", " ")) not in NAMES} == OWN
