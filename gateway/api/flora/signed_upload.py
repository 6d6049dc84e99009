"""Bytes of FLORA's assets: in a form beside other fields, or in one that a signature lets anybody post."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from adapters.common.multipart import Cut, form_of, read_form
from adapters.contract import Fault, Inbound, Problem, Refused, Reply, invalid
from adapters.contract.files import CUT
from gateway.access.caller import Caller
from gateway.api.flora.route import conflict, not_found, path_id
from gateway.files import addresses, attachments
from gateway.files.attachments import File, Kept
from gateway.files.store import largest_upload
from models.database.base import writing
from models.tables import asset
from models.tables.feedback import iso

VALID = 15 * 60_000  # milliseconds that a form may be posted for
WORDS = 65_536  # bytes of a form's fields
UPLOAD = "asset upload"  # what the signatures of forms are for
UNNAMED = "file"  # an asset whose client gave no name

Take = Callable[[Mapping[str, str], File], Kept]


def reservation(row: Mapping[str, Any]) -> dict[str, Any]:
    """The form that an asset's bytes may be posted in, and until when."""
    expires = row["updated_at"] + VALID
    fields = {"expires": str(expires), "signature": addresses.signature(UPLOAD, row["id"], str(expires))}
    upload = {
        "content_type": "multipart/form-data",
        "file_field": "file",
        "form_fields": fields,
        "method": "POST",
        "url": addresses.absolute(f"/api/v1/assets/{row['id']}/upload"),
    }
    return {"expires_at": iso(expires), "upload": upload}


def is_over(row: Mapping[str, Any], now: int) -> bool:
    """Whether nothing was uploaded for an asset in time."""
    return waits(row) and row["updated_at"] + VALID < now


def file_in(inbound: Inbound, take: Take) -> tuple[dict[str, str], Kept]:
    """The fields of a form and what `take` makes of its one file, given the fields that come before it.

    Raises Refused (400), and Cut when the form ends early.
    """
    fields: dict[str, str] = {}
    found: list[Kept] = []

    def keep(name: str, declared: str, chunks: Iterable[bytes]) -> None:
        if found:
            raise invalid(Fault("file", "Expected one file"))
        found.append(take(fields, File(name, chunks, declared)))
        for _ in chunks:  # what is refused is passed over
            pass

    form = form_of(inbound, inbound.rest or iter([inbound.body]))
    inbound.aside(read_form, form, fields, WORDS, keep)
    if not found:
        raise invalid(Fault("file", "Required"))
    return fields, found[0]


def take_upload(nobody: Caller, inbound: Inbound) -> Reply:
    """Take the bytes of an asset, in the form that its reservation describes and signs."""
    asset_id = path_id(inbound, "asset_id", "asset", "Asset")
    let_in = False

    def take(fields: Mapping[str, str], file: File) -> Kept:
        nonlocal let_in
        _check(asset_id, fields, inbound.received_at)
        row = _waiting(asset.one(asset_id))
        let_in = True
        if row["name"] != UNNAMED:
            file = replace(file, name=row["name"])
        return attachments.keep(row["workspace_id"], file, most=largest_upload(), asset_id=asset_id)

    try:
        kept = file_in(inbound, take)[1]
    except Cut:
        if let_in:
            _note(asset_id, inbound, status="failed", reason=CUT)
        raise
    if kept.refused:
        _note(asset_id, inbound, status="failed", reason=kept.refused)
        raise invalid(Fault("file", kept.refused))
    told = {"sha256": kept.digest, "size": kept.size, "content_type": kept.content_type, "name": kept.name}
    _note(asset_id, inbound, **told)
    return Reply(204)


def _note(asset_id: str, inbound: Inbound, **told: Any) -> None:
    with writing():
        _waiting(asset.one(asset_id, to_change=True))
        asset.change(asset_id, inbound.received_at, **told)


def _waiting(row: dict[str, Any] | None) -> dict[str, Any]:
    """An asset whose bytes are yet to come. Raises Refused (404, 409)."""
    if row is None:
        raise not_found()
    if not waits(row):
        raise conflict("This asset has its bytes, or failed.")
    return row


def waits(row: Mapping[str, Any]) -> bool:
    """Whether an asset's bytes are to be uploaded."""
    return (row["status"], row["uploaded_via"], row["sha256"]) == (asset.PENDING, "signed_url", None)


def _check(asset_id: str, fields: Mapping[str, str], now: int) -> None:
    """Raises Refused: 403 for fields that let nobody upload, 409 for those that no longer do."""
    expires = fields.get("expires", "")
    if not addresses.is_right(fields.get("signature", ""), UPLOAD, asset_id, expires):
        raise Refused(Problem(403, "forbidden", "Forbidden."))
    if int(expires) < now:
        raise conflict("The time to upload is over: ask for another try.")
