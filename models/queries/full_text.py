"""Full text: what a search means for a row, and how the rows are found among a million.

What a search means is said by models.tables.search_words and is the same everywhere: `matches` decides about
each row. The index of each database names the rows that are worth a look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from peewee import SQL, fn

from models.database.base import database, rows
from models.database.query_dialects import FEW, PRIMARY
from models.queries import bounded_pages
from models.queries.ordering import INDEXES, SORTS, Position, ordered
from models.tables.feedback import Feedback
from models.tables.search_words import Query, Term, read_query

TOGETHER = 256  # records that go into the embedded index at once (migration 0004)
LATE = 3_600_000  # milliseconds within which a record is stored that was received
LARGEST = 2**63 - 1
WALK = 3000  # rows that are looked at in their order before the server's index is asked
# t1 is peewee's name for the table.
_RECORD = f'feedback AS t1 INDEXED BY {PRIMARY} ON "t1"."id" = feedback_id'
_PENDING = (
    f"SELECT COALESCE(MAX(seq), 0) / {TOGETHER} * {TOGETHER} FROM sqlite_sequence WHERE name = 'search_doc'"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a search is limited to beside its words.

    A period, or rows so few that any order will do: the index that finds them.
    """

    since: int | None
    until: int | None
    few: str | None


def matches(query: Query) -> list[Any]:
    """What the words of a row that is found have in common, for the WHERE of any query of `feedback`."""
    return [_has(term) for term in query.terms]


def place_columns(sort: str) -> tuple[str, ...]:
    """The columns whose values are a position among what is found.

    The embedded index keeps the order in which records were stored: by time, but for those that came
    at the same moment.
    """
    return SORTS[sort][0] if sort in INDEXES or not database.obj.EMBEDDED else ("docid",)


def docid(feedback_id: str) -> int:
    """A row's number in the order in which rows were stored, on the embedded database."""
    asked = "SELECT docid FROM search_doc WHERE feedback_id = ?"
    return int(database.execute_sql(asked, (feedback_id,)).fetchone()[0])


def find(
    some: Any,
    workspace_id: str,
    query: Query,
    chosen: Limits,
    *,
    sort: str,
    after: Position | None,
    limit: int,
) -> list[dict[str, Any]]:
    """The first `limit` rows, after a position, that match among those of a query of `feedback`.

    `chosen` says what the query is limited to, as far as that tells where to look.
    """
    asked = database.obj.asked(_wanted(workspace_id, query))
    tests = matches(query)
    if not database.obj.EMBEDDED:
        tests = [SQL(*database.obj.named(asked)), *tests]
        return by_index_of_server(some, tests, sort, after, limit)
    found = some.where(*tests)
    if sort in INDEXES:
        return _by_value(found, asked, sort, after, limit)
    falling = SORTS[sort][1]
    found = found.select_extend(SQL("docid")).order_by(SQL("docid DESC" if falling else "docid"))
    if after is not None:
        found = found.where(SQL(f"docid {'<' if falling else '>'} ?", after))
    if chosen.few:
        some = f"feedback AS t1 INDEXED BY {chosen.few} CROSS JOIN search_doc ON feedback_id = id"
        return rows(found.from_(SQL(some)).limit(limit))
    return _as_stored(found, asked, falling, _between(workspace_id, chosen, falling, after), limit)


def _between(workspace_id: str, chosen: Limits, falling: bool, after: Position | None) -> tuple[int, int]:
    """The least and the largest docid that a row in the period can have, after the position."""
    of = (
        "SELECT docid FROM feedback INDEXED BY feedback_list JOIN search_doc ON feedback_id = id "
        "WHERE workspace_id = ? AND received_at {} ? ORDER BY received_at {} LIMIT 1"
    )
    least, most = 0, LARGEST
    if chosen.since is not None:
        found = database.execute_sql(of.format(">=", ""), (workspace_id, chosen.since - LATE)).fetchone()
        least = found[0] if found else LARGEST
    if chosen.until is not None:
        found = database.execute_sql(of.format("<", "DESC"), (workspace_id, chosen.until + LATE)).fetchone()
        most = found[0] if found else 0
    if after is not None:
        least, most = (least, min(most, after[0] - 1)) if falling else (max(least, after[0] + 1), most)
    return least, most


