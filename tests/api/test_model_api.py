"""The model learns when an admin asks, is picked up by who serves, and can be gone back from."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import triage
from gateway.access import bootstrap
from gateway.background import retraining
from gateway.background.lease import Lease, Stopping, run_once
from gateway.core.ids import now_ms
from gateway.triage import active_model
from models import Audit, Job, LearntModel
from models.database.base import writing
from models.tables import trained_model as models
from tests.conftest import Call, Tenant

pytestmark = pytest.mark.both(long=True)

PATH = "/gateway/v1/model"
SHIPPED = json.loads((triage.SHIPPED / "model.json").read_text())

# Stands in for `feedback-gateway train --corrections`: the shipped model under another name, or none.
STAND_IN = """
import json, pathlib, shutil, sys
outcome, shipped, out = json.loads(sys.argv[1]), pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
before = out / "model.json"
outcome["old_version"] = json.loads(before.read_text())["version"] if before.exists() else "shipped"
if outcome.get("installed"):
    card = json.loads((shipped / "model.json").read_text())
    card |= {"version": outcome["version"], "arrays": "model-x.npz", "corrections": 25}
    before.write_text(json.dumps(card))
    shutil.copy(shipped / "model.npz", out / "model-x.npz")
if "installed" in outcome:
    print(json.dumps(outcome))
print(outcome["refusal"], file=sys.stderr)
sys.exit(0 if outcome.get("installed") else 1)
"""
EFFECT = {"task": "category", "corrections": "learnt", "count": 25, "old": 1, "new": 24}
MEASURE = {"name": "category held_out", "rows": 2644, "old": 0.9, "new": 0.91}
SCORES = {"corrections": [EFFECT], "held_out": [{**MEASURE, "difference": 0.01, "too_much": False}]}


def outcome(version: str, refusal: str = "") -> dict[str, Any]:
    return {"installed": not refusal, "refusal": refusal, "version": version, **SCORES}


Learn = Callable[..., Any]


@pytest.fixture(autouse=True)
def _shipped_again(tenant: Tenant) -> Iterator[None]:
    """Whatever a test uses, the next one begins with the shipped model."""
    yield
    with writing():
        LearntModel.delete().execute()
    active_model.look()
    assert triage.version() == SHIPPED["version"]


@pytest.fixture(name="learn")
def _learn(call: Call, monkeypatch: pytest.MonkeyPatch) -> Learn:
    """Asks for a training and does it as the background worker would: learn("v2"), learn("v2", "worse")."""
    made = call("POST", "/gateway/v1/feedback", json={"text": "The board is blue"}).json["id"]
    call("PATCH", f"/gateway/v1/feedback/{made}", json={"category": "praise"})

    def learn(*words: str, **sent: Any) -> Any:
        told = json.dumps(sent or outcome(*words))
        command = [sys.executable, "-c", STAND_IN, told, str(triage.SHIPPED)]
        monkeypatch.setattr(retraining, "COMMAND", command)
        assert call("POST", f"{PATH}/train").status_code == 202
        assert run_once(retraining.RETRAIN)
        return call("GET", PATH).json

    return learn


def acts() -> list[str]:
    return [row.action for row in Audit.select().order_by(Audit.id) if row.action.startswith("model.")]


def test_before_anybody_asked(call: Call) -> None:
    """The shipped model is in use, nothing is kept, and there is nothing to learn from."""
    shown = call("GET", PATH).json

    assert shown == {
        "version": SHIPPED["version"],
        "pinned": False,
        "shipped": True,
        "corrections": 0,
        "training": None,
        "kept": [],
    }


def test_waiting_and_running(call: Call, learn: Learn, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked for waits for the worker, runs there, and is one training however often it is asked."""
    asked = [call("POST", f"{PATH}/train").json["training"] for _ in range(2)]
    assert asked[0] == asked[1]
    assert (asked[0]["state"], asked[0]["started_at"], asked[0]["version"]) == ("waiting", None, None)
    seen: list[str] = []

    def look(lease: Lease, command: list[str], patience: float) -> Any:
        seen.append(call("POST", f"{PATH}/train").json["training"]["state"])
        raise Stopping("x")

    monkeypatch.setattr(Lease, "run", look)
    assert run_once(retraining.RETRAIN)
    assert seen == ["running"]
    monkeypatch.undo()
    assert learn("v2")["training"]["state"] == "done"  # what was interrupted is done from the beginning
    assert acts() == ["model.training_asked", "model.trained"]


def test_learnt(call: Call, learn: Learn) -> None:
    """A model that passes is stored, in use at the next look, and labels what comes then."""
    shown = learn("v2")
    training = shown["training"]
    assert (training["state"], training["version"], training["old_version"]) == ("done", "v2", "shipped")
    assert (training["corrections"], training["held_out"]) == (SCORES["corrections"], SCORES["held_out"])
    assert [(row["version"], row["corrections"], row["chosen"]) for row in shown["kept"]] == [
        ("v2", 25, True)
    ]
    assert shown["shipped"] is False
    assert active_model.look()
    assert not active_model.look()
    assert call("GET", PATH).json["version"] == "v2"
    record = call("POST", "/gateway/v1/feedback", json={"text": "The board is green"}).json
    assert record["model_version"] == "v2"

    assert learn("v3")["training"]["old_version"] == "v2"  # learning goes on from the one in use


