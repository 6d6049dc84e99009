"""The endpoints of answers to authors."""

from __future__ import annotations

from adapters.contract.description import Shape
from gateway.api import replies
from gateway.api.endpoint import Endpoint
from gateway.api.schemas.parameters import PageQuery
from gateway.api.schemas.replies import (
    Draft,
    NewAnswer,
    NewReply,
    Replies,
    ReplyShown,
    TakenBack,
    ToldAll,
)

_ALL = "/gateway/v1/feedback/<feedback_id>/replies"
_OF_THEME = "/gateway/v1/themes/<theme_id>/replies"

REPLIES = (
    Endpoint(_ALL, replies.list_replies, Shape(query=PageQuery, answers={200: Replies})),
    Endpoint(
        _ALL,
        replies.create_reply,
        Shape(
            body=NewReply,
            answers={200: Draft, 202: ReplyShown},
            refusals=(409,),
            example={"channel": "email", "text": "It is mended in 2.4: thank you.", "dry_run": True},
        ),
        "POST",
        "triage",
    ),
    Endpoint(
        f"{_ALL}/<reply_id>",
        replies.delete_reply,
        Shape(answers={204: None}, refusals=(409,)),
        "DELETE",
        "triage",
    ),
    Endpoint(
        _OF_THEME,
        replies.answer_theme,
        Shape(
            body=NewAnswer,
            answers={200: ToldAll, 202: ToldAll},
            refusals=(409,),
            example={"text": "The export is as quick as before.", "dry_run": True},
        ),
        "POST",
        "triage",
    ),
    Endpoint(_OF_THEME, replies.delete_answers, Shape(answers={200: TakenBack}), "DELETE", "triage"),
)
