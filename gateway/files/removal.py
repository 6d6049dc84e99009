"""The end of bytes that no asset has any more, or never had."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from heapq import merge
from itertools import groupby, repeat
from operator import itemgetter

from gateway.core import log
from gateway.core.ids import now_ms
from gateway.core.pacing import Pace, Transact, transact
from gateway.files.store import Missing, store
from models.tables import asset, unclaimed_file
from models.tables.asset import Asset

GRACE = 3_600  # seconds that bytes may wait for their asset, and a file for its last bytes
LEFT = 1  # milliseconds UTC; lines from before it are of assets that are gone
PAGE = 500  # digests looked at together
STORED, NAMED, NOTED, LOST = range(4)  # in the store, by an asset, by a line, by one that failed for it


def release(before: int = LEFT, transact: Transact = transact, most: int | None = None) -> int:
    """Deletes bytes that no asset has, by their lines from before a time; how many it took.

    The time is milliseconds UTC. With `most` it leaves the others to the background worker. Raises OSError
    when the store cannot.
    """
    pace, done = Pace(transact), 0
    while (most is None or done < most) and (found := unclaimed_file.due(before, min(PAGE, most or PAGE))):
        pace.each(found, partial(_release, before))
        done += len(found)
    return done


def release_now(transact: Transact = transact, most: int | None = PAGE) -> bool:
    """Deletes the bytes of assets that were just deleted; whether it could. Else the worker tries again."""
    try:
        release(LEFT, transact, most)
    except OSError as error:
        log.logger.warning("files cannot be deleted now", extra={"facts": {"error": str(error)}})
        return False
    return True


def sweep(transact: Transact = transact) -> dict[str, int]:
    """Lays the store beside the assets: bytes that nobody has go, and assets without bytes fail.

    Says how many files were `unfinished`, `deleted`, `missing` and `found` again. Raises OSError when the
    store cannot be read.
    """
    counts = {"unfinished": store().tidy(GRACE), "deleted": 0, "missing": 0, "found": 0}
    counts["deleted"] += release(now_ms() - 1_000 * GRACE, transact)
    pace, seen = Pace(transact), 0
    unknown: list[str] = []
    lost: list[str] = []
    back: list[str] = []
    for digest, found in groupby(merge(*_sorted()), key=itemgetter(0)):
        told = {what: age for _, what, age in found}
        seen += STORED in told
        if NAMED in told and STORED not in told:
            lost.append(digest)
        elif LOST in told:
            back.append(digest)
        elif set(told) == {STORED} and told[STORED] > GRACE:
            unknown.append(digest)
    pace.each(unknown, partial(_release, LEFT))
    counts["deleted"] += len(unknown)
    if lost and not seen:  # no disk loses every file: it is not mounted
        facts = {"files": len(lost)}
        log.logger.error("the store of files is empty, and assets have files in it", extra={"facts": facts})
        return counts
    lost = [digest for digest in lost if not _is_there(digest)]  # else it came since
    counts["missing"] = sum(pace.each(lost, partial(_mark, True)))
    counts["found"] = sum(pace.each(back, partial(_mark, False)))
    level = logging.ERROR if counts["missing"] else logging.INFO
    if any(counts.values()):
        log.logger.log(level, "the store of files was swept", extra={"facts": counts})
    return counts


def _release(before: int, digests: Iterable[str]) -> None:
    """Deletes bytes without line or asset. Until the open transaction ends nobody puts the same ones."""
    free = unclaimed_file.forget(list(digests), before)
    for digest in sorted(set(free) - asset.named(free)):
        store().delete(digest)


def _mark(missing: bool, digests: Iterable[str]) -> int:
    now = now_ms()
    return sum(asset.mark_missing(digest, missing, now) for digest in digests)


def _sorted() -> Iterator[Iterator[tuple[str, int, float]]]:
    """What is known of digests, each kind in ascending order: a digest, the kind, the age of its bytes."""
    yield ((digest, STORED, age) for digest, age in store().digests())
    names: dict[int, tuple[Callable[[str, int], list[str]], ...]] = {
        NAMED: (partial(asset.digests, Asset.sha256), partial(asset.digests, Asset.thumbnail)),
        NOTED: (unclaimed_file.digests,),
        LOST: (asset.lost_digests,),
    }
    for what, looks in names.items():
        for look in looks:
            yield zip(_pages(look), repeat(what), repeat(0.0), strict=False)


def _is_there(digest: str) -> bool:
    try:
        store().open(digest)
    except Missing:
        return False
    return True


def _pages(look: Callable[[str, int], list[str]]) -> Iterator[str]:
    """What `look` finds, in ascending order, read some at a time."""
    after = ""
    while found := look(after, PAGE):
        yield from found
        after = found[-1]
