"""A provider that lies, dribbles, raves or is another's: nobody is signed in, and nothing is made of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from itertools import count, repeat
from typing import Any

import pytest
from flask import Flask, Response
from joserfc import jws
from joserfc.jwk import RSAKey

from gateway.access import users
from gateway.core import log
from gateway.inbox import oidc
from models.tables.audit import Audit
from models.tables.user import Invite, Session, User
from tests.conftest import Tenant, until
from tests.inbox.conftest import Reader
from tests.inbox.provider import CLIENT_ID, KEY, NOOR, OTHERS, Provider
from tests.inbox.test_oidc_sign_in import EMAIL, _config, _provider, _shared_provider, fault, leave, sign_in  # noqa: F401  # fixtures

DISCOVERY, TOKEN, KEYS, USERINFO = "/.well-known/openid-configuration", "/token", "/keys", "/userinfo"
ODD: tuple[Any, ...] = (
    None,
    5,
    True,
    "",
    "words",
    "\ud800",
    [],
    [None],
    {},
    {"x": []},
    -1e300,
    "\0",
    "http://[",
)


def payload_of(token: str) -> dict[str, Any]:
    middle = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return found


def coded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def forged(header: dict[str, Any], key: Any = KEY, **claims: Any) -> Callable[[Any], Any]:
    """The token answer with its ID token made anew; claims that are `...` are left out."""

    def edit(said: dict[str, Any]) -> dict[str, Any]:
        told = {**payload_of(said["id_token"]), **claims}
        told = {name: value for name, value in told.items() if value is not ...}
        if header["alg"] == "none":
            return {**said, "id_token": f"{coded(header)}.{coded(told)}."}
        if header["alg"] == "HS256":  # by hand: the library does not take a public key for a secret
            signed = f"{coded(header)}.{coded(told)}"
            proof = hmac.new(KEY.as_pem(private=False), signed.encode(), hashlib.sha256).digest()
            return {**said, "id_token": f"{signed}.{base64.urlsafe_b64encode(proof).rstrip(b'=').decode()}"}
        made = jws.serialize_compact(header, json.dumps(told), key, algorithms=["RS256"])
        return {**said, "id_token": made}

    return edit


RS256 = {"alg": "RS256", "kid": "2026"}
NOW = int(time.time())
# What the token endpoint says, and a word of why that proves nothing.
TOKENS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "unsigned": (forged({"alg": "none"}), "none"),
    "unsigned, under a known key": (forged({"alg": "none", "kid": "2026"}), "none"),
    "signed with the public key": (forged({"alg": "HS256", "kid": "2026"}), "HS256"),
    "an unknown key": (forged({"alg": "RS256", "kid": "1999"}), "key"),
    "a new key under the old name": (forged(RS256, OTHERS), "BadSignature"),
    "no issuer": (forged(RS256, iss=...), "'iss'"),
    "an issuer with a slash": (forged(RS256, iss="http://127.0.0.1/"), "'iss'"),
    "several issuers": (forged(RS256, iss=["https://a.test"]), "'iss'"),
    "no audience": (forged(RS256, aud=...), "'aud'"),
    "an empty audience": (forged(RS256, aud=[]), "'aud'"),
    "two audiences, made out for nobody": (forged(RS256, aud=[CLIENT_ID, "other"], azp=...), "'azp'"),
    "another party": (forged(RS256, azp="other"), "'azp'"),
    "expired by far": (forged(RS256, exp=1), "expired"),
    "expired just more than clocks may differ": (forged(RS256, exp=NOW - oidc.LEEWAY - 60), "expired"),
    "an end that is no number": (forged(RS256, exp="tomorrow"), "'exp'"),
    "no beginning": (forged(RS256, iat=...), "'iat'"),
    "made in the future": (forged(RS256, iat=NOW + 86_400), "in the future"),
    "a beginning that is no number": (forged(RS256, iat="now"), "'iat'"),
    "valid tomorrow": (forged(RS256, nbf=NOW + 86_400), "not yet valid"),
    "no nonce": (forged(RS256, nonce=...), "'nonce'"),
    "a nonce that is no text": (forged(RS256, nonce=["x"]), "'nonce'"),
    "no subject": (forged(RS256, sub=...), "'sub'"),
    "a subject of two persons": (forged(RS256, sub=["1", "2"]), "'sub'"),
    "a subject that no column holds": (forged(RS256, sub="1\0"), "no subject"),
    "a subject that is no text": (forged(RS256, sub="\ud800"), "no subject"),
    "a subject of a megabyte": (forged(RS256, sub="1" * 90_000), "no subject"),
    "a subject with the end of another": (forged(RS256, sub=f"{NOOR['sub']}\n"), "no subject"),
    "the hash of another access token": (forged(RS256, at_hash="AAAA"), "'at_hash'"),
    "an unknown need": (forged({**RS256, "crit": ["x"], "x": 1}), ""),
}


@pytest.fixture(name="noted")
def _noted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Why, as the log says it."""
    noted: list[str] = []
    monkeypatch.setattr(log, "notice", lambda message, request_id, why: noted.append(why))
    monkeypatch.setattr(
        log, "failure", lambda message, request_id: noted.append(f"failure: {traceback.format_exc()}")
    )
    return noted


