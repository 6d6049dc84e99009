"""Getting in: the first link, passwords, cookies, forms, and what ends a session."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask

from gateway import inbox
from gateway.access import users
from gateway.app import create_app
from gateway.cli import main
from gateway.core.config import Config
from gateway.core.rate import Rate
from gateway.inbox import sign_in
from gateway.inbox.pages import START
from models import Event
from models.database.base import writing
from models.tables.audit import Audit
from models.tables.user import Invite, Session, User
from tests.conftest import Call, Tenant, environ_of, run_command
from tests.inbox.conftest import ELSEWHERE, PASSWORD, Reader

NEW = {"name": "Noor", "email": "Noor@Example.test", "password": PASSWORD}
Make = Callable[..., Reader]
TEMPLATES = Path(str(inbox.__file__)).parent / "templates"


def welcome(stranger: Reader, token: str, **form: str) -> int:
    return stranger.post("/welcome", {"link": token, **NEW, **form}).status_code


@pytest.mark.both(long=True)
def test_first_link_makes_the_admin(stranger: Reader, tenant: Tenant) -> None:
    """The first link sets a password and signs in; it works once, and no other one is made afterwards."""
    token = users.first_link(tenant.workspace_id)
    assert token is not None
    assert stranger.get(f"/welcome?link={token}").status_code == 200

    assert welcome(stranger, token) == 303
    assert "Noor" in stranger.get("/inbox").text
    assert User.get().email == "noor@example.test"
    assert welcome(stranger, token) == 410
    assert users.first_link(tenant.workspace_id) is None


def test_only_the_newest_first_link_works(stranger: Reader, tenant: Tenant) -> None:
    """Asking again ends the link before; no text of one is kept."""
    first, second = users.first_link(tenant.workspace_id), users.first_link(tenant.workspace_id)
    assert first
    assert second

    assert stranger.get(f"/welcome?link={first}").status_code == 410
    assert stranger.get(f"/welcome?link={second}").status_code == 200
    assert [row.digest for row in Invite.select()] == [users.digest(second)]


def test_links_end(stranger: Reader, tenant: Tenant) -> None:
    """A link that is too old makes nobody."""
    token = users.create_link(tenant.workspace_id, "admin", ms=-1)

    assert welcome(stranger, token) == 410
    assert User.select().count() == 0


@pytest.mark.parametrize(
    "form",
    [
        {"password": "short"},
        {"password": "x" * 1001},
        {"email": "nobody"},
        {"email": "a\0b@c.test"},
        {"email": ""},
    ],
)
def test_bad_forms_leave_the_link_usable(stranger: Reader, tenant: Tenant, form: dict[str, str]) -> None:
    """A password or address that cannot be used is told, and the link is not used up by it."""
    token = users.first_link(tenant.workspace_id)
    assert token

    assert welcome(stranger, token, **form) == 400
    assert welcome(stranger, token) == 303


def test_an_invited_address_is_not_another(stranger: Reader, tenant: Tenant) -> None:
    """Who is invited by address gets that one and that role, whatever the form says."""
    token = users.create_link(tenant.workspace_id, "viewer", email="mei@example.test")

    assert welcome(stranger, token, email="other@example.test", role="admin") == 303
    assert (User.get().email, User.get().role) == ("mei@example.test", "viewer")


def test_passwords_sign_in(stranger: Reader, tenant: Tenant) -> None:
    """The right pair opens a session; a wrong one, an unknown address and a disabled user look the same."""
    user_id = users.create_user(tenant.workspace_id, "noor@example.test", "Noor", "admin", PASSWORD)
    users.create_user(tenant.workspace_id, "gone@example.test", "Gone", "viewer", PASSWORD)
    User.update(disabled_at=1).where(User.email == "gone@example.test").execute()
    pairs = [
        ("noor@example.test", "wrong"),
        ("nobody@example.test", PASSWORD),
        ("gone@example.test", PASSWORD),
    ]
    said = []
    for email, password in pairs:
        answer = stranger.post("/sign-in", {"email": email, "password": password})
        assert answer.status_code == 401
        said.append(answer.text.replace(email, ""))

    assert len(set(said)) == 1
    answer = stranger.post(
        "/sign-in", {"email": " NOOR@example.test", "password": PASSWORD, "then": "/overview"}
    )
    assert (answer.status_code, answer.location) == (303, "/overview")
    assert stranger.get("/inbox").status_code == 200
    assert [row.action for row in Audit.select().where(Audit.key_id == user_id)] == ["user.signed_in"]


def test_guessing_is_slow(stranger: Reader, tenant: Tenant) -> None:
    """After ten wrong passwords from one address even the right one has to wait."""
    users.create_user(tenant.workspace_id, "noor@example.test", "Noor", "admin", PASSWORD)
    form = {"email": "noor@example.test", "password": "wrong"}
    statuses = [stranger.client.post("/sign-in", data=form).status_code for _ in range(11)]
    last = stranger.client.post("/sign-in", data={**form, "password": PASSWORD})

    assert statuses == [401] * 10 + [429]
    assert last.status_code == 429
    assert "Wait" in last.text


# Every form that takes a present password: what it is sent, and how it says that this is a wrong one.
GUESSED: dict[str, tuple[Callable[[str], dict[str, str]], int]] = {
    "/sign-in": (lambda password: {"email": "noor@example.test", "password": password}, 401),
    "/account/password": (lambda password: {"old": password, "new": "another long one"}, 400),
}


def test_every_form_with_a_password_is_here() -> None:
    """The pages that ask for a password are these, and that of a link, which is a secret itself."""
    pages = {path.stem for path in TEMPLATES.glob("*.html") if 'type="password"' in path.read_text()}

    assert pages == {"sign-in", "account", "welcome"}


@pytest.mark.parametrize("path", [pytest.param("/sign-in", marks=pytest.mark.long), "/account/password"])
def test_guessing_is_slow_at_every_form(
    reader: Callable[..., Reader], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Wrong passwords count for their user at whichever form; then every form refuses the right one."""
    monkeypatch.setattr(sign_in, "TRIES", Rate.parse("2/hour"))
    noor, other = reader(email="noor@example.test"), reader(email="eve@example.test")
    User.update(password=users.hash_password(PASSWORD)).execute()
    fields, wrong = GUESSED[path]

    assert [noor.post(path, fields("wrong")).status_code for _ in range(3)] == [wrong, wrong, 429]
    for name, (form, _) in GUESSED.items():
        answer = noor.post(name, form(PASSWORD))
        assert (answer.status_code, "Too many tries. Wait " in answer.text) == (429, True)
    assert users.with_password("noor@example.test", PASSWORD)
    assert other.post("/account/password", {"old": PASSWORD, "new": "another long one"}).status_code == 303


