"""What an erasure does to the rows of each table, some at a time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from gateway.core.ids import new_id, now_ms
from gateway.core.pacing import Pace
from gateway.files import texts
from gateway.files.store import Missing
from models.database.base import Table, dumps, insert
from models.queries import personal_data
from models.queries.personal_data import ERASED, Person, Row
from models.tables import asset, event, merging, notification, outbox, outgoing, project_head, reply, theme
from models.tables.alert_mute import AlertMute
from models.tables.asset import Asset
from models.tables.audit import Audit
from models.tables.dedupe import Dedupe
from models.tables.delivery import Delivery
from models.tables.destination import Destination
from models.tables.event import Event
from models.tables.feedback import Feedback
from models.tables.outgoing import Outgoing
from models.tables.quarantine import Quarantine
from models.tables.reply import Reply
from models.tables.run import VIA
from models.tables.search_words import words_of
from models.tables.similarity import Signature
from models.tables.topic import Topic
from models.tables.user import SavedView


class Erasing:
    """One erasure: what it has done so far. Each method takes a page of rows of one table.

    The person's records are deleted, or stay without them unless it `deletes`. A dry run only counts.
    """

    def __init__(self, person: Person, by: str, *, deletes: bool, dry_run: bool) -> None:
        self.person, self.by, self.deletes, self.dry_run = person, by, deletes, dry_run
        self.counts: Counter[str] = Counter()
        self._others: dict[str, set[str]] = {"ids": set(), "emails": set()}
        self._own: set[str] = set()  # the person's records, in a dry run, which leaves them there
        self._pace = Pace()
        self.unread = False  # files that may tell of the person

    def linked(self) -> dict[str, list[str]]:
        """Other names that the person's records bore, which may be theirs, too."""
        return {name: sorted(found) for name, found in self._others.items()}

    def records(self, page: list[Row]) -> None:
        own = {row["id"] for row in page if self.person.wrote(row)}
        mentioned = {row["id"] for row in page if self.person.mentions(Feedback, row)}
        told = [
            {**item, "payload": item["payload"] and b""}  # all of them may be more than there is memory
            for item in personal_data.events([row["id"] for row in page])
            if self._concerns(item, own)
        ]
        concerned = own | mentioned | {item["feedback_id"] for item in told}
        for row in page:
            if row["id"] in own:
                self._note_names(row)
        if not concerned:
            return
        if self.dry_run:
            self._count(own, mentioned - own, told)
            self.counts["files"] += asset.count(sorted(own))
            self.counts["replies"] += reply.count(sorted(own))
            self._own |= own
            return
        gone = own if self.deletes else set()
        for name in event.crowded(sorted(gone)):
            self._pace.until_none(partial(event.delete_some, name, None))
        kept = [(item, item["feedback_id"] in own) for item in told if item["feedback_id"] not in gone]
        self._each(kept, self._event)
        by_record: dict[str, list[Row]] = {}
        for item in told:
            by_record.setdefault(item["feedback_id"], []).append(item)

        def some(ids: list[str]) -> None:
            for row in personal_data.to_change(ids):
                self._record(row, by_record.get(row["id"], []))

        self._pace.each(sorted(concerned), some)

    def keys(self, page: list[Row]) -> None:
        gone = [row for row in page if self.person.mentioned(f"{row['scope']} {row['key']}")]
        answers = [row for row in page if row not in gone and self.person.is_in(row["answer"])]
        self._delete("keys", Dedupe, gone)
        # The key stays used: a retry must not bring back what was erased.
        self._change("answers", Dedupe, [(row, {"answer": None}) for row in answers])

    def deliveries(self, page: list[Row]) -> None:
        """What is kept once for several records; of the parts, `records` takes those that matter."""
        shared = (row for row in page if self.person.is_in(row["envelope"]) or self.person.is_in(row["rest"]))
        self._delete("payloads", Delivery, list(shared))

    def held(self, page: list[Row]) -> None:
        gone = [
            row for row in page if self.person.is_in(row["payload"]) or self.person.mentions(Quarantine, row)
        ]
        self._delete("quarantine", Quarantine, gone)

    def views(self, page: list[Row]) -> None:
        self._delete("views", SavedView, [row for row in page if self.person.mentions(SavedView, row)])

    def acts(self, page: list[Row]) -> None:
        found = [(row, changed) for row in page if (changed := self.person.mentions(Audit, row))]
        self._change("audit", Audit, found)

    def topics(self, page: list[Row]) -> None:
        """Takes the address out of what topics are named and described by, those that ended, too."""
        found = [(row, changed) for row in page if (changed := self.person.mentions(Topic, row))]
        self._change("topics", Topic, found)

    def outgoing(self, page: list[Row]) -> None:
        """What was sent, or is to be sent yet, and mentions the person, or was answered so."""
        answered = {
            item["delivery"]
            for item in outgoing.attempts_of([row["id"] for row in page])
            if self.person.is_in(item["answer"])
        }
        found = [row for row in page if row["id"] in answered or self.person.is_in(row["body"])]
        if not self.dry_run:
            self._pace.each([row["id"] for row in found], notification.take_back)
        self._delete("deliveries", Outgoing, found)

    def destinations(self, page: list[Row]) -> None:
        found = [(row, changed) for row in page if (changed := self.person.mentions(Destination, row))]
        self._change("destinations", Destination, found)

    def replies(self, page: list[Row]) -> None:
        """Takes the address out of what others were answered; the person's own are gone."""
        others = (row for row in page if row["feedback_id"] not in self._own)
        found = [(row, changed) for row in others if (changed := self.person.mentions(Reply, row))]
        self._change("replies", Reply, found)

    def mutes(self, page: list[Row]) -> None:
        """Deletes the mutes of groups that the address is in the name of, which are no more."""
        self._delete("mutes", AlertMute, [row for row in page if self.person.mentions(AlertMute, row)])

    def files(self, page: list[Row]) -> None:
        """Deletes what runs made, such as exports: it may hold the person's words like a payload does.

        So do texts that were uploaded, such as rows to import, that mention the person. Takes the address out
        of what others are called; those of the person's own records are gone.
        """
        gone = [row for row in page if row["uploaded_via"].startswith(VIA) or self._tells(row)]
        self._delete("files", Asset, gone)
        left = (row for row in page if row not in gone)
        found = [(row, changed) for row in left if (changed := self.person.mentions(Asset, row))]
        self._change("files", Asset, found)

    def runs(self, table: type[Table], page: list[Row]) -> None:
        """Takes the address out of what runs were given and said, and out of what is told of their end."""
        found = [(row, changed) for row in page if (changed := self.person.mentions(table, row))]
        self._change("runs", table, found)

    def _tells(self, row: Row) -> bool:
        """Whether a file is a text that mentions the person."""
        if row["status"] != "ready" or not row["sha256"]:
            return False
        try:
            return any(map(self.person.is_in, texts.passages(row["sha256"], row["content_type"])))
        except Missing:
            return False
        except OSError:
            self.unread = True
            return False

    def themes(self, workspace_id: str) -> None:
        """Deletes all of them: a label may hold the person's words. New ones come without."""
        for name in self._pace.write(partial(theme.hide, workspace_id)):
            self._pace.until_none(partial(theme.delete_some, name))

    def _delete(self, word: str, table: type[Table], gone: list[Row]) -> None:
        self.counts[word] += len(gone)
        if not self.dry_run:
            self._each([(table, row) for row in gone], personal_data.delete)

    def _change(self, word: str, table: type[Table], found: list[tuple[Row, Row]]) -> None:
        self.counts[word] += len(found)
        if not self.dry_run:
            self._each([(table, *one) for one in found], personal_data.change)

    def _each(self, items: list[Any], act: Callable[..., None]) -> None:
        def some(part: list[Any]) -> None:
            for item in part:
                act(*item)

        self._pace.each(items, some)

    def _concerns(self, item: Row, own: set[str]) -> bool:
        if item["feedback_id"] in own:
            return True
        return self.person.is_in(item["payload"]) or bool(self.person.mentions(Event, item))

    def _count(self, own: set[str], mentioned: set[str], told: list[Row]) -> None:
        others = [item for item in told if item["feedback_id"] not in own]
        self.counts["records"] += len(own)
        self.counts["mentions"] += len(mentioned | {item["feedback_id"] for item in others})
        self.counts["events"] += len(told) - len(others)
        self.counts["payloads"] += sum(item["payload"] is not None for item in told)

    def _record(self, row: Row, told: list[Row]) -> None:
        """Erases the person from one record within the open transaction, its history aside (`_event`)."""
        own = self.person.wrote(row)
        project_head.mark_stale(row["workspace_id"], row["project_id"])  # it may have learnt from this text
        self._count({row["id"]} if own else set(), set() if own else {row["id"]}, told)
        if own:  # a picture may show the person
            self.counts["files"] += asset.delete_of(row["id"])
            self.counts["replies"] += reply.forget_record(row["id"])
        if own:  # what others share with them may tell of them, too
            for delivery_id in {item["delivery_id"] for item in told} - {None}:
                personal_data.delete(Delivery, {"id": delivery_id})
        if own and self.deletes:
            outbox.note(outbox.ERASED, row, now_ms())
            merging.delete([row["id"]])  # its history goes with it, and what is sent of it
            return
        changed = self.person.mentions(Feedback, row)
        if own:
            if {"text", "title"} & set(changed):
                changed |= {"text": ERASED, "title": ERASED}
            changed |= {"author_id": None, "author_name": None, "author_email": None}
        if {"text", "title"} & set(changed):
            changed |= {"words": words_of({**row, **changed}), "fingerprint": None, "alert_group": None}
            Signature.delete().where(Signature.feedback == row["id"]).execute()
        at = max(now_ms(), row["updated_at"] + 1)
        personal_data.change(Feedback, row, {**changed, "updated_at": at})
        merging.touched(row, changed, at)
        note = {"id": new_id("ev"), "feedback": row["id"], "type": "erased", "at": at}
        note |= {"payload": None, "delivery_id": None}
        insert(Event, {**note, "detail": {"fields": sorted(changed), "key_id": self.by}})
        self.counts["deliveries"] += outgoing.forget_record(row["id"]) + notification.unquote(row["id"])
        outbox.note(outbox.ERASED, row, at, note["id"])

    def _event(self, item: Row, own: bool) -> None:
        """Erases the person from a part of a record's history, within the open transaction."""
        detail = json.loads(self.person.mentions(Event, item).get("detail") or item["detail"])
        if own:
            detail.pop("user_agent", None)
        personal_data.change(Event, item, {"payload": None, "detail": dumps({**detail, "erased": True})})

    def _note_names(self, row: Row) -> None:
        if row["author_id"] not in (None, "", self.person.id) and not self.person.is_named(row["author_id"]):
            self._others["ids"].add(row["author_id"])
        if row["author_email"] and not self.person.is_named(row["author_email"]):
            self._others["emails"].add(row["author_email"])