def nothing_made(tenant: Tenant) -> list[Any]:
    """What a sign-in could have made: people, sessions, ties, links and what is written down of them."""
    tables = (User, Session, Invite, Audit)
    return [sorted(map(str, table.select().dicts())) for table in tables]


def refused(who: Reader, tenant: Tenant, provider: Provider, noted: list[str], why: str) -> None:
    """A sign-in ends on a page with words, one line of the log, and nothing else; an honest one works."""
    path = leave(who)
    before = nothing_made(tenant)
    answer = who.get(path)

    assert answer.status_code in (401, 403, 503), answer.text
    assert fault(answer)
    assert len(noted) == 1, noted
    assert why in noted[0]
    assert nothing_made(tenant) == before
    provider.reset()
    assert sign_in(who).status_code == 303


def some(table: dict[str, Any], *short: str) -> list[Any]:
    """The rows of a table, of which all but a few are long."""
    assert set(short) <= set(table)
    return [pytest.param(name, marks=[] if name in short else pytest.mark.long) for name in table]


@pytest.mark.parametrize("lie", some(TOKENS, "signed with the public key", "a subject that no column holds"))
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_tokens_that_prove_nothing(
    stranger: Reader, tenant: Tenant, provider: Provider, lie: str, noted: list[str]
) -> None:
    """Each claim and each way to sign that is wrong once is refused."""
    users.create_user(tenant.workspace_id, EMAIL, "Noor", "admin")
    provider.edits[TOKEN], why = TOKENS[lie]
    refused(stranger, tenant, provider, noted, why)


def without(name: str) -> Callable[[Any], Any]:
    return lambda said: {key: value for key, value in said.items() if key != name}


def changed(name: str, value: Any) -> Callable[[Any], Any]:
    return lambda said: {**said, name: value}


ENDPOINTS = (
    "issuer",
    "token_endpoint",
    "jwks_uri",
    "userinfo_endpoint",
    "token_endpoint_auth_methods_supported",
)
RAVINGS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    **{
        f"{page} says {value!r}": (page, lambda said, value=value: value)
        for page in (DISCOVERY, TOKEN, KEYS, USERINFO)
        for value in (None, 5, "words", [], [None], {})
    },
    **{f"{name} is {value!r}": (DISCOVERY, changed(name, value)) for name in ENDPOINTS for value in ODD},
    **{
        f"{name} is {value!r}": (TOKEN, changed(name, value))
        for name in ("id_token", "expires_in", "expires_at", "token_type", "access_token")
        for value in ODD
    },
    **{f"keys are {value!r}": (KEYS, changed("keys", value)) for value in (*ODD, [{"kty": "RSA"}], [5, {}])},
    **{f"no {name}": (TOKEN, without(name)) for name in ("id_token", "access_token", "token_type")},
    "an error": (TOKEN, lambda said: {"error": "\ud800", "error_description": [5]}),
    "an error that is none": (TOKEN, lambda said: {"error": {"x": 5}}),
    "no port": (DISCOVERY, changed("token_endpoint", "https://evil.test:99999/")),
    "a port of words": (DISCOVERY, changed("jwks_uri", "https://evil.test:http/")),
    "a name too long": (DISCOVERY, changed("jwks_uri", f"https://{'a' * 300}.test/")),
    "another's name": (USERINFO, changed("sub", "5")),
    "a file": (DISCOVERY, changed("jwks_uri", "file:///etc/passwd")),
}


@pytest.mark.parametrize(
    "which",
    some(
        RAVINGS,
        "token_endpoint_auth_methods_supported is 5",
        "expires_in is 'words'",
        "a name too long",
    ),
)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_ravings(stranger: Reader, tenant: Tenant, provider: Provider, which: str, noted: list[str]) -> None:
    """Whatever a provider says in the place of JSON, an address or a key, the page has words for it."""
    users.create_user(tenant.workspace_id, EMAIL, "Noor", "admin")
    provider.thin = True
    path = leave(stranger)
    page, edit = RAVINGS[which]
    provider.edits[page] = edit
    answer = stranger.get(path)

    assert answer.status_code in (303, 401, 403, 503), answer.text
    assert len(noted) == (answer.status_code != 303), noted
    assert not [line for line in noted if line.startswith("failure")]
    assert Session.select().count() == (answer.status_code == 303)
    # And the address to go to, before anybody has gone anywhere.
    if page == DISCOVERY:
        stranger.client.delete_cookie("feedback-session", domain="localhost")
        assert stranger.get("/sign-in/elsewhere").status_code in (303, 503)


