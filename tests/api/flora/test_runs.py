"""FLORA's techniques and runs, as its page says them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from adapters.flora import ADAPTER
from gateway.background.lease import Work, run_once
from gateway.core import outbound
from gateway.core.config import Config
from gateway.files import addresses
from gateway.runs import lifecycle, registry, worker
from models import Run
from models.database.base import writing
from models.tables import run
from models.tables.workspace import Workspace
from tests.conftest import Call, Tenant

NewKey = Callable[..., str]
V1 = "/api/v1"
EXPORT = f"{V1}/techniques/export-feedback/runs"
PUBLIC = "https://93.184.215.14/hook"


@pytest.fixture(autouse=True)
def _addressed(app: object) -> None:
    addresses.connect("http://gateway.test")


def body(**more: Any) -> dict[str, Any]:
    inputs = [{"id": "filter", "type": "text", "value": ""}]
    return {"inputs": inputs, "mode": "async", **more}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def work() -> None:
    run_once(Work(run.WORKS[0], worker.do_runs))


def fields_of(response: Any) -> dict[str, str]:
    assert response.status_code == 400, response.text
    error = response.json["error"]
    assert error["code"] == "input_validation_error"
    return {one["field"]: one["message"] for one in error["fields"]}


class TestTechniques:
    def test_a_list_in_pages(self, call: Call, tenant: Tenant) -> None:
        """Every technique is on one page, in one order, with texts as inputs and no cost."""
        seen, cursor = [], ""
        while cursor is not None:
            page = call("GET", f"{V1}/techniques?limit=2&cursor={cursor}").json
            assert 1 <= len(page["techniques"]) <= 2
            assert page["meta"]["total_estimate"] == len(registry.load())
            seen += page["techniques"]
            cursor = page["meta"]["next_cursor"]

        assert [one["technique_id"] for one in seen] == [one.id for one in registry.load().values()]
        assert {one["run_cost"] for one in seen} == {0}
        assert {each["type"] for one in seen for each in one["inputs"]} == {"text"}
        assert all(one["inputs"] and one["outputs"] for one in seen)
        mine = call("GET", f"{V1}/techniques?workspace_id={tenant.workspace_id}&query=EXPORT").json
        assert [one["name"] for one in mine["techniques"]] == ["Export feedback"]

    def test_one_by_its_id_or_slug(self, call: Call) -> None:
        by_slug = call("GET", f"{V1}/techniques/export-feedback").json
        assert call("GET", f"{V1}/techniques/{by_slug['technique_id']}").json == by_slug
        assert [one["optional"] for one in by_slug["inputs"]] == [False, True, True]
        assert call("GET", f"{V1}/techniques/nothing").status_code == 404
        assert call("GET", f"{V1}/techniques/tech_nothing").status_code == 404

    def test_bad_parameters(self, call: Call, other: Tenant) -> None:
        assert "workspace_id" in fields_of(call("GET", f"{V1}/techniques?workspace_id=x"))
        assert "limit" in fields_of(call("GET", f"{V1}/techniques?limit=0"))
        assert "cursor" in fields_of(call("GET", f"{V1}/techniques?cursor=x"))
        foreign = call("GET", f"{V1}/techniques?workspace_id={other.workspace_id}")
        assert foreign.json["error"]["code"] == "forbidden"


class TestStart:
    def test_a_run_from_start_to_end(self, call: Call) -> None:
        """201 at once, pending; polled where `poll_url` says; then completed with the address of its file."""
        call("POST", "/gateway/v1/feedback", json={"text": "The export stalls"})
        made = call("POST", EXPORT, json=body())
        assert made.status_code == 201
        assert (made.json["status"], made.json["progress"]) == ("pending", 0)
        assert "started_at" not in made.json and "outputs" not in made.json
        poll = made.json["poll_url"].removeprefix("http://gateway.test")
        assert poll == f"{EXPORT}/{made.json['run_id']}"
        work()
        done = call("GET", poll).json
        assert (done["status"], done["progress"], done["charged_cost"]) == ("completed", 100, 0)
        assert done["created_at"] <= done["started_at"] <= done["completed_at"]
        (output,) = done["outputs"]
        assert (output["output_id"], output["type"]) == ("file", "documentUrl")
        assert output["url"].startswith("http://gateway.test/files/asset_")
        technique = call("GET", f"{V1}/techniques/export-feedback").json["technique_id"]
        for path in (f"{V1}/runs/{done['run_id']}", f"{V1}/techniques/{technique}/runs/{done['run_id']}"):
            assert call("GET", path).json == done

    def test_by_the_other_door(self, call: Call, tenant: Tenant) -> None:
        """/runs/technique takes an object; the run is the same kind of run."""
        technique = call("GET", f"{V1}/techniques/export-feedback").json["technique_id"]
        sent = {"technique_id": technique, "workspace_id": tenant.workspace_id, "inputs": {"filter": "q=x"}}
        made = call("POST", f"{V1}/runs/technique", json=sent)
        assert made.status_code == 201
        assert made.json["type"] == "technique" and made.json["charged_cost"] == 0
        assert made.json["technique"] == {"technique_id": technique, "name": "Export feedback"}
        assert made.json["estimated_seconds"] is None
        shown = call("GET", made.json["poll_url"].removeprefix("http://gateway.test")).json
        assert shown["run_id"] == made.json["run_id"]

    @pytest.mark.parametrize("word", ["text", "TEXT"])
    def test_types_as_every_page_writes_them(self, call: Call, word: str) -> None:
        made = call("POST", EXPORT, json=body(inputs=[{"id": "filter", "type": word, "value": "q=a"}]))
        assert made.status_code == 201

    @pytest.mark.parametrize("word", ["imageUrl", "IMAGE_URL", "videoUrl", "VIDEO_URL", "text"])
    def test_a_file_by_its_address(self, call: Call, word: str) -> None:
        """A link may be sent as a link, where an input takes one."""
        inputs = [{"id": "file", "type": word, "value": "https://example.org/a.csv"}]
        made = call("POST", f"{V1}/techniques/import-feedback/runs", json=body(inputs=inputs))
        assert made.status_code == 201

    def test_the_same_key_in_the_body(self, call: Call, new_key: NewKey) -> None:
        """The first is a 201, every later one a 200 with that run as it is now, whatever the body."""
        first = call("POST", EXPORT, json=body(idempotency_key="k"))
        work()
        again = call("POST", EXPORT, json=body(idempotency_key="k", inputs=[TEXT_Q]))
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json["run_id"] == first.json["run_id"]
        assert again.json["status"] == "completed"
        assert call("POST", EXPORT, json=body(idempotency_key="other")).status_code == 201
        assert Run.select().count() == 2

    def test_the_same_key_in_the_header(self, call: Call) -> None:
        """FLORA's law: the second one is refused, and its client told not to send it once more."""
        headers = {"Idempotency-Key": "k"}
        assert call("POST", EXPORT, json=body(), headers=headers).status_code == 201
        again = call("POST", EXPORT, json=body(), headers=headers)
        assert (again.status_code, again.json["error"]["code"]) == (409, "idempotency_duplicate")
        assert again.headers["x-should-retry"] == "false"
        assert Run.select().count() == 1

    def test_a_project_s_keys_are_its_own(self, call: Call, new_key: NewKey, tenant: Tenant) -> None:
        """The same key from the whole workspace is another run, and so the project sees no other's run."""
        key = new_key(tenant.project_id, scopes=["read"])
        first = call("POST", EXPORT, json=body(idempotency_key="k"))
        own = call("POST", EXPORT, json=body(idempotency_key="k"), headers=bearer(key))
        assert own.status_code == 201
        assert own.json["run_id"] != first.json["run_id"]
        listed = call("GET", f"{V1}/technique-runs", headers=bearer(key)).json["technique_runs"]
        assert [one["run_id"] for one in listed] == [own.json["run_id"]]
        assert call("GET", f"{V1}/runs/{first.json['run_id']}", headers=bearer(key)).status_code == 404


