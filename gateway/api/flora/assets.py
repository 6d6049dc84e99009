"""FLORA's assets: files of a workspace, uploaded by a client or fetched from an address that it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from adapters.common.multipart import is_form
from adapters.contract import Fault, Inbound, Reply, invalid
from adapters.contract.description import Shape
from adapters.contract.strict_json import cleaned
from adapters.flora import limit_of
from gateway.access.caller import Caller
from gateway.api.flora import signed_upload
from gateway.api.flora.asset_schemas import (
    AssetForm,
    AssetPage,
    Assets,
    AssetShown,
    AssetState,
    NewAsset,
    NewAssetForm,
    UploadForm,
)
from gateway.api.flora.route import Route, conflict, last_of, not_found, once, own_workspace, path_id
from gateway.core import outbound
from gateway.core.ids import new_id
from gateway.files import addresses, attachments
from gateway.files.attachments import File, Kept
from gateway.files.kinds import kind_called, safe_name
from gateway.files.store import largest
from models.intake.attached import FETCH
from models.tables import asset, job
from models.tables.feedback import iso
from models.tables.workspace import list_projects

SIGNED = "signed-url"  # as a source: the bytes are uploaded afterwards


def create_asset(caller: Caller, inbound: Inbound) -> Reply:
    """Make an asset: of bytes in a form, of an address to fetch them from, or to upload them to."""
    row = _sent(caller, inbound) if is_form(inbound) else _announced(caller, inbound)
    with once(caller, inbound):
        asset.keep([row])
        if row["source_url"] is not None:
            job.hurry(FETCH)
    return Reply(201, _state(row))


def _sent(caller: Caller, inbound: Inbound) -> dict[str, Any]:
    """The row of an asset whose bytes come in a form. Raises Refused (400, 403, 404)."""

    def take(fields: Mapping[str, str], file: File) -> Kept:
        return attachments.keep(caller.workspace_id, file, most=largest())

    fields, kept = signed_upload.file_in(inbound, take)
    sent = AssetForm.check(fields)
    project_id = _project(caller, sent)
    if kept.refused:
        raise invalid(Fault("file", kept.refused))
    if name := sent.get("file_name"):
        kept = replace(kept, name=safe_name(name, kind_called(kept.content_type)))
    made = attachments.rows_of([kept], caller.workspace_id, project_id, None, "direct", inbound.received_at)
    return made[0]


def _announced(caller: Caller, inbound: Inbound) -> dict[str, Any]:
    """The row of an asset whose bytes are yet to come. Raises Refused (400, 403, 404)."""
    sent = NewAsset.of(inbound)
    project_id, source, now = _project(caller, sent), sent["source"], inbound.received_at
    fetched = source != SIGNED
    if fetched:
        try:
            outbound.check(source)
        except outbound.Forbidden as error:
            raise invalid(Fault("source", str(error))) from None
    name = sent.get("file_name") or (fetched and cleaned(unquote(PurePosixPath(urlsplit(source).path).name)))
    nothing = dict.fromkeys(("feedback_id", "sha256", "width", "height", "reason", "thumbnail"))
    return {
        **nothing,
        "id": new_id("asset"),
        "workspace_id": caller.workspace_id,
        "project_id": project_id,
        "name": name or signed_upload.UNNAMED,
        "content_type": asset.UNKNOWN_TYPE,
        "size": 0,
        "status": asset.PENDING,
        "source_url": source if fetched else None,
        "uploaded_via": "url" if fetched else "signed_url",
        "created_at": now,
        "updated_at": now,
    }


def show_asset(caller: Caller, inbound: Inbound) -> Reply:
    """Show one asset."""
    row = _found(caller, inbound)
    told = _listed(row)
    return Reply(200, {**told, "created_at": iso(row["created_at"]), "failure_message": _failure(row)})


def list_assets(caller: Caller, inbound: Inbound) -> Reply:
    """List the workspace's assets, the newest first."""
    query = dict(inbound.query)
    limit = limit_of(query)
    sent = AssetPage.check({name: value for name, value in query.items() if name != "limit"})
    own_workspace(caller, sent.get("workspace_id"))
    project_id = sent.get("project_id")
    if caller.project_id not in (None, project_id):
        project_id = caller.project_id if project_id is None else ""  # none of another's
    found = asset.list_page(
        caller.workspace_id,
        project_id,
        limit=limit + 1,
        before=last_of("asset", sent),
        name=sent.get("query", ""),
    )
    kept = found[:limit]
    cursor = kept[-1]["id"] if len(found) > limit else None
    return Reply(200, {"assets": [_listed(row) for row in kept], "meta": {"next_cursor": cursor}})


