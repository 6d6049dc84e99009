"""Runs the application under gunicorn."""

from __future__ import annotations

import gc
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from gateway.affinity import bind, choose, processors
from gateway.config import BadSetting, Config
from models.base import close, connect
from models.migrations import migrate, pending

DRAIN_SECONDS = 30  # how long SIGTERM waits for requests that are being answered
GARBAGE = 10_000  # more objects made than freed before a worker looks for cycles among them
KEEPALIVE_SECONDS = 75  # longer than the 60 s after which usual proxies drop an idle connection
CONNECTIONS = 1000  # of one worker, idle ones too; when all are taken, the longest idle makes room
OTHER_FILES = 128  # what a worker may have open besides connections
RESTART_SECONDS = 5.0  # between two starts of a background worker that keeps dying
METRICS = "PROMETHEUS_MULTIPROC_DIR"


def serve(overrides: Mapping[str, str]) -> None:
    """Prepares the embedded database and serves until SIGTERM. `overrides` wins over the environment.

    Raises BadSetting before anything is started.
    """
    config = Config.from_env({**os.environ, **overrides})
    os.environ.update(overrides)  # workers read their settings from the environment
    connect(config.database_url)
    if config.embedded:
        migrate()
    elif pending():
        raise BadSetting("the database is not set up: run `feedback-gateway migrate`")
    close()  # a connection must not cross the fork
    with _metrics_directory():
        Server(config).run()


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn with the settings of a Config; `load` says which application."""

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__()

    def load_config(self) -> None:
        ours = processors(self.config.cpu_affinity, self.config.workers)
        settings = {
            "bind": self.config.bind,
            "workers": self.config.workers,
            "threads": self.config.threads,
            "worker_connections": max(self.config.threads * 2, min(CONNECTIONS, _files() - OTHER_FILES)),
            "worker_class": "gateway.worker.Worker",
            # Loaded before the fork: workers share the model's memory and answer from the first request on.
            "preload_app": True,
            "graceful_timeout": DRAIN_SECONDS,
            "keepalive": KEEPALIVE_SECONDS,
            "timeout": 60,
            "loglevel": "warning",
            "when_ready": _announce,
            "pre_fork": lambda arbiter, worker: choose(arbiter, worker, ours),
            "post_fork": lambda arbiter, worker: bind(worker),
            "child_exit": _forget_worker,
            "proc_name": "feedback-gateway",
            "control_socket_disable": True,
        }
        for name, value in settings.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        from gateway.app import create_app  # after settings are in the environment

        app = create_app(self.config)
        gc.collect()
        gc.freeze()  # what all workers share is not looked through again: that took 40 ms each time
        gc.set_threshold(GARBAGE)  # a request leaves no cycles behind, but a few hundred objects till it ends
        return app

    def run(self) -> None:
        """Serves until SIGTERM, with the background worker beside it unless that is switched off."""
        _Arbiter(self, Companion() if self.config.background == "on" else None).run()


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
            _say("feedback-gateway: the background worker died, starting it again")
        self._next_start = time.monotonic() + RESTART_SECONDS
        command = [sys.executable, "-m", "gateway.background", "--parent", str(os.getpid())]
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        except OSError as error:  # no memory or no process left: not a reason to serve nobody
            _say(f"feedback-gateway: cannot start the background worker: {error}")

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


class _Arbiter(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's master process, which also looks after the background worker, once a second."""

    def __init__(self, app: Server, companion: Companion | None) -> None:
        self.companion = companion
        super().__init__(app)

    def manage_workers(self) -> None:
        super().manage_workers()
        if self.companion is not None:
            self.companion.keep()

    def stop(self, graceful: bool = True) -> None:
        if self.companion is not None:
            self.companion.stop()
        super().stop(graceful)
        if self.companion is not None:
            self.companion.wait()
            self.companion = None


def _announce(arbiter: Any) -> None:
    for listener in arbiter.LISTENERS:
        host, port = listener.sock.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        _say(f"feedback-gateway listens on http://{shown}:{port}")


def _say(line: str) -> None:
    """Writes a line to stderr, if it can be written: what goes wrong here would end gunicorn's master."""
    with suppress(OSError):  # the disk that the log is on is full, or nobody reads any more
        print(line, file=sys.stderr, flush=True)


@contextmanager
def _metrics_directory() -> Iterator[None]:
    """A directory where workers keep their numbers, known to the metrics library before it is imported.

    In shared memory where there is some: the files are mapped, and a full disk would kill who counts.
    """
    if os.environ.get(METRICS):  # the operator's, who also empties it
        yield
        return
    parent = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(tempfile.gettempdir())
    prefix = f"feedback-gateway-{os.getuid()}-"
    for left in parent.glob(f"{prefix}*"):  # by those who were killed
        if not _runs(int(left.name.removeprefix(prefix).partition("-")[0])):
            shutil.rmtree(left, ignore_errors=True)
    owner = os.getpid()
    os.environ[METRICS] = tempfile.mkdtemp(prefix=f"{prefix}{owner}-", dir=parent)
    try:
        yield
    finally:
        if os.getpid() == owner:  # workers, too, leave through here
            shutil.rmtree(os.environ.pop(METRICS), ignore_errors=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _forget_worker(arbiter: Any, worker: Any) -> None:
    from prometheus_client.multiprocess import mark_process_dead  # after its directory is known

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def _files() -> int:
    """How many files this process may have open, as many as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else soft
