"""The background worker beside a server: started with it, started again when it dies, ended with it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress

DRAIN_SECONDS = 30  # how long SIGTERM waits for what is being done
RESTART_SECONDS = 5.0  # between two starts of a background worker that keeps dying


class Companion:
    """The background worker of this host: a process of its own that is started again when it dies.

    It ends with this process, however that ends.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._next_start = 0.0

    def keep(self) -> None:
        """Starts it when it does not run."""
        if time.monotonic() < self._next_start or (self._process and self._process.poll() is None):
            return
        if self._process is not None:
            say("feedback-gateway: the background worker died, starting it again")
        self._next_start = time.monotonic() + RESTART_SECONDS
        command = [sys.executable, "-m", "gateway.background.scheduler", "--parent", str(os.getpid())]
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        except OSError as error:  # no memory or no process left: not a reason to serve nobody
            say(f"feedback-gateway: cannot start the background worker: {error}")

    def stop(self) -> None:
        """Asks it to finish what it is writing and to end."""
        if self._process is not None:
            self._process.terminate()

    def wait(self) -> None:
        """Waits for its end, for as long as it may take."""
        if self._process is None:
            return
        try:
            self._process.wait(DRAIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()


def say(line: str) -> None:
    """Writes a line to stderr, if it can be written: what goes wrong here would end gunicorn's master."""
    with suppress(OSError):  # the disk that the log is on is full, or nobody reads any more
        print(line, file=sys.stderr, flush=True)
