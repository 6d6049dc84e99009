"""The description of the API: JSON at /openapi.json, and a page at /docs that asks no other host.

The page is Swagger UI, whose files come with the package flask-swagger-ui; what starts it is ours.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files

from adapters.contract import Inbound, Problem, Refused, Reply
from gateway.api.openapi import document
from models.database.base import dumps

# Files of the page: the package that has each, its folder there, and what it is.
FILES: Mapping[str, tuple[str, str, str]] = {
    "swagger-ui.css": ("flask_swagger_ui", "dist", "text/css"),
    "swagger-ui-bundle.js": ("flask_swagger_ui", "dist", "text/javascript"),
    "start.js": (__package__, "static", "text/javascript"),
}
PAGE = "text/html; charset=utf-8"
# Swagger UI sets styles by script, which needs no leave, and its icons are data addresses.
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
REVALIDATED = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"}


def show_description(inbound: Inbound) -> Reply:
    """The OpenAPI document."""
    return _kept(inbound, *description(), "application/json")


def show_page(inbound: Inbound) -> Reply:
    """The page; what it needs is at /docs/<name>."""
    page = files(__package__).joinpath("static", "index.html").read_bytes()
    return Reply(200, page, {**SECURITY, **REVALIDATED}, PAGE)


def show_file(inbound: Inbound) -> Reply:
    """A file of the page. Raises Refused (404)."""
    name = inbound.params["name"]
    if name not in FILES:
        raise Refused(Problem(404, "not_found", "No such file."))
    return _kept(inbound, *_file(name), FILES[name][2])


@cache
def description() -> tuple[bytes, str]:
    """The OpenAPI document, compressed, and its entity tag. Made before the first request."""
    return _packed(dumps(document.document()).encode())


@cache
def _file(name: str) -> tuple[bytes, str]:
    package, folder, _ = FILES[name]
    return _packed(files(package).joinpath(folder, name).read_bytes())


def _packed(data: bytes) -> tuple[bytes, str]:
    return gzip.compress(data, mtime=0), f'"{hashlib.sha256(data).hexdigest()[:16]}"'


def _kept(inbound: Inbound, packed: bytes, tag: str, content_type: str) -> Reply:
    """What browsers keep and ask about again: nothing when they have it, else the bytes."""
    headers = {"ETag": tag, **REVALIDATED}
    known = inbound.headers.get("if-none-match", "").replace("W/", "")
    if tag in (word.strip() for word in known.split(",")):
        return Reply(304, None, headers)
    if "gzip" in inbound.headers.get("accept-encoding", ""):
        return Reply(200, packed, {**headers, "Content-Encoding": "gzip"}, content_type)
    return Reply(200, gzip.decompress(packed), headers, content_type)


PAGES: Mapping[str, Callable[[Inbound], Reply]] = {
    "/openapi.json": show_description,
    "/docs": show_page,
    "/docs/<name>": show_file,
}
