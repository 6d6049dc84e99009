"""A model file is read without pickle, and a broken or foreign one is refused."""

from __future__ import annotations

import errno
import gc
import itertools
import json
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

from adapters.contract.record import Record
from gateway import triage
from gateway.triage.arrays import quantise, restore
from gateway.triage.model import SHIPPED, TOGETHER, Model, ModelError, Scores
from gateway.triage.tokenizer import BUDGET, BUDGET_TAIL, MAX_TOKENS, read
from gateway.triage.training.install import install
from gateway.triage.vocabulary import ROOM


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


def small_model(monkeypatch: pytest.MonkeyPatch, room: int) -> Model:
    """The shipped model with room for so few new words."""
    monkeypatch.setattr("gateway.triage.vocabulary.ROOM", room)
    monkeypatch.setattr("gateway.triage.model.ROOM", room)
    return Model.load()


def test_a_full_vocabulary_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """More new words than there is room for: one text alone, many together, the same answers."""
    whole = Model.load()
    small = small_model(monkeypatch, 130)
    texts = [read(f"woord{chr(97 + n % 26) * 2}{chr(97 + n // 26)} crasht weer, fout") for n in range(300)]
    reports = [read(f"{text.words}\nwerkt niet") for text in texts]
    for text in texts + reports:
        assert small.score(text).category == pytest.approx(whole.score(text).category, abs=1e-4)
    for start in range(0, 600, 20):
        some = (texts + reports)[start : start + 20]
        for one, other in zip(small.score_all(some), whole.score_all(some), strict=True):
            assert one.category == pytest.approx(other.category, abs=1e-4)


def test_there_is_room_for_what_is_looked_up_together() -> None:
    """A vocabulary that is empty never is too small for as many texts as are scored at once."""
    assert (MAX_TOKENS + 1) * TOGETHER + 2 <= ROOM
    assert BUDGET + BUDGET_TAIL <= MAX_TOKENS * 2  # a token and a blank, of short ones


@pytest.mark.long
def test_threads_get_the_answers_one_thread_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    """More distinct words than there is room for, from eight threads at once."""
    words = [f"{chr(97 + n // 26 % 26)}{chr(97 + n % 26)}{chr(97 + n // 676)}nd" for n in range(700)]
    texts = [read(f"{word} crasht met fout en {word}er") for word in words]
    alone = list(map(Model.load().score, texts))
    model = small_model(monkeypatch, 300)
    found: dict[int, list[Scores]] = {}

    def work(number: int) -> None:
        found[number] = list(map(model.score, texts))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answers in found.values():
        for one, other in zip(alone, answers, strict=True):
            assert one.category == pytest.approx(other.category, abs=1e-4)
            assert one.sentiment == pytest.approx(other.sentiment, abs=1e-4)


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


@pytest.mark.parametrize("how", ["full", "killed"])
def test_installing_breaks_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Whenever it does, there is one whole model, and the next run finishes and leaves nothing else."""
    old = install(triage.SHIPPED, tmp_path, {})
    new = {**old, "corrections": 5}
    sync, left = os.fsync, [0]

    class Killed(BaseException):
        """The process is no more."""

    def breaking(number: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device") if how == "full" else Killed
        sync(number)

    monkeypatch.setattr("gateway.triage.training.install.Model.load", lambda made: None)
    monkeypatch.setattr("gateway.triage.training.install.os.fsync", breaking)
    for at in itertools.count(1):
        left[0] = at
        try:
            install(triage.SHIPPED, tmp_path, {"corrections": 5})
        except (OSError, Killed):
            card = json.loads((tmp_path / "model.json").read_text())
            assert card in (old, new)
            assert (tmp_path / card["arrays"]).exists()
            assert how == "killed" or not list(tmp_path.glob("*.new"))
        else:
            break
    assert at == 4
    assert json.loads((tmp_path / "model.json").read_text()) == new
    assert not list(tmp_path.glob("*.new"))
