"""Puts a model in its directory so that a reader finds the old one or the new one, whole, at any moment.

The arrays get a name of their own; what decides is `model.json`, which names them and is replaced in one
step. The model before stays beside it: `previous.json` and its arrays.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.triage.model import Model, ModelError, arrays_path
from models.database.private_files import make_folder, writing_to

CARD, PREVIOUS = "model.json", "previous.json"


def install(made: Path, out: Path, remarks: Mapping[str, Any]) -> dict[str, Any]:
    """Makes the model in `made` the one of `out` and gives its card, with `remarks` added to it.

    The model that was there can be rolled back to. Raises ModelError when what was made cannot be loaded,
    OSError when it cannot be written.
    """
    Model.load(made)
    card = {**_card(made / CARD), **remarks}
    arrays = arrays_path(made, card).read_bytes()
    card["arrays"] = f"model-{hashlib.sha256(arrays).hexdigest()[:12]}.npz"
    make_folder(out)
    _write(out / card["arrays"], arrays)
    if (out / CARD).exists() and _card(out / CARD) != card:
        _write(out / PREVIOUS, (out / CARD).read_bytes())
    _write(out / CARD, (json.dumps(card, indent=2) + "\n").encode())
    _tidy(out)
    return card


def roll_back(out: Path) -> dict[str, Any]:
    """Makes the model before the one of `out` again, and gives its card; a second time undoes the first.

    Raises ModelError when there is none or it cannot be loaded.
    """
    if not (out / PREVIOUS).exists():
        raise ModelError(f"{out}: no earlier model is kept here")
    now, before = (out / CARD).read_bytes(), (out / PREVIOUS).read_bytes()
    _write(out / CARD, before)
    try:
        Model.load(out)
    except ModelError:
        _write(out / CARD, now)
        raise
    _write(out / PREVIOUS, now)
    return _card(out / CARD)


def _card(path: Path) -> dict[str, Any]:
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return card


def _write(path: Path, content: bytes) -> None:
    """Writes beside and renames, on the disk before it counts. A full disk keeps nothing of it."""
    beside = path.with_name(path.name + ".new")
    try:
        with writing_to(path), beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _tidy(out: Path) -> None:
    """Removes the arrays that neither model needs, and what somebody left who was stopped while writing."""
    needed = {arrays_path(out, _card(out / name)) for name in (CARD, PREVIOUS) if (out / name).exists()}
    for path in out.glob("model-*.npz"):
        if path not in needed:
            path.unlink()
    for path in out.glob("*.new"):
        path.unlink()
