"""What a technique is, and what a run of it has to work with."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.contract import Fault
from gateway.background.lease import LEASE, Lease
from gateway.core.ids import now_ms
from models.tables import job, run

EVERY = 1.0  # seconds between two notes of the same progress
MOST_INPUT = 4_000  # characters of an input


class Cancelled(Exception):
    """An admin ended the run; what was written so far stays."""


class Failed(Exception):
    """A run that cannot be done: an error code of the API, and why in words for whoever started it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Input:
    """Something that a run is told, as a text of at most MOST_INPUT characters, which may be an address."""

    id: str
    name: str
    description: str
    optional: bool = False
    takes_url: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """A file that a run makes."""

    id: str
    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Result:
    """A file as a run made it: which output it is, its name and type, and its bytes piece by piece."""

    id: str
    name: str
    content_type: str
    chunks: Iterable[bytes]


Outputs = Sequence[Result]


@dataclass
class Task:
    """A run in the hands of who does it. `inputs` maps ids to texts; `position` is where the last one came.

    Everything it writes goes through `transact`, or is such that doing it again changes nothing.
    """

    run: dict[str, Any]
    lease: Lease
    _noted: tuple[int, float] = field(default=(-1, 0.0), repr=False)

    @property
    def inputs(self) -> Mapping[str, str]:
        inputs: dict[str, str] = self.run["inputs"]
        return inputs

    @property
    def position(self) -> Any:
        return self.run["position"]

    @property
    def id(self) -> str:
        return str(self.run["id"])

    @property
    def workspace_id(self) -> str:
        return str(self.run["workspace_id"])

    def transact(self, work: Callable[[], Any]) -> Any:
        """Does `work` in a write transaction in which the run is still ours, and for another while.

        Raises Cancelled when it was ended, job.Lost when somebody else has it, and Stopping when the process
        is to end.
        """

        def kept() -> Any:
            run.keep(self.id, self.lease.owner, now_ms() + LEASE)
            return work()

        try:
            return self.lease.transact(kept)
        except job.Lost:
            now = run.find(None, self.id)
            if now is not None and now["error_code"] == run.CANCELLED:
                raise Cancelled(self.id) from None
            raise

    def note(self, done: int, total: int, position: Any = None) -> None:
        """Says how far it is, within the open transaction of `transact`; no position leaves it as it is."""
        progress = _percent(done, total)
        run.further(self.id, progress, position)
        self._noted = progress, time.monotonic()

    def step(self, done: int, total: int, position: Any = None) -> None:
        """Says how far it is in a transaction of its own. Raises as `transact` does.

        Without a position it may leave that out: when nothing was to be seen of it within a second.
        """
        progress, at = self._noted
        if position is None and _percent(done, total) <= progress and time.monotonic() - at < EVERY:
            return
        self.transact(lambda: self.note(done, total, position))


def _percent(done: int, total: int) -> int:
    """From 0 to 99: the last step is to end."""
    return min(99, 100 * done // total) if total > 0 else 0


def _right(inputs: Mapping[str, str], workspace_id: str, project_id: str | None) -> Sequence[Fault]:
    return ()


@dataclass(frozen=True, slots=True)
class Technique:
    """A kind of run. Who starts one needs `scope`.

    `check` says what is wrong with given inputs, whose ids are known and of which none is missing, before a
    run of this workspace (and, when given, only this project) is made of them; a fault's field is an
    input's id. `act` does it and returns the files it made; it
    raises Failed, and whatever the task raises. A run that was interrupted is done by calling it again.
    """

    slug: str
    name: str
    description: str
    scope: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    act: Callable[[Task], Outputs]
    check: Callable[[Mapping[str, str], str, str | None], Sequence[Fault]] = _right

    @property
    def id(self) -> str:
        """Its id: the same on every gateway."""
        return f"tech_{hashlib.sha256(self.slug.encode()).hexdigest()[:12]}"
