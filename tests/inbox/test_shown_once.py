"""What is made and shown once: a page that is loaded again makes no second one and shows no secret."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest

from models import ApiKey, CallbackSecret, Destination, HookRow, Invite, Session
from tests.conftest import Call
from tests.inbox.conftest import Reader

Make = Callable[..., Reader]
SECRET = re.compile(
    r"((?:sk_live|whsec)_[\w+/=-]{20,})|link=([\w-]{20,})|<pre id=\"secret\"[^>]*>([^<]{16,})"
)
# A form, what is sent with it, and what counts what it makes.
FORMS = {
    "key": ("/settings/keys", {"name": "Shop", "scopes": "ingest"}),
    "first key": ("/inbox/first-key", {}),
    "rotated key": ("/settings/keys/{key}/rotate", {}),
    "hook": ("/settings/hooks/new/generic", {"name": "Shop"}),
    "rotated hook": ("/settings/hooks/{hook}/rotate", {}),
    "invitation": ("/settings/people", {"role": "viewer", "email": "new@example.test"}),
    "link to a password": ("/settings/people/{user}", {"act": "link"}),
    "callbacks": ("/settings/callbacks/rotate", {}),
    "destination": (
        "/settings/destinations/new/webhook",
        {"url": "https://a.example", "events": "feedback.created"},
    ),
    "rotated destination": ("/settings/destinations/{destination}/rotate", {}),
}
MADE = (ApiKey, HookRow, Invite, CallbackSecret, Destination)


def count() -> tuple[int, ...]:
    return tuple(table.select().count() for table in MADE)


@pytest.mark.parametrize("name", FORMS)
def test_made_once(reader: Make, call: Call, name: str) -> None:
    """The answer to a form leads on; the page there shows the secret, once; the database does not have it."""
    ann, viewer = reader("admin"), reader("viewer")
    hook = call("POST", "/gateway/v1/hooks", json={"source": "generic"}).json["hook_id"]
    key = call("POST", "/gateway/v1/keys", json={"name": "a", "scopes": ["ingest"]}).json["key_id"]
    path, form = FORMS[name]
    sent = {"url": "https://a.example"}
    destination = call("POST", "/gateway/v1/destinations", json=sent).json["id"]
    path = path.format(hook=hook, key=key, user=viewer.user_id, destination=destination)
    answer = ann.post(path, form)
    assert answer.status_code == 303, answer.text
    made = count()
    kept = str(list(Session.select(Session.note).tuples()))
    shown = SECRET.search(unescape(ann.get(answer.location).text))
    again = unescape(ann.get(answer.location).text)

    assert shown is not None
    assert shown.lastindex is not None
    secret = shown[shown.lastindex]
    assert secret not in kept and secret not in again
    assert count() == made


def test_on_its_own_page_only(reader: Make) -> None:
    """Other pages, and other people, are shown nothing of it."""
    ann = reader("admin")
    answer = ann.post("/settings/keys", {"name": "Shop", "scopes": "ingest"})
    assert not SECRET.search(ann.get("/settings/people").text)
    assert not SECRET.search(reader("triager").get("/inbox").text)

    assert SECRET.search(ann.get(answer.location).text)
