"""The file that counts: exact among threads, processes, restarts and forks, bounded, never fatal."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.rate import Budget, Rate, Unavailable
from gateway.rate_limits.file_counter import FileCounter
from tests.conftest import ROOT

MINUTE = Rate(3, 60)
SMALL = 1024  # records of 320 bytes


def run(script: str, *words: object) -> str:
    """What a script prints in a process of its own."""
    command = [sys.executable, "-c", script, *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.floats(-100, 70)), min_size=1, max_size=40)


def follow(spend: Callable[[str, Rate, float], Budget], steps: list[tuple[str, float]], rate: Rate) -> None:
    """Takes requests at whatever times and compares each answer with the definition."""
    now, newest, passed = 1e6, dict[str, int](), dict[str, list[int]]()
    for name, step in steps:
        now += step * rate.window / 60
        slot = int(now / (rate.window / 60))
        if newest.get(name, slot) - 60 > slot:
            del newest[name], passed[name]
        newest[name] = max(slot, newest.get(name, slot))
        live = [at for at in passed.get(name, []) if at >= newest[name] - 60]

        budget = spend(name, rate, now)

        assert budget.allowed == (len(live) < rate.quota)
        passed[name] = live + [newest[name]] * budget.allowed
        assert budget.remaining == rate.quota - len(passed[name])
        forgotten = (passed[name][0] + 61) * (rate.window / 60)
        assert budget.reset == max(1, math.ceil(forgotten - now))


@given(STEPS, st.integers(1, 5), st.sampled_from([1, 60, 3600]))
def test_does_what_its_definition_says(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, float]], quota: int, window: int
) -> None:
    """Let through is who finds fewer than the quota in this slot and the sixty before, by whatever clock."""
    meter = FileCounter(tmp_path_factory.mktemp("meter") / "limits")

    def spend(name: str, rate: Rate, now: float) -> Budget:
        wait = meter.exhausted(name, rate, now)
        budget = meter.spend(name, rate, now)
        assert wait == (0 if budget.allowed else budget.reset)
        return budget

    follow(spend, steps, Rate(quota, window))
    meter.close()


def test_one_file_opened_twice(tmp_path: Path) -> None:
    """Two meters of one process on one file count together, as two applications in it would."""
    first, second = FileCounter(tmp_path / "limits"), FileCounter(tmp_path / "limits")
    passed = [meter.spend("k", MINUTE, 1000.0).allowed for meter in (first, second) * 3]

    assert passed == [True] * 3 + [False] * 3


def test_another_window_starts_anew(tmp_path: Path) -> None:
    """A name whose rate gets another window is counted from zero, whatever was counted before."""
    meter = FileCounter(tmp_path / "limits")
    for window in (60, 3600, 86400, 1, 60):
        assert meter.spend("k", Rate(1, window), 1e9).allowed
        assert not meter.spend("k", Rate(1, window), 1e9).allowed


def test_names_that_are_counted_at_once(tmp_path: Path) -> None:
    """Every name keeps its own count, in a file whose space is there from the first use."""
    meter, late = FileCounter(tmp_path / "limits"), FileCounter(tmp_path / "limits")
    names = [f"key_{n}" for n in range(3000)]
    for name in names:
        meter.spend(name, MINUTE, 1000.0)

    assert {late.spend(name, MINUTE, 1001.0).remaining for name in names} == {1}
    file = (tmp_path / "limits").stat()
    assert file.st_size == 16_384 * 320 <= file.st_blocks * 512


def test_windows_that_are_over_make_room(tmp_path: Path) -> None:
    """Names that come one after the other push out none whose window is not over."""
    meter = FileCounter(tmp_path / "limits", SMALL)
    meter.spend("day", Rate(3, 86_400), 1000.0)
    for n in range(30_000):
        meter.spend(f"key_{n}", MINUTE, 1000.0 + n)

    assert meter.spend("day", Rate(3, 86_400), 31_000.0).remaining == 1


def test_the_file_is_bounded(tmp_path: Path) -> None:
    """More names than fit push out the idlest of their bucket, and no others."""
    meter = FileCounter(tmp_path / "limits", SMALL)
    for n in range(3000):
        meter.spend(f"key_{n}", MINUTE, 1000.0 + n / 100)

    assert (tmp_path / "limits").stat().st_size == SMALL * 320
    assert meter.spend("key_2999", MINUTE, 1030.0).remaining == 1


def test_a_record_that_became_another_names(tmp_path: Path) -> None:
    """A name whose place another took is counted from zero, and not in the other's place."""
    meter, other = FileCounter(tmp_path / "limits", SMALL), FileCounter(tmp_path / "limits", SMALL)
    names = [f"key_{n}" for n in range(1024)]
    for name in names:
        meter.spend(name, MINUTE, 1000.0)
    later = {name: other.spend(f"later_{name}", MINUTE, 1200.0).remaining for name in names}

    assert set(later.values()) == {2}
    assert {meter.spend(name, MINUTE, 1201.0).remaining for name in names} == {2}