@pytest.mark.parametrize(
    "then",
    [
        "https://evil.test/",
        "//evil.test",
        "/\\evil.test",
        "javascript:alert(1)",
        "/api/v1/feedback",
        "/inbox\r\nX: 1",
        "http://[",
        "",
    ],
)
def test_signing_in_leads_nowhere_else(stranger: Reader, tenant: Tenant, then: str) -> None:
    """After signing in the browser stays with us."""
    users.create_user(tenant.workspace_id, "noor@example.test", "Noor", "admin", PASSWORD)
    answer = stranger.post("/sign-in", {"email": "noor@example.test", "password": PASSWORD, "then": then})

    assert answer.location == ("/inbox" if then else START)


def test_cookies(app: Flask, tenant: Tenant) -> None:
    """Over TLS the cookie is a __Host- one; scripts and other sites never get it; a loopback needs no TLS."""
    users.create_user(tenant.workspace_id, "noor@example.test", "Noor", "admin", PASSWORD)
    for base, prefix, secure in (
        ("https://feedback.example.test", "__Host-", True),
        ("http://feedback.example.test", "__Host-", True),  # a browser refuses it, and nobody can steal it
        ("http://127.0.0.1:8000", "", False),
        ("http://localhost", "", False),
        ("http://localhost.example.test", "__Host-", True),
    ):
        client = app.test_client()
        form = {"email": "noor@example.test", "password": PASSWORD}
        answer = client.post("/sign-in", data=form, base_url=base)
        (cookie,) = [line for line in answer.headers.getlist("Set-Cookie") if "feedback-session" in line]

        assert cookie.startswith(f"{prefix}feedback-session=")
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
        assert ("Secure" in cookie.split("; ")) == secure
        assert "Domain" not in cookie


