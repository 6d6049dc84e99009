"""Themes: groups of records that are about the same, as the background worker last found them.

To erase a record takes it out of its theme. A label may hold a word that its author used, too: who erases
what a person said calls `hide` for the workspace and deletes what it names; its themes are computed anew
within minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from peewee import SQL, BigIntegerField, CompositeKey, DoubleField, ForeignKeyField, TextField, fn

from models.database.base import JSONText, Table, database, first, locked, only, rows
from models.tables.feedback import Feedback

WITHDRAWN = ""
ENDED = "te"  # what ids of rows begin with that tell of a theme that ended
LONGEST_QUOTE = 2_000  # characters of a text that are read


class Withdrawn(Exception):
    """A computation that must not be shown: words that were read for it may have been erased since."""


class ThemeRun(Table):
    """One computation over the records of a workspace, or of one of its projects. Times are milliseconds UTC.

    It is there before words are read for it, and shown from `computed_at` on, which is set when all of it is
    written. `newest` is the id of the newest record there was; `took` is milliseconds. One that is withdrawn
    has WITHDRAWN for its workspace, and is deleted.
    """

    id = TextField(primary_key=True)
    workspace_id = TextField()
    project_id = TextField(null=True)
    since = BigIntegerField()
    newest = TextField()
    took = BigIntegerField()
    computed_at = BigIntegerField(null=True)


class Theme(Table):
    """A theme of one computation; `terms` are the words that tell it from others.

    `lasting_id` is that of the theme before that it goes on from, which is how others know it. One whose id
    begins with ENDED has no records: it tells of a theme that was there before and ended, and its `terms`
    are {"ended_at": milliseconds UTC, "became": lasting ids of the themes that its records are in}.
    """

    id = TextField(primary_key=True)
    lasting_id = TextField(index=True)
    run = ForeignKeyField(ThemeRun, on_delete="CASCADE")
    label = TextField()
    terms = JSONText()


class ThemeMember(Table):
    """A record of a theme, when it was received, and how close it is to what the theme is about (0..1)."""

    theme = ForeignKeyField(Theme, index=False, on_delete="CASCADE")
    feedback = ForeignKeyField(Feedback, on_delete="CASCADE")
    at = BigIntegerField()
    closeness = DoubleField()

    class Meta:
        primary_key = CompositeKey("theme", "feedback")
        without_rowid = True


_SUMS = (
    "SELECT theme_id, SUM(CASE WHEN at >= ? THEN 1 ELSE 0 END), SUM(CASE WHEN at < ? THEN 1 ELSE 0 END) "
    "FROM theme CROSS JOIN theme_member "
    "WHERE theme_id = theme.id AND run_id = ? AND at >= ? AND at < ? GROUP BY theme_id"
)
_JOIN = (
    "INSERT INTO theme_member (theme_id, feedback_id, at, closeness) "
    "SELECT ?, id, received_at, ? FROM feedback WHERE id = ?"
)


_LEAVE = (
    "DELETE FROM theme_member WHERE (theme_id, feedback_id) IN (SELECT theme_id, feedback_id "
    "FROM theme JOIN theme_member ON theme_id = theme.id WHERE run_id = ? LIMIT ?)"
)


def newest_run(workspace_id: str, project_id: str | None) -> dict[str, Any] | None:
    """The last finished computation of this scope, or None."""
    done = ThemeRun.select().where(
        (ThemeRun.workspace_id == workspace_id) & ThemeRun.computed_at.is_null(False)
    )
    mine = ThemeRun.project_id.is_null() if project_id is None else ThemeRun.project_id == project_id
    return first(done.where(mine).order_by(ThemeRun.computed_at.desc(), ThemeRun.id.desc()))


def counts(run_id: str, before: int, since: int, until: int) -> list[tuple[str, int, int]]:
    """Each theme of a run: id, records from `since` until `until`, and from `before` until `since`."""
    found = database.execute_sql(_SUMS, (since, since, run_id, before, until)).fetchall()
    return [(str(theme_id), int(now), int(earlier)) for theme_id, now, earlier in found]


def count_of(theme_id: str, before: int, since: int, until: int) -> tuple[int, int]:
    """Records of one theme, from `since` until `until` and from `before` until `since`."""
    now, earlier = (
        ThemeMember.select().where(
            (ThemeMember.theme == theme_id) & (ThemeMember.at >= at) & (ThemeMember.at < end)
        )
        for at, end in ((since, until), (before, since))
    )
    return now.count(), earlier.count()


def told(theme_ids: Sequence[str], since: int, until: int) -> dict[str, dict[str, Any]]:
    """By id of the row, what themes' records of that time say.

    {lasting_id, label, terms, sentiment, impact, first, last}.
    """
    mine = (ThemeMember.theme == Theme.id) & (ThemeMember.at >= since) & (ThemeMember.at < until)
    found = (
        Theme.select(
            Theme.id,
            Theme.lasting_id,
            Theme.label,
            Theme.terms,
            fn.AVG(Feedback.sentiment_score).alias("sentiment"),
            fn.MAX(Feedback.impact).alias("impact"),
            fn.MIN(Feedback.received_at).alias("first"),
            fn.MAX(Feedback.received_at).alias("last"),
        )
        .join(ThemeMember, on=mine)
        .join(Feedback)
        .where(Theme.id.in_(list(theme_ids)))
        .group_by(Theme.id, Theme.lasting_id, Theme.label, Theme.terms)
    )
    return {row["id"]: row for row in rows(found)}


def named(theme_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What themes are called, by their rows: {id, lasting_id, label, terms}."""
    found = Theme.select(Theme.id, Theme.lasting_id, Theme.label, Theme.terms)
    return {row["id"]: row for row in rows(found.where(Theme.id.in_(list(theme_ids))))}


