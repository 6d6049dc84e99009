"""What /gateway/v1/views and /gateway/v1/people take and answer."""

from __future__ import annotations

from marshmallow import ValidationError, fields

from adapters.common.schemas import Flag, Number, Strict, Text, every, length, means, not_blank
from adapters.contract.description import Shown, text, time, whole
from gateway.access.assignees import ROLES
from gateway.access.views import LONGEST_NAME, LONGEST_QUERY

_name = every(not_blank, length(most=LONGEST_NAME))
_query = every(not_blank, length(most=LONGEST_QUERY))
LAST = 9_999  # position


@means(type="integer", minimum=0, maximum=LAST)
def _position(value: float) -> None:
    if value != int(value) or not 0 <= value <= LAST:
        raise ValidationError(f"Number must be a whole one from 0 to {LAST}")


class NewView(Strict):
    name = Text(_name, required=True)
    query = Text(_query, required=True)
    shared = Flag(load_default=False)
    position = Number(_position)


class ViewChange(Strict):
    means = {"minProperties": 1}

    name = Text(_name)
    query = Text(_query)
    shared = Flag()
    position = Number(_position)


class View(Shown):
    """`query` is a list's query string. `owner` is the person who made it, null for a key."""

    view_id = text()
    name = text()
    query = text()
    shared = fields.Boolean()
    position = whole(minimum=0, allow_none=True)
    owner = text(allow_none=True)
    created_at = time()


class Person(Shown):
    user_id = text()
    name = text()
    email = text()
    role = text(*ROLES)
