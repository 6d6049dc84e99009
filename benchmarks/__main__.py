"""Runs the benchmarks named on the command line (all without names) and writes RESULTS.md."""

from __future__ import annotations

import importlib
import platform
import sys
from pathlib import Path

ALL = ("intake", "triage")


def main(names: list[str]) -> None:
    """Each benchmark's table, printed and, when all were run, kept in RESULTS.md."""
    head = (
        f"# Results\n\nPython {platform.python_version()}, {platform.machine()}. Compare ratios, not seconds."
    )
    parts = [head, *(importlib.import_module(f"benchmarks.{name}").report() for name in names or ALL)]
    text = "\n\n".join(parts) + "\n"
    print(text)
    if not names:
        (Path(__file__).parent / "RESULTS.md").write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
