"""generic: maps are checked by name, proofs are checked, and no JSON or expression crashes the reading."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Hook, Inbound
from adapters.contract.record import Record
from adapters.generic import ADAPTER, FIELDS, STATES, check_map, read
from tests.adapters.test_adapters import CASES, inbound_of, shown
from tests.conftest import ROOT

SECRET = "generic-3kd93kd0"
REQUESTS = {
    path.stem: json.loads(path.read_text())["request"] for path in CASES if path.parent.name == "generic"
}
PAGE = (ROOT / "docs/dialects/generic.md").read_text()
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
# Expressions that work, and ones that do damage on values of the wrong type.
EXPRESSIONS = (
    *(
        "a",
        "b",
        "@",
        "a.b",
        "*",
        "[]",
        "[0]",
        "a[?b]",
        "a[::0]",
        "keys(@)",
        "length(a)",
        "contains(a, `5`)",
        "&a",
    ),
    *("to_number(a)", "avg(a)", "sum(a)", "`1e999`", "[to_number(a), `1e999`]", "max_by(a, &b)", "sort(a)"),
    *(
        "{x: a, y: &b}",
        "join(',', a)",
        "'words'",
        "no_such(a)",
        "length(a, b)",
        "a ==",
        "",
        "map(&b, a)",
        "abs(a)",
    ),
)


def document(sent: Any, **options: Any) -> list[Record]:
    return read(Inbound("POST", "/", {}, json.dumps(sent).encode(), options=options))


def record(sent: Any, **mapping: Any) -> Record:
    (only,) = document(sent, map={"text": "'words'", **mapping})
    return only


def verified(headers: dict[str, str], *secrets: str, body: bytes = b"{}", **options: Any) -> bool:
    assert ADAPTER.signed
    hook = Hook("hk_test", "generic", secrets or (SECRET,), options=options)
    try:
        return ADAPTER.signed.verify(Inbound("POST", "/", headers, body), hook)
    except Exception:
        return False


def basic(text: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def signature(body: bytes = b"{}", secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_secret() -> None:
    """The secret is good as a bearer or as a basic password, the current one and the one rotated out."""
    assert verified({"authorization": f"Bearer {SECRET}"})
    assert verified({"authorization": f"Bearer {SECRET}"}, "new", SECRET)
    assert verified(basic(f"anyone:{SECRET}"))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": SECRET},
        {"authorization": f"Bearer {SECRET}x"},
        {"authorization": f"Bearer {SECRET}é"},
        {"authorization": "Basic %%%"},
        {"authorization": "Basic é"},
        basic(SECRET),
        basic(f"{SECRET}:wrong"),
        {"x-signature": signature()},
    ],
)
def test_bad_secret(headers: dict[str, str]) -> None:
    """A missing, malformed or foreign secret is never good."""
    assert not verified(headers)


def test_signature() -> None:
    """A hook with a signature header wants the body's HMAC there, in any case of the name, and its prefix."""
    plain: dict[str, Any] = {"signature_header": "X-Signature"}
    prefixed = {**plain, "signature_prefix": "sha256="}

    assert verified({"x-signature": signature()}, **plain)
    assert verified({"x-signature": signature(secret="old")}, "new", "old", **plain)
    assert verified({"x-signature": f"sha256={signature()}"}, **prefixed)
    assert not verified({"x-signature": signature()}, **prefixed)
    assert not verified({"authorization": f"Bearer {SECRET}"}, **plain)
    assert not verified({"authorization": f"Bearer {SECRET}"}, signature_header="")
    assert not verified({"authorization": f"Bearer {SECRET}"}, signature_header=7)


@pytest.mark.parametrize(
    "given", ["", "é", signature(b"{ }"), signature(secret="wrong"), signature()[:-1], "\udc80"]
)
def test_bad_signature(given: str) -> None:
    """A malformed, foreign or non-ASCII signature is never good."""
    assert not verified({"x-signature": given}, signature_header="X-Signature")
    assert not verified({}, signature_header="X-Signature")


def test_flipped_byte() -> None:
    """One flipped bit of the body spoils its signature."""
    body = b'{"text": "Hello"}'
    for at in range(len(body)):
        flipped = bytearray(body)
        flipped[at] ^= 1
        headers = {"x-signature": signature(body)}
        assert not verified(headers, body=bytes(flipped), signature_header="x-signature")


def test_maps_of_the_fixtures_and_of_the_page_are_good() -> None:
    """Nothing is wrong with the maps that are shown to people."""
    shown_maps = [json.loads(block.partition("```")[0]) for block in PAGE.split("```json\n")[1:]]
    maps = [request["options"]["map"] for request in REQUESTS.values() if request["options"]]

    assert shown_maps
    assert [check_map(mapping) for mapping in [*shown_maps, *maps]] == [[]] * (len(shown_maps) + len(maps))


