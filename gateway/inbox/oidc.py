"""Who is it, says a provider that the operator trusts? OpenID Connect's code flow with PKCE, by Authlib.

The provider is asked while somebody signs in and at no other time, a few at once, and nothing it said is
remembered: its addresses and keys are read anew, so that it may change them. What the browser carries in
between is sealed with the gateway's own key: a session of Flask's, where Authlib would keep it, can be read.
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

AT_A_TIME = 4  # people in a process who are asked about: a provider that hangs must not hold every thread
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

_at_a_time = threading.BoundedSemaphore(AT_A_TIME)


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
    state, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(48)
    with _provider(config) as provider:
        made = provider.create_authorization_url(back, state=state, nonce=nonce)
    ticket = Ticket(state, nonce, made["code_verifier"], now_ms() + TICKET_MS, then, link)
    return made["url"], encryption.encrypt(json.dumps(asdict(ticket)))


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
    wanted = {
        "iss": {"essential": True, "values": [config.oidc_issuer]},
        "aud": {"essential": True, "values": [config.oidc_client_id]},
    }
    with _provider(config) as provider:
        if provider.server_metadata["names_itself"] and "iss" not in answer:
            raise NotProven("an answer of no issuer")
        token = provider.fetch_access_token(back, code=answer["code"], code_verifier=ticket.verifier)
        token.pop("refresh_token", None)  # one that is over stays over
        claims = provider.parse_id_token(token, ticket.nonce, wanted, leeway=LEEWAY) or {}
        told = claims  # one and the same says the address and whether it is verified
        if "email" not in claims and "userinfo_endpoint" in provider.server_metadata:
            told = provider.userinfo(token=token)  # who goes by the letter tells the address only here
    subject = claims.get("sub", "")  # OpenID Connect Core, 2: so many characters, and of ASCII
    if not (0 < len(subject) <= 255 and subject.isascii() and subject.isprintable()):
        raise NotProven("the ID token: no subject")
    if told.get("sub") != subject:
        raise NotProven("the particulars of somebody else")
    claims = {**told, **claims}
    email, name = told.get("email"), claims.get("name") or claims.get("preferred_username")
    return Vouched(
        config.oidc_issuer,
        subject,
        email if isinstance(email, str) else "",
        told.get("email_verified") is True,
        name if isinstance(name, str) else "",
    )


@contextmanager
def _provider(config: Config) -> Iterator[Any]:
    """Authlib's client of the provider, which has just said what it is (OpenID Connect Discovery).

    Whatever goes wrong with it in the block is Away, but for a code and a token that prove nothing.
    """
    from authlib.common.errors import AuthlibBaseError  # not every installation has it
    from authlib.integrations.flask_client import FlaskIntegration, FlaskOAuth2App
    from authlib.integrations.requests_client import OAuth2Session
    from joserfc.errors import JoseError
    from requests import RequestException
    from urllib3.exceptions import HTTPError

    if not _at_a_time.acquire(blocking=False):
        raise Away("others are waiting for it already")
    until = time.monotonic() + PATIENCE
    options = {
        "scope": SCOPE,
        "code_challenge_method": "S256",
        "default_timeout": TIMEOUT,
        "max_redirects": 0,  # none of these addresses moves, and secrets do not follow
        "hooks": {"response": [lambda answer, **_options: _read(answer, until)]},
    }
    try:
        with OAuth2Session(**options) as session:
            address = f"{config.oidc_issuer.rstrip('/')}/.well-known/openid-configuration"
            answer = session.get(address, withhold_token=True)
            answer.raise_for_status()
        yield FlaskOAuth2App(
            FlaskIntegration("provider"),
            client_id=config.oidc_client_id,
            client_secret=config.oidc_client_secret,
            client_kwargs=options,
            **_checked(config, answer.json()),
        )
    except (RequestException, HTTPError) as error:
        raise Away(type(error).__name__) from None
    except AuthlibBaseError as error:
        raise NotProven(f"the code was not taken: {error.error}"[:200]) from None
    except JoseError as error:
        raise NotProven(f"the ID token: {type(error).__name__}: {error}"[:200]) from None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        # Authlib reads what the provider wrote as if it could be nothing else.
        raise Away(f"nonsense: {type(error).__name__}") from None
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
    if answer.status_code < 300 and not isinstance(answer.json(), dict):
        raise Away("no JSON object")


def _checked(config: Config, found: Mapping[str, Any]) -> dict[str, Any]:
    """What is used of what the provider says about itself; the rest could change how Authlib asks it."""
    if found.get("issuer") != config.oidc_issuer:
        raise Away(f"it calls itself {str(found.get('issuer'))[:200]}")
    supported = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    basic = isinstance(supported, list) and "client_secret_basic" in supported
    told: dict[str, Any] = {
        "token_endpoint_auth_method": "client_secret_basic" if basic else "client_secret_post",
        "id_token_signing_alg_values_supported": ALGORITHMS,
        "names_itself": found.get("authorization_response_iss_parameter_supported") is True,
    }
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"):
        address = found.get(name)
        if name == "userinfo_endpoint" and not address:
            continue
        parts = urlsplit(address if isinstance(address, str) else "")
        # As safe to reach as its own.
        if not parts.netloc or parts.scheme not in ("https", urlsplit(config.oidc_issuer).scheme):
            raise Away(f"no {name}")
        told[name] = address
    return told
