"""The right to do one kind of background work for now, on whichever host."""

from __future__ import annotations

import logging
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from peewee import OperationalError

from gateway.core import log
from gateway.core.ids import now_ms
from gateway.core.pacing import transact
from models.database.handoff import here
from models.database.sqlite import reason
from models.tables import job

HEARTBEAT = 20.0  # seconds between two extensions
LEASE = job.LEASE
AWAY = os.EX_TEMPFAIL  # status of a command that could not use the database

CarryOut = Callable[[Callable[[], Any]], Any]


class Stopping(Exception):
    """The process is to end; what has been written so far stays."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do one kind of work for now. `carry_out` does a transaction, here or in another thread."""

    name: str
    owner: str
    stopping: Callable[[], bool]
    carry_out: CarryOut = here

    def transact(self, work: Callable[[], Any]) -> Any:
        """Does `work` in a write transaction in which the work is still ours, and for another while.

        Again when it collided with another one. Raises job.Lost when it is not ours, and Stopping when the
        process is to end.
        """
        if self.stopping():
            raise Stopping(self.name)

        def kept() -> Any:
            job.keep(self.name, self.owner, now_ms() + LEASE)
            return work()

        return self.carry_out(partial(transact, kept))

    def extend(self) -> None:
        """Says that the work goes on. Raises as `transact` does."""
        self.transact(lambda: None)

    def run(
        self,
        command: Sequence[str],
        patience: float,
        env: Mapping[str, str] | None = None,
        files: Sequence[int] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end in a process of its own, while the work stays ours; what it said.

        It has `files` open under the same numbers; `env` is its environment, ours by default. Raises as
        `transact` does, and RuntimeError after so many seconds. The process ends with it. It has a session of
        its own: Ctrl-C ends the worker, and the worker ends it.
        """
        end = time.monotonic() + patience
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            text=True,
            start_new_session=True,
            env=env,
            pass_fds=files,
        ) as process:
            try:
                while time.monotonic() < end:
                    beat = time.monotonic() + HEARTBEAT
                    while time.monotonic() < beat and not self.stopping():
                        with suppress(subprocess.TimeoutExpired):
                            told = process.communicate(timeout=0.5)
                            return subprocess.CompletedProcess(command, process.returncode, *told)
                    self.extend()
                raise RuntimeError(f"{self.name}: its process took longer than {patience:.0f} s")
            finally:
                process.kill()


@dataclass(frozen=True, slots=True)
class Work:
    """A kind of background work. `act` does what there is and says in how many milliseconds to come again.

    What is `prompt` begins within two seconds of that time, other work within a minute. What `waits` does so
    for other servers, for as long as these take.
    """

    name: str
    act: Callable[[Lease], int]
    prompt: bool = False
    waits: bool = False


def run_once(work: Work, stopping: Callable[[], bool] = lambda: False, carry_out: CarryOut = here) -> bool:
    """Does one kind of work if it is due and nobody else does it; whether it was ours to do.

    A failure is logged, and the work is tried again a minute later.
    """
    owner = uuid.uuid4().hex
    started = time.monotonic()
    try:
        if not carry_out(partial(job.claim, work.name, owner, now_ms(), now_ms() + LEASE)):
            return False
    except OperationalError as error:
        _note(logging.WARNING, "the database is away", work.name, started, error=reason(error))
        return False
    pause = 0
    try:
        pause = work.act(Lease(work.name, owner, stopping, carry_out))
        _note(logging.DEBUG, "background work done", work.name, started)
    except Stopping:
        _note(logging.INFO, "background work interrupted", work.name, started)
    except (job.Lost, OperationalError) as error:
        _note(logging.WARNING, "background work interrupted", work.name, started, error=reason(error))
    except Exception:  # one work's fault must not end the others
        log.logger.exception("background work failed", extra={"facts": {"work": work.name}})
        pause = 60_000
    try:
        carry_out(partial(job.finish, work.name, owner, now_ms(), now_ms() + pause))
    except OperationalError as error:  # the lease ends by itself
        _note(logging.WARNING, "the database is away", work.name, started, error=reason(error))
    return True


def _note(level: int, message: str, work: str, started: float, **facts: Any) -> None:
    seconds = round(time.monotonic() - started, 2)
    log.logger.log(level, message, extra={"facts": {"work": work, "seconds": seconds, **facts}})
