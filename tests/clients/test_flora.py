"""FLORA's own client (@flora-ai/flora) against a running gateway."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import Driver, Inbox, Outcome, driving
from tests.clients.lossy import Lossy
from tests.conftest import Server, Tenant

Flora = Callable[..., Outcome]
BUG = {
    "kind": "bug",
    "summary": "Mask edges flicker on export",
    "detail": "Exported clips show a one-pixel seam around every mask since yesterday.",
}


@pytest.fixture(name="flora")
def _flora(server: Server, flora_driver: Driver) -> Flora:
    """Calls the client: flora("feedback.record", body, {"headers": ...}, maxRetries=0)."""

    def flora(call: str, *args: Any, **options: Any) -> Outcome:
        options = {"baseURL": f"{server.url}/api/v1", "apiKey": server.tenant.key, **options}
        return flora_driver(options=options, call=call, args=args)

    return flora


def keyed(key: str) -> dict[str, Any]:
    """Request options that send an Idempotency-Key, the only way this client has."""
    return {"headers": {"Idempotency-Key": key}}


def refused(outcome: Outcome, name: str, status: int, code: str) -> dict[str, Any]:
    """Checks a refusal in FLORA's closed envelope, told in one request, and returns its `error`."""
    failure = outcome.failure
    assert (failure["name"], failure["status"]) == (name, status)
    assert outcome.statuses == [status]
    assert set(failure["body"]) == {"error"}
    error: dict[str, Any] = failure["body"]["error"]
    assert set(error) - {"fields"} == {"code", "message"}
    assert error["code"] == code
    assert re.fullmatch(r"req_\S+", failure["headers"]["request-id"])
    return error


class TestRecord:
    @pytest.mark.parametrize("base", ["/api/v1", "/api/v1/", "/flora/api/v1", "/flora/api/v1/"])
    def test_recorded_feedback_is_stored(self, flora: Flora, server: Server, inbox: Inbox, base: str) -> None:
        """A recorded bug is answered 201 with FLORA's two keys, and can be read at once."""
        before = time.time()
        outcome = flora(
            "feedback.record",
            {**BUG, "attempted_tools": ["render_mask", "export_clip"], "run_id": "run_7fq"},
            baseURL=server.url + base,
        )
        answer = outcome.data

        assert answer["status"] == 201
        assert set(answer["data"]) == {"feedback_id", "received_at"}
        assert re.fullmatch(r"fb_\S+", answer["data"]["feedback_id"])
        assert type(answer["data"]["received_at"]) is int
        assert before * 1000 - 1 <= answer["data"]["received_at"] <= time.time() * 1000
        assert outcome.requests[0]["path"] == base.rstrip("/") + "/feedback"
        record = inbox.record(answer["data"]["feedback_id"])
        assert (record["source"], record["type"], record["kind"]) == ("flora", "message", "bug")
        assert (record["title"], record["text"]) == (BUG["summary"], BUG["detail"])
        assert (record["category"], record["category_origin"]) == ("bug", "declared")
        assert record["sentiment"] in ("positive", "neutral", "negative")
        assert 0 <= record["impact"] <= 14
        assert record["subject"] == {"run_id": "run_7fq", "attempted_tools": ["render_mask", "export_clip"]}
        assert record["project_id"] == server.tenant.project_id

    @pytest.mark.parametrize(
        ("kind", "category"),
        [
            ("feature_request", "feature"),
            ("bug", "bug"),
            ("technique_request", "feature"),
            ("missing_capability", "feature"),
        ],
    )
    def test_kinds_become_categories(self, flora: Flora, inbox: Inbox, kind: str, category: str) -> None:
        """Each of FLORA's kinds is kept as sent and declares a category."""
        answer = flora("feedback.record", {**BUG, "kind": kind}).data

        record = inbox.record(answer["data"]["feedback_id"])
        assert (record["kind"], record["category"]) == (kind, category)

    def test_any_language_is_kept_to_the_letter(self, flora: Flora, inbox: Inbox) -> None:
        """Words of any script, emoji and line breaks are stored as the caller wrote them."""
        summary, detail = "Größe & «поля» 🎬", 'Kleur “blauw”\nعنوان 標題 é\t👩🏽‍🎨\n"\\" </b>'

        answer = flora("feedback.record", {**BUG, "summary": summary, "detail": detail}).data

        record = inbox.record(answer["data"]["feedback_id"])
        assert (record["title"], record["text"]) == (summary, detail)
        assert summary in inbox.events(record)[0]["payload"]

    def test_request_id_leads_to_the_delivery(self, flora: Flora, inbox: Inbox) -> None:
        """The request-id that withResponse() shows is the one in the record's history."""
        answer = flora("feedback.record", BUG).data

        assert re.fullmatch(r"req_\S+", answer["headers"]["request-id"])
        (event,) = inbox.events({"id": answer["data"]["feedback_id"]})
        assert event["detail"]["request_id"] == answer["headers"]["request-id"]
        assert event["detail"]["user_agent"] == "FLORA/JS 0.11.0"

    def test_address_and_key_from_the_environment(self, server: Server, node: Path, inbox: Inbox) -> None:
        """A product that sets FLORA_BASE_URL and FLORA_API_KEY needs no change of code."""
        settings = {"FLORA_BASE_URL": f"{server.url}/flora/api/v1", "FLORA_API_KEY": server.tenant.key}
        with driving(["node", node / "flora.mjs"], **settings) as driver:
            answer = driver(options={}, call="feedback.record", args=[BUG]).data

        assert inbox.record(answer["data"]["feedback_id"])["source"] == "flora"

    def test_foreign_ids_are_references(self, flora: Flora, server: Server, inbox: Inbox) -> None:
        """Ids that FLORA itself gave out refuse nothing and are kept in the subject."""
        theirs = {"workspace_id": "ws_Zk31", "project_id": "prj_Zk31", "run_id": "run_Zk31"}

        answer = flora("feedback.record", {**BUG, **theirs}).data

        record = inbox.record(answer["data"]["feedback_id"])
        assert record["subject"] == theirs
        assert record["workspace_id"] == server.tenant.workspace_id