TEXT_Q = {"id": "filter", "type": "text", "value": "q=other"}


class TestRefusals:
    @pytest.mark.parametrize(
        ("sent", "wrong"),
        [
            ({"mode": "stream"}, {"mode"}),
            ({"mode": "later"}, {"mode"}),
            ({"mode": None}, {"mode"}),
            ({"inputs": []}, {"inputs"}),
            ({"inputs": None}, {"inputs"}),
            ({"inputs": [1]}, {"inputs.0"}),
            ({"inputs": [{"id": "filter", "type": "text"}]}, {"inputs.0.value"}),
            ({"inputs": [{"id": "nope", "type": "text", "value": "x"}]}, {"inputs.0.id", "inputs.filter"}),
            ({"inputs": [TEXT_Q, TEXT_Q]}, {"inputs.1.id"}),
            ({"inputs": [{**TEXT_Q, "type": "documentUrl"}]}, {"inputs.0.type"}),
            ({"inputs": [{**TEXT_Q, "type": "imageUrl"}]}, {"inputs.0.type"}),
            ({"inputs": [{**TEXT_Q, "value": "color=red"}]}, {"inputs.filter"}),
            ({"inputs": [{**TEXT_Q, "value": "x" * 5000}]}, {"inputs.0.value"}),
            ({"inputs": [TEXT_Q, {"id": "format", "type": "text", "value": "xml"}]}, {"inputs.format"}),
            ({"inputs": [TEXT_Q, {"id": "fields", "type": "text", "value": "id,shoe"}]}, {"inputs.fields"}),
            ({"callback_url": "http://example.org/"}, {"callback_url"}),
            ({"callback_url": "https://127.0.0.1/"}, {"callback_url"}),
            ({"callback_url": "https://10.0.0.1/"}, {"callback_url"}),
            ({"callback_url": "https://[::1]/"}, {"callback_url"}),
            ({"callback_url": "nonsense"}, {"callback_url"}),
            ({"callback_url": 1}, {"callback_url"}),
            ({"idempotency_key": ""}, {"idempotency_key"}),
            ({"idempotency_key": "x" * 256}, {"idempotency_key"}),
            ({"more": 1}, {"more"}),
            (
                {"mode": "stream", "inputs": [], "callback_url": "http://a.b/"},
                {"mode", "inputs", "callback_url"},
            ),
        ],
    )
    def test_bad_bodies(self, call: Call, sent: dict[str, Any], wrong: set[str]) -> None:
        """Each fault is named, and no run is started."""
        assert set(fields_of(call("POST", EXPORT, json=body(**sent)))) == wrong
        assert Run.select().count() == 0

    @pytest.mark.parametrize(
        ("inputs", "wrong"),
        [
            ({"file": "a.csv"}, "inputs.file"),
            ({"file": "http://example.org/a.csv"}, "inputs.file"),
            ({"map": "text=a"}, "inputs.file"),
            ({"file": "https://example.org/a.csv", "map": "text"}, "inputs.map"),
            ({"file": "https://example.org/a.csv", "map": "title=a"}, "inputs.map"),
            ({"file": "https://example.org/a.csv", "source": "Not so"}, "inputs.source"),
            ({"file": "https://example.org/a.csv", "source": "github"}, "inputs.source"),
            ({"file": "https://example.org/a.csv", "project": "prj_none"}, "inputs.project"),
            ({"file": "https://example.org/a.csv", "map": 1}, "inputs.map"),
            ({"nope": "x", "file": "https://example.org/a.csv"}, "inputs.nope"),
            ({"file": "https://example.org/" + "a" * 4000}, "inputs.file"),
        ],
    )
    def test_bad_inputs(self, call: Call, tenant: Tenant, inputs: dict[str, Any], wrong: str) -> None:
        technique = registry.load()["import-feedback"]
        sent = {"technique_id": technique.id, "workspace_id": tenant.workspace_id, "inputs": inputs}
        assert set(fields_of(call("POST", f"{V1}/runs/technique", json=sent))) == {wrong}

    def test_what_is_no_object(self, call: Call) -> None:
        broken = call("POST", EXPORT, data=b"{", headers={"Content-Type": "application/json"})
        assert (broken.status_code, broken.json["error"]["code"]) == (400, "invalid_json")
        assert fields_of(call("POST", EXPORT, json=[])) == {"body": "Expected object, received array"}
        assert call("POST", f"{V1}/techniques/none/runs", json=body()).status_code == 404

    def test_ids(self, call: Call, tenant: Tenant, other: Tenant) -> None:
        """A wrong beginning is a 400; what is not there, or another's, a 404; another's workspace a 403."""
        theirs = call("POST", EXPORT, json=body(), headers=other.headers).json["run_id"]
        mine = call("POST", EXPORT, json=body()).json["run_id"]
        for name in ("run_nothing", theirs):
            for path in (f"{EXPORT}/{name}", f"{V1}/runs/{name}"):
                assert call("GET", path).json["error"] == {"code": "not_found", "message": "Not found."}
        assert call("GET", f"{V1}/techniques/import-feedback/runs/{mine}").status_code == 404
        for path in (f"{EXPORT}/fb_1", f"{V1}/runs/1"):
            told = fields_of(call("GET", path))
            assert told == {"run_id": "Run identifier must start with run_"}
        sent: dict[str, Any] = {"technique_id": "x", "workspace_id": tenant.workspace_id, "inputs": {}}
        assert fields_of(call("POST", f"{V1}/runs/technique", json=sent)) == {
            "technique_id": "Technique identifier must start with tech_"
        }
        sent |= {"technique_id": registry.load()["export-feedback"].id, "workspace_id": other.workspace_id}
        assert call("POST", f"{V1}/runs/technique", json=sent).status_code == 403
        sent |= {"technique_id": "tech_none", "workspace_id": tenant.workspace_id}
        assert call("POST", f"{V1}/runs/technique", json=sent).status_code == 404

    @pytest.mark.parametrize("scope", ["ingest", "read", "triage", "admin"])
    def test_scopes(self, call: Call, new_key: NewKey, scope: str) -> None:
        """A key may run what its scope is for, and an admin's everything; others are a 403."""
        headers = bearer(new_key(scopes=[scope]))
        for technique in registry.load().values():
            answer = call("POST", f"{V1}/techniques/{technique.slug}/runs", json={}, headers=headers)
            allowed = scope in (technique.scope, "admin")
            assert answer.status_code == (400 if allowed else 403), technique.slug
            assert allowed or answer.json["error"] == {"code": "forbidden", "message": "Forbidden."}

    @pytest.mark.parametrize(("scope", "sees"), [("ingest", False), ("read", True), ("triage", False)])
    def test_who_sees_a_run(self, call: Call, new_key: NewKey, scope: str, sees: bool) -> None:
        """The addresses of an export's file are not for keys that may not read."""
        made = call("POST", EXPORT, json=body()).json["run_id"]
        headers = bearer(new_key(scopes=[scope]))
        assert (call("GET", f"{V1}/runs/{made}", headers=headers).status_code == 200) == sees
        listed = call("GET", f"{V1}/technique-runs", headers=headers).json["technique_runs"]
        assert bool(listed) == sees

    def test_a_budget(self, call: Call, tenant: Tenant) -> None:
        """402 with what is required and available in words, as the envelope is closed; a repeat is free."""
        with writing():
            Workspace.update(runs_a_month=1).where(Workspace.id == tenant.workspace_id).execute()
        assert call("POST", EXPORT, json=body(idempotency_key="k")).status_code == 201
        refused = call("POST", EXPORT, json=body(), headers={"Idempotency-Key": "h"})
        assert refused.status_code == 402
        assert refused.json == {
            "error": {
                "code": "insufficient_credits",
                "message": "Insufficient credits: 1 required, 0 available this month.",
            }
        }
        assert call("POST", EXPORT, json=body(idempotency_key="k")).status_code == 200
        with writing():
            Workspace.update(runs_a_month=None).where(Workspace.id == tenant.workspace_id).execute()
        assert call("POST", EXPORT, json=body(), headers={"Idempotency-Key": "h"}).status_code == 201

    def test_the_model_is_everybody_s(self, call: Call, other: Tenant, new_key: NewKey) -> None:
        """Where there is another workspace, none of them has the model retrained."""
        path = f"{V1}/techniques/retrain/runs"
        sent = body(inputs=[{"id": "scope", "type": "text", "value": "model"}])
        assert set(fields_of(call("POST", path, json=sent))) == {"inputs.scope"}


