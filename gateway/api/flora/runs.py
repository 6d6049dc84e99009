"""FLORA's runs: started by whoever may do what they do, polled until they have ended.

Who may read records sees all runs of the workspace; everybody else those of techniques that they may run. A
key of one project sees the runs of that.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from adapters.common.schemas import type_name
from adapters.contract import Fault, Inbound, Problem, Refused, Reply, invalid
from adapters.contract.description import Shape
from adapters.flora import limit_of
from gateway.access.api_keys import ANY
from gateway.access.caller import Caller
from gateway.api.flora.route import Route, last_of, not_found, once, own_workspace, path_id
from gateway.api.flora.run_schemas import LINKS, NewRun, NewTechniqueRun, RunPage, Runs, RunShown, StartedRun
from gateway.api.flora.techniques import named
from gateway.core.ids import is_ours
from gateway.core.outbound import Forbidden
from gateway.files import addresses
from gateway.runs import callbacks, lifecycle, registry
from gateway.runs.technique import MOST_INPUT, Technique
from models.tables import run


def start_run(caller: Caller, inbound: Inbound) -> Reply:
    """Start a run of a technique: 201, or 200 with the one that the same `idempotency_key` started."""
    technique = _allowed(caller, named(inbound.params["technique_id"]))
    sent = NewRun.of(inbound)
    inputs, faults = _inputs(technique, sent["inputs"])
    if not sent["inputs"]:
        faults = [Fault("inputs", "Array must contain at least 1 element(s)")]
    if sent["mode"] == "stream":
        faults.append(Fault("mode", "Streaming is not implemented; use 'async' and poll"))
    url = sent.get("callback_url")
    try:
        if url is not None:
            callbacks.check(url)
    except Forbidden as error:
        faults.append(Fault("callback_url", str(error)))
    key = sent.get("idempotency_key")
    if key is not None and caller.project_id is not None:  # a project's keys are its own
        key = f"{caller.project_id} {key}"
    row, new = _started(caller, inbound, technique, inputs, faults, callback_url=url, idempotency_key=key)
    return Reply(201 if new else 200, _document(row, technique))


def start_technique(caller: Caller, inbound: Inbound) -> Reply:
    """Start a run of a technique, its inputs as an object."""
    sent = NewTechniqueRun.of(inbound)
    own_workspace(caller, sent["workspace_id"])
    technique = _allowed(caller, named(sent["technique_id"]))
    inputs = sent["inputs"]
    faults = [*_unfit(technique, inputs), *_missing(technique, inputs)]
    row, _ = _started(caller, inbound, technique, inputs, faults)
    told = {
        "run_id": row["id"],
        "type": "technique",
        "estimated_seconds": None,
        "charged_cost": 0,
        "model": None,
        "technique": {"technique_id": technique.id, "name": technique.name},
        "action": None,
        "poll_url": addresses.absolute(f"/api/v1/runs/{row['id']}"),
        "project_id": row["project_id"],
    }
    return Reply(201, told)


def show_run(caller: Caller, inbound: Inbound) -> Reply:
    """Show a run of a technique: its status, its progress, and when it has ended its outputs."""
    technique = named(inbound.params["technique_id"])
    row = _found(caller, path_id(inbound, "run_id", "run", "Run"))
    if row["technique"] != technique.slug:
        raise not_found()
    return Reply(200, _document(row, technique))


def show_any_run(caller: Caller, inbound: Inbound) -> Reply:
    """Show a run, whichever technique it is of."""
    row = _found(caller, path_id(inbound, "run_id", "run", "Run"))
    return Reply(200, _document(row, registry.find(row["technique"])))


def list_runs(caller: Caller, inbound: Inbound) -> Reply:
    """List runs, the newest first."""
    sent = RunPage.check(
        {name: value for name, value in inbound.query.items() if name not in ("limit", "cursor")}
    )
    own_workspace(caller, sent.get("workspace_id"))
    project_id = sent.get("project_id", caller.project_id)
    limit, before = limit_of(inbound.query), last_of("run", inbound.query)
    seen = [one for one in registry.load().values() if _may_see(caller, one)]
    if "technique_id" in sent:
        seen = [one for one in seen if one.id == sent["technique_id"]]
    found = run.list_page(
        caller.workspace_id,
        project_id=project_id,
        techniques=None if len(seen) == len(registry.load()) else [one.slug for one in seen],
        status=sent.get("status"),
        before=before,
        limit=limit + 1,
    )
    if caller.project_id not in (None, project_id):
        found = []
    kept = found[:limit]
    meta = {"next_cursor": kept[-1]["id"] if len(found) > limit else None}
    return Reply(200, {"technique_runs": [_listed(caller, row) for row in kept], "meta": meta})


def _allowed(caller: Caller, technique: Technique) -> Technique:
    """A technique that the caller may run. Raises Refused (403)."""
    if not {technique.scope, "admin"} & caller.scopes:
        raise Refused(Problem(403, "forbidden", "Forbidden."))
    return technique


def _may_see(caller: Caller, technique: Technique | None) -> bool:
    needed = {"read", "admin", *([technique.scope] if technique else ())}
    return bool(needed & caller.scopes)


def _inputs(technique: Technique, sent: Iterable[Mapping[str, str]]) -> tuple[dict[str, str], list[Fault]]:
    """What is sent as texts by the ids of inputs, and what is wrong with that beside its words."""
    known = {one.id: one for one in technique.inputs}
    inputs: dict[str, str] = {}
    faults = []
    for number, one in enumerate(sent):
        where, name = f"inputs.{number}", one["id"]
        if name not in known:
            faults.append(Fault(f"{where}.id", _unknown(technique)))
        elif name in inputs:
            faults.append(Fault(f"{where}.id", f"{name} is given twice"))
        elif one["type"] in LINKS and not (known[name].takes_url and "://" in one["value"]):
            faults.append(Fault(f"{where}.type", f"Expected 'text', received '{one['type']}'"))
        inputs[name] = one["value"]
    return inputs, [*faults, *_missing(technique, inputs)]


def _unfit(technique: Technique, inputs: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with the names and the types of inputs in an object."""
    known = {one.id for one in technique.inputs}
    for name, value in inputs.items():
        if name not in known:
            yield Fault(f"inputs.{name}", _unknown(technique))
        elif not isinstance(value, str):
            yield Fault(f"inputs.{name}", f"Expected string, received {type_name(value)}")
        elif len(value) > MOST_INPUT:
            yield Fault(f"inputs.{name}", f"String must contain at most {MOST_INPUT} character(s)")