SPENDER = """
import sys, threading
from pathlib import Path
from gateway.rate_limits.file_counter import FileCounter
from gateway.core.rate import Rate
meter, passed, start = FileCounter(Path(sys.argv[1])), [], threading.Barrier(16)
def spend():
    start.wait()
    for _ in range(40):
        passed.append(meter.spend("k", Rate(600, 60), 1000.0).allowed)
threads = [threading.Thread(target=spend) for _ in range(16)]
[t.start() for t in threads]; [t.join() for t in threads]
print(sum(passed))
"""


def test_exact_across_threads_and_processes_and_restarts(tmp_path: Path) -> None:
    """Four processes with sixteen threads each, then a fifth, together pass exactly the quota."""
    with ThreadPoolExecutor(4) as pool:
        passed = sum(
            int(printed) for printed in pool.map(lambda _: run(SPENDER, tmp_path / "limits"), range(4))
        )

    assert passed == 600
    assert run(SPENDER, tmp_path / "limits") == "0"


OPENER = """
import sys, threading
from pathlib import Path
from gateway.rate_limits.file_counter import FileCounter
from gateway.core.rate import Rate
directory, start, passed = Path(sys.argv[1]), threading.Barrier(8), []
def first_use(meter):
    start.wait()
    passed.append(meter.spend("k", Rate(10, 60), 1000.0).allowed)
for n in range(40):
    meter = FileCounter(directory / "new" / str(n))
    threads = [threading.Thread(target=first_use, args=(meter,)) for _ in range(8)]
    [t.start() for t in threads]; [t.join() for t in threads]
print(sum(passed))
"""


def test_first_use_by_many_at_once(tmp_path: Path) -> None:
    """Threads and processes that meet a new file at the same moment count in one and the same."""
    with ThreadPoolExecutor(2) as pool:
        passed = sum(map(int, pool.map(lambda _: run(OPENER, tmp_path), range(2))))

    assert passed == 40 * 10


FORKER = """
import os, sys
from pathlib import Path
from gateway.rate_limits.file_counter import FileCounter
from gateway.core.rate import Rate
meter, rate = FileCounter(Path(sys.argv[1])), Rate(500, 60)
meter.spend("k", rate, 1000.0)
children = [os.fork() for _ in range(1)] + [os.fork()]
for _ in range(300):
    meter.spend("k", rate, 1000.0)
if all(children):
    [os.waitpid(child, 0) for child in children]
    print(meter.spend("k", rate, 1000.0).remaining, meter.spend("k", Rate(10**6, 60), 1000.0).remaining)
elif children[0] == 0 and children[1]:
    os.waitpid(children[1], 0)
"""


def test_forks_count_together(tmp_path: Path) -> None:
    """Processes forked after the file was opened do not overrun each other: 500 of 1,201 pass."""
    assert run(FORKER, tmp_path / "limits") == "0 999499"


KILLED = """
import sys
from pathlib import Path
from gateway.rate_limits.file_counter import FileCounter
from gateway.core.rate import Rate
meter, n = FileCounter(Path(sys.argv[1])), 0
while True:
    n += 1
    meter.spend("k", Rate(10**9, 60), 1000.0 + n * 0.1 % 30)
    meter.spend(f"k{n % 2000}", Rate(10, 60), 1000.0 + n * 0.1 % 30)
    if n % 100 == 0:
        print(n, flush=True)
"""


def test_killed_while_counting(tmp_path: Path) -> None:
    """kill -9 takes the lock along and loses nothing that was counted."""
    told = 0
    for _ in range(5):
        command = [sys.executable, "-c", KILLED, str(tmp_path / "limits")]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            told += int([process.stdout.readline() for _ in range(3)][-1])
            process.send_signal(signal.SIGKILL)
    used = 10**9 - 1 - FileCounter(tmp_path / "limits").spend("k", Rate(10**9, 60), 1030.0).remaining

    assert used >= told


FULL = """
import resource, sys
from pathlib import Path
from gateway.rate_limits.file_counter import FileCounter
from gateway.core.rate import Rate, Unavailable
path, meter = Path(sys.argv[1]), FileCounter(Path(sys.argv[1]))
def room(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
room(100_000)
try:
    meter.spend("k", Rate(1, 60), 1000.0)
except Unavailable as error:
    print(error)
room(10**9)
print(sum(meter.spend(f"k{n}", Rate(1, 60), 1000.0).allowed for n in range(3000)))
"""


def test_disk_full(tmp_path: Path) -> None:
    """No room for the file is Unavailable; room again is used."""
    assert run(FULL, tmp_path / "limits").split("\n") == [
        f"{tmp_path}/limits: File too large",
        "3000",
    ]


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """What is in the way is named, and once it is gone counting goes on."""
    (tmp_path / "limits").mkdir()
    meter = FileCounter(tmp_path / "limits")
    for act in (meter.spend, meter.exhausted):
        with pytest.raises(Unavailable, match="limits: Is a directory"):
            act("k", MINUTE, 1000.0)
    (tmp_path / "limits").rmdir()

    assert meter.spend("k", MINUTE, 1000.0).allowed


def test_any_content_can_be_counted_in(tmp_path: Path) -> None:
    """After a power cut the file may hold anything: no error, and at most a window is lost."""
    (tmp_path / "limits").write_bytes(b"\xff\x7f" * 160 * SMALL)
    meter = FileCounter(tmp_path / "limits")

    assert [meter.spend("k", MINUTE, 1000.0).allowed for _ in range(4)] == [True] * 3 + [False]
