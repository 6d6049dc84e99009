"""Payloads gone wrong: any value at any depth of a fixture replaced by any JSON."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

from hypothesis import strategies as st

from tests.adapters.test_adapters import FIXTURES

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def requests_of(name: str) -> list[dict[str, Any]]:
    """The requests of a dialect's fixtures."""
    return [json.loads(path.read_text())["request"] for path in sorted(Path(FIXTURES / name).glob("*.json"))]


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where every value of a JSON value is, itself included."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for name, item in inner for found in paths_of(item, (*path, name)))]


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy of a JSON value with another value at a path."""
    if not path:
        return new
    changed = copy.copy(value)
    changed[path[0]] = put(value[path[0]], path[1:], new)
    return changed


@st.composite
def mutated(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A request of a fixture in which up to three values, also of the JSON in a form, are any JSON."""
    request = draw(st.sampled_from(requests_of(name)))
    form = {key: values[-1] for key, values in parse_qs(request.get("text", "")).items()}
    payload = json.loads(form["payload"]) if "payload" in form else request.get("json", form)
    for _ in range(draw(st.integers(1, 3))):
        payload = put(payload, draw(st.sampled_from(paths_of(payload))), draw(ANY_JSON))
    if "payload" in form:
        return {**request, "text": urlencode({"payload": json.dumps(payload)})}
    if "json" in request:
        return {**request, "json": payload}
    fields = payload if isinstance(payload, dict) else {"text": payload}
    return {
        **request,
        "text": urlencode({str(key): str(value) for key, value in fields.items()}, errors="replace"),
    }