def _missing(technique: Technique, inputs: Container[str]) -> list[Fault]:
    left_out = [one.id for one in technique.inputs if not one.optional and one.id not in inputs]
    return [Fault(f"inputs.{name}", "Required") for name in left_out]


def _unknown(technique: Technique) -> str:
    return f"Unknown input; they are {', '.join(one.id for one in technique.inputs)}"


def _started(
    caller: Caller,
    inbound: Inbound,
    technique: Technique,
    inputs: Mapping[str, str],
    faults: list[Fault],
    **options: Any,
) -> tuple[dict[str, Any], bool]:
    """The run, and whether it is new. Raises Refused: 400 with every fault, 402, 403, 409."""
    place = caller.workspace_id, caller.project_id
    if not faults:
        faults = [Fault(f"inputs.{one.field}", one.message) for one in technique.check(inputs, *place)]
    if faults:
        raise invalid(*faults)
    try:
        with once(caller, inbound):
            return lifecycle.start(
                technique, inputs, caller.workspace_id, caller.key_id, project_id=caller.project_id, **options
            )
    except lifecycle.Spent as spent:
        raise Refused(Problem(402, "insufficient_credits", str(spent))) from None


def _found(caller: Caller, run_id: str) -> dict[str, Any]:
    """A run that the caller may see. Raises Refused (404)."""
    row = run.find(caller.workspace_id, run_id) if is_ours("run", run_id) else None
    if (
        row is None
        or caller.project_id not in (None, row["project_id"])
        or not _may_see(caller, registry.find(row["technique"]))
    ):
        raise not_found()
    return row


def _document(row: Mapping[str, Any], technique: Technique | None) -> dict[str, Any]:
    """A run as FLORA shows one; its outputs' addresses are good for a week after it has ended."""
    slug = technique.slug if technique else row["technique"]
    shown = {
        "run_id": row["id"],
        "status": row["status"],
        "progress": row["progress"],
        "created_at": row["created_at"],
        "charged_cost": 0,
        "poll_url": addresses.absolute(f"/api/v1/techniques/{slug}/runs/{row['id']}"),
    }
    for name in ("started_at", "completed_at", "error_code", "error_message"):
        if row[name] is not None:
            shown[name] = row[name]
    if row["status"] == "completed":
        shown["outputs"] = [
            {
                "output_id": one["id"],
                "type": one["type"],
                "url": lifecycle.address_of(row, one),
            }
            for one in row["outputs"] or ()
        ]
    return shown


def _listed(caller: Caller, row: Mapping[str, Any]) -> dict[str, Any]:
    technique = registry.find(row["technique"])
    named_so = (technique.id, technique.name) if technique else (row["technique"], row["technique"])
    return {
        **_document(row, technique),
        "project_id": row["project_id"] or caller.default_project_id,
        "workspace_id": row["workspace_id"],
        "technique_run_id": row["id"],
        "technique": {"technique_id": named_so[0], "name": named_so[1]},
    }


_EXAMPLE = {"inputs": [{"id": "filter", "type": "text", "value": "category=bug"}], "mode": "async"}
RUNS = (
    Route(
        "/api/v1/techniques/<technique_id>/runs",
        start_run,
        Shape(body=NewRun, answers={200: RunShown, 201: RunShown}, refusals=(402, 403), example=_EXAMPLE),
        "POST",
        ANY,
    ),
    Route(
        "/api/v1/techniques/<technique_id>/runs/<run_id>", show_run, Shape(answers={200: RunShown}), scope=ANY
    ),
    Route(
        "/api/v1/technique-runs",
        list_runs,
        Shape(query=RunPage, answers={200: Runs}, asked={"limit": 5, "status": "failed"}),
        scope=ANY,
    ),
    Route(
        "/api/v1/runs/technique",
        start_technique,
        Shape(body=NewTechniqueRun, answers={201: StartedRun}, refusals=(402, 404)),
        "POST",
        ANY,
    ),
    Route("/api/v1/runs/<run_id>", show_any_run, Shape(answers={200: RunShown}), scope=ANY),
)