def examples(theme_id: str, since: int, until: int, limit: int) -> list[dict[str, Any]]:
    """The records closest to what a theme is about: {id, title}."""
    mine = (ThemeMember.theme == theme_id) & (ThemeMember.at >= since) & (ThemeMember.at < until)
    found = Feedback.select(Feedback.id, Feedback.title).join(ThemeMember).where(mine)
    return rows(found.order_by(ThemeMember.closeness.desc(), Feedback.id.desc()).limit(limit))


def voices(theme_ids: Sequence[str], since: int, until: int) -> dict[str, int]:
    """How many people said what a theme is about; who gave neither a name nor an address is none of them."""
    person = fn.COALESCE(Feedback.author_id, Feedback.author_email, Feedback.author_name)
    mine = ThemeMember.theme.in_(list(theme_ids)) & (ThemeMember.at >= since) & (ThemeMember.at < until)
    found = ThemeMember.select(ThemeMember.theme, fn.COUNT(person.distinct()).alias("people"))
    return {
        row["theme"]: row["people"]
        for row in rows(found.join(Feedback).where(mine).group_by(ThemeMember.theme))
    }


def quotes(theme_id: str, since: int, until: int, limit: int) -> list[dict[str, Any]]:
    """The records closest to what a theme is about: `id`, and the beginning of the text, `words`."""
    mine = (ThemeMember.theme == theme_id) & (ThemeMember.at >= since) & (ThemeMember.at < until)
    words = fn.SUBSTR(Feedback.text, 1, LONGEST_QUOTE).alias("words")
    found = Feedback.select(Feedback.id, words).join(ThemeMember)
    found = found.where(mine).order_by(ThemeMember.closeness.desc(), Feedback.id.desc()).limit(limit)
    return rows(found)


