"""The files that pages are made with, as browsers keep them, and what is compressed on its way to one."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import brotli
from flask import Response, request
from flask.typing import ResponseReturnValue

from adapters.contract import Problem, Refused

STATIC = Path(__file__).parent / "static"
# What pages ask for, and the files that it is made of, in this order: one of each kind travels once.
PARTS = {
    "icon.svg": ("icon.svg",),
    "icons.svg": ("icons.svg",),
    "inbox.css": tuple(
        f"style/{part}.css"
        for part in (
            *("tokens", "page", "controls", "list", "filters", "record", "settings", "overview"),
            *("alerts", "themes", "counts", "flow", "assign"),
        )
    ),
    "inbox.js": tuple(
        f"script/{part}.js"
        for part in (
            *("page", "counts", "forms", "list", "changes", "visit", "keys", "live"),
            *("commands", "alerts", "charts", "assign"),
        )
    ),
}
# The parts of the script share what they name, with nobody else.
_AROUND = {"inbox.js": (b'"use strict";\n(() => {\n', b"})();\n")}
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
LEAST = 1_000  # bytes of what is worth compressing
# What browsers take compressed: the data, and whether it is worth some time, as it is kept.
_PACKED: dict[str, Callable[[bytes, bool], bytes]] = {
    "br": lambda data, kept: brotli.compress(data, quality=11 if kept else 4),
    "gzip": lambda data, kept: gzip.compress(data, 9 if kept else 5),
}


def address(name: str) -> str:
    """Where a file of ours is, for a page to name: another address for each version of it."""
    return f"/inbox/static/{name}?{_file(name)[1]}"


def serve(name: str) -> ResponseReturnValue:
    """A file of ours. Raises Refused (404)."""
    if name not in PARTS:
        raise Refused(Problem(404, "not_found", "No such file."))
    coding, asked = _coding(), request.query_string.decode("ascii", "replace")
    # While versions change, a page of another one may ask; what it gets is not kept under that address.
    kept = "public, max-age=31536000, immutable" if asked == _file(name)[1] else "no-cache"
    answer = Response(_packed(name, coding), content_type=KINDS[Path(name).suffix])
    answer.headers["Cache-Control"] = kept
    if coding:
        answer.content_encoding = coding
    return answer


def compress(response: Response) -> None:
    """Compresses an answer, if its browser takes that and it is worth it."""
    if response.is_streamed:  # to look how long it is would read all of it
        return
    coding = _coding()
    if coding and not response.content_encoding and (response.calculate_content_length() or 0) >= LEAST:
        response.set_data(_PACKED[coding](response.get_data(), False))
        response.content_encoding = coding


def _coding() -> str:
    """The first of these that the browser takes, or nothing."""
    return next((name for name in _PACKED if request.accept_encodings[name] > 0), "")


@cache
def _file(name: str) -> tuple[bytes, str]:
    """A file of ours, and what its address carries so that browsers may keep it."""
    before, after = _AROUND.get(name, (b"", b""))
    data = before + b"\n".join((STATIC / part).read_bytes() for part in PARTS[name]) + after
    return data, hashlib.sha256(data).hexdigest()[:12]


@cache
def _packed(name: str, coding: str) -> bytes:
    """A file of ours as it travels."""
    data, _digest = _file(name)
    return _PACKED[coding](data, True) if coding else data
