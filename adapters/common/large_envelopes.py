"""An envelope of Sentry's that is large or has attachments, read as it comes: its files are given away.

Sentry takes 100 MB compressed, 200 MB in all and 1 MB of an event: develop.sentry.dev, "Envelopes", "Size
Limits". What is made here is an envelope too: items that are read stand in it as they came, of an attachment
only the header is left, with the number of bytes that its payload had as `dropped`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any

from adapters.common.envelopes import MOST_IN_ALL, MOST_ITEMS
from adapters.common.untrusted_json import first_text, present
from adapters.contract import Inbound, Problem, Refused
from adapters.contract.files import Keep, Streamed

MOST_HEADER = 65_536  # bytes of a header
FAULT = b'{"length": -1}'  # where an item begins that cannot be read
ROOM = 4  # times the most bytes of an item: what is kept of all of them


def envelope_with_files(read: Collection[str]) -> Streamed:
    """How a door reads envelopes, of which it reads the items of the types in `read`."""

    def made(inbound: Inbound, pieces: Iterator[bytes], most: int, keep: Keep) -> bytes:
        return reduced(pieces, most, keep, read=read)

    return Streamed(lambda inbound: True, lambda inbound: b"attachment" in inbound.body, made)


def reduced(pieces: Iterator[bytes], most: int, keep: Keep, *, read: Collection[str]) -> bytes:
    """The envelope without what is not read: of the types in `read` the items of up to `most` bytes are kept.

    What goes wrong behind a kept item costs only what comes later. Raises Refused: 413 when nothing is kept
    and an item was too large, and what `pieces` raises when nothing is kept.
    """
    source, made = _Source(pieces), _Made(most, read, keep)
    try:
        made.copy(source)
    except Refused:
        if not made.kept:
            raise
        made.end(source.skipped)
    if made.too_large and not made.kept:
        raise Refused(Problem(413, "too_large", f"An item is larger than {most} bytes."))
    return b"".join(made.parts)


class _Short(Refused):
    """An attachment that ends before its header says."""


class _Source:
    """Pieces of bytes as lines and lengths of them."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece, self._at = b"", 0
        self.skipped = 0  # bytes that were passed over or given out in parts, the last time

    def __bool__(self) -> bool:
        """Whether there is more."""
        while self._at >= len(self._piece):
            piece = next(self._pieces, None)
            if piece is None:
                return False
            self._piece, self._at = piece, 0
        return True

    def line(self, most: int) -> tuple[bytes, int]:
        """The line without its end, empty if it has more bytes than `most`, and how many it has."""
        taken, size = bytearray(), 0
        while self:
            end = self._piece.find(b"\n", self._at)
            stop = len(self._piece) if end < 0 else end
            size += stop - self._at
            if size <= most:
                taken += self._piece[self._at : stop]
            self._at = stop + 1 if end >= 0 else stop
            if end >= 0:
                break
        return bytes(taken) if size <= most else b"", size

    def take(self, size: int) -> bytes:
        """So many bytes, or all that are left."""
        taken = bytearray()
        while len(taken) < size and self:
            part = self._piece[self._at : self._at + size - len(taken)]
            self._at += len(part)
            taken += part
        return bytes(taken)

    def skip(self, size: int | None) -> int:
        """Passes over what `parts` gives; how many bytes those were."""
        for _ in self.parts(size):
            pass
        return self.skipped

    def parts(self, size: int | None) -> Iterator[bytes]:
        """So many bytes as they come, or all that are left; None is the rest of the line, without its end."""
        self.skipped = 0
        while (size is None or self.skipped < size) and self:
            end = self._piece.find(b"\n", self._at) if size is None else self._at + size - self.skipped
            stop = len(self._piece) if end < 0 else min(end, len(self._piece))
            part, self._at = self._piece[self._at : stop], stop
            self.skipped += len(part)
            if part:
                yield part
            if size is None and stop == end:
                self._at += 1
                return

    def skip_empty_lines(self) -> None:
        while self and self._piece[self._at : self._at + 1] == b"\n":
            self._at = len(self._piece) - len(self._piece[self._at :].lstrip(b"\n"))


