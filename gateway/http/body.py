"""A request's body: read once as bytes, content-decoded, and never more than the limit in memory.

The limit is enforced here, because a framework's own limit cuts a chunked body silently. What is
inflated is capped while it is inflated, so that a small gzip bomb cannot fill the memory.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from typing import Protocol

import brotli

from adapters.contract import Problem, Refused

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CLOSING = {"Connection": "close"}  # what is left of the body is not read
PIECE = 1_024  # bytes that are inflated at once: what is behind a member is copied, and there may be many
MEMBERS = 10_000  # of a compressed body; real ones have one, or one for each 64 KiB
ZSTD_WINDOW = 23  # log2 of the largest window, 8 MiB: what RFC 9659 lets senders of a content coding use
ACCEPTED = "gzip, deflate, br, zstd"
LAYERS = 2  # content encodings on top of each other; real senders use one


class Stream(Protocol):
    """The part of a WSGI input stream that is used here."""

    def read(self, size: int, /) -> bytes: ...


def read_body(stream: Stream, content_length: int | None, content_encoding: str, limit: int) -> bytes:
    """The decoded body, at most `limit` bytes before and after decoding.

    Raises Refused: 413 (larger than the limit), 415 (an encoding other than those ACCEPTED), 400
    (corrupt data).
    """
    if content_length is not None and content_length > limit:
        raise _too_large(limit)
    body = _read(stream, limit)
    asked = map(str.strip, content_encoding.lower().split(","))
    names = [name for name in asked if name not in ("", "identity")]
    if not names or not body:
        return body
    if len(names) > LAYERS or not all(name in _DECODERS for name in names):
        headers = {"Accept-Encoding": ACCEPTED}
        message = "Content-Encoding must be gzip, deflate, br or zstd."
        raise Refused(Problem(415, "unsupported_encoding", message, headers=headers))
    for name in reversed(names):
        try:
            body = _DECODERS[name](body, limit)
        except (zlib.error, brotli.error, zstd.ZstdError, EOFError):
            raise Refused(Problem(400, "invalid_json", f"Body is not valid {name} data.")) from None
        if len(body) > limit:
            raise _too_large(limit)
    return body


def _read(stream: Stream, limit: int) -> bytes:
    """Everything the stream has, one byte more than the limit at most."""
    parts: list[bytes] = []
    size = 0
    while size <= limit:
        try:
            part = stream.read(limit + 1 - size)
        except TimeoutError as error:
            raise Refused(
                Problem(408, "invalid_request", "Body came too slowly.", headers=CLOSING)
            ) from error
        except OSError as error:  # the sender vanished, or its chunks are malformed
            raise Refused(Problem(400, "invalid_request", "Body could not be read.")) from error
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
    raise _too_large(limit)


def _too_large(limit: int) -> Refused:
    return Refused(Problem(413, "too_large", f"Body is larger than {limit} bytes.", headers=CLOSING))


class Inflater(Protocol):
    """What decompresses one member: zlib's and zstd's are alike."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _inflate(body: bytes, limit: int, inflater_of: Callable[[], Inflater]) -> bytes:
    """Inflates every member, up to one byte more than the limit.

    Raises what the inflater raises, EOFError or Refused.
    """
    parts: list[bytes] = []
    at = size = members = 0
    inflater: Inflater | None = None
    while at < len(body) and size <= limit:
        inflater = inflater or inflater_of()
        piece = body[at : at + PIECE]
        part = inflater.decompress(piece, limit + 1 - size)
        parts.append(part)
        size += len(part)
        at += len(piece) - len(inflater.unused_data)
        if inflater.eof:
            inflater = None
            members += 1
            if members > MEMBERS:
                raise Refused(
                    Problem(400, "invalid_json", f"Body has more than {MEMBERS} compressed members.")
                )
    if inflater is not None and size <= limit:
        raise EOFError("truncated")
    return b"".join(parts)


def _gzip(body: bytes, limit: int) -> bytes:
    return _inflate(body, limit, lambda: zlib.decompressobj(16 + zlib.MAX_WBITS))


def _deflate(body: bytes, limit: int) -> bytes:
    """RFC 9110 means the zlib format; some clients send bare deflate data."""
    try:
        return _inflate(body, limit, lambda: zlib.decompressobj(zlib.MAX_WBITS))
    except zlib.error:
        return _inflate(body, limit, lambda: zlib.decompressobj(-zlib.MAX_WBITS))


def _brotli(body: bytes, limit: int) -> bytes:
    decoder = brotli.Decompressor()
    whole: bytes = decoder.process(body, output_buffer_limit=limit + 1)
    while not decoder.is_finished() and len(whole) <= limit:
        part = decoder.process(b"", output_buffer_limit=limit + 1 - len(whole))
        if not part:
            raise EOFError("truncated")
        whole += part
    return whole


def _zstd(body: bytes, limit: int) -> bytes:
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW}
    return _inflate(body, limit, lambda: zstd.ZstdDecompressor(options=options))


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
