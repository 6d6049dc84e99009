"""Secrets that senders put into what they send: starred before anything of it is read or stored.

Whoever may read a delivery may neither send in its sender's name nor do what only its sender was to do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus, unquote_to_bytes

from adapters.contract import Inbound

# Names of headers and parameters that proofs are sent under, to us or to whom a proxy asks.
SECRET = re.compile(
    r"authorization|cookie|passw|secret|token|api[-_]?key|sentry[-_](?:auth|key)|^(?:auth|dsn|key)$"
)
SHORTEST = 16  # characters of what is looked for in a body: what is shorter may be somebody's word
_PLAIN = re.compile(r"[\w.~-]+", re.ASCII)  # what nobody writes in another way
_CHARSET = re.compile(r";[ \t]{0,9}charset=[^;]{0,100}", re.IGNORECASE)
_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_TOKEN = re.compile(rb'"' + _STRING.pattern + rb'(?:"|\\?\Z)|[\[\]]', re.DOTALL)
_BRACKET = re.compile(rb'"(?:\s|\\[nrt])*+[{\[]')
NO_LISTS: Mapping[str, Collection[str]] = {}
_PART_NAME = re.compile(rb'\bname="?([^";\r\n]{1,100})', re.IGNORECASE)


def redact(inbound: Inbound, names: Collection[str], lists: Mapping[str, Collection[str]] = NO_LISTS) -> None:
    """Stars what proved the sender, wherever in the body it stands, and texts that are called by these names.

    Of JSON, in lists of the names in `lists`, also those that are called as these say. A body keeps its
    length, since some count their own bytes; JSON in a form need not.
    """
    text = known = inbound.text
    for proof in inbound.proofs:
        if len(proof) >= SHORTEST:
            for spelled in _spellings(proof):
                known = known.replace(spelled, b"*" * len(spelled))
    told = inbound.headers.get("content-type", "")
    if names:
        known = _redacted(known, told, tuple(names))
    for name, within in lists.items():
        known = _in_lists(known, name, tuple(within))
    if known == text:
        return
    if text is not inbound.body:  # in UTF-8 from here on, which needs no declaration
        inbound.headers = {**inbound.headers, "content-type": _CHARSET.sub("", told)}
    inbound.checked.clear()
    inbound.receive(known, inbound.received_at)


def request_of(inbound: Inbound) -> dict[str, Any]:
    """All of a request but its body, without what proved its sender."""

    def kept(values: Mapping[str, str]) -> dict[str, str]:
        known = {name: value for name, value in values.items() if not SECRET.search(name.lower())}
        for proof in inbound.proofs:
            known = {name: value.replace(proof, "*" * len(proof)) for name, value in known.items()}
        return known

    return {
        "method": inbound.method,
        "path": inbound.path,
        "headers": kept(inbound.headers),
        "params": dict(inbound.params),
        "query": kept(inbound.query),
        "request_id": inbound.request_id,
    }


def _spellings(proof: str) -> tuple[bytes, ...]:
    """How JSON and forms write a text; the longest first."""
    spelled = {proof.encode("utf-8", "replace")}
    if not _PLAIN.fullmatch(proof):
        inner = {json.dumps(proof, ensure_ascii=pure)[1:-1] for pure in (True, False)} | {proof}
        inner |= {text.replace("/", "\\/") for text in inner}
        forms = {coded(text, safe="", errors="replace") for text in inner for coded in (quote, quote_plus)}
        forms |= {re.sub("%..", lambda found: found[0].lower(), form) for form in forms}
        spelled |= {text.encode("utf-8", "replace") for text in inner | forms}
    return tuple(sorted(spelled, key=len, reverse=True))


def _redacted(body: bytes, content_type: str, names: tuple[str, ...]) -> bytes:
    """A body in UTF-8, JSON or a form, whose texts under these names are starred."""
    if _is_json(body):
        return _in_json(body, names)
    if "multipart/form-data" in content_type.lower():
        return b"\r\n--".join(_in_part(piece, names) for piece in body.split(b"\r\n--"))
    return b"&".join(_in_field(pair, names) for pair in body.split(b"&"))


def _is_json(text: bytes) -> bool:
    return text.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[", b'"')


def _in_json(text: bytes, names: tuple[str, ...]) -> bytes:
    """JSON, also in a string of JSON or broken by a template, whose texts under these names are starred.

    What people write of such names is their words.
    """
    kept, at, begin = list[bytes](), 0, 0
    documents: list[tuple[int, int]] | None = None
    while found := _member(names).search(text, begin):
        begin, level = found.end(), len(found[1])
        if level:
            documents = _documents(text) if documents is None else documents
            while documents and documents[-1][1] <= begin:
                documents.pop()
            if not documents or begin < documents[-1][0]:
                continue
        end = _end_of_text(text, begin, level)
        kept += (text[at:begin], b"*" * (end - begin))
        at = begin = end
    return b"".join((*kept, text[at:]))


def _in_lists(text: bytes, name: str, names: tuple[str, ...]) -> bytes:
    """JSON in whose lists of a name the texts under other names are starred."""
    kept, at = list[bytes](), 0
    while found := _list(name).search(text, at):
        end = _end_of_list(text, found.end())
        kept += (text[at : found.end()], _in_json(text[found.end() : end], names))
        at = end
    return b"".join((*kept, text[at:]))


@lru_cache(maxsize=64)
def _member(names: tuple[str, ...]) -> re.Pattern[bytes]:
    """The beginning of a member with one of these names and a text; the group is what escapes its quotes."""
    space = r"(?:\s|\\{1,7}[nrt])*+"
    return re.compile(rf'"(?:{"|".join(map(_spelled, names))})(\\{{0,7}})"{space}:{space}\1"'.encode())


@lru_cache(maxsize=64)
def _list(name: str) -> re.Pattern[bytes]:
    """The beginning of a member with this name and a list."""
    return re.compile(rf'"{_spelled(name)}"\s*+:\s*+\['.encode())


def _spelled(name: str) -> str:
    """A name as JSON may write it, as a pattern."""
    return "".join(rf"(?:{re.escape(c)}|\\{{1,7}}u00{ord(c):02x})" for c in name)


def _documents(text: bytes) -> list[tuple[int, int]]:
    """Where the strings of a JSON text stand that are JSON themselves, the last first; all of one that is
    none, or broken."""
    try:
        if not isinstance(json.loads(text), str):
            strings = (found.span() for found in _TOKEN.finditer(text) if len(found[0]) > 1)
            return [(start, end) for start, end in strings if _is_document(text[start:end])][::-1]
    except (ValueError, RecursionError):
        pass
    return [(0, len(text))]


def _is_document(string: bytes) -> bool:
    """Whether a string of JSON, in its quotes, is an object or a list of JSON."""
    if not _BRACKET.match(string):
        return False
    try:
        return isinstance(json.loads(json.loads(string)), dict | list)
    except (ValueError, RecursionError):
        return False


def _end_of_text(text: bytes, begin: int, level: int) -> int:
    """Where a text ends, in a string whose own quotes are escaped so often."""
    if not level:
        string = _STRING.match(text, begin)
        return string.end() if string else begin
    end = text.find(b'"', begin)
    return len(text) if end < 0 else max(begin, end - level)


def _end_of_list(text: bytes, begin: int) -> int:
    """Where a list ends that begins there, behind its bracket."""
    depth = 1
    for found in _TOKEN.finditer(text, begin):
        depth += (found[0] == b"[") - (found[0] == b"]")
        if not depth:
            return found.end()
    return len(text)


def _in_part(piece: bytes, names: tuple[str, ...]) -> bytes:
    """A part of a form of several."""
    head, mark, content = piece.partition(b"\r\n\r\n")
    found = _PART_NAME.search(head)
    if found and found[1].decode("utf-8", "replace") in names:
        return head + mark + b"*" * len(content)
    return head + mark + (_in_json(content, names) if _is_json(content) else content)


def _in_field(pair: bytes, names: tuple[str, ...]) -> bytes:
    """A field of a form, "name=value"."""
    name, mark, value = pair.partition(b"=")
    if _plain(name).decode("utf-8", "replace") in names:
        return name + mark + b"*" * len(value)
    plain = _plain(value)
    known = _in_json(plain, names) if _is_json(plain) else plain
    return pair if known == plain else name + mark + quote_plus(known).encode()


def _plain(coded: bytes) -> bytes:
    return unquote_to_bytes(coded.replace(b"+", b" "))