class _Made:
    """The smaller envelope."""

    def __init__(self, most: int, read: Collection[str], keep: Keep) -> None:
        self._most, self._read, self._give = most, read, keep
        self._room = ROOM * most
        self.parts: list[bytes] = []
        self.kept = 0  # items that are read
        self.too_large = False
        self._attachments = 0
        self._open: dict[str, Any] | None = None  # the header of an attachment that is passed over

    def copy(self, source: _Source) -> None:
        """Takes over what is read. Raises Refused."""
        line, size = source.line(MOST_HEADER)
        if size > MOST_HEADER:
            raise Refused(
                Problem(413, "too_large", f"The envelope's header is larger than {MOST_HEADER} bytes.")
            )
        self._add(line)
        self._copy_items(source)
        source.skip(2**62)

    def _copy_items(self, source: _Source) -> None:
        """Takes over items until one is at fault."""
        count = 0
        while source:
            source.skip_empty_lines()
            line, size = source.line(MOST_HEADER)
            count += 1
            if not line.strip() and size <= MOST_HEADER:
                continue
            header = _object_in(line)
            length = header.get("length") if header else None
            is_length = length is None or (type(length) is int and length >= 0)
            is_read = header is not None and first_text(header, "type") in self._read
            too_many = count > MOST_IN_ALL or (is_read and self.kept >= MOST_ITEMS)
            if header is None or not is_length or too_many:
                self._add(
                    FAULT if count > MOST_IN_ALL else line or b"{"
                )  # whoever reads it says what is wrong
                rest = source.take(self._most + 1)
                self.parts += [rest] if len(rest) <= self._most else []  # it is held, and may be read one day
                return
            goes_on = (
                self._keep(source, line, header, length) if is_read else self._pass(source, header, length)
            )
            if not goes_on:
                return

    def _keep(self, source: _Source, line: bytes, header: dict[str, Any], length: int | None) -> bool:
        """Copies an item, or notes that it is too large; whether the next one can be found."""
        most = min(self._most, self._room)
        if length is None:
            payload, size = source.line(most)
        else:
            size = length
            payload = source.take(length) if length <= most else b""
        if size > most:
            dropped = size if length is None else source.skip(length)
            self._add(_header({"type": header["type"], "dropped": dropped}), b"")
            self.too_large = True
        else:
            self._room -= size
            self.kept += 1
            self._add(line, payload)
        return length is None or self._ends(source, complete=size > most or len(payload) == length)

    def _pass(self, source: _Source, header: dict[str, Any], length: int | None) -> bool:
        """Passes over an item that is not read, as `_keep`.

        An attachment is given away, and noted: the files that were given are those that are noted, in order.
        """
        noted = first_text(header, "type") == "attachment" and self._attachments < MOST_ITEMS
        names = {name: first_text(header, name)[:200] for name in ("type", "filename", "content_type")}
        self._open = present(names) if noted else None
        self._attachments += noted
        if noted:
            with suppress(_Short):
                self._give(names["filename"], names["content_type"], _whole(source, length))
        else:
            source.skip(length)
        dropped = source.skipped
        self._close(dropped)
        return length is None or self._ends(source, complete=dropped == length)

    def _close(self, dropped: int) -> None:
        if self._open is not None:
            self._add(_header({**self._open, "dropped": dropped}), b"")
        self._open = None

    def _ends(self, source: _Source, *, complete: bool) -> bool:
        """Whether a payload ends where its length says; adds what shows that it does not."""
        if complete and (not source or source.take(1) == b"\n"):
            return True
        self._add(FAULT)
        return False

    def end(self, skipped: int) -> None:
        """Notes that the rest did not come: that of an attachment, of which so much was there, or more."""
        if self._open is None:
            self._add(FAULT)
        self._close(skipped)

    def _add(self, *lines: bytes) -> None:
        for line in lines:
            self.parts += (line, b"\n")


def _whole(source: _Source, length: int | None) -> Iterator[bytes]:
    """An item's payload. Raises _Short when less is left than its header says."""
    yield from source.parts(length)
    if length is not None and source.skipped < length:
        raise _Short(Problem(400, "invalid_request", "The attachment ends before its length."))


def _object_in(line: bytes) -> dict[str, Any] | None:
    try:
        found = Inbound("POST", "/", {}, line).json
    except Refused:
        return None
    return found if isinstance(found, dict) else None


def _header(values: dict[str, Any]) -> bytes:
    return json.dumps({**values, "length": 0}).encode()
