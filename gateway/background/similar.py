"""Records that say the same as another one in nearly the same words, and what their number adds to impact.

The background worker signs records a minute after they came at the latest (models.tables.similarity); a
record itself may be asked about at once, since its own keys are made of its words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from typing import Any

from gateway.access.caller import Caller
from gateway.background.keywords import words_of
from gateway.background.lease import Lease, Work
from gateway.background.minhash import ALIKE, keys, pieces, similarity
from gateway.core.ids import id_at, now_ms
from gateway.core.pacing import Pace
from gateway.intake.repeat_reports import WINDOW
from models.tables import job
from models.tables import similarity as signature
from models.tables.impact_reasons import STEPS, points, raised, reach_of

LIMIT = 10  # similar records that are shown
CANDIDATES = 100  # records that are compared with one: those that share most keys with it
AT_HAND = (
    200_000  # characters of texts that are kept to be compared again; their pieces take fifty times that
)
TOGETHER = 200  # records read at a time
# Ids sort by when a request came; one that waited long is stored when later ones have been looked at.
OVERLAP = 600_000  # milliseconds that are looked at again
EVERY = 30_000  # milliseconds between two looks at least

ALIKE_WHY = "said in nearly the same words by at least {} people"


@dataclass(frozen=True)
class Said:
    """A record with its words, to be compared with others."""

    row: Mapping[str, Any]

    @cached_property
    def words(self) -> list[str]:
        return words_of(self.row["title"], self.row["text"])

    @cached_property
    def pieces(self) -> frozenset[str]:
        return pieces(self.words)

    @cached_property
    def keys(self) -> list[int]:
        return keys(self.row["workspace_id"], self.words)


class Neighbours:
    """Records of a workspace that others are compared with, each read once for all of them."""

    def __init__(self, workspace_id: str, project_id: str | None = None) -> None:
        """With a project only its records count."""
        self._scope = (workspace_id, project_id)
        self._holders: dict[int, list[int]] = {}
        self._known: dict[int, Said | None] = {}
        self._characters = 0

    def of(self, keys: Sequence[int]) -> list[Said]:
        """Those signed with some of these keys, first those with most of them, and the newest of these."""
        self._holders |= signature.holders([key for key in keys if key not in self._holders])
        shared = Counter(chain.from_iterable(self._holders[key] for key in keys))
        best = sorted(shared, key=lambda number: (-shared[number], -number))[:CANDIDATES]
        if self._characters > AT_HAND:
            self._known, self._characters = {}, 0
        workspace_id, project_id = self._scope
        unread = [number for number in best if number not in self._known]
        read = signature.known(workspace_id, unread, project_id)
        self._characters += sum(len(row["text"]) for row in read.values())
        self._known |= {number: Said(read[number]) if number in read else None for number in unread}
        return [said for number in best if (said := self._known[number])]


def similar(caller: Caller, row: Mapping[str, Any], limit: int = LIMIT) -> list[dict[str, Any]]:
    """The records most like this one that the caller may see: {id, title, score}, best first.

    `score` is 0.5 to 1, the share of pieces of words that both have. Ties go to the newer one.
    """
    near = alike(row, Neighbours(caller.workspace_id, caller.project_id))
    best = sorted(near, key=lambda pair: (pair[0], pair[1]["id"]), reverse=True)[:limit]
    return [{"id": other["id"], "title": other["title"], "score": round(score, 3)} for score, other in best]


def alike(row: Mapping[str, Any], around: Neighbours) -> list[tuple[float, Mapping[str, Any]]]:
    """The records around one that say nearly the same, each with its score."""
    mine = Said(row)
    others = (other for other in around.of(mine.keys) if other.row["id"] != row["id"])
    found = [(similarity(mine.pieces, other.pieces), other.row) for other in others]
    return [pair for pair in found if pair[0] >= ALIKE]


def keep_up(lease: Lease) -> int:
    """Signs what has come or changed since the last time, and raises the reach of what many say."""
    now, look = now_ms(), _Look(Pace(lease.transact), lease.name)
    until, again = id_at("fb", now + 1), id_at("fb", now - OVERLAP)
    if cut_short := signature.of(look.state.get("looking", [])):
        look.at(cut_short, now)
    while found := signature.reworded(TOGETHER):
        look.at(found, now)
    after = look.state.get("after", "")
    while found := signature.unsigned(after, until, TOGETHER):
        look.at(found, now)
        after = found[-1]["id"]
        look.remember({"after": min(after, again)})
    look.remember({"after": again})
    return EVERY


class _Look:
    """Looks at records, some at a time, and remembers at which: who goes on after a kill looks again."""

    def __init__(self, pace: Pace, name: str) -> None:
        self._pace, self._name = pace, name
        self.state: dict[str, Any] = job.state(name) or {}

    def remember(self, state: dict[str, Any]) -> None:
        """Writes down how far it has come."""
        self.state = state
        self._pace.write(partial(job.remember, self._name, state))

    def at(self, found: Sequence[Mapping[str, Any]], now: int) -> None:
        """Signs records and raises the reach of these and those like them, in short transactions.

        A signed record is not found again, and its reach is known only when those like it are signed, too.
        """
        self.remember({**self.state, "looking": [row["id"] for row in found]})
        said = [Said(row) for row in found]
        signed = [signature.Signed(one.row["id"], one.row["updated_at"], one.keys) for one in said]
        self._pace.each(signed, signature.sign)
        reports = _reports(one for one in said if one.row["received_at"] > now - WINDOW).items()
        self._pace.each(reports, lambda some: signature.raise_reach(dict(some), _raised, now_ms()))


def _reports(said: Iterable[Said]) -> dict[str, int]:
    """How many people say what a record says, by its id, for all whose reach is less than that gives.

    Of those like another one, too. More people than the last step takes need not be counted.
    """
    around: dict[str, Neighbours] = {}
    reach: dict[str, int] = {}  # points by id
    found: dict[str, int] = {}
    for mine in said:
        workspace_id, since = mine.row["workspace_id"], mine.row["received_at"] - WINDOW
        if workspace_id not in around:
            around[workspace_id] = Neighbours(workspace_id)
        people, alike = {mine.row["who"]}, [mine]
        for other in around[workspace_id].of(mine.keys):
            row = other.row
            if len(people) >= STEPS[-1] and reach.get(row["id"], 0) == len(STEPS):
                continue  # it would change nothing
            if row["id"] == mine.row["id"] or row["received_at"] < since:
                continue
            if similarity(mine.pieces, other.pieces) >= ALIKE:
                people.add(row["who"])
                alike.append(other)
        least = points(len(people))
        for one in alike:
            name = one.row["id"]
            if name not in reach:
                reach[name] = reach_of(one.row["impact_reasons"])
            if reach[name] < least:
                reach[name], found[name] = least, len(people)
    return found


def _raised(reasons: Sequence[Mapping[str, Any]], reports: int) -> list[dict[str, Any]]:
    return raised(reasons, reports, ALIKE_WHY)


KEEP_UP = Work("similar", keep_up)
