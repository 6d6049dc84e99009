"""Runs the benchmarks named on the command line (all without names) and writes their parts of RESULTS.md."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
LAUNCHERS = {"__main__", "launch"}


def main(names: list[str]) -> None:
    """Each benchmark in a process of its own; what all of them print is kept in RESULTS.md."""
    known = sorted(
        path.stem
        for path in HERE.glob("*.py")
        if path.stem not in LAUNCHERS and '__name__ == "__main__"' in path.read_text()
    )
    results, failed = HERE / "RESULTS.md", False
    kept = results.read_text().split("\n## ")[1:] if names and results.exists() else []
    parts = {part.partition("\n")[0]: f"## {part.strip()}" for part in kept}
    for name in names or known:
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        done = subprocess.run(command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True, check=False)
        failed |= done.returncode != 0  # what it printed says why
        parts[name] = f"## {name}\n\n`python -m benchmarks.{name}`\n\n```\n{done.stdout.rstrip()}\n```"
        print(parts[name], flush=True)
        machine = f"Python {platform.python_version()}, {platform.machine()}"
        head = f"# Results\n\n{machine}. Compare ratios, not seconds."
        results.write_text("\n\n".join([head, *(parts[name] for name in sorted(parts))]) + "\n")
    sys.exit(failed)


if __name__ == "__main__":
    main(sys.argv[1:])
