"""The triage command labels arguments and lines; its results are on standard output only."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from gateway.cli.triage import evaluate, train, triage

KEYS = [
    "text",
    "language",
    "category",
    "category_confidence",
    "sentiment",
    "sentiment_score",
    "sentiment_confidence",
    "impact",
    "impact_reasons",
]


def test_one_json_line_per_argument() -> None:
    result = CliRunner().invoke(
        triage, ["--json", "--page", "/login", "De login knop werkt niet op mobiel", "Top!"]
    )
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert (result.exit_code, len(lines)) == (0, 2)
    assert list(lines[0]) == KEYS
    assert (lines[0]["category"], lines[0]["sentiment"], lines[0]["impact"]) == ("bug", "negative", 8)
    assert sum(reason["points"] for reason in lines[0]["impact_reasons"]) == 8


def test_one_text_per_line_of_standard_input() -> None:
    """Empty lines are no texts."""
    result = CliRunner().invoke(triage, ["--json"], input="the app crashes\n\nhow do I pay?\n")
    assert [json.loads(line)["category"] for line in result.stdout.splitlines()] == ["bug", "question"]


def test_without_json_a_line_for_reading() -> None:
    result = CliRunner().invoke(triage, ["the app crashes"])
    assert result.stdout.startswith("bug ")
    assert "severity 4" in result.stdout


def test_a_directory_without_data_is_a_failure(tmp_path: Path) -> None:
    result = CliRunner().invoke(train, ["--data", str(tmp_path), "--out", str(tmp_path / "out")])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no CSV files" in result.stderr


def test_a_directory_without_a_model_is_a_failure(tmp_path: Path) -> None:
    result = CliRunner().invoke(evaluate, ["--data", str(tmp_path), "--model", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no triage model" in result.stderr


def test_a_missing_option_is_wrong_usage() -> None:
    assert CliRunner().invoke(train, []).exit_code == 2
