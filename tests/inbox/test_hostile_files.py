"""Files that mean harm, in a real browser: none of them runs anything, and each harms only itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Error, Page, Request

from gateway.background import thumbnails
from gateway.background.lease import run_once
from gateway.core.config import Config
from gateway.files import store
from models import Job
from models.database.base import close, connect, writing
from tests.inbox.conftest import Site, Visit
from tests.inbox.hostile_files import CORPUS, HTML

pytestmark = pytest.mark.long

Open = Callable[..., Visit]
WAYS = """path => {
    for (const [name, where] of [["script", "src"], ["img", "src"], ["iframe", "src"], ["object", "data"],
                                 ["embed", "src"], ["video", "src"]]) {
        const made = document.createElement(name);
        made[where] = path;
        document.body.append(made);
    }
    return fetch(path).then(answer => answer.arrayBuffer());
}"""


class Watch:
    """Whether anything ran in a page: what it asked for, what it said, what it is called."""

    def __init__(self, page: Page) -> None:
        self.page, self.ran = page, False
        page.on("request", self._asked)
        page.on("dialog", lambda dialog: (setattr(self, "ran", True), dialog.dismiss()))

    def _asked(self, request: Request) -> None:
        self.ran = self.ran or urlsplit(request.url).path == "/ran"

    def anything(self) -> bool:
        return self.ran or self.page.title() == "ran"

    def open(self, url: str) -> None:
        """Goes there as somebody who follows a link, and waits for what it would do."""
        with suppress(Error):  # what is saved is no page
            self.page.goto(url, wait_until="load")


def draw(site: Site) -> None:
    """Has thumbnails made now, as the worker would within a minute."""
    connect(site.server.environ["GATEWAY_DATABASE_URL"])
    store.connect(Config.from_env(site.server.environ))
    with writing():
        Job.delete().where(Job.name == thumbnails.MAKE.name).execute()
    assert run_once(thumbnails.MAKE)
    close()


def test_the_watch_sees_what_runs(chromium: Browser, site: Site) -> None:
    """The same words in a page that may run them are found, so that nothing found means something."""
    page = chromium.new_page()
    watch = Watch(page)
    page.route("**/page", lambda route: route.fulfill(content_type="text/html", body=HTML))
    watch.open(f"{site.url}/page")

    assert watch.ran and watch.anything()
    page.close()


def test_nothing_runs(visit: Open, site: Site) -> None:
    """Followed, embedded in each way a page has, with and without a signature, large and small."""
    record = site.send(text="Files that mean harm")["id"]
    path = f"/gateway/v1/feedback/{record}/attachments"
    for hostile in CORPUS:
        sent = {"file": (hostile.name, hostile.body, hostile.declared)}
        answer = httpx.post(site.url + path, files=sent, headers=site.server.headers, timeout=30)
        assert (answer.status_code == 201) == hostile.kept, (hostile.name, answer.text)
    draw(site)
    kept = httpx.get(site.url + path, headers=site.server.headers).json()["data"]
    assets = httpx.get(f"{site.url}/api/v1/assets?limit=100", headers=site.server.headers).json()["assets"]
    signed = {item["asset_id"]: urlsplit(item["url"]).query for item in assets}
    who = visit("triager")
    watch = Watch(who.page)

    assert len(kept) == sum(hostile.kept for hostile in CORPUS)
    assert sum(file["thumbnail_path"] is not None for file in kept) == 2
    for file in kept:
        for query in ("", f"?{signed[file['id']]}", "?size=thumbnail"):
            url = f"{site.url}{file['path']}{query}"
            watch.open(url)
            assert not watch.anything(), (file["name"], query)
    who.go(f"/records/{record}")
    assert not watch.anything()
    assert who.page.locator(".files img").count() == sum(bool(file["thumbnail_path"]) for file in kept)
    for file in kept:
        who.page.evaluate(WAYS, file["path"])
    who.page.wait_for_load_state("networkidle")
    assert not watch.anything()
    who.complaints.clear()  # the page's policy told of what it kept from loading


def test_what_is_sent_with_them(site: Site) -> None:
    """Each says that it is to be saved, as what it is, and that it may do nothing."""
    record = site.send(text="One that is saved")["id"]
    path = f"/gateway/v1/feedback/{record}/attachments"
    for hostile in (hostile for hostile in CORPUS if hostile.kept):
        sent = {"file": (hostile.name, hostile.body, hostile.declared)}
        (file,) = httpx.post(site.url + path, files=sent, headers=site.server.headers).json()["data"]
        answer = httpx.get(site.url + file["path"], headers=site.server.headers)
        headers = answer.headers

        assert answer.content == hostile.body
        assert headers["content-disposition"].startswith("attachment;")
        assert headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "html" not in headers["content-type"] and "svg" not in headers["content-type"]
        assert "script" not in headers["content-type"]
        httpx.delete(f"{site.url}{path}/{file['id']}", headers=site.server.headers).raise_for_status()
