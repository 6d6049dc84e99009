"""Signing in elsewhere: who gets in, as whom, and every way in which a provider's answer proves nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from gateway.access import users
from gateway.app import create_app
from gateway.core import log
from gateway.core.config import BadSetting, Config
from gateway.core.ids import now_ms
from gateway.inbox import oidc
from models.database.base import close
from models.intake import commit
from models.tables.audit import Audit
from models.tables.user import Invite, Session, User
from tests.conftest import Tenant, make_tenant
from tests.inbox.conftest import PASSWORD, Reader
from tests.inbox.provider import CLIENT_ID, CLIENT_SECRET, CURVE, NOOR, OTHERS, SHARED, Provider, providing

EMAIL = str(NOOR["email"])


@pytest.fixture(name="shared_provider", scope="module")
def _shared_provider() -> Iterator[Provider]:
    with providing() as provider:
        yield provider


@pytest.fixture(name="provider")
def _provider(shared_provider: Provider) -> Provider:
    """An honest provider that vouches for Noor."""
    shared_provider.reset()
    return shared_provider


@pytest.fixture(name="config")
def _config(config: Config, provider: Provider) -> Config:
    return elsewhere(config, provider)


def elsewhere(config: Config, provider: Provider, **more: str) -> Config:
    """The settings of a gateway that the provider knows."""
    named = {"oidc_issuer": provider.url, "oidc_client_id": CLIENT_ID, "oidc_client_secret": CLIENT_SECRET}
    return replace(config, **named, oidc_name="Acme", **more)


@pytest.fixture(name="setting")
def _setting(app: Flask, config: Config) -> Callable[..., Reader]:
    """Another application on the same database: setting(passwords="off") gives somebody who looks at it."""
    return lambda **more: Reader(create_app(replace(config, **more)).test_client())


def leave(who: Reader, path: str = "/sign-in/elsewhere") -> str:
    """Goes to the provider and says yes there: the path at which the browser comes back."""
    answer = who.get(path)
    assert answer.status_code == 303, answer.text
    back = httpx.post(answer.location)
    assert back.status_code == 302, back.text
    parts = urlsplit(back.headers["location"])
    return f"{parts.path}?{parts.query}"


def sign_in(who: Reader, path: str = "/sign-in/elsewhere") -> TestResponse:
    return who.get(leave(who, path))


def fault(answer: TestResponse) -> str:
    """What a page says went wrong."""
    return unescape(answer.text.partition('role="alert">')[2].partition("</p>")[0])


@pytest.mark.both(long=True)
def test_an_invited_person_gets_in(stranger: Reader, tenant: Tenant, provider: Provider) -> None:
    """Who is invited by address becomes that user with that role, and stays it with another address."""
    users.create_link(tenant.workspace_id, "triager", email=EMAIL)
    answer = sign_in(stranger, "/sign-in/elsewhere?then=/overview")

    assert (answer.status_code, answer.location) == (303, "/overview")
    user = User.get()
    assert (user.email, user.role, user.name, user.password) == (EMAIL, "triager", "Noor Jansen", None)
    assert user.identity == f"{provider.url} {NOOR['sub']}"
    assert Invite.get().used_at is not None
    assert [row.action for row in Audit.select().where(Audit.key_id == user.id).order_by(Audit.id)] == [
        "user.created",
        "user.signed_in",
    ]
    assert "Noor Jansen" in stranger.get("/account").text
    assert "You sign in with Acme" in stranger.get("/account").text

    stranger.post("/sign-out")
    provider.person["email"] = "noor@elsewhere.test"
    assert sign_in(stranger).status_code == 303
    assert User.select().count() == 1
    assert User.get().email == EMAIL


def test_a_link_of_an_invitation(stranger: Reader, tenant: Tenant) -> None:
    """The first admin's link can be taken with the provider instead of a password, once."""
    token = users.first_link(tenant.workspace_id)
    assert "Go on with Acme" in stranger.get(f"/welcome?link={token}").text
    assert sign_in(stranger, f"/sign-in/elsewhere?link={token}").status_code == 303

    assert (User.get().email, User.get().role) == (EMAIL, "admin")
    assert users.first_link(tenant.workspace_id) is None
    assert stranger.get(f"/welcome?link={token}").status_code == 410


