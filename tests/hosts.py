"""Gateway hosts of one installation: each with files, a loopback and ports of its own."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from tests.conftest import Server, running

_LIBC = ctypes.CDLL(None, use_errno=True)
_NETWORK = 0x40000000  # CLONE_NEWNET


@contextmanager
def network() -> Iterator[str | None]:
    """The name of a new network namespace with nothing but a loopback, or None where none can be made."""
    name = f"gw-{uuid4().hex[:8]}"
    made = subprocess.run(["sh", "-c", f"ip netns add {name}"], capture_output=True, check=False)
    if made.returncode:
        yield None
        return
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


@contextmanager
def inside(name: str | None) -> Iterator[None]:
    """What this thread connects to or starts is in that network."""
    if name is None:
        yield
        return
    with ExitStack() as stack:
        here, there = (
            stack.enter_context(open(path, "rb"))
            for path in (
                f"/proc/self/task/{_LIBC.gettid()}/ns/net",
                f"/run/netns/{name}",
            )
        )
        _enter(there.fileno())
        try:
            yield
        finally:
            _enter(here.fileno())


def _enter(namespace: int) -> None:
    if _LIBC.setns(namespace, _NETWORK):
        raise OSError(ctypes.get_errno(), "setns")


@dataclass
class Host:
    """A machine that runs a gateway, or could. Both databases are reached through sockets in files."""

    directory: Path
    settings: dict[str, str]
    network: str | None
    server: Server | None = None
    _life: ExitStack | None = None

    def start(self) -> Host:
        """Runs the gateway until it is stopped or killed."""
        self._life = ExitStack()
        with inside(self.network):
            self.server = self._life.enter_context(running(self.directory, **self.settings))
        return self

    def kill(self) -> None:
        """Ends every process of it without a word, and starts it anew."""
        assert self.server is not None
        os.killpg(self.server.process.pid, signal.SIGKILL)
        self.server.process.wait()
        self.stop()
        self.start()

    def stop(self) -> None:
        """Lets it finish what it has, if it still runs."""
        if self._life is not None:
            self._life.close()

    def request(self, method: str, path: str, key: str | None = None, **options: Any) -> httpx.Response:
        """One request on a connection of its own. Raises httpx.TransportError when nobody is there."""
        assert self.server is not None
        headers = {"Authorization": f"Bearer {key or self.server.tenant.key}", **options.pop("headers", {})}
        with inside(self.network):
            url = self.server.url + path
            with httpx.Client(headers=headers, timeout=30, trust_env=False, verify=False) as client:
                return client.request(method, url, **options)

    def run(self, *words: str) -> dict[str, Any]:
        """A command of the gateway on this host."""
        assert self.server is not None
        return self.server.run(*words)


@contextmanager
def hosts(directories: list[Path], **settings: str) -> Iterator[list[Host]]:
    """Running hosts with these directories and settings."""
    with ExitStack() as stack:
        found: list[Host] = []
        for directory in directories:
            if found:  # only the first one makes a workspace and hears its key
                (directory / "key").write_text((found[0].directory / "key").read_text())
            host = Host(directory, settings, stack.enter_context(network()))
            found.append(host.start())
            stack.callback(host.stop)
        yield found
