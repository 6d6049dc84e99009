"""Runs the application under gunicorn."""

from __future__ import annotations

import errno
import gc
import os
import re
import resource
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from gateway.access import encryption_key
from gateway.core import storage
from gateway.core.config import BadSetting, Config
from gateway.core.program import typed
from gateway.files.store import check_folder
from gateway.rate_limits import redis_counter
from gateway.server.companion import DRAIN_SECONDS, Companion, say
from gateway.server.cpu_affinity import bind, choose, processors
from gateway.triage import ModelError
from models.database.base import close, first, named
from models.migrations import migrate
from models.tables.user import User
from models.tables.workspace import Workspace

GARBAGE = 10_000  # more objects made than freed before a worker looks for cycles among them
KEEPALIVE_SECONDS = 75  # longer than the 60 s after which usual proxies drop an idle connection
CONNECTIONS = 1000  # of one worker, idle ones too; when all are taken, the longest idle makes room
OTHER_FILES = 128  # what a worker may have open besides connections
ENDINGS = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}
METRICS = "PROMETHEUS_MULTIPROC_DIR"
SHARED_MEMORY = "/dev/shm"
PREFIX = "feedback-gateway-"
BIND_TRIES, BIND_PAUSE = 10, 0.2  # seconds between tries to listen where somebody else still does


def serve(overrides: Mapping[str, str]) -> None:
    """Migrates the embedded database and serves until SIGTERM. `overrides` wins over the environment.

    Raises BadSetting before anything is started.
    """
    config = Config.from_env({**os.environ, **overrides})
    os.environ.update(overrides)  # workers read their settings from the environment
    _check_bind(config.bind)
    told: list[str] = []
    if config.redis_url:
        told = redis_counter.reach(config.redis_url, may_be_away=config.limits_when_away != "closed")
    storage.open_database(config, schema=not config.embedded)
    if config.embedded:
        migrate()
    encryption_key.connect(config)
    encryption_key.check()
    check_folder(config)
    for line in [*told, f"database {named(config.database_url)}", *storage.close_files(config)]:
        say(f"feedback-gateway: {typed(line)}")
    ways_in = list(_ways_in())
    close()  # a connection must not cross the fork
    with _metrics_directory():
        Server(config, ways_in).run()


def _check_bind(bind: str) -> None:
    """Raises BadSetting when nobody can listen there. gunicorn would try for seconds and say less."""
    host, _, port = bind.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for left in reversed(range(BIND_TRIES)):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host.strip("[]"), int(port)))
            return
        except (OSError, UnicodeError) as error:  # the latter for what is no host name
            number = getattr(error, "errno", None)
            if number == errno.EADDRINUSE and left:  # who is just ending
                time.sleep(BIND_PAUSE)
                continue
            why = str(getattr(error, "strerror", None) or error)
            if number == errno.EACCES:
                why += "; ports below 1024 are root's, so take another one or give CAP_NET_BIND_SERVICE"
            raise BadSetting(f"GATEWAY_BIND: cannot listen on {bind}: {why}") from None


def _ways_in() -> Iterator[str]:
    """How to get a key and a link, which are shown once and scroll away."""
    if first(Workspace.select(Workspace.id)) is None:
        yield "nobody can use it yet: `feedback-gateway init` prints a key and a link for the first admin"
        return
    yield "a key that is lost cannot be shown again: `feedback-gateway key create` prints a new one"
    if first(User.select(User.id)) is None:
        yield (
            "nobody has a password yet: open the link that was printed; "
            "`feedback-gateway init` prints another, and ends that one"
        )


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn with the settings of a Config; `load` says which application."""

    def __init__(self, config: Config, ways_in: Sequence[str] = ()) -> None:
        self.config, self._ways_in = config, ways_in
        super().__init__()

    def load_config(self) -> None:
        ours = processors(self.config.cpu_affinity, self.config.workers)
        settings = {
            "bind": self.config.bind,
            "workers": self.config.workers,
            "threads": self.config.threads,
            "worker_connections": max(self.config.threads * 2, min(CONNECTIONS, _files() - OTHER_FILES)),
            "worker_class": "gateway.server.gevent_worker.Worker",
            # Loaded before the fork: workers share the model's memory and answer from the first request on.
            "preload_app": True,
            "graceful_timeout": DRAIN_SECONDS,
            "keepalive": KEEPALIVE_SECONDS,
            "timeout": 60,
            "loglevel": "warning",
            "when_ready": self._announce,
            "pre_fork": lambda arbiter, worker: choose(arbiter, worker, ours),
            "post_fork": lambda arbiter, worker: bind(worker),
            "child_exit": _forget_worker,
            "pre_request": lambda worker, request: None,  # the default's is a line for debugging
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

        try:
            app = create_app(self.config)
        except ModelError as error:
            raise BadSetting(f"GATEWAY_MODEL: {error}") from None
        gc.collect()
        gc.freeze()  # what all workers share is not looked through again: that took 40 ms each time
        gc.set_threshold(GARBAGE)  # a request leaves no cycles behind, but a few hundred objects till it ends
        return app

    def _announce(self, arbiter: Any) -> None:
        for listener in arbiter.LISTENERS:
            host, port = listener.sock.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            say(f"feedback-gateway listens on http://{shown}:{port}")
        for line in self._ways_in:
            say(f"feedback-gateway: {line}")

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


@contextmanager
def _metrics_directory() -> Iterator[None]:
    """A directory where workers keep their numbers, known to the metrics library before it is imported.

    In shared memory where there is some: the files are mapped, and a full disk would kill who counts.
    """
    if given := os.environ.get(METRICS):  # the operator's, who also empties it
        if not os.path.isdir(given) or not os.access(given, os.W_OK):
            raise BadSetting(f"{METRICS}: {given} is no folder that can be written to")
        yield
        return
    _forget_dead()
    owner = os.getpid()
    os.environ[METRICS] = _new_folder(f"{PREFIX}{os.getuid()}-{owner}-")
    try:
        yield
    finally:
        if os.getpid() == owner:  # workers, too, leave through here
            shutil.rmtree(os.environ.pop(METRICS), ignore_errors=True)


def _new_folder(prefix: str) -> str:
    """A new folder that only we may enter, in shared memory or else where temporary files are."""
    try:
        return tempfile.mkdtemp(prefix=prefix, dir=SHARED_MEMORY)
    except OSError as error:
        folder = tempfile.mkdtemp(prefix=prefix)
        say(f"feedback-gateway: no folder in {SHARED_MEMORY} ({error.strerror}), numbers are in {folder}")
        return folder


def _forget_dead() -> None:
    """Removes folders of servers that were killed, and nothing that is not ours, whatever it is called."""
    name = re.compile(rf"{PREFIX}{os.getuid()}-(\d{{1,9}})-\w+", re.ASCII)
    for parent in (SHARED_MEMORY, tempfile.gettempdir()):
        with suppress(OSError), os.scandir(parent) as found:
            for one in found:
                owner, is_folder = name.fullmatch(one.name), one.is_dir(follow_symlinks=False)
                if owner is None or not is_folder or one.stat().st_uid != os.getuid():
                    continue
                if not _runs(int(owner[1])):
                    shutil.rmtree(one.path, ignore_errors=True)


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
