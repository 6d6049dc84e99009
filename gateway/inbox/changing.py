"""Changes that people make to records, many or one: each can be undone, and none takes away another's.

A page says what it showed of a record. What somebody else changed since is left as it is, and told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import g, request
from flask.typing import ResponseReturnValue

from adapters.contract import Problem, Refused
from adapters.contract.record import CATEGORIES, SENTIMENTS
from gateway.api import feedback_change
from gateway.api.feedback_bulk import Meant, in_turns
from gateway.core import concurrency
from gateway.core.ids import new_id
from gateway.inbox.api_calls import caller
from gateway.inbox.i18n import _
from gateway.inbox.pages import go, local, page, say
from gateway.inbox.session import as_inbound
from models.tables.feedback import STATUSES

Row = dict[str, Any]

# The fields that a row of the list says that it showed, in this order, with their values.
SEEN: dict[str, Sequence[str]] = {"status": STATUSES, "category": CATEGORIES, "sentiment": SENTIMENTS}


@dataclass
class Outcome:
    """What became of a change: by record what was and what was made of it, and those left as they are.

    `stale` has what each of these is now, `gone` how many are there no more. Of a change by a filter that
    is done in steps `matched` is how many this step meant, `next_cursor` where the next one begins.
    """

    changes: list[tuple[str, Row, Row]] = field(default_factory=list)
    stale: dict[str, Row] = field(default_factory=dict)
    gone: int = 0
    matched: int = 0
    next_cursor: str | None = None


def change(seen: Mapping[str, Mapping[str, str]], sent: Any, meant: Meant | None = None) -> Outcome:
    """Makes one change to records, those aside that are no longer what a page showed of them.

    `seen` has the records' ids, each with what was shown of the fields that change. With `meant` all that
    a filter means are changed instead, which are those that it means then. Raises Refused (400), and 404
    when a single record is not the reader's.
    """
    who, asked, done = caller(), as_inbound(), Outcome()
    wanted = feedback_change.read_change(sent)
    feedback_change.check_topic(who, wanted)
    feedback_change.check_assignee(who, wanted)

    def act(rows: list[Row]) -> int:
        fresh = []
        for row in rows:
            shown = seen.get(row["id"], {})
            said = {name: value for name, value in shown.items() if name in wanted}
            if row["impact_origin"] != "corrected":  # nobody said it: it follows from labels and reports
                said.pop("impact", None)
            if any(_shown(row[name]) != value for name, value in said.items()):
                done.stale[row["id"]] = row
            else:
                fresh.append(row)
        columns = feedback_change.apply(
            fresh, wanted, caller=who, at=asked.received_at, request_id=asked.request_id
        )
        for row, made in zip(fresh, columns, strict=True):
            if made:
                done.changes.append((row["id"], {name: row[name] for name in made}, made))
        return len(fresh)

    if meant is not None:
        with concurrency.long(who.workspace_id):
            done.matched = in_turns(meant, act)[0]
        done.next_cursor = meant.next_cursor
        return done
    matched, _acted = in_turns(Meant(who, ids=list(seen)), act)
    done.gone = len(seen) - matched
    if done.gone and len(seen) == 1:
        raise Refused(Problem(404, "not_found", "No such feedback."))
    return done


def seen_of(form: Any, name: str) -> str | None:
    """What a page showed of a field of its record; None when it does not say."""
    value: str | None = form.get(f"seen-{name}")
    return value


def answer(back: str, said: str, done: Outcome) -> ResponseReturnValue:
    """Goes back to where a change was made, says what became of it, and keeps what undoes it."""
    words = [said] if done.changes else []
    if done.stale:
        words.append(_("%(n)s left as they are: somebody else changed them meanwhile.", n=len(done.stale)))
    if not done.changes:
        return go(back, " ".join(words) or _("Nothing to change."), bad=bool(words), left=len(done.stale))
    kept = [[record_id, *_undoable(was, made)] for record_id, was, made in done.changes]
    kept = [one for one in kept if one[1]]  # a note is no change that could be taken back
    if not kept:
        return go(back, " ".join(words), left=len(done.stale))
    return go(back, " ".join(words), undo=new_id("undo"), changes=kept, left=len(done.stale))


@page("/inbox/undo", "triager", method="POST")
def undo() -> ResponseReturnValue:
    """Puts back what the last change replaced, where that is still as the change left it."""
    back, kept = local(request.form.get("back", "")), g.session["note"] or {}
    if not kept.get("changes") or kept["undo"] != request.form.get("undo"):
        return go(back, _("That cannot be undone any more."), bad=True)
    say(None)
    who, asked = caller(), as_inbound()
    known = {record_id: (was, made) for record_id, was, made in kept["changes"]}

    def act(rows: Sequence[Row]) -> int:
        at, request_id = asked.received_at, asked.request_id
        return sum(
            feedback_change.restore(row, *known[row["id"]], caller=who, at=at, request_id=request_id)
            for row in rows
        )

    _matched, restored = in_turns(Meant(who, ids=list(known)), act)
    if left := len(known) - restored:
        said = _("%(n)s could not be undone: somebody else changed them, or what they had is gone.", n=left)
        return go(back, said, bad=True)
    return go(back, _("Undone."))


def _undoable(was: Row, made: Row) -> tuple[Row, Row]:
    """The columns that undoing is about."""
    names = [name for name in was if name != "updated_at"]
    return {name: was[name] for name in names}, {name: made[name] for name in names}


def _shown(value: Any) -> str:
    """A field as forms say what they showed."""
    return "none" if value is None else str(value)


def chosen_in(form: Any) -> dict[str, dict[str, str]]:
    """What a list showed of the chosen records: "fb_...:open:bug:neutral" of each of its rows."""
    shown = {text.partition(":")[0]: text.split(":")[1:] for text in form.getlist("seen")}
    return {
        record_id: {
            name: value
            for (name, values), value in zip(SEEN.items(), shown.get(record_id, ()), strict=False)
            if value in values
        }
        for record_id in form.getlist("id")
    }


def tags_in(form: Any) -> dict[str, Any]:
    """The change of tags that a form says, each field's with commas between them; empty for none."""
    edit = {
        name: [tag for each in form.get(f"tags-{name}", "").split(",") if (tag := each.strip())]
        for name in ("add", "remove")
    }
    return {"tags": edit} if any(edit.values()) else {}
