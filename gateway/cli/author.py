"""`feedback-gateway erase` and `feedback-gateway author-export`: what the law gives those who wrote."""

from __future__ import annotations

from typing import Any

import click

from gateway.api.admin.authors import collected, person_of
from gateway.cli.command import command, workspace_of
from gateway.transfer import erasure
from models.queries.email_addresses import Address
from models.queries.personal_data import Person

authors = click.Group()


def _person(email: str | None, author_id: str | None) -> Person:
    person = person_of(email, author_id)
    try:
        if email:
            Address(email)
        elif person == Person():
            raise ValueError
    except ValueError:
        raise click.UsageError("give --email ADDRESS or --id ID") from None
    return person


@command(authors, "erase")
@click.option("--email", default=None, help="The author's email address.")
@click.option("--id", "author_id", default=None, help="The author's id, as senders gave it.")
@click.option("--workspace", default=None, help="Workspace id [default: the first].")
@click.option(
    "--mode", type=click.Choice(erasure.MODES), default="delete", help="What becomes of their records."
)
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option(
    "--compact/--no-compact", default=True, help="Also rewrite the files, while nobody else can write."
)
def erase(
    email: str | None,
    author_id: str | None,
    workspace: str | None,
    mode: erasure.Mode,
    dry_run: bool,
    compact: bool,
) -> tuple[Any, str]:
    """Erase an author (GDPR article 17) from records, history, raw payloads, answers and quarantine."""
    person = _person(email, author_id)
    done = erasure.erase(workspace_of(workspace), person, mode, dry_run=dry_run, compact=compact)
    counts = (
        ", ".join(f"{name} {count}" for name, count in done["counts"].items() if count) or "nothing found"
    )
    remains = "".join(f"\nremains: {what}" for what in done["remains"])
    return done, f"{'would erase' if dry_run else 'erased'}: {counts}\nreceipt {done['receipt_id']}{remains}"


@command(authors, "author-export")
@click.option("--email", default=None, help="The author's email address.")
@click.option("--id", "author_id", default=None, help="The author's id, as senders gave it.")
@click.option("--workspace", default=None, help="Workspace id [default: the first].")
def author_export(email: str | None, author_id: str | None, workspace: str | None) -> tuple[Any, str]:
    """Show everything that is held about an author (GDPR article 15); with --json all of it."""
    found = collected(workspace_of(workspace), _person(email, author_id))
    counts = ", ".join(f"{name} {len(found[name])}" for name in ("records", "mentions", "quarantine"))
    return found, counts