def closest(workspace_id: str, project_id: str, lasting_id: str, limit: int) -> list[str]:
    """The ids of a theme's records of a project, those closest to what it is about first."""
    finished = (ThemeRun.workspace_id == workspace_id) & ThemeRun.computed_at.is_null(False)
    newest = Theme.select(Theme.id).join(ThemeRun).where((Theme.lasting_id == lasting_id) & finished)
    row = first(newest.order_by(ThemeRun.computed_at.desc()))
    if row is None:
        return []
    mine = (ThemeMember.theme == row["id"]) & (Feedback.project_id == project_id)
    found = ThemeMember.select(ThemeMember.feedback).join(Feedback).where(mine)
    found = found.order_by(ThemeMember.closeness.desc(), ThemeMember.feedback.desc()).limit(limit)
    return [one["feedback"] for one in rows(found)]


def members(lasting_id: str) -> Any:
    """The ids of a theme's records, as a part of another query."""
    return ThemeMember.select(ThemeMember.feedback).where(ThemeMember.theme.in_(_shown(lasting_id)))


def count_members(lasting_id: str, at_most: int) -> int:
    """How many records a theme has, counted so far only."""
    some = ThemeMember.select(SQL("1")).where(ThemeMember.theme.in_(_shown(lasting_id))).limit(at_most)
    return int(some.count())


def is_of(lasting_id: str, workspace_id: str, project_id: str | None) -> bool:
    """Whether a theme was found in this workspace, and among this project's if one is given."""
    row = find(workspace_id, project_id, lasting_id)
    return row is not None and not is_ended(row)


def find(workspace_id: str, project_id: str | None, lasting_id: str) -> dict[str, Any] | None:
    """A theme of this workspace, and of this project's records if one is given, as last computed, or None.

    With its computation's `project_id`, `since` and `computed_at`. It may have ended (`is_ended`).
    """
    mine = (Theme.lasting_id == lasting_id) & (ThemeRun.workspace_id == workspace_id)
    found = Theme.select(Theme, ThemeRun.project_id, ThemeRun.since, ThemeRun.computed_at).join(ThemeRun)
    found = only(found.where(mine & ThemeRun.computed_at.is_null(False)), {ThemeRun.project_id: project_id})
    return first(found.order_by(ThemeRun.computed_at.desc(), ThemeRun.id.desc()))


def is_ended(row: Mapping[str, Any]) -> bool:
    """Whether a row tells of a theme that ended."""
    return str(row["id"]).startswith(f"{ENDED}_")


def of_run(run_id: str) -> list[dict[str, Any]]:
    """The rows of a computation: its themes, and those that ended before it."""
    return rows(Theme.select(Theme.id, Theme.lasting_id, Theme.label, Theme.terms).where(Theme.run == run_id))


def labels(workspace_id: str, project_id: str | None, lasting_ids: Sequence[str]) -> dict[str, str]:
    """What themes of a workspace are called, by their ids; of a project's records if one is given."""
    mine = Theme.lasting_id.in_(list(lasting_ids)) & (ThemeRun.workspace_id == workspace_id)
    found = Theme.select(Theme.lasting_id, Theme.label).join(ThemeRun)
    found = only(found.where(mine & ThemeRun.computed_at.is_null(False)), {ThemeRun.project_id: project_id})
    return {row["lasting_id"]: row["label"] for row in rows(found)}


def label_of(lasting_id: str) -> str:
    """What a theme is called; "" when it is none."""
    found = rows(Theme.select(Theme.label).where(Theme.id.in_(_shown(lasting_id))).limit(1))
    return str(found[0]["label"]) if found else ""


def members_after(lasting_id: str, after: str, limit: int) -> list[str]:
    """The ids of a theme's records in their order, after one of them."""
    mine = ThemeMember.theme.in_(_shown(lasting_id)) & (ThemeMember.feedback > after)
    found = ThemeMember.select(ThemeMember.feedback).where(mine).distinct()
    return [row["feedback"] for row in rows(found.order_by(ThemeMember.feedback).limit(limit))]


def _shown(lasting_id: str) -> Any:
    """The rows of a theme in computations that are finished."""
    finished = ThemeRun.computed_at.is_null(False)
    return Theme.select(Theme.id).join(ThemeRun).where((Theme.lasting_id == lasting_id) & finished)


