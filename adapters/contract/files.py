"""Files that belong to feedback: those that come with a request, and those that it only links to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adapters.contract import Inbound

MOST_FILES = 5  # of one request that are kept; the others are refused by name
MOST_LINKED = 10  # of one message: as many as Slack and Discord let it have
LONGEST_NAME = 200  # characters
CUT = "ended before all of it had come"  # why a file is refused whose sender went away

# Takes one file of a request: its name, its type as the sender says it, its bytes. It reads all of these, and
# raises what reading them raises.
Keep = Callable[[str, str, Iterable[bytes]], None]


@dataclass(slots=True)
class SentFile:
    """A file that came with a request: its bytes are in the store, unless `refused` says why not.

    `digest` is SHA-256 of what came of it, `size` the bytes of that. `kept` is the store's own word for it.
    """

    name: str
    size: int
    digest: str
    refused: str = ""
    kept: Any = None


@dataclass(frozen=True, slots=True)
class LinkedFile:
    """A file that a sender keeps, which the worker fetches: `key` is the sender's id for it."""

    key: str
    name: str
    url: str
    declared: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Streamed:
    """How a door reads requests that bring files, which may be larger than others.

    `expects` tells by the head whether a body that is larger than others may do so, `has_files` whether a
    small one does. `reduced` makes of the pieces of such a body one without the files, each part of it of at
    most so many bytes, and gives the files away as they come, in their order. Raises Refused.
    """

    expects: Callable[[Inbound], bool]
    has_files: Callable[[Inbound], bool]
    reduced: Callable[[Inbound, Iterator[bytes], int, Keep], bytes]
