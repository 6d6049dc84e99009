"""Reading on: the list a record was opened from, what stands beside it there, and where a verdict leads.

All of it is in the address of the record's page, so that links, Back and pages without a script have it, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from flask import request

from adapters.contract import Refused
from gateway.api.feedback_list import cursor_at, turned
from gateway.inbox import chosen_time
from gateway.inbox.api_calls import ask, caller
from models.queries.ordering import SORTS, reversed_sort, time_of

LIST = "GET /gateway/v1/feedback"
ONE = "GET /gateway/v1/feedback/<feedback_id>"
MOST = 50  # records before and after this one that are counted; more are "50+"
OF_PAGES = ("open", "at", "stay", "all")  # in an address of the list, what the API does not know
NO_FILTER = (*OF_PAGES, "cursor", "after", "limit", "fields", "sort")


@dataclass(frozen=True)
class Neighbours:
    """The records beside one in its list; `position` is None for one further down than is counted."""

    previous: str | None = None
    next: str | None = None
    position: int | None = None
    count: str = ""


@dataclass(frozen=True)
class Reading:
    """What the address of a record says of the list that it was opened from; `query` is None without one.

    `at` is where the record stood there before it was changed. `beside` its list it is read on a wide screen,
    and `stay` says that a verdict leads nowhere.
    """

    query: str | None = None
    at: str = ""
    beside: bool = False
    stay: bool = False

    @classmethod
    def asked(cls) -> Reading:
        """What this request's address says."""
        given = request.args
        query = given.get("from")
        if query is not None:  # as we write it, whoever wrote it
            query = urlencode([one for one in parse_qsl(query) if one[0] not in OF_PAGES], errors="replace")
        return cls(query, given.get("at", ""), "beside" in given, "stay" in given)

    def path(self, feedback_id: str, at: str = "", **more: str) -> str:
        """Where a record of this list is read: alone, or beside it."""
        if self.beside and self.query is not None:
            return self.list_path(open=feedback_id, at=at, stay=self.stay and "1", **more)
        return self.record(feedback_id, at, **more)

    def back(self, feedback_id: str) -> str:
        """Where somebody goes on who changes a record: to it, at its place in the list before the change."""
        return self.path(feedback_id, self.place(feedback_id))

    def record(self, feedback_id: str, at: str = "", **more: str) -> str:
        """The address of a record's own page, which changes are sent to."""
        given = {"at": at, "beside": self.beside and "1", "stay": self.stay and "1", **more}
        path, query = f"/records/{feedback_id}", urlencode({n: value for n, value in given.items() if value})
        listed = "" if self.query is None else urlencode({"from": self.query}, errors="replace")
        return "?".join(filter(None, (path, "&".join(filter(None, (listed, query))))))

    def list_path(self, **more: str | bool) -> str:
        """The address of the list."""
        query = urlencode({name: value for name, value in more.items() if value})
        return "?".join(filter(None, ("/inbox", "&".join(filter(None, (self.query, query))))))

    def neighbours(self, feedback_id: str) -> Neighbours:
        """What stands before and after a record in the list."""
        if self.query is None:
            return Neighbours()
        sort, chosen = self._filter()
        if reversed_sort(sort) not in SORTS:
            return Neighbours()
        try:
            after, more_after = self._behind(chosen, sort, feedback_id, self.at)
            before, more_before = self._behind(
                chosen, reversed_sort(sort), feedback_id, self.at and turned(self.at)
            )
        except Refused as refused:
            if refused.problem.status != 400:
                raise
            return Neighbours()  # of an address that somebody wrote
        more = more_after or more_before
        return Neighbours(
            previous=before[0] if before else None,
            next=after[0] if after else None,
            position=None if more_before else len(before) + 1,
            count=f"{MOST}+" if more else f"{len(before) + 1 + len(after)}",
        )

    def place(self, feedback_id: str) -> str:
        """Where a record stands in the list as it is now, for `at`; empty when nothing moves it there."""
        if self.query is None or self.at:
            return self.at
        sort, chosen = self._filter()
        query = chosen_time.usual(urlencode([*chosen, ("sort", sort)]))
        return (time_of(sort) is None and cursor_at(caller(), query, feedback_id)) or ""

    def _filter(self) -> tuple[str, list[tuple[str, str]]]:
        given = parse_qsl(self.query or "")
        sort = chosen_time.order_of(given)
        return sort, [(name, value) for name, value in given if name not in NO_FILTER]

    @staticmethod
    def _behind(
        chosen: list[tuple[str, str]], sort: str, feedback_id: str, at: str
    ) -> tuple[list[str], bool]:
        """The ids of the records behind one, in the order of the list, and whether there are more of them."""
        place = ("cursor", at) if at else ("after", feedback_id)
        told = ask(LIST, urlencode([*chosen, ("sort", sort), ("limit", str(MOST)), ("fields", "id"), place]))
        found = [row["id"] for row in told["data"] if row["id"] != feedback_id]
        return found, told["next_cursor"] is not None
