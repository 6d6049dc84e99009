"""The import directions of setup.cfg hold."""

from __future__ import annotations

from importlinter.cli import lint_imports

from tests.conftest import ROOT


def test_import_contracts() -> None:
    """No module imports against the directions drawn in setup.cfg."""
    assert lint_imports(config_filename=str(ROOT / "setup.cfg"), no_cache=True) == 0
