"""The digest as a page of the inbox."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from selectolax.lexbor import LexborHTMLParser

from models import User
from tests.conftest import Call, Tenant
from tests.inbox.conftest import Reader

HOSTILE = '<b>Bold</b> {{ 7 * 7 }} "><script>alert(1)</script> \u202egnp'


def test_what_it_shows(reader: Callable[..., Reader], call: Call, tenant: Tenant) -> None:
    """What came today is on it, as words, with its record behind it; at another time nothing did."""
    made = call("POST", "/gateway/v1/feedback", json={"text": HOSTILE, "category": "bug", "severity": 5}).json
    ann = reader("viewer")
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    for query in ("", "?period=day", f"?project={tenant.project_id}", f"?period={today}..{today}&zone=UTC"):
        page = LexborHTMLParser(ann.get(f"/digest{query}").text)
        link = page.css_first(f'a[href="/records/{made["id"]}"] bdi')
        assert link is not None and link.text().startswith('<b>Bold</b> {{ 7 * 7 }} "><script>')
        assert "\u202e" not in page.text() and not page.css("main script, main b")
        assert "1 record came in" in page.text()
    assert "Nothing came in" in ann.get("/digest?period=2020-01-01..2020-01-07&zone=Asia/Tokyo").text
    User.update(language="nl").execute()
    assert "Er kwam 1 melding binnen" in ann.get("/digest").text


def test_what_it_refuses(reader: Callable[..., Reader]) -> None:
    """No period and no zone are told to be none; a project of nobody's is as if none were asked for."""
    ann = reader("viewer")
    for query in ("period=year", "period=2020-01-02..2020-01-01", "zone=Mars/Base", "zone=../../etc/passwd"):
        answer = ann.get(f"/digest?{query}")
        assert (answer.status_code, 'role="alert"' in answer.text) == (400, True), query
    assert ann.get("/digest?project=prj_0").status_code == 200


def test_both_faults_are_told(reader: Callable[..., Reader]) -> None:
    """A period and a zone that are none are each told under their own name, in the reader's language."""
    ann = reader("viewer")
    page = ann.get("/digest?period=x&zone=Mars").text
    zone = ann.get("/digest?period=week&zone=Mars", headers={"Accept-Language": "nl"}).text

    assert "Time zone: must be a zone such as" in page and "Period: must be day, week" in page
    assert "Tijdzone: moet een zone zoals" in zone and "Periode:" not in zone
