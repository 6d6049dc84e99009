"""English and Dutch: nothing is missing, nothing breaks, and times are the reader's."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import get_args

import pytest
from babel.messages.pofile import read_po
from flask import Flask, g

from adapters.contract.record import SENTIMENTS, Category, Record
from gateway.background.similar import ALIKE_WHY
from gateway.inbox import reasons
from gateway.inbox.settings import SECTIONS
from gateway.triage import impact
from models import Feedback, User
from models.tables import impact_reasons
from tests.conftest import Call
from tests.inbox.conftest import Reader
from tests.inbox.messages import INBOX, messages

Make = Callable[..., Reader]
FILLED = re.compile(r"%\(\w+\)s|%%")


def test_dutch_is_complete() -> None:
    """Each text has its one translation with the same blanks to fill, and there is no other."""
    path = INBOX / "languages" / "nl.po"
    with path.open("rb") as file:
        said = {str(item.id): str(item.string) for item in read_po(file) if item.id}

    assert set(said) == messages()
    # Of two for a text one would be shown; the first of all is the header.
    assert path.read_text().count("\nmsgid ") == len(said) + 1
    for text, translated in said.items():
        assert translated.strip(), text
        assert sorted(FILLED.findall(text)) == sorted(FILLED.findall(translated)), text


@pytest.mark.parametrize(
    ("accepts", "chosen", "word"),
    [
        ("nl-NL,nl;q=0.9,en;q=0.8", None, "Instellingen"),
        ("fr", None, "Settings"),
        ("en", "nl", "Instellingen"),
        ("nl", "en", "Settings"),
    ],
)
def test_the_readers_language(reader: Make, accepts: str, chosen: str | None, word: str) -> None:
    """The browser's language is the reader's unless the account says another."""
    ann = reader("admin")
    User.update(language=chosen).execute()
    page = ann.get("/inbox", headers={"Accept-Language": accepts}).text

    assert f">{word}</a>" in page
    assert f'<html lang="{"nl" if word == "Instellingen" else "en"}">' in page


def test_every_page_in_dutch(reader: Make, call: Call) -> None:
    """Every page can be shown in Dutch, with each kind of label and event on it."""
    made = call("POST", "/gateway/v1/feedback", json={"text": "De export is stuk"}).json["id"]
    call("PATCH", f"/gateway/v1/feedback/{made}", json={"category": "praise", "note": "100% zeker"})
    ann = reader("admin")
    User.update(language="nl").execute()
    for path in (
        "/inbox",
        "/overview",
        "/digest",
        f"/records/{made}",
        "/account",
        *(f"/settings/{name}" for name, _, _ in SECTIONS),
    ):
        assert ann.get(path).status_code == 200, path
    assert "het model zei" in ann.get(f"/records/{made}").text


@pytest.mark.parametrize(
    ("cookie", "zone", "hour"),
    [
        (None, None, "10:30"),
        ("Europe/Amsterdam", None, "11:30"),
        ("../etc", None, "10:30"),
        ("Asia/Tokyo", "America/New_York", "05:30"),
    ],
)
def test_the_readers_zone(reader: Make, call: Call, cookie: str | None, zone: str | None, hour: str) -> None:
    """Times are those of the account's zone, else the browser's, else UTC."""
    made = call("POST", "/gateway/v1/feedback", json={"text": "When?"}).json["id"]
    Feedback.update(received_at=1_767_695_400_000).execute()  # 2026-01-06T10:30:00Z
    ann = reader("viewer")
    User.update(zone=zone).execute()
    if cookie:
        ann.client.set_cookie("zone", cookie, domain="localhost")

    assert hour in ann.get(f"/records/{made}").text


def reasons_of_all_kinds() -> set[str]:
    """Each sentence that says why a record has its impact, as the parts that make it say it."""
    texts = ("down", "crash", "broken", "typo", "everyone", "many users", "terrible", "")
    said = {impact.severity(Record(text="x", severity=3), "bug", "").why}
    said |= {impact.severity(Record(text=t), kind, t).why for t in texts for kind in get_args(Category)}
    said |= {impact.severity(Record(text="x"), "bug", "", odds).why for odds in (0.01, 0.99)}
    said |= {impact.mood(name, score, t).why for t in texts for name in SENTIMENTS for score in (-0.7, 0.1)}
    said |= {impact.reach(count, t).why for t in texts for count in (1, 2, 30)}
    said.add(impact.area(Record(text="x", subject={"page": "/login"}), "").why)
    nothing = [{"part": "reach", "points": 0, "why": "reported once"}]
    said |= {
        impact_reasons.raised(nothing, 5)[0]["why"],
        impact_reasons.raised(nothing, 5, ALIKE_WHY)[0]["why"],
    }
    return said


def test_reasons_are_in_the_readers_language(app: Flask) -> None:
    """No reason of an impact stays English on a Dutch page, and people read no number of the model's."""
    said = reasons_of_all_kinds()
    assert len(said) > 25
    with app.test_request_context():
        g.language = "nl"
        assert {why for why in said if reasons.reason(why) == why} == set()
        assert reasons.reason('login: "50% (of) us"') == 'inloggen: "50% (of) us"'
        assert reasons.reason('export: "50% (of) us"') == 'export: "50% (of) us"'
        assert reasons.reason("login: page /login") == "het gaat over inloggen: pagina /login"
        g.language = "en"
        assert reasons.reason("a bug") == "a bug"
        assert reasons.reason("negative (-0.62)") == "it sounds negative"
        assert (
            reasons.reason("a bug that reads like severe ones (0.91)") == "a bug that reads like severe ones"
        )
        assert reasons.reason("login: page /login") == "it is about login: page /login"
