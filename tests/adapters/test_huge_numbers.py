"""Numbers that no float can hold, wherever a fixture of any adapter has a number, break no reading."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from adapters.common.times import moment_of_milliseconds
from adapters.contract import Refused
from tests.adapters.test_adapters import CASES, DIALECTS, door_of, inbound_of, name_of

HUGE = (10**400, -(10**400))


def variants(value: Any) -> Iterator[Any]:
    """The value, once for each of its numbers, with a huge one in that place."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            for changed in variants(value[key]):
                whole = deepcopy(value)
                whole[key] = changed
                yield whole
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from HUGE


@pytest.mark.parametrize("path", CASES, ids=name_of)
def test_wherever_there_is_a_number(path: Path) -> None:
    request = json.loads(path.read_text())["request"]
    for sent in variants(request.get("json")):
        inbound = inbound_of({**request, "json": sent})
        try:
            door_of(DIALECTS[path.parent.name], inbound).read(inbound)
        except Refused as refused:
            assert refused.problem.status < 500


@pytest.mark.parametrize("value", [*HUGE, 0, -1, True, 1.5e12, "1795249602859", None, 10**15])
def test_no_time(value: Any) -> None:
    assert moment_of_milliseconds(value) is None


def test_a_time() -> None:
    assert moment_of_milliseconds(1_795_249_602_859) == 1_795_249_602_859
