"""Background work: what takes longer than an answer may, done beside the servers.

    python -m gateway.background        (`serve` starts it so; people run `feedback-gateway worker`)

The queue (Huey) only wakes: every host has one, and each wakes its own worker once a minute. Which host
then does the work is decided by a lease in the database (models.job), and what has been done is there,
too; a queue that is lost, or two that wake at once, change nothing.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click
from huey import Huey, RedisHuey, SqliteHuey, crontab
from huey.consumer import Consumer, ConsumerStopped
from huey.serializer import SignedSerializer
from peewee import OperationalError

from gateway import log, vault
from gateway.config import BadSetting, Config
from gateway.ids import now_ms
from models import job
from models.base import close, connect, database, writing
from models.migrations import pending

LEASE = 120_000  # milliseconds without a word from the one who works before another one may
STALE = 50  # seconds after which a wake-up call is void, since the next one is near
THREADS = 2  # so that the long work does not hold up the short
DRAIN_SECONDS = 20  # how long SIGTERM waits for what is being written
NICENESS = 10  # requests come first
CONNECTIONS = THREADS + 2


class Stopping(Exception):
    """The process is to end; what has been written so far stays."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do one kind of work for now."""

    name: str
    owner: str
    stopping: Callable[[], bool]

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A write transaction in which the work is still ours, and for another while.

        Raises job.Lost when it is not, and Stopping when the process is to end.
        """
        if self.stopping():
            raise Stopping(self.name)
        with writing():
            job.keep(self.name, self.owner, now_ms() + LEASE)
            yield

    def transact(self, work: Callable[[], Any]) -> Any:
        """Does `work` in such a transaction, again when it collided with another one."""
        if self.stopping():
            raise Stopping(self.name)

        def kept() -> Any:
            job.keep(self.name, self.owner, now_ms() + LEASE)
            return work()

        return database.obj.transact(kept, lambda result: False, 5.0)

    def extend(self) -> None:
        """Says that the work goes on. Raises as `writing` does."""
        with self.writing():
            pass


@dataclass(frozen=True, slots=True)
class Work:
    """A kind of background work. `act` does what there is and says in how many milliseconds to come again."""

    name: str
    act: Callable[[Lease], int]


WORKS: tuple[Work, ...] = ()


def run_once(work: Work, stopping: Callable[[], bool] = lambda: False) -> bool:
    """Does one kind of work if it is due and nobody else does it; whether it was ours to do.

    A failure is logged, and the work is tried again a minute later.
    """
    owner = uuid.uuid4().hex
    started = time.monotonic()
    try:
        if not job.claim(work.name, owner, now_ms(), now_ms() + LEASE):
            return False
    except OperationalError as error:
        _note(logging.WARNING, "the database is away", work.name, started, error=str(error))
        return False
    pause = 0
    try:
        pause = work.act(Lease(work.name, owner, stopping))
        _note(logging.DEBUG, "background work done", work.name, started)
    except Stopping:
        _note(logging.INFO, "background work interrupted", work.name, started)
    except (job.Lost, OperationalError) as error:
        _note(logging.WARNING, "background work interrupted", work.name, started, error=repr(error))
    except Exception:
        log.logger.exception("background work failed", extra={"facts": {"work": work.name}})
        pause = 60_000
    try:
        job.finish(work.name, owner, now_ms(), now_ms() + pause)
    except OperationalError as error:  # the lease ends by itself
        _note(logging.WARNING, "the database is away", work.name, started, error=str(error))
    return True


def queue_of(config: Config) -> Huey:
    """The queue of this host, or of all that share a Redis, with every kind of work woken once a minute.

    Messages are signed: who can write to the Redis must not be able to run code here.
    """
    signed = SignedSerializer(vault.key_for("queue"))
    if config.redis_url:
        url = config.redis_url.replace("valkey", "redis", 1)
        url = config.redis_url if config.redis_url.startswith("unix") else url
        return RedisHuey("gateway", url=url, results=False, serializer=signed)
    config.queue_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return SqliteHuey(
        "gateway", filename=str(config.queue_path), results=False, fsync=False, serializer=signed
    )


class _Consumer(Consumer):  # type: ignore[misc]  # huey has no types
    """Huey's, which also ends when the process that started it is gone."""

    def __init__(self, huey: Huey, parent: int | None) -> None:
        super().__init__(
            huey,
            workers=THREADS,
            scheduler_interval=10,
            shutdown_timeout=DRAIN_SECONDS,
            graceful_signal="TERM",
        )
        self._stop_flag_timeout = 0.5
        self._parent = parent
        for work in WORKS:
            self._register(work)

    def _register(self, work: Work) -> None:
        @self.huey.periodic_task(crontab(), name=work.name, expires=STALE)  # type: ignore[untyped-decorator]
        def wake() -> None:
            run_once(work, self.stop_flag.is_set)

    def loop(self, health_check_ts: float | None = None) -> Any:
        if self._parent is not None and os.getppid() != self._parent:
            self.stop(graceful=True)
            raise ConsumerStopped
        return super().loop(health_check_ts)


def run(config: Config, parent: int | None = None) -> None:
    """Works until SIGTERM, which lets what is being written finish, or until the process `parent` is gone.

    Raises BadSetting when the database is not set up.
    """
    log.configure(config.log_level)
    heard = logging.getLogger("huey")
    heard.handlers[:], heard.propagate = log.logger.handlers, False
    heard.setLevel(logging.WARNING)
    connect(config.database_url, CONNECTIONS)
    vault.connect(config.secret_key, config.secret_path)
    if pending():
        raise BadSetting("the database is not set up: run `feedback-gateway migrate`")
    os.nice(NICENESS)
    try:
        _Consumer(queue_of(config), parent).run()
    finally:
        close()


def _note(level: int, message: str, work: str, started: float, **facts: Any) -> None:
    seconds = round(time.monotonic() - started, 2)
    log.logger.log(level, message, extra={"facts": {"work": work, "seconds": seconds, **facts}})


@click.command()
@click.option("--parent", type=int, default=None)
def main(parent: int | None) -> None:
    """Works until SIGTERM."""
    try:
        run(Config.from_env(), parent)
    except (BadSetting, OperationalError) as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
