"""import-feedback: a file of records into a project, as `feedback-gateway import` does it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from io import BufferedReader
from tempfile import TemporaryFile
from typing import IO, Any, cast
from urllib.parse import urlsplit

from adapters.contract import Fault
from gateway.core import outbound
from gateway.core.config import Config
from gateway.core.ids import is_ours
from gateway.files.attachments import OverQuota
from gateway.files.store import Missing, store
from gateway.runs import results
from gateway.runs.technique import Failed, Input, Output, Outputs, Result, Task
from gateway.runs.technique import Technique as Kind
from gateway.transfer.file_import import Goal, Import, Tally, digest_of, name_of
from gateway.transfer.import_options import SOURCE, BadOption, fields_of, format_of, opened, source_of
from gateway.transfer.import_rows import Mapped, Row, Unreadable
from gateway.triage import active_model
from models.database.base import dumps
from models.tables import asset
from models.tables.workspace import default_project, list_projects

MOST = 1 << 30  # bytes of a file that is fetched
PATIENCE = 1800.0  # seconds to fetch it
OF_ROWS = ("text/", "application/json", "application/x-ndjson")  # how types of files begin that may have rows
PIECE = 262_144  # bytes that are read at once
FILE, MAP, KEY, PROJECT = "file", "map", "source_key", "project"


def check(inputs: Mapping[str, str], workspace_id: str, project_id: str | None) -> Sequence[Fault]:
    """What is wrong with the inputs of an import; what is in the file is seen when it runs."""
    faults = []
    if not is_ours("asset", inputs[FILE]) and not inputs[FILE].lower().startswith("https://"):
        faults.append(Fault(FILE, "Must be the id of an asset or an https URL"))
    for name, read in (("map", _fields), ("source", source_of)):
        try:
            read(inputs.get(name, "") or SOURCE if name == "source" else inputs.get(name, ""))
        except BadOption as error:
            faults.append(Fault(name, str(error)))
    project = inputs.get(PROJECT, "")
    if project and (
        project_id not in (None, project) or not list_projects(workspace_id, only=project, limit=1)[0]
    ):
        faults.append(Fault(PROJECT, "No such project"))
    return faults


def act(task: Task) -> Outputs:
    """Stores the rows of the file, each part once, whoever began with it."""
    inputs = task.inputs
    mapped = Mapped(_fields(inputs.get(MAP, "")), inputs.get(KEY) or None)
    project = inputs.get(PROJECT) or task.run["project_id"] or default_project(task.workspace_id)
    only = task.run["project_id"] is not None  # who started it may send to no other one
    goal = Goal(task.workspace_id, project, inputs.get("source") or SOURCE, only)
    active_model.keep_up(Config.from_env().model_path)
    with _file(task) as (file, name, size), ExitStack() as stack:
        digest = digest_of(file)
        try:
            found = opened(file, format_of(name), mapped)
        except Unreadable as error:
            raise Failed("input_unreachable", str(error)) from None
        work = Import(goal, found.mapped, name_of(digest, goal, found.mapped), name)
        rejected = stack.enter_context(TemporaryFile())

        def reject(row: Row, reason: str) -> None:
            told = {"line": row.line, "reason": reason, "row": row.raw.decode("utf-8", "replace")}
            rejected.write(dumps(told).encode() + b"\n")

        for _ in work.run(found.rows, reject):
            task.step(file.tell(), size)
        if work.tally.rejected:
            stack.pop_all()  # it is read when this has returned
    return _outputs(work.tally, goal, rejected)


def _outputs(tally: Tally, goal: Goal, rejected: IO[bytes]) -> Outputs:
    """The report, and the rows that were refused when there are any.

    What an earlier go at the same file has stored is stored: whether it was of this run nobody can tell.
    """
    report: dict[str, Any] = {
        "stored": tally.stored + tally.earlier,
        "known": tally.known,
        "rejected": tally.rejected,
    }
    report |= {"project_id": goal.project_id, "source": goal.source}
    made = [Result("report", "report.json", "application/json", [dumps(report).encode()])]
    if tally.rejected:
        made.append(Result("rejected", "rejected.ndjson", "application/x-ndjson", _pieces(rejected)))
    return made


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        yield from iter(partial(file.read, PIECE), b"")


def _fields(text: str) -> dict[str, str]:
    return fields_of(pair for pair in re.split(r"[,\n]", text) if pair.strip())


@contextmanager
def _file(task: Task) -> Iterator[tuple[BufferedReader, str, int]]:
    """The file that is imported, at its beginning, with its name and size. Raises Failed without one.

    What was fetched is kept first: whoever goes on with the run has the same bytes.
    """
    asset_id = task.inputs[FILE]
    if not is_ours("asset", asset_id):
        asset_id = (task.position or {}).get("asset_id") or _fetched(task, asset_id)
    row = asset.find(task.workspace_id, task.run["project_id"], asset_id)
    if row is None or row["status"] != "ready":
        raise Failed("input_unreachable", f"{asset_id}: {'no such file' if row is None else row['status']}")
    if not row["content_type"].startswith(OF_ROWS):
        raise Failed("input_unreachable", f"{asset_id}: {row['content_type']} has no rows that can be read")
    with TemporaryFile() as file:
        try:
            for piece in store().open(row["sha256"]):
                file.write(piece)
                task.step(0, row["size"])
        except Missing:
            raise Failed("input_unreachable", f"{asset_id}: its bytes are gone") from None
        file.seek(0)
        yield cast(BufferedReader, file), row["name"], row["size"]


def _fetched(task: Task, url: str) -> str:
    """Fetches a file and keeps it; the id of its asset. Raises Failed."""

    def pieces(chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            task.step(0, 1)
            yield chunk

    try:
        with outbound.fetch(url, MOST, timeout=PATIENCE) as chunks:  # it is one that can be read
            name = urlsplit(url).path.rpartition("/")[2][:200] or "file"
            kind = "text/csv" if format_of(name) == "csv" else "application/x-ndjson"
            kept = results.put(task, Result(FILE, name, kind, pieces(chunks)), fetched=True)
    except (outbound.Forbidden, outbound.Unreachable, outbound.Refused, OverQuota) as error:
        raise Failed("input_unreachable", str(error)) from None
    except outbound.TooLarge:
        raise Failed("input_unreachable", f"It has more than {MOST:,} bytes.") from None

    def note() -> None:
        results.store_rows(task, [kept], url)
        task.note(0, 1, {"asset_id": kept.id})

    task.transact(note)
    task.run["position"] = {"asset_id": kept.id}
    return kept.id


TECHNIQUE = Kind(
    slug="import-feedback",
    name="Import feedback",
    description="Stores a file of feedback, NDJSON or CSV, each of its rows once.",
    scope="ingest",
    inputs=(
        Input(FILE, "File", "The id of an asset (asset_...), or an https URL.", takes_url=True),
        Input(MAP, "Columns", "Which column each field comes from: text=body, title=subject.", True),
        Input("source", "Source", "What the records are filed under; import by default.", True),
        Input(KEY, "Key column", "A column that names each row: stored once for good.", True),
        Input(PROJECT, "Project", "The id of the project for rows that name none.", True),
    ),
    outputs=(
        Output("report", "Report", "How many rows were stored, there before, and refused, as JSON."),
        Output("rejected", "Refused rows", "Each refused row with its line and why, as NDJSON."),
    ),
    act=act,
    check=check,
)
