"""Background work: what takes longer than an answer may, done beside the servers.

    python -m gateway.background.scheduler        (`serve` starts it so; people run `feedback-gateway worker`)

The queue (Huey) only wakes: every host has one, and each wakes its own worker once a minute. Which host
then does the work is decided by a lease in the database (models.tables.job), and what has been done is there,
too; a queue that is lost, or two that wake at once, change nothing.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from copy import copy
from typing import Any

import click
from huey import Huey, RedisHuey, SqliteHuey, crontab
from huey.consumer import Consumer, ConsumerStopped
from huey.serializer import SignedSerializer
from peewee import OperationalError, PeeweeException

from gateway.access import encryption_key
from gateway.background import (
    analyze,
    dedupe_expiry,
    encoding,
    ending_keys,
    feed_expiry,
    fetching,
    file_sweep,
    handing_back,
    project_learning,
    retention,
    retraining,
    second_reading,
    silence,
    similar,
    themes,
    thumbnails,
    topics,
    waking,
)
from gateway.background.lease import CarryOut, Work, run_once
from gateway.core import encryption, log, mail, outbound, storage
from gateway.core.config import BadSetting, Config
from gateway.core.ids import now_ms
from gateway.destinations import alarms, links, sender
from gateway.files import addresses, store
from gateway.rate_limits import redis_counter
from gateway.replies import sending
from gateway.runs import callbacks
from gateway.runs import worker as runs
from gateway.triage import ModelError, active_model, second_reader
from models.database.base import close, rest
from models.database.handoff import here
from models.database.sqlite import reason
from models.tables import job

STALE = 50  # seconds after which a wake-up call is void, since the next one is near
AWAY_SECONDS = 60.0  # between two lines about a queue that is away
LOOK_SECONDS = 2.0  # between two looks for work that somebody waits for
DRAIN_SECONDS = 20  # how long SIGTERM waits for what is being written
NICENESS = 10  # requests come first
FOR_OTHERS = 3  # threads: two kinds of work may take long at once, and the short ones are done all the same

WORKS: tuple[Work, ...] = (
    similar.KEEP_UP,
    themes.KEEP_FRESH,
    retention.KEEP,
    feed_expiry.KEEP,
    retraining.RETRAIN,
    project_learning.LEARN,
    dedupe_expiry.FORGET,
    analyze.KEEP,
    silence.LOOK,
    ending_keys.TELL,
    topics.GIVE,
    file_sweep.SWEEP,
    thumbnails.MAKE,
    waking.WAKE,
    handing_back.HAND_BACK,
    *runs.WORKS,
    callbacks.SEND,
    sender.SEND,
    alarms.LOOK,
    sending.SEND,
)
# Each kind that waits for other servers, and each kind of run, may have a thread for as long as it likes.
THREADS = FOR_OTHERS + len(runs.WORKS) + 1 + sum(work.waits for work in WORKS)  # one is for linked files
CONNECTIONS = 2 * THREADS + 3 + fetching.AT_ONCE + sending.AT_ONCE


def works_of(config: Config) -> tuple[Work, ...]:
    """What is to be done with these settings. Raises BadSetting for a second reader that cannot be used."""
    works = (*WORKS, fetching.work(config.max_file))
    if config.second_reader == "off":
        return works
    try:
        active_model.connect(config.model_path)
        reader = second_reader.load(config.model_path)
    except ModelError as error:
        raise BadSetting(f"GATEWAY_SECOND_READER: {error}") from None
    below = config.second_reader_below
    reading = second_reading.work(reader.read, second_reading.Limits(below))
    return (*works, reading, encoding.work(reader.meanings, encoding.Limits(below)))


def queue_of(config: Config) -> Huey:
    """The queue of this host, or of all that share a Redis, with every kind of work woken once a minute.

    Messages are signed: who can write to the Redis must not be able to run code here.
    """
    signed = SignedSerializer(encryption.key_for("queue"))
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

    def __init__(
        self, huey: Huey, parent: int | None, carry_out: CarryOut = here, works: Sequence[Work] = WORKS
    ) -> None:
        super().__init__(
            huey,
            workers=THREADS,
            scheduler_interval=10,
            shutdown_timeout=DRAIN_SECONDS,
            graceful_signal="TERM",
        )
        self._stop_flag_timeout = 0.5
        self._parent, self._carry_out = parent, carry_out
        self._next_look = 0.0
        self._wake = {work.name: self._registered(work) for work in works}
        self._prompt = [work.name for work in works if work.prompt]

    def _registered(self, work: Work) -> Any:
        @self.huey.periodic_task(crontab(), name=work.name, expires=STALE)  # type: ignore[untyped-decorator]
        def wake() -> None:
            run_once(work, self.stop_flag.is_set, self._carry_out)

        return wake

    def loop(self, health_check_ts: float | None = None) -> Any:
        if self._parent is not None and os.getppid() != self._parent:
            self.stop(graceful=True)
            raise ConsumerStopped
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK_SECONDS
            self._hurry()
            rest()
        return super().loop(health_check_ts)

    def _hurry(self) -> None:
        """Wakes what somebody waits for; without a database or a queue, at the next look or minute."""
        with suppress(OperationalError):
            for name in job.hurried(now_ms(), self._prompt):
                try:
                    self._wake[name]()
                except Exception as error:  # of whichever library keeps the queue, as Huey does it
                    log.logger.error("cannot write to the queue", extra={"facts": {"error": repr(error)}})


class QueueAway(logging.Filter):
    """Has a queue that is away told in a line a minute. Huey tells each try, some a second, with a trace."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0
        redis = sys.modules.get("redis")  # there when the queue is
        self._errors = (OSError, sqlite3.Error, *([redis.RedisError] if redis else []))

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, self._errors):
            return True
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + AWAY_SECONDS
        record.msg, record.args, record.exc_info = "the queue is away", (), None
        record.facts = {"error": reason(error)}
        return True