def test_a_new_session_each_time(reader: Make, tenant: Tenant) -> None:
    """Signing in ends the session that the browser had; signing out ends it, too."""
    ann = reader("viewer")
    users.create_user(tenant.workspace_id, "noor@example.test", "Noor", "admin", PASSWORD)
    before = {row.digest for row in Session.select()}
    ann.post("/sign-in", {"email": "noor@example.test", "password": PASSWORD})
    after = {row.digest for row in Session.select()}
    ann.post("/sign-out")

    assert len(after) == 1
    assert not before & after
    assert Session.select().count() == 0
    assert ann.get("/inbox").status_code == 303


def test_sessions_end(reader: Make) -> None:
    """A session ends by age, by lying idle and with its user's access."""
    ann = reader("viewer")
    assert ann.get("/inbox").status_code == 200
    (row,) = Session.select().dicts()
    for change in ({"expires_at": 1}, {"seen_at": row["seen_at"] - users.IDLE_MS}):
        Session.update(**change).execute()
        assert ann.get("/inbox").status_code == 303
        Session.update(**{name: row[name] for name in change}).execute()
    assert ann.get("/inbox").status_code == 200
    User.update(disabled_at=1).execute()

    assert ann.get("/inbox").status_code == 303


def test_polling_keeps_no_session_alive(reader: Make) -> None:
    """What a page asks for by itself is no use of the session."""
    ann = reader("viewer")
    long_ago = users.now_ms() - users.IDLE_MS // 2
    Session.update(seen_at=long_ago).execute()

    assert ann.get("/inbox/fresh?after=fb_0").status_code == 200
    assert Session.get().seen_at == long_ago
    ann.get("/inbox")
    assert Session.get().seen_at > long_ago


@pytest.mark.parametrize("headers", ELSEWHERE, ids=str)
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/welcome"])
def test_forms_of_other_sites(reader: Make, tenant: Tenant, path: str, headers: dict[str, str]) -> None:
    """Another site's page signs nobody in or out, whether by Fetch Metadata or by Origin."""
    users.create_user(tenant.workspace_id, "noor@example.test", "Noor", "admin", PASSWORD)
    ann = reader("admin")
    form = {"email": "noor@example.test", "password": PASSWORD}
    answer = ann.client.post(path, data=form, headers=headers)

    assert answer.status_code == 400
    assert "did not come from a page of this gateway" in answer.text
    assert "Set-Cookie" not in answer.headers
    assert ann.get("/inbox").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        # A proxy that has another name: the browser knows better than we.
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://feedback.example.test"},
    ],
    ids=str,
)
def test_forms_of_ours(reader: Make, headers: dict[str, str]) -> None:
    """A page of ours, and what is no page, may send forms."""
    assert reader("viewer").client.post("/sign-out", headers=headers).status_code == 303


def test_a_session_that_ended_meanwhile(reader: Make) -> None:
    """Who sends a form after its session has ended signs in, and comes back to the form's page."""
    ann = reader("admin")
    Session.update(expires_at=1).execute()
    here = {"Sec-Fetch-Site": "same-origin", "Referer": "http://localhost/records/fb_1?x=y"}
    answer = ann.client.post("/records/fb_1", data={"note": "n"}, headers=here)

    assert answer.status_code == 401
    assert 'name="then" value="/records/fb_1?x=y"' in answer.text
    answer = ann.client.post("/records/fb_1", headers=here)
    assert (answer.status_code, answer.location) == (303, "/sign-in?then=%2Frecords%2Ffb_1%3Fx%3Dy")


