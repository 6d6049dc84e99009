"""What people overrule is learnt, measured on texts held out, and installed only when it does no harm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from flask import Flask

from adapters.contract.record import Record
from gateway import triage
from gateway.access import bootstrap
from gateway.app import create_app
from gateway.cli.triage import train
from gateway.core.config import Config
from gateway.triage.arrays import Index, restore, unit_parts, with_length
from gateway.triage.features import word_names
from gateway.triage.model import Model, ModelError
from gateway.triage.tokenizer import read
from gateway.triage.training import gate
from gateway.triage.training.corrections import Correction, corrections, to_measure, training_rows
from gateway.triage.training.install import install, roll_back
from gateway.triage.training.refit import Vectors
from gateway.triage.training.seeds import sentences
from models.database.base import close
from models.intake import commit
from tests.conftest import PLENTY, Call, make_tenant

PLACES = (
    *(
        "Utrecht",
        "Almere",
        "Gouda",
        "Delft",
        "Assen",
        "Zwolle",
        "Venlo",
        "Breda",
        "Tilburg",
        "Hoorn",
        "Sneek",
    ),
    *("Meppel", "Goes", "Ede", "Weert", "Roermond", "Helmond", "Oss", "Tiel", "Zeist", "Hilversum"),
    *("Lelystad", "Emmen", "Alkmaar", "Nijmegen"),
)
BOARDS = [f"The planning board of {place} shows weeks instead of days" for place in PLACES]
CHARGERS = [f"Laadpaal {place} staat weer op storing sinds gisteren" for place in PLACES]
# Said otherwise, never corrected.
LIKE_THEM = [f"In {place} the planning board shows days, not weeks" for place in PLACES]
FLIPPED = {"bug": "praise", "praise": "bug", "feature": "other", "question": "bug", "other": "feature"}


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(train, [str(word) for word in words])


def categories(texts: list[str]) -> list[str]:
    return [triage.label(Record(text=text)).category for text in texts]


def rows(texts: list[str], category: str, origin: str = "corrected") -> list[dict[str, Any]]:
    """Rows of feedback whose category people gave."""
    same = {"title": "", "language": None, "category": category, "category_origin": origin}
    return [same | {"text": text, "sentiment": "neutral", "sentiment_origin": "predicted"} for text in texts]


def served(model: Path, text: str) -> Any:
    """The record that a gateway with GATEWAY_MODEL makes of a text."""
    database = f"sqlite:///{model.parent}/{model.name}.db"
    app = create_app(Config(database_url=database, model=str(model), rate_limit=PLENTY, log_level="error"))
    headers = {"Authorization": f"Bearer {bootstrap.initialise(None, None)['key']}"}
    made = app.test_client().post("/gateway/v1/feedback", json={"text": text}, headers=headers).json
    commit.stop()
    close()
    return made


@pytest.fixture(name="overruled")
def _overruled(app: Flask, call: Call, config: Config) -> str:
    """The URL of a database in which people overruled fifty categories."""
    for texts, category in ((BOARDS, "feature"), (CHARGERS, "question")):
        for text in texts:
            made = call("POST", "/gateway/v1/feedback", json={"text": text}).json
            assert made["category"] != category
            assert (
                call("PATCH", f"/gateway/v1/feedback/{made['id']}", json={"category": category}).status_code
                == 200
            )
    commit.stop()
    close()
    return config.database_url


@pytest.fixture(name="flipped")
def _flipped(monkeypatch: pytest.MonkeyPatch) -> list[Correction]:
    """Some three hundred plain sentences that somebody gave a wrong category, as if the database had them."""
    chosen = [row for row in sentences(60) if row[0] in ("en", "nl")][::2]
    poison = [Correction(f"{text} today", name, FLIPPED[category]) for name, category, _, text in chosen]
    found = "gateway.triage.training.corrections.read_labelled"
    monkeypatch.setattr(found, lambda url, workspace: (poison, []))
    monkeypatch.setattr("gateway.triage.training.learn.STIFFNESS", (0.1,))  # the others fail like it, in time
    return poison


@pytest.fixture(autouse=True)
def _again(shipped_again: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer sentences than people are judged by: enough to see the same."""
    monkeypatch.setattr(gate, "SENTENCES_PER_GROUP", 20)
    monkeypatch.setattr(gate, "WORDINGS", 1)


