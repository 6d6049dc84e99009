"""What the native API is asked with beside bodies: the parameters of queries, and headers."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from adapters.common.schemas import Text
from adapters.contract.description import text, time, whole
from gateway.api import filters
from gateway.api.feedback_detail import EXPANSIONS, MOST_SIMILAR
from gateway.api.feedback_list import FIELDS
from gateway.api.outcomes import OUTCOME_COLUMNS
from gateway.api.pagination import LONGEST_PAGE, PAGE
from gateway.transfer.file_export import SHOWN_AS
from models.queries import feedback_query, ordering, priority
from models.queries.statistics import DIMENSIONS


def some_of(*words: str, about: str = "") -> fields.List[Any]:
    """A parameter with values by comma; any words where none are named."""
    told = {"enum": list(words)} if words else {"minLength": 1}
    listed = {"minItems": 1, "maxItems": filters.MOST}
    described = {"description": about} if about else {}
    return fields.List(fields.String(metadata=told), metadata={**listed, **described})


class PageQuery(Schema):
    limit = fields.Integer(metadata={"minimum": 1, "maximum": LONGEST_PAGE, "default": PAGE})
    cursor = Text(metadata={"description": "`next_cursor` of the page before."})


class HeldQuery(PageQuery):
    source = Text()
    reason = Text(metadata={"description": "Only those that are held for exactly this reason."})


class AuthorQuery(Schema):
    author = Text(required=True, metadata={"description": "An id that senders give, or an address."})


class SuggestionsQuery(Schema):
    project = Text()
    cursor = Text(metadata={"description": "`next_cursor` of the page before."})


class ReplayQuery(Schema):
    lenient = fields.Boolean(metadata={"description": "Whether JSON that a template broke is mended."})


def _filter(name: str) -> fields.Field[Any]:
    if name in filters.WORDS:
        return some_of(*filters.WORDS[name])
    if name in ("since", "until"):
        ways = [
            {"type": "string", "format": "date-time"},
            {"type": "string", "pattern": "^-?[0-9]{1,5}[mhdw]$"},
        ]
        return fields.Raw(
            metadata={"anyOf": ways, "description": "A time, or how long ago: 7d, 12h, 30m, 2w."}
        )
    if name in ("min_impact", "max_impact"):
        return whole(minimum=0, maximum=14)
    if name in ("confidence_below", "any_confidence_below"):
        return fields.Float(metadata={"minimum": 0, "maximum": 1})
    if name == "time":
        about = "Which time since, until, days and hours are about, and the order unless sort names another."
        return fields.String(
            metadata={"enum": list(ordering.TIMES), "default": ordering.RECEIVED, "description": about}
        )
    if name == "priority":
        return text(*priority.PRIORITIES)
    if name == "snoozed":
        return text(*filters.SNOOZED)
    if name in filters.PEOPLE:
        return some_of(about="Ids or email addresses of people, or `me` for who is signed in.")
    if name == "replied":
        return text(*filters.YES_OR_NO)
    if name == "merged":
        about = (
            "Records that are merged into others: with all, or only these. Without it lists leave them out."
        )
        return fields.String(metadata={"enum": list(feedback_query.MERGED), "description": about})
    if name == "tag!":
        return some_of(about="Records that have none of these tags.")
    if name in feedback_query.ANY_OF or name in ("author", "tag"):
        return some_of()
    return Text(metadata={"minLength": 1, "maxLength": filters.LONGEST})


FilterQuery = Schema.from_dict({name: _filter(name) for name in filters.NAMES}, name="FilterQuery")


class ListQuery(FilterQuery, PageQuery):  # type: ignore[valid-type, misc]
    sort = fields.String(metadata={"enum": list(ordering.SORTS), "default": ordering.NEWEST})
    fields_ = fields.List(fields.String(metadata={"enum": list(FIELDS)}), data_key="fields")
    after = Text(metadata={"description": "The id of a record: the list begins behind its place."})


class StatsQuery(FilterQuery):  # type: ignore[valid-type, misc]
    by = some_of(*DIMENSIONS, about="At most three, one of them day or hour.")


class ExportQuery(FilterQuery):  # type: ignore[valid-type, misc]
    format = text(*SHOWN_AS)
    sort = fields.String(metadata={"enum": list(ordering.SORTS), "default": "received_at"})
    fields_ = fields.List(fields.String(metadata={"enum": list(FIELDS)}), data_key="fields")
    bom = fields.String(metadata={"enum": ["0", "1"], "description": "1: a CSV begins with Excel's mark."})
    header = fields.String(metadata={"enum": ["0", "1"], "description": "0: a CSV without its first line."})
    cursor = Text(metadata={"minLength": 1, "description": "The id of the last record that you have."})
    limit = whole(minimum=1, maximum=999_999_999)


class ShowQuery(Schema):
    explain = fields.String(metadata={"enum": ["0", "1"], "description": "1: which words decided."})
    expand = some_of(*EXPANSIONS)


class PreviewQuery(Schema):
    hook = Text(metadata={"description": "As this hook would read it."})


class OutcomesQuery(Schema):
    by = fields.List(
        fields.String(metadata={"enum": list(OUTCOME_COLUMNS)}), metadata={"minItems": 1, "uniqueItems": True}
    )
    since = time()
    until = time()
    key_id = Text()
    source = Text()


class IfMatch(Schema):
    if_match = Text(data_key="If-Match", metadata={"description": "The ETag that it must still have."})


class SimilarQuery(Schema):
    limit = whole(minimum=1, maximum=MOST_SIMILAR)
