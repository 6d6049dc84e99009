"""/docs in a real browser: what it shows, whom it asks, and that a request can be tried."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.conftest import Server

pytestmark = pytest.mark.long


def test_page(chromium: Browser, server: Server) -> None:
    """Every dialect is listed, a request is sent with a key, and no other host is asked anything."""
    page = chromium.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.goto(f"{server.url}/docs")
    for name in ("FLORA", "orq", "Fluister", "Native", "Slack", "Operations"):
        expect(page.locator(f'[data-tag="{name}"]')).to_be_visible()

    page.locator("button.authorize").first.click()
    page.locator("section, form").get_by_label("auth-bearer-value").fill(server.tenant.key)
    page.locator(".auth-container", has_text="bearer").first.get_by_role("button", name="Apply").click()
    page.locator("button.btn-done").first.click()
    page.locator('[data-tag="FLORA"]').click()
    operation = page.locator("#operations-FLORA-post_api_v1_feedback")
    operation.locator("button.opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table .response .response-col_status")
    expect(answer.first).to_contain_text("201")

    assert [url for url in asked if not url.startswith((f"{server.url}/", "data:"))] == []
    assert [words for words in said if words.startswith(("error", "warning"))] == []
    page.close()
