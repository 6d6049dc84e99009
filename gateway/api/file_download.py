"""GET /files/<asset_id>/<name>: the bytes of a file, so that no browser ever runs any of them.

Who has a key, who is signed in and who has a signed address (gateway.files.addresses) may ask. Everything is
sent to be saved; thumbnails alone are shown, which the gateway has drawn itself.
"""

from __future__ import annotations

from urllib.parse import quote

from adapters.contract import Inbound, Problem, Refused, Reply, invalid
from gateway.access.caller import Caller
from gateway.api import query_parameters
from gateway.files import addresses
from gateway.files.store import Missing, store
from models.tables import asset

SIZES = ("full", "thumbnail")
THUMBNAIL = "image/webp"  # as gateway.background.thumbnail_process draws them
ALONE = {
    # What is opened all the same has no script, no origin and nothing to load.
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # A browser asks each time whether the file is still there.
    "Cache-Control": "private, no-cache",
}


def by_address(inbound: Inbound) -> Caller | None:
    """Who has a signed address; None for a request without one. Raises Refused (404) for one that is void."""
    if "sig" not in inbound.query:
        return None
    asset_id = inbound.params["asset_id"]
    if not addresses.is_signed(asset_id, inbound.query.get("exp", ""), inbound.query["sig"]):
        raise _not_found()
    row = asset.one(asset_id)
    if row is None:
        raise _not_found()
    return Caller("signature", row["workspace_id"], None, "", frozenset({"read"}))


def download_file(caller: Caller, inbound: Inbound) -> Reply:
    """The bytes of a file, or a thumbnail of a picture.

    Raises Refused: 404 also for one that is not here yet, or failed.
    """
    faults = query_parameters.unknown(inbound, ("size", "exp", "sig"))
    size = query_parameters.word(inbound, "size", SIZES, faults) or "full"
    if faults:
        raise invalid(*faults)
    row = asset.find(caller.workspace_id, caller.project_id, inbound.params["asset_id"])
    digest = None
    if row is not None and row["status"] == "ready":
        digest = row["thumbnail"] if size == "thumbnail" else row["sha256"]
    if row is None or digest is None:
        raise _not_found()
    headers = {**ALONE, "ETag": f'"{digest}"'}
    if inbound.headers.get("if-none-match", "").strip().removeprefix("W/") == headers["ETag"]:
        return Reply(304, None, headers)
    try:
        pieces = store().open(digest)
    except Missing:  # the hourly sweep says so of the asset
        raise _not_found() from None
    if size == "thumbnail":
        return Reply(200, pieces, headers, THUMBNAIL)
    headers |= {"Content-Disposition": disposition(row["name"]), "Content-Length": str(row["size"])}
    return Reply(200, pieces, headers, row["content_type"])


def disposition(name: str) -> str:
    """The header that has a file saved under a name (RFC 6266), which older readers get without accents."""
    plain = "".join(each if " " <= each <= "~" and each not in '"\\%' else "_" for each in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _not_found() -> Refused:
    return Refused(Problem(404, "not_found", "No such file."))
