"""The endpoints of records that are merged."""

from __future__ import annotations

from adapters.contract.description import FeedbackRecord, Shape
from gateway.api import merge
from gateway.api.endpoint import Endpoint
from gateway.api.schemas.answers import SuggestionShown, page_of
from gateway.api.schemas.parameters import IfMatch, SuggestionsQuery

_ONE = "/gateway/v1/feedback/<feedback_id>"
_PAIR = ["fb_01JZ0000000000000000000000", "fb_01JZ0000000000000000000001"]

MERGES = (
    Endpoint(
        f"{_ONE}/merge",
        merge.merge_feedback,
        Shape(
            body=merge.MergeIds,
            headers=IfMatch,
            answers={200: FeedbackRecord},
            refusals=(409, 412),
            example={"ids": _PAIR[:1]},
        ),
        "POST",
        "triage",
    ),
    Endpoint(
        f"{_ONE}/unmerge",
        merge.unmerge_feedback,
        Shape(
            body=merge.MergeIds,
            headers=IfMatch,
            answers={200: FeedbackRecord},
            refusals=(412,),
            example={"ids": _PAIR[:1]},
        ),
        "POST",
        "triage",
    ),
    Endpoint(
        "/gateway/v1/merge-suggestions",
        merge.list_suggestions,
        Shape(query=SuggestionsQuery, answers={200: page_of(SuggestionShown)}),
    ),
    Endpoint(
        "/gateway/v1/merge-suggestions/dismiss",
        merge.dismiss_suggestion,
        Shape(body=merge.NotAlike, answers={204: None}, refusals=(404,), example={"ids": _PAIR}),
        "POST",
        "triage",
    ),
)
