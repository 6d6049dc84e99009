"""Who is it, says a provider that the operator trusts? OpenID Connect's code flow with PKCE, through Authlib.

The provider is asked while somebody signs in and at no other time, a few at once, and nothing it said is
remembered: its addresses and keys are read anew, so that it may change them. What the browser carries in
between is sealed with the gateway's own key.
"""

from __future__ import annotations

import hmac
import io
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from gateway.access.oidc_accounts import Vouched
from gateway.core import encryption
from gateway.core.config import Config
from gateway.core.ids import now_ms

Given = ParamSpec("Given")
Result = TypeVar("Result")

TICKET_MS = 10 * 60_000  # how long signing in at the provider may take
TIMEOUT = (3.05, 5.0)  # seconds to connect, and to wait for each answer
PATIENCE = 20.0  # seconds that one step of a sign-in is waited for
LONGEST_ANSWER = 1_048_576  # bytes of one answer of the provider's
LEEWAY = 60  # seconds that the provider's clock may differ
# Only signatures that the provider alone can make: never `none`, nor those with the client's secret.
ALGORITHMS = [f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)] + [
    "Ed25519",
    "EdDSA",
]
SCOPE = "openid email profile"

_at_a_time = threading.BoundedSemaphore(4)  # a provider that hangs must not hold every thread


class Away(Exception):
    """The provider does not answer, or not as one; the message says what happened, for the log."""


class Denied(Exception):
    """The provider let this person not in, or the person did not want to."""


class NotProven(Exception):
    """What came back does not prove who it is; the message says why, for the log."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the browser carries, sealed, from the start of a sign-in to its end; times in milliseconds UTC.

    `then` is the page to go to, `link` the secret of an invitation, or empty.
    """

    state: str
    nonce: str
    verifier: str
    ends_at: int
    then: str
    link: str


def _in_time(step: Callable[Given, Result]) -> Callable[Given, Result]:
    """A step that is waited for no longer than PATIENCE, whatever holds it up; then it is Away.

    The timeouts of a connection begin anew with each byte, and looking up a name has none. What is left
    behind ends by itself, and is one of the few at a time until then.
    """

    @wraps(step)
    def timed(*args: Given.args, **options: Given.kwargs) -> Result:
        done: Future[Result] = Future()

        def run() -> None:
            try:
                done.set_result(step(*args, **options))
            except BaseException as error:  # whatever it is, it is raised where the step is waited for
                done.set_exception(error)

        threading.Thread(target=run, name="oidc", daemon=True).start()
        try:
            return done.result(PATIENCE)
        except TimeoutError:
            raise Away("it takes too long") from None

    return timed


@_in_time
def begin(config: Config, back: str, *, then: str, link: str) -> tuple[str, str]:
    """Where to send the browser, and the sealed ticket it keeps; `back` is where it returns. Raises Away."""
    state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
    ticket = Ticket(state, nonce, verifier, now_ms() + TICKET_MS, then, link)
    with _session(config) as session:
        session.redirect_uri = back
        address = _address(config, _metadata(config, session), "authorization_endpoint")
        try:
            url, _ = session.create_authorization_url(
                address, state=state, nonce=nonce, code_verifier=verifier
            )
        except ValueError:  # Authlib of a query that it cannot add to
            raise Away("no authorization_endpoint") from None
    return url, encryption.encrypt(json.dumps(asdict(ticket)))


def opened(sealed: str) -> Ticket:
    """The ticket that a browser brought back. Raises NotProven when it is none of ours, or too old."""
    try:
        ticket = Ticket(**json.loads(encryption.decrypt(sealed)))
    except (encryption.WrongKey, ValueError, TypeError):
        raise NotProven("no ticket") from None
    if ticket.ends_at <= now_ms():
        raise NotProven("the ticket is too old")
    return ticket


@_in_time
def finish(config: Config, back: str, ticket: Ticket, answer: Mapping[str, str]) -> Vouched:
    """Whom the provider vouches for with its answer, a query string. Raises Away, Denied and NotProven."""
    if not hmac.compare_digest(answer.get("state", "").encode("utf-8", "replace"), ticket.state.encode()):
        raise NotProven("another state")
    if answer.get("iss", config.oidc_issuer) != config.oidc_issuer:
        raise NotProven("an answer of another issuer")  # RFC 9207
    if "error" in answer or not answer.get("code"):
        raise Denied(answer.get("error", "no code")[:100])
    with _session(config) as session:
        metadata = _metadata(config, session)
        if metadata.get("authorization_response_iss_parameter_supported") is True and "iss" not in answer:
            raise NotProven("an answer of no issuer")
        token = _token(config, session, metadata, answer["code"], ticket.verifier, back)
        keys = _got(session, _address(config, metadata, "jwks_uri"))
        claims = _proven(config, token, keys, ticket.nonce)
        told = claims  # one and the same says the address and whether it is verified
        if "email" not in claims and metadata.get("userinfo_endpoint"):
            # Providers that go by the letter tell the address only here.
            more = _got(session, _address(config, metadata, "userinfo_endpoint"), withhold_token=False)
            if more.get("sub") != claims["sub"]:
                raise NotProven("the particulars of somebody else")
            told, claims = more, {**more, **claims}
    email, name = told.get("email"), claims.get("name") or claims.get("preferred_username")
    return Vouched(
        config.oidc_issuer,
        claims["sub"],
        email if isinstance(email, str) else "",
        told.get("email_verified") is True,
        name if isinstance(name, str) else "",
    )


