"""Expressions of strangers find what JMESPath finds, and take and make no more than they may."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.common import jmespath_expressions
from adapters.common.jmespath_expressions import LONGEST, Search, faults_of
from adapters.contract import Inbound, Refused
from adapters.generic import MOST_FIELDS, check_map, read
from tests.adapters.test_generic import EXPRESSIONS, JSON

# Each doubles, multiplies or repeats what it is given, as often as it is written.
GROWING = (
    "[@,@]",
    "{a:@,b:@}",
    "[@,@][]",
    "[@,@]|[]",
    "*.[@,@]|[]",
    "map(&[@,@],to_array(@))",
    "[to_string(@)]",
    "[to_string(@),to_string(@)]",
    "[join(to_string(@),['','',''])]",
    "[@[],@[]]",
    "(@||@)|[@,@]",
    "[?[@,@]]",
    "[@==@,@]",
    "merge({a:@},{b:@})",
    "[sort(to_array(to_string(@)))]",
    "[reverse(to_string(@))]",
    "sort_by(to_array([@,@]),&to_string(@))",
)
# One by one they are harmless, and written side by side each sees the whole delivery.
WIDE = (
    "@",
    "to_string(@)",
    "length(to_string(@))",
    "[*].[@]",
    "@==@",
    "[*].[@]|[*].[@]",
    "join(a,b)",
    "sort(b)",
)


def chained(piece: str) -> str:
    return "|".join([piece] * ((LONGEST + 1) // (len(piece) + 1)))


def nested(piece: str) -> str:
    before, hole, after = piece.partition("@")
    times = LONGEST // max(1, len(before) + len(after))
    return before * times + hole + after * times


def side_by_side(piece: str) -> str:
    return f"[{','.join([piece] * ((LONGEST - 1) // (len(piece) + 1)))}]"


def calls(act: Callable[[], object]) -> int:
    """How many calls of Python functions something takes."""
    count = 0

    def seen(frame: Any, event: str, arg: Any) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        act()
    finally:
        sys.setprofile(before)
    return count


HOSTILE = [
    pytest.param(way(piece), id=f"{way.__name__}-{piece}")
    for way, pieces in ((chained, GROWING), (nested, GROWING[:6]), (side_by_side, (*WIDE, *GROWING)))
    for piece in pieces
]


@pytest.mark.parametrize("expression", HOSTILE)
@pytest.mark.parametrize("sent", [[1, 2], {"a": "x" * 20, "b": ["y"] * 20}], ids=["list", "object"])
def test_growth_is_bounded(expression: str, sent: Any) -> None:
    """However an expression grows what it is given, its steps and its result stay within the bounds."""
    size = len(json.dumps(sent))
    results: list[Any] = []

    def find() -> None:
        try:
            results.append(Search(sent).find(expression, sent))
        except ValueError as error:
            assert str(error).startswith(("Must", "Takes", "Makes", "In function"))

    taken = calls(find)
    most = jmespath_expressions.STEPS + jmespath_expressions.STEPS_PER_WEIGHT * size

    assert taken < 10 * most
    assert all(
        len(json.dumps(result))
        < 12 * (jmespath_expressions.WEIGHT + jmespath_expressions.WEIGHT_PER_WEIGHT * size)
        for result in results
    )


@pytest.mark.parametrize("piece", GROWING[:4])
def test_growth_is_refused_when_it_is_saved(piece: str) -> None:
    """An expression that doubles what it is given again and again is refused by its field's name."""
    (fault,) = check_map({"text": "a", "url": chained(piece)})

    assert fault.field == "url"
    assert fault.message.startswith("Must")


