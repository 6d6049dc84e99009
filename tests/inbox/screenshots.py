"""Takes the pictures of docs/images: `make screenshots`."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Page, sync_playwright

from gateway.core.ids import now_ms
from models import Feedback
from models.database.base import close, connect, writing
from models.tables.workspace import list_projects
from tests.conftest import ROOT, Server, run_command, running
from tests.inbox.conftest import CHROMIUM, PASSWORD
from tests.inbox.scenes import send_all, send_hooked
from tests.replies.conftest import theme_of

IMAGES = ROOT / "docs" / "images"
MIXED = 7  # what the order of the records is drawn with
WIDE, PHONE, WIDER = (1280, 800), (360, 740), (1440, 900)


class Picture(NamedTuple):
    """What is looked at, and how; `path` may name {record} and {theme}."""

    name: str
    path: str
    size: tuple[int, int] = WIDE
    scheme: Literal["light", "dark"] = "light"


# Each page in light and dark, and on a phone.
PAGES = {
    "inbox": "/inbox?status=open&snoozed=without",
    "record": "/records/{record}",
    "overview": "/overview?period=30d",
    "settings": "/settings/keys",
    "theme": "/themes/{theme}",
    "alerts": "/alerts",
}
ONCE = (
    Picture("inbox-filtered", "/inbox?status=open&category=bug&sort=-impact"),
    Picture("inbox-beside", "/inbox?status=open&snoozed=without&open={record}", WIDER),
)


def pictures() -> Iterator[Picture]:
    """All that are taken."""
    for name, path in PAGES.items():
        yield Picture(name, path)
        yield Picture(f"{name}-dark", path, scheme="dark")
        yield Picture(f"{name}-phone", path, PHONE)
    yield from ONCE


def take(page: Page, url: str, ids: dict[str, str]) -> None:
    """The pictures of all pages that there are."""
    for name, path, (width, height), scheme in pictures():
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        answer = page.goto(url + path.format(**ids))
        if answer and answer.ok:
            page.screenshot(path=IMAGES / f"{name}.png")
        else:
            print(f"no {name}: {path}")


def _spread(server: Server, ids: list[str]) -> str:
    """As if the records had come one after the other within the last weeks; a theme of some of them."""
    connect(server.environ["GATEWAY_DATABASE_URL"])
    found = list(Feedback.select(Feedback.id).order_by(Feedback.id).dicts())
    projects = [row["id"] for row in list_projects(server.tenant.workspace_id)[0]]
    mixed = random.Random(MIXED)  # the same order each time
    mixed.shuffle(found)
    with writing():
        for number, row in enumerate(found):
            at = now_ms() - 60_000 - number * number * 1_900_000 - mixed.randrange(600_000)
            names = ("received_at", "occurred_at", "first_seen_at", "last_seen_at", "updated_at")
            placed = {**dict.fromkeys(names, at), "project_id": mixed.choice(projects)}
            Feedback.update(placed).where(Feedback.id == row["id"]).execute()
    theme = theme_of(server.tenant, ids)
    close()
    return theme


def _welcome(page: Page, url: str, link: str) -> None:
    page.goto(f"{url}/welcome{link}")
    page.fill("[name=name]", "Noor Jansen")
    page.fill("[name=email]", "noor@example.test")
    page.fill("[name=password]", PASSWORD)
    page.click("main button")
    page.wait_for_url("**/inbox*")


def _work(page: Page, url: str, record: str) -> None:
    """A note, and a change of status."""
    page.goto(f"{url}/records/{record}")
    page.fill("#note", "Reproduced with 4.12.1. The renderer stops at the first wide table.")
    page.get_by_role("button", name="Add note").click()
    page.get_by_role("button", name="acknowledged").click()
    page.wait_for_selector(".said")


def main() -> None:
    """A gateway with feedback in it, and a browser that looks at it."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), GATEWAY_RATE_LIMIT="600/minute") as server,
    ):
        link = run_command(server.environ, "init")["link"].partition("/welcome")[2]
        ids = send_all(server.url, server.tenant.key)
        send_hooked(server.url, server.tenant.key)
        theme = _spread(server, [ids[1], ids[8]])
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(locale="en-GB", timezone_id="Europe/Amsterdam")
            _welcome(page, server.url, link)
            _work(page, server.url, ids[1])
            take(page, server.url, {"record": ids[1], "theme": theme})
            browser.close()


if __name__ == "__main__":
    main()
