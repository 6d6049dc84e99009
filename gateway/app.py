"""The web application: settings, database, one route per door, and errors in each dialect."""

from __future__ import annotations

from flask import Flask

import adapters
from gateway import inbox
from gateway.access import encryption_key, hooks
from gateway.api.openapi import docs_page
from gateway.core import concurrency, log, mail, metrics, outbound
from gateway.core.config import Config
from gateway.core.cooperative import ASIDE, HANDOFF
from gateway.files import addresses, store
from gateway.http.flask_app import Gateway
from gateway.intake import auth, limits
from gateway.rate_limits import auth_failures
from gateway.routes import Routes
from gateway.triage import active_model
from models.database.base import connect

BESIDES = 2 + ASIDE  # connections for the thread that writes, for one that is still there when it starts anew


def create_app(config: Config | None = None) -> Flask:
    """The application, ready for its first request: database bound, model loaded, nothing opened yet."""
    config = config or Config.from_env()
    log.configure(config.log_level)
    metrics.connect()
    connect(config.database_url, config.threads + BESIDES, handoff=HANDOFF)
    encryption_key.connect(config)
    hooks.connect(config.url)
    limits.connect(config.limits_path, config.rate_limit, config.redis_url, config.limits_when_away)
    outbound.connect(config)
    mail.connect(config)
    auth_failures.connect(config.failures_path, config.failure_limit)
    auth.forget()
    store.connect(config)
    addresses.connect(config.url)
    concurrency.connect(config.threads)
    active_model.connect(config.model_path)
    app = Gateway("gateway", static_folder=None)
    app.url_map.merge_slashes = False  # a redirect turns a client's POST into a GET
    Routes(app, config, adapters.load()).add(config)
    docs_page.description()
    inbox.mount(app, config)
    return app
