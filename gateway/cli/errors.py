"""How commands fail: in one line that says what was wrong and with which database, and with exit code 1."""

from __future__ import annotations

import os
import re
import sqlite3
from typing import Any

import click
from peewee import PeeweeException

from adapters.contract import Refused
from gateway.core.config import EXTRAS, BadSetting, unknown
from gateway.core.encryption import WrongKey
from gateway.core.program import typed
from gateway.triage import ModelError
from models.database.base import NoDatabase, UnsupportedURL, named
from models.database.sqlite import reason

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PARTS = re.compile(rf"{_COLOUR.pattern}|.", re.DOTALL)
DATABASE = "database"  # where the context keeps the name of the one that is meant
FORESEEN = (
    *(UnsupportedURL, NoDatabase, WrongKey, ModelError, Refused),
    *(PeeweeException, sqlite3.Error, OSError, ModuleNotFoundError),
)


class Failure(click.ClickException):
    """A command that could not do what it was asked; exit code 1."""

    def format_message(self) -> str:
        return harmless(typed(self.message))


class NotHere(Failure):
    """What was asked for is not in this database; another one may be meant, so it is named."""


class Commands(click.Group):
    """Commands whose files are for this user alone, and which tell a failure that is foreseen in a line."""

    def invoke(self, ctx: click.Context) -> Any:
        for line in unknown():
            click.echo(f"Warning: {line}", err=True)
        mask = os.umask(0o077)
        try:
            return super().invoke(ctx)
        except NotHere as failure:
            raise Failure(_with_database(failure.message, ctx)) from None
        except BadSetting as error:
            raise Failure(str(error)) from None
        except FORESEEN as error:
            raise Failure(_with_database(told(error), ctx)) from None
        finally:
            os.umask(mask)


def harmless(text: str) -> str:
    """A text without what would steer a terminal: names and reasons hold what strangers wrote.

    Lines and the colours of our own tables stay.
    """
    return "".join(
        part if part in "\n\t" or _COLOUR.fullmatch(part) or part.isprintable() else "\ufffd"
        for part in _PARTS.findall(text)
    )


def meant(url: str) -> str:
    """Notes which database the running command is about, for what it may have to tell; the name of it."""
    name = named(url)
    click.get_current_context().find_root().meta[DATABASE] = name
    return name


def told(error: BaseException) -> str:
    """What went wrong, in one line."""
    if isinstance(error, Refused):
        return error.problem.message
    if isinstance(error, ModuleNotFoundError):
        module = (error.name or "").partition(".")[0]
        extra = next((extra for extra, known in EXTRAS.items() if module in known), "")
        wanted = f"'feedback-gateway[{extra}]'" if extra else module
        return f"{module} is not installed: run pip install {wanted}"
    if isinstance(error, PeeweeException | sqlite3.Error):
        return f"database: {reason(error)}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return reason(error)


def _with_database(message: str, ctx: click.Context) -> str:
    name = ctx.find_root().meta.get(DATABASE)
    return message if name is None or name in message else f"{message} (database {name})"