def hear_queue() -> None:
    """Sends what the queue's library has to say where our own lines go."""
    handlers = [copy(handler) for handler in log.logger.handlers]
    for handler in handlers:
        handler.filters = [QueueAway()]
    heard = logging.getLogger("huey")
    heard.handlers[:], heard.propagate = handlers, False
    heard.setLevel(logging.WARNING)


def run(config: Config, parent: int | None = None) -> None:
    """Works until SIGTERM, which lets what is being written finish, or until the process `parent` is gone.

    Raises BadSetting when the database cannot be used or is not set up, or its secrets cannot be opened.
    """
    log.configure(config.log_level)
    if config.redis_url and parent is None:  # beside a server it waits, as that server goes on
        redis_counter.reach(config.redis_url)
    storage.open_database(config, CONNECTIONS)
    encryption_key.connect(config)
    encryption_key.check()
    outbound.connect(config)
    mail.connect(config)
    store.check_folder(config)
    links.connect(config)
    addresses.connect(config.url)
    store.connect(config)
    with writers() as carry_out:
        os.nice(NICENESS)
        try:
            works, queue = works_of(config), queue_of(config)
            hear_queue()
            _Consumer(queue, parent, carry_out, works).run()
        finally:
            close()


@contextmanager
def writers() -> Iterator[CarryOut]:
    """What does transactions in threads as quick as the caller is now, until the block ends.

    Who has to wait for the processor with the database's lock in its hand has everybody else wait, too. On
    Linux each thread has a niceness of its own and hands it on to those it starts.
    """
    started = threading.Barrier(THREADS)
    with ThreadPoolExecutor(THREADS, "writer") as pool:
        list(pool.map(lambda _: started.wait(), range(THREADS)))
        yield lambda act: pool.submit(act).result()


@click.command()
@click.option("--parent", type=int, default=None)
def main(parent: int | None) -> None:
    """Works until SIGTERM."""
    try:
        run(Config.from_env(), parent)
    except (BadSetting, PeeweeException) as error:
        raise click.ClickException(reason(error)) from None


if __name__ == "__main__":
    main()
