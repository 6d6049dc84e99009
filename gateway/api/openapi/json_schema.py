"""The schemas that check bodies, as JSON Schema: what apispec reads of them, and what they say themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter

import adapters
from models.database.base import dumps

Json = dict[str, Any]


class _Converter(OpenAPIConverter):
    """What apispec reads of a schema, and what the schema says of its fields together.

    What a field is when it is left out is said in words: generators of clients take a field with a
    `default` for one that is always there, and have everybody send it.
    """

    def schema2jsonschema(self, schema: Any) -> Json:
        told: Json = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
        for field_ in told["properties"].values():
            if "default" in field_:
                field_["description"] = f"{dumps(field_.pop('default'))} when it is left out."
        return {**told, **getattr(schema, "means", {})}


class Plugin(MarshmallowPlugin):
    Converter = _Converter


def name_of(schema: Any) -> str:
    """A schema's name in the description: those of dialects begin with the dialect."""
    kind = schema if isinstance(schema, type) else type(schema)
    owner = next((part for part in kind.__module__.split(".") if part in adapters.load()), "")
    return f"{owner.title().replace('_', '')}{kind.__name__}"


def tidied(value: Any) -> Any:
    """Plain JSON, with null among the words of what may be null."""
    if isinstance(value, Mapping):
        told = {str(name): tidied(item) for name, item in value.items()}
        if (
            isinstance(told.get("type"), list)
            and "null" in told["type"]
            and isinstance(told.get("enum"), list)
        ):
            told["enum"] = [*told["enum"], None]
        if told.get("additionalProperties") == {}:
            told["additionalProperties"] = True
        return told
    return [tidied(item) for item in value] if isinstance(value, list | tuple | set) else value