def memberships(run_id: str) -> Iterator[tuple[str, str]]:
    """The records of a run's themes, each with the lasting id of its theme."""
    found = ThemeMember.select(ThemeMember.feedback, Theme.lasting_id).join(Theme).where(Theme.run == run_id)
    return ((row["feedback"], row["lasting_id"]) for row in rows(found))


def start(runs: Sequence[ThemeRun]) -> None:
    """Stores runs of a workspace that words are going to be read for, within the open transaction.

    Its runs that never were finished are withdrawn: only one process computes at a time.
    """
    unfinished = ThemeRun.computed_at.is_null() & (ThemeRun.workspace_id == runs[0].workspace_id)
    ThemeRun.update(workspace_id=WITHDRAWN).where(unfinished).execute()
    for run in runs:
        run.save(force_insert=True)


def keep(run: ThemeRun) -> None:
    """Holds a run until the open transaction ends. Raises Withdrawn when it is not to be written any more."""
    mine = (ThemeRun.id == run.id) & (ThemeRun.workspace_id == run.workspace_id)
    if not rows(locked(ThemeRun.select(ThemeRun.id).where(mine))):
        raise Withdrawn(run.id)


def begin(themes: Sequence[dict[str, Any]]) -> None:
    """Stores themes without members within the open transaction."""
    Theme.insert_many(themes).execute()


def join(members: Iterable[tuple[str, str, float]]) -> None:
    """Puts records into themes within the open transaction; those erased meanwhile are left out.

    Each is a theme, a record and how close they are.
    """
    for theme_id, feedback_id, closeness in members:
        database.execute_sql(_JOIN, (theme_id, closeness, feedback_id))


def finish(run: ThemeRun, now: int, took: int) -> None:
    """Shows a run from now on in place of those before it, within the open transaction."""
    ThemeRun.update(computed_at=now, took=took).where(ThemeRun.id == run.id).execute()


def outdated(now: int, kept: int) -> list[str]:
    """Runs to delete: those that newer ones replaced so long ago, that were never finished, or withdrawn."""
    newer = ThemeRun.alias()
    replaced = newer.select().where(
        (newer.workspace_id == ThemeRun.workspace_id)
        & (fn.COALESCE(newer.project_id, "") == fn.COALESCE(ThemeRun.project_id, ""))
        & (newer.computed_at > fn.COALESCE(ThemeRun.computed_at, 0))
        & (newer.computed_at < now - kept)
    )
    found = ThemeRun.select(ThemeRun.id).where(fn.EXISTS(replaced) | (ThemeRun.workspace_id == WITHDRAWN))
    return [row["id"] for row in rows(found)]


def delete_some(run_id: str, at_most: int) -> int:
    """Deletes some of a run within the open transaction: members, then themes, then the run itself.

    Says how many rows that were; 0 when all is gone.
    """
    found: int = database.execute_sql(_LEAVE, (run_id, at_most)).rowcount
    if not found:
        some = Theme.select(Theme.id).where(Theme.run == run_id).limit(at_most)
        found = Theme.delete().where(Theme.id.in_(some)).execute()
    return found or int(ThemeRun.delete().where(ThemeRun.id == run_id).execute())


def hide(workspace_id: str) -> list[str]:
    """Withdraws all runs of a workspace, as when words are erased: those to be deleted.

    Also those that are being computed. Within the open transaction. New ones come within minutes.
    """
    mine = ThemeRun.workspace_id == workspace_id
    found = [
        row["id"] for row in rows(locked(ThemeRun.select(ThemeRun.id).where(mine).order_by(ThemeRun.id)))
    ]
    ThemeRun.update(computed_at=None, workspace_id=WITHDRAWN).where(ThemeRun.id.in_(found)).execute()
    return found


def newest_record(workspace_id: str, project_id: str) -> str | None:
    """The id of a project's newest record; an index leads there."""
    mine = (Feedback.workspace_id == workspace_id) & (Feedback.project_id == project_id)
    found: str | None = Feedback.select(fn.MAX(Feedback.id)).where(mine).scalar()
    return found