class TestInvalid:
    @pytest.mark.parametrize(
        ("changes", "fields"),
        [
            ({"workspace_id": "abc"}, {"workspace_id": "Workspace identifier must start with ws_"}),
            ({"project_id": "ws_1"}, {"project_id": "Project identifier must start with prj_"}),
            ({"run_id": "RUN_1"}, {"run_id": "Run identifier must start with run_"}),
            ({"workspace_id": "ws_"}, {"workspace_id": "Workspace identifier must start with ws_"}),
            ({"summary": None}, {"summary": None}),
            ({"run_id": None}, {"run_id": None}),
            ({"detail": ""}, {"detail": None}),
            ({"kind": "complaint"}, {"kind": None}),
            ({"attempted_tools": "render_mask"}, {"attempted_tools": None}),
            (
                {"summary": 7, "detail": ["x"], "project_id": "p"},
                {"summary": None, "detail": None, "project_id": None},
            ),
        ],
    )
    def test_bad_fields_are_named(
        self, flora: Flora, changes: dict[str, Any], fields: dict[str, str | None]
    ) -> None:
        """Every bad field is in `fields`; the message is "<field>: <text>"; the client does not retry."""
        error = refused(
            flora("feedback.record", {**BUG, **changes}), "BadRequestError", 400, "input_validation_error"
        )

        told = {fault["field"]: fault["message"] for fault in error["fields"]}
        assert set(told) == set(fields)
        assert all(told[name] == message for name, message in fields.items() if message)
        assert all(f"{name}: {message}" in error["message"] for name, message in told.items())

    def test_missing_fields_are_required(self, flora: Flora) -> None:
        """A field that is not there is told as "<field>: Required"."""
        error = refused(
            flora("feedback.record", {"kind": "bug", "detail": "Nothing renders."}),
            "BadRequestError",
            400,
            "input_validation_error",
        )

        assert error["message"] == "summary: Required"
        assert error["fields"] == [{"field": "summary", "message": "Required"}]

    def test_nothing_invalid_is_stored(self, flora: Flora, inbox: Inbox, trace_id: str) -> None:
        """Refused feedback leaves no record."""
        refused(
            flora("feedback.record", {**BUG, "run_id": f"run_{trace_id}", "kind": "idea"}),
            "BadRequestError",
            400,
            "input_validation_error",
        )

        assert inbox.about(run_id=f"run_{trace_id}") == []


