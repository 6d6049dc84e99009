"""Techniques and runs by FLORA's own client, with a worker that does them."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.runs import registry
from tests.clients.conftest import Driver
from tests.clients.test_flora import Flora, keyed, refused
from tests.conftest import Server, running, until

SHOWN = {"run_id", "status", "progress", "created_at", "charged_cost", "poll_url"}
TECHNIQUES = list(registry.load().values())


@pytest.fixture(name="server", scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gateway that knows its address, with a worker."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        bind = f"127.0.0.1:{free.getsockname()[1]}"
    directory = tmp_path_factory.mktemp("server")
    with running(directory, GATEWAY_BACKGROUND="on", GATEWAY_BIND=bind) as server:
        for text in ("The export stalls", "I love the new brushes"):
            httpx.post(f"{server.url}/gateway/v1/feedback", json={"text": text}, headers=server.headers)
        yield server


@pytest.fixture(name="flora")
def _flora(server: Server, flora_driver: Driver) -> Flora:
    def flora(call: str, *args: Any, **options: Any) -> Any:
        options = {"baseURL": f"{server.url}/api/v1", "apiKey": server.tenant.key, **options}
        return flora_driver(options=options, call=call, args=args)

    return flora


def body(query: str = "", **more: Any) -> dict[str, Any]:
    return {"inputs": [{"id": "filter", "type": "text", "value": query}], "mode": "async", **more}


def polled(flora: Flora, slug: str, run_id: str) -> dict[str, Any]:
    """The run once it has ended, as its pages say to poll; its progress never goes back."""
    seen: list[int] = []

    def ended() -> dict[str, Any] | None:
        shown: dict[str, Any] = flora("techniques.runs.retrieve", run_id, {"techniqueId": slug}).data["data"]
        seen.append(shown["progress"])
        return shown if shown["status"] in ("completed", "failed") else None

    found: dict[str, Any] = until(ended)
    assert seen == sorted(seen)
    return found


def test_techniques(flora: Flora) -> None:
    """The client walks through all pages and looks one up by its id and its slug."""
    listed = flora("techniques.list", {"limit": 2})
    assert len(listed.requests) == (len(TECHNIQUES) + 1) // 2
    assert [one["technique_id"] for one in listed.data["data"]] == [one.id for one in TECHNIQUES]
    for name in (TECHNIQUES[0].id, TECHNIQUES[0].slug):
        assert flora("techniques.retrieve", name).data["data"] == listed.data["data"][0]
    found = flora("techniques.list", {"query": "retrain"}).data["data"]
    assert [one["technique_id"] for one in found] == [registry.load()["retrain"].id]


def test_a_run_is_created_and_polled(flora: Flora) -> None:
    """201 at once; polled it becomes completed, with an address that gives the file to anybody."""
    made = flora("techniques.runs.create", "export-feedback", body()).data
    assert made["status"] == 201
    assert set(made["data"]) == SHOWN
    done = polled(flora, "export-feedback", made["data"]["run_id"])
    assert (done["status"], done["progress"]) == ("completed", 100)
    assert set(done) == {*SHOWN, "started_at", "completed_at", "outputs"}
    (output,) = done["outputs"]
    file = httpx.get(output["url"])
    assert file.status_code == 200
    assert [("export stalls" in line, "brushes" in line) for line in file.text.splitlines()] == [
        (True, False),
        (False, True),
    ]
    assert flora("get", f"/runs/{done['run_id']}").data["data"]["status"] == "completed"


def test_the_key_in_the_body(flora: Flora) -> None:
    """201 and then 200 with the same run, whatever else is sent."""
    first = flora("techniques.runs.create", "export-feedback", body(idempotency_key="body-1")).data
    again = flora("techniques.runs.create", "export-feedback", body("q=x", idempotency_key="body-1")).data
    assert (first["status"], again["status"]) == (201, 200)
    assert first["data"]["run_id"] == again["data"]["run_id"]


def test_the_key_in_the_header(flora: Flora) -> None:
    """The second one is refused in one request: the client does not try it again."""
    assert flora("techniques.runs.create", "export-feedback", body(), keyed("h-1")).data["status"] == 201
    again = flora("techniques.runs.create", "export-feedback", body(), keyed("h-1"))
    refused(again, "ConflictError", 409, "idempotency_duplicate")


def test_start_technique(flora: Flora, server: Server) -> None:
    technique = registry.load()["export-feedback"]
    sent = {
        "technique_id": technique.id,
        "workspace_id": server.tenant.workspace_id,
        "inputs": {"filter": ""},
    }
    made = flora("runs.startTechnique", sent).data
    assert made["status"] == 201
    assert made["data"]["type"] == "technique"
    assert made["data"]["technique"] == {"technique_id": technique.id, "name": technique.name}
    assert polled(flora, "export-feedback", made["data"]["run_id"])["status"] == "completed"


def test_runs_in_pages(flora: Flora, server: Server) -> None:
    """The newest first, each once, over as many pages as there are."""
    made = [flora("techniques.runs.create", "export-feedback", body()).data["data"] for _ in range(3)]
    listed = flora("techniques.runs.list", {"limit": 2})
    ids = [one["run_id"] for one in listed.data["data"]]
    assert ids[:3] == [one["run_id"] for one in made[::-1]]
    assert len(ids) == len(set(ids)) and len(listed.requests) >= 2
    first = listed.data["data"][0]
    assert first["workspace_id"] == server.tenant.workspace_id
    assert first["project_id"] == server.tenant.project_id
    assert first["technique"]["name"] == "Export feedback"
    none = flora("techniques.runs.list", {"technique_id": registry.load()["retrain"].id}).data["data"]
    assert none == []


@pytest.mark.long
def test_an_import_that_cannot_be_had(flora: Flora) -> None:
    """A run that starts is a 2xx, also when it fails later; nothing is sent to an address of ours."""
    inputs = [{"id": "file", "type": "text", "value": "https://127.0.0.1/a.csv"}]
    made = flora("techniques.runs.create", "import-feedback", {"inputs": inputs, "mode": "async"}).data
    assert made["status"] == 201
    failed = polled(flora, "import-feedback", made["data"]["run_id"])
    assert (failed["status"], failed["error_code"]) == ("failed", "input_unreachable")


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({**body(), "mode": "stream"}, "mode"),
        ({"mode": "async"}, "inputs"),
        (body(callback_url="http://example.org/hook"), "callback_url"),
        (body(callback_url="https://10.0.0.1/hook"), "callback_url"),
        ({"inputs": [{"id": "color", "type": "text", "value": "red"}], "mode": "async"}, "inputs.0.id"),
    ],
)
def test_bad_input(flora: Flora, sent: dict[str, Any], field: str) -> None:
    error = refused(
        flora("techniques.runs.create", "export-feedback", sent),
        "BadRequestError",
        400,
        "input_validation_error",
    )
    assert field in [one["field"] for one in error["fields"]]


def test_other_refusals(flora: Flora, server: Server) -> None:
    """Each with the code and the class that the client has for it."""
    read = server.new_key("--scope", "read")
    refused(
        flora("techniques.runs.create", "import-feedback", body(), apiKey=read),
        "PermissionDeniedError",
        403,
        "forbidden",
    )
    refused(flora("techniques.retrieve", "nothing"), "NotFoundError", 404, "not_found")
    refused(flora("get", "/runs/run_nothing"), "NotFoundError", 404, "not_found")
    refused(flora("get", "/runs/fb_1"), "BadRequestError", 400, "input_validation_error")
    refused(flora("techniques.list", apiKey="sk_live_none"), "AuthenticationError", 401, "invalid_api_key")


def test_a_budget(flora: Flora, server: Server) -> None:
    """402 tells in words what is required and available."""
    server.run("workspace", "change", "--runs-a-month", "0")
    try:
        outcome = flora("techniques.runs.create", "export-feedback", body())
        error = refused(outcome, outcome.failure["name"], 402, "insufficient_credits")
        assert error["message"] == "Insufficient credits: 1 required, 0 available this month."
    finally:
        server.run("workspace", "change", "--runs-a-month", "any")


def test_by_curl(server: Server, tmp_path: Path) -> None:
    """The page's lines, with another address and slug."""
    run = f"""
set -e
curl -sf "{server.url}/api/v1/techniques/export-feedback" -H "Authorization: Bearer $FLORA_API_KEY" > one
curl -sf -X POST "{server.url}/api/v1/techniques/export-feedback/runs" \\
  -H "Authorization: Bearer $FLORA_API_KEY" -H "Content-Type: application/json" \\
  -d '{{"inputs":[{{"id":"filter","type":"text","value":"category=bug"}}],"mode":"async"}}' > two
id=$(grep -o 'run_[0-9A-Z]\\{{26\\}}' two | head -1)
curl -sf "{server.url}/api/v1/techniques/export-feedback/runs/$id" \\
  -H "Authorization: Bearer $FLORA_API_KEY" > three
"""
    environ = {"FLORA_API_KEY": server.tenant.key, "PATH": "/usr/bin:/bin"}
    subprocess.run(["bash", "-c", run], cwd=tmp_path, env=environ, check=True, timeout=60)
    assert '"technique_id"' in (tmp_path / "one").read_text()
    assert '"status"' in (tmp_path / "three").read_text()