def test_headers_of_pages(reader: Make) -> None:
    """Pages say what browsers may do with them: no foreign sources, no inline code, no frames, no caches."""
    for path in ("/inbox", "/sign-in", "/records/nope", "/settings/nope"):
        headers = reader("viewer", email=f"{path.strip('/').replace('/', '.')}@a.test").get(path).headers
        policy = dict(
            part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";")
        )

        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"
        assert re.fullmatch(r"req_[0-9A-Z]{26}", headers["request-id"])
        assert "Access-Control-Allow-Origin" not in headers


def test_no_secret_is_kept_as_text(stranger: Reader, tenant: Tenant, config: Config) -> None:
    """Neither passwords nor cookies nor links are in the database as they are."""
    token = users.first_link(tenant.workspace_id)
    assert token
    welcome(stranger, token)
    cookie = stranger.client.get_cookie("feedback-session", domain="localhost")
    assert cookie
    kept = str([*User.select().dicts(), *Session.select().dicts(), *Invite.select().dicts()])

    assert User.get().password.startswith("$argon2id$")
    assert not [secret for secret in (PASSWORD, token, cookie.value) if secret in kept]


def test_changes_of_people(tenant: Tenant) -> None:
    """The last admin stays one; who loses access is signed out."""
    ann = users.create_user(tenant.workspace_id, "ann@a.test", "Ann", "admin")
    ben = users.create_user(tenant.workspace_id, "ben@a.test", "Ben", "viewer")
    users.open_session(ben)
    for change in ({"role": "viewer"}, {"disabled": True}):
        with pytest.raises(users.PeopleError, match="last admin"):
            users.change_user(tenant.workspace_id, ann, **change)
    users.change_user(tenant.workspace_id, ben, role="admin")
    users.change_user(tenant.workspace_id, ann, role="viewer")
    with pytest.raises(users.PeopleError):
        users.change_user("ws_other", ben, role="viewer")
    with writing():
        User.update(role="admin").execute()
    users.change_user(tenant.workspace_id, ben, disabled=True)

    assert Session.select().count() == 0


def test_the_command_line(tmp_path_factory: pytest.TempPathFactory) -> None:
    """`init` prints the first link until there is an admin; `user` invites, lists, resets and changes."""
    environ = environ_of(tmp_path_factory.mktemp("cli"), GATEWAY_PUBLIC_URL="https://feedback.example.test/")
    made = run_command(environ, "init")
    again = run_command(environ, "init")

    assert made["link"].startswith("https://feedback.example.test/welcome?link=")
    assert again["link"] != made["link"]


def test_user_commands(config: Config, app: Flask, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """People are invited, listed, given new passwords and other roles from the command line."""
    monkeypatch.setenv("GATEWAY_DATABASE_URL", config.database_url)
    monkeypatch.setenv("GATEWAY_DATA_DIR", config.data_dir)
    users.create_user(tenant.workspace_id, "ann@a.test", "Ann", "admin", PASSWORD)

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["user", *words])
        return done.exit_code, done.output

    assert "/welcome?link=" in run("create", "ben@a.test", "--role", "triager")[1]
    assert "ann@a.test" in run("list")[1]
    assert "/welcome?link=" in run("reset-link", "ann@a.test")[1]
    assert run("role", "ann@a.test", "none") == (1, "Error: the last admin stays one\n")
    assert run("reset-link", "nobody@a.test")[0] == 1
    assert run("create", "ann@a.test")[0] == 1


def test_a_public_address_is_an_origin(config: Config, tenant: Tenant) -> None:
    """Behind a proxy that changes Host, forms of the public address are taken."""
    app = create_app(replace(config, public_url="https://feedback.example.test"))
    ann = Reader(app.test_client())
    user_id = users.create_user(tenant.workspace_id, "ann@a.test", "Ann", "viewer")
    ann.client.set_cookie("feedback-session", users.open_session(user_id), domain="localhost")

    assert ann.post("/sign-out", headers={"Origin": "https://feedback.example.test"}).status_code == 303


