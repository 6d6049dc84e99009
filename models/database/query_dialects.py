"""How each kind of database is asked for rows among a million: what its SQL and its planner need."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from peewee import SQL

FEW = 2000  # rows that are sorted; of more, enough are met soon in any order
HELD = 1000  # records with one word that a server sorts
FIRST = 400  # characters of a value that a server has in its index
PRIMARY = "sqlite_autoindex_feedback_1"  # what SQLite calls the index of the primary key of `feedback`

# Impact times what the less sure label lacks to certainty, in thousandths: in the words of migration 0023.
# t1 is peewee's name for the table.
DOUBT = (
    'CAST(ROUND("t1"."impact" * (1 - CASE WHEN "t1"."sentiment_confidence" < "t1"."category_confidence" '
    'THEN "t1"."sentiment_confidence" ELSE "t1"."category_confidence" END) * 1000) AS BIGINT)'
)
# When it happened, as far as that is known: in the words of migration 0037.
OCCURRED = 'COALESCE("t1"."occurred_at", "t1"."received_at")'
AUTHORS = {"author_id": "feedback_author", "author_email": "feedback_email"}  # columns and their indexes


def _after(text: str) -> str | None:
    """The first text behind all that begin with this one; None when there is none."""
    for place in range(len(text) - 1, -1, -1):
        if (code := ord(text[place])) < 0x10FFFF:
            return text[:place] + chr(0xE000 if code == 0xD7FF else code + 1)
    return None


class SqliteFinding:
    """What models.queries.feedback_query and models.queries.full_text ask of the embedded database."""

    EMBEDDED = True
    DOUBT, OCCURRED = '"t1"."doubt"', '"t1"."occurred"'  # generated columns
    FIND = "INSTR"  # the place of one text in another, 0 for none

    def member(self: Any, column: str, name: str) -> str:
        """SQL for a text in an object, whose keys are plain words."""
        return f"CAST(json_extract({column}, '$.{name}') AS TEXT)"

    def same(self: Any, value: str, wanted: Sequence[str]) -> tuple[str, list[Any]]:
        """SQL and its values for: a value is one of these, through its index."""
        return f"{value} IN ({', '.join('?' * len(wanted))})", list(wanted)

    def begins(self: Any, value: str, wanted: str) -> tuple[str, list[Any]]:
        """SQL and its values for: a value begins so, through its index."""
        end = _after(wanted)
        return (f"({value} >= ? AND {value} < ?)", [wanted, end]) if end else (f"{value} >= ?", [wanted])

    def has_one(self: Any, column: str, values: Sequence[str]) -> tuple[str, list[Any]]:
        """SQL and its values for: one of these is in a list of texts."""
        marks = ", ".join("?" * len(values))
        return f"EXISTS (SELECT 1 FROM json_each({column}) WHERE value IN ({marks}))", list(values)

    def asked(self: Any, wanted: Sequence[Sequence[tuple[str, bool]]]) -> str:
        """What the index of words is asked for, as FTS5 reads it: of each list one word or beginning."""
        every = (" OR ".join(f'"{word}"{" *" if begins else ""}' for word, begins in one) for one in wanted)
        return " AND ".join(f"({one})" for one in every)

    def holders(self: Any, asked: str, limit: int) -> tuple[str, list[Any]]:
        """SQL and its values for: the ids of the newest records that the index of words names."""
        named = "search CROSS JOIN search_doc ON docid = search.rowid WHERE search MATCH ?"
        return f"SELECT feedback_id FROM {named} ORDER BY search.rowid DESC LIMIT ?", [asked, limit]

    def few(self: Any, workspace_id: str, test: str, values: Sequence[Any], index: str | None = None) -> bool:
        """Whether few rows pass a test of a column that has an index with its workspace, or of this index."""
        through = f" INDEXED BY {index}" if index else ""
        named = f"SELECT 1 FROM feedback{through} WHERE workspace_id = ? AND {test}"
        found: bool = self._few(named, [workspace_id, *values])
        return found

    def tagged(self: Any, workspace_id: str, tags: Sequence[str]) -> tuple[str, list[Any]] | None:
        """SQL and its values for: a row has one of these tags; None when so many have that none is far."""
        marks = ", ".join("?" * len(tags))
        named = f"SELECT feedback_id FROM feedback_tag WHERE workspace_id = ? AND tag IN ({marks})"
        values = [workspace_id, *tags]
        return (f"id IN ({named})", values) if self._few(named, values) else None

    def _few(self: Any, sql: str, values: list[Any]) -> bool:
        counted = f"SELECT COUNT(*) FROM ({sql} LIMIT {FEW})"
        found: int = self.execute_sql(counted, values).fetchone()[0]
        return found < FEW

    def written_by(self: Any, query: Any, workspace_id: str, authors: Sequence[str]) -> Any:
        """A query of `feedback` that reads what these people wrote, known by ids or addresses."""
        parts, values = [], list[Any]()
        for column, index in AUTHORS.items():
            test, wanted = self.same(column, authors)
            parts.append(f"SELECT id FROM feedback INDEXED BY {index} WHERE workspace_id = ? AND {test}")
            values += [workspace_id, *wanted]
        return self.through(query.where(SQL(f"id IN ({' UNION ALL '.join(parts)})", values)), PRIMARY)

    def through(self: Any, query: Any, index: str) -> Any:
        """A query of `feedback` that reads it through this index.

        Left alone the planner takes the index that most conditions fit, and sorts a million rows: that
        of the workspace also for rows named by their ids, since it does not know how many it has.
        """
        return query.from_(SQL(f"feedback AS t1 INDEXED BY {index}"))  # t1 is peewee's name for the table


class PostgresFinding:
    """What models.queries.feedback_query and models.queries.full_text ask of a server."""

    EMBEDDED = False
    DOUBT, OCCURRED = DOUBT, OCCURRED
    FIND = "STRPOS"  # the place of one text in another, 0 for none
    # What the index feedback_search is of: a record's words and, as one of them, its workspace.
    DOCUMENT = "array_to_tsvector(array_remove(string_to_array(workspace_id || words, ' '), ''))"

    def member(self: Any, column: str, name: str) -> str:
        """SQL for a text in an object, whose keys are plain words."""
        return f"({column}::json ->> '{name}')"

    def same(self: Any, value: str, wanted: Sequence[str]) -> tuple[str, list[Any]]:
        """SQL and its values for: a value is one of these, through the index of its first characters."""
        marks = ", ".join("?" * len(wanted))
        first = [text[:FIRST] for text in wanted]
        return f"(LEFT({value}, {FIRST}) IN ({marks}) AND {value} IN ({marks}))", [*first, *wanted]

    def begins(self: Any, value: str, wanted: str) -> tuple[str, list[Any]]:
        """SQL and its values for: a value begins so, through the index of its first characters."""
        first, end = f'LEFT({value}, {FIRST}) COLLATE "C"', _after(wanted[:FIRST])
        upto, ends = (f" AND {first} < ?", [end]) if end else ("", [])
        exact = f"LEFT({value}, {len(wanted)}) = ?"
        return f"({first} >= ?{upto} AND {exact})", [wanted[:FIRST], *ends, wanted]

    def has_one(self: Any, column: str, values: Sequence[str]) -> tuple[str, list[Any]]:
        """SQL and its values for: one of these is in a list of texts."""
        one = f"{column}::jsonb @> ?::jsonb"
        return f"({column} <> '[]' AND ({' OR '.join([one] * len(values))}))", [
            json.dumps([value]) for value in values
        ]

    def asked(self: Any, wanted: Sequence[Sequence[tuple[str, bool]]]) -> str:
        """What the index of words is asked for, as a tsquery: of each list one word or beginning."""
        every = (" | ".join(f"'{word}'{':*' if begins else ''}" for word, begins in one) for one in wanted)
        return " & ".join(f"({one})" for one in every)

    def named(self: Any, asked: str) -> tuple[str, list[Any]]:
        """SQL and its values for: the index of words names a row."""
        return f"{self.DOCUMENT} @@ ?::tsquery", [asked]

    def holders(self: Any, asked: str, limit: int) -> tuple[str, list[Any]]:
        """SQL and its values for: the ids of the newest of some records that the index of words names.

        That index has no order: of a word that many records have no more than HELD are sorted.
        """
        test, values = self.named(asked)
        some = f"SELECT id FROM feedback WHERE {test} LIMIT {HELD}"
        return f"SELECT id FROM ({some}) AS held ORDER BY id DESC LIMIT ?", [*values, limit]

    def few(self: Any, workspace_id: str, test: str, values: Sequence[Any], index: str | None = None) -> bool:
        """Nothing that has to be known: the planner does."""
        return False

    def tagged(self: Any, workspace_id: str, tags: Sequence[str]) -> None:
        """Nothing: the planner knows how many rows have a tag."""

    def written_by(self: Any, query: Any, workspace_id: str, authors: Sequence[str]) -> Any:
        """The query as it is, which says so already."""
        return query

    def through(self: Any, query: Any, index: str) -> Any:
        """The query as it is: the planner knows how often each value occurs, and finds the index itself."""
        return query
