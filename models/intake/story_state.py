"""Which state a story is in, and since when, whatever order its deliveries come in.

What is kept is a maximum, and the ends that are later than it, so that neither the order of deliveries nor
a repeated one changes it.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

# At the same moment the later word in this list wins.
RANKS = {"note": 0, "triggered": 1, "acknowledged": 2, "suppressed": 3, "resolved": 4, "retracted": 5}
MOST_ENDS = 64  # of a kind that are kept since a story was last open: the first and the newest


def state_of(state_key: str) -> str:
    """The state that a key tells."""
    return list(RANKS)[int(state_key[17])]


def moment_of(state_key: str) -> int:
    """When a state was told, in milliseconds."""
    return int(state_key[:16])


@dataclass(slots=True)
class StoryState:
    """What deliveries have said of a story's state. Times are milliseconds UTC.

    `newest` is the newest state key (models.intake.telling), `last_open` the newest of those that say the
    story is not resolved. Since then: `ends` are when it was resolved, `stood` when it was only said to be,
    by a note or by newer words; both ascending.
    """

    newest: str = ""
    last_open: str = ""
    ends: list[int] = field(default_factory=list)
    stood: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, state_key: str | None, resolved_at: int | None, kept: Sequence[Any] | None) -> StoryState:
        """As a record has it, whose version may be one that kept only the newest."""
        newest = state_key or ""
        if kept is not None:
            return cls(newest, kept[0], list(kept[1]), list(kept[2]))
        if newest and state_of(newest) == "resolved":
            return cls(newest, "", [moment_of(newest) if resolved_at is None else resolved_at])
        return cls(newest, newest)

    @property
    def kept(self) -> list[Any]:
        """What a record keeps beside the newest key."""
        return [self.last_open, self.ends, self.stood]

    @property
    def resolved_at(self) -> int | None:
        """Since when the story is resolved: its first end after it was last open, else when a delivery
        first found it so. None while it is not."""
        return next(iter(self.ends or self.stood), None)

    def add(self, state_key: str, *, itself: bool) -> None:
        """Takes what one delivery says; `itself`: it is what happened, and not how the story was found."""
        self.newest = max(self.newest, state_key)
        if state_of(state_key) == "resolved":
            self._end(self.ends if itself else self.stood, moment_of(state_key))
        elif state_key > self.last_open:
            self.last_open = state_key
            self.ends = list(filter(self._since, self.ends))
            self.stood = list(filter(self._since, self.stood))

    def join(self, other: StoryState) -> None:
        """Takes all that another has been told."""
        if other.last_open:
            self.add(other.last_open, itself=True)
        for mine, more in ((self.ends, other.ends), (self.stood, other.stood)):
            for at in more:
                self._end(mine, at)
        self.newest = max(self.newest, other.newest)

    def remove(self, at: int) -> None:
        """Forgets the end at this moment, which is another story's."""
        if at in self.ends:
            self.ends.remove(at)
        if self.newest.startswith(_resolved(at)):
            self.newest = max(self.last_open, *map(_resolved, (*self.ends, *self.stood)), "")

    def _end(self, ends: list[int], at: int) -> None:
        if self._since(at) and at not in ends:
            insort(ends, at)
            if len(ends) > MOST_ENDS:
                del ends[1]

    def _since(self, at: int) -> bool:
        """Whether an end at this moment is later than all that is known to be none."""
        return _resolved(at) > self.last_open


def _resolved(at: int) -> str:
    """The beginning of a state key: resolved at this moment."""
    return f"{at:016d}:{RANKS['resolved']}:"
