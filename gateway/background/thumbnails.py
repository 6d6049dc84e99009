"""Thumbnails of the pictures that came in, made by the background worker.

Each picture is decoded in a process of its own (gateway.background.shrinking), so that one which cannot be
fails alone: it stays as it came, and its row says why it has no thumbnail.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from functools import partial
from tempfile import TemporaryFile
from typing import Any

from gateway.background.lease import Lease, Work
from gateway.core.ids import now_ms
from gateway.files.store import Missing, Stored, store
from models.queries import pictures
from models.tables import loose_file
from models.tables.asset import change

EVERY = 60_000  # milliseconds between two looks
AT_ONCE = 50  # pictures that are looked for at once
PATIENCE = 60.0  # seconds of one picture
LARGEST = 4 << 20  # bytes of a thumbnail: four times its pixels
MEDIA = "image/webp"  # of a thumbnail
COMMAND = [sys.executable, "-m", "gateway.background.shrinking"]


def make(lease: Lease) -> int:
    """Makes what is missing. Every picture that is looked at has a thumbnail afterwards, or a reason."""
    while due := pictures.without_thumbnail(AT_ONCE):
        for asset in due:
            lease.transact(partial(change, asset["id"], now_ms(), **_told(lease, asset)))
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
            done = lease.run([*COMMAND, *(f"/dev/fd/{number}" for number in files)], PATIENCE, files)
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


def _announce(lease: Lease, asset: Mapping[str, Any], stored: Stored) -> None:
    """Says that bytes are about to be put: without a line of theirs the sweep would not know of them."""
    lease.transact(partial(loose_file.note, stored.digest, asset["id"], asset["workspace_id"], 0, now_ms()))


MAKE = Work("thumbnails", make)
