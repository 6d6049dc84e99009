"""What must be true of a gateway after anything: the checks of benchmarks.chaos."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from benchmarks.senders import Gateway, Senders, Tally

AGAIN = 300  # acknowledged posts that are sent once more


@dataclass
class Finding:
    """What a scenario showed: a line to read, what should not have been, and what took too long."""

    said: str = ""
    wrong: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    def expect(self, true: bool, otherwise: str) -> None:
        if not true:
            self.wrong.append(otherwise)

    def hurry(self, seconds: float, most: float, doing: str) -> None:
        """Notes what took longer than it may, which a busy machine can be the reason of."""
        if seconds > most:
            self.late.append(f"{doing} took {seconds:.1f} s")


def check(gateway: Gateway, senders: Senders, *, exact: bool) -> Finding:
    """Compares what was acknowledged with what is stored. `exact` if no process was killed.

    Counts of refused requests wait up to a second in memory, so that a kill loses some of them.
    """
    tally = senders.tally
    finding = Finding(tally=tally)
    senders.send_again(AGAIN)
    requests, records = settled(gateway)
    stored = gateway.stored()
    lost = [text for text in tally.acknowledged if text not in stored]
    doubled = [text for text, ids in stored.items() if len(ids) > 1]
    other = [
        text for text, told in tally.acknowledged.items() if told and told not in stored.get(text, [told])
    ]
    strange = set(stored) - set(tally.acknowledged) - tally.unsure
    finding.expect(not lost, f"{len(lost)} lost")
    finding.expect(not doubled, f"{len(doubled)} doubled")
    finding.expect(not other, f"{len(other)} under another id")
    finding.expect(not strange, f"{len(strange)} that nobody sent")
    finding.expect(not tally.odd, f"{len(tally.odd)} odd answers: {tally.odd[:2]}")
    total = sum(map(len, stored.values()))
    finding.expect(records == total, f"ledger has {records} records, not {total}")
    if exact:
        least = sum(tally.statuses.values())
        finding.expect(
            least <= requests <= least + tally.broken, f"ledger has {requests} requests, not {least}"
        )
    return finding


def settled(gateway: Gateway) -> tuple[int, int]:
    """The requests and records in the ledger, once every worker has written what it counted."""
    before = (-1, -1)
    while True:
        _, ledger = gateway.get("/gateway/v1/outcomes?by=outcome")
        now = sum(row["requests"] for row in ledger["data"]), sum(row["records"] for row in ledger["data"])
        if now == before:
            return now
        before = now
        time.sleep(2.5)  # a worker writes at least once a second