def test_what_was_written_when_the_session_had_ended(stranger: Reader, tenant: Tenant, call: Call) -> None:
    """A form of somebody whose session has ended is sent after signing in, whatever went wrong before."""
    record = call("POST", "/gateway/v1/feedback", json={"text": "It broke"}).json["id"]
    mei = users.create_user(tenant.workspace_id, "mei@example.test", "Mei", "triager", PASSWORD)
    path, note = f"/records/{record}?from=status%3Dopen", 'Called "them" back,\n<b>tomorrow</b> \u2028 🦀'
    asked = stranger.post(path, {"note": note, "tag": ["a", "b"]})
    assert asked.status_code == 401
    held = unescape(re.findall(r'name="held" value="([^"]*)"', asked.text)[0])
    form = {"email": "mei@example.test", "held": held, "then": f"/records/{record}"}
    wrong = stranger.post("/sign-in", {**form, "password": "wrong"})
    assert unescape(re.findall(r'name="held" value="([^"]*)"', wrong.text)[0]) == held
    page = stranger.post("/sign-in", {**form, "password": PASSWORD}).text
    assert f'action="{path}"' in page
    assert note in unescape(page)
    assert re.findall(r'name="tag" value="(.)"', page) == ["a", "b"]
    assert stranger.post(path, {"note": note}).status_code == 303

    (event,) = Event.select().where(Event.type == "note")
    assert (event.detail["text"], event.detail["key_id"]) == (note, mei)


def test_what_another_person_wrote(reader: Callable[..., Reader], tenant: Tenant, call: Call) -> None:
    """A form that stood open when one person's session ended is another's only when that one says so."""
    record = call("POST", "/gateway/v1/feedback", json={"text": "It broke"}).json["id"]
    for name in ("mei", "bo"):
        users.create_user(tenant.workspace_id, f"{name}@example.test", name, "triager", PASSWORD)
    path, here = f"/records/{record}", reader("viewer")
    here.post("/sign-in", {"email": "mei@example.test", "password": PASSWORD})
    Session.delete().execute()  # as after a day without a page
    asked = here.post(path, {"note": "as Mei", "category": "praise"}).text
    held = unescape(re.findall(r'name="held" value="([^"]*)"', asked)[0])
    pages = {
        name: here.post(
            "/sign-in", {"email": f"{name}@example.test", "held": held, "password": PASSWORD}
        ).text
        for name in ("mei", "bo")
    }

    assert "data-send" in pages["mei"] and "bo@example.test" not in pages["mei"]
    assert "data-send" not in pages["bo"]
    assert "Sent now, it is yours: bo@example.test." in pages["bo"]
    assert "<dt>category</dt><dd>praise</dd>" in pages["bo"] and "Send it as mine" in pages["bo"]
    assert not Event.select().where(Event.type == "note").exists()


@pytest.mark.parametrize(
    "held",
    [
        "x",
        "null",
        "[]",
        "7",
        '["/records/a", 7]',
        '["/records/a", [["note"]]]',
        '[7, [["note", "x"]]]',
        '[["/records/a"], [["note", "x"]]]',
        '[null, [["note", "x"]]]',
        '["https://evil.test/", [["note", "x"]]]',
        '["//evil.test", [["note", "x"]]]',
        '["/api/v1/feedback", [["note", "x"]]]',
        "[" * 10_000,
    ],
)
def test_forms_that_no_page_held(stranger: Reader, tenant: Tenant, held: str) -> None:
    """What is no form of ours is left out, and who signs in gets in."""
    users.create_user(tenant.workspace_id, "mei@example.test", "Mei", "triager", PASSWORD)
    answer = stranger.post(
        "/sign-in", {"email": "mei@example.test", "password": PASSWORD, "held": held, "then": "/overview"}
    )

    assert (answer.status_code, answer.location) == (303, "/overview")
