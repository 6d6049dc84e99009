"""How a database finds the rows of a statement, and what is wrong with that when there are a million."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from models import TABLES
from models.database.base import database


def name_of(table: Any) -> str:
    """What a table is called in statements."""
    return str(table._meta.table_name)


# Tables with a few rows for each customer, project, person or kind of work, however much feedback comes.
SMALL = {"workspace", "project", "api_key", "hook", "user", "session", "invite", "saved_view"}
SMALL |= {"job", "learnt_model", "project_head", "theme_run", "theme", "topic", "callback_secret", "fetch"}
SMALL |= {"presence", "destination", "outbox", "feed", "alert_mute"}
GROWING = {name_of(table) for table in TABLES} - SMALL | {"search_doc", "feedback_tag"}
# Columns that say little: who has them alone has a part of a workspace, however large that is.
COMMON = {"workspace_id", "project_id", "source", "type", "status", "category", "sentiment", "language"}
COMMON |= {"impact", "category_origin", "sentiment_origin"}
# Indexes of what is rare by itself, or is asked for in the order of the index.
RARE = {"signature_stale", "feedback_corrected", "feedback_taught", "quarantine_held"}
RARE |= {"outgoing_waiting", "callback_waiting", "asset_linked", "asset_pictures", "asset_reserved"}
RARE |= {"run_open", "run_files", "feed_change_new", "reply_waiting"}
# One program may write all that a workspace has: its records are not sorted for a page in their usual order.
OF_AUTHOR = r'^[^(]* INDEXED BY feedback_(author|email) .*ORDER BY "t1"."received_at"'
# Statements that read many rows all the same, by their text, and why that is right.
MANY = {
    r'^SELECT .*COUNT\(1\), SUM\("t1"."impact"\)': "numbers that no day's counts hold",
    r'^SELECT "t1"."impact", COUNT\(1\)': "the same, by impact",
    r"^SELECT COUNT\(1\) FROM \(SELECT": "how many records a bulk change would mean",
    r"^WITH oldest \(at\) AS MATERIALIZED": "how many a list has, among the 100,000 newest",
    r'FROM "rollup" AS "t1"': "a few rows for each day asked for",
    r'FROM "outcome" AS "t1"': "a few rows for each minute asked for",
    r"^SELECT COUNT\(\*\) FROM \(SELECT 1 FROM \w+ .* LIMIT \d+\)$": "whether rows are few: no more are read",
    r"SELECT MAX\([\w\".]+\) FROM": "the last row of an index",
    r'SELECT MIN\("t\d"."source"\) FROM': "one entry of an index for each source",
    r'SELECT MIN\("t1"."received_at"\) FROM "feedback"': "the first entry of an index",
    r"sqlite_sequence": "the same, beside what the index of words names",
    r'^SELECT .*"id" >= \?.* ORDER BY "t1"."id" DESC LIMIT': "the newest records by pages, to be grouped",
    r'"signature" AS "t2" .* ORDER BY "t1"."id" LIMIT': "records of the last minutes by pages, to be signed",
    r'"t1"."project_id" = \?.* ORDER BY "t1"."received_at", "t1"."id" LIMIT': "a project's oldest, by pages",
    r'FROM "feedback" AS "t1" WHERE .*"received_at" <= \?.* ORDER BY .* LIMIT': "a workspace by pages",
    r'^SELECT "t1"."id" FROM .* WHERE \(*"t1"."id" (<|>|BETWEEN) \?': "ids by pages of 1,000",
    r"^SELECT page, COUNT": "what the newest records are about, some thousand",
    r'"source" = %s.* ORDER BY COALESCE\("t1"."occurred_at"': "on a server: a rare source in another order",
    r'LIMIT %s\) AS "t1" WHERE': "on a server: 3,000 rows, before an index is asked",
    r'sentiment_confidence < 0\.6\)\) AND .*"received_at" < .* LIMIT': "what a digest finds longest in doubt",
    r'"received_at" < (\?|%s)\)\) ORDER BY "t1"."impact" DESC': "the same of the highest impact",
    r"FROM search_doc CROSS JOIN .* docid BETWEEN": "records not yet in the index of words, 255",
    r'FROM "(audit|callback|dedupe|run)" AS "t1" .*ORDER BY .* LIMIT': "a page in the order of an index",
    r'FROM "quarantine" AS "t1" (?!.*"replayed_at").*ORDER BY .* LIMIT': "the same, replayed or not",
    r"FROM dedupe WHERE expires_at <= .* LIMIT": "what has expired, some at a time",
    r'FROM "(asset|delivery|outgoing)" AS "t1" WHERE .* ORDER BY "t1"."id" (DESC )?LIMIT': "some by pages",
    r'FROM "feed_change" AS "t1" .* ORDER BY "t1"."seq" LIMIT': "changes by pages, in the order of an index",
    r'FROM "presence" AS "t1" .* ORDER BY "t1"."until" LIMIT': "those that have ended, by pages",
    r'FROM "reply" AS "t1" WHERE .* ORDER BY "t1"."id" LIMIT': "the same",
    r'^SELECT "t1"."sha256" FROM "unclaimed_file" .* ORDER BY "t1"."at" LIMIT': "bytes left, by pages",
    r'FROM "(asset|unclaimed_file)" .*"(sha256|thumbnail)" > \?.* LIMIT': "the whole store by pages, hourly",
    r'^SELECT SUM\("t1"."size"\) FROM "(asset|unclaimed_file)"': "what files take, for each that comes",
}


def faults(sql: str, params: Any, *, few: bool) -> list[str]:
    """The plan of a statement on the bound embedded database, when that reads more than it needs.

    A page of a list is read through an index that the statement names, in its order; or, if `few`, it was
    found out before that so few rows are meant that they may be sorted.
    """
    lines = [row[3] for row in database.execute_sql(f"EXPLAIN QUERY PLAN {sql}", params).fetchall()]
    sorts = any("TEMP B-TREE" in line for line in lines)
    if sorts and re.search(OF_AUTHOR, sql):
        return lines
    if not any(_wide(line, sql) for line in lines):
        return []
    if "INDEXED BY" in sql and "LIMIT" in sql and (few or not sorts):
        return []
    return [] if excused(sql) else lines


def short(sql: str) -> str:
    """A statement without its list of columns."""
    return re.sub(r'("t1"."\w+", )+"t1"."\w+"', "*", sql)


def excused(sql: str) -> str | None:
    """Why a statement may read many rows."""
    return next((why for text, why in MANY.items() if re.search(text, sql)), None)


def _wide(line: str, sql: str) -> bool:
    """Whether a line of a plan reads a growing table, or the part of a whole workspace."""
    read = re.match(r"(SCAN|SEARCH) (\w+)(?: USING .*?INDEX (\w+))?(?:.*?\((.*)\))?", line)
    if read is None or table_of(read[2], sql) not in GROWING or read[3] in RARE or "VIRTUAL" in line:
        return False
    equal = set(re.findall(r"([\w<>]+)=\?", read[4] or ""))
    return read[1] == "SCAN" or equal <= COMMON


def table_of(alias: str, sql: str) -> str:
    """The table that a plan names by the statement's name for it."""
    found = re.search(rf'"?(\w+)"?\s+AS\s+"?{alias}"?\b', sql)
    return found[1] if found else alias


def read_by_server(sql: str, params: Any) -> Iterator[tuple[str, int]]:
    """The growing tables that a statement reads on the bound server, and how many rows of each.

    The statement is executed, and rolled back.
    """
    with database.obj.atomic() as transaction:
        found = database.execute_sql(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", params).fetchone()
        transaction.rollback()
    plan = found[0] if isinstance(found[0], list) else json.loads(found[0])
    yield from _read(plan[0]["Plan"])


def _read(node: dict[str, Any]) -> Iterator[tuple[str, int]]:
    if (table := node.get("Relation Name")) in GROWING:
        names = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
        rows = sum(node.get(name, 0) for name in names)
        yield str(table), int(rows * node["Actual Loops"])
    for inner in node.get("Plans", ()):
        yield from _read(inner)