def test_refused_by_the_gate(call: Call, learn: Learn) -> None:
    """A model that does not pass changes nothing, and the reason is told with the scores."""
    shown = learn("v2", "macro-F1 falls by more than 0.01: category held_out")
    training = shown["training"]

    assert (training["state"], training["reason"]) == (
        "refused",
        "macro-F1 falls by more than 0.01: category held_out",
    )
    assert training["held_out"] == SCORES["held_out"]
    assert (shown["kept"], shown["shipped"]) == ([], True)
    assert not active_model.look()
    assert learn("v2")["training"]["state"] == "done"


def test_failed(learn: Learn) -> None:
    """A training that ends without an outcome tells its last words."""
    shown = learn(refusal="Error: cannot train: no space left")

    assert (shown["training"]["state"], shown["training"]["reason"]) == (
        "failed",
        "cannot train: no space left",
    )
    assert shown["kept"] == []


def test_the_way_back(call: Call, learn: Learn) -> None:
    """Any model that is kept can be used again, also the shipped one; an unknown one is refused."""
    for version in ("v2", "v3"):
        learn(version)
    for version in ("v2", "shipped", "shipped", "v3"):
        shown = call("POST", f"{PATH}/use", json={"version": version}).json
        active_model.look()
        assert [row["version"] for row in shown["kept"] if row["chosen"]] == [version] * (
            version != "shipped"
        )
        assert shown["shipped"] is (version == "shipped")
        assert triage.version() == (SHIPPED["version"] if version == "shipped" else version)
    for version in ("v9", "\0", ""):
        assert call("POST", f"{PATH}/use", json={"version": version}).status_code == 404
    for body in ({}, {"version": 3}, {"version": "v2", "x": 1}):
        assert call("POST", f"{PATH}/use", json=body).status_code == 400
    assert acts()[-3:] == ["model.chosen"] * 3


def test_only_the_last_are_kept(learn: Learn) -> None:
    """Five models are kept, the newest ones."""
    for number in range(7):
        shown = learn(f"v{number}")

    assert [row["version"] for row in shown["kept"]] == ["v6", "v5", "v4", "v3", "v2"]


def test_who_may(call: Call, learn: Learn, tenant: Tenant, new_key: Callable[..., str]) -> None:
    """A key of one project changes no model, and nobody does where there is another workspace."""
    second = bootstrap.create_project(tenant.workspace_id, "Second", now_ms())
    headers = {"Authorization": f"Bearer {new_key(second, scopes=['admin', 'read'])}"}
    ways = ((f"{PATH}/train", None), (f"{PATH}/use", {"version": "shipped"}))
    assert [call("POST", path, json=body, headers=headers).status_code for path, body in ways] == [403, 403]
    assert call("GET", PATH, headers=headers).json["corrections"] == 0
    learn("v2")
    other = bootstrap.initialise("Other", None)["key"]
    theirs = call("GET", PATH, headers={"Authorization": f"Bearer {other}"}).json

    assert [call("POST", path, json=body).status_code for path, body in ways] == [403, 403]
    assert (theirs["training"], theirs["corrections"]) == (None, 0)


def test_a_model_that_cannot_be_read(call: Call, learn: Learn) -> None:
    """One that is broken is not used; the one in use stays, and so does the gateway."""
    learn("v2")
    active_model.look()
    with writing():
        models.add("broken", "x", 1, {**SHIPPED, "version": "broken"}, b"no arrays", now_ms())
        models.add("old", "x", 1, {**SHIPPED, "version": "old", "format": 0}, b"", now_ms())
    assert active_model.look()
    assert not active_model.look()
    assert triage.version() == "v2"
    assert call("POST", f"{PATH}/use", json={"version": "broken"}).status_code == 200
    assert active_model.look()
    assert triage.version() == "v2"
    assert call("POST", f"{PATH}/use", json={"version": "v2"}).status_code == 200


def test_watched(learn: Learn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who serves finds another model by itself."""
    monkeypatch.setattr(active_model, "EVERY", 0.01)
    stop, used = threading.Event(), threading.Event()
    monkeypatch.setattr(triage, "use", lambda model: used.set())
    learn("v2")
    thread = active_model.watch(stop)
    assert used.wait(30)
    stop.set()
    thread.join(30)
    monkeypatch.undo()
    active_model._seen = models.SHIPPED


def test_pinned(call: Call, learn: Learn, tmp_path: Path) -> None:
    """With GATEWAY_MODEL that model is in use, also when another is installed there, and nothing else is."""
    learn("v2")
    for name in ("model.json", "model.npz"):
        (tmp_path / name).write_bytes((triage.SHIPPED / name).read_bytes())
    active_model.connect(tmp_path)
    assert call("GET", PATH).json["pinned"] is True
    assert triage.version() == SHIPPED["version"]
    assert call("POST", f"{PATH}/train").status_code == 403
    assert call("POST", f"{PATH}/use", json={"version": "v2"}).status_code == 403
    (tmp_path / "model.json").write_text(json.dumps({**SHIPPED, "version": "by hand"}))
    assert active_model.look()
    assert triage.version() == "by hand"
    (tmp_path / "model.json").unlink()
    assert not active_model.look()
    active_model.connect(None)
    assert triage.version() == "v2"


def test_nobody_asks(tenant: Tenant) -> None:
    """Without a wish the worker rests."""
    assert run_once(retraining.RETRAIN)
    assert Job.get_by_id(retraining.NAME).due_at > now_ms() + 80_000_000
