"""Which path leads where: one route per door, lookup and endpoint, and errors in the dialect of the path."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from flask import Response, request
from werkzeug.exceptions import MethodNotAllowed, NotFound

from adapters.common.multipart import is_form
from adapters.contract import Adapter, Inbound, Reply
from gateway import inbox
from gateway.access.caller import Caller
from gateway.api import health
from gateway.api.endpoint import NOBODY, Endpoint
from gateway.api.endpoints import ENDPOINTS
from gateway.api.file_download import by_address
from gateway.api.openapi import docs_page
from gateway.core import log
from gateway.core.client_address import networks
from gateway.core.config import Config
from gateway.http.cors import allowed_origins, cors_headers, preflight
from gateway.http.flask_app import Gateway
from gateway.http.request import Large, inbound_of, path_of, request_id
from gateway.http.responses import adapter_for, problem_of, respond
from gateway.ingest import ingest, ingest_with_files
from gateway.intake import auth, batch, limits, lookups, outcomes, uploads
from gateway.intake.uploads import Sizes


class Routes:
    """Every route of the application, each answering in its dialect."""

    def __init__(self, app: Gateway, config: Config, dialects: dict[str, Adapter]) -> None:
        self.app = app
        self.limit = config.max_body
        self.proxies = networks(config.trusted_proxies)
        self.origins = allowed_origins(config.cors_origins)
        self.adapters = dialects
        self.methods: dict[str, set[str]] = defaultdict(set)
        self.told_by: dict[str, Adapter] = {}  # endpoint -> whose dialect it speaks

    def add(self, config: Config) -> None:
        sizes = Sizes(config.max_body, config.max_file, config.max_upload)
        uploads.connect(sizes)
        forms = Large(is_form, config.max_upload)
        for adapter in self.adapters.values():
            for door in adapter.doors:
                act, admit, large = partial(ingest, adapter, door), _admitting(adapter, door.scope), None
                if door.streamed:
                    act = partial(ingest_with_files, adapter, door, sizes)
                    large = Large(door.streamed.expects, config.max_envelope)
                self._route(adapter, door.method, door.path, act, counted=True, admit=admit, large=large)
            for many in adapter.batches:
                act = partial(batch.take, adapter, many, config.max_body)
                admit = _admitting(adapter, many.scope)
                limit = config.max_batch_body
                self._route(adapter, many.method, many.path, act, counted=True, limit=limit, admit=admit)
            for lookup in adapter.lookups:
                act, admit = partial(lookups.look_up, adapter, lookup), _admitting(adapter, lookup.scope)
                self._route(adapter, lookup.method, lookup.path, act, admit=admit)
        for endpoint in ENDPOINTS:
            adapter = self.adapters[endpoint.dialect]
            act = partial(_identified, adapter, endpoint)
            closed = endpoint.scope and not endpoint.linked
            admit = _admitting(adapter, endpoint.scope) if closed else None
            mounted, large = not endpoint.is_native, forms if endpoint.takes_files else None
            self._route(
                adapter, endpoint.method, endpoint.path, act, mounted=mounted, admit=admit, large=large
            )
        native = self.adapters["native"]
        for path, check in health.CHECKS.items():
            self._route(native, "GET", path, partial(_unidentified, check), mounted=False, exact=True)
        for path, page in docs_page.PAGES.items():
            self._route(native, "GET", path, page, mounted=False)
        for path, methods in self.methods.items():
            self._preflight(path, sorted(methods | {"OPTIONS"}))
            if "<hook_id>" in path:
                self._probe(path)
        self.app.register_error_handler(Exception, self._failed)

    def _route(
        self,
        adapter: Adapter,
        method: str,
        path: str,
        act: Callable[[Inbound], Reply],
        *,
        mounted: bool = True,
        counted: bool = False,
        exact: bool = False,
        limit: int = 0,
        admit: Callable[[Inbound], object] | None = None,
        large: Large | None = None,
    ) -> None:
        """One route, reachable with and without a trailing slash and, when `mounted`, below `/<dialect>`.

        What becomes of a `counted` one's requests goes into the ledger. `limit` is the most bytes of a
        body, when it is not that of every route; `admit` is asked before a body is read that is larger than
        those, or that its client asked whether to send. `large` is how larger bodies are read. An `exact`
        one is not reachable by any other way to write its path.
        """

        def view(**params: str) -> Response:
            started = time.perf_counter()
            environ = request.environ
            if exact and environ.get("RAW_URI", path).partition("?")[0] != environ["SCRIPT_NAME"] + path:
                raise NotFound
            inbound, problem = None, None
            try:
                first = admit if limit or "HTTP_EXPECT" in environ else None
                most = limit or self.limit
                inbound = inbound_of(environ, adapter, params, most, self.proxies, first, large)
                reply = act(inbound)
            except Exception as error:  # told in the dialect of this very route
                problem = problem_of(error, request_id(environ))
                reply = adapter.refuse(problem)
            if counted:
                outcomes.count(adapter, inbound, problem, time.perf_counter() - started)
            return self._answer(environ, reply, started, inbound.answer_headers if inbound else {})

        for rule in (path, f"/{adapter.name}{path}") if mounted else (path,):
            self.methods[rule].add(method)
            self.told_by[f"{method} {rule}"] = adapter
            self.app.add_url_rule(
                rule,
                f"{method} {rule}",
                view,
                methods=[method],
                strict_slashes=exact,
                provide_automatic_options=False,
            )

    def _preflight(self, path: str, methods: list[str]) -> None:
        def view(**params: str) -> Response:
            reply = preflight(request, methods)
            return self._answer(request.environ, reply, time.perf_counter(), {})

        self.app.add_url_rule(
            path,
            f"OPTIONS {path}",
            view,
            methods=["OPTIONS"],
            strict_slashes=path in health.CHECKS,  # as their routes
            provide_automatic_options=False,
        )

    def _probe(self, path: str) -> None:
        """Says that there is a door, whoever asks: Intercom takes no address that does not answer HEAD.

        It says nothing of whether there is such a hook. Source: developers.intercom.com, "Set up Webhooks".
        """

        def view(**params: str) -> Response:
            return self._answer(request.environ, Reply(200), time.perf_counter(), {})

        self.app.add_url_rule(
            path,
            f"HEAD {path}",
            view,
            methods=["HEAD"],
            strict_slashes=False,
            provide_automatic_options=False,
        )

    def _failed(self, error: Exception) -> Response:
        """Whatever was raised outside a route, told in the dialect of the path, or to a person."""
        if inbox.owns(request.path) or (isinstance(error, NotFound) and self._typed()):
            return inbox.told(error)
        adapter = adapter_for(request.path, self.adapters)
        if isinstance(error, MethodNotAllowed):
            adapter = self._told_by(error.valid_methods or ()) or adapter
        reply = adapter.refuse(problem_of(error, request_id(request.environ)))
        return self._answer(request.environ, reply, time.perf_counter(), {})

    def _typed(self) -> bool:
        """Whether somebody typed an address into a browser that is not even near a route of ours."""
        known = {rule.rule.split("/")[1] for rule in self.app.url_map.iter_rules()}
        nowhere = request.path.split("/")[1] not in known
        return nowhere and request.method == "GET" and request.accept_mimetypes.best == "text/html"

    def _answer(
        self, environ: dict[str, Any], reply: Reply, started: float, headers: Mapping[str, str]
    ) -> Response:
        """A reply with what every response carries, noted in the log."""
        name = request_id(environ)
        log.request(environ["REQUEST_METHOD"], path_of(environ), reply.status, started, name)
        if reply.notice:
            log.notice(reply.notice, name)
        cors = cors_headers(environ.get("HTTP_ORIGIN"), self.origins)
        return respond(reply, headers, cors, {"request-id": name})

    def _told_by(self, methods: Iterable[str]) -> Adapter | None:
        """Whose route this path is with another method."""
        urls = self.app.url_map.bind("")
        names = (str(urls.match(request.path, method)[0]) for method in methods if method != "OPTIONS")
        return next((self.told_by[name] for name in names if name in self.told_by), None)


def _admitting(adapter: Adapter, scope: str) -> Callable[[Inbound], object] | None:
    """What refuses who has no key; None where the body is needed to know who it is."""
    return None if adapter.signed else partial(auth.identify, adapter, scope)


def _identified(adapter: Adapter, endpoint: Endpoint, inbound: Inbound) -> Reply:
    if not endpoint.scope:
        return endpoint.answer(NOBODY, inbound)
    caller = _linked(inbound) if endpoint.linked else None
    caller = caller or auth.identify(adapter, endpoint.scope, inbound)
    if not endpoint.is_native:
        limits.spend(caller, inbound)
    return endpoint.answer(caller, inbound)


def _linked(inbound: Inbound) -> Caller | None:
    """Who may have a file without a key."""
    return by_address(inbound) or inbox.reader()


def _unidentified(check: Callable[[], Reply], inbound: Inbound) -> Reply:
    return check()
