"""Thumbnails of the pictures that came in, made by the background worker.

Each picture is decoded in a process of its own (gateway.background.thumbnail_process), so that one which
cannot be fails alone: it stays as it came, and its row says why it has no thumbnail.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from functools import partial
from tempfile import TemporaryFile
from typing import Any

from gateway.background.lease import Lease, Work
from gateway.core import log
from gateway.core.ids import now_ms
from gateway.files.store import Missing, Stored, store
from models.queries import missing_thumbnails
from models.tables import unclaimed_file

EVERY = 60_000  # milliseconds between two looks
AT_ONCE = 50  # pictures that are looked for at once
PATIENCE = 60.0  # seconds of one picture
LARGEST = 4 << 20  # bytes of a thumbnail: four times its pixels
MEDIA = "image/webp"  # of a thumbnail
NEEDED = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "TMPDIR")  # variables of its process
COMMAND = [sys.executable, "-m", "gateway.background.thumbnail_process"]


def make(lease: Lease) -> int:
    """Makes what is missing. Every picture that can be read has a thumbnail afterwards, or a reason.

    One that cannot keeps no other waiting, unless there are many: then the store is away.
    """
    unread, after = 0, ""
    while unread < AT_ONCE and (due := missing_thumbnails.due(AT_ONCE, after)):
        for asset in due:
            try:
                told = _told(lease, asset)
            except OSError as error:  # of the store or the disk: it is tried again at the next look
                facts = {"asset": asset["id"], "error": str(error)}
                log.logger.warning("a thumbnail cannot be made now", extra={"facts": facts})
                lease.extend()
                unread += 1
                continue
            told["updated_at"] = now_ms()
            lease.transact(partial(missing_thumbnails.settle, asset, told))
        after = due[-1]["id"]
    return EVERY


def _told(lease: Lease, asset: Mapping[str, Any]) -> dict[str, Any]:
    """What the picture's row is to say."""
    with TemporaryFile() as picture, TemporaryFile() as thumbnail:  # no name, so that nothing stays of them
        try:
            picture.writelines(store().open(asset["sha256"]))
        except Missing:
            return {"reason": "no thumbnail: the file is gone"}
        picture.seek(0)
        files = picture.fileno(), thumbnail.fileno()
        try:
            paths = [f"/dev/fd/{number}" for number in files]
            done = lease.run([*COMMAND, *paths], PATIENCE, _environment(), files)
        except RuntimeError:
            return {"reason": "no thumbnail: it takes too long to decode"}
        if done.returncode:
            return {"reason": "no thumbnail: damaged, or too large to decode"}
        said = json.loads(done.stdout)
        if "refusal" in said:
            return {"reason": f"no thumbnail: {said['refusal']}"}
        thumbnail.seek(0)
        stored = store().put([thumbnail.read()], LARGEST, partial(_announce, lease, asset))
        return {"thumbnail": stored.digest, "width": said["width"], "height": said["height"]}


def _environment() -> dict[str, str]:
    """What the process needs to find its modules, and none of the secrets that are beside it."""
    return {name: os.environ[name] for name in NEEDED if name in os.environ}


def _announce(lease: Lease, asset: Mapping[str, Any], stored: Stored) -> None:
    """Says that bytes are about to be put: without a line of theirs the sweep would not know of them."""
    lease.transact(
        partial(unclaimed_file.note, stored.digest, asset["id"], asset["workspace_id"], 0, now_ms())
    )


MAKE = Work("thumbnails", make)
