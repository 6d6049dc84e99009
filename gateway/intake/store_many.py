"""Records of one sender stored many at a time: labelled together, committed together, refused one by one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from adapters.contract import Adapter, Inbound, Problem, Refused
from adapters.contract.record import Record
from gateway import triage
from gateway.access.caller import Caller
from gateway.core.ids import new_ulid
from gateway.intake import outcomes, store
from models.intake import commit

# Parts that may wait for the writer at once: it commits what waits in one transaction, and that one
# stays short.
_turns = threading.BoundedSemaphore(2)

Read = tuple[Record | Problem, bytes]  # an item as it was read, and its own bytes
Done = commit.Stored | Problem


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends, through which dialect, in what request."""

    caller: Caller
    adapter: Adapter
    inbound: Inbound

    @property
    def entry(self) -> commit.Entry:
        """The request's line in the ledger."""
        name = self.adapter.source or self.adapter.name
        return outcomes.entry(name, self.inbound.received_at, self.caller)


def store_part(
    sender: Sender,
    items: Sequence[Read],
    claim: commit.Claim | None,
    answer: Callable[[Sequence[Done]], str],
    *,
    counted: bool,
    before: Collection[str],
    parted: commit.Parted | None = None,
    held: str | None = None,
) -> list[Done]:
    """Commits the records among the items, with the claim, and says what became of every item.

    `answer` makes of that what a repeat of the claim will be given; `counted` and `before` are those
    of models.intake.commit.Request. With `parted` the items are the records of that delivery, and what is
    kept with each is its part of it. With `held` they are of that delivery in quarantine, and are stored only
    while it is there. Raises models.intake.commit.Taken and Gone, and peewee's OperationalError.
    """
    done: list[Done | None] = [item if isinstance(item, Problem) else None for item, _ in items]
    kept = [(n, record, raw) for n, (record, raw) in enumerate(items) if isinstance(record, Record)]
    labels = triage.label_all(
        [(record, sender.caller.rules_for(record.project_ref)) for _, record, _ in kept]
    )
    writes: list[commit.Write] = []
    places: list[int] = []
    for (number, record, raw), label in zip(kept, labels, strict=True):
        try:
            kept_with = parted.part(number) if parted else (raw,)
            write = store.write_of(
                sender.caller, sender.adapter, sender.inbound, record, label, new_ulid(), *kept_with
            )
        except Refused as refused:
            done[number] = refused.problem
        else:
            writes.append(write)
            places.append(number)
    refused_some = len(places) < len(items)

    def told(stored: Sequence[commit.Stored]) -> list[Done]:
        for number, one in zip(places, stored, strict=True):
            done[number] = one
        return [one for one in done if one is not None]

    if not writes and claim is None:
        return told(())
    request = commit.Request(
        writes,
        claim,
        lambda stored: answer(told(stored)),
        store.REACH,
        sender.entry,
        sender.inbound.received_at,
        counted=counted,
        before={*before, "invalid"} if refused_some else before,
        parted=parted,
        held=commit.Held(held, claim is not None and not refused_some) if held else None,
    )
    with _turns:
        return told(commit.save(request))
