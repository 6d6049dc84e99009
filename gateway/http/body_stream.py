"""A body as pieces, content-decoded while it comes: what is made of a large one need not hold it.

Content codings and errors are those of gateway.http.body.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator

import brotli

from adapters.contract import Problem, Refused
from gateway.http.body import ACCEPTED, CLOSING, LAYERS, MEMBERS, PIECE, ZSTD_WINDOW, Inflater, Stream

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CHUNK = 65_536  # bytes read, and at most made of what was read, at once


def pieces_of(stream: Stream, content_encoding: str, limit: int, decoded: int) -> Iterator[bytes]:
    """The decoded body in pieces of up to CHUNK bytes: `limit` bytes before decoding and `decoded` after it.

    Raises Refused while it is read: 413, 415, 408 and 400, as gateway.http.body.read_body does.
    """
    names = [name.strip().lower() for name in content_encoding.split(",") if name.strip()]
    names = [name for name in names if name != "identity"]
    if len(names) > LAYERS or not all(name in _INFLATERS for name in names):
        message = f"Content-Encoding must be one of {ACCEPTED}."
        raise Refused(Problem(415, "unsupported_encoding", message, headers={"Accept-Encoding": ACCEPTED}))
    pieces = _counted(_read(stream), limit)
    for name in reversed(names):
        pieces = _counted(_decoded(pieces, name), decoded)
    return pieces


def _read(stream: Stream) -> Iterator[bytes]:
    while True:
        try:
            piece = stream.read(CHUNK)
        except TimeoutError as error:
            problem = Problem(408, "invalid_request", "Body came too slowly.", headers=CLOSING)
            raise Refused(problem) from error
        except OSError as error:  # the sender vanished, or its chunks are malformed
            raise Refused(Problem(400, "invalid_request", "Body could not be read.")) from error
        if not piece:
            return
        yield piece


def _counted(pieces: Iterator[bytes], limit: int) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            message = f"Body is larger than {limit} bytes."
            raise Refused(Problem(413, "too_large", message, headers=CLOSING))
        yield piece


def _decoded(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    try:
        yield from _inflated(pieces, _INFLATERS[name])
    except (zlib.error, brotli.error, zstd.ZstdError, EOFError):
        raise Refused(Problem(400, "invalid_json", f"Body is not valid {name} data.")) from None


def _inflated(pieces: Iterator[bytes], inflater_of: Callable[[bytes], Inflater]) -> Iterator[bytes]:
    """What every member holds. Raises what the inflater raises, EOFError and Refused."""
    inflater: Inflater | None = None
    members = 0
    for piece in pieces:
        at = 0
        while at < len(piece):
            given = piece[at : at + PIECE]
            at += len(given)
            inflater = inflater or inflater_of(given)
            part = None
            while part is None or given or len(part) >= CHUNK:
                part = inflater.decompress(given, CHUNK)
                if part:
                    yield part
                if inflater.eof:
                    at -= len(inflater.unused_data)
                    inflater = None
                    members += 1
                    break
                given = getattr(inflater, "unconsumed_tail", b"")  # zlib gives back what it had no room for
            if members > MEMBERS:
                message = f"Body has more than {MEMBERS} compressed members."
                raise Refused(Problem(400, "invalid_json", message))
    if inflater is not None:
        raise EOFError("truncated")


def _gzip(beginning: bytes) -> Inflater:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


def _deflate(beginning: bytes) -> Inflater:
    """RFC 9110 means the zlib format, told by its header (RFC 1950); some clients send bare deflate data."""
    is_zlib = beginning[:1] == b"\x78" and int.from_bytes(beginning[:2], "big") % 31 == 0
    return zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)


class _Brotli:
    """Brotli's decompressor, with the names of zlib's. It raises for what comes after its data."""

    unused_data = b""

    def __init__(self, beginning: bytes) -> None:
        self._decoder = brotli.Decompressor()

    @property
    def eof(self) -> bool:
        return bool(self._decoder.is_finished())

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        part: bytes = self._decoder.process(data, output_buffer_limit=max_length)
        return part


def _zstd(beginning: bytes) -> Inflater:
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW}
    return zstd.ZstdDecompressor(options=options)


_INFLATERS: dict[str, Callable[[bytes], Inflater]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _Brotli,
    "zstd": _zstd,
}
