"""Breaks a running gateway in many ways, and checks that nothing acknowledged is lost or doubled.

    python -m benchmarks.chaos [--cycles N] [--seconds S] [SCENARIO ...]

Senders post texts over three dialects, each with an Idempotency-Key, and try again until they are
acknowledged. After each scenario: what was acknowledged is stored exactly once under the id that
was told, what was not is stored once at most, the same keys sent again change nothing, the ledger
counts as many records as there are, every refusal is a 503 in its dialect with Retry-After, and the
service is back within five seconds. Exits with 1 when anything of that is not so.
"""

from __future__ import annotations

import argparse
import random
import resource
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.batches import SIZE, BatchSenders
from benchmarks.findings import Finding, check
from benchmarks.senders import BACK, Gateway, Senders
from benchmarks.slow import dripping
from benchmarks.surge import surge

MOST_OFFERED = 20_000  # posts a second, which no worker can take
AHEAD = 10_000_000  # numbers of the posts that measure what one worker can take
MOUNT = True  # whether a full disk may be a tmpfs, which needs root
GROWTH = 60.0  # megabytes that a worker may grow by under what it refuses


Scenario = Callable[[Path, float, int], Finding]


def kill(directory: Path, seconds: float, cycles: int) -> Finding:
    """SIGKILL of a worker, now and then of the arbiter or of all, at random moments under load."""
    killed = {"worker": 0, "arbiter": 0, "all": 0}
    slowest = 0.0  # start
    dice = random.Random(7)
    with Gateway(directory) as gateway, Senders(gateway) as senders:
        for cycle in range(1, cycles + 1):
            senders.wait(1)
            time.sleep(dice.random() * 0.06)
            victim = "all" if cycle % 20 == 0 else "arbiter" if cycle % 50 == 11 else "worker"
            killed[victim] += 1
            if victim == "worker":
                gateway.kill_worker(dice)
                continue
            gateway.kill(everyone=victim == "all")
            begun = time.monotonic()
            gateway.start()
            slowest = max(slowest, time.monotonic() - begun)
            senders.tally.last = time.monotonic()
        senders.wait(20)
        senders.stop()
        finding = check(gateway, senders, exact=False)
    finding.said = ", ".join(f"{number} x {name}" for name, number in killed.items())
    finding.said += f"; {finding.tally.gap:.1f} s the longest silence, {slowest:.1f} s the longest start"
    finding.hurry(finding.tally.gap, BACK, "an answer")
    return finding


def batches(directory: Path, seconds: float, cycles: int) -> Finding:
    """SIGKILL of a worker in the middle of batches, which are stored in parts and repeated as a whole."""
    dice = random.Random(7)
    with Gateway(directory) as gateway, BatchSenders(gateway) as senders:
        end = time.monotonic() + seconds
        killed = 0
        while time.monotonic() < end or not senders.done:
            time.sleep(0.2 + dice.random() * 0.6)
            gateway.kill_worker(dice)
            killed += 1
        senders.wait(SIZE)
        senders.stop()
        finding = check(gateway, senders, exact=False)
    finding.said = f"{killed} x worker, {len(senders.done)} batches of {SIZE}"
    return finding


def drain(directory: Path, seconds: float, cycles: int) -> Finding:
    """SIGTERM under load, again and again."""
    slowest = 0.0
    codes = set()
    times = max(2, int(seconds / 3))
    with Gateway(directory) as gateway, Senders(gateway) as senders:
        for _ in range(times):
            senders.wait(100)
            begun = time.monotonic()
            codes.add(gateway.stop())
            slowest = max(slowest, time.monotonic() - begun)
            gateway.start()
        senders.wait(20)
        senders.stop()
        finding = check(gateway, senders, exact=True)
    finding.said = f"{times} ends, the slowest took {slowest:.1f} s, {finding.tally.broken} posts sent again"
    finding.expect(codes == {0}, f"exit codes {codes}")
    return finding


def restarts(directory: Path, seconds: float, cycles: int) -> Finding:
    """Workers that end after so many requests and are replaced, under load."""
    with Gateway(directory, {"max_requests": 100, "max_requests_jitter": 20}) as gateway:
        with Senders(gateway) as senders:
            senders.wait(int(seconds * 150))
        finding = check(gateway, senders, exact=True)
    finding.said = f"{finding.tally.broken} posts sent again, {finding.tally.gap:.1f} s the longest silence"
    finding.hurry(finding.tally.gap, BACK, "an answer")
    return finding


