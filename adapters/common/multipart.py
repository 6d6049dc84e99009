"""Forms of several parts (RFC 7578), read as they come: words are gathered, files are given away.

A door that takes them is `form_with_files`: of the words it makes the JSON that the door takes anyway, and
that is what is kept of the form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from adapters.common.untrusted_json import MOST_FIELDS
from adapters.contract import Fault, Inbound, Problem, Refused, invalid
from adapters.contract.files import LONGEST_NAME, Keep, Streamed

MOST_HEAD = 8_192  # bytes of a part's own headers
MOST_AROUND = 262_144  # bytes of all headers, and of what stands before the first part
MEDIA = "multipart/form-data"
_BOUNDARY = re.compile(r"""boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))""", re.IGNORECASE)  # RFC 2046: 70
_PARAMETER = re.compile(r""";\s*([\w*-]{1,40})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))""")
_EXTENDED = re.compile(r"[\w-]*'[\w-]*'(.*)", re.DOTALL)  # RFC 8187

Words = Callable[[Mapping[str, str]], bytes]


class Cut(Refused):
    """A form that ends before its last boundary, or whose rest does not come."""


class Part(NamedTuple):
    """The head of a part; `file` is None for one that is no file."""

    name: str
    file: str | None
    media: str


class Form:
    """A form's parts, one after the other: the content of each is read before the next one is asked for."""

    def __init__(self, pieces: Iterator[bytes], boundary: str) -> None:
        self._pieces = pieces
        self._mark = b"\r\n--" + boundary.encode("latin-1", "replace")
        self._held = bytearray(b"\r\n")  # so that the first mark is as the others
        self._around = 0  # bytes that are no content

    def __iter__(self) -> Iterator[tuple[Part, Iterator[bytes]]]:
        """Raises Refused (400), and Cut."""
        for piece in self._content():  # what stands before the first mark is no part
            self._pass_over(len(piece))
        while head := self._head():
            yield part_of(head), self._content()

    def _more(self) -> None:
        try:
            piece = next(self._pieces, None)
        except Refused as refused:
            raise Cut(refused.problem) from None
        if piece is None:
            raise Cut(Problem(400, "invalid_request", "The form ends before its last boundary."))
        self._held += piece

    def _content(self) -> Iterator[bytes]:
        """What there is up to the next mark, which is passed over."""
        held, kept = self._held, len(self._mark) - 1
        while (at := held.find(self._mark)) < 0:
            if len(held) > kept:
                yield bytes(held[:-kept])
                del held[:-kept]
            self._more()
        if at:
            yield bytes(held[:at])
        del held[: at + len(self._mark)]

    def _head(self) -> bytes:
        """The headers of the part that begins here; nothing behind the last one."""
        held = self._held
        while len(held) < 2:
            self._more()
        if held.startswith(b"--"):
            return b""
        while (at := held.find(b"\r\n\r\n")) < 0 and len(held) <= MOST_HEAD:
            self._more()
        if not 0 <= at <= MOST_HEAD:
            raise invalid(Fault("body", f"The headers of a part are larger than {MOST_HEAD} bytes"))
        head = bytes(held[: at + 4])
        del held[: at + 4]
        self._pass_over(len(head))
        return head

    def _pass_over(self, size: int) -> None:
        """Counts bytes that are no content: who is to prove in a form who it is sends no end of them."""
        self._around += size
        if self._around > MOST_AROUND:
            raise invalid(Fault("body", f"What is around the parts is larger than {MOST_AROUND} bytes"))


def part_of(head: bytes) -> Part:
    """A part by its headers. A file has a file's name, or a type that is neither text nor JSON."""
    fields = {}
    for line in head.decode("utf-8", "replace").replace("\x00", "\ufffd").split("\r\n"):
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    media = fields.get("content-type", "")
    given = {
        found[1].lower(): (found[2] or found[3] or "")
        for found in _PARAMETER.finditer(fields.get("content-disposition", ""))
    }
    name = _unescaped(given.get("name", ""))
    extended = _EXTENDED.fullmatch(given.get("filename*", ""))
    file = unquote(extended[1]) if extended else given.get("filename")
    if file is None and media and not re.match(r"text/|application/(?:[\w.+-]*\+)?json", media.lower()):
        file = name
    return Part(name, None if file is None else _unescaped(file)[:LONGEST_NAME], media)


def _unescaped(text: str) -> str:
    """Browsers write a quote as %22 and line ends as %0D%0A (HTML, "multipart/form-data"), others with \\."""
    text = re.sub(r'\\(["\\])', r"\1", text)
    return text.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


def form_with_files(words: Words, named: frozenset[str] = frozenset()) -> Streamed:
    """How a door reads forms: `words` makes its body of the fields, each of which is a text.

    Fields in `named` are words also where they have a file's name.
    """

    def reduced(inbound: Inbound, pieces: Iterator[bytes], most: int, keep: Keep) -> bytes:
        """What goes wrong behind a field costs only what comes later, when the door can read what came."""
        fields: dict[str, str] = {}
        try:
            read_form(form_of(inbound, pieces), fields, most, keep, named)
        except Cut:
            if not fields:
                raise
        inbound.headers = {**inbound.headers, "content-type": "application/json"}
        return words(fields)

    return Streamed(is_form, is_form, reduced)


def is_form(inbound: Inbound) -> bool:
    """Whether the body is a form of several parts, by its Content-Type."""
    return inbound.headers.get("content-type", "")[: len(MEDIA)].lower() == MEDIA


def form_of(inbound: Inbound, pieces: Iterator[bytes]) -> Form:
    """The form that a body is, whose bytes these are. Raises Refused (400)."""
    found = _BOUNDARY.search(inbound.headers.get("content-type", ""))
    if found is None:
        raise invalid(Fault("Content-Type", "Expected the boundary of the form"))
    return Form(pieces, found[1] or found[2])


def read_form(
    form: Form, fields: dict[str, str], most: int, keep: Keep, named: frozenset[str] = frozenset()
) -> None:
    """Gathers fields of up to `most` bytes in all, and gives the files away as they come. Raises Refused."""
    for count, (part, content) in enumerate(form):
        if count >= MOST_FIELDS:
            raise invalid(Fault("body", f"Expected a form of at most {MOST_FIELDS} fields"))
        if part.file is not None and part.name not in named:
            keep(part.file, part.media, content)
            continue
        taken = bytearray()
        for piece in content:
            taken += piece
            if len(taken) > most:
                raise Refused(Problem(413, "too_large", f"The words are larger than {most} bytes."))
        most -= len(taken)
        fields[part.name] = taken.decode("utf-8", "replace").replace("\x00", "\ufffd")
