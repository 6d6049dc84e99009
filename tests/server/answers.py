"""Answers as a strict client reads them: every byte belongs to a complete response of HTTP/1.1."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d) [\t\x20-\x7e\x80-\xff]*")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")
_BODILESS = (204, 304)
INTERIM = (100, 103)


class NotHTTP(AssertionError):
    """These bytes are no sequence of complete responses."""


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def closes(self) -> bool:
        return "close" in self.headers.get("connection", "").lower()

    @property
    def kind(self) -> str:
        """The media type of its body."""
        return self.headers.get("content-type", "").partition(";")[0]

    @property
    def data(self) -> Any:
        return json.loads(self.body)


@dataclass
class Read:
    """What has been read of a connection: final answers, interim ones, and what is no answer yet."""

    finals: list[Answer] = field(default_factory=list)
    interims: list[Answer] = field(default_factory=list)
    rest: bytes = b""

    @property
    def statuses(self) -> list[int]:
        return [answer.status for answer in self.finals]


def read_answers(data: bytes, methods: Sequence[str] = ()) -> Read:
    """Splits bytes into the answers to requests with these methods; those after them are GET.

    Raises NotHTTP for what cannot begin or frame a response.
    """
    read = Read()
    while data:
        head, found, behind = data.partition(b"\r\n\r\n")
        if not found:
            if not b"HTTP/1.".startswith(data[:7]) and not data.startswith(b"HTTP/1."):
                raise NotHTTP(f"no response: {data[:80]!r}")
            break
        status, headers = _head(head)
        if status < 200:
            read.interims.append(Answer(status, headers, b""))
            data = behind
            continue
        number = len(read.finals)
        method = methods[number] if number < len(methods) else "GET"
        length = _length(status, headers, method, behind)
        if len(behind) < length:
            break
        read.finals.append(Answer(status, headers, behind[:length]))
        data = behind[length:]
    read.rest = data
    return read


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.split(b"\r\n")
    found = _STATUS_LINE.fullmatch(first)
    if found is None:
        raise NotHTTP(f"no status line: {first[:80]!r}")
    headers: dict[str, str] = {}
    for line in lines:
        one = _FIELD.fullmatch(line)
        if one is None:
            raise NotHTTP(f"no header field: {line[:80]!r}")
        name = one[1].decode().lower()
        if name in ("content-length", "transfer-encoding", "connection") and name in headers:
            raise NotHTTP(f"{name} twice: {head[:300]!r}")
        headers[name] = one[2].decode("latin-1")
    return int(found[1]), headers


def _length(status: int, headers: dict[str, str], method: str, behind: bytes) -> int:
    """How long a body is. The gateway's own answers have a Content-Length."""
    if status in _BODILESS:
        return 0
    if "transfer-encoding" in headers or not headers.get("content-length", "").isdigit():
        raise NotHTTP(f"no Content-Length: {headers}")
    # A request that could not be read may be answered with a body though it began with HEAD.
    if method == "HEAD" and (status < 400 or not behind or behind.startswith(b"HTTP/1.")):
        return 0
    return int(headers["content-length"])
