"""What /gateway/v1/alert-groups takes and answers."""

from __future__ import annotations

from marshmallow import ValidationError, fields

from adapters.common.schemas import Number, Strict, Text, length, means
from adapters.contract.description import Shown, text, time, whole
from adapters.native import iso_time
from gateway.access.alert_mutes import MOST_MORE
from gateway.api.schemas.answers import page_of
from gateway.api.schemas.parameters import PageQuery

LONGEST_GROUP = 300  # characters of a group's name with its source


class AlertGroupsQuery(PageQuery):
    since = fields.String(
        metadata={"format": "date-time", "description": "Ends told since then count, of the last day."}
    )


@means(minimum=1, maximum=MOST_MORE, multipleOf=1)
def _more(value: float) -> None:
    if value != int(value) or not 1 <= value <= MOST_MORE:
        raise ValidationError(f"Must be a whole number from 1 to {MOST_MORE}")


class OfGroup(Strict):
    group = Text(length(least=1, most=LONGEST_GROUP), required=True)


class NewMute(OfGroup):
    means = {"anyOf": [{"required": ["until"]}, {"required": ["more"]}]}

    until = Text(iso_time)
    more = Number(_more)


class MuteShown(Shown):
    group = text()
    project_id = text(allow_none=True)
    until = time(allow_none=True)
    more = fields.Integer(allow_none=True, metadata={"minimum": 1})
    came = whole(minimum=0)
    by = text()
    at = time()
    ended_at = time(allow_none=True)


class AlertGroup(Shown):
    """`firing` has those that are acknowledged, too; `by_hour` is how many began in each of 24 hours."""

    group = text()
    name = text()
    source = text()
    severity = fields.Integer(allow_none=True, metadata={"minimum": 0, "maximum": 5})
    firing = whole(minimum=0)
    acknowledged = whole(minimum=0)
    resolved = whole(minimum=0)
    hosts = whole(minimum=0)
    first_seen_at = time(allow_none=True)
    last_seen_at = time(allow_none=True)
    by_hour = fields.List(whole(minimum=0))
    newest = text(allow_none=True)
    muted = fields.Nested(MuteShown, allow_none=True)


class AlertGroups(page_of(AlertGroup)):  # type: ignore[misc]
    firing = whole(minimum=0)
    resolved = whole(minimum=0)
    groups = whole(minimum=0)
    changed_at = time(allow_none=True)
    complete = fields.Boolean()


class Acknowledged(Shown):
    group = text()
    acknowledged = whole(minimum=0)
