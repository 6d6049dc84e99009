"""Bodies: content codings, the limit before and after them, and corrupt data."""

from __future__ import annotations

import gzip
import io
import zlib

import brotli
import pytest

from adapters.contract import Refused
from gateway.http.body import read_body, zstd

TEXT = b'{"text":"' + b"hello " * 100 + b'"}'
LIMIT = 10_000
LARGE = b"x" * 20_000_000
FAR = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 24})
WIDE = FAR.compress(TEXT) + FAR.flush()  # a window of 16 MiB
BARE = zlib.compressobj(wbits=-zlib.MAX_WBITS)


class Trickle(io.BytesIO):
    """A stream that gives a few bytes at a time, as a slow socket does."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(7, size) if size and size > 0 else 7)


def read(body: bytes, encoding: str = "", *, length: int | None = None, limit: int = LIMIT) -> bytes:
    return read_body(Trickle(body), length, encoding, limit)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (TEXT, ""),
        (TEXT, "identity"),
        (gzip.compress(TEXT), "gzip"),
        (gzip.compress(TEXT), "X-GZIP"),
        (gzip.compress(TEXT[:50]) + gzip.compress(TEXT[50:]), "gzip"),
        (zlib.compress(TEXT), "deflate"),
        (BARE.compress(TEXT) + BARE.flush(), "deflate"),
        (brotli.compress(TEXT), " br "),
        (gzip.compress(brotli.compress(TEXT)), "br, gzip"),
        (zstd.compress(TEXT), "zstd"),
        (zstd.compress(TEXT[:50]) + zstd.compress(TEXT[50:]), "zstd"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_decodes(body: bytes, encoding: str) -> None:
    """gzip (also in several members), deflate (with and without its header) and br are decoded."""
    assert read(body, encoding) == TEXT


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"x" * (LIMIT + 1), "", 413),
        (gzip.compress(LARGE, 1), "gzip", 413),
        (zlib.compress(LARGE, 1), "deflate", 413),
        (brotli.compress(LARGE, quality=1), "br", 413),
        (gzip.compress(gzip.compress(LARGE, 1)), "gzip, gzip", 413),
        (TEXT, "gzip", 400),
        (gzip.compress(TEXT)[:-9], "gzip", 400),
        (gzip.compress(TEXT) + b"tail", "gzip", 400),
        (TEXT, "deflate", 400),
        (zlib.compress(TEXT)[:-5], "deflate", 400),
        (TEXT, "br", 400),
        (brotli.compress(TEXT)[:-3], "br", 400),
        (zstd.compress(LARGE), "zstd", 413),
        (TEXT, "zstd", 400),
        (zstd.compress(TEXT)[:-5], "zstd", 400),
        (zstd.compress(TEXT) + b"tail", "zstd", 400),
        (WIDE, "zstd", 400),
        (TEXT, "lzma", 415),
        (TEXT, "gzip, gzip, gzip", 415),
        (TEXT, "gzip, \x00", 415),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else repr(value),
)
def test_refuses(body: bytes, encoding: str, status: int) -> None:
    """Too large, corrupt and unknown are told apart; a bomb is never inflated beyond the limit."""
    with pytest.raises(Refused) as refused:
        read(body, encoding)

    assert refused.value.problem.status == status


def test_refuses_thousands_of_members() -> None:
    """However little is in them."""
    with pytest.raises(Refused, match="10000 compressed members"):
        read(zlib.compress(b"") * 10_001, "deflate", limit=1_000_000)


def test_exact_limit_is_allowed() -> None:
    """A body of exactly the limit passes, plain and compressed."""
    body = b"x" * LIMIT

    assert read(body) == read(gzip.compress(body), "gzip") == read(brotli.compress(body), "br") == body


def test_announced_length_is_believed_when_too_large() -> None:
    """A Content-Length over the limit is refused before a byte is read."""
    stream = io.BytesIO(b"x")
    with pytest.raises(Refused) as refused:
        read_body(stream, LIMIT + 1, "", LIMIT)

    assert refused.value.problem.status == 413
    assert stream.tell() == 0


@pytest.mark.parametrize(
    ("member", "encoding"), [(gzip.compress(b""), "gzip"), (b"\x03\x00", "deflate")], ids=["gzip", "deflate"]
)
def test_many_members(member: bytes, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice as many members take twice the bytes: what is behind one is not copied for each."""
    real, given = zlib.decompressobj, list[int]()

    class Noted:
        def __init__(self, wbits: int) -> None:
            self._inflater = real(wbits)

        def decompress(self, data: bytes, size: int) -> bytes:
            given.append(len(data))
            return self._inflater.decompress(data, size)

        def __getattr__(self, name: str) -> object:
            return getattr(self._inflater, name)

    monkeypatch.setattr(zlib, "decompressobj", Noted)
    sums = []
    for count in (4_000, 8_000):
        given.clear()
        read(member * count, encoding, limit=1_000_000)
        sums.append(sum(given))

    assert sums[1] <= 2.3 * sums[0]
    with pytest.raises(Refused, match="more than 10000 compressed members"):
        read(member * 10_001, encoding, limit=1_000_000)
