"""Bodies whose length is said twice, wrongly or in ways that two readers may understand differently."""

from __future__ import annotations

from functools import partial
from random import Random

from tests.server.attack import JSON, LAST, Kind, Make, Target, chunk

_HELLO = b"hello"
# What one reader takes for the rest of a body, and another one for the next request.
_PREFIX = b"GET /smuggled HTTP/1.1\r\nX: "
_BOTH = chunk(JSON) + LAST

_BAD_LENGTHS = {
    "plus": "+5",
    "negative": "-5",
    "0x": "0x5",
    "two numbers": "5 5",
    "not equal": "5, 6",
    "not equal, reversed": "6, 5",
    "with semicolon": "5;",
    "fraction": "5.0",
    "exponent": "1e1",
    "underscore": "0_5",
    "empty": "",
    "word": "five",
    "huge": "9" * 30,
    "endless": "9" * 5_000,
    "other digits": "٥",
    "full width": "５",
    "quoted": '"5"',
    "bytes": "5 bytes",
}
_ODD_LENGTHS = {"zeros": "00005", "equal": "5, 5", "equal with spaces": " 5 , 5", "empty element": "5,"}
# Two readers of these may see bodies of different lengths: nobody may guess. With %s for the length.
_CONFLICTS = {
    "CL, TE": ("Content-Length: %s", "Transfer-Encoding: chunked"),
    "TE, CL": ("Transfer-Encoding: chunked", "Content-Length: %s"),
    "CL, TE in capitals": ("CONTENT-LENGTH: %s", "TRANSFER-ENCODING: CHUNKED"),
    "TE with space before colon": ("Content-Length: %s", "Transfer-Encoding : chunked"),
    "TE with tab before colon": ("Content-Length: %s", "Transfer-Encoding\t: chunked"),
    "TE after tab": ("Content-Length: %s", "Transfer-Encoding:\tchunked"),
    "TE with vertical tab": ("Content-Length: %s", "Transfer-Encoding:\x0bchunked"),
    "TE folded": ("Content-Length: %s", "Transfer-Encoding:\r\n chunked"),
    "TE as a folded line": ("Content-Length: %s", "X: y", " Transfer-Encoding: chunked"),
    "TE behind CR": ("Content-Length: %s", "X: y\rTransfer-Encoding: chunked"),
    "TE with NUL": ("Content-Length: %s", "Transfer-Encoding\0: chunked"),
    "TE xchunked": ("Content-Length: %s", "Transfer-Encoding: xchunked"),
    "TE chunked, identity": ("Content-Length: %s", "Transfer-Encoding: chunked, identity"),
    "TE identity, chunked": ("Content-Length: %s", "Transfer-Encoding: identity, chunked"),
    "TE in two lines": ("Content-Length: %s", "Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
    "TE quoted": ("Content-Length: %s", 'Transfer-Encoding: "chunked"'),
    "TE with parameter": ("Content-Length: %s", "Transfer-Encoding: chunked;q=1"),
    "CL with space before colon": ("Content-Length : %s", "Transfer-Encoding: chunked"),
    "CL twice": ("Content-Length: %s", "Content-Length: 0"),
    "CL twice, reversed": ("Content-Length: 0", "Content-Length: %s"),
    "CL twice, in capitals": ("content-length: 0", "CONTENT-LENGTH: %s"),
    "CL folded": ("Content-Length:\r\n %s",),
    "CL as a folded line": ("X: y", " Content-Length: %s"),
    "CL with CR": ("X: y\rContent-Length: %s",),
    "CL with NUL": ("Content-Length: %s\0",),
    "CL in a bad name": ("Content Length: %s",),
}
# Without a Content-Length: no transfer coding that ends a body, or none that is known.
_BAD_CODINGS = {
    "xchunked": "xchunked",
    "chunked, identity": "chunked, identity",
    "chunked, chunked": "chunked, chunked",
    "chunked with parameter": "chunked;q=1",
    "chunked, gzip": "chunked, gzip",
    "zip": "zip",
    "quoted": '"chunked"',
    "two words": "chunked chunked",
    "cut": "chunke",
    "NUL": "chunked\0",
    "vertical tab": "\x0bchunked",
    "LF": "\n chunked",
}
_ODD_CODINGS = {
    "gzip, chunked": "gzip, chunked",
    "identity, chunked": "identity, chunked",
    "empty element": ", chunked",
    "empty element behind": "chunked,",
    "identity": "identity",
    "none": "",
}
# A Content-Length, and which names look like it behind something that takes - for _.
_LIKE_LENGTHS = {
    "Content_Length": ("Content_Length: 5",),
    "Transfer_Encoding": ("Transfer_Encoding: chunked",),
    "Content_Length beside it": ("Content-Length: 5", "Content_Length: 50"),
    "Transfer_Encoding beside it": ("Content-Length: 5", "Transfer_Encoding: chunked"),
    "X-HTTP-Method-Override": ("Content-Length: 5", "X-HTTP-Method-Override: GET"),
}


def _length(value: str, target: Target, rng: Random) -> bytes:
    return target.head(f"Content-Length: {value}".encode()) + _HELLO


def _coding(value: str, target: Target, rng: Random) -> bytes:
    return target.head(f"Transfer-Encoding: {value}") + _BOTH


def _conflict(lines: tuple[str, ...], target: Target, rng: Random) -> bytes:
    """The body is a chunked one, or begins like one, and is as long as said, or longer, or shorter."""
    body = rng.choice((_BOTH, LAST + _PREFIX, chunk(_PREFIX) + LAST, _HELLO))
    length = rng.choice((len(body), len(body) + 10, 4, 1))
    return target.head(*[line.replace("%s", str(length)) for line in lines]) + body


def _said(lines: tuple[str, ...], target: Target, rng: Random) -> bytes:
    return target.head(*lines) + _HELLO


def _sized(body: bytes) -> Make:
    return lambda target, rng: target.sized(body)


def _old(version: str, *lines: str) -> Make:
    return lambda target, rng: target.head("Transfer-Encoding: chunked", *lines, version=version) + _BOTH


def _cut(target: Target, rng: Random) -> bytes:
    """A request that breaks off behind some byte of its head or body."""
    whole = target.sized(JSON + b" " * rng.choice((0, 0, 70_000)))
    return whole[: rng.randrange(len(whole))]


def _behind(target: Target, rng: Random) -> bytes:
    """A whole request, and the beginning of one that would take the next bytes for its body."""
    post = Target("POST", "/gateway/v1/feedback", target.key)
    return target.sized(_HELLO) + post.head("Content-Length: 700") + b'{"text":"'


def _two(target: Target, rng: Random) -> bytes:
    return target.sized(JSON) + Target("GET", "/smuggled", target.key).head()


def _good_then(malformed: bytes) -> Make:
    """A request that is right, and one that is not."""
    return lambda target, rng: target.sized(JSON) + target.chunked(malformed, method="POST")


def kinds() -> dict[str, Kind]:
    """Every kind of length."""
    found: dict[str, Kind] = {}
    for name, value in _BAD_LENGTHS.items():
        found[f"Content-Length {name}"] = Kind(partial(_length, value), True)
    for name, value in _ODD_LENGTHS.items():
        found[f"odd Content-Length: {name}"] = Kind(partial(_length, value), None)
    for name, lines in _CONFLICTS.items():
        found[f"conflict: {name}"] = Kind(partial(_conflict, lines), True)
    for name, value in _BAD_CODINGS.items():
        found[f"Transfer-Encoding {name}"] = Kind(partial(_coding, value), True)
    for name, value in _ODD_CODINGS.items():
        found[f"odd Transfer-Encoding: {name}"] = Kind(partial(_coding, value), None, requests=2)
    for name, lines in _LIKE_LENGTHS.items():
        found[f"like a length: {name}"] = Kind(partial(_said, lines), None, requests=2)
    for name, body in {
        "none": b"",
        "small": JSON,
        "request": b"GET /smuggled HTTP/1.1\r\nHost: g\r\n\r\n",
        "prefix": _PREFIX,
        "chunks": _BOTH,
        "200 kB": b" " * 200_000,
        "just ahead": b" " * 65_536,
        "just not ahead": b" " * 65_537,
    }.items():
        found[f"body: {name}"] = Kind(_sized(body), False)
    found |= {
        "body: 1.2 MB": Kind(_sized(b" " * 1_200_000), None),
        "chunked in HTTP/1.0": Kind(_old("HTTP/1.0"), None),
        "chunked in HTTP/1.0, keep-alive": Kind(_old("HTTP/1.0", "Connection: keep-alive"), None),
        "two requests": Kind(_two, False, requests=2),
        "good, then a bad size": Kind(_good_then(b"zz\r\n"), True, before=1, requests=2),
        "good, then a bad trailer": Kind(_good_then(b"0\r\nNo\r\n\r\n"), True, before=1, requests=2),
        "good, then a long extension": Kind(
            _good_then(b"5;" + b"a" * 100_000), True, before=1, requests=2, end="half"
        ),
        "a request that takes the next": Kind(_behind, None, requests=2, end="half"),
        "a request that takes the next, left": Kind(_behind, None, requests=2, end="close"),
    }
    for end in ("half", "reset", "close"):
        found[f"{end} somewhere"] = Kind(_cut, None, end=end)
        found[f"{end} elsewhere"] = Kind(_cut, None, end=end)
    return found