class TestKeys:
    @pytest.mark.parametrize("header", [None, "Basic c2VjcmV0", "Bearer two words"])
    def test_missing_or_malformed_header(self, flora: Flora, header: str | None) -> None:
        """No Authorization header, or one that is no bearer key, is `unauthorized`."""
        outcome = flora("feedback.record", BUG, {"headers": {"Authorization": header}})

        refused(outcome, "AuthenticationError", 401, "unauthorized")

    @pytest.mark.parametrize("key", ["sk_live_short", "sk_test_" + "a" * 40, "sk_live_" + "a" * 40])
    def test_malformed_key(self, flora: Flora, key: str) -> None:
        """A key that cannot be one of ours is `invalid_api_key`."""
        refused(flora("feedback.record", BUG, apiKey=key), "AuthenticationError", 401, "invalid_api_key")

    def test_unknown_key(self, flora: Flora, unknown_key: str) -> None:
        """A well-formed key nobody was given is `invalid_api_key`."""
        error = refused(
            flora("feedback.record", BUG, apiKey=unknown_key), "AuthenticationError", 401, "invalid_api_key"
        )

        assert error["message"] == "Invalid API key."

    def test_key_without_the_scope(self, flora: Flora, reading_key: str) -> None:
        """A key that may not send is `forbidden`."""
        refused(flora("feedback.record", BUG, apiKey=reading_key), "PermissionDeniedError", 403, "forbidden")

    @pytest.mark.parametrize("name", ["workspace_id", "project_id"])
    def test_ids_of_another_workspace(self, flora: Flora, inbox: Inbox, neighbour: Tenant, name: str) -> None:
        """Feedback that names another tenant's workspace or project is `forbidden` and not stored."""
        named = getattr(neighbour, name)

        error = refused(
            flora("feedback.record", {**BUG, name: named}), "PermissionDeniedError", 403, "forbidden"
        )

        assert error["message"] == "Forbidden."
        assert inbox.about(**{name: named}) == []

    def test_projects_of_another_workspace(self, flora: Flora, neighbour: Tenant) -> None:
        """Another tenant's projects can neither be listed nor added to."""
        foreign = {"workspace_id": neighbour.workspace_id}

        refused(flora("projects.list", foreign), "PermissionDeniedError", 403, "forbidden")
        refused(
            flora("projects.create", {**foreign, "name": "Intruder"}),
            "PermissionDeniedError",
            403,
            "forbidden",
        )


class TestUnknown:
    @pytest.mark.parametrize("base", ["/flora", "/flora/api/v2", "/api/v1/studio"])
    def test_unknown_route(self, flora: Flora, server: Server, base: str) -> None:
        """A wrong base path is answered in FLORA's envelope."""
        error = refused(
            flora("feedback.record", BUG, baseURL=server.url + base), "NotFoundError", 404, "not_found"
        )

        assert error["message"] == "Not found."

    @pytest.mark.parametrize("base", ["", "/api"])
    def test_base_without_the_version(self, flora: Flora, server: Server, base: str) -> None:
        """A base path outside FLORA's own still is JSON that the client takes for a 404 or a 4xx."""
        outcome = flora("feedback.record", BUG, baseURL=server.url + base)

        assert 400 <= outcome.failure["status"] < 500
        assert outcome.statuses == [outcome.failure["status"]]
        assert isinstance(outcome.failure["body"], dict)

    def test_unknown_project(self, flora: Flora, neighbour: Tenant) -> None:
        """A project that does not exist and another tenant's are answered alike."""
        missing = refused(flora("projects.retrieve", "prj_nothere"), "NotFoundError", 404, "not_found")
        foreign = refused(flora("projects.retrieve", neighbour.project_id), "NotFoundError", 404, "not_found")

        assert missing == foreign == {"code": "not_found", "message": "Not found."}


