"""retriage: stored records get the labels of today's model, as `feedback-gateway retriage` does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.contract import Fault, Refused
from gateway.api import filters
from gateway.background.retriage import Progress, retriage
from gateway.core.config import Config
from gateway.runs.technique import Input, Output, Outputs, Result, Task
from gateway.runs.technique import Technique as Kind
from gateway.triage import active_model
from gateway.triage.second_reader import Layer
from models.database.base import dumps
from models.queries import selection
from models.queries.feedback_query import as_of

FILTER, DRY_RUN = "filter", "dry_run"
YES_OR_NO = ("true", "false")


def check(inputs: Mapping[str, str], workspace_id: str, project_id: str | None) -> Sequence[Fault]:
    """What is wrong with the inputs of a retriage."""
    faults = []
    try:
        filters.parse(inputs[FILTER])
    except Refused as refused:
        faults.append(Fault(FILTER, refused.problem.message))
    if inputs.get(DRY_RUN, "") not in ("", *YES_OR_NO):
        faults.append(Fault(DRY_RUN, f"Must be {' or '.join(YES_OR_NO)}"))
    return faults


def act(task: Task) -> Outputs:
    """Labels the records that were there when the run was started; it goes on where the last one came.

    A dry run writes nothing, not even how far it came: begun anew it says the same.
    """
    began, dry_run = task.run["created_at"] + 1, task.inputs.get(DRY_RUN) == YES_OR_NO[0]
    chosen = filters.parse(task.inputs[FILTER], now=began)
    chosen = as_of(chosen, began)
    model_path = Config.from_env().model_path
    active_model.keep_up(model_path)
    place = task.workspace_id, task.run["project_id"]
    total = selection.count(*place, chosen)
    told = before = Progress.of(task.position) if task.position else Progress()
    for told in retriage(
        chosen,
        *place,
        after=before,
        transact=task.transact,
        keep=lambda progress: task.note(progress.read, total, progress.state()),
        dry_run=dry_run,
        by=task.id,
        layer=Layer.load(model_path),
    ):
        task.step(told.read, total)
    report = dumps({"dry_run": dry_run, **told.report()})
    return [Result("report", "report.json", "application/json", [report.encode()])]


TECHNIQUE = Kind(
    slug="retriage",
    name="Retriage",
    description="Labels stored records anew with today's model; what people or senders said stays.",
    scope="triage",
    inputs=(
        Input(FILTER, "Filter", "What the list takes, such as source=orq&since=30d; empty is everything."),
        Input(DRY_RUN, "Dry run", "true changes nothing and says what would change; false by default.", True),
    ),
    outputs=(Output("report", "Report", "How many records changed, and from what into what, as JSON."),),
    act=act,
    check=check,
)