def full(directory: Path, seconds: float, cycles: int) -> Finding:
    """No room for the database (a small tmpfs if one can be mounted, else a limit to the size of files)."""
    with small_disk(directory) as grow, Gateway(directory) as gateway, Senders(gateway, 4, 20_000) as senders:
        return unavailable(gateway, senders, lambda: grow(gateway), seconds)


def locked(directory: Path, seconds: float, cycles: int) -> Finding:
    """Another process holds SQLite's own lock."""
    with Gateway(directory) as gateway, Senders(gateway) as senders:
        senders.wait(50)
        with closing(sqlite3.connect(directory / "gateway.db", timeout=30)) as other:
            other.execute("BEGIN EXCLUSIVE")
            return unavailable(gateway, senders, other.rollback, seconds)


def unavailable(gateway: Gateway, senders: Senders, mend: Callable[[], object], seconds: float) -> Finding:
    """Waits for refusals, stays with them for a while, mends and waits for acknowledgements."""
    tally = senders.tally
    end = time.monotonic() + 60
    while not tally.statuses[503] and time.monotonic() < end:
        time.sleep(0.01)
    before, tally.slowest_refusal = gateway.resident(), 0.0
    time.sleep(min(seconds, 5.0))
    ready, _ = gateway.get("/readyz")  # a small row may still fit on a full disk
    grown = gateway.resident() - before
    refused, slowest = tally.statuses[503], tally.slowest_refusal
    mended = time.monotonic()
    mend()
    senders.wait(1)
    back = time.monotonic() - mended
    senders.wait(50)
    senders.stop()
    finding = check(gateway, senders, exact=True)
    finding.said = (
        f"{refused} refused, the slowest in {slowest * 1000:.0f} ms; "
        f"readiness {ready}, back {back * 1000:.0f} ms after; {grown:+.1f} MB"
    )
    finding.expect(refused > 0, "nothing was refused")
    finding.expect(gateway.get("/readyz")[0] == 200, "not ready afterwards")
    finding.hurry(back, BACK, "the return")
    finding.expect(grown < GROWTH, f"{grown:.0f} MB more")
    return finding


