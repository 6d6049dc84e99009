"""Heads that are wrong, strange or endless, and what a client may ask of a connection."""

from __future__ import annotations

from functools import partial
from random import Random

from tests.server.attack import JSON, LAST, Kind, Make, Target, chunk

_GET = b"GET /healthz HTTP/1.1"
_LINES = b"\r\nHost: g\r\n\r\n"

# Whole requests, with their ends.
_BAD_HEADS = {
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
    "one word": b"GET\r\n\r\n",
    "no target": b"GET HTTP/1.1" + _LINES,
    "four words": b"GET /healthz x HTTP/1.1" + _LINES,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": b"GET /healthz HTTP/9.9" + _LINES,
    "HTTP/0.9 said": b"GET /healthz HTTP/0.9" + _LINES,
    "HTTP/1.10": b"GET /healthz HTTP/1.10" + _LINES,
    "HTTP/1": b"GET /healthz HTTP/1" + _LINES,
    "HTTP/1.": b"GET /healthz HTTP/1." + _LINES,
    "http/1.1": b"GET /healthz http/1.1" + _LINES,
    "HTTPS/1.1": b"GET /healthz HTTPS/1.1" + _LINES,
    "version with NUL": b"GET /healthz HTTP/1.1\0" + _LINES,
    "space first": b" GET /healthz HTTP/1.1" + _LINES,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + _LINES,
    "PROXY v1": b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n" + _GET + _LINES,
    "PROXY v2": b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\1\x7f\0\0\1\xdc\4\1\xbb" + _GET + _LINES,
    "method with brackets": b"GE(T /healthz HTTP/1.1" + _LINES,
    "method with NUL": b"G\0T /healthz HTTP/1.1" + _LINES,
    "method with colon": b"GET: /healthz HTTP/1.1" + _LINES,
    "long method": b"G" * 70_000 + b" /healthz HTTP/1.1" + _LINES,
    "NUL in target": b"GET /health\0z HTTP/1.1" + _LINES,
    "CR in target": b"GET /health\rz HTTP/1.1" + _LINES,
    "long target": b"GET /" + b"a" * 70_000 + b" HTTP/1.1" + _LINES,
    "field with NUL": _GET + b"\r\nX: a\0b" + _LINES,
    "field with CR": _GET + b"\r\nX: a\rb" + _LINES,
    "name with NUL": _GET + b"\r\nX\0: a" + _LINES,
    "name with space": _GET + b"\r\nX Y: a" + _LINES,
    "space before colon": _GET + b"\r\nX : a" + _LINES,
    "no colon": _GET + b"\r\nX" + _LINES,
    "no name": _GET + b"\r\n: a" + _LINES,
    "name with high byte": _GET + b"\r\nX\xe9: a" + _LINES,
    "first field folded": _GET + b"\r\n X: a" + _LINES,
    "long field": _GET + b"\r\nX: " + b"a" * 70_000 + _LINES,
    "long name": _GET + b"\r\n" + b"X" * 70_000 + b": a" + _LINES,
    "many fields": _GET + b"\r\nX: a" * 11_000 + _LINES,
    "Expect: magic": _GET + b"\r\nExpect: magic" + _LINES,
}
_ODD_HEADS = {
    "HTTP/1.2": b"GET /healthz HTTP/1.2" + _LINES,
    "space behind version": b"GET /healthz HTTP/1.1 " + _LINES,
    "two spaces": b"GET  /healthz HTTP/1.1" + _LINES,
    "tabs": b"GET\t/healthz\tHTTP/1.1" + _LINES,
    "bare LF": b"GET /healthz HTTP/1.1\nHost: g\n\n",
    "some bare LF": b"GET /healthz HTTP/1.1\nHost: g\r\nX: a\n\r\n",
    "empty lines first": b"\r\n\r\n" + _GET + _LINES,
    "empty LF first": b"\n" + _GET + _LINES,
    "folded": _GET + b"\r\nX: a\r\n b" + _LINES,
    "no Host": _GET + b"\r\n\r\n",
    "two Hosts": _GET + b"\r\nHost: h" + _LINES,
    "bad Host": _GET + b"\r\nHost: a/b@c\r\n\r\n",
    "empty Host": _GET + b"\r\nHost:\r\n\r\n",
    "lower case method": b"get /healthz HTTP/1.1" + _LINES,
    "short method": b"G /healthz HTTP/1.1" + _LINES,
    "odd method": b"M-SEARCH /healthz HTTP/1.1" + _LINES,
    "other method": b"PROPFIND /gateway/v1/feedback HTTP/1.1" + _LINES,
    "method with sign": b"FOO! /healthz HTTP/1.1" + _LINES,
    "TRACE": b"TRACE /healthz HTTP/1.1" + _LINES,
    "CONNECT": b"CONNECT g:80 HTTP/1.1" + _LINES,
    "absolute form": b"GET http://g/healthz HTTP/1.1" + _LINES,
    "absolute form, other host": b"GET http://evil/metrics HTTP/1.1" + _LINES,
    "authority form": b"GET g:80 HTTP/1.1" + _LINES,
    "asterisk": b"OPTIONS * HTTP/1.1" + _LINES,
    "asterisk, GET": b"GET * HTTP/1.1" + _LINES,
    "two slashes": b"GET //evil/healthz HTTP/1.1" + _LINES,
    "fragment": b"GET /healthz#x HTTP/1.1" + _LINES,
    "no slash": b"GET healthz HTTP/1.1" + _LINES,
    "query only": b"GET ?x HTTP/1.1" + _LINES,
    "high bytes": "GET /é HTTP/1.1".encode() + _LINES,
    "bad escape": b"GET /%zz%0 HTTP/1.1" + _LINES,
    "escaped NUL": b"GET /%00%0d%0aX:%20y HTTP/1.1" + _LINES,
    "5 kB of target": b"GET /" + b"a" * 5_000 + b" HTTP/1.1" + _LINES,
    "90 fields": _GET + b"\r\nX: a" * 90 + _LINES,
    "field with control": _GET + b"\r\nX: a\x01\x7fb" + _LINES,
    "field with high byte": _GET + b"\r\nX: \xff" + _LINES,
    "many cookies": _GET + b"\r\nCookie: a=b" * 50 + _LINES,
}
# What proxies tell applications, from somebody who is no proxy.
FORWARDED = (
    *("SCRIPT_NAME: /x", "Script-Name: /x", "PATH_INFO: /metrics", "Path-Info: /metrics"),
    *("REMOTE_ADDR: 192.0.2.1", "Remote-Addr: 192.0.2.1", "REMOTE_USER: admin", "Remote-User: admin"),
    *("X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil"),
    *("X-Forwarded-Prefix: /x", "X-Forwarded-Port: 1", "X_Forwarded_Proto: https", "X-Forwarded-Ssl: on"),
    *("Forwarded: for=192.0.2.1;proto=https;host=evil", "X-Original-URL: /metrics", "X-Real-IP: 192.0.2.1"),
    *("wsgi.url_scheme: https", "HTTP_HOST: evil", "Request-Method: DELETE", "Query-String: a=b"),
    *("REQUEST_METHOD: DELETE", "Content_Type: text/html", "Content_Length: 9", "Proxy: http://evil"),
)
_ASKED = (
    ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
    ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: aaaa"),
    ("Connection: TE", "TE: trailers"),
    ("Connection: keep-alive, X", "X: y"),
    ("Connection: Content-Length",),
    ("Connection: Transfer-Encoding",),
    ("Keep-Alive: timeout=1000, max=100000",),
    ("Range: bytes=0-1",),
    ("Trailer: Content-Length",),
    ("Accept-Encoding: gzip, br",),
)


