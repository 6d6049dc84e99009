"""wrk as the load generator: it leaves the cores to the server, where a client in Python takes one of two."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.load import Run, cpu_seconds, resident

POINTS = 1000  # of the distribution of latencies
SECONDS = 2  # wrk stops by the clock
BODIES = 12_000  # more than a gateway takes in that time; a bare view gets some of them twice
# One thread, so that the bodies are sent in their order.
SCRIPT = """
local requests, sent = {{}}, 0
function init(args)
  local headers, own = {{{headers}}}, io.lines("{own}")
  for body in io.lines("{bodies}") do
    if "{name}" ~= "" then headers["{name}"] = own() end
    requests[#requests + 1] = wrk.format("POST", "{path}", headers, body)
  end
end
function request()
  sent = sent % #requests + 1
  return requests[sent]
end
function done(summary, latency, _)
  local told = {{summary.requests, summary.duration, summary.errors.status, summary.errors.connect
    + summary.errors.read + summary.errors.write + summary.errors.timeout}}
  for point = 1, {points} do told[#told + 1] = latency:percentile(100 * point / {points}) end
  print("told " .. table.concat(told, " "))
end
"""


def installed() -> bool:
    """Whether there is a wrk to drive with."""
    return shutil.which("wrk") is not None


def drive(
    pid: int,
    host: str,
    port: int,
    path: str,
    bodies: Sequence[bytes],
    headers: Mapping[str, str],
    *,
    connections: int,
    seconds: int = SECONDS,
    each: tuple[str, Sequence[str]] | None = None,
) -> Run:
    """Posts `bodies` for so long over kept connections, each waiting for its answer; a body is one line.

    `each` is the name of a header whose value is another one for each body.

    The run's latencies are so many POINTS of their distribution. Raises RuntimeError for a request
    that failed and for an answer that is none of the 2xx and 3xx.
    """
    told = {**headers, "Host": f"{host}:{port}"}
    with tempfile.TemporaryDirectory() as directory:
        lines, own, script = (Path(directory, name) for name in ("bodies", "own", "post.lua"))
        lines.write_bytes(b"\n".join(bodies) + b"\n")
        name, values = each or ("", ())
        own.write_text("".join(f"{value}\n" for value in values))
        listed = ", ".join(f"[{json.dumps(name)}] = {json.dumps(value)}" for name, value in told.items())
        script.write_text(
            SCRIPT.format(bodies=lines, own=own, name=name, path=path, headers=listed, points=POINTS)
        )
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s", str(script)]
        before = cpu_seconds(pid)
        done = subprocess.run([*command, f"http://{host}:{port}"], capture_output=True, text=True, check=True)
        cpu = cpu_seconds(pid) - before
    found = re.search(r"^told (.*)$", done.stdout, re.M)
    if found is None:
        raise RuntimeError(done.stdout + done.stderr)
    count, microseconds, refused, failed, *points = (float(word) for word in found[1].split())
    if refused or failed:
        raise RuntimeError(f"{refused:.0f} of {count:.0f} requests were refused, {failed:.0f} failed")
    return Run(
        microseconds / 1e6,
        cpu,
        resident(pid),
        [point / 1e6 for point in points],
        {201: int(count)},
        int(count),
    )