class TestList:
    def test_pages(self, call: Call, tenant: Tenant) -> None:
        """The newest first, each once, with what the others do not show."""
        made = [call("POST", EXPORT, json=body()).json["run_id"] for _ in range(5)]
        seen, cursor = [], ""
        while cursor is not None:
            page = call("GET", f"{V1}/technique-runs?limit=2&cursor={cursor}").json
            seen += page["technique_runs"]
            cursor = page["meta"]["next_cursor"]
        assert [one["run_id"] for one in seen] == made[::-1]
        assert {one["workspace_id"] for one in seen} == {tenant.workspace_id}
        assert {one["project_id"] for one in seen} == {tenant.project_id}
        assert all(one["technique_run_id"] == one["run_id"] for one in seen)
        assert seen[0]["technique"]["name"] == "Export feedback"

    def test_narrowed(self, call: Call, tenant: Tenant, other: Tenant) -> None:
        call("POST", EXPORT, json=body(), headers=other.headers)
        mine = call("POST", EXPORT, json=body()).json["run_id"]

        def ids(**query: str) -> list[str]:
            found = call("GET", f"{V1}/technique-runs", query_string=query)
            return [one["run_id"] for one in found.json["technique_runs"]]

        known = registry.load()
        assert ids() == ids(status="pending") == ids(technique_id=known["export-feedback"].id) == [mine]
        assert ids(workspace_id=tenant.workspace_id) == [mine]
        assert (
            ids(status="failed") == ids(technique_id=known["retrain"].id) == ids(technique_id="tech_x") == []
        )
        assert ids(project_id="prj_x") == []
        for name, value in (("status", "done"), ("technique_id", "x"), ("cursor", "x"), ("limit", "101")):
            assert name in fields_of(call("GET", f"{V1}/technique-runs?{name}={value}"))

    def test_failed_and_cancelled(self, call: Call, tenant: Tenant) -> None:
        """Why is a code and words; nothing is charged and there are no outputs."""
        made = call("POST", EXPORT, json=body()).json["run_id"]
        assert lifecycle.cancel(tenant.workspace_id, made, "usr")
        shown = call("GET", f"{V1}/runs/{made}").json
        assert (shown["status"], shown["error_code"]) == ("failed", "cancelled")
        assert shown["error_message"] and "outputs" not in shown

    def test_addresses_end(self, call: Call, tenant: Tenant) -> None:
        """They are signed for a week from the run's end: asked for later they are the same, and over."""
        made = call("POST", EXPORT, json=body()).json["run_id"]
        work()
        first, second = (call("GET", f"{V1}/runs/{made}").json["outputs"][0]["url"] for _ in range(2))
        expires = int(first.partition("exp=")[2].partition("&")[0])
        ended = Run.get_by_id(made).completed_at // 1000
        assert abs(expires - ended - addresses.VALID) <= 1
        assert first.partition("?")[0] == second.partition("?")[0]


def test_a_public_callback_is_kept(call: Call) -> None:
    outbound.connect(Config())
    made = call("POST", EXPORT, json=body(callback_url=PUBLIC))
    assert made.status_code == 201
    assert Run.get_by_id(made.json["run_id"]).callback_url == PUBLIC


def test_every_error_is_told_in_the_closed_envelope(call: Call) -> None:
    """Nothing but code, message and fields, whatever happens."""
    for response in (
        call("GET", f"{V1}/techniques/none"),
        call("POST", EXPORT, json={}),
        call("DELETE", EXPORT),
        call("GET", f"{V1}/runs/run_x", headers=bearer("sk_live_x")),
        call("GET", f"{V1}/technique-runs", headers={"Authorization": ""}),
    ):
        assert set(response.json) == {"error"}
        assert set(response.json["error"]) - {"fields"} == {"code", "message"}
        assert response.headers["request-id"].startswith("req_")
        assert json.dumps(response.json)
    assert ADAPTER.idempotency.repeat == "refuse"