def test_somebody_elses_link(stranger: Reader, tenant: Tenant) -> None:
    """A link for one address lets no other address in, nor does one for a new password."""
    user_id = users.create_user(tenant.workspace_id, "ben@example.test", "Ben", "admin")
    for token in (
        users.create_link(tenant.workspace_id, "admin", email="mei@example.test"),
        users.create_link(tenant.workspace_id, "admin", user_id=user_id),
    ):
        assert sign_in(stranger, f"/sign-in/elsewhere?link={token}").status_code == 403
    assert [row.email for row in User.select()] == ["ben@example.test"]


def test_an_account_is_tied_once(stranger: Reader, tenant: Tenant, provider: Provider) -> None:
    """The account with a verified address becomes that person's: its password and sessions end."""
    user_id = users.create_user(tenant.workspace_id, EMAIL, "Squatter", "viewer", PASSWORD)
    users.open_session(user_id)
    assert sign_in(stranger).status_code == 303

    user = User.get()
    assert (user.id, user.password) == (user_id, None)
    assert Session.select().count() == 1
    assert users.with_password(EMAIL, PASSWORD) is None
    assert "user.tied" in {row.action for row in Audit.select()}

    # Somebody else gets the same address at the provider.
    stranger.post("/sign-out")
    provider.person["sub"] = "another"
    answer = sign_in(stranger)
    assert answer.status_code == 403
    assert "belongs to somebody else" in fault(answer)


def test_untied_by_an_admin(
    stranger: Reader, reader: Callable[..., Reader], tenant: Tenant, provider: Provider
) -> None:
    """An admin unties an account; its sessions end, and the next one with the address gets it."""
    user_id = users.create_user(tenant.workspace_id, EMAIL, "Noor", "viewer")
    sign_in(stranger)
    ann = reader("admin")
    assert "Untie" in ann.get("/settings/people").text
    ann.post(f"/settings/people/{user_id}", {"act": "untie"})
    assert stranger.get("/inbox").status_code == 303
    provider.person["sub"] = "another"
    assert sign_in(stranger).status_code == 303

    assert User.get_by_id(user_id).identity == f"{provider.url} another"


def test_another_issuer_ties_anew(stranger: Reader, tenant: Tenant, provider: Provider) -> None:
    """When the settings name another provider, accounts of the earlier one are tied to that by address."""
    users.create_user(tenant.workspace_id, EMAIL, "Noor", "viewer")
    User.update(identity="https://old.example.test 1").execute()

    assert sign_in(stranger).status_code == 303
    assert User.get().identity == f"{provider.url} {NOOR['sub']}"


@pytest.mark.parametrize(
    ("person", "said"),
    [
        ({}, "nobody has invited this address"),
        ({"email_verified": False}, "has not been verified"),
        ({"email_verified": "true"}, "has not been verified"),
        ({"email_verified": None}, "has not been verified"),
        ({"email": "nobody"}, "not an email address"),
        ({"email": None}, "not an email address"),
        ({"email": ["noor@example.test"]}, "not an email address"),
        ({"email": "noor@example.test\u0000"}, "not an email address"),
    ],
)
def test_who_does_not_get_in(
    stranger: Reader, tenant: Tenant, provider: Provider, person: dict[str, Any], said: str
) -> None:
    """An address that is not invited, not verified or none makes nobody, and the page says why."""
    if person:
        users.create_link(tenant.workspace_id, "admin", email=EMAIL)
        users.create_user(tenant.workspace_id, "other@example.test", "Other", "admin", PASSWORD)
    before = list(User.select().dicts())
    provider.person |= person
    answer = sign_in(stranger)

    assert answer.status_code == 403
    assert said in fault(answer)
    assert list(User.select().dicts()) == before
    assert Session.select().count() == 0


def test_whose_access_was_taken(stranger: Reader, tenant: Tenant) -> None:
    """Neither a tied account nor one that is not yet gets in without access, and none is tied then."""
    user_id = users.create_user(tenant.workspace_id, EMAIL, "Noor", "viewer")
    User.update(disabled_at=1).execute()
    assert sign_in(stranger).status_code == 403
    assert User.get().identity is None
    User.update(disabled_at=None).execute()
    assert sign_in(stranger).status_code == 303
    User.update(disabled_at=1).execute()
    assert stranger.get("/inbox").status_code == 303
    answer = sign_in(stranger)

    assert answer.status_code == 403
    assert "access has been taken away" in fault(answer)
    assert User.get().id == user_id


