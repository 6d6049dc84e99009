"""The import directions of setup.cfg hold, and one folder knows the server."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


def test_import_contracts() -> None:
    """No module imports against the directions drawn in setup.cfg."""
    # In a process of its own: the linter configures logging for the whole process.
    command = [str(Path(sys.executable).with_name("lint-imports")), "--config", "setup.cfg", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("library", ["gunicorn", "gevent"])
def test_one_folder_knows_the_server(library: str) -> None:
    """Another server is a matter of gateway/server; what greenlets are for, of
    gateway/core/cooperative.py."""
    allowed = {Path("gateway/core/cooperative.py")} if library == "gevent" else set()
    knowing = {
        path.relative_to(ROOT)
        for package in ("adapters", "gateway", "models")
        for path in (ROOT / package).rglob("*.py")
        if re.search(rf"^\s*(import|from) {library}\b", path.read_text(), re.M)
    }
    assert {path for path in knowing if path.parts[:2] != ("gateway", "server")} == allowed
    assert knowing - allowed
