"""Training and evaluation run end to end on a small data directory of the project's own sentences."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from adapters.contract import Record
from gateway import triage
from gateway.triage.commands import evaluate, train
from gateway.triage.training import protocols
from gateway.triage.training import rows as sources
from gateway.triage.training.metrics import calibration_error, confusion, macro_f1
from gateway.triage.training.rows import Row, distinct, fingerprint, held_out
from gateway.triage.training.seeds import parse, sentences
from gateway.triage.training.translation import Translator

CATEGORY = ("maalej", "gplay8000", "vu_appstore", "scalabrino_rq1")
SENTIMENT = (
    "android_apps vu_appstore tweeteval potts germeval2017_dev pattern_nl pattern_fr pattern_de absa16_nl "
    "se_github se_jira se_pr se_javalib se_codereview"
)


def write(path: Path, rows: Iterable[dict[str, str]]) -> None:
    rows = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory as `train` expects it, every file small."""
    directory: Path = tmp_path_factory.mktemp("data")
    seeds = [row for row in sentences(60) if row[0] in ("en", "nl")]
    for index, name in enumerate(CATEGORY):
        chosen = seeds[index::5]
        write(
            directory / f"cat_{name}.csv",
            ({"text": t, "label": c, "lang": s, "source": name} for s, c, _, t in chosen),
        )
    for index, name in enumerate(SENTIMENT.split()):
        rows = [
            {"text": f"{t} {name}", "label": m, "lang": s, "source": name, "fold": str(number % 2)}
            for number, (s, _, m, t) in enumerate(seeds[index::4])
        ]
        write(directory / f"sent_{name}.csv", rows)
    for name in ("sent_senti4sd", "sent_umsab", "cat_nlbse24", "cat_vscode_kong", "cat_templates_nl"):
        rows = []
        for number, (language, category, mood, text) in enumerate(seeds[::2]):
            sentiment = name.startswith("sent")
            if not sentiment and category not in ("bug", "feature", "question"):
                continue
            label = mood if sentiment else category
            split = "test" if number % 3 == 0 else "train"
            spoken = ("en", "de", "fr", "es")[number % 4] if name == "sent_umsab" else language
            body = text if sentiment else f"{text}\n### Steps\n{text} {text}"
            rows.append({"text": body, "label": label, "lang": spoken, "source": name, "split": split})
            rows[-1] |= {"repo": f"repo{number % 5}"} if name == "cat_nlbse24" else {}
        write(directory / f"{name}.csv", rows)
    levels = ("blocker", "critical", "major", "minor", "trivial", "normal")
    bugs = [text for _, category, _, text in seeds if category == "bug"]
    titles = ({"text": t, "label": levels[i % 6], "lang": "en", "source": "bugs"} for i, t in enumerate(bugs))
    write(directory / "sev_bugzilla_titles.csv", titles)
    words = {"en": "crash", "nl": "crasht", "nl_score": "0.9", "de": "absturz|fehler", "de_score": "0.7|0.2"}
    words |= {"fr": "plante", "fr_score": "manual", "es": "", "es_score": ""}
    write(directory / "lexicon_en_xx.csv", [words])
    write(directory / "lexicon_valence.csv", [{"lang": "en", "term": "great", "valence": "0.8"}])
    return directory


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory: Path = tmp_path_factory.mktemp("trained")
    made = CliRunner().invoke(train, ["--data", str(data), "--out", str(directory)])
    assert made.exit_code == 0, made.stderr
    assert json.loads(made.stdout)["out"] == str(directory)
    return directory


@pytest.fixture
def shipped_again() -> Iterator[str]:
    """The version of the shipped model, which is in use again afterwards."""
    version = triage.version()
    yield version
    triage.load(triage.SHIPPED)
    assert triage.version() == version


def test_a_model_is_judged_on_texts_it_never_saw(data: Path, trained: Path, shipped_again: str) -> None:
    judged = CliRunner().invoke(evaluate, ["--data", str(data), "--model", str(trained), "--json"])
    assert judged.exit_code == 0, judged.stderr
    scores = json.loads(judged.stdout)
    assert scores["category"]["nlbse24_test"]["macro_f1"] > 0.5
    assert set(scores["sentiment"]) >= {"senti4sd_test", "umsab_mean"}
    assert "calibration_error" in scores["category"]["held_out"]
    assert triage.label(Record(text="the app crashes")).model_version != shipped_again


@pytest.mark.long
def test_the_same_data_give_the_same_model(data: Path, trained: Path, tmp_path: Path) -> None:
    CliRunner().invoke(train, ["--data", str(data), "--out", str(tmp_path)])
    for name in ("model.npz", "model.json"):
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()


@pytest.mark.long
def test_sets_and_folds_are_scored_by_models_of_their_own(data: Path) -> None:
    left_out = protocols.leave_one_set_out(data, print)
    assert set(left_out) == {*CATEGORY, "mean"}
    assert set(protocols.official_folds(data, print)) == {"se_github", "se_jira"}


def test_missing_columns_are_named(tmp_path: Path) -> None:
    (tmp_path / "lexicon_valence.csv").write_text("lang,term\nen,great\n")
    result = CliRunner().invoke(train, ["--data", str(tmp_path), "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "valence" in result.stderr


def test_copies_of_a_text_stay_on_one_side() -> None:
    """Case, marks and spaces make no other text."""
    assert fingerprint("The App crashes!") == fingerprint("the app  crashes")
    one, other = Row("The App crashes!", "bug", "en", "a"), Row("the app  crashes", "bug", "en", "b")
    assert held_out(one) == held_out(other)
    assert distinct([one, other]) == [one]


def test_sets_with_a_test_split_keep_all_other_rows() -> None:
    rows = [Row(f"text {number}", "bug", "en", "a", split="train") for number in range(100)]
    assert not any(held_out(row) for row in rows)
    assert sources.training_part(rows) == rows


def test_sentences_are_always_the_same() -> None:
    assert list(sentences(30)) == list(sentences(30))
    assert {language for language, *_ in sentences(5)} == {"en", "nl", "de", "fr", "es"}
    assert not any("{" in text for *_, text in sentences(30))


def test_a_stray_line_in_a_seed_file_is_refused() -> None:
    with pytest.raises(ValueError, match="stray"):
        parse("a = b\nstray\n[bug negative]\nit broke")


def test_known_words_are_translated_in_any_form(data: Path) -> None:
    import random

    dutch = Translator(data / "lexicon_en_xx.csv", "nl")
    assert dutch.translate("It crashes, Crashed!", random.Random(1)) == "it crasht , crasht !"
    spanish = Translator(data / "lexicon_en_xx.csv", "es")
    assert spanish.translate("It crashes", random.Random(1)) == "it crashes"


def test_measures() -> None:
    assert macro_f1(["a", "b", "b"], ["a", "b", "a"]) == pytest.approx(2 / 3, abs=1e-3)
    assert calibration_error([True, False], [0.95, 0.95]) == pytest.approx(0.45)
    assert confusion(["a", "b", "b"], ["a", "a", "b"]) == {"a": {"a": 1}, "b": {"a": 1, "b": 1}}