# What Authlib would take for options of its own, if it were told all that a provider says about itself.
MEDDLING = {
    "client_id": "x",
    "client_secret": "x",
    "verify": False,
    "max_redirects": 30,
    "proxies": {"http": "http://127.0.0.1:9"},
    "default_timeout": None,
    "hooks": {},
    "jwks": {"keys": []},
    "_loaded_at": 1,
}


def test_what_a_provider_may_not_say(stranger: Reader, tenant: Tenant, provider: Provider) -> None:
    """Nothing that it says about itself changes how it is asked."""
    users.create_user(tenant.workspace_id, EMAIL, "Noor", "admin")
    provider.metadata = MEDDLING

    assert sign_in(stranger).status_code == 303


def test_nothing_is_refreshed(stranger: Reader, tenant: Tenant, provider: Provider, noted: list[str]) -> None:
    """An access token that is over from the beginning is not changed for another one."""
    users.create_user(tenant.workspace_id, EMAIL, "Noor", "admin")
    provider.thin = True
    path = leave(stranger)
    provider.edits[TOKEN] = lambda said: {**said, "expires_in": -1, "refresh_token": "x"}

    assert stranger.get(path).status_code == 401
    assert (noted, provider.asked.count(TOKEN)) == (["the code was not taken: token_invalid"], 1)


@pytest.mark.long
@pytest.mark.parametrize("value", [*ODD, "https://evil.test?a=%ff\x00 b", "javascript:alert(1)"])
def test_nowhere_to_go(stranger: Reader, provider: Provider, value: Any, tenant: Tenant) -> None:
    """An address that is none is told before anybody goes there."""
    provider.metadata = {"authorization_endpoint": value}
    answer = stranger.get("/sign-in/elsewhere")

    assert answer.status_code in (303, 503)
    assert answer.status_code == 503 or answer.location.startswith("https://evil.test?")


@pytest.mark.parametrize(
    "page", [TOKEN, *(pytest.param(page, marks=pytest.mark.long) for page in (DISCOVERY, KEYS, USERINFO))]
)
@pytest.mark.parametrize("how", ["too slow", pytest.param("too long", marks=pytest.mark.long)])
def test_answers_without_end(
    stranger: Reader,
    tenant: Tenant,
    provider: Provider,
    noted: list[str],
    monkeypatch: pytest.MonkeyPatch,
    page: str,
    how: str,
) -> None:
    """An answer that goes on and on is left, by its length or, when it only dribbles, by the clock."""
    users.create_user(tenant.workspace_id, EMAIL, "Noor", "admin")
    provider.thin = True
    sent: list[int] = []

    def endless() -> Iterator[bytes]:
        for number in repeat(65_536) if how == "too long" else repeat(1):
            sent.append(number)
            yield b" " * number

    ticks = count()
    monkeypatch.setattr(oidc.time, "monotonic", lambda: next(ticks) / 10 if how == "too slow" else 0.0)
    path = leave(stranger)
    provider.edits[page] = lambda said: Response(endless(), content_type="application/json")
    answer = stranger.get(path)

    assert answer.status_code == 503
    assert noted == [f"its answer {'is too long' if how == 'too long' else 'comes too slowly'}"]
    assert Session.select().count() == 0


