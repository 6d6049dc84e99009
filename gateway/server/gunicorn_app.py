"""Runs the application under gunicorn."""

from __future__ import annotations

import gc
import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from gateway import sealed
from gateway.config import BadSetting, Config
from gateway.server.companion import DRAIN_SECONDS, Companion, say
from gateway.server.cpu_affinity import bind, choose, processors
from models.base import close, connect
from models.migrations import ahead, migrate, pending

GARBAGE = 10_000  # more objects made than freed before a worker looks for cycles among them
KEEPALIVE_SECONDS = 75  # longer than the 60 s after which usual proxies drop an idle connection
CONNECTIONS = 1000  # of one worker, idle ones too; when all are taken, the longest idle makes room
OTHER_FILES = 128  # what a worker may have open besides connections
ENDINGS = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}
METRICS = "PROMETHEUS_MULTIPROC_DIR"


def serve(overrides: Mapping[str, str]) -> None:
    """Prepares the embedded database and serves until SIGTERM. `overrides` wins over the environment.

    Raises BadSetting before anything is started.
    """
    config = Config.from_env({**os.environ, **overrides})
    os.environ.update(overrides)  # workers read their settings from the environment
    connect(config.database_url)
    if told := ahead():
        raise BadSetting(f"GATEWAY_DATABASE_URL: {told}")
    if config.embedded:
        migrate()
    elif pending():
        raise BadSetting("the database is not set up: run `feedback-gateway migrate`")
    sealed.connect(config)
    sealed.check()
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
            "worker_class": "gateway.server.worker.Worker",
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
            "http_parser": "fast",  # in C, and always: there is one way to read requests
            # No header is believed about where the application is mounted or how it was reached, whoever
            # sends it (so the list of whom to believe is not asked): proxies pass on what clients send.
            # GATEWAY_TRUSTED_PROXIES says who is asked for addresses.
            "forwarded_allow_ips": "*",
            "forwarder_headers": "",
            "secure_scheme_headers": {},
        }
        for name, value in settings.items():
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


class _Arbiter(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's master process, which also looks after the background worker, once a second."""

    def __init__(self, app: Server, companion: Companion | None) -> None:
        self.companion = companion
        super().__init__(app)

    def manage_workers(self) -> None:
        super().manage_workers()
        if self.companion is not None:
            self.companion.keep()

    def spawn_worker(self) -> Any:
        # What a worker is told before it has handlers of its own waits for these: else it would serve on.
        heard = signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
        try:
            return super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, heard)

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
        say(f"feedback-gateway listens on http://{shown}:{port}")


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
