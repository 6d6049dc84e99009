"""A destination in a real browser before a real server and worker, with and without scripts."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.conftest import running, until
from tests.inbox.conftest import Site, Visit
from tests.inbox.test_accessible import RULES
from tests.receivers import answering, listening

pytestmark = pytest.mark.long

LIST = "/settings/destinations"
ANSWER = b"<b onclick=x>no & never</b>"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_in_a_browser(chromium: Browser, tmp_path: Path, scripts: bool) -> None:
    """By a real browser a destination is made and tried, its log seen; in the dark and on a phone, too."""
    settings = {"GATEWAY_BACKGROUND": "on", "GATEWAY_OUTBOUND_ALLOW": "localhost"}
    with (
        listening(answering("500 Oops", body=ANSWER)) as port,
        running(tmp_path, **settings) as server,
        chromium.new_context(java_script_enabled=scripts, bypass_csp=True) as context,
    ):
        who = Visit(context.new_page(), Site(server).url)
        who.sign_in("admin")
        page = who.page
        who.go(f"{LIST}/new/webhook")
        page.get_by_label("Name", exact=True).fill("Shop " * 20)
        page.get_by_label("Address").fill("ftp://localhost")
        page.get_by_role("button", name="Create destination").click()
        field = page.get_by_label("Address")
        expect(field).to_have_accessible_description("must begin with https://")
        field.fill(f"http://localhost:{port}/{'unbroken' * 20}")
        page.get_by_role("button", name="Preview").click()
        expect(page.get_by_role("region", name="Preview")).to_contain_text("destination.test")
        page.get_by_role("button", name="Create destination").click()
        expect(page.locator("#secret")).to_contain_text("whsec_")
        page.get_by_text("Python (standardwebhooks)").click()
        who.go(LIST)
        page.get_by_role("link", name="Shop").click()
        page.get_by_role("button", name="Send a test").click()
        one = page.url.partition("?")[0]
        if scripts:
            expect(page.locator(".negative[data-wait]")).to_have_text("waiting · 500", timeout=20_000)

        def told() -> bool:
            page.goto(one)
            return page.get_by_text("· 500").count() == 1

        until(told)
        for scheme, width in (("light", 1280), ("dark", 390)):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its words
            page.set_viewport_size({"width": width, "height": 800})
            for path in (one, f"{one}/change", None):
                page.goto(path or one)
                if path is None:
                    page.locator("tbody th a").click()
                    expect(page.locator("main")).to_contain_text(ANSWER.decode())
                assert page.evaluate("document.documentElement.scrollWidth") <= width, path
                if scripts:
                    assert Axe().run(page, options=RULES).response["violations"] == [], (path, scheme)
        page.goto(one)
        page.get_by_role("button", name="End this destination").click()
        expect(page.locator(".said")).to_contain_text("Ended")
        assert who.complaints == who.elsewhere == []
