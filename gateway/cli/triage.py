"""The commands of the classifier: `triage` labels texts, `train` and `evaluate` make and judge models.

Results go to standard output, messages to standard error. Exit 0: done, 1: failed, 2: wrong usage.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import click

from adapters.contract.record import Labels, Record
from gateway import triage as triage_package
from gateway.core.config import BadSetting, Config, learning_off
from gateway.triage import second_reader
from models.database.base import named
from models.database.private_files import writing_out, writing_to

DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)
NEW_DIRECTORY = click.Path(file_okay=False, path_type=Path)
DATA = click.Path(exists=True, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("triage")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option("--page", help="The page the texts are about, such as /login.")
@click.option("--explain", is_flag=True, help="Show the words and signs that decided.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per text on one line.")
def triage(texts: tuple[str, ...], page: str | None, explain: bool, as_json: bool) -> None:
    """Labels each TEXT, or each line of standard input."""
    lines: Iterable[str] = texts or (line.rstrip("\r\n") for line in sys.stdin)
    try:
        triage_package.load(Config.from_env().model_path)
    except triage_package.ModelError as error:
        raise click.ClickException(f"GATEWAY_MODEL: {error}") from None
    except BadSetting as error:
        raise click.ClickException(str(error)) from None
    for text in lines:
        if not text.strip():
            continue
        record = Record(text=text, subject={"page": page} if page else {})
        labels = triage_package.label(record)
        reasons = map(asdict, labels.impact_reasons)
        why = triage_package.explain(record, reasons) if explain else None
        if as_json:
            explanation = {"explanation": asdict(why)} if why else {}
            _print(json.dumps(_shown(text, labels) | explanation, ensure_ascii=False))
        else:
            _print(_line(text, labels) + (_because(why) if why else ""))


@click.command("train")
@click.option("--data", type=DIRECTORY, help="Directory with the labelled CSV files.")
@click.option("--out", required=True, type=NEW_DIRECTORY, help="Where the model goes.")
@click.option(
    "--corrections",
    "database_url",
    is_flag=False,
    flag_value="",
    default=None,
    metavar="[DATABASE_URL]",
    help="Learn what people overruled, too [default: GATEWAY_DATABASE_URL].",
)
@click.option("--workspace", help="Only the corrections of this workspace.")
@click.option("--adjust", is_flag=True, help="Move the shipped model; --data only judges.")
@click.option("--meaning", is_flag=True, help="Also fit the second reader; needs the extra [meaning].")
@click.option("--rollback", is_flag=True, help="Put the model before the one in --out back.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def train(
    data: Path | None,
    out: Path,
    database_url: str | None,
    workspace: str | None,
    adjust: bool,
    meaning: bool,
    rollback: bool,
    as_json: bool,
) -> None:
    """Makes a model from labelled texts, from what people overruled, or from both.

    With --corrections, a model that loses more than 0.01 macro-F1 on held-out texts is not installed.
    """
    if not rollback:
        _check_libraries()
    try:
        if rollback:
            _roll_back(out)
        elif database_url is not None:
            with _one_core():
                _learn(data, out, database_url, workspace, adjust, as_json)
        elif data is None or adjust or workspace:
            raise click.UsageError(
                "give --data, --corrections or both; --adjust and --workspace go with the latter"
            )
        else:
            with _one_core():
                _train(data, out, meaning)
    except triage_package.ModelError as error:
        raise click.ClickException(str(error)) from None
    except (OSError, KeyError, ValueError) as error:
        raise click.ClickException(f"cannot train: {_why(error)}") from None


def _train(data: Path, out: Path, meaning: bool) -> None:
    from gateway.triage.training.model_file import digests, export
    from gateway.triage.training.train import train as fit

    encode = second_reader.encoder() if meaning else None
    origins = digests(data)
    card = export(fit(data, _say), out, origins)
    if encode is not None:
        from gateway.triage.training import second_head

        _say("second reader, some ten minutes")
        second_head.fit(second_head.second_rows(data), encode).save(out)
    _print(json.dumps({"version": card["version"], "out": str(out), "features": card["features"]}))


def _roll_back(out: Path) -> None:
    from gateway.triage.training.install import roll_back

    _print(json.dumps({"version": roll_back(out)["version"], "out": str(out)}))


def _learn(
    data: Path | None, out: Path, database_url: str, workspace: str | None, adjust: bool, as_json: bool
) -> None:
    from gateway.triage.training.corrections import read_labelled

    url = database_url or Config.from_env().database_url
    given, declared = read_labelled(url, workspace)
    if not given:
        _say(f"database {named(url)}")  # beside the reason, which the API and callbacks tell, too
        raise click.ClickException("nobody has overruled a category or a sentiment yet")
    from gateway.triage.training.learn import learn  # takes a second

    _say(f"{len(given)} corrected texts")
    outcome = learn(given, declared, data, adjust, out, _say)
    _print(json.dumps(outcome.document()) if as_json else str(outcome))
    if outcome.refusal:
        raise click.ClickException(f"not installed, {out} is as it was: {outcome.refusal}")
    _say(f"installed {outcome.version} in {out}; serve with GATEWAY_MODEL={out}")


@click.command("evaluate")
@click.option(
    "--data", multiple=True, type=DATA, help="Labelled CSV file, directory of such, or of kinds of error."
)
@click.option(
    "--model", "directory", type=DIRECTORY, help="Directory of the model instead of the shipped one."
)
@click.option("--refit", is_flag=True, help="Also fit models without a set or fold, and score those.")
@click.option("--refitted", type=FILE, help="Take what --refit measures from scores that have it.")
@click.option("--jobs", default=1, type=click.IntRange(1), help="Processes for --refit, 2 GB each.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.option("--out", type=NEW_FILE, help="Write the scores as JSON into this file.")
@click.option("--scores", type=FILE, help="Show scores written by --out before instead of measuring.")
@click.option("--docs", type=FILE, help="Write the measured part of this page (docs/triage.md) anew.")
def evaluate(
    data: tuple[Path, ...],
    directory: Path | None,
    refit: bool,
    refitted: Path | None,
    jobs: int,
    as_json: bool,
    out: Path | None,
    scores: Path | None,
    docs: Path | None,
) -> None:
    """Scores a model on the parts of the data it was never trained on."""
    _check_libraries()
    from gateway.triage.training import report
    from gateway.triage.training.evaluate import evaluate as judge
    from gateway.triage.training.evaluate import with_refitted

    if bool(data) == bool(scores):
        raise click.UsageError("give --data or --scores")
    try:
        if scores:
            result = json.loads(scores.read_text(encoding="utf-8"))
        else:
            with _one_core():
                result = judge(data, directory, _say, jobs if refit else 0)
        if refitted:
            result = with_refitted(result, json.loads(refitted.read_text(encoding="utf-8")))
        if out:
            with writing_to(out):
                out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        if docs:
            page = report.page(docs.read_text(encoding="utf-8"), result)
            with writing_to(docs):
                docs.write_text(page, encoding="utf-8")
    except triage_package.ModelError as error:
        raise click.ClickException(str(error)) from None
    except (OSError, KeyError, ValueError) as error:
        raise click.ClickException(f"cannot evaluate: {_why(error)}") from None
    _print(json.dumps(result) if as_json else report.table(result))


def _check_libraries() -> None:
    """Raises ClickException where libraries are missing that serving does without."""
    if why := learning_off():
        raise click.ClickException(why)


def _one_core() -> AbstractContextManager[Any]:
    """Sums in one order whatever the machine, so that the same data give the same model."""
    from threadpoolctl import threadpool_limits

    return cast(AbstractContextManager[Any], threadpool_limits(1))


def _why(error: Exception) -> str:
    """An error in one line, that of a file with its name."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _print(text: str) -> None:
    """Writes a result to standard output. Raises OSError that names it."""
    with writing_out():
        click.echo(text)


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
        "sentiment_confidence": labels.sentiment_confidence,
        "impact": labels.impact,
        "impact_reasons": [
            {"part": reason.part, "points": reason.points, "why": reason.why}
            for reason in labels.impact_reasons
        ],
    }


def _because(why: triage_package.Explanation) -> str:
    """What decided, and the weights behind a category and a sentiment, one line each."""
    lines = ""
    for name, quote in (("clause", why.clause), ("sentence", why.sentence)):
        lines += f"\n    {name}: {quote.name}" if quote else ""
    for name, weights in (("category", why.category), ("sentiment", why.sentiment)):
        lines += f"\n    {name}: " + ", ".join(f"{part.name} {part.weight:+.2f}" for part in weights)
    return lines


def _line(text: str, labels: Labels) -> str:
    why = "; ".join(f"{reason.part} {reason.points} ({reason.why})" for reason in labels.impact_reasons)
    category = f"{labels.category} {labels.category_confidence:.2f}"
    sentiment = f"{labels.sentiment} {labels.sentiment_score:+.2f}"
    head = f"{category}  {sentiment}  impact {labels.impact}  [{labels.language or '-'}]"
    return f"{head}  {text[:100]}\n    {why}"
