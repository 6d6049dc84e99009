"""Takes the pictures of docs/images: `make screenshots`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from gateway.core.ids import now_ms
from models import Feedback
from models.database.base import close, connect, writing
from tests.conftest import ROOT, run_command, running
from tests.inbox.conftest import CHROMIUM, PASSWORD
from tests.inbox.scenes import send_all

IMAGES = ROOT / "docs" / "images"
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}


def take(page: Page, url: str, paths: dict[str, str]) -> None:
    """Each page in light and dark, and on a phone."""
    for name, path in paths.items():
        for suffix, scheme, size in (
            ("", "light", WIDE),
            ("-dark", "dark", WIDE),
            ("-phone", "light", PHONE),
        ):
            page.set_viewport_size(size)  # type: ignore[arg-type]  # a TypedDict of the same two
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its words
            page.goto(url + path)
            page.screenshot(path=IMAGES / f"{name}{suffix}.png")


def _spread(url: str) -> None:
    """As if the records had come one after the other within the last days."""
    connect(url)
    found = list(Feedback.select(Feedback.id).order_by(Feedback.id.desc()).dicts())
    with writing():
        for number, row in enumerate(found):
            at = now_ms() - 60_000 - number * number * 2_600_000
            times = {"received_at": at, "first_seen_at": at, "last_seen_at": at, "updated_at": at}
            Feedback.update(times).where(Feedback.id == row["id"]).execute()
    close()


def main() -> None:
    """A gateway with feedback in it, and a browser that looks at it."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), GATEWAY_RATE_LIMIT="100/minute") as server,
    ):
        link = run_command(server.environ, "init")["link"].partition("/welcome")[2]
        ids = send_all(server.url, server.tenant.key)
        _spread(server.environ["GATEWAY_DATABASE_URL"])
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(locale="en-GB", timezone_id="Europe/Amsterdam")
            page.goto(f"{server.url}/welcome{link}")
            page.fill("[name=name]", "Noor Jansen")
            page.fill("[name=email]", "noor@example.test")
            page.fill("[name=password]", PASSWORD)
            page.click("main button")
            page.goto(f"{server.url}/records/{ids[1]}")
            page.fill("#note", "Reproduced with 4.12.1. The renderer stops at the first wide table.")
            page.get_by_role("button", name="Add note").click()
            page.get_by_role("button", name="acknowledged").click()
            page.wait_for_selector(".said")
            paths = {
                "inbox": "/inbox",
                "record": f"/records/{ids[1]}",
                "settings": "/settings/hooks/new/slack",
            }
            if page.goto(f"{server.url}/overview").status == 200:  # type: ignore[union-attr]  # it was answered
                paths["overview"] = "/overview"
            paths["settings"] = "/settings/keys"
            take(page, server.url, paths)
            browser.close()


if __name__ == "__main__":
    main()