class TestIdempotency:
    def test_second_call_is_a_conflict(self, flora: Flora, inbox: Inbox, trace_id: str) -> None:
        """The same key again is a ConflictError after exactly one request, and one record is stored."""
        body, options = {**BUG, "run_id": f"run_{trace_id}"}, keyed(trace_id)
        assert flora("feedback.record", body, options).data["status"] == 201

        repeated = flora("feedback.record", body, options)

        error = refused(repeated, "ConflictError", 409, "idempotency_duplicate")
        assert error["message"] == "Duplicate idempotency key."
        assert repeated.failure["headers"]["x-should-retry"] == "false"
        assert len(inbox.about(run_id=f"run_{trace_id}")) == 1

    def test_the_body_does_not_matter(self, flora: Flora, inbox: Inbox, trace_id: str) -> None:
        """The same key with another body is a duplicate too, as FLORA publishes it."""
        body, options = {**BUG, "run_id": f"run_{trace_id}"}, keyed(trace_id)
        flora("feedback.record", body, options)

        repeated = flora("feedback.record", {**body, "summary": "Another matter"}, options)

        refused(repeated, "ConflictError", 409, "idempotency_duplicate")
        assert [record["title"] for record in inbox.about(run_id=f"run_{trace_id}")] == [BUG["summary"]]

    def test_a_failed_call_does_not_use_the_key_up(self, flora: Flora, trace_id: str) -> None:
        """After a 400 the caller corrects the body and sends it with the same key."""
        refused(
            flora("feedback.record", {**BUG, "kind": "idea"}, keyed(trace_id)),
            "BadRequestError",
            400,
            "input_validation_error",
        )

        assert flora("feedback.record", BUG, keyed(trace_id)).data["status"] == 201

    def test_projects_too(self, flora: Flora, server: Server, trace_id: str) -> None:
        """A project is created once per key."""
        body = {"workspace_id": server.tenant.workspace_id, "name": f"Twice {trace_id}"}
        assert flora("projects.create", body, keyed(trace_id)).data["status"] == 201

        refused(
            flora("projects.create", body, keyed(trace_id)), "ConflictError", 409, "idempotency_duplicate"
        )

        listed = flora("projects.list", {"workspace_id": body["workspace_id"], "query": trace_id}).data
        assert len(listed["data"]) == 1


class TestRetries:
    def test_lost_answer(self, flora: Flora, proxy: Lossy, inbox: Inbox, trace_id: str) -> None:
        """When the answer is lost the client resends the same key: a ConflictError, and one record."""
        body = {**BUG, "run_id": f"run_{trace_id}"}

        outcome = flora("feedback.record", body, keyed(trace_id), baseURL=f"{proxy.url}/api/v1")

        assert outcome.failure["name"] == "ConflictError"
        assert outcome.failure["body"]["error"]["code"] == "idempotency_duplicate"
        assert outcome.statuses == [None, 409]
        assert proxy.statuses == [201, 409]
        assert [sent["idempotency-key"] for sent in proxy.headers] == [trace_id] * 2
        assert [sent["x-stainless-retry-count"] for sent in proxy.headers] == ["0", "1"]
        assert len(inbox.about(run_id=f"run_{trace_id}")) == 1

    def test_lost_answer_behind_a_gateway_timeout(
        self, flora: Flora, proxy: Lossy, inbox: Inbox, trace_id: str
    ) -> None:
        """A 504 of a proxy in between is retried the same way: one record."""
        proxy.status = 504
        body = {**BUG, "run_id": f"run_{trace_id}"}

        outcome = flora("feedback.record", body, keyed(trace_id), baseURL=f"{proxy.url}/flora/api/v1")

        assert outcome.failure["name"] == "ConflictError"
        assert outcome.statuses == [504, 409]
        assert len(inbox.about(run_id=f"run_{trace_id}")) == 1

    def test_spent_limit_is_told(self, flora: Flora, server: Server) -> None:
        """The third request of two a minute is a RateLimitError that says how long to wait."""
        key = server.new_key("--rate-limit", "2/minute")
        for left in ("1", "0"):
            headers = flora("feedback.record", BUG, apiKey=key).data["headers"]
            assert (headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]) == ("2", left)

        outcome = flora("feedback.record", BUG, apiKey=key, maxRetries=0)

        error = refused(outcome, "RateLimitError", 429, "rate_limited")
        assert error["message"] == "Rate limit exceeded."
        assert re.fullmatch(r"[1-9]\d*", outcome.failure["headers"]["retry-after"])
        assert int(outcome.failure["headers"]["retry-after"]) <= 61

    def test_spent_limit_is_waited_for(self, flora: Flora, server: Server, inbox: Inbox) -> None:
        """Left alone, the client waits as long as Retry-After says and is let in by then."""
        key = server.new_key("--rate-limit", "1/second")
        calls = (flora("feedback.record", BUG, apiKey=key) for _ in range(20))

        limited = next(outcome for outcome in calls if len(outcome.requests) > 1)

        assert limited.statuses == [429, 201]
        assert inbox.record(limited.data["data"]["feedback_id"])["source"] == "flora"


