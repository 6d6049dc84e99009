"""The words of files that are texts, for whoever looks for some in all of them."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from gateway.files.kinds import TEXTS, WIDE
from gateway.files.store import store

OVERLAP = 4_096  # characters of a passage that the next one begins with: what is looked for may be cut

_TYPES = {kind.content_type for kind in TEXTS}


def passages(digest: str, content_type: str) -> Iterator[str]:
    """A text in passages that overlap; none of a file that is no text. Raises Missing and OSError."""
    if content_type not in _TYPES:
        return
    decoder, held = None, ""
    for piece in store().open(digest):
        if decoder is None:
            code = "utf-16" if piece[:2] in WIDE else "utf-8"
            decoder = codecs.getincrementaldecoder(code)("replace")
        held = held[-OVERLAP:] + decoder.decode(piece)
        yield held
