"""The commands of the classifier: `triage` labels texts, `train` and `evaluate` make and judge models.

Results go to standard output, messages to standard error. Exit 0: done, 1: failed, 2: wrong usage.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from adapters.contract import Labels, Record
from gateway import triage as triage_package

DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)
NEW_DIRECTORY = click.Path(file_okay=False, path_type=Path)


@click.command("triage")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option("--page", help="The page the texts are about, such as /login.")
@click.option("--explain", is_flag=True, help="Show the words and signals that decided.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per text on one line.")
def triage(texts: tuple[str, ...], page: str | None, explain: bool, as_json: bool) -> None:
    """Labels each TEXT, or each line of standard input."""
    lines: Iterable[str] = texts or (line.rstrip("\r\n") for line in sys.stdin)
    try:
        triage_package.load()
    except triage_package.ModelError as error:
        raise click.ClickException(str(error)) from None
    for text in lines:
        if not text.strip():
            continue
        record = Record(text=text, subject={"page": page} if page else {})
        labels = triage_package.label(record)
        why = triage_package.explain(record) if explain else None
        if as_json:
            explanation = {"explanation": asdict(why)} if why else {}
            click.echo(json.dumps(_shown(text, labels) | explanation, ensure_ascii=False))
        else:
            click.echo(_line(text, labels) + (_because(why) if why else ""))


@click.command("train")
@click.option("--data", required=True, type=DIRECTORY, help="Directory with the labelled CSV files.")
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where the model goes."
)
def train(data: Path, out: Path) -> None:
    """Trains the models on the CSV files of a directory and writes model.npz and model.json."""
    from gateway.triage.training.export import digests, export
    from gateway.triage.training.train import train as fit

    try:
        origins = digests(data)
        card = export(fit(data, _say), out, origins)
    except (OSError, KeyError, ValueError) as error:
        raise click.ClickException(f"cannot train: {error}") from None
    click.echo(json.dumps({"version": card["version"], "out": str(out), "features": card["features"]}))


@click.command("evaluate")
@click.option("--data", required=True, type=DIRECTORY, help="Directory with the labelled CSV files.")
@click.option(
    "--model", "directory", type=DIRECTORY, help="Directory of the model instead of the shipped one."
)
@click.option("--refit", is_flag=True, help="Also fit models without a set or fold, and score those.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def evaluate(data: Path, directory: Path | None, refit: bool, as_json: bool) -> None:
    """Scores a model on the parts of the data it was never trained on."""
    from gateway.triage.training.evaluate import evaluate as judge
    from gateway.triage.training.evaluate import table

    try:
        result = judge(data, directory, _say, refit)
    except triage_package.ModelError as error:
        raise click.ClickException(str(error)) from None
    except (OSError, KeyError, ValueError) as error:
        raise click.ClickException(f"cannot evaluate: {error}") from None
    click.echo(json.dumps(result) if as_json else table(result))


def _say(message: str) -> None:
    click.echo(message, err=True)


def _shown(text: str, labels: Labels) -> dict[str, Any]:
    return {
        "text": text,
        "language": labels.language,
        "category": labels.category,
        "category_confidence": labels.category_confidence,
        "sentiment": labels.sentiment,
        "sentiment_score": labels.sentiment_score,
        "impact": labels.impact,
        "impact_reasons": [
            {"part": reason.part, "points": reason.points, "why": reason.why}
            for reason in labels.impact_reasons
        ],
    }


def _because(why: triage_package.Explanation) -> str:
    """The weights behind a category and a sentiment, one line each."""
    lines = ""
    for name, weights in (("category", why.category), ("sentiment", why.sentiment)):
        lines += f"\n    {name}: " + ", ".join(f"{part.name} {part.weight:+.2f}" for part in weights)
    return lines


def _line(text: str, labels: Labels) -> str:
    why = "; ".join(f"{reason.part} {reason.points} ({reason.why})" for reason in labels.impact_reasons)
    category = f"{labels.category} {labels.category_confidence:.2f}"
    sentiment = f"{labels.sentiment} {labels.sentiment_score:+.2f}"
    head = f"{category}  {sentiment}  impact {labels.impact}  [{labels.language or '-'}]"
    return f"{head}  {text[:100]}\n    {why}"