def complete_asset(caller: Caller, inbound: Inbound) -> Reply:
    """Say that an asset's bytes are uploaded."""
    with once(caller, inbound):
        row = _found(caller, inbound, to_change=True)
        if row["status"] != "ready":
            if row["status"] == "failed" or row["sha256"] is None:
                raise conflict(_failure(row) or "Nothing was uploaded for this asset.")
            row |= {"status": "ready"}
            asset.change(row["id"], inbound.received_at, status="ready")
    return Reply(200, _state(row))


def retry_asset(caller: Caller, inbound: Inbound) -> Reply:
    """Begin anew with an asset that failed, or that nothing was uploaded for in time."""
    with once(caller, inbound):
        row, now = _found(caller, inbound, to_change=True), inbound.received_at
        if row["status"] != "failed" and not signed_upload.is_over(row, now):
            raise conflict("Only an asset that failed, or whose upload is over, can be tried again.")
        nothing = dict.fromkeys(("reason", "sha256", "thumbnail", "width", "height"))
        again: dict[str, Any] = {**nothing, "status": asset.PENDING, "size": 0}
        if row["source_url"] is None:  # however it came the first time
            again["uploaded_via"] = "signed_url"
        row |= {**again, "updated_at": now}
        asset.change(row["id"], now, **again)
        if row["source_url"] is not None:
            job.hurry(FETCH)
    return Reply(200, _state(row))


def _project(caller: Caller, sent: Mapping[str, Any]) -> str | None:
    """The project that what was sent belongs to. Raises Refused (403, 404)."""
    own_workspace(caller, sent["workspace_id"])
    project_id: str | None = sent.get("project_id", caller.project_id)
    if caller.project_id not in (None, project_id):
        raise not_found()
    if project_id is not None and not list_projects(caller.workspace_id, only=project_id)[0]:
        raise not_found()
    return project_id


def _found(caller: Caller, inbound: Inbound, *, to_change: bool = False) -> dict[str, Any]:
    asset_id = path_id(inbound, "asset_id", "asset", "Asset")
    row = asset.find(caller.workspace_id, caller.project_id, asset_id, to_change=to_change)
    if row is None:
        raise not_found()
    return row


def _failure(row: Mapping[str, Any]) -> str | None:
    """Why it failed; what only has no thumbnail did not."""
    return row["reason"] if row["status"] == "failed" else None


def _url(row: Mapping[str, Any]) -> str | None:
    """Where its bytes are, or will be."""
    return None if row["status"] == "failed" else addresses.signed_url(row)


def _state(row: Mapping[str, Any]) -> dict[str, Any]:
    """What became of it, with the form to upload in where there is something to upload."""
    return {
        **(signed_upload.reservation(row) if signed_upload.waits(row) else {}),
        "asset_id": row["id"],
        "status": row["status"],
        "uploaded_via": row["uploaded_via"],
        "url": _url(row),
        "visibility": "workspace",
        "workspace_id": row["workspace_id"],
        "failure_message": _failure(row),
    }


def _listed(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("content_type", "created_at", "height", "name", "project_id", "status", "uploaded_via", "width")
    return {
        **{name: row[name] for name in (*names, "workspace_id")},
        "asset_id": row["id"],
        "description": None,
        "size_bytes": row["size"],
        "upload_content_type": None,
        "url": _url(row),
    }


ONE = "/api/v1/assets/<asset_id>"
ASSETS = (
    Route(
        "/api/v1/assets",
        create_asset,
        Shape(
            body=NewAsset,
            form=NewAssetForm,
            answers={201: AssetState},
            refusals=(404,),
        ),
        "POST",
        "ingest",
        takes_files=True,
    ),
    Route("/api/v1/assets", list_assets, Shape(query=AssetPage, answers={200: Assets}, asked={"limit": 2})),
    Route(ONE, show_asset, Shape(answers={200: AssetShown})),
    Route(f"{ONE}/complete", complete_asset, Shape(answers={200: AssetState}), "POST", "ingest"),
    Route(
        f"{ONE}/upload",
        signed_upload.take_upload,
        Shape(body=UploadForm, answers={204: None}, refusals=(409,), media="multipart/form-data"),
        "POST",
        scope="",
        takes_files=True,
    ),
    Route(f"{ONE}/retry", retry_asset, Shape(answers={200: AssetState}), "POST", "ingest"),
)
