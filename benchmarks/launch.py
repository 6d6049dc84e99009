"""Serves as `feedback-gateway serve` does, with other constants, for those who cannot wait or break things.

`LAUNCH` is a JSON object. A name such as `gateway.server.connection.ARRIVE` sets that constant, any other one
is a setting of gunicorn. `rlimit_fsize` is how many bytes a file may have, and `clock` a file whose
eight bytes are a number of seconds that the clock of the server is off by, at any moment.
"""

from __future__ import annotations

import importlib
import json
import mmap
import os
import resource
import struct
import time
from collections.abc import Callable
from typing import Any


def bend_time(path: str) -> None:
    """Lets time.time and time.time_ns, in this process and those forked from it, follow a file."""
    with open(path, "rb") as file:
        offset = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)
    true_time, true_ns = time.time, time.time_ns

    def off() -> float:
        seconds: float = struct.unpack("d", offset[:])[0]
        return seconds

    bent: dict[str, Callable[[], Any]] = {
        "time": lambda: true_time() + off(),
        "time_ns": lambda: true_ns() + int(off() * 1e9),
    }
    for name, clock in bent.items():
        setattr(time, name, clock)


def main() -> None:
    """Applies LAUNCH and serves."""
    wanted: dict[str, Any] = json.loads(os.environ.get("LAUNCH", "{}"))
    if clock := wanted.pop("clock", None):
        bend_time(clock)  # before anything is imported that takes a clock by its name
    limit = wanted.pop("rlimit_fsize", None)

    from gateway.server.gunicorn_app import Server, serve

    settings: dict[str, Any] = {}
    for name, value in wanted.items():
        module, _, constant = name.rpartition(".")
        if module:
            assert hasattr(importlib.import_module(module), constant), name
            setattr(importlib.import_module(module), constant, value)
        else:
            settings[name] = value
    load_config = Server.load_config

    def load(self: Server) -> None:
        load_config(self)
        for name, value in settings.items():
            self.cfg.set(name, value)

    Server.load_config = load  # type: ignore[method-assign]
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    serve({})


if __name__ == "__main__":
    main()
