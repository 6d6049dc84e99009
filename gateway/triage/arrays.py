"""Arithmetic on the arrays of a model: packing, unit vectors and probabilities; and whether they fit."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from math import exp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.triage import features

Floats = NDArray[np.float32]
NONE = -1  # the place of what is not in a table
BITS = 20  # of a place in a table
LEADING = 18  # bits of a key that say where in an index it may be
REST = 32 - LEADING


def quantise(values: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Coefficients as int8 with one scale per column; the square root keeps small ones apart."""
    scale: Floats = np.maximum(np.abs(values).max(axis=0), 1e-9).astype(np.float32)
    codes: Floats = np.round(np.sign(values) * np.sqrt(np.abs(values) / scale) * 127)
    return codes.astype(np.int8), scale


def restore(codes: NDArray[np.int8], scale: Floats) -> Floats:
    """The coefficients that `quantise` packed, near enough."""
    values = codes.astype(np.float32)
    values /= 127
    values *= np.abs(values)  # in place, for the copies would be the largest memory a worker ever holds
    values *= scale
    return values


def with_length(weights: Floats, idf: Floats, room: int = 0) -> Floats:
    """Rows of weights times IDF, and in a last column its square: the length of a text's vector.

    `room` rows of zeros follow: a second table of this size would be the largest thing in memory.
    """
    table = np.zeros((len(idf) + room, weights.shape[1] + 1), np.float32)
    np.multiply(weights, idf[:, None], out=table[: len(idf), :-1])
    table[: len(idf), -1] = idf * idf
    return table


class Index:
    """Rows by key, as one sorted array: a dictionary of as many keys would take ten times the memory."""

    def __init__(self, keys: NDArray[np.uint32]) -> None:
        self._keys = keys
        # Where the keys with the same leading bits start: a search through all keys would wait for memory
        # at each of its steps, and the leading bits of a checksum leave hardly a step to go.
        alike = np.bincount(keys >> REST, minlength=1 << LEADING)
        self._starts = (np.cumsum(alike) - alike).astype(np.int32)
        self._most = int(alike.max())

    def rows(self, keys: Collection[int]) -> NDArray[np.intp]:
        """The rows of those `keys` that are known, in the order of the keys' numbers."""
        found = self.find(np.fromiter(keys, np.uint32, len(keys)))
        return np.sort(found[found != NONE])

    def find(self, keys: NDArray[np.uint32]) -> NDArray[np.intp]:
        """The row of each key, NONE for those that are not known."""
        if not self._most:
            return np.full(len(keys), NONE, np.intp)
        places = self._starts.take(keys >> REST).astype(np.intp)
        there = self._keys.take(places, mode="clip")  # behind the last key comes no other
        found = np.where(there == keys, places, NONE)
        left = (there < keys).nonzero()[0]
        for step in range(1, self._most):
            if not len(left):
                break
            wanted, at = keys[left], places[left] + step
            there = self._keys.take(at, mode="clip")
            known = there == wanted
            found[left[known]] = at[known]
            left = left[there < wanted]
        return found

    def row(self, key: int) -> int | None:
        found = self.rows((key,))
        return int(found[0]) if len(found) else None


def units(table: Floats, rows: NDArray[np.intp], sums_of: NDArray[np.intp], sums: int) -> Floats:
    """As many sums of rows as `sums`, of the distinct ones of `rows`, by `sums_of`, each of length one.

    The last column of the table is the rows' squared length (see with_length). NONE is no row. A table has
    less than 2 ** BITS rows.
    """
    found = (sums_of << BITS) | rows  # NONE stays NONE, and comes first
    found.sort()  # numpy's unique takes ten times as long
    new = np.empty(len(found), bool)
    new[:1] = True
    np.not_equal(found[1:], found[:-1], out=new[1:])
    distinct = found[new]
    bounds = distinct.searchsorted(np.arange(sums + 1) << BITS)
    starts, some = bounds[:-1], bounds[1:] > bounds[:-1]
    taken = table.take(distinct & ((1 << BITS) - 1), axis=0, mode="clip")
    if np.logical_and.reduce(some):
        total: Floats = np.add.reduceat(taken, starts, axis=0)
    else:  # some have none
        total = np.zeros((sums, table.shape[1]), np.float32)
        if some.any():
            total[some] = np.add.reduceat(taken, starts[some], axis=0)
    lengths_of: Floats = np.sqrt(np.maximum(total[:, -1:], np.float32(1e-30)))
    parts: Floats = total[:, :-1] / lengths_of
    return parts


def unit_parts(table: Floats, index: Index, names: dict[str, str]) -> Iterator[tuple[str, Floats]]:
    """The addends of such a sum over the rows of `names`, by the shown names."""
    found = {shown: index.row(features.key(name)) for name, shown in names.items()}
    known = {shown: row for shown, row in found.items() if row is not None}
    length = math.sqrt(sum(float(table[row, -1]) for row in known.values()))
    for shown, row in known.items():
        yield shown, table[row, :-1] / length


def softmax(values: list[float], temperature: float) -> list[float]:
    """Probabilities from scores; a temperature above 1 makes them less sure."""
    highest = max(values)
    powers = [exp((value - highest) / temperature) for value in values]
    total = sum(powers)
    return [power / total for power in powers]


def misfits(arrays: dict[str, NDArray[Any]], card: dict[str, Any]) -> list[str]:
    """The names of arrays of a model that do not fit each other or its card."""
    outputs = sum(len(classes) for classes in card["classes"].values())
    n, words = len(arrays["keys"]), len(arrays["idf"])
    shapes = {
        "keys": (n,),
        "weights": (n, outputs),
        "scale": (outputs,),
        "signals": (len(features.SIGNALS), outputs),
        "bias": (outputs,),
        "lexicon_values": (len(arrays["lexicon_keys"]),),
    }
    issues, answers = len(arrays["issue_keys"]), len(card["issue_classes"])
    shapes |= {
        "issue_idf": (issues,),
        "issue_weights": (issues, answers),
        "issue_scale": (answers,),
        "issue_bias": (answers,),
    }
    wrong = [name for name, shape in shapes.items() if arrays[name].shape != shape]
    kinds = {"keys": "uint32", "idf": "float16", "weights": "int8"}
    wrong += [name for name, kind in kinds.items() if arrays[name].dtype != kind]
    if not wrong and (
        words > n or not all(np.isfinite(arrays[name]).all() for name in ("idf", "scale", "signals", "bias"))
    ):
        return ["numbers"]
    return wrong
