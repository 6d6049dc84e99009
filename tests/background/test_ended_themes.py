"""A theme that ended is told of: what it became, for as long as somebody may follow its address."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.background import ended_themes
from gateway.background.ended_themes import MOST_HEIRS, Before, ended_since

NOW, KEPT = 1_000_000, 1_000


def of(**themes: str) -> dict[str, str]:
    """The theme of each record: of(th_1="abc") has three."""
    return {record: name for name, records in themes.items() for record in records}


def now(**themes: str) -> dict[str, list[str]]:
    return {name: list(records) for name, records in themes.items()}


def test_what_it_became() -> None:
    """A theme became those that most of its records are in; with none left it became none."""
    before = Before({"a": "A", "b": "B", "c": "C"}, of(a="1234567890", b="vw", c="xyz"))
    found = ended_since(before, now(c="12345678xyz", d="90v", e="e"), NOW, KEPT)

    assert {one["lasting_id"]: one["terms"]["became"] for one in found} == {"a": ["c", "d"], "b": ["d"]}
    assert {one["lasting_id"]: one["label"] for one in found} == {"a": "A", "b": "B"}
    assert all(one["terms"]["ended_at"] == NOW for one in found)
    (gone,) = ended_since(Before({"b": "B"}, of(b="vw")), {}, NOW, KEPT)
    assert gone["terms"]["became"] == []


def test_a_handful_of_records_is_no_heir() -> None:
    """Where less than a tenth of its records went, nobody is led to."""
    before = Before({"a": "A"}, {str(number): "a" for number in range(100)})
    found = ended_since(before, {"b": [str(n) for n in range(91)], "c": ["91", "92"]}, NOW, KEPT)

    assert found[0]["terms"]["became"] == ["b"]


def test_heirs_that_end_are_followed() -> None:
    """An old address leads on through themes that ended since, and is forgotten in time."""
    old = [
        {"lasting_id": "x", "label": "X", "terms": {"ended_at": NOW - 10, "became": ["a", "b"]}},
        {"lasting_id": "y", "label": "Y", "terms": {"ended_at": NOW - KEPT, "became": ["a"]}},
    ]
    before = Before({"a": "A", "b": "B"}, of(a="12", b="34"), old)
    found = ended_since(before, now(b="123", c="4"), NOW, KEPT)

    assert {one["lasting_id"]: one["terms"]["became"] for one in found} == {"a": ["b"], "x": ["b"]}


def test_only_the_last_ones_are_kept(monkeypatch: Any) -> None:
    """There is an end to how many are told of."""
    monkeypatch.setattr(ended_themes, "MOST", 2)
    old = [
        {"lasting_id": f"x{n}", "label": "", "terms": {"ended_at": NOW - n, "became": []}} for n in (3, 1, 2)
    ]

    assert [one["lasting_id"] for one in ended_since(Before({}, {}, old), {}, NOW, KEPT)] == ["x1", "x2"]


@given(st.data())
def test_whatever_happened(data: Any) -> None:
    """Each theme that is no more is told once, none that goes on is, and heirs are there."""
    records = [f"fb_{number}" for number in range(16)]
    was = {one: f"th_{data.draw(st.integers(0, 3))}" for one in data.draw(st.sets(st.sampled_from(records)))}
    labels = {name: name.upper() for name in was.values()}
    then: dict[str, list[str]] = {}
    for one in records:
        then.setdefault(f"th_{data.draw(st.integers(2, 6))}", []).append(one)
    earlier = [{"lasting_id": "th_x", "label": "X", "terms": {"ended_at": NOW - 1, "became": sorted(labels)}}]
    found = ended_since(Before(labels, was, earlier), then, NOW, KEPT)
    told = [one["lasting_id"] for one in found]

    assert sorted(told) == sorted({*(labels.keys() - then.keys()), "th_x"})
    for one in found:
        became = one["terms"]["became"]
        assert len(became) == len(set(became)) <= MOST_HEIRS
        assert set(became) <= then.keys()
