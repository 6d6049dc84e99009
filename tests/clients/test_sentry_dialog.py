"""Sentry's own browser SDK in a real browser: the crash report dialog that the gateway serves."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.clients.conftest import Inbox, new_hook
from tests.conftest import Server

pytestmark = pytest.mark.long

CHROMIUM = "/usr/bin/chromium"
HTML = "<!doctype html><title>Decks</title><body><h1>Decks</h1><script src=/sentry.js></script></body>"


@pytest.fixture(name="chromium", scope="module")
def _chromium() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip("needs a browser: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(name="site", scope="module")
def _site(node: Path) -> Iterator[str]:
    """A page with the SDK in it, at an address of its own."""
    esbuild = ["node_modules/.bin/esbuild", "page.mjs", "--bundle", "--format=iife"]
    bundle = subprocess.run(esbuild, cwd=node, capture_output=True, check=True).stdout

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            script = self.path == "/sentry.js"
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript" if script else "text/html")
            self.end_headers()
            self.wfile.write(bundle if script else HTML.encode())

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(name="dialog")
def _dialog(chromium: Browser, site: str, server: Server) -> Iterator[Callable[..., Page]]:
    """Opens the page, sends an error and asks for the dialog with these options."""
    dsn = new_hook(server, "sentry-dsn")["dsn"]
    context = chromium.new_context()

    def dialog(**options: Any) -> Page:
        page = context.new_page()
        page.goto(site)
        page.evaluate(
            """([dsn, options]) => {
              Sentry.init({dsn, release: "decks@4.2.0"});
              window.eventId = Sentry.captureException(new TypeError("berth is undefined"));
              Sentry.showReportDialog({
                ...options, eventId: window.eventId,
                onLoad: () => { window.loaded = true; }, onClose: () => { window.closed_ = true; },
              });
            }""",
            [dsn, options],
        )
        page.wait_for_function("window.loaded")
        return page

    yield dialog
    context.close()


def test_words(dialog: Callable[..., Page], inbox: Inbox, trace_id: str) -> None:
    """What somebody writes into the dialog is a record that names the event; its end is told."""
    page = dialog(user={"name": "Noor", "email": "noor@example.org"}, successMessage="Bedankt!")
    page.get_by_label("What happened?").fill(f"De planner is leeg & traag {trace_id}\nSinds maandag")
    page.get_by_role("button", name="Submit Crash Report").click()
    page.get_by_text("Bedankt!").wait_for()
    page.get_by_role("button", name="Close").click()
    page.wait_for_function("window.closed_")

    (record,) = [record for record in inbox.newest() if trace_id in record["text"]]
    assert record["text"] == f"De planner is leeg & traag {trace_id}\nSinds maandag"
    assert (record["source"], record["kind"]) == ("sentry", "user_report")
    assert record["author"] == {"id": None, "name": "Noor", "email": "noor@example.org"}
    assert record["subject"]["associated_event_id"] == page.evaluate("window.eventId")
    assert page.get_by_role("dialog").count() == 0


def test_own_words_are_text(dialog: Callable[..., Page]) -> None:
    """A title of one's own is shown as text, whatever is in it."""
    page = dialog(title='<img src=x onerror="window.hacked = true">Oops')

    assert page.get_by_role("heading", name='<img src=x onerror="window.hacked = true">Oops').count() == 1
    assert page.evaluate("window.hacked") is None


def test_refused(dialog: Callable[..., Page], inbox: Inbox, trace_id: str) -> None:
    """A refusal of the gateway keeps the words in the form and says so."""
    page = dialog(user={"name": trace_id, "email": "noor@example.org"}, errorFormEntry="Nog niet goed")
    page.get_by_label("What happened?").fill(" ")
    page.get_by_role("button", name="Submit Crash Report").click()
    page.get_by_text("Nog niet goed").wait_for()

    assert page.get_by_label("Name").input_value() == trace_id
    assert [record for record in inbox.newest() if record["author"]["name"] == trace_id] == []


def test_unknown_key(chromium: Browser, site: str, server: Server) -> None:
    """A DSN that is not known gets no dialog."""
    page = chromium.new_page()
    page.goto(site)
    with page.expect_response("**/api/embed/error-page/**") as response:
        page.evaluate(
            """(dsn) => { Sentry.init({dsn}); Sentry.showReportDialog({eventId: "ce".repeat(16)}); }""",
            server.url.replace("://", "://hk_unknown@") + "/42",
        )

    assert response.value.status == 403
    page.close()