@pytest.mark.parametrize(
    ("expression", "sent", "why"),
    [
        ("|".join(["[@,@]"] * 12), [1], "Must not ask"),
        ("|".join(["a"] * 120), [1], "Must be nested"),
        (f"[{','.join(['length([*])'] * 150)}]", [1] * 5000, "Takes more"),
        (f"[{','.join(['@==@'] * 330)}]", "x" * 600_000, "Takes more"),
        ("|".join(["[@,@]"] * 9), ["x" * 2000], "Makes more"),
    ],
)
def test_every_bound_is_met(expression: str, sent: Any, why: str) -> None:
    """Each bound refuses what the others let through; what can be seen before is refused when it is saved."""
    with pytest.raises(ValueError, match=f"^{why}"):
        Search(sent).find(expression, sent)

    assert [fault[: len(why)] for fault in faults_of(expression)] == [why] * why.startswith("Must")


def test_maps_saved_before() -> None:
    """A map that is too large, or has such an expression, makes nothing of a delivery and is named."""
    for mapping, name in (
        ({"text": "@", "url": chained("[@,@]")}, "url"),
        ({"text": "@", **{f"subject.a{n}": "@" for n in range(MOST_FIELDS)}}, "map"),
        ({"text": "@", "severity_words": {str(n): 1 for n in range(MOST_FIELDS + 1)}}, "severity_words"),
    ):
        inbound = Inbound("POST", "/", {}, b'["x"]', options={"map": mapping})
        with pytest.raises(Refused) as refused:
            read(inbound)

        assert [fault.field for fault in refused.value.problem.faults] == [name]
        assert name in {fault.field for fault in check_map(mapping)}


@pytest.mark.parametrize(
    ("mapping", "sent"),
    [
        ({f"subject.a{n}": "@" for n in range(90)}, ["x" * 60_000]),
        ({"subject.a": "join(a, b)"}, {"a": "x" * 30_000, "b": ["y"] * 10_000}),
        ({"subject.a": "[*].['" + "x" * 1900 + "']"}, [1] * 30_000),
    ],
)
def test_a_record_is_hardly_larger_than_its_delivery(mapping: dict[str, str], sent: Any) -> None:
    """Many fields, glue and constants do not multiply a delivery: what is made too large is refused."""
    body = json.dumps(sent).encode()
    inbound = Inbound("POST", "/", {}, body, options={"map": {"text": "'t'", **mapping}})
    with pytest.raises(Refused, match="Makes more than"):
        read(inbound)


def test_items_are_hardly_larger_than_their_delivery() -> None:
    """Of items that become too large together the first are read, and the rest is held."""
    mapping = {"items": "@", "text": "'t'", **{f"subject.a{n}": "@" for n in range(90)}}
    body = json.dumps(["x" * 600] * 100).encode()
    *records, held = read(Inbound("POST", "/", {}, body, options={"map": mapping}))

    assert 0 < sum(len(value) for record in records for value in record.subject.values()) < 20 * len(body)
    assert held.unreadable and "Makes more than" in held.unreadable


def test_what_deliveries_need() -> None:
    """A thousand items, each with twenty fields of several parts, are within the bounds."""
    fields = {f"subject.f{n}": "join(' - ', [a.b || 'none', c.d || 'none'])" for n in range(20)}
    body = json.dumps([{"a": {"b": "x"}}] * 1000).encode()
    inbound = Inbound("POST", "/", {}, body, options={"map": {"items": "@", "text": "a.b", **fields}})

    assert len(read(inbound)) == 1000


@settings(max_examples=80, deadline=None)
@given(
    sent=JSON | st.fixed_dictionaries({"a": JSON, "b": JSON}),
    parts=st.lists(st.sampled_from((*EXPRESSIONS, *GROWING)), min_size=1, max_size=3),
)
def test_finds_what_jmespath_finds(sent: Any, parts: list[str]) -> None:
    """An expression within the bounds finds the same as without them."""
    expression = "|".join(parts)
    try:
        found = Search(sent).find(expression, sent)
    except ValueError:
        return
    assert str(found).count(" object at ") or found == jmespath.search(expression, sent)
    assert faults_of(expression) == []
