"""Arithmetic on the arrays of a model: packing, unit vectors and probabilities."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gateway.triage import features

Floats = NDArray[np.float32]
_ONES = np.ones(4096, np.float32)  # a product is a faster sum over a few hundred rows


def quantise(values: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Coefficients as int8 with one scale per column; the square root keeps small ones apart."""
    scale: Floats = np.maximum(np.abs(values).max(axis=0), 1e-9).astype(np.float32)
    codes: Floats = np.round(np.sign(values) * np.sqrt(np.abs(values) / scale) * 127)
    return codes.astype(np.int8), scale


def restore(codes: NDArray[np.int8], scale: Floats) -> Floats:
    """The coefficients that `quantise` packed, near enough."""
    ratios = codes.astype(np.float32) / 127
    result: Floats = (np.sign(ratios) * ratios * ratios * scale).astype(np.float32)
    return result


def unit_part(table: Floats, rows: dict[int, int], keys: set[int]) -> Floats | float:
    """The outputs of a unit-length TF-IDF vector; the last column of `table` is the squared IDF."""
    found = [rows[key] for key in keys if key in rows]
    if not found:
        return 0.0
    total = _ONES[: len(found)] @ table.take(found, axis=0)
    part: Floats = total[:-1] / math.sqrt(total[-1])
    return part


def unit_parts(table: Floats, rows: dict[int, int], names: dict[str, str]) -> Iterator[tuple[str, Floats]]:
    """The addends of `unit_part`, by the shown names."""
    found = {shown: rows.get(features.key(name)) for name, shown in names.items()}
    known = {shown: row for shown, row in found.items() if row is not None}
    length = math.sqrt(sum(float(table[row, -1]) for row in known.values()))
    for shown, row in known.items():
        yield shown, table[row, :-1] / length


def softmax(values: list[float], temperature: float) -> list[float]:
    """Probabilities from scores; a temperature above 1 makes them less sure."""
    highest = max(values)
    powers = [math.exp((value - highest) / temperature) for value in values]
    total = sum(powers)
    return [power / total for power in powers]