def test_domains_and_roles(setting: Callable[..., Reader], tenant: Tenant, provider: Provider) -> None:
    """With a role and domains whoever has such an address gets in, and nobody else does."""
    make_tenant("Other")
    who = setting(oidc_domains="example.test, example.org", oidc_role="viewer")
    for email in ("noor@evil.test", "noor@sub.example.test", "noor@example.test.evil.test"):
        provider.person |= {"email": email, "sub": email}
        assert "domain" in fault(sign_in(who))
    provider.person |= NOOR
    assert sign_in(who).status_code == 303

    user = User.get()
    assert (user.role, user.workspace_id, user.email) == ("viewer", tenant.workspace_id, EMAIL)
    # Domains hold for those who are here already, too.
    provider.person["email"] = "noor@evil.test"
    who.post("/sign-out")
    assert sign_in(who).status_code == 403


def _edited(path: str, **changes: str) -> str:
    query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()} | changes
    return f"/sign-in/back?{httpx.QueryParams(query)}"


# What it says, and why that proves nothing.
LIES: dict[str, tuple[dict[str, Any], str]] = {
    "another nonce": ({"claims": {"nonce": "another"}}, "'nonce'"),
    "no nonce": ({"claims": {"nonce": None}}, "'nonce'"),
    "another audience": ({"claims": {"aud": ["somebody else"]}}, "'aud'"),
    "another audience, made out for us": ({"claims": {"aud": "somebody else", "azp": CLIENT_ID}}, "'aud'"),
    "two audiences, made out for the other": (
        {"claims": {"aud": [CLIENT_ID, "other"], "azp": "other"}},
        "'azp'",
    ),
    "another issuer": ({"claims": {"iss": "https://evil.test"}}, "'iss'"),
    "expired": ({"claims": {"exp": int(time.time()) - 3600}}, "expired"),
    "not yet valid": ({"claims": {"nbf": int(time.time()) + 3600}}, "not yet valid"),
    "no end": ({"claims": {"exp": None}}, "'exp'"),
    "no subject": ({"claims": {"sub": ""}}, "no subject"),
    "a subject that is no text": ({"claims": {"sub": 5}}, "'sub'"),
    "another access token": ({"claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}}, "'at_hash'"),
    "another's key": ({"key": OTHERS}, "BadSignature"),
    "signed with the client's secret": ({"key": SHARED, "alg": "HS256", "keys": [CURVE, SHARED]}, "HS256"),
    "a key that is not published": ({"keys": [CURVE]}, "No key"),
    "no keys": ({"keys": []}, "No keys"),
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_what_proves_nothing(
    stranger: Reader, tenant: Tenant, provider: Provider, lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ID token that is not this provider's, for us, now and for this sign-in, lets nobody in."""
    noted: list[str] = []
    monkeypatch.setattr(log, "notice", lambda message, request_id, why: noted.append(why))
    users.create_user(tenant.workspace_id, EMAIL, "Noor", "admin")
    changes, why = LIES[lie]
    for name, value in changes.items():
        setattr(provider, name, value)
    answer = sign_in(stranger)

    assert answer.status_code == 401
    assert "could not be verified" in fault(answer)
    assert why in noted[0]
    assert Session.select().count() == 0
    provider.reset()
    assert sign_in(stranger).status_code == 303


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "another"},
        {"state": ""},
        {"code": "another"},
        {"iss": "https://evil.test"},
        {"error": "access_denied"},
        {"code": ""},
        {"state": "\0", "code": "\ud800".encode("utf-8", "replace").decode()},
    ],
)
def test_answers_that_are_none(stranger: Reader, tenant: Tenant, changes: dict[str, str]) -> None:
    """An answer to another question, or a refusal, lets nobody in and is told in words."""
    users.create_user(tenant.workspace_id, EMAIL, "Noor", "admin")
    path = leave(stranger)
    answer = stranger.get(_edited(path, **changes))

    assert answer.status_code == 401
    assert fault(answer)
    assert Session.select().count() == 0
    assert stranger.get(path).status_code == 401  # the ticket is gone


def test_another_browsers_answer(app: Flask, stranger: Reader, tenant: Tenant) -> None:
    """An answer is good in the browser that asked, only once and for ten minutes."""
    users.create_user(tenant.workspace_id, EMAIL, "Noor", "admin")
    victim = Reader(app.test_client())
    path = leave(stranger)
    assert victim.get(path).status_code == 401
    victim.get("/sign-in/elsewhere")  # with a ticket of its own
    assert victim.get(path).status_code == 401
    kept = stranger.client.get_cookie("feedback-elsewhere", domain="localhost")
    assert kept
    assert stranger.get(path).status_code == 303

    stranger.post("/sign-out")
    stranger.client.set_cookie("feedback-elsewhere", kept.value, domain="localhost")
    assert stranger.get(path).status_code == 401  # the provider takes a code once


def test_a_provider_that_takes_a_code_twice(stranger: Reader, tenant: Tenant, provider: Provider) -> None:
    """A ticket that led to somebody leads to nobody else, whatever the provider says; the next one does."""

    class Kept(dict[str, Any]):
        def __delitem__(self, code: str) -> None:
            pass

    provider.codes = Kept()
    users.create_user(tenant.workspace_id, EMAIL, "Noor", "admin")
    path = leave(stranger)
    kept = stranger.client.get_cookie("feedback-elsewhere", domain="localhost")
    assert kept
    assert stranger.get(path).status_code == 303
    stranger.post("/sign-out")
    stranger.client.set_cookie("feedback-elsewhere", kept.value, domain="localhost")

    assert stranger.get(path).status_code == 401
    assert Session.select().count() == 0
    assert sign_in(stranger).status_code == 303


def test_tickets_end(stranger: Reader, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ticket says nothing to whoever reads it, and ends."""
    users.create_user(tenant.workspace_id, EMAIL, "Noor", "admin")
    path = leave(stranger)
    kept = stranger.client.get_cookie("feedback-elsewhere", domain="localhost")
    assert kept
    assert kept.http_only
    assert kept.same_site == "Lax"
    assert parse_qs(urlsplit(path).query)["state"][0] not in kept.value
    monkeypatch.setattr(oidc, "now_ms", lambda: now_ms() + oidc.TICKET_MS)

    assert stranger.get(path).status_code == 401
    for bad in ("", "x", kept.value[:-4] + "AAAA"):
        stranger.client.set_cookie("feedback-elsewhere", bad, domain="localhost")
        assert stranger.get(path).status_code == 401


@pytest.mark.parametrize(
    "broken",
    ["/.well-known/openid-configuration", "/keys", "/token", "/userinfo", "issuer", "jwks_uri", "moved"],
)
def test_a_provider_that_fails(stranger: Reader, tenant: Tenant, provider: Provider, broken: str) -> None:
    """A provider that answers nonsense is told in words; passwords still work beside it."""
    users.create_user(tenant.workspace_id, "ben@example.test", "Ben", "viewer", PASSWORD)
    provider.thin = True
    path = leave(stranger)
    if broken.startswith("/"):
        provider.broken = broken
    elif broken == "moved":
        provider.metadata = {"jwks_uri": f"{provider.url}/elsewhere"}
    else:
        provider.metadata = {broken: "http://[" if broken == "jwks_uri" else "https://evil.test"}
    answer = stranger.get(path)

    assert answer.status_code in (401, 503)
    assert fault(answer)
    assert stranger.post("/sign-in", {"email": "ben@example.test", "password": PASSWORD}).status_code == 303


def test_a_provider_that_is_away(setting: Callable[..., Reader], tenant: Tenant) -> None:
    """When nobody answers at the issuer, the page says so, at once."""
    answer = setting(oidc_issuer="http://127.0.0.1:9").get("/sign-in/elsewhere?then=/overview")

    assert answer.status_code == 503
    assert "Acme does not answer" in fault(answer)
    assert 'name="then" value="/overview"' in answer.text


def test_a_provider_that_hangs(stranger: Reader, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a few wait for the provider at a time; others are told to come back."""
    for _ in range(4):
        oidc._at_a_time.acquire()
    try:
        assert stranger.get("/sign-in/elsewhere").status_code == 503
    finally:
        for _ in range(4):
            oidc._at_a_time.release()


def test_particulars_from_userinfo(stranger: Reader, tenant: Tenant, provider: Provider) -> None:
    """A provider that tells the address only at its userinfo endpoint is asked there, for the same person."""
    users.create_user(tenant.workspace_id, EMAIL, "Noor", "viewer")
    provider.thin = True
    assert sign_in(stranger).status_code == 303
    stranger.post("/sign-out")
    path = leave(stranger)
    provider.claims = {"sub": "another"}
    assert stranger.get(path).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [{"method": "client_secret_post"}, {"key": CURVE, "alg": "ES256"}],
    ids=["secret in the form", "ES256"],
)
def test_other_providers(
    stranger: Reader, tenant: Tenant, provider: Provider, changes: dict[str, Any]
) -> None:
    """The secret goes as the provider takes it; any signature that only the provider can make is good."""
    users.create_user(tenant.workspace_id, EMAIL, "Noor", "viewer")
    for name, value in changes.items():
        setattr(provider, name, value)

    assert sign_in(stranger).status_code == 303


def test_what_the_provider_is_asked(stranger: Reader, tenant: Tenant, provider: Provider) -> None:
    """The code flow with PKCE, state and nonce; pages and deliveries never ask the provider."""
    provider.asked.clear()
    url = urlsplit(stranger.get("/sign-in/elsewhere").location)
    asked = {name: values[0] for name, values in parse_qs(url.query).items()}

    assert asked.pop("redirect_uri") == "http://localhost/sign-in/back"
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert set(asked["scope"].split()) == {"openid", "email", "profile"}
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 43
    assert provider.asked == ["/.well-known/openid-configuration"]
    for path in ("/sign-in", "/inbox", "/welcome?link=x"):
        stranger.get(path)
    assert len(provider.asked) == 1


def test_guessing_is_slow(setting: Callable[..., Reader], tenant: Tenant) -> None:
    """An address that fails too often waits, as with passwords."""
    who = setting(failure_limit="3/minute")
    statuses = [who.get("/sign-in/back?state=x&code=y").status_code for _ in range(5)]

    assert statuses == [401, 401, 401, 429, 429]


def test_without_passwords(
    setting: Callable[..., Reader], reader: Callable[..., Reader], tenant: Tenant
) -> None:
    """With GATEWAY_PASSWORDS=off no page takes a password, whoever asks; the provider is the only way."""
    user_id = users.create_user(tenant.workspace_id, "ben@example.test", "Ben", "viewer", PASSWORD)
    who = setting(passwords="off")
    page = who.get("/sign-in").text
    assert "Sign in with Acme" in page
    assert 'type="password"' not in page
    invitation = users.create_link(tenant.workspace_id, "admin")
    reset = users.create_link(tenant.workspace_id, "viewer", user_id=user_id)
    for link in (invitation, reset):
        assert 'type="password"' not in who.get(f"/welcome?link={link}").text
    visit = reader("admin")
    form = {"email": "ben@example.test", "password": PASSWORD}
    who.client.set_cookie("feedback-session", users.open_session(user_id), domain="localhost")
    more = {"link": reset, "old": PASSWORD, "new": "another long one"}
    for path in ("/sign-in", "/welcome", "/account/password"):
        assert who.post(path, {**form, **more}).status_code == 403, path
    assert 'type="password"' not in who.get("/account").text

    assert users.link_of(reset)
    assert visit.get("/settings/people").status_code == 200


def test_without_a_provider(app: Flask, config: Config) -> None:
    """Where none is named there is no such page, and none is offered."""
    none = dict.fromkeys(("oidc_issuer", "oidc_client_id", "oidc_client_secret"), "")
    client = create_app(replace(config, **none)).test_client()

    assert client.get("/sign-in/elsewhere").status_code == 404
    assert client.get("/sign-in/back").status_code == 404
    assert "elsewhere" not in client.get("/sign-in").text
    commit.stop()
    close()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"oidc_issuer": "http://accounts.example.com"}, "OIDC_ISSUER"),
        ({"oidc_issuer": "https://accounts.example.com/?x"}, "OIDC_ISSUER"),
        ({"oidc_issuer": "http://127.0.0.1.evil.test"}, "OIDC_ISSUER"),
        ({"oidc_issuer": ""}, "OIDC_ISSUER"),
        ({"oidc_client_id": ""}, "OIDC_CLIENT_ID"),
        ({"oidc_client_secret": ""}, "OIDC_CLIENT_SECRET"),
        ({"oidc_role": "viewer"}, "OIDC_DOMAINS"),
        ({"oidc_role": "admin", "oidc_domains": "example.com"}, "OIDC_ROLE"),
        ({"oidc_domains": "@example.com"}, "OIDC_DOMAINS"),
        ({"passwords": "maybe"}, "PASSWORDS"),
    ],
)
def test_bad_settings(changes: dict[str, str], named: str) -> None:
    """What would not work, or would let the world in, stops the start by name; the secret is not said."""
    good = {
        "oidc_issuer": "https://accounts.example.com",
        "oidc_client_id": "a",
        "oidc_client_secret": "hush-hush",
    }
    assert Config(**good)  # type: ignore[arg-type]
    with pytest.raises(BadSetting, match=f"GATEWAY_{named}") as caught:
        Config(**{**good, **changes})  # type: ignore[arg-type]

    assert "hush-hush" not in str(caught.value)


def test_no_way_in_at_all() -> None:
    """Without passwords there must be a provider."""
    with pytest.raises(BadSetting, match="GATEWAY_OIDC_ISSUER"):
        Config(passwords="off")
