"""What /gateway/v1/changes takes and answers."""

from __future__ import annotations

from marshmallow import fields

from adapters.contract.description import FeedbackRecord, Shown, listed, text, time
from gateway.api.changes import EXISTING
from gateway.api.schemas.parameters import PageQuery
from models.tables import feed


class ChangesQuery(PageQuery):
    existing = fields.String(
        metadata={
            "enum": ["0", "1"],
            "description": "0: without the records that are there at the beginning.",
        }
    )


class RecordChange(Shown):
    """A change, with the record as it is now; null when that is gone."""

    type = text(EXISTING, *feed.TYPES)
    id = text()
    at = time()
    data = fields.Nested(FeedbackRecord, allow_none=True)


class Changes(Shown):
    data = listed(RecordChange)
    next_cursor = text()
