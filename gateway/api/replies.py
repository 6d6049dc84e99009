"""Answers to authors: to one record's, and to all who asked about a theme."""

from __future__ import annotations

from adapters.contract import Inbound, Reply
from gateway.access.caller import Caller
from gateway.api import pagination
from gateway.api.admin.request_schemas import unknown
from gateway.api.feedback_detail import find
from gateway.api.schemas.replies import NewAnswer, NewReply
from gateway.core.ids import now_ms
from gateway.replies import to_all, writing
from gateway.replies.channels import lacking
from gateway.replies.to_all import Scope
from models.tables import reply


def list_replies(caller: Caller, inbound: Inbound) -> Reply:
    """A record's answers, the oldest first, and the channels that it has. Raises Refused (400, 404)."""
    limit, after = pagination.asked(inbound)
    record = find(caller, inbound)
    found = reply.of_record(record["id"], limit=limit + 1, after=after)
    page = pagination.page([reply.document(row) for row in found], limit)
    channels = [{"name": name, "lacks": why or None} for name, why in lacking(record).items()]
    return Reply(200, {**page, "channels": channels})


def create_reply(caller: Caller, inbound: Inbound) -> Reply:
    """Queues an answer to the author, or says what it would be. Raises Refused (400, 404, 409)."""
    sent = NewReply.of(inbound)
    record, dry_run = find(caller, inbound), sent["dry_run"]
    made = writing.write(
        record, sent.get("channel"), sent["text"], by=caller.key_id, now=now_ms(), dry_run=dry_run
    )
    return Reply(200 if dry_run else 202, made)


def delete_reply(caller: Caller, inbound: Inbound) -> Reply:
    """Takes an answer back that was not sent. Raises Refused (404, 409)."""
    record = find(caller, inbound)
    row = reply.find(record["id"], inbound.params["reply_id"])
    if row is None:
        raise unknown("reply")
    writing.take_back(row)
    return Reply(204)


def answer_theme(caller: Caller, inbound: Inbound) -> Reply:
    """Tells all who asked about a theme, or says whom. Raises Refused (400, 404, 409)."""
    sent = NewAnswer.of(inbound)
    told = to_all.tell(
        _scope(caller, inbound), sent["text"], by=caller.key_id, now=now_ms(), dry_run=sent["dry_run"]
    )
    return Reply(200 if sent["dry_run"] else 202, told)


def delete_answers(caller: Caller, inbound: Inbound) -> Reply:
    """Takes a theme's answers back that were not sent. Raises Refused (404)."""
    return Reply(200, {"cancelled": to_all.take_back(_scope(caller, inbound), by=caller.key_id)})


def _scope(caller: Caller, inbound: Inbound) -> Scope:
    return Scope(caller.workspace_id, caller.project_id, inbound.params["theme_id"])
