"""Sentry's own SDK for browsers (@sentry/browser) with its feedback widget, in Chromium."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Response, Route, sync_playwright

from tests.clients.conftest import Inbox, files_of, new_hook
from tests.conftest import Server

pytestmark = pytest.mark.long

CHROMIUM = "/usr/bin/chromium"
SHOP = "http://shop.example/"  # the page; answered by the test, since no such host is known
SIDE = 1_200  # pixels of a screenshot of noise, which has three bytes for each


@pytest.fixture(name="script", scope="session")
def _script(node: Path) -> str:
    """The SDK as one script, as a page's build makes it."""
    command = ["node_modules/.bin/esbuild", "page.mjs", "--bundle", "--format=iife"]
    done = subprocess.run(command, cwd=node, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(name="chromium", scope="module")
def _chromium() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        reason = f"no browser at {CHROMIUM}: apt-get install chromium"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with sync_playwright() as playwright:
        # Pages of a network need a person's leave to ask this computer, and nobody is there.
        args = ["--no-sandbox", "--disable-features=LocalNetworkAccessChecks"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        yield browser
        browser.close()


@pytest.fixture(name="page")
def _page(chromium: Browser, script: str, server: Server) -> Iterator[Page]:
    """A page of a shop that has the SDK, with a DSN of the gateway's."""
    context = chromium.new_context()
    page = context.new_page()
    # Strict routes: what else the page may ask for is no business of the test.
    page.route(SHOP, lambda route: _html(route))
    page.goto(SHOP)
    page.add_script_tag(content=script)
    dsn = new_hook(server, "sentry-dsn")["dsn"]
    page.evaluate(
        """dsn => Sentry.init({dsn, release: "shop@7", environment: "rehearsal", integrations: [
            Sentry.feedbackIntegration({colorScheme: "light", enableScreenshot: false})]})""",
        dsn,
    )
    yield page
    context.close()


def _html(route: Route) -> None:
    route.fulfill(content_type="text/html", body="<!doctype html><title>Shop</title><h1>Basket</h1>")


def is_envelope(response: Response) -> bool:
    return "/envelope/" in response.url and response.request.method == "POST"


def stored(inbox: Inbox, words: str) -> dict[str, Any]:
    (record,) = [one for one in inbox.newest() if words in one["text"]]
    return record


def test_feedback_with_a_large_screenshot(page: Page, server: Server, inbox: Inbox, trace_id: str) -> None:
    """What a person wrote and the screenshot of more than 4 MB that came along are on the record."""
    words = f"The basket is empty {trace_id}"
    with page.expect_response(is_envelope) as answered:
        sent = page.evaluate(
            """async ([message, side]) => {
                const canvas = Object.assign(document.createElement("canvas"), {width: side, height: side});
                const drawn = canvas.getContext("2d"), pixels = drawn.createImageData(side, side);
                for (let at = 0; at < pixels.data.length; at += 65536) {
                    crypto.getRandomValues(new Uint8Array(pixels.data.buffer, at,
                                                          Math.min(65536, pixels.data.length - at)));
                }
                for (let at = 3; at < pixels.data.length; at += 4) pixels.data[at] = 255;
                drawn.putImageData(pixels, 0, 0);
                const blob = await new Promise(made => canvas.toBlob(made, "image/png"));
                const data = new Uint8Array(await blob.arrayBuffer());
                const shot = {data, filename: "screenshot.png", contentType: "application/png"};
                const id = await Sentry.sendFeedback({message, name: "Kim", email: "kim@example.org"},
                                                     {attachments: [shot]});
                return [id, data.length, Array.from(data.slice(0, 64)), Array.from(data.slice(-64))];
            }""",
            [words, SIDE],
        )

    assert answered.value.status == 200
    record = stored(inbox, words)
    assert record["external_id"] == sent[0]
    assert (record["text"], record["kind"]) == (words, "feedback")
    assert record["author"]["email"] == "kim@example.org"
    assert record["subject"]["url"] == SHOP
    (shot,) = record["subject"]["attachments"]
    assert shot == {"name": "screenshot.png", "type": "application/png", "size": sent[1]}
    (kept,) = files_of(server, record["id"])
    assert (kept.name, kept.content_type, len(kept.content)) == ("screenshot.png", "image/png", sent[1])
    assert (list(kept.content[:64]), list(kept.content[-64:])) == (sent[2], sent[3])
    assert sent[1] > 4_000_000


def test_widget(page: Page, inbox: Inbox, trace_id: str) -> None:
    """The widget's button opens its form; what is written there arrives, and its writer is thanked."""
    page.get_by_role("button", name="Report a Bug").click()
    page.get_by_label("Name").fill("Kim")
    page.get_by_label("Email").fill("kim@example.org")
    page.get_by_label("Description").fill(f"The map is blank {trace_id}")
    with page.expect_response(is_envelope) as answered:
        page.get_by_role("button", name="Send Bug Report").click()

    assert answered.value.status == 200
    page.get_by_text("Thank you for your report!").wait_for()
    assert stored(inbox, trace_id)["author"]["name"] == "Kim"
