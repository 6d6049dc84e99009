"""Opens the database that the settings name, and says in a line why it cannot."""

from __future__ import annotations

import sqlite3
import stat

from peewee import PeeweeException

from gateway.core.config import BadSetting, Config
from models.database.base import CONNECTIONS, NoDatabase, connect, named
from models.database.private_files import close_to_others, make_folder
from models.database.sqlite import reason
from models.migrations import Waiting, ahead, waiting

INIT = "run `feedback-gateway init` to make one there, or name another one"


def open_database(
    config: Config, connections: int = CONNECTIONS, *, create: bool = False, schema: bool = True
) -> Waiting:
    """Binds the tables to the configured database, and makes the folder of the gateway's files.

    What its schema still waits for; with `schema` it may wait for nothing. A newer program's schema is none
    to work with. A file that is absent is made only to `create` one. Raises BadSetting.
    """
    name = named(config.database_url)
    try:
        connect(config.database_url, connections, present=not create)
        found, newer = waiting(), ahead()
    except NoDatabase as error:
        raise BadSetting(f"GATEWAY_DATABASE_URL: {error}: {INIT}") from None
    except OSError as error:
        raise BadSetting(f"GATEWAY_DATABASE_URL: cannot make {name}: {error.strerror}") from None
    except (PeeweeException, sqlite3.Error) as error:
        raise BadSetting(f"GATEWAY_DATABASE_URL: {name}: {reason(error)}") from None
    if newer:
        raise BadSetting(f"GATEWAY_DATABASE_URL: {name}: {newer}")
    if schema and found.names:
        raise BadSetting(f"GATEWAY_DATABASE_URL: {name} {found}")
    try:
        make_folder(config.data_path)
    except OSError as error:
        folder = config.data_path.absolute()
        raise BadSetting(f"GATEWAY_DATA_DIR: cannot use {folder}: {error.strerror}") from None
    return found


def close_files(config: Config) -> list[str]:
    """Takes the gateway's files from other users of this machine; a line for each that was open to them.

    And one for the folder, when others may put files there in the place of ours.
    """
    lines = [
        f"{path} was open to other users of this machine, and is no more"
        if closed
        else f"{path} is open to other users of this machine, and its owner has to close it (chmod 600)"
        for path, closed in close_to_others(config.own_files).items()
    ]
    folder = config.data_path.absolute()
    if folder.stat().st_mode & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH:
        lines.append(f"{folder} can be written to by every user of this machine (chmod go-w)")
    return lines
