"""What tests of training share: a small data directory, a model made from it, and the shipped model again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway import triage
from gateway.cli.triage import train
from gateway.triage.training import pools, rows, seeds
from tests.triage import small_data


@pytest.fixture(scope="session", name="data")
def _data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The small data directory, and few sentences beside it: training takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pools, "SEEDS_PER_GROUP", 30)
        patch.setattr(rows.seed_rows, "__defaults__", (1,))
        patch.setattr(rows, "COMPOSED", 3)
        patch.setattr(rows, "kinds", lambda: islice(seeds.kinds(), 0, None, 60))
        yield small_data.make(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session", name="trained")
def _trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the model made from it."""
    directory: Path = tmp_path_factory.mktemp("trained")
    made = CliRunner().invoke(train, ["--data", str(data), "--out", str(directory)])
    assert made.exit_code == 0, made.stderr
    assert json.loads(made.stdout)["out"] == str(directory)
    return directory


@pytest.fixture
def shipped_again() -> Iterator[str]:
    """The version of the shipped model, which is in use again afterwards."""
    triage.load(triage.SHIPPED)
    yield triage.version()
    triage.load(triage.SHIPPED)
