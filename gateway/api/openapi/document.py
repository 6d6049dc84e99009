"""The description of the API in OpenAPI 3.1, made of what adapters and endpoints declare of themselves.

Nothing of it is written a second time here: bodies are the schemas that check them, refusals are asked
of the dialects, texts are those of the code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from apispec import APISpec

import adapters
from adapters.common.multipart import MEDIA
from adapters.common.schemas import meaning_of
from adapters.contract import Adapter, Batch, Code, Door, Lookup, Problem
from adapters.contract.description import BEARER, Proof, Shape
from adapters.flora import identifier
from adapters.native import TITLES
from gateway import __version__
from gateway.access.api_keys import ANY
from gateway.api.endpoint import Endpoint
from gateway.api.endpoints import ENDPOINTS
from gateway.api.openapi.json_schema import Plugin, name_of, tidied
from gateway.api.schemas.operations import OPEN
from gateway.intake import batch_items, idempotency

ABOUT = (
    "One address for every kind of feedback. Each sender keeps its own dialect: its paths, bodies, answers "
    "and errors are described under its name. Paths of a dialect are also served below `/<dialect>`, for "
    "clients that keep a path prefix. Every answer carries a `request-id`."
)
# Why a request can be refused, by the status before a dialect has its say.
REASONS: Mapping[int, Code] = {
    400: "invalid",
    401: "invalid_key",
    402: "insufficient_credits",
    403: "forbidden",
    404: "not_found",
    408: "invalid_request",
    409: "idempotency_in_flight",
    410: "cursor_expired",
    412: "precondition_failed",
    413: "too_large",
    415: "unsupported_encoding",
    422: "idempotency_conflict",
    429: "rate_limited",
    500: "internal",
    503: "overloaded",
}
NDJSON = "application/x-ndjson"
ALWAYS = (400, 408, 413, 415, 500, 503)
IDENTIFIED = (401, 403, 429)

Json = dict[str, Any]
RUN_ID = meaning_of(identifier("run", "Run"))  # of other ids in paths those that are none are not there


@cache
def document() -> Json:
    """The whole description. Built once; not to be changed."""
    return _Description().told()


class _Description:
    """The description while it is written."""

    def __init__(self) -> None:
        self.plugin = Plugin(schema_name_resolver=name_of)
        self.spec = APISpec(
            title="feedback-gateway",
            version=__version__,
            openapi_version="3.1.0",
            plugins=[self.plugin],
            info={"description": ABOUT, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
            servers=[{"url": "/"}],
        )
        self.spec.components.header(
            "request-id", {"schema": {"type": "string", "pattern": "^req_[0-9A-Z]{26}$"}, "required": True}
        )
        self.known: set[str] = set()

    def told(self) -> Json:
        dialects = adapters.load()
        for adapter in dialects.values():
            self.spec.tag({"name": adapter.title or adapter.name})
            ways: tuple[Door | Batch | Lookup, ...] = (*adapter.doors, *adapter.batches, *adapter.lookups)
            for way in ways:
                self.way(adapter, way)
        for endpoint in ENDPOINTS:
            self.endpoint(dialects[endpoint.dialect], endpoint)
        native = dialects["native"]
        self.spec.tag({"name": "Operations"})
        for path, shape in OPEN.items():
            self.add("GET", path, shape, _Told(native, "Operations", shape.summary, closed=False))
        whole: Json = tidied(self.spec.to_dict())
        return whole

    def way(self, adapter: Adapter, way: Door | Batch | Lookup) -> None:
        """A route of a dialect."""
        keyed = way.method == "POST" and adapter.signed is None
        refusals = [*IDENTIFIED, *_repeats(adapter, keyed)]
        if isinstance(way, Lookup) and "<" in way.path:
            refusals.append(404)
        told = _Told(
            adapter,
            adapter.title or adapter.name,
            way.shape.summary or f"Take what {adapter.name} sends.",
            tuple(refusals),
            keyed=keyed,
            taken=isinstance(way, Door | Batch),
            many=isinstance(way, Batch),
            servers=_mounts(adapter),
        )
        self.add(way.method, way.path, way.shape, told)

    def endpoint(self, adapter: Adapter, endpoint: Endpoint) -> None:
        """A route that the trunk answers itself; the first line of its function says what it does."""
        summary = (endpoint.act.__doc__ or "").partition("\n")[0]
        keyed = endpoint.method == "POST" and not endpoint.is_native and bool(endpoint.scope)
        missed = (404,) if "<" in endpoint.path else ()
        told = _Told(
            adapter,
            adapter.title,
            summary,
            (*IDENTIFIED, *missed, *_repeats(adapter, keyed)),
            endpoint.scope,
            closed=bool(endpoint.scope),
            keyed=keyed,
            servers=[] if endpoint.is_native else _mounts(adapter),
        )
        self.add(endpoint.method, endpoint.path, endpoint.shape, told)

    def add(self, method: str, path: str, shape: Shape, told: _Told) -> None:
        operation: Json = {
            "operationId": _operation_id(method, path),
            "tags": [told.tag],
            "summary": told.summary,
            "parameters": self._parameters(path, shape, told),
            "responses": {
                **{str(status): self._answer(status, shape, kind) for status, kind in _answers(shape)},
                **self._refusals(told.adapter, {*ALWAYS, *told.refusals, *shape.refusals}),
            },
            "security": self._security(told),
        }
        if told.scope:
            which = "that may do this" if told.scope == ANY else f"with the scope `{told.scope}`, or `admin`"
            operation["description"] = f"Needs a key {which}."
        if told.servers:
            operation["servers"] = told.servers
        if shape.body is not None or told.taken or shape.example is not None:
            operation["requestBody"] = self._body(shape, told)
        self.spec.path(_templated(path), operations={method.lower(): operation})

    def _parameters(self, path: str, shape: Shape, told: _Told) -> list[Json]:
        found: list[Json] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", **means}}
            for name in re.findall(r"<(\w+)>", path)
            for means in [RUN_ID if name == "run_id" else {"minLength": 1}]
        ]
        converter = self.plugin.converter
        assert converter is not None, "made with the document"
        for schema, place in ((shape.query, "query"), (shape.headers, "header")):
            if schema is not None:
                found += converter.schema2parameters(schema, location=place)
        for parameter in found:
            if "explode" in parameter:  # values by comma
                parameter["explode"] = False
            if parameter["name"] in shape.asked:
                parameter["example"] = shape.asked[parameter["name"]]
        if told.keyed:
            what = "The same key again is the same request: docs/limits.md."
            schema_ = {"type": "string", "minLength": 1, "maxLength": idempotency.LONGEST}
            found.append({"name": "Idempotency-Key", "in": "header", "description": what, "schema": schema_})
        return found

    def _body(self, shape: Shape, told: _Told) -> Json:
        schema: Any = _any_of(shape.body)
        if shape.media not in ("application/json", MEDIA):
            schema = {"type": "string"}
        if told.many:
            schema = {"type": "array", "items": schema, "maxItems": batch_items.MOST}
        content: Json = {"schema": schema}
        if shape.example is not None:
            content["examples"] = {"example": {"value": shape.example}}
        media = {shape.media: content}
        if shape.form is not None:
            media[MEDIA] = {"schema": _any_of(shape.form)}
        if told.many:
            media[NDJSON] = {"schema": {"type": "string", "pattern": r"\S"}}
        # From vendors anything is taken: what cannot be understood is kept raw.
        return {"required": not shape.optional and told.adapter.signed is None, "content": media}

    def _answer(self, status: int | str, shape: Shape, kind: Any) -> Json:
        answer: Json = {
            "description": "Not now." if status == 503 else "Done.",
            "headers": {"request-id": "request-id"},
        }
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if shape.shown_as and status != 304:
            answer["content"] = {name: {"schema": {"type": "string"}} for name in shape.shown_as}
        elif kinds != (None,):
            schema = _any_of(tuple(one for one in kinds if one is not None))
            answer["content"] = {"application/json": {"schema": schema}}
        if None in kinds and kinds != (None,):
            answer["description"] = "Done; the body may be empty."
        return answer

    def _refusals(self, adapter: Adapter, statuses: Iterable[int]) -> Json:
        """Responses by the status that the dialect itself gives each reason."""
        found: Json = {}
        for status in sorted(statuses):
            reply = adapter.refuse(Problem(status, REASONS[status], ""))
            name = f"{adapter.name}-{reply.status}"
            if name not in self.known:
                self.known.add(name)
                schema: Any = adapter.error or {}
                response = {
                    "description": f"{TITLES[REASONS[status]]}.",
                    "headers": {"request-id": "request-id"},
                    "content": {reply.content_type: {"schema": schema}},
                }
                self.spec.components.response(name, response)
            found.setdefault(str(reply.status), name)
        return found

    def _security(self, told: _Told) -> list[Json]:
        if not told.closed:
            return []
        signed = told.adapter.signed
        proofs = told.adapter.proofs if signed is None else (signed.proofs or (BEARER,))
        return [{self._scheme(part): [] for part in (proof, *proof.together)} for proof in proofs]

    def _scheme(self, proof: Proof) -> str:
        if proof.way in ("bearer", "basic"):
            name, scheme = str(proof.way), {"type": "http", "scheme": str(proof.way)}
        else:
            name = proof.name.lower()
            scheme = {"type": "apiKey", "in": proof.way, "name": proof.name}
        if name not in self.spec.components.security_schemes:
            self.spec.components.security_scheme(
                name, scheme | ({"description": proof.about} if proof.about else {})
            )
        return name


@dataclass(frozen=True)
class _Told:
    """What is known of an operation beside its shape.

    It is `closed` to who proves nothing, `keyed` when it takes an Idempotency-Key, `taken` when it
    takes feedback, and `many` when it takes many items of it.
    """

    adapter: Adapter
    tag: str
    summary: str
    refusals: tuple[int, ...] = ()
    scope: str = ""
    closed: bool = True
    keyed: bool = False
    taken: bool = False
    many: bool = False
    servers: list[Json] = field(default_factory=list)


def _mounts(adapter: Adapter) -> list[Json]:
    """Where a route of a dialect is reachable."""
    return [{"url": "/"}, {"url": f"/{adapter.name}"}]


def _repeats(adapter: Adapter, keyed: bool) -> tuple[int, ...]:
    """How a dialect refuses an Idempotency-Key that was used before, on a route that takes one."""
    if not keyed:
        return ()
    return (409,) if adapter.idempotency.repeat == "refuse" else (409, 422)


def _answers(shape: Shape) -> Iterable[tuple[int | str, Any]]:
    """The answers that a shape declares; whatever is fine where it declares none."""
    return shape.answers.items() or [("2XX", ())]


def _any_of(kinds: Any) -> Any:
    """A schema, or several of which one holds; anything where there is none."""
    if kinds is None or kinds == ():
        return {}
    if not isinstance(kinds, tuple):
        return kinds
    return kinds[0] if len(kinds) == 1 else {"anyOf": list(kinds)}


def _templated(path: str) -> str:
    return re.sub(r"<(\w+)>", r"{\1}", path)


def _operation_id(method: str, path: str) -> str:
    words = re.sub(r"<(\w+)>", r"by_\1", path)
    return re.sub(r"\W+", "_", f"{method.lower()}{words}")
