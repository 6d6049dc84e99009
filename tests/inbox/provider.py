"""An OpenID Connect provider for the tests: Authlib's own server, spoken to over HTTP on this computer.

It vouches for one person, whom a test sets, and can be told to lie.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, Response, jsonify, redirect, request
from joserfc.jwk import ECKey, OctKey, RSAKey
from werkzeug.serving import make_server

CLIENT_ID, CLIENT_SECRET = "gateway", "the provider's secret for the gateway"
NOOR = {"sub": "248289761001", "email": "noor@example.test", "email_verified": True, "name": "Noor Jansen"}
KEY = RSAKey.generate_key(2048, {"kid": "2026", "use": "sig"})
OTHERS = RSAKey.generate_key(2048, {"kid": "2026", "use": "sig"})  # of somebody who calls it by the same name
CURVE = ECKey.generate_key("P-256", {"kid": "curve", "use": "sig"})
SHARED = OctKey.import_key(CLIENT_SECRET, {"kid": "2026"})


class Client(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    """The gateway, as the provider knows it."""

    client_id = CLIENT_ID

    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, uri: str) -> bool:
        return uri.endswith("/sign-in/back")

    def check_client_secret(self, secret: str) -> bool:
        return secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == self.provider.method

    def check_response_type(self, kind: str) -> bool:
        return kind == "code"

    def check_grant_type(self, kind: str) -> bool:
        return kind == "authorization_code"


@dataclass
class Provider:
    """What it says, and how it may be told to lie: `claims` are what its ID token has besides the person."""

    url: str = ""
    person: dict[str, Any] = field(default_factory=lambda: dict(NOOR))
    claims: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    key: Any = field(default_factory=lambda: KEY)
    alg: str = "RS256"
    keys: list[Any] = field(default_factory=lambda: [CURVE, KEY])
    method: str = "client_secret_basic"
    thin: bool = False  # tells who it is only at /userinfo
    broken: str = ""  # the page that fails
    edits: dict[str, Callable[[Any], Any]] = field(default_factory=dict)  # page -> what it says instead
    codes: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def reset(self) -> None:
        """Honest again."""
        self.__init__(self.url)  # type: ignore[misc]  # that is what it is for

    def described(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
            "token_endpoint_auth_methods_supported": [self.method],
            **self.metadata,
        }


@contextmanager
def providing() -> Iterator[Provider]:
    """A provider that answers until the block ends."""
    provider = Provider()
    server = make_server("127.0.0.1", 0, _app(provider), threaded=True)
    provider.url = f"http://127.0.0.1:{server.port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _app(provider: Provider) -> Flask:
    app = Flask("provider")
    known = {CLIENT_ID: Client(provider)}
    server = AuthorizationServer(app, known.get, lambda token, asked: None)

    class Code(AuthorizationCodeGrant):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

        def save_authorization_code(self, code: str, asked: Any) -> None:
            data = asked.payload.data
            provider.codes[code] = SimpleNamespace(
                code=code,
                nonce=data["nonce"],
                code_challenge=data["code_challenge"],
                code_challenge_method=data["code_challenge_method"],
                get_redirect_uri=lambda: data["redirect_uri"],
                get_scope=lambda: data["scope"],
                get_nonce=lambda: data["nonce"],
                get_auth_time=lambda: None,
                get_acr=lambda: None,
                get_amr=lambda: None,
            )

        def query_authorization_code(self, code: str, client: Client) -> Any:
            return provider.codes.get(code)

        def delete_authorization_code(self, found: Any) -> None:
            del provider.codes[found.code]

        def authenticate_user(self, found: Any) -> dict[str, Any]:
            return provider.person

    class IdToken(OpenIDCode):  # type: ignore[misc]
        def exists_nonce(self, nonce: str, asked: Any) -> bool:
            return False

        def resolve_client_private_key(self, client: Client) -> Any:
            return provider.key

        def get_client_algorithm(self, client: Client) -> str:
            return provider.alg

        def get_encode_header(self, client: Client) -> dict[str, str]:
            return {"alg": provider.alg, "kid": provider.key.kid}

        def get_client_claims(self, client: Client) -> dict[str, Any]:
            return {"iss": provider.url}

        def generate_user_info(self, user: dict[str, Any], scope: str) -> dict[str, Any]:
            told = {"sub": user["sub"]} if provider.thin else user
            return {**told, **provider.claims}

    server.register_grant(Code, [CodeChallenge(required=True), IdToken(require_nonce=True)])

    @app.before_request
    def note() -> Response | None:
        provider.asked.append(request.path)
        return Response("<h1>Oops</h1>", 500) if provider.broken == request.path else None

    @app.after_request
    def edited(answer: Response) -> Response:
        edit = provider.edits.get(request.path)
        if edit is None:
            return answer
        said = edit(answer.json)
        return said if isinstance(said, Response) else Response(json.dumps(said), answer.status_code)

    @app.get("/.well-known/openid-configuration")
    def described() -> Response:
        return jsonify(provider.described())

    @app.get("/keys")
    def keys() -> Response:
        return jsonify(keys=[key.as_dict(private=False) for key in provider.keys])

    @app.get("/authorize")
    def ask() -> str:
        return "<title>Provider</title><form method=post><button>Yes, it is me</button></form>"

    @app.post("/authorize")
    def allow() -> Any:
        grant = server.get_consent_grant(end_user=provider.person)
        return server.create_authorization_response(grant=grant, grant_user=provider.person)

    @app.post("/token")
    def token() -> Any:
        return server.create_token_response()

    @app.get("/userinfo")
    def userinfo() -> Response:
        assert request.headers["Authorization"].startswith("Bearer ")
        return jsonify(provider.person)

    @app.get("/elsewhere")
    def elsewhere() -> Any:
        return redirect("/keys")

    return app
