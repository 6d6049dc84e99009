"""What an attack is made of: whom it is sent to, its bytes, and what a right server says to them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

JSON = json.dumps({"text": "attack", "kind": "bug", "summary": "attack", "detail": "attack"}).encode()


@dataclass(frozen=True)
class Target:
    """Where a request goes, and with which key."""

    method: str
    path: str
    key: str | None = None

    def head(self, *lines: str | bytes, method: str = "", version: str = "HTTP/1.1") -> bytes:
        """A head with these further lines."""
        first = f"{method or self.method} {self.path} {version}"
        key = [f"Authorization: Bearer {self.key}"] if self.key else []
        every = [first, "Host: g", *key, *lines]
        return b"".join([line if isinstance(line, bytes) else line.encode() for line in _ended(every)])

    def sized(self, body: bytes, *lines: str | bytes, method: str = "", version: str = "HTTP/1.1") -> bytes:
        """A request with a Content-Length."""
        return self.head(f"Content-Length: {len(body)}", *lines, method=method, version=version) + body

    def chunked(self, chunks: bytes, *lines: str | bytes, method: str = "") -> bytes:
        """A request with a chunked body, given as it is sent."""
        return self.head("Transfer-Encoding: chunked", *lines, method=method) + chunks


def _ended(lines: list[str | bytes]) -> list[str | bytes]:
    """The lines of a head with their ends."""
    return [part for line in lines for part in (line, "\r\n")] + ["\r\n"]


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    return b"%x%s\r\n%s\r\n" % (len(data), extension, data)


LAST = b"0\r\n\r\n"

Make = Callable[[Target, random.Random], bytes]


@dataclass(frozen=True)
class Kind:
    """How to make the bytes of an attack, and what they are.

    `malformed`: the request behind the `before` first ones is no HTTP and is refused, once, and the
    connection ends. When it is False each request is answered, unless an answer says that the
    connection ends. When it is None a server may choose: it answers no more requests than there are.

    `end` is what the client does behind the last byte: `half` ends its side of the connection,
    `reset` and `close` give the connection up; else a request follows that is answered only when all
    before it was understood. `method` is that of every target.
    """

    make: Make
    malformed: bool | None
    requests: int = 1
    before: int = 0
    end: str = ""
    method: str = ""


@dataclass(frozen=True)
class Attack:
    """Bytes to send. `methods` are those of all requests that can be seen in them."""

    kind: str
    target: Target
    data: bytes
    methods: tuple[str, ...]
    malformed: bool | None
    before: int
    end: str

    def __str__(self) -> str:
        shown = self.data if len(self.data) < 700 else self.data[:500] + b" ... " + self.data[-200:]
        return f"{self.kind} to {self.target.method} {self.target.path}, end {self.end!r}: {shown!r}"
