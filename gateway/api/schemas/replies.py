"""What /gateway/v1/feedback/{id}/replies and those of themes take and answer."""

from __future__ import annotations

from marshmallow import fields

from adapters.common.schemas import Flag, Strict, Text, every, length, not_blank, one_of
from adapters.contract.description import Shown, listed, time, whole
from adapters.contract.description import text as words  # `text` is a field of an answer here
from gateway.replies.channels import CHANNELS
from gateway.replies.writing import LONGEST_TEXT
from models.tables.reply import STATES

_text = every(not_blank, length(most=LONGEST_TEXT))
_NAMES = tuple(CHANNELS)


class NewReply(Strict):
    channel = Text(one_of(_NAMES))
    text = Text(_text, required=True)
    dry_run = Flag(load_default=False)


class NewAnswer(Strict):
    text = Text(_text, required=True)
    dry_run = Flag(load_default=False)


class ReplyShown(Shown):
    """`send_at` is when it is sent or tried again, null when neither; `theme_id` when many were told.

    `undeliverable` says that the mail server knows the address to be nobody's.
    """

    id = words()
    feedback_id = words()
    theme_id = words(allow_none=True)
    channel = words(*_NAMES)
    text = words()
    state = words(*STATES)
    why = words(allow_none=True)
    undeliverable = fields.Boolean()
    tries = whole(minimum=0)
    key_id = words()
    created_at = time()
    send_at = time(allow_none=True)
    sent_at = time(allow_none=True)


class Draft(Shown):
    """What would be sent; `subject` is null where there is none."""

    channel = words(*_NAMES)
    to = words(allow_none=True)
    subject = words(allow_none=True)
    text = words()


class ChannelShown(Shown):
    """A channel and why the record cannot be answered by it, null when it can."""

    name = words(*_NAMES)
    lacks = words(allow_none=True)


class Replies(Shown):
    data = listed(ReplyShown)
    next_cursor = words(allow_none=True)
    channels = listed(ChannelShown)


class Mailed(Shown):
    to = words()
    subject = words()
    text = words()


class Skipped(Shown):
    no_address = whole(minimum=0)
    not_opted_in = whole(minimum=0)
    followup_off = whole(minimum=0)
    unsubscribed = whole(minimum=0)
    told_before = whole(minimum=0)
    undeliverable = whole(minimum=0)


class ToldAll(Shown):
    """How many authors are told, and how many are not and why; `mail` is the first one of a dry run."""

    dry_run = fields.Boolean()
    queued = whole(minimum=0)
    skipped = fields.Nested(Skipped)
    mail = fields.Nested(Mailed, allow_none=True)


class TakenBack(Shown):
    cancelled = whole(minimum=0)