def _as_stored(
    found: Any, asked: str, falling: bool, between: tuple[int, int], limit: int
) -> list[dict[str, Any]]:
    """Through the embedded index, which is read only as far as the page needs."""
    first = database.execute_sql(_PENDING).fetchone()[0] + 1
    pending = found.from_(SQL(f"search_doc CROSS JOIN {_RECORD}"))
    pending = pending.where(SQL("docid BETWEEN ? AND ?", (max(first, between[0]), between[1])))
    indexed = found.from_(SQL(f"search CROSS JOIN search_doc ON docid = search.rowid CROSS JOIN {_RECORD}"))
    indexed = indexed.where(SQL("search MATCH ?", (asked,)), SQL("search.rowid BETWEEN ? AND ?", between))
    indexed = indexed.order_by(SQL("search.rowid DESC" if falling else "search.rowid"))
    page: list[dict[str, Any]] = []
    for part in (pending, indexed) if falling else (indexed, pending):
        if len(page) < limit:
            page += rows(part.limit(limit - len(page)))
    return page


def _by_value(found: Any, asked: str, sort: str, after: Position | None, limit: int) -> list[dict[str, Any]]:
    """Few matches are sorted, of many enough are met in the order of impact or doubt."""
    few = _if_few(found, asked)
    if few is None:
        few = database.obj.through(found, INDEXES[sort])
    return rows(ordered(few, sort, after).limit(limit))


def holders(workspace_id: str, word: str, limit: int) -> list[str]:
    """The ids of the newest records of a workspace that have a word, in any language's stem of it.

    What is not yet in the embedded index is left out, and of a word that many records of a server have any
    may be the newest.
    """
    try:
        asked = database.obj.asked(_wanted(workspace_id, read_query(word)))
    except ValueError:  # of signs that are not searched
        return []
    return [name for (name,) in database.execute_sql(*database.obj.holders(asked, limit)).fetchall()]


def if_few(some: Any, workspace_id: str, query: Query) -> Any | None:
    """A query of `feedback` that reads only rows worth a look; None when these are many."""
    if not query.positive:
        return None
    asked = database.obj.asked(_wanted(workspace_id, query))
    return _if_few(some, asked) if database.obj.EMBEDDED else some.where(SQL(*database.obj.named(asked)))


def _if_few(some: Any, asked: str) -> Any | None:
    few = "SELECT COUNT(*) FROM (SELECT 1 FROM search WHERE search MATCH ? LIMIT ?)"
    if database.execute_sql(few, (asked, FEW)).fetchone()[0] >= FEW:
        return None
    named = (
        "SELECT feedback_id FROM search_doc WHERE docid IN "
        "(SELECT rowid FROM search WHERE search MATCH ?) "
        f"UNION ALL SELECT feedback_id FROM search_doc WHERE docid > ({_PENDING})"
    )
    return database.obj.through(some.where(SQL(f"id IN ({named})", (asked,))), PRIMARY)


def by_index_of_server(
    some: Any, tests: Sequence[Any], sort: str, after: Position | None, limit: int
) -> list[dict[str, Any]]:
    """Rows in their order that pass tests for which the server has an index without that order.

    Looks at some rows first: what is common is among them, and would take long to sort. What is not
    is found through the index; OFFSET 0 keeps the planner from hoping to meet it in the order.
    """
    walked = ordered(some.clone(), sort, after).limit(WALK)
    page = rows(_sorted(walked, sort).where(*tests).limit(limit))
    if len(page) == limit:
        return page
    every = ordered(some.where(*tests), sort, after).order_by().offset(0)
    return rows(_sorted(every, sort).limit(limit))


def _sorted(inner: Any, sort: str) -> Any:
    return ordered(Feedback.select(*bounded_pages.AGAIN).from_(inner.alias("t1")), sort, None)


def _wanted(workspace_id: str, query: Query) -> list[list[tuple[str, bool]]]:
    """What the index is asked for: of each list one word at least, True with those that begin so.

    The first word is the workspace itself, which every record of it has.
    """
    found = [[(workspace_id, False)]]
    for term in query.terms:
        if term.excluded:
            continue
        if term.prefix:
            found.append([(piece.lstrip(), True) for piece in term.pieces()])
            continue
        # Of a phrase every word; what stands at one place is any language's stem of it.
        for place in zip(*term.runs, strict=True):
            found.append([(word, False) for word in dict.fromkeys(place)])
    return found


def _has(term: Term) -> Any:
    tests = [getattr(fn, database.obj.FIND)(Feedback.words, piece) > 0 for piece in term.pieces()]
    found = reduce(or_, tests)
    return ~found if term.excluded else found
