"""export-feedback: the records that a filter means as a file, as `feedback-gateway export` writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from adapters.contract import Fault, Refused
from gateway.api import filters
from gateway.runs.technique import Input, Output, Outputs, Result, Task
from gateway.runs.technique import Technique as Kind
from gateway.transfer.file_export import FIELDS, FORMATS, documents, lines
from models.queries import selection
from models.queries.feedback_query import as_of

TOGETHER = 500  # lines in a piece, about
FILTER, FORMAT, CHOSEN = "filter", "format", "fields"


def check(inputs: Mapping[str, str], workspace_id: str, project_id: str | None) -> Sequence[Fault]:
    """What is wrong with the inputs of an export."""
    faults = []
    try:
        filters.parse(inputs.get(FILTER, ""))
    except Refused as refused:
        faults.append(Fault(FILTER, refused.problem.message))
    if _format(inputs) not in FORMATS:
        faults.append(Fault(FORMAT, f"Must be one of {', '.join(FORMATS)}"))
    if not set(_fields(inputs)) <= set(FIELDS):
        faults.append(Fault(CHOSEN, f"Must be some of {', '.join(FIELDS)}"))
    return faults


def act(task: Task) -> Outputs:
    """Writes the records that were there when the run was started; begun anew it writes the same file."""
    form, began = _format(task.inputs), task.run["created_at"]
    chosen = filters.parse(task.inputs.get(FILTER, ""), now=began)
    chosen = as_of(chosen, began + 1)
    place = task.workspace_id, task.run["project_id"]
    name = f"feedback-{datetime.fromtimestamp(began / 1000, UTC):%Y%m%d}.{form}"

    def pieces() -> Iterator[bytes]:
        total, some = selection.count(*place, chosen), b""
        for done, line in enumerate(lines(documents(*place, chosen), form, _fields(task.inputs)), 1):
            some += line.encode("utf-8", "replace")
            if done % TOGETHER == 0:
                yield some
                some = b""
                task.step(done, total)
        yield some

    return [Result("file", name, FORMATS[form].partition(";")[0], pieces())]


def _format(inputs: Mapping[str, str]) -> str:
    return inputs.get(FORMAT) or "ndjson"


def _fields(inputs: Mapping[str, str]) -> list[str]:
    return [name.strip() for name in (inputs.get(CHOSEN) or ",".join(FIELDS)).split(",")]


TECHNIQUE = Kind(
    slug="export-feedback",
    name="Export feedback",
    description="Writes the records that a filter means into a file, the oldest first.",
    scope="read",
    inputs=(
        Input(FILTER, "Filter", "What the list takes, such as category=bug&since=7d; empty is everything."),
        Input(FORMAT, "Format", "ndjson (by default) or csv.", True),
        Input(CHOSEN, "Fields", "Which fields, separated by commas; all by default.", True),
    ),
    outputs=(Output("file", "File", "The records, one a line."),),
    act=act,
    check=check,
)
