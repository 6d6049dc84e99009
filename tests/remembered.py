"""What every test would else make anew, made once in a process: migrated files and compiled routes and pages.

Most tests build an application of their own on a database of their own, which is quick only because
of this.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from jinja2 import FileSystemBytecodeCache
from pytest import MonkeyPatch
from werkzeug.routing import Rule

from gateway.http.flask_app import Gateway
from models.database.base import close, connect
from models.migrations import migrate


def migrated(path: Path) -> Path:
    """A new database file with today's schema, to be copied. Unbinds what was bound."""
    connect(f"sqlite:///{path}")
    migrate()
    close()  # the last connection: everything is in the file itself
    return path


@contextmanager
def compiling_once(directory: Path) -> Iterator[None]:
    """Applications share the code of routes and pages, which is kept in `directory`, until the block ends."""
    compiled: dict[Any, Callable[..., Any]] = {}
    compile_builder = Rule._compile_builder

    def remembering(rule: Rule, append_unknown: bool = True) -> Callable[..., Any]:
        if rule.defaults:
            return compile_builder(rule, append_unknown)
        key = (tuple(rule._trace), append_unknown)  # all that the code is made of
        if key not in compiled:
            compiled[key] = compile_builder(rule, append_unknown)
        return compiled[key]

    with MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", remembering)
        cache = FileSystemBytecodeCache(str(directory))
        patch.setattr(Gateway, "jinja_options", {**Flask.jinja_options, "bytecode_cache": cache})
        yield


def forget_garbage() -> None:
    """Keeps the collector from walking through thousands of collected tests again and again."""
    gc.collect()
    gc.freeze()