@contextmanager
def _session(config: Config) -> Iterator[Any]:
    """A client of the provider; whatever goes wrong on the way there is Away."""
    from authlib.common.errors import AuthlibBaseError  # not every installation has it
    from authlib.integrations.requests_client import OAuth2Session
    from requests import RequestException
    from urllib3.exceptions import HTTPError

    if not _at_a_time.acquire(blocking=False):
        raise Away("others are waiting for it already")
    try:
        with OAuth2Session(
            config.oidc_client_id,
            config.oidc_client_secret,
            scope=SCOPE,
            code_challenge_method="S256",
            default_timeout=TIMEOUT,
        ) as session:
            session.max_redirects = 0  # none of these addresses moves, and secrets do not follow
            until = time.monotonic() + PATIENCE
            session.hooks["response"].append(lambda answer, **_options: _read(answer, until))
            yield session
    except (RequestException, HTTPError) as error:
        raise Away(type(error).__name__) from None
    except AuthlibBaseError as error:
        raise NotProven(f"the code was not taken: {error.error}"[:200]) from None
    finally:
        _at_a_time.release()


def _read(answer: Any, until: float) -> None:
    """Takes in an answer as a whole, as far as it is not too long and comes before `until`. Raises Away."""
    data = b""
    with ExitStack() as broken:
        broken.callback(answer.raw.close)
        while piece := answer.raw.read1(65_536, decode_content=True):
            data += piece
            if len(data) > LONGEST_ANSWER:
                raise Away("its answer is too long")
            if time.monotonic() > until:
                raise Away("its answer comes too slowly")
        broken.pop_all()
    answer.raw.release_conn()
    answer.raw = io.BytesIO(data)


def _token(
    config: Config, session: Any, metadata: Mapping[str, Any], code: str, verifier: str, back: str
) -> Mapping[str, Any]:
    """What the provider gives for a code."""
    supported = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    basic = isinstance(supported, list) and "client_secret_basic" in supported
    session.token_endpoint_auth_method = "client_secret_basic" if basic else "client_secret_post"
    address = _address(config, metadata, "token_endpoint")
    try:
        token = session.fetch_token(address, code=code, code_verifier=verifier, redirect_uri=back)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        # Authlib reads what the provider wrote as if it could be nothing else.
        raise Away(f"no token: {type(error).__name__}") from None
    if not isinstance(token, dict) or not isinstance(token.get("token_type", ""), str):
        raise Away("no token")
    return token


def _metadata(config: Config, session: Any) -> dict[str, Any]:
    """What the provider says about itself (OpenID Connect Discovery)."""
    found = _got(session, f"{config.oidc_issuer.rstrip('/')}/.well-known/openid-configuration")
    if found.get("issuer") != config.oidc_issuer:
        raise Away(f"it calls itself {str(found.get('issuer'))[:200]}")
    return found


def _got(session: Any, address: str, *, withhold_token: bool = True) -> dict[str, Any]:
    answer = session.get(address, withhold_token=withhold_token)
    answer.raise_for_status()
    try:
        found = answer.json()
    except RecursionError:
        found = None
    if not isinstance(found, dict):
        raise Away("no JSON object")
    return found


def _address(config: Config, metadata: Mapping[str, Any], name: str) -> str:
    """An address of the provider's, as safe to reach as its own."""
    address = metadata.get(name)
    try:
        parts = urlsplit(address) if isinstance(address, str) else None
    except ValueError:
        parts = None
    if (
        parts is None
        or not parts.netloc
        or parts.scheme not in ("https", urlsplit(config.oidc_issuer).scheme)
    ):
        raise Away(f"no {name}")
    return str(address)


def _proven(config: Config, token: Mapping[str, Any], keys: Any, nonce: str) -> dict[str, Any]:
    """The claims of an ID token that was made by this provider, for us, now, for this very sign-in."""
    from authlib.oidc.core import CodeIDToken
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    wanted = {
        "iss": {"essential": True, "values": [config.oidc_issuer]},
        "aud": {"essential": True, "values": [config.oidc_client_id]},
    }
    told = {"nonce": nonce, "client_id": config.oidc_client_id, "access_token": token.get("access_token")}
    try:
        read = jwt.decode(token["id_token"], KeySet.import_key_set(keys), algorithms=ALGORITHMS)
        claims = CodeIDToken(read.claims, read.header, wanted, told)
        claims.validate(leeway=LEEWAY)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise NotProven(f"the ID token: {type(error).__name__}: {error}"[:200]) from None
    subject: str = claims["sub"]  # OpenID Connect Core, 2: so many characters, and of ASCII
    if not (0 < len(subject) <= 255 and subject.isascii() and subject.isprintable()):
        raise NotProven("the ID token: no subject")
    return dict(claims)
