"""The Flask application class, and a response that goes out as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, Response
from werkzeug.routing import MapAdapter

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Gateway(Flask):
    """Flask, asking only for the path of a request: its routes are the same whatever the Host says."""

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What finds the route. Werkzeug's own way parses, checks and encodes the Host header first."""
        if request is None:
            return None
        environ = request.environ
        return MapAdapter(
            map=self.url_map,
            server_name="",
            script_name=environ.get("SCRIPT_NAME") or "/",
            subdomain="",
            url_scheme=environ["wsgi.url_scheme"],
            path_info=environ["PATH_INFO"].encode("latin1").decode(errors="replace"),
            default_method=environ["REQUEST_METHOD"],
            query_args=environ.get("QUERY_STRING", ""),
        )

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function: none of ours is a coroutine, and to find that out takes six calls a request."""
        return func


class Answer(Response):
    """A response that goes out as it is, with the headers it was made with."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """What werkzeug would do to headers of its own making is not needed, and costs as much as a view."""
        start_response(self.status, self.headers.to_wsgi_list())
        return [] if environ["REQUEST_METHOD"] == "HEAD" else self.iter_encoded()
