"""FLORA's assets: uploaded in one request, in two, or fetched from an address; listed and shown."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.api.flora import signed_upload
from gateway.background import file_sweep
from gateway.background.lease import run_once
from gateway.core.ids import now_ms
from gateway.files.store import store
from models import Asset, Job, UnclaimedFile
from models.database.base import rows, writing
from models.tables import asset, job
from tests.conftest import Call, Tenant
from tests.files.test_file_kinds import PNG

pytestmark = pytest.mark.both

PATH = "/api/v1/assets"
NewKey = Callable[..., str]
Reserve = Callable[..., dict[str, Any]]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def form(body: bytes = PNG, name: str = "screen.png", **fields: str) -> dict[str, Any]:
    """A form with a file behind its fields, as test clients take it."""
    return {
        "data": {**fields, "file": (io.BytesIO(body), name)},
        "content_type": "multipart/form-data",
    }


def code(response: TestResponse) -> tuple[int, str]:
    return response.status_code, response.json["error"]["code"]


def fields_in(response: TestResponse) -> list[str]:
    assert code(response) == (400, "input_validation_error")
    return [fault["field"] for fault in response.json["error"]["fields"]]


@pytest.fixture(name="reserve")
def _reserve(call: Call, tenant: Tenant) -> Reserve:
    """Makes an asset whose bytes are uploaded afterwards."""

    def reserve(**sent: Any) -> dict[str, Any]:
        body = {"source": "signed-url", "workspace_id": tenant.workspace_id, **sent}
        response = call("POST", PATH, json=body)
        assert response.status_code == 201, response.text
        found: dict[str, Any] = response.json
        return found

    return reserve


def upload(client: FlaskClient, reserved: dict[str, Any], body: bytes = PNG, **changed: str) -> TestResponse:
    """Posts the form that a reservation describes, without a key."""
    told = reserved["upload"]
    path = told["url"].partition("//")[2].partition("/")[2]
    return client.post(f"/{path}", **form(body, "x.png", **{**told["form_fields"], **changed}))


def state(asset_id: str) -> tuple[str, str | None]:
    (row,) = rows(Asset.select().where(Asset.id == asset_id))
    return row["status"], row["reason"]


class TestDirect:
    def test_one_request(self, call: Call, tenant: Tenant) -> None:
        """Bytes in a form are a ready asset, of the kind that they are, whatever the form says."""
        sent = form(name="a.exe", workspace_id=tenant.workspace_id, content_type="text/html")
        response = call("POST", PATH, **sent)
        told = response.json
        shown = call("GET", f"{PATH}/{told['asset_id']}").json

        assert response.status_code == 201
        assert (told["status"], told["uploaded_via"], told["visibility"]) == ("ready", "direct", "workspace")
        assert (shown["name"], shown["content_type"], shown["size_bytes"]) == (
            "a.exe.png",
            "image/png",
            len(PNG),
        )
        assert (shown["failure_message"], shown["workspace_id"]) == (None, tenant.workspace_id)
        (row,) = rows(Asset.select())
        assert b"".join(store().open(row["sha256"])) == PNG
        assert rows(UnclaimedFile.select()) == []

    def test_name(self, call: Call, tenant: Tenant) -> None:
        """The name in a field of its own goes before the part's."""
        sent = form(workspace_id=tenant.workspace_id, file_name="../shot.png")

        asset_id = call("POST", PATH, **sent).json["asset_id"]
        assert call("GET", f"{PATH}/{asset_id}").json["name"] == "shot.png"

    @pytest.mark.parametrize(
        ("body", "name", "why"),
        [
            (b"<svg/>", "a.png", "is none of these"),
            (b"<script>", "a.txt", "is none of these"),
            (PNG * 100, "a.png", "is larger than 1,000 bytes"),
        ],
        ids=["svg", "html", "too large"],
    )
    def test_refused(
        self,
        call: Call,
        tenant: Tenant,
        monkeypatch: pytest.MonkeyPatch,
        body: bytes,
        name: str,
        why: str,
    ) -> None:
        """What cannot be kept is refused with why, and nothing is left of it."""
        monkeypatch.setattr("gateway.files.store._largest", 1_000)
        response = call("POST", PATH, **form(body, name, workspace_id=tenant.workspace_id))

        assert fields_in(response) == ["file"]
        assert why in response.json["error"]["message"]
        assert rows(Asset.select()) == []

    def test_without_what_is_needed(self, call: Call, tenant: Tenant) -> None:
        """A form needs its workspace and one file."""
        nothing = {"data": {"workspace_id": tenant.workspace_id}, "content_type": "multipart/form-data"}
        two = form(workspace_id=tenant.workspace_id)
        two["data"]["other"] = (io.BytesIO(PNG), "b.png")

        assert fields_in(call("POST", PATH, **form())) == ["workspace_id"]
        assert fields_in(call("POST", PATH, **nothing)) == ["file"]
        assert fields_in(call("POST", PATH, **two)) == ["file"]

    def test_once(self, call: Call, tenant: Tenant) -> None:
        """A key that was used is refused, in a way that the client does not try again."""
        headers = {"Idempotency-Key": "one"}
        first, again = (
            call("POST", PATH, headers=headers, **form(workspace_id=tenant.workspace_id)) for _ in range(2)
        )

        assert first.status_code == 201
        assert code(again) == (409, "idempotency_duplicate")
        assert again.headers["x-should-retry"] == "false"
        assert Asset.select().count() == 1


