"""What every test would else make anew, made once in a process: databases, sorted routes and compiled pages.

Most tests build an application of their own on a database of their own, which is quick only because
of this.
"""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any, ClassVar

from flask import Flask
from jinja2 import FileSystemBytecodeCache
from pytest import MonkeyPatch
from werkzeug.routing import Map, Rule, RuleFactory

from gateway.access import encryption_key
from gateway.core.config import Config
from gateway.http.flask_app import Gateway
from models.database.base import close, connect
from models.database.sqlite import Sqlite
from models.migrations import migrate

SYNCED = Sqlite._connect


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
    """What this process commits to embedded databases need not survive a power cut, until the block ends."""

    def connect_unsynced(self: Sqlite) -> Any:
        connection = SYNCED(self)
        connection.execute("PRAGMA synchronous = off")
        return connection

    with MonkeyPatch.context() as patch:
        patch.setattr(Sqlite, "_connect", connect_unsynced)
        yield


@contextmanager
def compiling_once(directory: Path) -> Iterator[None]:
    """Applications share sorted routes and the code of pages, kept in `directory`, until the block ends."""
    with MonkeyPatch.context() as patch:
        patch.setattr(Gateway, "url_map_class", _SharedMap)
        cache = FileSystemBytecodeCache(str(directory))
        patch.setattr(Gateway, "jinja_options", {**Flask.jinja_options, "bytecode_cache": cache})
        yield


class _SharedMap(Map):
    """Routes that are compiled and sorted when they are first asked for, once for all maps that have them."""

    lock_class = RLock  # type: ignore[assignment]  # `update` calls that of the base class
    _known: ClassVar[dict[Any, Map]] = {}

    def __init__(self, *args: Any, **options: Any) -> None:
        self._added: list[Rule] = []
        super().__init__(*args, **options)

    def add(self, rulefactory: RuleFactory) -> None:
        assert self._remap, "routes are there before anybody asks"
        self._added += rulefactory.get_rules(self)

    def update(self) -> None:
        with self._remap_lock:
            if not self._remap:
                return
            key = (self.merge_slashes, *map(_made_of, self._added))
            if key not in self._known:
                for rule in self._added:
                    super().add(rule)
                super().update()
                self._known[key] = self
            known = self._known[key]
            self._matcher, self._rules_by_endpoint = known._matcher, known._rules_by_endpoint
            self._remap = False


def _made_of(rule: Rule) -> tuple[Any, ...]:
    """All that is said of a route of ours."""
    options: bool = rule.provide_automatic_options  # type: ignore[attr-defined]  # Flask adds it
    return rule.rule, rule.endpoint, rule.strict_slashes, options, frozenset(rule.methods or ())


def forget_garbage() -> None:
    """Keeps the collector from walking through thousands of collected tests again and again."""
    gc.collect()
    gc.freeze()
