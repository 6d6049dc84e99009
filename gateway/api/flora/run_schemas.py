"""What FLORA's routes of runs take and answer."""

from __future__ import annotations

from marshmallow import fields

from adapters.common.schemas import Object, Strict, Text, length, one_of
from adapters.contract.description import Shown, listed, text, whole
from adapters.flora import identifier
from gateway.api.flora.techniques import PAGED, TYPES, Asked
from gateway.runs.technique import MOST_INPUT
from models.tables import run

# The second of each pair is what FLORA's oldest page writes.
TEXT, LINKS = ("text", "TEXT"), ("imageUrl", "IMAGE_URL", "videoUrl", "VIDEO_URL")
LONGEST_KEY = 255  # characters


class InputSent(Strict):
    id = Text(required=True)
    type = Text(one_of((*TEXT, *LINKS)), required=True)
    value = Text(length(most=MOST_INPUT), required=True)


class NewRun(Strict):
    inputs = fields.List(
        fields.Nested(InputSent, error_messages={"type": "Expected object"}),
        required=True,
        error_messages={"required": "Required", "invalid": "Expected array", "null": "Expected array"},
        metadata={"minItems": 1},
    )
    mode = Text(one_of(("async", "stream")), required=True)
    callback_url = Text()
    idempotency_key = Text(length(least=1, most=LONGEST_KEY))


class NewTechniqueRun(Strict):
    technique_id = Text(identifier("tech", "Technique"), required=True)
    workspace_id = Text(identifier("ws", "Workspace"), required=True)
    inputs = Object(required=True)


class RunPage(Asked):
    """How pages are asked for; `limit_of` and `_before` read it."""

    project_id = Text(identifier("prj", "Project"))
    technique_id = Text(identifier("tech", "Technique"))
    status = Text(one_of(run.STATUSES))
    limit = PAGED["limit"]
    cursor = PAGED["cursor"]


class OutputShown(Shown):
    output_id = text()
    type = text(*TYPES)
    url = text()


class RunShown(Shown):
    sometimes = ("started_at", "completed_at", "error_code", "error_message", "outputs")
    run_id = text()
    status = text(*run.STATUSES)
    progress = whole(minimum=0, maximum=100)
    created_at = whole()
    started_at = whole()
    completed_at = whole()
    charged_cost = whole(minimum=0)
    error_code = text()
    error_message = text()
    poll_url = text()
    outputs = listed(OutputShown)


class TechniqueName(Shown):
    technique_id = text()
    name = text()


class ListedRun(RunShown):
    project_id = text()
    workspace_id = text()
    technique_run_id = text()
    technique = fields.Nested(TechniqueName)


class Next(Shown):
    next_cursor = text(allow_none=True)


class Runs(Shown):
    technique_runs = listed(ListedRun)
    meta = fields.Nested(Next)


class StartedRun(Shown):
    run_id = text()
    type = text("technique")
    estimated_seconds = fields.Integer(allow_none=True)
    charged_cost = whole(minimum=0)
    model = text(allow_none=True)
    technique = fields.Nested(TechniqueName)
    action = text(allow_none=True)
    poll_url = text()
    project_id = text(allow_none=True)
