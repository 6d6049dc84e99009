"""The API's description as the tests use it: its operations, and whether an answer is as described."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from gateway.api.openapi import document as openapi

Json = dict[str, Any]


@cache
def closed() -> Json:
    """The description with answers that may have nothing but what is described.

    Clients must expect more; the tests must not, or nobody would miss a field here.
    """
    document = deepcopy(openapi.document())
    for name in _answered(document):
        document["components"]["schemas"][name].setdefault("additionalProperties", False)
    return document


def operations() -> Iterator[tuple[str, str, Json]]:
    """Every method and path, with its operation."""
    for path, methods in closed()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def check(operation: Json, response: TestResponse, *, least: int = 200, below: int = 600) -> list[str]:
    """What is wrong with an answer: its status (which must be in these bounds), type, headers and body."""
    answers = operation["responses"]
    told = answers.get(str(response.status_code))
    if told is None or not least <= response.status_code < below:
        return [f"{response.status_code}: {response.text[:500]}"]
    if "$ref" in told:
        told = closed()["components"]["responses"][told["$ref"].rpartition("/")[2]]
    if not response.headers.get("request-id", "").startswith("req_"):
        return ["no request-id"]
    if not response.data:
        return []
    media = {name.partition(";")[0]: content for name, content in told["content"].items()}
    if "json" not in response.mimetype:
        return [] if response.mimetype in media or "*/*" in media else [response.mimetype]
    body = {**media[response.mimetype]["schema"], "components": closed()["components"]}
    return [error.message[:500] for error in Draft202012Validator(body).iter_errors(response.json)]


def _answered(document: Json) -> set[str]:
    """The names of the schemas that answers are made of."""
    found: set[str] = set()
    bodies = document["components"]["responses"]
    waiting: list[Any] = [bodies]
    for methods in document["paths"].values():
        waiting += [operation["responses"] for operation in methods.values()]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            ref = str(value.get("$ref", "")).rpartition("#/components/schemas/")
            name = ref[2] if ref[1] else ""
            if name and name not in found:
                found.add(name)
                waiting.append(document["components"]["schemas"][name])
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return found - {"Description"}
