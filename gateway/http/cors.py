"""CORS: which origins may read answers, and preflights."""

from __future__ import annotations

from flask import Request

from adapters.contract import Reply

EXPOSED = ", ".join(
    (
        "request-id",
        "Retry-After",
        "RateLimit",
        "RateLimit-Policy",
        "X-RateLimit-Limit",
        "X-RateLimit-Remaining",
        "X-RateLimit-Reset",
        "Idempotent-Replayed",
        "Location",
        "ETag",
        "Link",
        "X-Sentry-Error",
        "X-Sentry-Rate-Limits",
    )
)
ALLOWED = "Authorization, Content-Type, Content-Encoding, Idempotency-Key, If-Match, X-API-Key"


def allowed_origins(setting: str) -> frozenset[str]:
    """The origins that GATEWAY_CORS_ORIGINS lists."""
    return frozenset(setting.replace(",", " ").split())


def cors_headers(origin: str | None, origins: frozenset[str]) -> dict[str, str]:
    """What lets a page of an allowed origin read the answer. Keys travel in headers, so no cookies."""
    if not origin:
        return {}
    if "*" in origins:
        return {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": EXPOSED}
    if origin not in origins:
        return {"Vary": "Origin"}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": EXPOSED,
        "Vary": "Origin",
    }


def preflight(request: Request, methods: list[str]) -> Reply:
    """The answer to OPTIONS, which browsers send without a key.

    The headers asked for are allowed by name, since `*` does not cover Authorization (Fetch
    standard) and clients send some of their own, such as x-stainless-*.
    """
    asked = request.headers.get("Access-Control-Request-Headers", "")
    names = [name.strip() for name in asked.split(",")]
    extra = [name for name in names if name and name.replace("-", "").isalnum() and name.isascii()]
    headers = {
        "Allow": ", ".join(methods),
        "Access-Control-Allow-Methods": ", ".join(methods),
        "Access-Control-Allow-Headers": ", ".join([ALLOWED, *extra[:40]]),
        "Access-Control-Max-Age": "7200",
    }
    return Reply(204, None, headers)
