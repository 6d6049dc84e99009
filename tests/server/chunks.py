"""Chunked bodies that are wrong, strange or endless (RFC 9112 7.1)."""

from __future__ import annotations

from functools import partial

from tests.server.attack import JSON, LAST, Kind, Make, Target, chunk

LONG = 100_000  # bytes of what no sender needs a kilobyte of

_BAD_SIZES = {
    "empty": b"",
    "letters": b"zz",
    "negative": b"-5",
    "negative zero": b"-0",
    "0x": b"0x5",
    "plus": b"+5",
    "underscore": b"0_5",
    "leading space": b" 5",
    "leading tab": b"\t5",
    "trailing letters": b"5g",
    "two": b"5,5",
    "two words": b"5 5",
    "fraction": b"5.0",
    "NUL": b"5\0",
    "vertical tab": b"5\x0b",
    "no-break space": b"5\xa0",
    "full width": "５".encode(),
    "other digits": "٥".encode(),
    "long": b"0" * LONG + b"5",
    "LF first": b"\n5",
    "CR first": b"\r5",
    "CR behind": b"5\r",
    "huge": b"f" * 40,
    "wraps at 64 bits": b"10000000000000005",
    "wraps at 32 bits and more": b"1" + b"0" * 31 + b"5",
}
# Behind the five bytes of a chunk, and behind its size, other than CRLF.
_BAD_ENDS = {"LF": b"\n", "CR": b"\r", "LF CR": b"\n\r", "nothing": b"", "text": b"xx", "CR CR": b"\r\r"}
_BAD_EXTENSIONS = {
    "NUL": b";a=\0",
    "LF": b";a\n",
    "LF in it": b";\nxx",
    "CR in it": b";a\rb",
    "long": b";" + b"a" * LONG,
    "long value": b";a=" + b"b" * LONG,
    "quoted, with LF": b';a="\n"',
    "many": b";a=b" * (LONG // 4),
}
_EXTENSIONS = {
    "name": b";a",
    "value": b";a=b",
    "quoted": b';a="b c;d"',
    "several": b";a=b;c=d;e",
}
_ODD_EXTENSIONS = {
    "BWS": b" ; a = b",
    "space": b" ",
    "empty": b";",
    "quote not closed": b';a="b',
    "escaped": b';a="\\""',
    "a kilobyte": b";a=" + b"b" * 1_000,
    "control": b";a=\x01",
    "high": b";a=\xff",
}
_BAD_TRAILERS = {
    "no colon": b"NoColon\r\n",
    "space in name": b"Bad Name: 1\r\n",
    "space before colon": b"X : 1\r\n",
    "no name": b": 1\r\n",
    "folded": b" X: 1\r\n",
    "NUL": b"X: \0\r\n",
    "request": b"GET /smuggled HTTP/1.1\r\n",
    "long": b"X: " + b"a" * LONG + b"\r\n",
    "long name": b"X" * LONG + b": a\r\n",
    "many": b"X: a\r\n" * (LONG // 6),
}
_ODD_TRAILERS = {
    "Content-Length": b"Content-Length: 50\r\n",
    "Transfer-Encoding": b"Transfer-Encoding: chunked\r\n",
    "Host": b"Host: evil\r\n",
    "Connection": b"Connection: close\r\n",
    "Authorization": b"Authorization: Bearer none\r\n",
    "Expect": b"Expect: 100-continue\r\n",
    "Script-Name": b"Script-Name: /x\r\n",
    "folded": b"X: 1\r\n 2\r\n",
    "LF": b"X: 1\n",
    "control": b"X: \x01\r\n",
    "90": b"X: a\r\n" * 90,
}
_TRAILERS = {"one": b"X: 1\r\n", "two": b"X: 1\r\nY: 2\r\n"}
_BODIES = {
    "one": chunk(JSON) + LAST,
    "upper case": b"%X\r\n%s\r\n" % (len(JSON), JSON) + LAST,
    "leading zeros": b"000%x\r\n%s\r\n00\r\n\r\n" % (len(JSON), JSON),
    "none": LAST,
    "bytes": b"".join(chunk(bytes([byte])) for byte in JSON) + LAST,
    "extension at the last": chunk(JSON) + b"0;a=b\r\n\r\n",
    "request within": chunk(b"\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nX: ") + LAST,
    "3,000 chunks": chunk(b" ") * 3_000 + chunk(JSON) + LAST,
    "200 kB at once": chunk(b" " * 200_000) + LAST,
    "200 kB": chunk(b" " * 1_000) * 200 + LAST,
}
_ODD_BODIES = {
    "end with LF": chunk(JSON) + b"0\r\n\n",
    "2,000 extensions": chunk(b" ", b";a=" + b"b" * 50) * 2_000 + LAST,
    "1.2 MB": chunk(b" " * 100_000) * 12 + LAST,
}


def _body(body: bytes) -> Make:
    return lambda target, rng: target.chunked(body)


def _cut(cut: str, target: Target, rng: object) -> bytes:
    """A chunked request that breaks off."""
    whole = {
        "size": b"5",
        "size line": b"5\r",
        "extension": b"5;a=b",
        "chunk": b"5\r\nhel",
        "end of chunk": b"5\r\nhello",
        "between chunks": b"5\r\nhello\r\n",
        "last size": b"5\r\nhello\r\n0",
        "trailer": b"5\r\nhello\r\n0\r\nX: 1",
        "trailers": b"5\r\nhello\r\n0\r\nX: 1\r\n",
        "last line": b"5\r\nhello\r\n0\r\n",
        "huge chunk": b"7fffffffffffffff\r\nhello",
        "bad size": b"zz",
        "nothing": b"",
    }[cut]
    return target.chunked(whole)


CUTS = (
    *("size", "size line", "extension", "chunk", "end of chunk", "between chunks", "last size", "trailer"),
    *("trailers", "last line", "huge chunk", "bad size", "nothing"),
)


def kinds() -> dict[str, Kind]:
    """Every kind of chunked body."""
    made: dict[str, tuple[bytes, bool | None]] = {}
    for name, size in _BAD_SIZES.items():
        made[f"chunk size: {name}"] = (size + b"\r\nhello\r\n" + LAST, True)
        made[f"second chunk size: {name}"] = (chunk(JSON) + size + b"\r\nhello\r\n" + LAST, True)
    for name, end in _BAD_ENDS.items():
        made[f"chunk size ended by {name}"] = (b"5" + end + b"hello\r\n" + LAST, True)
        made[f"chunk ended by {name}"] = (b"5\r\nhello" + end + LAST, True)
        made[f"last chunk size ended by {name}"] = (chunk(JSON) + b"0" + end + b"\r\n", True)
    for name, extension in _BAD_EXTENSIONS.items():
        made[f"bad extension: {name}"] = (chunk(b"hello", extension) + LAST, True)
        made[f"bad extension at the last: {name}"] = (chunk(JSON) + b"0" + extension + b"\r\n\r\n", True)
    for name, extension in _EXTENSIONS.items():
        made[f"extension: {name}"] = (chunk(JSON, extension) + LAST, False)
    for name, extension in _ODD_EXTENSIONS.items():
        made[f"odd extension: {name}"] = (chunk(JSON, extension) + LAST, None)
    for name, trailer in _BAD_TRAILERS.items():
        made[f"bad trailer: {name}"] = (chunk(JSON) + b"0\r\n" + trailer + b"\r\n", True)
        made[f"bad trailer, no chunk: {name}"] = (b"0\r\n" + trailer + b"\r\n", True)
    for name, trailer in _ODD_TRAILERS.items():
        made[f"odd trailer: {name}"] = (chunk(JSON) + b"0\r\n" + trailer + b"\r\n", None)
    for name, trailer in _TRAILERS.items():
        made[f"trailer: {name}"] = (chunk(JSON) + b"0\r\n" + trailer + b"\r\n", False)
    for name, body in _BODIES.items():
        made[f"chunked: {name}"] = (body, False)
    for name, body in _ODD_BODIES.items():
        made[f"chunked: {name}"] = (body, None)
    found = {name: Kind(_body(body), malformed) for name, (body, malformed) in made.items()}
    for cut in CUTS:
        for way in ("half", "reset", "close"):
            found[f"{way} behind {cut}"] = Kind(partial(_cut, cut), None, end=way)
    return found
