"""What every test would else make anew, made once in a process: databases, sorted routes, compiled pages.

Most tests build an application of their own on a database of their own, which is quick only because
of this.
"""

from __future__ import annotations

import gc
import os
import shutil
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import RLock
from typing import Any, ClassVar

from argon2 import PasswordHasher
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from pytest import MonkeyPatch
from werkzeug.routing import Map, Rule, RuleFactory

from gateway.access import encryption_key, users
from gateway.core.config import Config
from gateway.http.flask_app import Gateway
from models.database.base import close, connect
from models.database.sqlite import Sqlite
from models.migrations import migrate

SYNCED = Sqlite._connect
NOBODY = users._NOBODY
MEMORY = Path("/dev/shm")  # where Linux has a disk of memory
ROOM = 4 << 30  # bytes: several times what all workers and their servers keep at a time


def keep_files_in_memory() -> None:
    """Has this process and its children make temporary files where no disk is waited for.

    Unless TMPDIR says where, or there is little room, as in a container that was given none.
    """
    if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def migrated(path: Path) -> Path:
    """A new database file with today's schema, and its secrets' key beside it. Unbinds what was bound."""
    config = Config(database_url=f"sqlite:///{path}")
    connect(config.database_url)
    migrate()
    encryption_key.connect(config)
    close()  # the last connection: everything is in the file itself
    return path


def copied(pattern: Path, directory: Path) -> str:
    """The URL of a copy, with its key, of what `migrated` made."""
    shutil.copy(Config(database_url=f"sqlite:///{pattern}").secret_path, directory)
    return f"sqlite:///{shutil.copy(pattern, directory)}"


@contextmanager
def unsynced() -> Iterator[None]:
    """What this process commits and writes need not survive a power cut, until the block ends."""

    def connect_unsynced(self: Sqlite) -> Any:
        connection = SYNCED(self)
        connection.execute("PRAGMA synchronous = off")
        return connection

    with MonkeyPatch.context() as patch:
        patch.setattr(Sqlite, "_connect", connect_unsynced)
        patch.setattr(os, "fsync", lambda _: None)
        yield


@contextmanager
def hashing_quickly() -> Iterator[None]:
    """Passwords of this process are worth nothing, until the block ends: their hashes take no time."""
    with MonkeyPatch.context() as patch:
        patch.setattr(users, "_hasher", hasher := PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        patch.setattr(users, "_NOBODY", hasher.hash(""))
        yield


@contextmanager
def trusting_once() -> Iterator[None]:
    """Clients of this process share the certificates that httpx trusts, until the block ends.

    It reads them for each client, also for one that needs none.
    """
    make = ssl.create_default_context
    made = cache(make)

    def known(*words: Any, **options: Any) -> ssl.SSLContext:
        shared = not words and options.keys() == {"cafile"}
        return made(**options) if shared else make(*words, **options)

    with MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", known)
        yield


@contextmanager
def compiling_once(directory: Path) -> Iterator[None]:
    """Applications share sorted routes and the code of pages, kept in `directory`, until the block ends."""
    with MonkeyPatch.context() as patch:
        patch.setattr(Gateway, "url_map_class", _SharedMap)
        patch.setattr(Gateway, "url_rule_class", staticmethod(_route))
        cache = FileSystemBytecodeCache(str(directory))
        patch.setattr(Gateway, "jinja_options", {**Flask.jinja_options, "bytecode_cache": cache})
        yield


@cache
def _known_route(path: str, methods: frozenset[str], **options: Any) -> Rule:
    return Rule(path, methods=methods, **options)


def _route(path: str, *, methods: set[str], defaults: object = None, **options: Any) -> Rule:
    """The one route of all applications of which the same is said."""
    assert not defaults, "none of ours has any"
    return _known_route(path, frozenset(methods), **options)


class _SharedMap(Map):
    """Routes that are compiled and sorted when they are first asked for, once for all maps that have them."""

    lock_class = RLock  # type: ignore[assignment]  # `update` calls that of the base class
    _known: ClassVar[dict[Any, Map]] = {}

    def __init__(self, *args: Any, **options: Any) -> None:
        self._added: list[RuleFactory] = []
        super().__init__(*args, **options)

    def add(self, rulefactory: RuleFactory) -> None:
        assert self._remap, "routes are there before anybody asks"
        self._added.append(rulefactory)

    def update(self) -> None:
        with self._remap_lock:
            if not self._remap:
                return
            key = (self.merge_slashes, *map(id, self._added))
            if key not in self._known:
                for rule in self._added:
                    super().add(_unbound(rule))
                super().update()
                self._known[key] = self
            known = self._known[key]
            self._matcher, self._rules_by_endpoint = known._matcher, known._rules_by_endpoint
            self._remap = False


def _unbound(rule: Any) -> Rule:
    """A copy for another map, with what Flask adds."""
    copy: Rule = rule.empty()
    vars(copy)["provide_automatic_options"] = rule.provide_automatic_options
    return copy


def collect_seldom() -> None:
    """Has the collector look for garbage a hundred times less often: what it would walk through is kept."""
    gc.set_threshold(70_000, 20, 50)


def forget_garbage() -> None:
    """Keeps the collector from walking through thousands of collected tests again and again."""
    gc.collect()
    gc.freeze()
