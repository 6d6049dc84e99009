"""Files that come with a request: each goes into the store as it comes, before the words are read.

Who sends and whether it may is found out first, so that nobody else fills the store. What is kept here has no
row until its record is stored (models.intake.attached); without one the hourly sweep removes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from adapters.common.multipart import form_of, read_form
from adapters.contract import Adapter, Door, Inbound, Refused
from adapters.contract.files import CUT, LONGEST_NAME, MOST_FILES, SentFile
from gateway.core import log
from gateway.core.cooperative import aside
from gateway.core.ids import new_id, now_ms
from gateway.files import attachments
from gateway.intake import auth, limits

UNSTORED = "could not be stored"


class Sizes(NamedTuple):
    """The most bytes of each part of a request's words, of a file, and of all files of a request."""

    words: int
    file: int
    upload: int


_sizes = Sizes(0, 0, 0)


def connect(sizes: Sizes) -> None:
    """Sets how large files and requests may be where no door says it."""
    global _sizes
    _sizes = sizes


def take_form(workspace_id: str, inbound: Inbound) -> list[SentFile]:
    """The files of a form that has nothing else; its fields are passed over. Raises Refused (400, 413)."""
    pieces = inbound.rest or iter([inbound.body])
    taking = _Taking(inbound, workspace_id, _sizes)
    aside(read_form, form_of(inbound, pieces), {}, _sizes.words, taking.take)
    inbound.rest = None
    return inbound.files


def receive(adapter: Adapter, door: Door, sizes: Sizes, inbound: Inbound) -> None:
    """Takes the files out of a request that brings some: its body is its words from here on.

    Raises Refused: what the steps that come first raise, and 400 and 413 for words that cannot be had.
    """
    assert door.streamed is not None, "other doors take no files"
    if inbound.rest is None and not door.streamed.has_files(inbound):
        return
    pieces = inbound.rest or iter([inbound.body])
    caller = auth.identify(adapter, door.scope, inbound)
    limits.spend(caller, inbound)
    inbound.spent = True
    taking = _Taking(inbound, caller.workspace_id, sizes)
    body = aside(door.streamed.reduced, inbound, pieces, sizes.words, taking.take)
    inbound.rest = None
    inbound.checked.clear()
    inbound.receive(body, now_ms())


class _Taking:
    """The files of one request, which are kept one after the other."""

    def __init__(self, inbound: Inbound, workspace_id: str, sizes: Sizes) -> None:
        self.inbound, self.workspace_id, self.sizes = inbound, workspace_id, sizes
        self.used = self.count = 0  # bytes of those that are kept, and how many they are

    def take(self, name: str, declared: str, chunks: Iterable[bytes]) -> None:
        """Keeps one file, or notes why not; all of it is read. Raises what its chunks raise."""
        name = name.encode("utf-8", "replace").decode().replace("\0", "")[:LONGEST_NAME] or "attachment"
        counted = _CountedChunks(iter(chunks))
        try:
            kept = self._kept(attachments.File(name, counted, declared))
            for _ in counted:  # what is refused is passed over
                pass
        except Refused:
            self._note(counted, attachments.Kept(name, refused=CUT))
            raise
        self._note(counted, kept)

    def _kept(self, file: attachments.File) -> attachments.Kept:
        if self.count == MOST_FILES:
            return attachments.Kept(file.name, refused=f"is one more than the {MOST_FILES} that are kept")
        room = self.sizes.upload - self.used
        try:
            kept = attachments.keep(self.workspace_id, file, most=min(self.sizes.file, room))
        except OSError as error:  # its words are worth more than the file
            log.notice(f"a file could not be stored: {error}", self.inbound.request_id)
            return attachments.Kept(file.name, refused=UNSTORED)
        if room < self.sizes.file and kept.refused == attachments.larger_than(room):
            why = f"has no room: the files of a request may have {self.sizes.upload:,} bytes"
            return replace(kept, refused=why)
        return kept

    def _note(self, counted: _CountedChunks, kept: attachments.Kept) -> None:
        kept = replace(kept, id=kept.id or new_id("asset"))
        self.inbound.files.append(
            SentFile(kept.name, counted.size, counted.digest.hexdigest(), kept.refused, kept)
        )
        if not kept.refused:
            self.used += kept.size
            self.count += 1


class _CountedChunks:
    """A file's bytes while they come, counted."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.size = 0
        self.digest = hashlib.sha256()

    def __iter__(self) -> _CountedChunks:
        return self

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        self.size += len(chunk)
        self.digest.update(chunk)
        return chunk