class TestProjects:
    def test_workspaces(self, flora: Flora, server: Server, neighbour: Tenant) -> None:
        """workspaces.list shows the key's workspace and no other."""
        answer = flora("workspaces.list").data

        assert answer["status"] == 200
        assert set(answer["data"]) == {"workspaces"}
        (workspace,) = answer["data"]["workspaces"]
        assert set(workspace) == {"workspace_id", "name", "created_at", "role"}
        assert workspace["workspace_id"] == server.tenant.workspace_id
        assert workspace["name"] == "Default"
        assert type(workspace["created_at"]) is int

    def test_created_project_takes_feedback(
        self, flora: Flora, server: Server, inbox: Inbox, trace_id: str
    ) -> None:
        """A project made by the client can be read back, and feedback that names it lands there."""
        name = f"Campagne d'été {trace_id}"
        created = flora("projects.create", {"workspace_id": server.tenant.workspace_id, "name": name}).data

        assert created["status"] == 201
        project = created["data"]
        assert set(project) == {
            "project_id",
            "name",
            "workspace_id",
            "origin",
            "last_modified",
            "created_at",
        }
        assert re.fullmatch(r"prj_\S+", project["project_id"])
        assert (project["name"], project["workspace_id"]) == (name, server.tenant.workspace_id)
        assert flora("projects.retrieve", project["project_id"]).data["data"] == project

        answer = flora("feedback.record", {**BUG, "project_id": project["project_id"]}).data

        record = inbox.record(answer["data"]["feedback_id"])
        assert record["project_id"] == project["project_id"]
        assert inbox.newest(project=project["project_id"]) == [record]
        modified = flora("projects.retrieve", project["project_id"]).data["data"]["last_modified"]
        assert modified == answer["data"]["received_at"]

    def test_created_below_its_workspace(self, flora: Flora, server: Server) -> None:
        """The client's newer call, with the workspace in the path, creates a project as well."""
        created = flora("workspaces.projects.create", server.tenant.workspace_id, {"name": "Lente"}).data

        assert (created["status"], created["data"]["name"]) == (201, "Lente")

    @pytest.mark.parametrize(
        ("body", "field"),
        [({"name": ""}, "name"), ({}, "name"), ({"name": "Herfst", "colour": "red"}, "colour")],
    )
    def test_invalid_project(self, flora: Flora, server: Server, body: dict[str, Any], field: str) -> None:
        """A project's body is closed: an empty, a missing and an unknown field are named."""
        error = refused(
            flora("projects.create", {"workspace_id": server.tenant.workspace_id, **body}),
            "BadRequestError",
            400,
            "input_validation_error",
        )

        assert [fault["field"] for fault in error["fields"]] == [field]

    def test_paging(self, flora: Flora, server: Server) -> None:
        """The client walks all pages by itself and meets every project once."""
        mark, workspace_id = f"serie {secrets.token_hex(4)} &/?", server.tenant.workspace_id
        made = [
            flora("projects.create", {"workspace_id": workspace_id, "name": f"{mark} {number}"}).data["data"]
            for number in range(7)
        ]

        listed = flora("projects.list", {"workspace_id": workspace_id, "query": mark, "limit": 2})

        assert len(listed.requests) == 4
        found = [project["project_id"] for project in listed.data["data"]]
        assert len(found) == 7
        assert set(found) == {project["project_id"] for project in made}

    def test_list_needs_its_workspace(self, flora: Flora) -> None:
        """projects.list without a workspace, or with a limit out of range, names the field."""
        for query, field in (({}, "workspace_id"), ({"workspace_id": "ws_1", "limit": 101}, "limit")):
            error = refused(flora("projects.list", query), "BadRequestError", 400, "input_validation_error")
            assert [fault["field"] for fault in error["fields"]] == [field]


def test_models(flora: Flora) -> None:
    """models.list shows the triage model as one of texts, and none of another type."""
    (model,) = flora("models.list").data["data"]["models"]

    assert set(model) == {
        "model_id",
        "name",
        "provider",
        "type",
        "capabilities",
        "estimated_credits",
        "estimated_seconds",
        "params",
    }
    assert (model["type"], model["params"]) == ("text", [])
    assert flora("models.list", {"type": "video"}).data["data"] == {"models": []}