def _raw(head: bytes) -> Make:
    return lambda target, rng: head


def _with(lines: tuple[str, ...], target: Target, rng: Random) -> bytes:
    """A right request with these lines: with a body, a chunked one, or none."""
    made = (target.sized(JSON, *lines), target.chunked(chunk(JSON) + LAST, *lines), target.head(*lines))
    return rng.choice(made)


def _closing(target: Target, rng: Random) -> bytes:
    return target.sized(JSON, "Connection: close")


def _old(version: str, *lines: str) -> Make:
    return lambda target, rng: target.sized(JSON, *lines, version=version)


def _asked_first(body: bytes, coding: str) -> Make:
    return lambda target, rng: target.head("Expect: 100-continue", coding) + body


def _method(method: str) -> Make:
    return lambda target, rng: target.sized(JSON + b" " * rng.choice((0, 70_000)), method=method)


def kinds() -> dict[str, Kind]:
    """Every kind of head."""
    found: dict[str, Kind] = {}
    for name, head in _BAD_HEADS.items():
        found[f"bad head: {name}"] = Kind(_raw(head), True, method="GET")
    for name, head in _ODD_HEADS.items():
        found[f"odd head: {name}"] = Kind(_raw(head), None, method="GET")
    for line in FORWARDED:
        found[f"forwarded: {line}"] = Kind(partial(_with, (line,)), None)
    for lines in _ASKED:
        found[f"asked: {lines[0]}, {lines[-1]}"] = Kind(partial(_with, lines), False)
    for method in ("HEAD", "OPTIONS", "DELETE", "PUT", "PATCH", "PROPFIND"):
        found[f"body with {method}"] = Kind(_method(method), False, method=method)
    size, chunked = f"Content-Length: {len(JSON)}", "Transfer-Encoding: chunked"
    return found | {
        "Connection: close": Kind(_closing, False),
        "HTTP/1.0": Kind(_old("HTTP/1.0"), False),
        "HTTP/1.0, keep-alive": Kind(_old("HTTP/1.0", "Connection: keep-alive"), False),
        "HTTP/1.0 that expects": Kind(_old("HTTP/1.0", "Expect: 100-continue"), None),
        "expects": Kind(_asked_first(JSON, size), False),
        "expects, chunked": Kind(_asked_first(chunk(JSON) + LAST, chunked), False),
        "expects, without a body": Kind(_asked_first(b"", "X: y"), False),
        # A body that nobody asked for is not read, so a path that needs none may answer and close.
        "expects, with a bad chunk": Kind(_asked_first(b"zz\r\n", chunked), None),
        "expects, with a bad trailer": Kind(_asked_first(b"0\r\nNo\r\n\r\n", chunked), None),
        "expects, with a bad end": Kind(_asked_first(b"5\r\nhelloxx", chunked), None),
        "expects, cut": Kind(_asked_first(JSON[:5], size), None, end="half"),
        "expects, chunked and cut": Kind(_asked_first(b"5\r\nhel", chunked), None, end="half"),
        "expects, nothing comes": Kind(_asked_first(b"", size), None, end="half"),
    }
