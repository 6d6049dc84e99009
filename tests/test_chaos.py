"""What is acknowledged is stored, once, whatever breaks: benchmarks/chaos.py, for a moment and longer."""

from __future__ import annotations

import pytest

from benchmarks.chaos import SCENARIOS, run


@pytest.mark.parametrize("name", ["kill", pytest.param("full", marks=pytest.mark.long)])
def test_nothing_acknowledged_is_lost_or_doubled(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that is killed and a disk that is full, for a moment, under load.

    How long things take is measured elsewhere.
    """
    monkeypatch.setattr("benchmarks.chaos.MOUNT", False)
    finding = run(name, seconds=1.5, cycles=8)

    assert finding.wrong == []
    assert finding.tally.acknowledged


@pytest.mark.long
@pytest.mark.parametrize("name", SCENARIOS)
def test_for_longer(name: str) -> None:
    """Each kind of trouble for longer, with some hundred kills."""
    finding = run(name, seconds=15, cycles=200)

    assert finding.wrong == []
    assert finding.tally.acknowledged