def test_a_head_without_end(
    stranger: Reader, tenant: Tenant, provider: Provider, noted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for a provider that does not even begin to answer is told so, while it still does not."""
    users.create_user(tenant.workspace_id, EMAIL, "Noor", "admin")
    path, let_go = leave(stranger), threading.Event()
    provider.edits[KEYS] = lambda said: said if let_go.wait(60) else {}
    monkeypatch.setattr(oidc, "PATIENCE", 0.1)
    answer = stranger.get(path)

    assert answer.status_code == 503
    assert noted == ["it takes too long"]
    let_go.set()
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "oidc"])
    assert Session.select().count() == 0


@pytest.mark.long
@pytest.mark.parametrize("page", [DISCOVERY, TOKEN, KEYS, USERINFO])
def test_answers_that_are_elsewhere(
    stranger: Reader, tenant: Tenant, provider: Provider, noted: list[str], page: str
) -> None:
    """No redirect is followed, neither with the client's secret nor without."""
    users.create_user(tenant.workspace_id, EMAIL, "Noor", "admin")
    provider.thin = True
    path = leave(stranger)
    provider.asked.clear()
    provider.edits[page] = lambda said: Response("", 307, {"Location": f"{provider.url}/elsewhere"})

    assert stranger.get(path).status_code == 503
    assert noted == ["TooManyRedirects"]
    assert "/elsewhere" not in provider.asked


@pytest.mark.long
def test_a_rotated_key(stranger: Reader, tenant: Tenant, provider: Provider) -> None:
    """A key that the provider published a moment ago is good, and one that it took back is not."""
    users.create_user(tenant.workspace_id, EMAIL, "Noor", "admin")
    assert sign_in(stranger).status_code == 303
    new = RSAKey.generate_key(2048, {"kid": "2027", "use": "sig"})
    provider.key, provider.keys = new, [new]
    stranger.post("/sign-out")
    assert sign_in(stranger).status_code == 303
    provider.key = KEY
    stranger.post("/sign-out")
    assert sign_in(stranger).status_code == 401


def test_who_says_that_the_address_is_verified(stranger: Reader, tenant: Tenant, provider: Provider) -> None:
    """The address and that it is verified are of one answer, never one of each."""
    users.create_user(tenant.workspace_id, EMAIL, "Noor", "admin")
    provider.thin = True
    provider.claims = {"email_verified": True}
    provider.person["email_verified"] = False
    assert sign_in(stranger).status_code == 403
    assert Session.select().count() == 0


def test_an_answer_that_names_its_issuer(
    stranger: Reader, tenant: Tenant, provider: Provider, noted: list[str]
) -> None:
    """Where a provider says that it names itself in answers, one without a name is another's (RFC 9207)."""
    users.create_user(tenant.workspace_id, EMAIL, "Noor", "admin")
    provider.metadata = {"authorization_response_iss_parameter_supported": True}
    assert stranger.get(leave(stranger)).status_code == 401
    assert noted == ["an answer of no issuer"]
    assert stranger.get(f"{leave(stranger)}&iss={provider.url}").status_code == 303


def test_a_code_is_bound_to_its_browser(
    app: Flask, stranger: Reader, tenant: Tenant, provider: Provider, noted: list[str]
) -> None:
    """A code of another sign-in is not taken, since its verifier is in another browser (PKCE)."""
    users.create_user(tenant.workspace_id, EMAIL, "Noor", "admin")
    attacker = Reader(app.test_client())
    theirs = leave(attacker)
    path = leave(stranger)
    code = theirs.partition("code=")[2].partition("&")[0]
    state = path.partition("state=")[2].partition("&")[0]
    answer = stranger.get(f"/sign-in/back?code={code}&state={state}")

    assert answer.status_code == 401
    assert "invalid_grant" in noted[0]
    assert stranger.get(path).status_code == 401
    assert Session.select().count() == 0


@pytest.mark.parametrize(
    ("person", "why"),
    [
        ({"email_verified": False}, "has not been verified"),
        pytest.param({"email": "nobody"}, "not an email address", marks=pytest.mark.long),
        pytest.param({"email": "other@example.test"}, "nobody has invited", marks=pytest.mark.long),
        pytest.param({"sub": "another"}, "belongs to somebody else", marks=pytest.mark.long),
    ],
)
def test_who_is_not_let_in(
    stranger: Reader,
    tenant: Tenant,
    provider: Provider,
    noted: list[str],
    person: dict[str, Any],
    why: str,
) -> None:
    """Whom the provider knows and we do not let in is told why, and one line of the log says it, too."""
    user_id = users.create_user(tenant.workspace_id, EMAIL, "Noor", "admin")
    User.update(identity=f"{provider.url} {NOOR['sub'] if 'sub' in person else 'x'}").execute()
    users.create_user(tenant.workspace_id, "ann@example.test", "Ann", "admin")
    provider.person |= person
    if "sub" not in person:
        User.update(identity=None).where(User.id == user_id).execute()
    refused(stranger, tenant, provider, noted, why)


@pytest.mark.parametrize(
    "email",
    [
        "noor\ud800@example.test",
        pytest.param("noor\u202e@example.test", marks=pytest.mark.long),
        pytest.param("\u200bnoor@example.test", marks=pytest.mark.long),
    ],
)
def test_addresses_that_look_like_others(
    stranger: Reader, tenant: Tenant, provider: Provider, email: str
) -> None:
    """An address with characters that nobody sees, or that are none, is no address."""
    users.create_user(tenant.workspace_id, "ben@example.test", "Ben", "admin")
    provider.thin = True
    provider.person["email"] = email
    answer = sign_in(stranger)

    assert answer.status_code == 403
    assert "not an email address" in fault(answer)
    with pytest.raises(users.PeopleError):
        users.create_link(tenant.workspace_id, "admin", email=email)
