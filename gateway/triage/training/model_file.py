"""Writes a trained pipeline as the arrays and the card that gateway.triage.model reads."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import sklearn

from gateway.triage.arrays import quantise
from gateway.triage.features import SIGNALS
from gateway.triage.model import FORMAT
from gateway.triage.training.pipeline import Linear, Words
from gateway.triage.training.train import Trained
from models.database.private_files import make_folder, writing_to

RELEASE = "2026.11"


def export(trained: Trained, out: Path, digests: dict[str, str]) -> dict[str, Any]:
    """Writes model.npz and model.json below `out`; gives the card back."""
    words, subwords = trained.features.words_, trained.features.subwords_
    table = np.hstack(
        [_coefficients(head, len(words.keys_) + len(subwords.keys_)) for head in trained.heads.values()]
    )
    sparse, signals = table[: -len(SIGNALS)], table[-len(SIGNALS) :]
    # Features in the order of their keys compress better, and do not depend on the order of reading.
    order = np.concatenate([_by_key(words.keys_), len(words.keys_) + _by_key(subwords.keys_)])
    codes, scale = quantise(sparse[order])
    lexicon = sorted(trained.lexicon.values.items())
    arrays = {
        "keys": np.concatenate([words.keys_, subwords.keys_])[order].astype(np.uint32),
        "idf": words.idf_[order[: len(words.keys_)]].astype(np.float16),
        "weights": codes,
        "scale": scale,
        "signals": signals.astype(np.float32),
        "bias": np.concatenate([head.intercept_ for head in trained.heads.values()]).astype(np.float32),
        "lexicon_keys": np.array([name for name, _ in lexicon], np.uint32),
        "lexicon_values": np.array([round(value * 127) for _, value in lexicon], np.int8),
        **_issue_arrays(trained),
    }
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    card = {
        "format": FORMAT,
        "version": f"{RELEASE}-{digest.hexdigest()[:8]}",
        "classes": {name: _classes(head) for name, head in trained.heads.items()},
        "issue_classes": _classes(trained.issue),
        "temperature": trained.temperature,
        "features": {name: len(arrays[name]) for name in ("keys", "idf", "lexicon_keys", "issue_keys")},
        "libraries": {module.__name__: module.__version__ for module in (np, scipy, sklearn)},
        "data": digests,
    }
    write_model(out, arrays, card)
    return card


def write_model(out: Path, arrays: dict[str, Any], card: dict[str, Any]) -> None:
    """Writes arrays and card below `out`, which is made. Raises OSError that names what cannot be written."""
    make_folder(out)
    with writing_to(out / "model.npz"), (out / "model.npz").open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    with writing_to(out / "model.json"):
        (out / "model.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def digests(data: Path) -> dict[str, str]:
    """SHA-256 of every CSV file of the data directory, its first 16 digits; FileNotFoundError without any."""
    files = sorted(data.glob("*.csv"))
    if not files:
        raise FileNotFoundError(f"no CSV files in {data}")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in files}


def _by_key(keys: Any) -> Any:
    """The order of rising keys; of two names with one checksum only the first can be told from the text."""
    return np.unique(keys, return_index=True)[1]


def _classes(head: Linear) -> list[str]:
    return [str(label) for label in head.classes_]


def _coefficients(head: Linear, sparse: int) -> Any:
    """Features by classes; zeros for the signals of a head that does not see them."""
    table = head.coef_.T.astype(np.float32)
    missing = sparse + len(SIGNALS) - len(table)
    return np.vstack([table, np.zeros((missing, table.shape[1]), np.float32)]) if missing else table


def _issue_arrays(trained: Trained) -> dict[str, Any]:
    parts: list[Words] = [trained.issue_features.titles_, trained.issue_features.bodies_]
    keys = np.concatenate([part.keys_ for part in parts])
    order = _by_key(keys)
    codes, scale = quantise(trained.issue.coef_.T.astype(np.float32)[order])
    return {
        "issue_keys": keys[order].astype(np.uint32),
        "issue_idf": np.concatenate([part.idf_ for part in parts])[order].astype(np.float16),
        "issue_weights": codes,
        "issue_scale": scale,
        "issue_bias": trained.issue.intercept_.astype(np.float32),
    }
