"""Sessions and forms under attack: cookies of others, old ones, forms of other pages, and where they lead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from flask import Flask
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.access import oidc_accounts, users
from gateway.inbox.pages import SECURITY, local
from models.database.base import writing
from models.tables.user import Invite, Session, User
from tests.conftest import Call, Tenant
from tests.inbox.conftest import ELSEWHERE, PASSWORD, Reader
from tests.inbox.test_roles import FORMS, PAGES, _ids, filled, routes_of, snapshot  # noqa: F401  # a fixture

Make = Callable[..., Reader]
NEW = "another long password"


def test_a_planted_cookie_is_nobodys(stranger: Reader, tenant: Tenant) -> None:
    """A session that somebody else has chosen is not taken over by signing in (fixation)."""
    users.create_user(tenant.workspace_id, "noor@a.test", "Noor", "admin", PASSWORD)
    planted = "a" * 43
    stranger.client.set_cookie("feedback-session", planted, domain="localhost")
    assert stranger.get("/inbox").status_code == 303
    assert stranger.post("/sign-in", {"email": "noor@a.test", "password": PASSWORD}).status_code == 303
    assert users.session_of(planted) is None
    stranger.post("/sign-out")
    # What the database has is no cookie.
    users.open_session(User.get().id)
    stranger.client.set_cookie("feedback-session", Session.get().digest, domain="localhost")
    assert stranger.get("/inbox").status_code == 303


# What ends the sessions of a user, and every link to a password of theirs that is on its way.
ENDS: dict[str, Callable[[Tenant, str], Any]] = {
    "access taken": lambda tenant, user_id: users.change_user(tenant.workspace_id, user_id, disabled=True),
    "untied": lambda tenant, user_id: oidc_accounts.untie(tenant.workspace_id, user_id, "cli"),
    "tied": lambda tenant, user_id: _tie(user_id),
    "link used": lambda tenant, user_id: users.use_link(
        users.create_link(tenant.workspace_id, "viewer", user_id=user_id), email="", name="", password=NEW
    ),
}


def _tie(user_id: str) -> None:
    with writing():
        oidc_accounts._tied(User.get_by_id(user_id).email, "https://a.test 1", "https://a.test")


@pytest.mark.parametrize(
    "end", [pytest.param(name, marks=[] if name == "tied" else pytest.mark.long) for name in ENDS]
)
def test_what_ends_everything(app: Flask, tenant: Tenant, end: str) -> None:
    """Sessions and links of that user end, and nobody else's."""
    ben = users.create_user(tenant.workspace_id, "ben@a.test", "Ben", "viewer", PASSWORD)
    ann = users.create_user(tenant.workspace_id, "ann@a.test", "Ann", "admin", PASSWORD)
    User.update(identity="https://b.test 1").where(User.id == ben).execute()
    mine, theirs = users.open_session(ben), users.open_session(ann)
    link = users.create_link(tenant.workspace_id, "viewer", email="ben@a.test", user_id=ben)
    others = users.create_link(tenant.workspace_id, "admin", user_id=ann)
    invited = users.create_link(tenant.workspace_id, "viewer", email="mei@a.test")
    ENDS[end](tenant, ben)

    assert users.session_of(mine) is None
    assert users.link_of(link) is None
    assert users.session_of(theirs) is not None
    assert users.link_of(others)
    assert users.link_of(invited)
    assert Invite.select().where(Invite.user == ben, Invite.used_at.is_null()).count() == 0


def test_a_new_password_ends_the_rest(app: Flask, reader: Make, tenant: Tenant) -> None:
    """Changing the password ends every cookie there was, the one it was changed with too, and open links."""
    ben = users.create_user(tenant.workspace_id, "ben@a.test", "Ben", "viewer", PASSWORD)
    before, elsewhere = users.open_session(ben), users.open_session(ben)
    link = users.create_link(tenant.workspace_id, "viewer", user_id=ben)
    here = Reader(app.test_client(), ben)
    here.client.set_cookie("feedback-session", before, domain="localhost")
    assert here.post("/account/password", {"old": PASSWORD, "new": NEW}).status_code == 303

    assert here.get("/inbox").status_code == 200
    assert users.session_of(before) is None
    assert users.session_of(elsewhere) is None
    assert users.link_of(link) is None


