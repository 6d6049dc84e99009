"""Runs the gateway's commands, each in a process of its own that need not import anything first.

Importing the command line takes most of a second. One process does that once and then forks for
every command that it is asked for, one after the other, until its input ends.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def run(environ: Mapping[str, str], words: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    """`feedback-gateway WORDS` in this environment, once it has ended."""
    return _starter().run(environ, words)


class _Starter:
    """The process that forks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.commands"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self.stop)

    def run(self, environ: Mapping[str, str], words: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
        to, back = self._process.stdin, self._process.stdout
        assert to is not None and back is not None
        with self._lock, tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
            asked = {"environ": dict(environ), "words": words, "out": out.name, "err": err.name}
            to.write(json.dumps(asked) + "\n")
            to.flush()
            code = os.waitstatus_to_exitcode(int(back.readline()))
            return subprocess.CompletedProcess(words, code, out.read(), err.read())

    def stop(self) -> None:
        self._process.communicate()  # the end of its input


_starter = cache(_Starter)


def _serve() -> None:
    """Forks for each line of standard input and answers with the status of what ended."""
    from gateway.cli import main

    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            _become(asked)
            sys.exit(main(asked["words"], prog_name="feedback-gateway"))
        print(os.waitpid(child, 0)[1], flush=True)


def _become(asked: dict[str, Any]) -> None:
    """Gives this process its environment and its files."""
    os.environ.clear()
    os.environ.update(asked["environ"])
    for number, path in enumerate([os.devnull, asked["out"], asked["err"]]):
        file = os.open(path, os.O_RDWR)
        os.dup2(file, number)
        os.close(file)


if __name__ == "__main__":
    _serve()
