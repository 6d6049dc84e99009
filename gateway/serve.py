"""Runs the application under gunicorn."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from gunicorn.app.base import BaseApplication

from gateway.config import Config
from models.base import close, connect
from models.migrations import migrate

DRAIN_SECONDS = 30  # how long SIGTERM waits for requests that are being answered
KEEPALIVE_SECONDS = 75  # longer than the 60 s after which usual proxies drop an idle connection


def serve(overrides: Mapping[str, str]) -> None:
    """Prepares the embedded database and serves until SIGTERM. `overrides` wins over the environment.

    Raises BadSetting before anything is started.
    """
    config = Config.from_env({**os.environ, **overrides})
    os.environ.update(overrides)  # workers read their settings from the environment
    connect(config.database_url)
    migrate()
    close()  # a connection must not cross the fork
    Server(config).run()


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn with the settings of a Config; `load` says which application."""

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__()

    def load_config(self) -> None:
        settings = {
            "bind": self.config.bind,
            "workers": self.config.workers,
            "threads": self.config.threads,
            "worker_class": "gateway.worker.Worker",
            # Loaded before the fork: workers share the model's memory and answer from the first request on.
            "preload_app": True,
            "graceful_timeout": DRAIN_SECONDS,
            "keepalive": KEEPALIVE_SECONDS,
            "timeout": 60,
            "loglevel": "warning",
            "when_ready": _announce,
            "proc_name": "feedback-gateway",
            "control_socket_disable": True,
        }
        for name, value in settings.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        from gateway.app import create_app  # after settings are in the environment

        return create_app(self.config)


def _announce(arbiter: Any) -> None:
    for listener in arbiter.LISTENERS:
        host, port = listener.sock.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        print(f"feedback-gateway listens on http://{shown}:{port}", file=sys.stderr, flush=True)
