"""No body makes a 500, HTML or a traceback: a table of known attacks, and thousands made up for each door."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brotli
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import adapters
from adapters.contract import Refused
from gateway.access import hooks
from gateway.app import create_app
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.http.body import read_body
from models import HookRow
from models.database.base import close, first
from tests.conftest import PLENTY, Tenant, make_tenant
from tests.signing import VENDORS, Vendor, bearer

FIXTURES = Path(__file__).parent.parent / "fixtures"
DOORS = [
    (adapter.name, door.path)
    for adapter in adapters.load().values()
    for door in (*adapter.doors, *adapter.batches)
    if door.method == "POST"
]
FEW, MANY = 15, 2_000  # made-up bodies a door, in `make test` and in `make test-long`


@dataclass(frozen=True)
class Target:
    """An application, a key for its open doors, and a hook for each door whose sender signs."""

    client: FlaskClient
    tenant: Tenant
    hooks: dict[str, dict[str, Any]]

    def url(self, dialect: str, path: str) -> str:
        hook = self.hooks.get(dialect)
        if hook is None:
            return path
        number = str(hook["options"].get("project_number", ""))
        return re.sub(
            r"<\w+>", "x", path.replace("<hook_id>", hook["id"]).replace("<project_number>", number)
        )

    def proof(self, dialect: str, body: bytes) -> dict[str, str]:
        if dialect not in self.hooks:
            return self.tenant.headers
        if dialect == "sentry_envelope":
            return {"X-Sentry-Auth": f"Sentry sentry_version=7, sentry_key={self.hooks[dialect]['id']}"}
        vendor = VENDORS[dialect]
        return vendor.sign(vendor.secret, body, now_ms() // 1000)


@pytest.fixture(name="attacked", scope="module")
def _attacked(module_config: Config) -> Iterator[Target]:
    """One application for all attacks on this module's doors."""
    app: Flask = create_app(module_config)
    tenant, made = make_tenant(), {}
    for name, adapter in adapters.load().items():
        if adapter.signed is not None:
            vendor = VENDORS.get(name, Vendor("", bearer))
            hook = hooks.create_hook(
                adapter,
                tenant.workspace_id,
                None,
                public_url="https://gateway.test",
                secret=vendor.secret or None,
                rate_limit=PLENTY,
                options=vendor.options,
            )
            options = first(HookRow.select().where(HookRow.id == hook["hook_id"]))
            made[name] = {"id": hook["hook_id"], "options": (options or {})["options"]}
    yield Target(app.test_client(), tenant, made)
    close()


# What tells some doors how a body is to be read: without it nothing within the body is.
EVENT = ("x-github-event", "x-event-key", "sentry-hook-resource")


def samples(dialect: str, path: str) -> list[tuple[dict[str, Any], dict[str, str]]]:
    """The good JSON bodies among a door's fixtures, each with the headers that say what it is."""
    cases = [json.loads(file.read_text()) for file in sorted((FIXTURES / dialect).glob("*.json"))]
    good = [case["request"] for case in cases if "records" in case and case["request"]["path"] == path]
    found = [
        (request["json"], {k: v for k, v in request.get("headers", {}).items() if k.lower() in EVENT})
        for request in good
        if isinstance(request.get("json"), dict)
    ]
    return found[:12] or [({"text": "words"}, {})]


def attack(target: Target, dialect: str, path: str, body: bytes, headers: dict[str, str]) -> None:
    # A vendor signs what it sends: bytes that it packed are signed unpacked, as the adapters see them.
    proof = target.proof(dialect, _unpacked(body, headers))
    response = target.client.post(target.url(dialect, path), data=body, headers={**headers, **proof})
    text = response.get_data(as_text=True)
    allowed = {200, 201, 202, 204, 400, 401, 403, 409, 413, 415, 422}

    assert response.status_code in allowed, (response.status_code, body[:200], text)
    assert response.headers["request-id"].startswith("req_")
    assert "<html" not in text.lower() or b"<html" in body.lower()
    assert "Traceback" not in text or b"Traceback" in body
    if text:
        assert response.headers["Content-Type"].startswith(("application/json", "application/problem+json"))
        json.loads(text)


def _unpacked(body: bytes, headers: dict[str, str]) -> bytes:
    try:
        return read_body(io.BytesIO(body), None, headers.get("Content-Encoding", ""), 1_048_576)
    except Refused:
        return body


