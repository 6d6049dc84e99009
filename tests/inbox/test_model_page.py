"""The model's page: which one labels, what it learns from people and how that went, and the way back."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from gateway.background import retraining
from gateway.background.lease import Lease, run_once
from gateway.core.ids import now_ms
from models import Feedback, User
from models.database.base import writing
from models.tables import trained_model as models
from tests.conftest import Call, Server, Tenant, running, until
from tests.inbox.conftest import Reader, Site, Visit
from tests.triage.test_corrections import BOARDS, LIKE_THEM

Make = Callable[..., Reader]
PATH = "/settings/model"


@pytest.fixture(name="corrected")
def _corrected(call: Call) -> str:
    """A record that somebody gave another category."""
    made: str = call("POST", "/gateway/v1/feedback", json={"text": "Could you add dark mode"}).json["id"]
    call("PATCH", f"/gateway/v1/feedback/{made}", json={"category": "praise"})
    return made


def told(page: str) -> str:
    """What the page says of the training."""
    found = re.search(r'role="status"[^>]*>([^<]*)<', page)
    return unescape(found[1]) if found else ""


def ended(monkeypatch: pytest.MonkeyPatch, outcome: dict[str, Any] | None, said: str = "") -> None:
    """The background worker does what was asked for, and this comes of it."""

    class Done:
        stdout, stderr = "", said

    monkeypatch.setattr(Lease, "run", lambda *_: Done)
    monkeypatch.setattr(retraining, "_outcome", lambda _: outcome)
    assert run_once(retraining.RETRAIN)


def test_what_it_shows(reader: Make, corrected: str) -> None:
    """The page names the model in use, its scores and how much people have corrected."""
    page = reader("viewer").get(PATH).text.partition("<main")[2]

    assert Feedback.get().model_version in page
    assert "Of ten texts that it has never seen it gives 8 the right category and 7 the right" in unescape(
        page
    )
    assert page.index("Of ten texts") < page.index("<details") < page.index(Feedback.get().model_version)
    assert "corrected 1 records" in page
    assert "<td" in page
    assert "<form" not in page


def test_a_training(reader: Make, corrected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The button asks for one; the page tells that it waits, why it was refused, and what failed."""
    ann = reader("admin")
    assert "disabled" not in ann.get(PATH).text
    assert ann.post(f"{PATH}/train").location == PATH
    page = ann.get(PATH).text
    assert told(page).startswith("Waiting for the background worker")
    assert 'data-training="/settings/model/training"' in page
    assert '<button class="main" disabled>' in page
    assert ann.get(f"{PATH}/training").json == {"ended": False, "say": told(page)}
    effect = {"task": "category", "corrections": "learnt", "count": 25, "old": 1, "new": 24}
    lost = {"name": "category <held> out", "rows": 2644, "old": 0.95, "new": 0.9, "difference": -0.05}
    scores = {"corrections": [effect], "held_out": [{**lost, "too_much": True}]}
    why = {"installed": False, "refusal": "macro-F1 falls <b>", "version": "v2", "old_version": "v1"}
    ended(monkeypatch, {**why, **scores})
    page = ann.get(PATH).text
    assert told(page).endswith("nothing was changed: macro-F1 falls <b>")
    assert "category &lt;held&gt; out" in page
    assert "0.950" in page
    assert "too much lost" in page
    assert ann.get(f"{PATH}/training").json["ended"] is True
    assert "data-training" not in page
    ann.post(f"{PATH}/train")
    ended(monkeypatch, None, "Error: no <space> left\n")
    assert told(ann.get(PATH).text).endswith("nothing was changed: no <space> left")


def test_nothing_to_learn(reader: Make) -> None:
    """Without a correction there is nothing to press."""
    assert '<button class="main" disabled>' in reader("admin").get(PATH).text


def test_the_way_back(reader: Make) -> None:
    """Each model that is kept has a button, but the one in use; what is not kept is refused."""
    with writing():
        models.add("v1", "x", 3, {"format": 0}, b"", now_ms())
        models.add("v2", "x", 4, {"format": 0}, b"", now_ms())
    ann = reader("admin")
    assert re.findall(r'name="version" value="([^"]+)"', ann.get(PATH).text) == ["v1", "shipped"]
    assert ann.post(f"{PATH}/use", {"version": "shipped"}).location == PATH
    page = ann.get(PATH).text
    assert re.findall(r'name="version" value="([^"]+)"', page) == ["v2", "v1"]
    assert "within seconds" in page
    assert models.in_use() == "shipped"
    for version in ("v9", "", "<b>", "\0"):
        assert ann.post(f"{PATH}/use", {"version": version}).status_code == 404
    assert 'name="version"' not in reader("viewer").get(PATH).text


def test_not_with_other_workspaces(reader: Make, corrected: str, other: Tenant) -> None:
    """Where the model labels for others, too, nobody changes it here."""
    ann = reader("admin")

    assert ann.post(f"{PATH}/train").status_code == 403
    assert ann.post(f"{PATH}/use", {"version": "shipped"}).status_code == 403
    assert retraining.state() is None


def test_in_dutch(reader: Make, corrected: str) -> None:
    """How it goes is told in the reader's language."""
    ann = reader("admin")
    User.update(language="nl").execute()
    ann.post(f"{PATH}/train")

    assert told(ann.get(PATH).text).startswith("Wacht op de achtergrondwerker")


@pytest.mark.long
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_from_corrections_to_another_model_and_back(chromium: Browser, tmp_path: Path, scripts: bool) -> None:
    """An admin's click teaches the model what people corrected; every process uses it, then the old one.

    Nothing is restarted. Without scripts the page is loaded anew to see how it goes.
    """
    with running(tmp_path, GATEWAY_BACKGROUND="on", GATEWAY_WORKERS="2") as server:
        site = Site(server)
        with server.client() as client:
            for text in BOARDS:
                made = client.post("/gateway/v1/feedback", json={"text": text}).json()
                assert made["category"] != "feature"
                client.patch(f"/gateway/v1/feedback/{made['id']}", json={"category": "feature"})
        page = chromium.new_context(java_script_enabled=scripts).new_page()
        visit = Visit(page, server.url)
        visit.sign_in("admin")
        visit.go("/settings/model")
        shipped = page.locator("main code").first.text_content() or ""
        page.get_by_role("button", name="Learn from corrections").click()
        learnt = page.get_by_role("status").filter(has_text="Learnt:")
        if not scripts:
            until(lambda: (page.reload(), learnt.count())[1], 120)
        expect(learnt).to_be_visible(timeout=120_000)
        version = page.locator("table code").first.text_content() or ""
        assert version != shipped
        until(lambda: _in_use(server) == {version})
        assert site.send(text=LIKE_THEM[0])["category"] == "feature"
        visit.go("/settings/model")
        page.get_by_role("button", name="Go back to shipped").click()
        expect(page.locator(".said")).to_contain_text("within seconds")
        until(lambda: _in_use(server) == {shipped})
        with (
            server.client() as client
        ):  # what the project has learnt by itself stays until that is forgotten, too
            (project,) = client.get("/gateway/v1/projects").json()["data"]
            assert client.delete(f"/gateway/v1/projects/{project['project_id']}/learning").status_code < 300
        until(lambda: site.send(text=LIKE_THEM[1])["category"] != "feature")
        assert visit.complaints == visit.elsewhere == []
        page.context.close()


def _in_use(server: Server) -> set[str]:
    """The versions that label in any process that answers."""
    found = set()
    for _ in range(12):
        with server.client() as client:  # a connection of its own: another process may take it
            found.add(client.get("/readyz").json()["checks"]["triage"])
    return found
