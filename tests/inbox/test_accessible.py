"""Can everybody use it? axe-core's rules (WCAG 2.2 AA) on every page, light and dark, wide and at 360 px."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from models.database.base import close, connect
from tests.conftest import run_command, running
from tests.inbox.conftest import PASSWORD, Site, Visit
from tests.inbox.scenes import send_all
from tests.replies.conftest import theme_of

pytestmark = pytest.mark.long

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
PAGES = (
    "/inbox",
    "/inbox?min_impact=99",
    "/inbox?tag=nothing",
    "/overview?period=24h",
    "/themes?period=30d",
    "/overview?period=90d",
    "/digest?period=month",
    "/settings/keys",
    "/settings/hooks",
    "/settings/hooks/new/slack",
    "/settings/destinations",
    "/settings/destinations/new/webhook",
    "/settings/destinations/new/slack",
    "/settings/projects",
    "/settings/quarantine",
    "/settings/people",
    "/settings/runs",
    "/settings/model",
    "/settings/audit",
    "/account",
    "/records/nothing",
)


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 320), ("dark", 320)]
)
def test_every_page(visit: Callable[..., Visit], site: Site, scheme: str, width: int) -> None:
    """No page breaks a rule of axe-core, and none is wider than the screen."""
    ids = send_all(site.url, site.server.tenant.key)
    long = "https://shop.example.test/" + "unbroken" * 30  # as addresses are, where nothing may be split
    for _ in range(20):  # among the top pages
        site.send(text=long, title=long, subject={"page": long}, tags=[long[:200]], author={"name": long})
    who = visit("admin", color_scheme=scheme, bypass_csp=True)  # for axe, which is put into the page
    page = who.page
    corrected = {"category": "praise", "sentiment": "positive"}
    httpx.patch(
        f"{site.url}/gateway/v1/feedback/{ids[0]}", json=corrected, headers=site.server.headers
    ).raise_for_status()
    who.go("/settings/model")
    if (learn := page.get_by_role("button", name="Learn from corrections")).is_enabled():
        learn.click()
    page.set_viewport_size({"width": width, "height": 800})
    project = f"/settings/projects/{site.server.tenant.project_id}"
    for name in ("Bills", "u" * 60):
        sent = {"name": f"{name[:45]} {width} {scheme}", "description": "unbroken" * 30}
        answer = httpx.post(
            f"{site.url}/gateway/v1{project.removeprefix('/settings')}/topics",
            json=sent,
            headers=site.server.headers,
        )
        answer.raise_for_status()
    given = {"topic": answer.json()["topic_id"]}
    httpx.patch(
        f"{site.url}/gateway/v1/feedback/{ids[1]}", json=given, headers=site.server.headers
    ).raise_for_status()
    file = {"file": ("unbroken" * 24 + ".txt", b"words")}
    httpx.post(
        f"{site.url}/gateway/v1/feedback/{ids[1]}/attachments", files=file, headers=site.server.headers
    ).raise_for_status()
    told = {"author": {"email": f"anna{width}@example.test"}, "subject": {"email_followup_opted_in": True}}
    answered = site.send(text="Is it mended?", **told)["id"]
    site.send(f"/gateway/v1/feedback/{answered}/replies", text="unbroken" * 30)
    connect(site.server.environ["GATEWAY_DATABASE_URL"])
    theme = theme_of(site.server.tenant, [answered])
    close()
    shown = (f"/records/{ids[1]}", f"/records/{answered}", f"/overview/themes/{theme}", f"/themes/{theme}")
    broken = []
    for path in (*PAGES, project, f"{project}/topics", *shown):
        who.go(path)
        found = Axe().run(page, options=RULES).response["violations"]
        broken += [(path, rule["id"], node["html"][:120]) for rule in found for node in rule["nodes"]]
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path

    assert broken == []


def test_the_way_in(visit: Callable[..., Visit]) -> None:
    """Signing in breaks no rule, also when it fails."""
    who = visit(None, bypass_csp=True)
    who.go("/sign-in")
    assert Axe().run(who.page, options=RULES).response["violations"] == []
    who.page.fill("[name=email]", "nobody@example.test")
    who.page.fill("[name=password]", "wrong")
    who.page.click("main button")
    who.page.wait_for_selector("[role=alert]")

    assert Axe().run(who.page, options=RULES).response["violations"] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_before_the_first_record(chromium: Browser, tmp_path: Path, scheme: Literal["light", "dark"]) -> None:
    """A list and an overview of nothing break no rule, and neither does what a phone's drawer has."""
    with running(tmp_path) as server:
        link = run_command(server.environ, "init")["link"].partition("/welcome")[2]
        context = chromium.new_context(color_scheme=scheme, bypass_csp=True)
        page = context.new_page()
        page.goto(f"{server.url}/welcome{link}")
        page.get_by_label("Email").fill("noor@example.test")
        page.get_by_label("Password").fill(PASSWORD)
        page.locator("main button").click()
        for path, width in (("/inbox", 1280), ("/overview", 1280), ("/overview", 320), ("/inbox?tag=a", 320)):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(server.url + path)
            for summary in page.locator(".drawer summary:visible").all():
                summary.click()
            assert Axe().run(page, options=RULES).response["violations"] == [], path
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        context.close()


def test_the_order_of_focus(visit: Callable[..., Visit], site: Site) -> None:
    """Tab leads to the skip link first, then through the bar and the filters to the rows; focus is seen."""
    site.send(text="Something to reach")
    page = visit("triager").page
    page.goto(f"{site.url}/inbox")
    seen = []
    for _ in range(80):
        page.keyboard.press("Tab")
        name, outlined = page.evaluate(
            "(at => [at.className || at.name || at.textContent, getComputedStyle(at).outlineStyle !== 'none'"
            " || at.closest('.here') !== null])(document.activeElement)"
        )
        seen.append(name)
        assert outlined, name
        if name == "title":
            break

    assert seen[0] == "skip"
    assert seen.index("brand") < seen.index("category") < seen.index("title")