@pytest.mark.long
def test_the_shipped_model_learns_corrections_without_data(overruled: str, tmp_path: Path) -> None:
    """Fifty corrected texts get their labels, others like them too, and what was held out stays as good."""
    assert categories(LIKE_THEM).count("feature") == 0
    out = tmp_path / "model"
    done = run("--corrections", overruled, "--out", out, "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)

    assert told["installed"]
    learnt, held_out = told["corrections"]
    assert (learnt["corrections"], learnt["count"], learnt["old"]) == ("learnt", 50, 0)
    assert learnt["new"] >= 45
    assert held_out["corrections"] == "held out"
    assert held_out["count"] >= 5
    assert min(one["difference"] for one in told["held_out"]) >= -0.01
    triage.load(out)
    assert triage.version() == told["version"] != told["old_version"]
    assert categories(BOARDS).count("feature") >= 23
    assert categories(LIKE_THEM).count("feature") >= 20
    record = served(out, LIKE_THEM[0])
    assert (record["category"], record["model_version"]) == ("feature", told["version"])


def test_a_broken_model_stops_the_start(tmp_path: Path) -> None:
    """With a line that says which file."""
    with pytest.raises(ModelError, match=f"{tmp_path}/model.json is missing"):
        create_app(Config(database_url=f"sqlite:///{tmp_path}/gateway.db", model=str(tmp_path)))


@pytest.mark.long
def test_an_installed_model_can_be_rolled_back(trained: Path, tmp_path: Path) -> None:
    """To the one before, and forth again."""
    shipped, first = Model.load(triage.SHIPPED).version, Model.load(trained).version
    install(triage.SHIPPED, tmp_path, {})
    assert "no earlier model" in run("--out", tmp_path, "--rollback").stderr
    install(trained, tmp_path, {})

    assert Model.load(tmp_path).version == first
    assert json.loads(run("--out", tmp_path, "--rollback").stdout)["version"] == shipped
    assert Model.load(tmp_path).version == shipped
    assert roll_back(tmp_path)["version"] == first == Model.load(tmp_path).version


def test_only_the_two_models_are_kept(tmp_path: Path) -> None:
    """The arrays of a third one go."""
    for number in range(3):
        install(triage.SHIPPED, tmp_path, {"corrections": number})
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".json", ".npz"]
    (tmp_path / "previous.json").write_text('{"format": 1}')
    with pytest.raises(ModelError):
        roll_back(tmp_path)
    assert Model.load(tmp_path).version


@pytest.mark.long
def test_corrections_against_everything_else_are_refused(flipped: list[Correction], tmp_path: Path) -> None:
    """Nothing is installed, the exit code is 1 and the numbers are shown."""
    done = run("--corrections", "--out", tmp_path / "model")
    assert done.exit_code == 1
    assert not (tmp_path / "model").exists()
    assert "not installed" in done.stderr
    assert "category, learnt" in done.stdout
    assert "category own sentences" in done.stdout


@pytest.mark.long
def test_a_model_trained_from_data_learns_corrections(
    overruled: str, data: Path, trained: Path, tmp_path: Path
) -> None:
    """Trained anew with them, judged on the data's held-out parts against the model that was there."""
    install(trained, tmp_path, {})
    triage.load(tmp_path)
    before = categories(BOARDS)
    done = run("--data", data, "--corrections", overruled, "--out", tmp_path, "--json")
    told = json.loads(done.stdout)

    if done.exit_code == 0:
        triage.load(tmp_path)
        assert categories(BOARDS).count("feature") > before.count("feature")
        assert categories(BOARDS).count("feature") >= 20
        assert not any(one["too_much"] for one in told["held_out"])
    else:
        assert told["refusal"].startswith("macro-F1 falls")
        assert Model.load(tmp_path).version == told["old_version"]


@pytest.mark.long
def test_poisoned_corrections_are_refused(
    flipped: list[Correction], data: Path, trained: Path, tmp_path: Path
) -> None:
    """The model and every file of it stay as they were, and what was lost is told."""
    install(trained, tmp_path, {})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    done = run("--data", data, "--corrections", "--out", tmp_path)
    assert done.exit_code == 1
    assert "category held_out" in done.stdout
    assert "macro-F1 falls by more than 0.01: category held_out" in done.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.long
