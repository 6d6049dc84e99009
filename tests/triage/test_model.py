"""A model file is read without pickle, and a broken or foreign one is refused."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

from adapters.record import Record
from gateway import triage
from gateway.triage import sparse
from gateway.triage.arrays import Index, quantise, restore
from gateway.triage.features import key, word_keys, word_names
from gateway.triage.model import SHIPPED, Model, ModelError
from gateway.triage.sparse import Places
from gateway.triage.text import read


def copy_of_shipped(directory: Path) -> Path:
    for name in ("model.npz", "model.json"):
        (directory / name).write_bytes((SHIPPED / name).read_bytes())
    return directory


def test_the_shipped_model_is_small() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 10_000_000


def test_its_version_is_on_every_label() -> None:
    assert triage.label(Record(text="x")).model_version == triage.version()
    assert triage.version() == json.loads((SHIPPED / "model.json").read_text())["version"]


def test_a_missing_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is missing"):
        Model.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04broken", b"\x80\x04pickle"])
def test_broken_arrays_are_refused(tmp_path: Path, content: bytes) -> None:
    (copy_of_shipped(tmp_path) / "model.npz").write_bytes(content)
    with pytest.raises(ModelError, match="broken triage model"):
        Model.load(tmp_path)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": 99}', '{"format": 1}', '"x"'])
def test_a_foreign_card_is_refused(tmp_path: Path, content: str) -> None:
    (copy_of_shipped(tmp_path) / "model.json").write_text(content)
    with pytest.raises(ModelError, match="triage model"):
        Model.load(tmp_path)


def test_arrays_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    copy_of_shipped(tmp_path)
    with np.load(tmp_path / "model.npz") as file:
        arrays = {name: file[name] for name in file.files}
    arrays["bias"] = arrays["bias"][:-1]
    np.savez_compressed(tmp_path / "model.npz", **arrays)
    with pytest.raises(ModelError, match="bias"):
        Model.load(tmp_path)


def test_a_refused_model_leaves_the_one_in_use(tmp_path: Path) -> None:
    before = triage.version()
    with pytest.raises(ModelError):
        triage.load(tmp_path)
    assert triage.version() == before


def test_packed_numbers_keep_their_order_and_size() -> None:
    values = np.linspace(-3, 3, 241, dtype=np.float32).reshape(-1, 1)
    restored = restore(*quantise(values))
    assert np.abs(restored - values).max() < 0.03
    assert (np.diff(restored[:, 0]) >= 0).all()


@pytest.mark.parametrize(
    "text", ["", "the app doesn't work. not good!", "de knop werkt niet, niet mooi :(", "não 登录 ßß"]
)
def test_places_are_those_of_the_names(text: str) -> None:
    """What is looked up once and remembered is what a search for every name finds, first and second time."""
    tokens = read(text).tokens
    with np.load(SHIPPED / "model.npz") as file:
        index = Index(file["keys"][: len(file["idf"])])
    places = Places(index)
    expected = set(index.rows({key(name) for name in word_names(tokens)}).tolist())
    assert word_keys(tokens) == {key(name) for name in word_names(tokens)}
    assert places.of(tokens) == expected
    assert places.of(tokens) == expected


def test_a_full_cache_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """More new words than there is room for: one text alone, many together, the same answers."""
    whole = Model.load()
    monkeypatch.setattr(sparse, "CACHED_WORDS", 80)
    monkeypatch.setattr(sparse, "CACHED_NAMES", 50)
    small = Model.load()
    texts = [read(f"woord{chr(97 + n % 26) * 2}{chr(97 + n // 26)} crasht weer, fout") for n in range(300)]
    for text in texts:
        assert small.score(text).category == pytest.approx(whole.score(text).category, abs=1e-4)
    for start in range(0, 300, 20):
        some = texts[start : start + 20]
        for one, other in zip(small.score_all(some), whole.score_all(some), strict=True):
            assert one.category == pytest.approx(other.category, abs=1e-4)


def test_threads_get_the_answers_one_thread_gets() -> None:
    """More distinct words than the cache holds, from eight threads at once."""
    model = Model.load()
    texts = [f"woord{n} crasht{n * 7} met fout{n * 13}" for n in range(2500)]
    alone = [triage.label(Record(text=text)) for text in texts]
    found: dict[int, list[triage.Labels]] = {}

    def work(number: int) -> None:
        found[number] = [triage.label(Record(text=text)) for text in texts]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert model.version == triage.version()
    for answers in found.values():
        for one, other in zip(alone, answers, strict=True):
            assert (one.category, one.sentiment, one.impact) == (
                other.category,
                other.sentiment,
                other.impact,
            )
            assert one.category_scores == pytest.approx(other.category_scores, abs=1e-3)


def test_serving_imports_no_training_library() -> None:
    code = "import sys; from gateway import triage; triage.load(); print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_replaced_model_leaves_memory_at_once() -> None:
    """Nothing in a model refers to the model, so that no collector of circles has to find it."""
    made = Model.load()
    made.score(read("The export is broken"))
    gone = weakref.ref(made)
    gc.disable()
    try:
        del made
        assert gone() is None
    finally:
        gc.enable()
