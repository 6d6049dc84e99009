"""A model is judged by set, class and language, and docs/triage.md shows what was measured, nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway import triage
from gateway.cli.triage import evaluate
from gateway.triage.training import report
from gateway.triage.training.error_kinds import tables
from gateway.triage.training.heldout import held_out_sets
from gateway.triage.training.model_file import digests
from gateway.triage.training.report import NoMarkers
from gateway.triage.training.scoring import reliability
from tests.conftest import ROOT
from tests.triage.small_data import write
from tests.triage.test_kinds import KINDS

PAGE = ROOT / "docs/triage.md"
SCORES = triage.SHIPPED / "scores.json"
OWN = [
    {"text": "The app crashes when I save", "label": "bug", "lang": "en", "source": "own"},
    {"text": "Zou een donkere modus mogelijk zijn?", "label": "feature", "lang": "nl", "source": "own"},
    {"text": "It depends", "label": "rest", "lang": "en", "source": "own"},
    {"text": "Lovely, thank you", "label": "positive", "lang": "en", "source": "own"},
    {"text": "No such label", "label": "usability", "lang": "en", "source": "own"},
]


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(evaluate, [str(word) for word in words])


def test_the_page_is_of_the_shipped_model() -> None:
    """Scores and model have one version: train, then `evaluate --out` and `--docs`."""
    card = json.loads((triage.SHIPPED / "model.json").read_text())
    scores = json.loads(SCORES.read_text())
    assert scores["version"] == card["version"]
    assert scores["data"] == card["data"]


def test_the_page_shows_the_scores() -> None:
    """What is between the markers is made from scores.json, word for word."""
    page = PAGE.read_text()
    assert page == report.page(page, json.loads(SCORES.read_text()))


def test_scores_are_names_and_numbers() -> None:
    """No text of any set: nothing in it is longer than a name."""

    def strings(value: object) -> list[str]:
        if isinstance(value, dict):
            return [*map(str, value), *(found for item in value.values() for found in strings(item))]
        return (
            [found for item in value for found in strings(item)] if isinstance(value, list) else [str(value)]
        )

    assert max(map(len, strings(json.loads(SCORES.read_text())))) < 40


def test_a_page_is_written_from_scores(tmp_path: Path) -> None:
    """Without measuring again; what is written by hand stays."""
    page = tmp_path / "page.md"
    page.write_text(f"By hand\n{report.START}\nold\n{report.END}\nstays\n")
    assert run("--scores", SCORES, "--docs", page).exit_code == 0
    text = page.read_text()
    assert text.startswith("By hand\n")
    assert text.endswith("\nstays\n")
    assert "old" not in text.split("\n")
    assert "### Weak spots, by rule" in text
    page.write_text("no markers")
    assert run("--scores", SCORES, "--docs", page).exit_code == 1


def test_what_took_long_can_be_taken_from_earlier_scores(tmp_path: Path) -> None:
    """It names the model whose recipe was measured, and so does the page."""
    left_out, folds = {"maalej": {"macro_f1": 0.5}, "mean": 0.5}, {"se_jira": {"macro_f1": 0.4}}
    earlier = {"category": {"leave_one_set_out": left_out}, "sentiment": {"official_folds": folds}}
    (tmp_path / "earlier.json").write_text(json.dumps(earlier | {"refitted": "2026.01-old"}))
    done = run("--scores", SCORES, "--refitted", tmp_path / "earlier.json", "--json")
    scores = json.loads(done.stdout)
    assert scores["category"]["leave_one_set_out"] == left_out
    assert scores["category"]["held_out"]
    assert "by the recipe of `2026.01-old`" in report.measured(scores)
    (tmp_path / "earlier.json").write_text("{}")
    assert run("--scores", SCORES, "--refitted", tmp_path / "earlier.json").exit_code == 1


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(NoMarkers):
        report.page("text", {})


def test_any_labelled_file_can_be_judged(tmp_path: Path, shipped_again: str) -> None:
    """Each question's rows are a set, and labels that are none of ours are left out."""
    write(tmp_path / "own.csv", OWN)
    done = run("--data", tmp_path / "own.csv", "--json", "--out", tmp_path / "scores.json")
    assert done.exit_code == 0, done.stderr
    scores = json.loads(done.stdout)
    assert scores == json.loads((tmp_path / "scores.json").read_text())
    assert scores["category"]["own"]["rows"] == 3
    assert set(scores["category"]["own"]["f1"]) == {"bug", "feature", "rest"}
    assert scores["sentiment"]["own"]["accuracy"] == 1.0
    assert scores["version"] == shipped_again