def test_a_model_from_data_is_not_replaced_by_a_moved_one(
    overruled: str, trained: Path, tmp_path: Path
) -> None:
    install(trained, tmp_path, {})
    done = run("--corrections", overruled, "--out", tmp_path)
    assert done.exit_code == 1
    assert "trained from data" in done.stderr


def test_without_corrections_or_a_database_there_is_nothing_to_learn(tmp_path: Path, config: Config) -> None:
    create_app(config)
    make_tenant()
    commit.stop()
    close()
    done = run("--corrections", config.database_url, "--out", tmp_path / "model")
    assert (done.exit_code, "nobody has overruled" in done.stderr) == (1, True)
    done = run("--corrections", f"sqlite:///{tmp_path}/none.db", "--out", tmp_path / "model")
    assert (done.exit_code, "no database at" in done.stderr) == (1, True)
    assert not (tmp_path / "none.db").exists()
    assert run("--out", tmp_path).exit_code == 2


def test_a_text_counts_once_with_the_newest_answer() -> None:
    """Numbers, case and marks make no other text; texts without words teach nothing."""
    found = corrections(
        [*rows(["Order 17 is late!", "??? 12"], "bug"), *rows(["order 4 is late!"], "question")], "corrected"
    )
    assert found == [Correction("Order 17 is late!", None, "bug")]


def test_a_title_made_from_the_text_is_not_read_twice() -> None:
    text = "One long line of words " * 8
    (one,) = corrections(
        [rows([text], "bug")[0] | {"title": text[:100].rsplit(" ", 1)[0] + "…"}], "corrected"
    )
    assert one.text == text
    (one,) = corrections([rows([text], "bug")[0] | {"title": "Of its own"}], "corrected")
    assert one.text == f"Of its own\n{text}"


def test_one_in_five_measures() -> None:
    """Chosen by the text, and only when there are enough."""
    many = [Correction(text, None, "bug") for text in BOARDS + CHARGERS]
    assert 5 <= len(to_measure(many)) <= 15
    assert to_measure(many[:10]) == []


def test_experts_learn_what_they_would_be_asked() -> None:
    model = Model.load()
    report = "Crash on start\n\n### Steps to reproduce\n1. Open it\n2. Look\n\n### Expected\nNo crash\n" * 3
    given = [
        Correction(report, "en", "bug", "negative"),
        Correction("Mooi gedaan", "nl", "praise", "positive"),
    ]
    found = training_rows(given, model)
    assert [row.label for row in found["category"]] == ["bug", "praise"]
    assert [row.text for row in found["issue"]] == [report]
    assert all(0 <= row.weight <= found["category"][0].weight for row in found["sentiment_github"])


def test_vectors_are_what_a_model_multiplies() -> None:
    """Rows times the restored weights are the sum of what each word adds to the outputs."""
    with np.load(triage.SHIPPED / "model.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    texts = [read("the app doesn't work, not good!"), read("de knop werkt niet"), read("???")]
    vectors = Vectors(arrays)
    weights = restore(arrays["weights"], arrays["scale"])[: len(vectors.idf)]
    table, index = with_length(weights, vectors.idf), Index(arrays["keys"][: len(vectors.idf)])
    for text, outputs in zip(texts, vectors.matrix(texts) @ weights, strict=True):
        parts = unit_parts(table, index, {name: name for name in word_names(text.tokens)})
        assert outputs == pytest.approx(np.zeros(weights.shape[1]) + sum(row for _, row in parts), abs=1e-4)


def test_small_sets_decide_nothing_alone() -> None:
    """One answer among fewer than a hundred is more than the gate allows."""
    small, large = gate.Measure("a", 15, 0.9, 0.8), gate.Measure("b", 400, 0.9, 0.88)
    assert gate.refusal([small], 5, 5) == ""
    assert gate.refusal([gate.Measure("category held_out", 15, 0.9, 0.8)], 5, 5)
    assert gate.refusal([small, large], 5, 5) == "macro-F1 falls by more than 0.01: b 0.900 to 0.880"
    assert gate.refusal([], 2, 5) == "only 2 of 5 corrections were learnt"
    assert "too much" in gate.table([large])
