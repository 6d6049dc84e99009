"""`feedback-gateway copy` of many records to PostgreSQL and back: how long, and how much memory.

    python -m benchmarks.copying [--records N]

Each record has an event with its payload. The time includes reading both sides again and comparing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.intake import serving
from benchmarks.server import cluster

COMMAND = """
import sys
from pathlib import Path
Path("/proc/self/clear_refs").write_text("5")  # or the peak is that of whoever started this
from gateway.cli import main
try:
    main(sys.argv[1:])
finally:
    print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0], file=sys.stderr)
"""


def copy(source: str, target: str) -> tuple[dict[str, Any], int]:
    """One copy in a process of its own: its result, and the most memory it had, in MB."""
    command = [sys.executable, "-c", COMMAND, "copy", "--from", source, "--to", target, "--json"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result, int(done.stderr.split()[-1]) // 1024


def source(path: Path, records: int) -> str:
    """The URL of a database with so many records, which are copies of one that came through a door."""
    with serving(str(path), 1, records):
        pass
    return f"sqlite:///{path}/gateway.db"


def main() -> None:
    """Prints a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=200_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, cluster() as server:
        first = source(Path(directory), asked.records)
        second, third = server.new(), f"sqlite:///{directory}/back.db"
        digests = []
        for name, *urls in (("to PostgreSQL", first, second), ("to SQLite", second, third)):
            result, memory = copy(*urls)
            digests.append([table["to"] for table in result["tables"]])
            print(
                f"{name}: {result['rows']:,} rows in {result['seconds']:.0f} s "
                f"({result['rows'] / result['seconds']:,.0f} a second), {memory} MB at most",
                flush=True,
            )
        print(f"digests there and back: {'equal' if digests[0] == digests[1] else 'DIFFERENT'}")
        sys.exit(digests[0] != digests[1])


if __name__ == "__main__":
    main()
