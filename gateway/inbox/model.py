"""The model: which one labels, how good it is, what it learns from people, and the way back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flask import Response, request
from flask.typing import ResponseReturnValue

from adapters.contract import Refused
from gateway.background.retraining import UNDER_WAY
from gateway.core.config import learning_off
from gateway.inbox.api_calls import ask
from gateway.inbox.i18n import _
from gateway.inbox.pages import go, page
from gateway.inbox.refusals import refusal
from gateway.inbox.session import settings as of_the_gateway
from gateway.inbox.settings import setting
from gateway.triage import SHIPPED
from models.database.base import dumps

MODEL = "GET /gateway/v1/model"


@page("/settings/model", "viewer")
def model() -> ResponseReturnValue:
    return _model_page()


def _model_page(refused: Refused | None = None) -> ResponseReturnValue:
    row = ask(MODEL)
    folder = of_the_gateway().config.model_path or SHIPPED
    training = row["training"]
    scores = list(_measured(folder / "scores.json")) if row["pinned"] or row["shipped"] else []
    return setting(
        "model",
        "model.html",
        refused.problem.status if refused else 200,
        row=row,
        scores=scores,
        right={task: round(10 * one["accuracy"]) for task, name, one in scores if name == "held out"},
        under_way=training is not None and training["state"] in UNDER_WAY,
        told=_told(training) if training else "",
        fault=refusal(refused.problem.message) if refused else "",
        off=learning_off(),
    )


@page("/settings/model/train", "admin", method="POST")
def train() -> ResponseReturnValue:
    """Asks for a training; the page tells how it goes."""
    try:
        ask("POST /gateway/v1/model/train")
    except Refused as refused:
        return _model_page(refused)
    return go("/settings/model")


@page("/settings/model/training", "viewer", seen=False)
def training() -> ResponseReturnValue:
    """How the training goes: JSON, for its page to ask now and then."""
    now = ask(MODEL)["training"]
    ended = now is None or now["state"] not in UNDER_WAY
    said = dumps({"ended": ended, "say": _told(now) if now else ""})
    return Response(said, content_type="application/json")


@page("/settings/model/use", "admin", method="POST")
def use() -> ResponseReturnValue:
    """Goes back to a model that is kept."""
    try:
        ask("POST /gateway/v1/model/use", body={"version": request.form.get("version", "")})
    except Refused as refused:
        return _model_page(refused)
    return go("/settings/model", _("Every process labels with it within seconds."))


def _told(training: dict[str, Any]) -> str:
    """How a training goes, or went, in a sentence."""
    if training["state"] == "waiting":
        return _("Waiting for the background worker: it begins within seconds, where one runs.")
    if training["state"] == "running":
        return _("Learning. This takes some seconds, with many corrections minutes.")
    if training["state"] == "refused":
        return _(
            "The new model was not good enough, so nothing was changed: %(why)s",
            why=refusal(training["reason"]),
        )
    if training["state"] == "failed":
        return _("It did not work, and nothing was changed: %(why)s", why=refusal(training["reason"]))
    return _("Learnt: %(new)s, before it %(old)s.", new=training["version"], old=training["old_version"])


def _measured(path: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What was measured of a model: the task, the set of texts, its scores."""
    try:
        scores = json.loads(path.read_text())
    except (OSError, ValueError):
        return
    for task in ("category", "sentiment"):
        for name, row in scores.get(task, {}).items():
            if isinstance(row, dict) and {"rows", "accuracy", "macro_f1"} <= set(row):
                yield task, name.replace("_", " "), row
