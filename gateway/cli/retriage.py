"""`feedback-gateway retriage`: labels stored records anew with today's model."""

from __future__ import annotations

from typing import Any

import click

from gateway.background.retriage import Progress
from gateway.background.retriage import retriage as label_anew
from gateway.cli.command import command, place_of, progress
from gateway.cli.exports import chosen_by
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.triage import active_model
from gateway.triage.second_reader import Layer
from models.queries import selection
from models.queries.feedback_query import Filter, as_of

retriage = click.Group()


@command(retriage, "retriage")
@click.option("--filter", "chosen", callback=chosen_by, help="What the list takes: 'source=orq&since=30d'.")
@click.option("--project", "project_id", default=None, help="Only this project [default: the workspace].")
@click.option("--workspace", default=None, help="Workspace id [default: the first, or the project's].")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would change.")
def label_stored(
    chosen: Filter, project_id: str | None, workspace: str | None, dry_run: bool
) -> tuple[Any, str]:
    """Label stored records anew with the model in use; what people or senders said stays."""
    workspace_id, project_id = place_of(workspace, project_id)
    now = now_ms() + 1
    chosen = as_of(chosen, now)
    model_path = Config.from_env().model_path
    active_model.connect(model_path)
    total, told = selection.count(workspace_id, project_id, chosen), Progress()
    with progress(total) as show:
        for told in label_anew(
            chosen, workspace_id, project_id, dry_run=dry_run, layer=Layer.load(model_path)
        ):
            show(told.read, f"{told.changed:,} changed")
    report = {"dry_run": dry_run, **told.report()}
    return report, _told(report)


def _told(report: dict[str, Any]) -> str:
    """A report in lines: counts, then what changed from what into what."""
    word = "would change" if report["dry_run"] else "changed"
    lines = [f"{one['field']}  {one['from']} -> {one['to']}  {one['count']:,}" for one in report["changes"]]
    counts = f"{report['changed']:,} of {report['read']:,} records {word} in {report['seconds']} s"
    rest = {"refreshed": "with the same labels by today's model", "missed": "changed by others meanwhile"}
    more = [f"{report[name]:,} {words}" for name, words in rest.items() if report[name]]
    return "\n".join([*lines, "; ".join([counts, *more])])
