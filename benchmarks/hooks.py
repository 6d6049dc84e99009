"""What a delivery to a signed hook costs beside a post of the same size to a door with a key.

    python -m benchmarks.hooks [--rounds N]

One worker, wrk, a closed loop on empty tables. Every body says something else; it is padded to the same
number of bytes by a field that nobody reads.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any, NamedTuple

from benchmarks import wrk
from benchmarks.intake import ROOT, body_of, environ_of, serving

CONNECTIONS = 32
SIZE = 2_000  # bytes of a body; such a text fits in, and what surrounds it at GitHub
UNLIMITED = "100000000/minute"
SECRET = "a secret for benchmarks only"


class Door(NamedTuple):
    """How one kind of post is made; a door without a `header` asks for a key."""

    path: str
    body: Callable[[int], dict[str, Any]]
    headers: Mapping[str, str] = {}
    header: str = ""  # that the signature is in
    prefix: str = ""


def text_of(number: int) -> str:
    """The text of a post, forty words."""
    text: str = json.loads(body_of(number))["text"]
    return text


def issue(number: int) -> dict[str, Any]:
    """What GitHub sends of a new issue, as far as it is read."""
    owner = {"id": 7, "login": "example", "type": "Organization"}
    place = f"https://github.com/example/shop/issues/{number}"
    return {
        "action": "opened",
        "issue": {
            "id": number,
            "node_id": f"I_{number}",
            "number": number,
            "title": f"Report {number}",
            "body": text_of(number),
            "state": "open",
            "labels": [],
            "html_url": place,
            "user": {"id": 9, "login": "reporter", "type": "User"},
            "created_at": "2026-11-20T09:02:00Z",
        },
        "repository": {"id": 5, "full_name": "example/shop", "private": False, "owner": owner},
        "sender": {"id": 9, "login": "reporter", "type": "User"},
    }


def doors(hooks: Mapping[str, str]) -> dict[str, Door]:
    """The doors that are compared, the first the one that the others are compared with."""
    return {
        "key, /v1/feedback": Door(
            "/v1/feedback", lambda n: {"projectId": "bench", "text": text_of(n), "page": "/invoices"}
        ),
        "signed, generic": Door(hooks["generic"], lambda n: {"text": text_of(n)}, {}, "X-Signature"),
        "signed, github": Door(
            hooks["github"], issue, {"X-GitHub-Event": "issues"}, "X-Hub-Signature-256", "sha256="
        ),
    }


def padded(told: dict[str, Any]) -> bytes:
    """A body of SIZE bytes."""
    body = json.dumps({**told, "padding": ""})
    return json.dumps({**told, "padding": "x" * (SIZE - len(body))}).encode()


def hooks_in(directory: str) -> dict[str, str]:
    """The paths of new hooks by their kind."""
    made = {}
    for source, options in {"generic": ["--option", "signature_header=X-Signature"], "github": []}.items():
        command = [sys.executable, "-m", "gateway.cli", "hook", "create", source, "--json"]
        done = subprocess.run(
            [*command, "--secret", SECRET, "--rate-limit", UNLIMITED, *options],
            env=environ_of(directory, 1),
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        made[source] = json.loads(done.stdout)["path"]
    return made


def main() -> None:
    """Prints CPU and posts a second of every door, in turns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as directory, serving(directory, 1) as target:
        target.load(500, 8, 10_000_000)
        compared = doors(hooks_in(directory))
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in compared}
        number = 0
        for _ in range(rounds):
            for name, door in compared.items():
                bodies = [padded(door.body(number + n)) for n in range(wrk.BODIES)]
                number += wrk.BODIES
                headers = {"Content-Type": "application/json", **door.headers}
                signatures = [
                    door.prefix + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
                    for body in bodies
                ]
                run = wrk.drive(
                    target.pid,
                    target.host,
                    target.port,
                    door.path,
                    bodies,
                    headers if door.header else {**target.headers, **headers},
                    connections=CONNECTIONS,
                    each=(door.header, signatures) if door.header else None,
                )
                taken[name].append((run.rate, run.cpu_ms))
    print(
        f"{rounds} rounds of {wrk.SECONDS} seconds by wrk, one worker, {CONNECTIONS} connections, "
        f"bodies of {SIZE} bytes.\n"
    )
    print("door              | posts/s | CPU ms a post, of the first")
    first = next(iter(taken.values()))
    for name, runs in taken.items():
        share = median(run[1] / base[1] for run, base in zip(runs, first, strict=True))
        print(
            f"{name:17} | {median(r for r, _ in runs):7.0f} | {median(c for _, c in runs):13.2f}  {share:.2f}"
        )


if __name__ == "__main__":
    main()