@contextmanager
def small_disk(directory: Path) -> Iterator[Callable[[Gateway], object]]:
    """Gives the directory a disk of its own that fills up soon; what is yielded makes it larger."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(directory)]
    if MOUNT and subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        larger = ["mount", "-o", "remount,size=512m", str(directory)]
        try:
            yield lambda _: subprocess.run(larger, check=True)
        finally:
            subprocess.run(["umount", "-l", str(directory)], check=True)
        return
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, limit[1]))  # inherited by the gateway

    def grow(gateway: Gateway) -> None:
        for pid in gateway.workers():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)

    try:
        yield grow
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)


def clock(directory: Path, seconds: float, cycles: int) -> Finding:
    """The clock jumps forth and back by hours and a day, under load."""
    jumps = (86_400.0, 0.0, 3600.0, -1.5, -3600.0, 0.0)  # forwards never beyond the life of a key
    file = directory / "clock"
    file.write_bytes(struct.pack("d", 0.0))
    with Gateway(directory, {"clock": str(file)}) as gateway:
        with Senders(gateway) as senders:
            for jump in jumps:
                with file.open("r+b") as opened:
                    opened.write(struct.pack("d", jump))
                senders.wait(max(20, int(seconds * 20)))
        finding = check(gateway, senders, exact=True)
    finding.said = f"{len(jumps)} jumps of up to a day, {finding.tally.gap:.1f} s the longest silence"
    finding.hurry(finding.tally.gap, BACK, "an answer")
    finding.expect(not finding.tally.statuses[503], "refused because of the clock")
    return finding


def overload(directory: Path, seconds: float, cycles: int) -> Finding:
    """Twice as many posts as one worker can take, whether they are answered or not.

    What it can take is measured beside whatever else the machine does then, so it may be more: where nobody
    was refused, more is sent.
    """
    with Gateway(directory, GATEWAY_WORKERS="1") as gateway:
        senders = Senders(gateway, 0)
        surges = [surge(gateway.address, senders.request_of, rate=1_000, seconds=1, first=AHEAD)]
        warm = surge(gateway.address, senders.request_of, rate=1_500, seconds=3, first=AHEAD + 1_000)
        surges.append(warm)
        capacity = warm.count(201) / warm.seconds
        before = gateway.resident()
        offered, first = 2 * capacity, 0
        while True:
            done = surge(gateway.address, senders.request_of, rate=offered, seconds=seconds, first=first)
            surges.append(done)
            first += int(offered * seconds)
            if done.count(503) or offered > MOST_OFFERED:
                break
            offered *= 2
        grown = gateway.resident() - before
        for result in surges:
            for number, record_id in result.ids.items():
                senders.tally.acknowledged[senders.text_of(number)] = record_id
        senders.tally.unsure = {senders.text_of(n) for n in [*range(first), *range(AHEAD, AHEAD + 5_500)]}
        for result in surges:
            senders.tally.broken += result.broken
            for code, taken in result.answers.items():
                senders.tally.statuses[code] += len(taken)
        finding = check(gateway, senders, exact=True)
    half = done.count(201) // 2
    early, late = done.percentile(201, 99, slice(0, half)), done.percentile(201, 99, slice(half, None))
    finding.said = (
        f"{offered:.0f}/s offered, {done.count(201) / done.seconds:.0f} of {capacity:.0f}/s served in "
        f"p50 {done.percentile(201, 50):.0f} p99 {early:.0f} then {late:.0f} ms, refused p50 "
        f"{done.percentile(503, 50):.0f} p99 {done.percentile(503, 99):.0f} ms; "
        f"{done.most_open} connections, {grown:+.1f} MB"
    )
    finding.expect(set(done.answers) <= {201, 503}, f"answers {set(done.answers)}")
    finding.expect(done.count(503) > 0, "nobody was refused")
    finding.hurry(late / 1000, 3 * max(early / 1000, 1.0), "the tail of the second half")
    finding.expect(grown < GROWTH, f"{grown:.0f} MB more")
    return finding


def slow(directory: Path, seconds: float, cycles: int) -> Finding:
    """Hundreds of clients that send a byte now and then, while others post."""
    with Gateway(directory) as gateway:
        with Senders(gateway) as senders:
            senders.wait(200)
            with dripping(gateway.address, gateway.key, 400) as slow_ones:
                senders.tally.gap, begun, first = 0.0, time.monotonic(), len(senders.tally.acknowledged)
                time.sleep(seconds)
                rate = (len(senders.tally.acknowledged) - first) / (time.monotonic() - begun)
        finding = check(gateway, senders, exact=False)
    finding.said = f"{slow_ones.opened} slow clients, {rate:.0f} posts/s beside them"
    finding.hurry(finding.tally.gap, 1.0, "an answer")
    return finding


SCENARIOS: dict[str, Scenario] = {
    act.__name__: act for act in (kill, batches, drain, restarts, full, locked, clock, overload, slow)
}


def run(name: str, seconds: float = 10.0, cycles: int = 60) -> Finding:
    """One scenario in a directory of its own."""
    with tempfile.TemporaryDirectory(prefix=f"chaos-{name}-") as directory:
        return SCENARIOS[name](Path(directory), seconds, cycles)


def main() -> None:
    """Runs the scenarios named (all without names) and prints a line for each."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--cycles", type=int, default=60, help="kills (60)")
    options.add_argument("--seconds", type=float, default=10.0, help="of each of the others (10)")
    options.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, []], metavar="SCENARIO")
    asked = options.parse_args()
    failed = False
    print("scenario  | acknowledged refused broken | what happened")
    for name in asked.scenarios or SCENARIOS:
        finding = run(name, asked.seconds, asked.cycles)
        tally = finding.tally
        failed |= bool(finding.wrong or finding.late)
        print(
            f"{name:9} | {len(tally.acknowledged):12} {tally.statuses[503]:7} {tally.broken:6} | "
            f"{finding.said}"
            f"{''.join(f'; WRONG: {word}' for word in finding.wrong + finding.late)}",
            flush=True,
        )
    sys.exit(failed)


if __name__ == "__main__":
    main()
