"""`feedback-gateway copy`."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

import click
from peewee import PeeweeException

from gateway.cli.command import Partly, command, progress
from gateway.cli.errors import Failure
from models.database.base import named
from models.database.sqlite import reason
from models.queries.copying import Compared, Copy, Differs, Unfit

copying = click.Group()


@command(copying, "copy", opens=False)
@click.option("--from", "source", required=True, metavar="URL", help="Where everything is.")
@click.option("--to", "target", required=True, metavar="URL", help="An empty database, or none yet.")
@click.option("--check", is_flag=True, help="Copy nothing; say whether both hold the same.")
def copy(source: str, target: str, check: bool) -> tuple[Any, str]:
    """Copy every table between SQLite and PostgreSQL, and compare both sides.

    URLs are those of GATEWAY_DATABASE_URL. The target is migrated and must be empty. It is all or
    nothing: after an interruption or a difference (exit code 1) the target is empty, and the same command
    begins again. What is copied is the state at the start; stop the gateway first, or what comes
    later stays behind.

    Signing secrets are copied as they are, encrypted: the gateway on the target needs the same
    GATEWAY_SECRET_KEY (on the embedded default the content of secret.key beside the database).
    """
    begun = time.monotonic()
    try:
        work = Copy(source, target)
    except Unfit as error:
        raise Failure(str(error)) from None
    try:
        (work.check if check else work.prepare)()
        with progress(2 * work.total) as show:
            done = 0

            def told(table: str, rows: int) -> None:
                nonlocal done
                done += rows
                show(done, table)

            compared = work.compare(told) if check else work.run(told)
    except Unfit as error:
        raise Failure(str(error)) from None
    except Differs as differs:
        compared = differs.compared
    except (PeeweeException, sqlite3.Error) as error:
        raise Failure(f"nothing copied from {named(source)} to {named(target)}: {reason(error)}") from None
    finally:
        work.close()
    return _told(compared, check, time.monotonic() - begun, f"from {named(source)} to {named(target)}")


def _told(compared: list[Compared], check: bool, seconds: float, way: str) -> tuple[dict[str, Any], str]:
    """The command's result and its line for people."""
    different = [one.table for one in compared if not one.equal]
    rows = sum(one.source.rows for one in compared)
    result = {
        "equal": not different,
        "rows": rows,
        "seconds": round(seconds, 1),
        "tables": [
            {
                "table": one.table,
                "equal": one.equal,
                "from": {"rows": one.source.rows, "sha256": one.source.sha256},
                "to": {"rows": one.target.rows, "sha256": one.target.sha256},
            }
            for one in compared
        ],
    }
    if different:
        line = f"different: {', '.join(different)}" + ("" if check else "; nothing was kept in the target")
        return Partly(result), line
    did = "both hold the same" if check else f"copied {way}"
    return result, f"{did}: {rows:,} rows in {len(compared)} tables, digests equal"
