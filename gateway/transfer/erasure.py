"""The erasure of a person (GDPR article 17).

What is erased is counted, and the receipt kept in the audit trail has nothing of the person in it.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from gateway.access import audit_log
from gateway.core.ids import new_id, now_ms
from gateway.core.pacing import Pace
from gateway.files import removal
from gateway.transfer.erasing import Erasing
from models.database.base import writing
from models.queries import personal_data
from models.queries.personal_data import Person
from models.tables import feedback
from models.tables import run as runs
from models.tables.alert_mute import AlertMute
from models.tables.asset import Asset
from models.tables.audit import Audit
from models.tables.callback import Callback
from models.tables.delivery import Delivery
from models.tables.destination import Destination
from models.tables.outgoing import Outgoing
from models.tables.quarantine import Quarantine
from models.tables.reply import Reply
from models.tables.run import Run
from models.tables.topic import Topic

Mode = Literal["delete", "anonymise"]
MODES: tuple[Mode, ...] = ("delete", "anonymise")
COUNTS = (
    "records",
    "events",
    "payloads",
    "mentions",
    "answers",
    "keys",
    "quarantine",
    "views",
    "audit",
    "topics",
    "deliveries",
    "destinations",
    "replies",
    "mutes",
    "files",
    "runs",
)


def erase(
    workspace_id: str,
    person: Person,
    mode: Mode = "delete",
    *,
    by: str = audit_log.COMMAND_LINE,
    dry_run: bool = False,
    compact: bool = True,
) -> dict[str, Any]:
    """Takes a person out of a workspace and returns the receipt.

    Their records are deleted with their history, or kept without author and raw payloads; the address
    is taken out of everything else. It is done in short transactions and may be repeated when it was
    stopped. With `compact` it also leaves the files, during which nobody else can write.
    """
    run = Erasing(person, by, deletes=mode == "delete", dry_run=dry_run)
    for page in personal_data.by_id(Delivery, workspace_id):  # first: they go with their parts, too
        run.deliveries(page)
    for page in personal_data.by_id(Outgoing, workspace_id):
        run.outgoing(page)
    for page in personal_data.by_id(Quarantine, workspace_id):  # before what they may become meanwhile
        run.held(page)
    for page in personal_data.records(workspace_id, now_ms()):
        run.records(page)
    for page in personal_data.keys(workspace_id):
        run.keys(page)
    run.views(personal_data.views(workspace_id))
    for page in personal_data.by_id(Audit, workspace_id):
        run.acts(page)
    for page in personal_data.by_id(Topic, workspace_id):
        run.topics(page)
    for page in personal_data.by_id(Destination, workspace_id):
        run.destinations(page)
    for page in personal_data.by_id(Reply, workspace_id):
        run.replies(page)
    for page in personal_data.by_id(AlertMute, workspace_id):
        run.mutes(page)
    if not dry_run:  # what they have read of the person is read anew
        Pace().write(partial(runs.interrupt, workspace_id))
    for page in personal_data.by_id(Asset, workspace_id):
        run.files(page)
    for table in (Run, Callback):
        for page in personal_data.by_id(table, workspace_id):
            run.runs(table, page)
    if not dry_run:
        run.themes(workspace_id)
    remains = (
        ["everything: this was a dry run"]
        if dry_run
        else ["free space of the database, until it is compacted"]
    )
    if compact and not dry_run:
        remains = personal_data.compact()
    if not dry_run and not removal.release_now(most=None):
        remains.append("bytes of files, until their store can be written to")
    if run.unread:
        remains.append("texts that were uploaded, until their store can be read and this is done again")
    counts = {word: run.counts[word] for word in COUNTS}
    name = new_id("er")
    receipt = {
        "receipt_id": name,
        "mode": mode,
        "dry_run": dry_run,
        "counts": counts,
        "remains": remains,
    }
    if not dry_run:
        with writing():
            audit_log.note(workspace_id, by, "author.erased", name, mode=mode, counts=counts)
    return {**receipt, "at": feedback.iso(now_ms()), "linked": run.linked()}