@pytest.mark.parametrize(
    ("mapping", "field", "message"),
    [
        ([], "map", "Expected object, received array"),
        (None, "map", "Expected object, received null"),
        ({}, "text", "Required"),
        ({"text": 5}, "text", "Expected string, received number"),
        ({"text": ""}, "text", "cannot be empty"),
        ({"text": "a["}, "text", "Incomplete expression"),
        ({"text": "a", "titel": "b"}, "titel", "Unknown field"),
        ({"text": "a", "subject.": "b"}, "subject.", "Unknown field"),
        ({"text": "a", "subject": "b"}, "subject", "Unknown field"),
        ({"text": "a", "author": "b"}, "author", "Unknown field"),
        ({"text": "a", "subject.host": "b ??"}, "subject.host", "b ??"),
        ({"text": "a", "items": "shout(b)"}, "items", "Unknown function shout()"),
        ({"text": "a[?shout(b)].c | [0]"}, "text", "Unknown function shout()"),
        ({"text": "a || length(b, c)"}, "text", "length() takes 1 argument(s), received 2"),
        ({"text": "not_null()"}, "text", "not_null() takes 1 argument(s), received 0"),
        ({"text": "a" * 2001}, "text", "at most 2000"),
        ({"text": "[" * 2000}, "text", ""),
        ({"text": "a", "severity_words": "red"}, "severity_words", "Expected object, received string"),
        ({"text": "a", "severity_words": {"red": 6}}, "severity_words.red", "from 0 to 5"),
        ({"text": "a", "severity_words": {"red": True}}, "severity_words.red", "from 0 to 5"),
        ({"text": "a", "state_words": {"red": "bad"}}, "state_words.red", "triggered | acknowledged"),
        ({"text": "a", "state_words": {"red": []}}, "state_words.red", "triggered | acknowledged"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_bad_map(mapping: Any, field: str, message: str) -> None:
    """A bad map is refused by the name of what is wrong in it."""
    (fault,) = check_map(mapping)

    assert fault.field == field
    assert message in fault.message


def test_every_fault_is_named() -> None:
    """A map with several faults names them all."""
    faults = check_map({"text": "a b", "titel": "b", "state_words": {"x": "y", "z": "note"}})

    assert [fault.field for fault in faults] == ["text", "titel", "state_words.x"]


def test_variadic_functions_are_known() -> None:
    """A function that takes any number of arguments may have many."""
    assert check_map({"text": "not_null(a, b, c, 'none')"}) == []


def test_the_page_names_every_field_and_state() -> None:
    """The page's table has all fields of a map."""
    for name in (*FIELDS, *STATES, "subject.<name>", "severity_words", "state_words"):
        assert name in PAGE


@pytest.mark.parametrize(
    ("value", "words", "severity"),
    [
        (3, None, 3),
        (4.0, None, 4),
        ("2", None, 2),
        (6, None, None),
        (-1, None, None),
        (2.5, None, None),
        (True, None, None),
        ("Critical", None, 5),
        (" warn ", None, 3),
        ("so-so", None, None),
        ("so-so", {"So-So": 2}, 2),
        ("critical", {"critical": 1}, 1),
        (1, {"1": 5}, 5),
        (False, {"false": 4}, 4),
        (None, {"none": 4}, None),
        ([], {}, None),
    ],
)
def test_severity(value: Any, words: Any, severity: int | None) -> None:
    """Severity is a whole number from 0 to 5 or a word, the map's own words first."""
    extra = {"severity_words": words} if words is not None else {}

    assert record({"v": value}, severity="v", **extra).severity == severity


@pytest.mark.parametrize(
    ("value", "state"),
    [
        ("firing", "triggered"),
        ("OK", "resolved"),
        ("ack", "acknowledged"),
        ("muted", "suppressed"),
        (None, "note"),
    ],
)
def test_state(value: Any, state: str) -> None:
    """A state is a word; an unknown one only adds to the history; without an incident there is none."""
    assert record({"v": value}, state="v", incident_key="'k'").state == state
    assert record({"v": value}, state="v").state is None
    assert record({"v": value}, incident_key="'k'").state == "triggered"


@pytest.mark.parametrize(
    ("value", "at"),
    [
        (1_795_165_320, 1_795_165_320_000),
        (1_795_165_320.25, 1_795_165_320_250),
        ("1795165320", 1_795_165_320_000),
        (1_795_165_320_123, 1_795_165_320_123),
        (1_795_165_320_123_456, 1_795_165_320_123),
        (1_795_165_320_123_456_789, 1_795_165_320_123),
        ("2026-11-20T09:02:00Z", 1_795_165_320_000),
        ("2026-11-20T10:02:00.123456789+01:00", 1_795_165_320_123),
        ("2026-11-20 09:02:00 UTC", 1_795_165_320_000),
        ("soon", None),
        (-5, None),
        (10**30, None),
        (True, None),
        (None, None),
        ({}, None),
    ],
)
def test_times(value: Any, at: int | None) -> None:
    """A time is ISO 8601, or a number since the epoch whose size says its unit."""
    assert record({"v": value}, occurred_at="v").occurred_at == at


def test_keys_of_several_parts() -> None:
    """An array of scalars makes a key; a missing part leaves its place empty."""
    made = record({"a": "x", "b": 7}, dedupe_key="[a, b]", incident_key="[a, c, b]")

    assert (made.dedupe_key, made.incident_key) == ("x:7", "x::7")


@pytest.mark.parametrize(
    ("mapping", "aside"),
    [
        ({"text": "text", "author.email": "user.mail"}, False),
        ({"text": "text", "severity": "level", "severity_words": {"a || b": 4}}, False),
        ({"text": "text || title"}, True),
        ({"text": "text", "title": "join(' ', parts[].name)"}, True),
        ({"text": "text", "items": "items"}, True),
        ({"text": "a." * 20 + "text"}, True),
    ],
)
def test_only_values_under_names_are_read_where_others_wait(mapping: dict[str, Any], aside: bool) -> None:
    called = []

    def elsewhere(act: Any, *args: Any) -> Any:
        called.append(act)
        return act(*args)

    sent = {"text": "It hangs.", "items": [{"text": "It hangs."}], "parts": []}
    for _ in range(20):
        sent = {**sent, "a": {"text": "It hangs.", **sent}}
    inbound = Inbound("POST", "/", {}, json.dumps(sent).encode(), aside=elsewhere)
    inbound.options["map"] = mapping

    assert read(inbound)
    assert bool(called) == aside


def test_too_many_items() -> None:
    """A delivery of more than a thousand items is kept as unreadable."""
    sent = [{"t": "x"}] * 1001
    inbound = Inbound(
        "POST", "/", {}, json.dumps(sent).encode(), options={"map": {"items": "@", "text": "t"}}
    )
    (kept,) = ADAPTER.doors[0].read(inbound)

    assert kept.unreadable == "items: Array must contain at most 1000 item(s)"
    assert len(document(sent[1:], map={"items": "@", "text": "t"})) == 1000


@pytest.mark.parametrize(
    "bad", ["contains(a, `5`)", "to_number(a)", "avg(b)", "&a", "a[::0]", "[`1e999`]", "no_such(a)"]
)
def test_what_the_library_lets_through(bad: str) -> None:
    """Whatever an expression raises or makes that is no JSON is kept as unreadable, by the field's name."""
    sent = {"a": "1e999", "b": [10**400, 1]}
    inbound = Inbound(
        "POST", "/", {}, json.dumps(sent).encode(), options={"map": {"text": "a", "subject.x": bad}}
    )
    (kept,) = ADAPTER.doors[0].read(inbound)

    if bad == "a[::0]":  # no array, so nothing is found
        assert kept.subject == {}
    else:
        assert (kept.unreadable or "").startswith("subject.x: ")


@settings(max_examples=200, deadline=None)
@given(
    sent=JSON | st.fixed_dictionaries({"a": JSON, "b": JSON}),
    mapping=st.dictionaries(
        st.sampled_from((*FIELDS, "subject.x", "subject.y")), st.sampled_from(EXPRESSIONS), max_size=6
    ),
    words=st.dictionaries(st.text(max_size=4), JSON, max_size=2),
)
def test_any_json_under_any_map(sent: Any, mapping: dict[str, str], words: dict[str, Any]) -> None:
    """Any JSON under any map becomes records that are JSON, or is kept as unreadable."""
    options = {"map": {"text": "a", **mapping, "severity_words": words, "state_words": words}}
    check_map(options["map"])
    for made in ADAPTER.doors[0].read(Inbound("POST", "/", {}, json.dumps(sent).encode(), options=options)):
        json.dumps(shown(made), allow_nan=False)
        assert made.unreadable or made.text.strip()


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_json_under_the_maps_of_the_fixtures(data: st.DataObject) -> None:
    """Whatever is posted under a sensible map becomes records that are JSON, or is kept as unreadable."""
    mapped = [r for r in REQUESTS.values() if isinstance(r.get("json"), dict) and r["options"]]
    request = data.draw(st.sampled_from(mapped))
    sent = {name: data.draw(JSON | st.just(value)) for name, value in request["json"].items()}
    for made in ADAPTER.doors[0].read(inbound_of({**request, "json": sent})):
        json.dumps(shown(made), allow_nan=False)


@settings(max_examples=100, deadline=None)
@given(options=st.fixed_dictionaries({"map": JSON}))
def test_any_options(options: dict[str, Any]) -> None:
    """Options that nobody checked do not crash the reading either."""
    for made in ADAPTER.doors[0].read(Inbound("POST", "/", {}, b'{"a": 1}', options=options)):
        json.dumps(shown(made), allow_nan=False)
