"""An explanation names the words that decided, and costs nothing when nobody asks."""

from __future__ import annotations

import json

from click.testing import CliRunner

from adapters.contract.record import Record
from gateway import triage
from gateway.cli.triage import triage as command


def test_the_words_that_decided_are_named() -> None:
    why = triage.explain(Record(text="The app crashes when I upload a photo"))
    assert "crashes" in " ".join(weight.name for weight in why.category if weight.weight > 0)
    assert (why.category_by, why.sentiment_by) == ("general", "general")


def test_the_heaviest_come_first() -> None:
    weights = [
        abs(part.weight)
        for part in triage.explain(Record(text="bedankt, de kaart werkt nu perfect")).sentiment
    ]
    assert weights == sorted(weights, reverse=True) and weights


def test_a_text_without_words_has_little_to_explain() -> None:
    assert triage.explain(Record(text="")).category is not None


def test_a_report_is_explained_by_the_expert_on_reports() -> None:
    body = "### Steps\n1. Open a file\n2. Press save\n\n### Expected\nIt is saved\n\n### Actual\nTypeError\n"
    why = triage.explain(Record(title="Saving throws TypeError", text=f"### Version\n1.2.3\n{body * 3}"))
    assert why.category_by == "issue"


def test_the_command_shows_them() -> None:
    shown = CliRunner().invoke(command, ["--explain", "--json", "the app crashes"])
    explanation = json.loads(shown.stdout)["explanation"]
    assert explanation["category"][0].keys() == {"name", "weight"}
    assert "category: " in CliRunner().invoke(command, ["--explain", "the app crashes"]).stdout
