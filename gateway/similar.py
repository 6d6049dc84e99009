"""Records that say the same as another one in nearly the same words, and what their number adds to impact.

The background worker signs records a minute after they came at the latest (models.signature); a record
itself may be asked about at once, since its own keys are made of its words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from gateway.caller import Caller
from gateway.ids import id_at, now_ms
from gateway.lease import Lease, Work
from gateway.likeness import ALIKE, keys, pieces, similarity
from gateway.reach import WINDOW, points, raised
from gateway.words import words_of
from models import job, signature

LIMIT = 10  # similar records that are shown
TOGETHER = 200  # records signed in one transaction
# Ids sort by when a request came; one that waited long is stored when later ones have been looked at.
OVERLAP = 600_000  # milliseconds that are looked at again
EVERY = 30_000  # milliseconds between two looks at least

ALIKE_WHY = "said in nearly the same words by at least {} people"


def similar(caller: Caller, row: Mapping[str, Any], limit: int = LIMIT) -> list[dict[str, Any]]:
    """The records most like this one that the caller may see: {id, title, score}, best first.

    `score` is 0.5 to 1, the share of pieces of words that both have. Ties go to the newer one.
    """
    found = _alike(row, caller.project_id)
    best = sorted(found, key=lambda item: (item[0], item[1]["id"]), reverse=True)[:limit]
    return [{"id": other["id"], "title": other["title"], "score": round(score, 3)} for score, other in best]


def keep_up(lease: Lease) -> int:
    """Signs what has come since the last time and raises the reach of what is said again and again."""
    now = now_ms()
    after = (job.state(lease.name) or {}).get("after", "")
    until, again = id_at("fb", now + 1), id_at("fb", now - OVERLAP)
    while True:
        found = signature.unsigned(after, until, TOGETHER)
        signed = [_signed(row) for row in found]
        more = len(found) == TOGETHER
        after = found[-1]["id"] if more else max(after, again)
        lease.transact(partial(_store, lease.name, signed, min(after, again)))
        for row in found:
            if row["received_at"] > now - WINDOW:
                _reach(lease, row)
        if not more:
            return EVERY


def _store(name: str, signed: Iterable[signature.Signed], after: str) -> None:
    signature.sign(signed)
    job.remember(name, {"after": after})


def _signed(row: Mapping[str, Any]) -> signature.Signed:
    said = words_of(row["title"], row["text"])
    return signature.Signed(row["id"], row["updated_at"], keys(row["workspace_id"], said))


def _reach(lease: Lease, row: Mapping[str, Any]) -> None:
    """Raises the reach of a record and of those like it to what so many reporters give."""
    alike = [other for _, other in _alike(row, None, since=row["received_at"] - WINDOW)]
    reports = len({other["who"] for other in (row, *alike)})
    if points(reports):
        more = partial(raised, reports=reports, why=ALIKE_WHY)
        ids = [row["id"], *(other["id"] for other in alike)]
        lease.transact(partial(signature.raise_reach, ids, more, now_ms()))


def _alike(
    row: Mapping[str, Any], project_id: str | None, since: int | None = None
) -> list[tuple[float, dict[str, Any]]]:
    """Records of the same workspace like this one, each with how much; not this one."""
    said = words_of(row["title"], row["text"])
    mine = pieces(said)
    known = signature.candidates(
        row["workspace_id"], project_id, keys(row["workspace_id"], said), since=since
    )
    scored = [
        (similarity(mine, pieces(words_of(other["title"], other["text"]))), other)
        for other in known
        if other["id"] != row["id"]
    ]
    return [pair for pair in scored if pair[0] >= ALIKE]


KEEP_UP = Work("similar", keep_up)