class TestSigned:
    def test_in_three_steps(self, call: Call, client: FlaskClient, reserve: Reserve) -> None:
        """Reserved, uploaded without a key, and ready once its client says that it is complete."""
        reserved = reserve(file_name="big.png")
        before = call("POST", f"{PATH}/{reserved['asset_id']}/complete")
        uploaded = upload(client, reserved)
        waiting = call("GET", f"{PATH}/{reserved['asset_id']}").json
        done = [call("POST", f"{PATH}/{reserved['asset_id']}/complete") for _ in range(2)]

        assert reserved["status"] == "pending_upload"
        assert reserved["upload"]["file_field"] == "file"
        assert code(before) == (409, "conflict")
        assert (uploaded.status_code, uploaded.data) == (204, b"")
        assert (waiting["status"], waiting["size_bytes"]) == ("pending_upload", len(PNG))
        assert [(answer.status_code, answer.json["status"]) for answer in done] == [(200, "ready")] * 2
        assert "upload" not in done[0].json
        assert rows(UnclaimedFile.select()) == []

    @pytest.mark.parametrize(
        "changed",
        [{"signature": "0" * 64}, {"expires": "9" * 13}, {"signature": "\u00e9"}, {"expires": "soon"}],
    )
    def test_only_what_was_signed(
        self, client: FlaskClient, reserve: Reserve, changed: dict[str, str]
    ) -> None:
        """Another form uploads nothing, and does the asset no harm."""
        reserved = reserve()

        assert code(upload(client, reserved, **changed)) == (403, "forbidden")
        assert state(reserved["asset_id"]) == ("pending_upload", None)
        assert rows(UnclaimedFile.select()) == []

    def test_a_form_is_for_its_asset(self, client: FlaskClient, reserve: Reserve) -> None:
        """The signature of one opens no other."""
        one, other = reserve(), reserve()

        assert code(upload(client, other, **one["upload"]["form_fields"])) == (403, "forbidden")

    def test_once_only(self, client: FlaskClient, reserve: Reserve) -> None:
        """Bytes that are there are never replaced by others."""
        reserved = reserve()
        upload(client, reserved)

        assert code(upload(client, reserved, PNG + b"x")) == (409, "conflict")
        (row,) = rows(Asset.select())
        assert b"".join(store().open(row["sha256"])) == PNG

    def test_too_late(
        self,
        call: Call,
        client: FlaskClient,
        reserve: Reserve,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """After its time the form is refused, and the asset can be tried again with another one."""
        with monkeypatch.context() as patch:
            patch.setattr(signed_upload, "VALID", -1_000)
            reserved = reserve()
            late = upload(client, reserved)
            again = call("POST", f"{PATH}/{reserved['asset_id']}/retry")
        soon = call("POST", f"{PATH}/{reserved['asset_id']}/retry")

        assert code(late) == (409, "conflict")
        assert again.status_code == 200
        assert code(soon) == (409, "conflict")

    def test_what_nobody_uploads_fails(self, call: Call, client: FlaskClient, reserve: Reserve) -> None:
        """An hour later; neither what waits for less, nor what was uploaded, nor what is fetched."""
        names = [reserve()["asset_id"] for _ in range(2)]
        uploaded, source = reserve(), "https://example.com/a.png"
        fetched = reserve(source=source)["asset_id"]
        assert upload(client, uploaded).status_code == 204
        with writing():
            hour_ago = now_ms() - 3_601_000
            Asset.update(updated_at=hour_ago).where(Asset.id != names[1]).execute()
            Job.delete().execute()
        assert run_once(file_sweep.SWEEP)
        states = {row["id"]: (row["status"], row["reason"]) for row in rows(Asset.select())}

        assert states.pop(names[0]) == ("failed", "nothing was uploaded in time")
        waits = ("pending_upload", None)
        assert states == {names[1]: waits, uploaded["asset_id"]: waits, fetched: waits}
        again = call("POST", f"{PATH}/{names[0]}/retry").json
        assert upload(client, again).status_code == 204

    def test_what_failed_can_be_tried_again(self, call: Call, client: FlaskClient, reserve: Reserve) -> None:
        """A file that is not kept fails its asset, with why; another try may bring another one."""
        reserved = reserve(file_name="a.png")
        refused = upload(client, reserved, b"<svg/>")
        failed = call("GET", f"{PATH}/{reserved['asset_id']}").json
        completed = call("POST", f"{PATH}/{reserved['asset_id']}/complete")
        again = call("POST", f"{PATH}/{reserved['asset_id']}/retry").json
        uploaded = upload(client, again)

        assert fields_in(refused) == ["file"]
        assert failed["status"] == "failed" and "is none of these" in failed["failure_message"]
        assert code(completed) == (409, "conflict")
        assert again["status"] == "pending_upload"
        assert uploaded.status_code == 204
        assert call("POST", f"{PATH}/{reserved['asset_id']}/complete").json["status"] == "ready"

    def test_truncated(self, client: FlaskClient, reserve: Reserve) -> None:
        """An upload that ends early fails its asset; one that says nothing of who may does not."""
        reserved, other = reserve(), reserve()
        head = "".join(
            f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in reserved["upload"]["form_fields"].items()
        )
        file = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        media = {"content_type": "multipart/form-data; boundary=b"}
        path = f"{PATH}/{reserved['asset_id']}/upload"

        assert client.post(path, data=head.encode() + file.encode() + PNG, **media).status_code == 400
        assert state(reserved["asset_id"])[0] == "failed"
        path = f"{PATH}/{other['asset_id']}/upload"
        assert client.post(path, data=head.encode(), **media).status_code == 400
        assert client.post(path, data=file.encode() + PNG, **media).status_code in (400, 403)
        assert state(other["asset_id"]) == ("pending_upload", None)

    def test_unknown(self, client: FlaskClient, reserve: Reserve) -> None:
        """An asset that is gone takes nothing."""
        reserved = reserve()
        with writing():
            asset.delete([reserved["asset_id"]])

        assert code(upload(client, reserved)) == (404, "not_found")


class TestFetched:
    def test_waits_for_the_worker(self, call: Call, tenant: Tenant) -> None:
        """An address is noted, and the worker is told that somebody waits."""
        with writing():
            job.ask("fetch", None)
            job.Job.update(due_at=now_ms() + 60_000).execute()
        sent = {"source": "https://93.184.215.14/a/Plan%20B.pdf", "workspace_id": tenant.workspace_id}
        told = call("POST", PATH, json=sent).json

        assert (told["status"], told["uploaded_via"]) == ("pending_upload", "url")
        assert "upload" not in told
        (row,) = rows(Asset.select())
        assert (row["source_url"], row["name"]) == (sent["source"], "Plan B.pdf")
        assert job.hurried(now_ms()) == ["fetch"]

    def test_a_name_that_nobody_can_store(self, call: Call, tenant: Tenant) -> None:
        sent = {"source": "https://93.184.215.14/a%00b%FF.png", "workspace_id": tenant.workspace_id}
        made = call("POST", PATH, json=sent)
        assert made.status_code == 201
        assert asset.one(made.json["asset_id"])["name"] == "a\ufffdb\ufffd.png"  # type: ignore[index]

    @pytest.mark.parametrize(
        "source",
        ["http://example.com/a.png", "https://127.0.0.1/a", "https://169.254.169.254/x", "ftp://x", "x", ""],
    )
    def test_only_where_nothing_is_hidden(self, call: Call, tenant: Tenant, source: str) -> None:
        """Addresses that the worker would not go to are refused at once."""
        sent = {"source": source, "workspace_id": tenant.workspace_id}

        assert fields_in(call("POST", PATH, json=sent)) == ["source"]

    def test_retry(self, call: Call, tenant: Tenant) -> None:
        """What could not be fetched can be tried again."""
        sent = {"source": "https://93.184.215.14/a.png", "workspace_id": tenant.workspace_id}
        asset_id = call("POST", PATH, json=sent).json["asset_id"]
        early = call("POST", f"{PATH}/{asset_id}/retry")
        with writing():
            asset.change(asset_id, now_ms(), status="failed", reason="answered 500")
            asset.change(asset_id, now_ms(), thumbnail="0" * 64, width=9, height=9, size=99)

        assert code(early) == (409, "conflict")
        told = call("GET", f"{PATH}/{asset_id}").json
        assert (told["failure_message"], told["url"]) == ("answered 500", None)
        assert call("POST", f"{PATH}/{asset_id}/retry").json["status"] == "pending_upload"
        (row,) = rows(Asset.select())  # nothing of what was there is told of what comes
        assert [row[name] for name in ("thumbnail", "width", "height", "size")] == [None, None, None, 0]


class TestList:
    def test_pages(self, call: Call, reserve: Reserve) -> None:
        """The newest come first, page after page, and those that came meanwhile are met by nobody twice."""
        made = [reserve(file_name=f"{number}.png")["asset_id"] for number in range(5)]
        found: list[str] = []
        cursor = ""
        while cursor is not None:
            answer = call("GET", f"{PATH}?limit=2&cursor={cursor}").json
            found += [item["asset_id"] for item in answer["assets"]]
            cursor = answer["meta"]["next_cursor"]
            reserve()

        assert found == made[::-1]
        assert code(call("GET", f"{PATH}?cursor=zzz")) == (400, "input_validation_error")

    def test_filters(self, call: Call, tenant: Tenant, reserve: Reserve) -> None:
        """By what a name contains, and by project."""
        reserve(file_name="invoice 100%.pdf")
        inside = reserve(file_name="shot.png", project_id=tenant.project_id)["asset_id"]

        def names(query: str) -> list[str]:
            return [item["name"] for item in call("GET", f"{PATH}?{query}").json["assets"]]

        assert names("query=100%25") == ["invoice 100%.pdf"]
        assert names("query=_") == []
        assert names(f"project_id={tenant.project_id}") == ["shot.png"]
        assert call("GET", f"{PATH}/{inside}").json["project_id"] == tenant.project_id

    @pytest.mark.parametrize("query", ["limit=0", "limit=x", "workspace_id=x", "project_id=x"])
    def test_invalid(self, call: Call, query: str) -> None:
        assert fields_in(call("GET", f"{PATH}?{query}")) == [query.partition("=")[0]]


class TestTenancy:
    def test_anothers(self, call: Call, tenant: Tenant, other: Tenant, reserve: Reserve) -> None:
        """Another workspace's assets are not there, and nothing can be made in it."""
        asset_id = reserve()["asset_id"]
        headers = bearer(other.key)

        for method, path in (("GET", ""), ("POST", "/complete"), ("POST", "/retry")):
            assert code(call(method, f"{PATH}/{asset_id}{path}", headers=headers)) == (404, "not_found")
        assert call("GET", PATH, headers=headers).json["assets"] == []
        sent = {"source": "signed-url", "workspace_id": tenant.workspace_id}
        assert code(call("POST", PATH, headers=headers, json=sent)) == (403, "forbidden")
        assert code(call("POST", PATH, headers=headers, **form(workspace_id=tenant.workspace_id)))[0] == 403
        sent = {"source": "signed-url", "workspace_id": other.workspace_id, "project_id": tenant.project_id}
        assert code(call("POST", PATH, headers=headers, json=sent)) == (404, "not_found")

    def test_a_key_of_one_project(
        self, call: Call, tenant: Tenant, new_key: NewKey, reserve: Reserve
    ) -> None:
        """It has the project's assets, and makes them there."""
        elsewhere = reserve()["asset_id"]
        headers = bearer(new_key(tenant.project_id))
        sent = {"source": "signed-url", "workspace_id": tenant.workspace_id}
        mine = call("POST", PATH, headers=headers, json=sent).json["asset_id"]
        found = call("GET", PATH, headers=headers).json["assets"]

        assert [item["asset_id"] for item in found] == [mine]
        assert code(call("GET", f"{PATH}/{elsewhere}", headers=headers)) == (404, "not_found")
        assert call("GET", f"{PATH}?project_id=prj_other", headers=headers).json["assets"] == []

    def test_scopes(self, call: Call, new_key: NewKey, reserve: Reserve) -> None:
        """Who may only send reads nothing, and who may only read sends nothing."""
        asset_id = reserve()["asset_id"]
        sends, reads = bearer(new_key(scopes=["ingest"])), bearer(new_key(scopes=["read"]))

        for method, path, headers in (
            ("GET", PATH, sends),
            ("GET", f"{PATH}/{asset_id}", sends),
            ("POST", PATH, reads),
            ("POST", f"{PATH}/{asset_id}/complete", reads),
            ("POST", f"{PATH}/{asset_id}/retry", reads),
        ):
            assert code(call(method, path, headers=headers)) == (403, "forbidden")

    @pytest.mark.parametrize("path", ["", "/complete", "/retry", "/upload"])
    def test_an_id_that_is_none(self, call: Call, path: str) -> None:
        """Its prefix is checked before anything is looked up."""
        assert fields_in(call("POST" if path else "GET", f"{PATH}/ast_1{path}")) == ["asset_id"]
