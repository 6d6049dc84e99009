"""Bytes of FLORA's assets: in a form beside other fields, or in one that a signature lets anybody post."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any

from adapters.common.multipart import Cut, form_of
from adapters.contract import Fault, Inbound, Problem, Refused, Reply, invalid
from adapters.contract.files import CUT
from gateway.api.flora.route import conflict, not_found, path_id
from gateway.core import encryption
from gateway.files import addresses, attachments
from gateway.files.attachments import File, Kept
from models.database.base import writing
from models.tables import asset
from models.tables.feedback import iso

VALID = 15 * 60_000  # milliseconds that a form may be posted for
FIELD = 4_096  # bytes of a field that is no file
UNNAMED = "file"  # an asset whose client gave no name

Keep = Callable[[Mapping[str, str], File], Kept]


def reservation(row: Mapping[str, Any]) -> dict[str, Any]:
    """The form that an asset's bytes may be posted in, and until when."""
    expires = row["updated_at"] + VALID
    fields = {"expires": str(expires), "signature": _signature(row["id"], str(expires))}
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
    waits = row["status"] == "pending_upload" and row["uploaded_via"] == "signed_url" and row["sha256"] is None
    return waits and row["updated_at"] + VALID < now


def read_form(inbound: Inbound, keep: Keep) -> tuple[dict[str, str], Kept]:
    """The fields of a form and what `keep` makes of its file, given the fields that come before it.

    Raises Refused (400): Cut when the form ends early.
    """
    fields: dict[str, str] = {}
    kept = None
    for part, content in form_of(inbound):
        if part.file is None:
            value = bytearray()
            for piece in content:
                value += piece
                if len(value) > FIELD:
                    raise invalid(Fault(part.name, f"must have at most {FIELD} bytes"))
            fields[part.name] = value.decode("utf-8", "replace").replace("\x00", "\ufffd")
        elif part.name != "file" or kept is not None:
            raise invalid(Fault(part.name, "Expected one file, named file"))
        else:
            kept = keep(fields, File(part.file, content, part.media))
            for _ in content:  # what is refused is passed over
                pass
    if kept is None:
        raise invalid(Fault("file", "Required"))
    return fields, kept


def take_upload(inbound: Inbound) -> Reply:
    """Take an asset's bytes in the form that its reservation describes; it is the fields that prove who may."""
    asset_id = path_id(inbound, "asset_id", "asset", "Asset")

    def keep(fields: Mapping[str, str], file: File) -> Kept:
        _check(asset_id, fields, inbound.received_at)
        row = _waiting(asset.one(asset_id))
        if row["name"] != UNNAMED:
            file.name = row["name"]
        return attachments.keep(row["workspace_id"], file, most=attachments.most(), asset_id=asset_id)

    try:
        _, kept = inbound.aside(read_form, inbound, keep)
    except Cut:
        _note(asset_id, inbound, {"status": "failed", "reason": CUT})
        raise
    if kept.refused:
        _note(asset_id, inbound, {"status": "failed", "reason": kept.refused})
        raise invalid(Fault("file", kept.refused))
    told = {"sha256": kept.digest, "size": kept.size, "content_type": kept.content_type, "name": kept.name}
    _note(asset_id, inbound, told)
    return Reply(204)


def _note(asset_id: str, inbound: Inbound, told: Mapping[str, Any]) -> None:
    with writing():
        _waiting(asset.one(asset_id, to_change=True))
        asset.change(asset_id, inbound.received_at, **told)


def _waiting(row: dict[str, Any] | None) -> dict[str, Any]:
    """An asset whose bytes are yet to come. Raises Refused (404, 409)."""
    if row is None:
        raise not_found()
    if row["status"] != "pending_upload" or row["uploaded_via"] != "signed_url" or row["sha256"] is not None:
        raise conflict("This asset has its bytes, or failed.")
    return row


def _check(asset_id: str, fields: Mapping[str, str], now: int) -> None:
    """Raises Refused (403) for fields that do not let anybody upload."""
    expires = fields.get("expires", "")
    right = _signature(asset_id, expires)
    if not hmac.compare_digest(right.encode(), fields.get("signature", "").encode("utf-8", "replace")):
        raise Refused(Problem(403, "forbidden", "Forbidden."))
    if int(expires) < now:
        raise conflict("The time to upload is over; ask for another try.")


def _signature(asset_id: str, expires: str) -> str:
    key = encryption.key_for("asset upload").encode()
    return hmac.new(key, f"{asset_id}.{expires}".encode(), hashlib.sha256).hexdigest()
