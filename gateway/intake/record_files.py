"""The files of a record as its transaction stores them: those that came with it, those that it links to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from adapters.contract import Adapter, Inbound
from adapters.contract.files import LinkedFile, SentFile
from adapters.contract.record import Record
from gateway.core.ids import new_id
from gateway.files import attachments
from models.intake.attached import Attached
from models.tables import asset


def attached_of(adapter: Adapter, inbound: Inbound, record: Record, row: Mapping[str, Any]) -> list[Attached]:
    """What the record of this row has in files, those that were refused included."""
    via, now = adapter.source or adapter.name, inbound.received_at
    found = []
    for file in record.files:
        kept = file.kept if isinstance(file, SentFile) else attachments.Kept(file.name, id=new_id("asset"))
        if isinstance(file, LinkedFile) or file.refused:
            kept = replace(kept, content_type=asset.UNKNOWN_TYPE, refused="")
        (made,) = attachments.rows_of([kept], row["workspace_id"], row["project_id"], None, via, now)
        if isinstance(file, LinkedFile):
            made |= {"sha256": None, "status": asset.PENDING, "source_url": file.url}
        elif file.refused:
            made |= {"sha256": None, "status": "failed", "reason": file.refused}
        key = file.key if isinstance(file, LinkedFile) else f"{file.name}:{file.digest}"
        found.append(Attached(key, made))
    return found


def shown(files: Sequence[Attached], feedback_id: str) -> list[dict[str, Any]]:
    """A new record's files as the API shows them."""
    return [asset.document({**file.row, "feedback_id": feedback_id}) for file in files]
