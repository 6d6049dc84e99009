"""What senders write is text on every page: no tag, no attribute, no address of their making."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from models import Feedback
from tests.conftest import Call
from tests.inbox.conftest import Reader, Site, Visit
from tests.inbox.hostile import HOSTILE

Make = Callable[..., Reader]
PATH = "/gateway/v1/feedback"


def record(words: str) -> dict[str, Any]:
    """A record with these words wherever a sender may put some."""
    return {
        "title": words,
        "text": f"Report\n{words}",
        "kind": words,
        "tags": [words[:200]],
        "author": {"id": words, "name": words, "email": words},
        "subject": {"page": words, "url": words, "trace_id": words, "repository": words, "value": words},
        "external_id": words,
    }


class Shape(HTMLParser):
    """The elements and attributes of a page, without its words; the addresses of its links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found[tag, tuple(sorted(name for name, _ in attrs))] += 1
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]


def test_sixty() -> None:
    """The table has as many as it says, all different."""
    assert len(set(HOSTILE)) >= 60


@pytest.mark.parametrize("path", ["/inbox", "/records/{id}"])
def test_pages_have_the_same_shape_whatever_the_words(
    reader: Make, call: Call, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A page with hostile words has the elements and attributes of one with plain words, and no more."""
    ann = reader("admin")

    def shape(words: str) -> Shape:
        answer = call("POST", PATH, json=record(words))
        assert answer.status_code == 201, answer.text
        made = answer.json["id"]
        call("PATCH", f"{PATH}/{made}", json={"note": words[:900], "tags": [words[:200]]})
        Feedback.update(language="en").where(Feedback.id == made).execute()
        page = ann.get(path.format(id=made)).text
        Feedback.delete().where(Feedback.id == made).execute()
        return Shape(page)

    plain = {tuple(key) for key in shape("plain words").found}
    for words in HOSTILE:
        hostile = shape(words)
        # What depends on the labels: how many reasons and weights there are, and of which class.
        assert {tuple(key) for key in hostile.found} <= plain | {
            ("li", ("class", "title")),
            ("li", ("title",)),
        }, words
        for link in hostile.links:
            assert link.startswith("/") or link == "#main", words
            assert not link.startswith("//"), words


def test_a_browser_sees_words(visit: Callable[..., Visit], site: Site) -> None:
    """In a real browser none of them runs, loads, or is complained about, and all can be read."""
    with httpx.Client(base_url=site.url, headers=site.server.headers) as client:
        sent = client.post(f"{PATH}/batch", json=[record(words) for words in HOSTILE]).json()["data"]
        assert {item["status"] for item in sent} <= {201, 200}
        joined = "\n".join(HOSTILE)
        tags = [words[:200] for words in HOSTILE]
        body = {"title": "All", "text": joined, "tags": tags, "subject": {"value": joined}}
        made = client.post(PATH, json=body).json()["id"]
        assert client.patch(f"{PATH}/{made}", json={"note": joined[:9000]}).status_code == 200
        others = [row["id"] for row in client.get(f"{PATH}?limit=200").json()["data"]][1:40:8]
    for scripts in (True, False):
        page = visit("admin", java_script_enabled=scripts).page
        page.goto(f"{site.url}/inbox?source=native")
        assert page.locator(".row").count() == 50
        page.goto(f"{site.url}/records/{made}")
        page.locator("article details summary").click()
        shown = page.locator("article .words").first.inner_text()
        for words in HOSTILE:
            assert words.split("\n")[0].strip().split("\t")[0][:40] in shown
        assert page.locator("article :is(img, script, iframe, object, embed, video, base, link)").count() == 0
        for record_id in others:
            page.goto(f"{site.url}/records/{record_id}")
            assert not scripts or page.evaluate("window.hacked") is None
