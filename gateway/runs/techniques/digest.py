"""digest: a period in words and numbers, as `feedback-gateway digest` tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.contract import Fault
from gateway.api.digest.composition import FORMATS, digest
from gateway.api.digest.figures import figures
from gateway.api.digest.period import BadPeriod, period_of, zone_of
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.core.languages import LANGUAGES
from gateway.runs.technique import Input, Output, Outputs, Result, Task
from gateway.runs.technique import Technique as Kind

PERIOD, ZONE, LANGUAGE = "period", "zone", "language"
OUTPUTS = {"md": "report", "html": "page"}


def check(inputs: Mapping[str, str], workspace_id: str, project_id: str | None) -> Sequence[Fault]:
    """What is wrong with the inputs of a digest."""
    faults, zone = [], zone_of("UTC")
    try:
        zone = zone_of(inputs.get(ZONE) or zone.key)
    except BadPeriod as error:
        faults.append(_fault(ZONE, error))
    try:
        period_of(inputs[PERIOD], zone, now_ms())
    except BadPeriod as error:
        faults.append(_fault(PERIOD, error))
    if (inputs.get(LANGUAGE) or "en") not in LANGUAGES:
        faults.append(Fault(LANGUAGE, f"Must be one of {', '.join(LANGUAGES)}"))
    return faults


def _fault(field: str, error: BadPeriod) -> Fault:
    text = str(error)
    return Fault(field, text[0].upper() + text[1:])  # names such as Europe/Amsterdam stay as they are


def act(task: Task) -> Outputs:
    """Tells of the period as of when the run was started, as Markdown and as HTML."""
    zone = zone_of(task.inputs.get(ZONE) or "UTC")
    when = period_of(task.inputs[PERIOD], zone, task.run["created_at"])
    found, language = (
        figures(task.workspace_id, task.run["project_id"], when),
        task.inputs.get(LANGUAGE) or "en",
    )
    url, name = Config.from_env().url, f"digest-{when.first:%Y%m%d}-{when.last:%Y%m%d}"
    return [
        Result(OUTPUTS[form], f"{name}.{form}", kind, [digest(found, form, language, url).encode()])
        for form, kind in FORMATS.items()
    ]


TECHNIQUE = Kind(
    slug="digest",
    name="Digest",
    description="Tells what came in over a period in words and numbers.",
    scope="read",
    inputs=(
        Input(PERIOD, "Period", "day, week, month or two dates such as 2026-11-01..2026-11-30."),
        Input(ZONE, "Zone", "Whose days those are, such as Europe/Amsterdam; UTC by default.", True),
        Input(LANGUAGE, "Language", f"{' or '.join(LANGUAGES)}; en by default.", True),
    ),
    outputs=(
        Output("report", "Report", "The digest as Markdown."),
        Output("page", "Page", "The digest as HTML that mail programs show."),
    ),
    act=act,
    check=check,
)