def test_another_role_holds_at_once(reader: Make, tenant: Tenant) -> None:
    """A session has its user's role of now, also for forms whose page is still open."""
    reader("admin")
    ben = reader("admin", email="ben@a.test")
    users.change_user(tenant.workspace_id, ben.user_id, role="viewer")

    answer = ben.post("/settings/keys", {"name": "n", "scopes": "ingest"})
    assert answer.status_code == 403
    assert ben.get("/settings/keys").status_code == 403


@pytest.mark.parametrize("sample", [True, pytest.param(False, marks=pytest.mark.long)])
def test_forms_of_other_sites_do_nothing(sample: bool, app: Flask, reader: Make, ids: dict[str, str]) -> None:
    """No POST does anything that another site's page sends, whatever says so."""
    ann = reader("admin")
    posts = sorted(route for route in routes_of(app) if route.startswith("POST"))
    assert len(posts) >= 20
    before = snapshot()
    for number, route in enumerate(posts):
        for headers in [ELSEWHERE[number % len(ELSEWHERE)]] if sample else ELSEWHERE:
            form = {name: value.format(**ids) for name, value in FORMS.get(route, {}).items()}
            answer = ann.client.post(filled(route, ids), data=form, headers=headers)
            if "<signature>" in route:  # which proves who asks, from wherever that is; here it is none
                assert answer.status_code == 404, (route, headers)
                continue
            assert answer.status_code == 400, (route, headers)
            assert "did not come from a page of this gateway" in answer.text
    assert snapshot() == before
    assert ann.get("/inbox").status_code == 200


@pytest.mark.long
def test_pages_are_private_and_framed_by_nobody(
    app: Flask,
    reader: Make,
    stranger: Reader,
    call: Call,
    ids: dict[str, str],
) -> None:
    """Every page, redirect and error of the inbox says so, to whoever asks; no answer of the API is kept."""
    gets = [route for route in sorted(routes_of(app)) if route.startswith("GET") and "static" not in route]
    for who in (reader("admin"), stranger):
        paths = [filled(route, ids) for route in gets]
        for path in (*paths, "/inbox/nope", "/settings/nope", "/records/nope", "/inbox/static/nope"):
            answer = who.get(path)
            assert answer.headers["Cache-Control"] == "no-store", path
            assert answer.headers["X-Frame-Options"] == "DENY", path
            assert {name: answer.headers[name] for name in SECURITY} == SECURITY, path
            assert "Cookie" in answer.headers["Vary"]
        assert who.client.post("/sign-in").headers["X-Frame-Options"] == "DENY"
    for path in ("/gateway/v1/feedback", "/gateway/v1/keys", "/gateway/v1/nope", "/healthz", "/metrics"):
        answer = call("GET", path)
        assert answer.headers["Cache-Control"] == "no-store", path
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
    assert "frame-ancestors 'none'" in call("GET", "/docs").headers["Content-Security-Policy"]


@settings(max_examples=20)
@given(
    st.text("/\\:.@?#%&;=\t\r\n\0 aeintvxho\u2028\uff0f", max_size=12).map(lambda end: f"/inbox{end}")
    | st.text()
)
@example("/inbox/..//evil.test")
@example("//evil.test/inbox")
@example("/\\evil.test")
@example("/inbox/\t/evil.test")
@example("https:///inbox")
@example("https:/inbox")
@example("/inbox?then=https://evil.test")
@example("http://[")
def test_nothing_leads_elsewhere(path: str) -> None:
    """Whatever a form or an address names as the next page, a browser stays on this host."""
    led = urlsplit(urljoin("https://gateway.test/sign-in", local(path).replace("\\", "/")))

    assert (led.scheme, led.netloc) == ("https", "gateway.test")
    assert local(path).isprintable()


@pytest.mark.parametrize(
    ("route", "form"),
    [
        ("/inbox/bulk", {"set": "status:resolved", "id": "{feedback_id}"}),
        ("/inbox/undo", {"undo": "x"}),
        ("/inbox/views", {"name": "n", "query": ""}),
        ("/inbox/views", {"forget": "x"}),
    ],
)
def test_forms_lead_back_to_us(
    reader: Make,
    ids: dict[str, str],
    route: str,
    form: dict[str, str],
) -> None:
    """The page that a form names to go back to is one of ours."""
    who = reader("admin")
    for back in (
        "https://evil.test/inbox",
        "//evil.test",
        "/\\evil.test",
        "javascript:alert(1)",
        "/inbox\r\nX: y",
    ):
        sent = {name: value.format(**ids) for name, value in form.items()}
        assert who.post(route, {**sent, "back": back}).location == "/inbox"
