"""Training and evaluation run end to end on a small data directory of the project's own sentences."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from adapters.contract.record import Record
from gateway import triage
from gateway.cli.triage import evaluate, train
from gateway.triage.training import protocols
from gateway.triage.training import rows as sources
from gateway.triage.training.pools import EXPERTS, category_row, read_pools
from gateway.triage.training.rows import Row, distinct, fingerprint, held_out
from gateway.triage.training.scoring import calibration_error, confusion, macro_f1
from gateway.triage.training.seeds import parse, sentences
from gateway.triage.training.translation import Translator
from tests.triage.small_data import CATEGORY


@pytest.mark.long
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


def test_the_category_of_few_words_is_learnt_from_what_is_short() -> None:
    """Of the sentences by kinds of error; what is longer, and other sentences, count as they are."""
    short, long = (
        Row("never loads", "bug", "en", "kinds", 2.0),
        Row("it never loads here", "bug", "en", "kinds"),
    )
    assert category_row(short).weight > short.weight
    assert category_row(long) is long
    assert category_row(plain := replace(short, source="seeds")) is plain


def test_short_reports_of_users_are_no_talk_of_experts(data: Path) -> None:
    pool = read_pools(data).train["domain"]
    learnt = {row.text: row.label for row in pool if row.source == "kinds"}
    assert learnt and set(learnt.values()) == {"general"}
    assert {row.label for row in pool} >= set(EXPERTS) | {"general", "issue"}


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