def test_kinds_of_error_are_a_table_of_their_own(tmp_path: Path) -> None:
    """Right answers by kind and, of categories, by language; they count in no set."""
    write(tmp_path / "own.csv", OWN)
    (tmp_path / "kinds").mkdir()
    lines = ["# Short ones.", "[en bug negative]", "the app crashes", "[nl praise positive]", "werkt niet"]
    (tmp_path / "kinds/short.txt").write_text("\n".join(lines))
    done = run("--data", tmp_path / "own.csv", "--data", tmp_path / "kinds", "--json")
    assert done.exit_code == 0, done.stderr
    scores = json.loads(done.stdout)
    right = {"category": 0.5, "sentiment": 0.5, "languages": {"en": 1.0, "nl": 0.0}}
    assert scores["kinds"] == {"short": {"rows": 2, **right}}
    assert scores["category"]["own"]["rows"] == 3
    assert "| short | 2 | 0.50 | 0.50 | 1.00 | 0.00 |" in report.measured(scores)
    assert "kind of error short" in report.table(scores)


def test_the_page_has_every_kind_of_error() -> None:
    assert set(json.loads(SCORES.read_text())["kinds"]) == set(tables(KINDS))


def test_files_with_two_labels_a_row_are_two_sets(tmp_path: Path) -> None:
    row = {"language": "nl", "category": "bug", "sentiment": "negative", "text": "De knop doet niets"}
    write(tmp_path / "both.csv", [row])
    sets, _ = held_out_sets(tmp_path / "both.csv", {})
    assert [(one.task, one.rows[0].language) for one in sets] == [("category", "nl"), ("sentiment", "nl")]


def test_a_file_that_was_trained_on_counts_only_with_what_was_held_out(tmp_path: Path) -> None:
    """Known by name and digest; an official test split is held out, too."""
    rows = [
        OWN[0] | {"text": f"The app crashes in room {'abcdefghijklmnopqrstuvwxyz'[n]}"} for n in range(26)
    ]
    write(tmp_path / "rooms.csv", rows)
    write(
        tmp_path / "split.csv", [row | {"split": "test" if n < 3 else "train"} for n, row in enumerate(rows)]
    )
    fresh, remark = held_out_sets(tmp_path, {})
    known, _ = held_out_sets(tmp_path, digests(tmp_path))
    assert "no cat_nlbse24.csv" in remark
    assert [len(one.rows) for one in fresh] == [26, 3]
    assert 0 < len(known[0].rows) < 10
    assert len(known[1].rows) == 3


@pytest.mark.long
def test_classes_languages_calibration_and_confusion(data: Path, trained: Path, shipped_again: str) -> None:
    """The terminal shows them all, from the numbers of the JSON."""
    done = run("--data", data, "--model", trained, "--json")
    scores = json.loads(done.stdout)
    for task in ("category", "sentiment"):
        held = scores[task]["held_out"]
        assert held["rows"] == sum(row["rows"] for row in held["reliability"])
        assert held["rows"] == sum(n for answers in held["confusion"].values() for n in answers.values())
        assert set(held["classes"]) == set(held["confusion"])
        assert sum(found["rows"] for found in scores["languages"][task].values()) <= held["rows"]
    shown = report.table(scores)
    for part in ("calibration error", "answered bug", "precision", "classes below 0.65", "sure 0.9-1.0"):
        assert part in shown


def test_data_or_scores_are_needed() -> None:
    assert run().exit_code == 2
    assert run("--scores", SCORES, "--data", SCORES).exit_code == 2


def test_reliability_is_by_tenths() -> None:
    low, high = reliability([True, False, True], [0.95, 0.91, 0.1])
    assert (low["from"], low["rows"], low["accuracy"]) == (0.1, 1, 1.0)
    assert (high["from"], high["rows"], high["accuracy"], high["confidence"]) == (0.9, 2, 0.5, 0.93)