HUGE = b'{"text":"' + b"a" * 10_000_000 + b'"}'
BOMB = gzip.compress(bytes(50_000_000), 1)
TABLE: list[tuple[str, bytes, dict[str, str]]] = [
    ("empty", b"", {}),
    ("blank", b" \n\t", {}),
    ("nul", b"\x00", {}),
    ("nul escape", rb'{"text":"\u0000"}', {}),
    ("lone surrogate", rb'{"text":"\ud800\ud800"}', {}),
    ("encoded surrogate", b'{"text":"\xed\xa0\x80"}', {}),
    ("deep arrays", b"[" * 100_000, {}),
    ("deep closed arrays", b"[" * 100_000 + b"]" * 100_000, {}),
    ("deep objects", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, {}),
    ("deep in a field", b'{"value":' + b"[" * 5000 + b"]" * 5000 + b"}", {}),
    ("nan", b'{"value":NaN}', {}),
    ("infinity", b'{"value":-Infinity}', {}),
    ("1e400", b'{"value":1e400}', {}),
    ("huge integer", b'{"value":' + b"9" * 100_000 + b"}", {}),
    ("long integer", b'{"value":' + b"9" * 4000 + b"}", {}),
    ("10 MB text", HUGE, {}),
    ("10 MB gzipped", gzip.compress(HUGE, 1), {"Content-Encoding": "gzip"}),
    ("gzip bomb", BOMB, {"Content-Encoding": "gzip"}),
    ("double gzip bomb", gzip.compress(BOMB), {"Content-Encoding": "gzip, gzip"}),
    ("br bomb", brotli.compress(bytes(50_000_000), quality=1), {"Content-Encoding": "br"}),
    ("deflate bomb", zlib.compress(bytes(50_000_000), 1), {"Content-Encoding": "deflate"}),
    ("not gzip", b"{}", {"Content-Encoding": "gzip"}),
    ("unknown coding", b"{}", {"Content-Encoding": "zstd"}),
    ("duplicate keys", b'{"text":"a","text":1,"text":"b"}', {}),
    ("latin-1", '{"text":"é"}'.encode("latin-1"), {}),
    ("utf-16", '{"text":"é"}'.encode("utf-16"), {}),
    ("utf-32", '{"text":"é"}'.encode("utf-32"), {}),
    ("bom", b'\xef\xbb\xbf{"text":"a"}', {}),
    ("array", b"[{}]", {}),
    ("string", b'"text"', {}),
    ("number", b"3", {}),
    ("null", b"null", {}),
    ("form", b"text=hello&value=1", {"Content-Type": "application/x-www-form-urlencoded"}),
    ("multipart", b"--x\r\n\r\n--x--", {"Content-Type": "multipart/form-data; boundary=x"}),
    ("wrong length charset", b"{}", {"Content-Type": "application/json; charset=klingon"}),
    ("html", b"<html><script>alert(1)</script>", {"Content-Type": "text/html"}),
    ("odd key", b"{}", {"Idempotency-Key": "\xff\xfe"}),
    ("many names", json.dumps({f"k{n}": n for n in range(50_000)}).encode(), {}),
    ("proto", b'{"__proto__":{"a":1},"__class__":1,"$ref":"x"}', {}),
]


@pytest.mark.both(long=True)
@pytest.mark.parametrize(("dialect", "path"), DOORS)
def test_known_attacks(attacked: Target, dialect: str, path: str) -> None:
    """Each known attack is answered with JSON and a status below 500."""
    for name, body, headers in TABLE:
        try:
            attack(attacked, dialect, path, body, headers)
        except AssertionError as error:
            error.add_note(f"attack: {name}")
            raise


VALUES = [
    rb'"\u0000"',
    rb'"\ud800"',
    b"1e308",
    b"9" * 4000,
    b"-1",
    b"true",
    b"null",
    b"[]",
    b"{}",
    b'""',
    b'[[["x"]]]',
    b'"' + b"a" * 900_000 + b'"',
]


def replaced(sample: dict[str, Any], name: str, value: bytes) -> bytes:
    """The body with the value in the place of a field."""
    return json.dumps({**sample, name: "@@"}).encode().replace(b'"@@"', value)


@pytest.mark.parametrize(("dialect", "path"), DOORS)
def test_fields_with_hostile_values(attacked: Target, dialect: str, path: str) -> None:
    """Each hostile value in the place of some field of every door, and some in each field's, is no 5xx."""
    sample, told = samples(dialect, path)[0]
    names, most = list(sample), max(len(sample), len(VALUES))
    for number in range(2 * most):
        at = number + number // most  # the second time around each field meets another value
        value = VALUES[at % len(VALUES)]
        attack(attacked, dialect, path, replaced(sample, names[number % len(names)], value), told)


@pytest.mark.long
@pytest.mark.parametrize(("dialect", "path"), DOORS)
@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value[:12]))
def test_every_field_with_hostile_values(attacked: Target, dialect: str, path: str, value: bytes) -> None:
    """Every field of every kind of body of every door takes or refuses each hostile value."""
    for sample, told in samples(dialect, path):
        for name in sample:
            attack(attacked, dialect, path, replaced(sample, name, value), told)


def places(value: Any) -> Iterator[tuple[Any, ...]]:
    """The way to every text and number in a JSON value."""
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from ((name, *rest) for rest in places(inner))
    elif isinstance(value, str | int | float):
        yield ()


def put(value: Any, place: tuple[Any, ...], other: Any) -> Any:
    """The JSON value with another one at a place."""
    if not place:
        return other
    changed = value.copy()
    changed[place[0]] = put(value[place[0]], place[1:], other)
    return changed


@pytest.mark.both
@pytest.mark.long
@pytest.mark.parametrize(("dialect", "path"), DOORS)
def test_values_too_large_for_a_column(attacked: Target, dialect: str, path: str) -> None:
    """Long texts that nothing shortens and large numbers, at every place however deep: none is a 5xx."""
    dice = random.Random(4)
    for sample, told in samples(dialect, path):
        for place in places(sample):
            for value in (dice.randbytes(4500).hex(), 2**62, -(2**63), 2**70, 1e300):
                attack(attacked, dialect, path, json.dumps(put(sample, place, value)).encode(), told)


# Texts as attackers and broken clients make them, lone surrogates and NUL included.
HOSTILE_TEXT = st.text(st.characters(), max_size=60) | st.sampled_from(
    [
        "\x00",
        "\ud800",
        "\udfff x",
        "﷽" * 50,
        "a\u0300" * 100,
        "‮",
        "' OR 1=1 --",
        "{{7*7}}",
        "%s%n",
        "\r\nX: 1",
    ]
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, -(10**4000), 1e308, -0.0, 2**63, 2**64])
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | HOSTILE_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(HOSTILE_TEXT, inner, max_size=4),
    max_leaves=12,
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Content-Type": st.sampled_from(
            ["application/json", "text/plain", "", "application/json;charset=utf-16", "x"]
        ),
        "Idempotency-Key": st.sampled_from(["k", '"k"', "x" * 300, '"', "a b", "\xe9"]),
        "Content-Encoding": st.sampled_from(["gzip", "br", "deflate", "identity", "gzip, br", ","]),
    },
)


@st.composite
def hostile(
    draw: st.DrawFn, bodies: list[tuple[dict[str, Any], dict[str, str]]]
) -> tuple[bytes, dict[str, str]]:
    """A body and headers: raw bytes, any JSON, or a good body with fields replaced, dropped, added or cut."""
    headers = draw(HEADERS)
    kind = draw(st.sampled_from(["bytes", "json", "fields", "fields", "fields", "cut"]))
    if kind == "bytes":
        return draw(st.binary(max_size=200)), headers
    if kind == "json":
        return _dumped(draw(ANYTHING)), headers
    sample, told = draw(st.sampled_from(bodies))
    body, headers = dict(sample), {**headers, **told}
    for name in draw(st.lists(st.sampled_from(sorted(body)), max_size=3)):
        body[name] = draw(ANYTHING)
    for name in draw(st.lists(st.sampled_from(sorted(body)), max_size=1)):
        del body[name]
    body |= draw(st.dictionaries(HOSTILE_TEXT, ANYTHING, max_size=2))
    raw = _dumped(body)
    if kind == "cut":
        at = draw(st.integers(0, len(raw)))
        raw = raw[:at] + draw(st.binary(max_size=4)) + raw[at + draw(st.integers(0, 4)) :]
    coded = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress}
    encoding = headers.get("Content-Encoding", "")
    if encoding in coded and draw(st.booleans()):
        raw = coded[encoding](raw)
    return raw, headers


def _dumped(value: Any) -> bytes:
    """JSON with NaN and lone surrogates as clients would write them."""
    import sys

    sys.set_int_max_str_digits(0)
    try:
        return json.dumps(value).encode()
    finally:
        sys.set_int_max_str_digits(4300)


def made_up(attacked: Target, dialect: str, path: str, count: int) -> None:
    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(hostile(samples(dialect, path)))
    def run(request: tuple[bytes, dict[str, str]]) -> None:
        attack(attacked, dialect, path, *request)

    run()


@pytest.mark.both(long=True)
@pytest.mark.parametrize(("dialect", "path"), DOORS)
def test_made_up_attacks(attacked: Target, dialect: str, path: str) -> None:
    """Some made-up bodies a door are answered with JSON and a status below 500."""
    made_up(attacked, dialect, path, FEW)


@pytest.mark.long
@pytest.mark.parametrize(("dialect", "path"), DOORS)
def test_many_made_up_attacks(attacked: Target, dialect: str, path: str) -> None:
    """Two thousand made-up bodies a door are answered with JSON and a status below 500."""
    made_up(attacked, dialect, path, MANY)
