"""What strangers write stays one line of text in the log and in a terminal."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from flask import Flask

from gateway.access import bootstrap, users
from gateway.access.api_keys import create_key
from gateway.cli import main
from gateway.cli.command import harmless
from gateway.core import log
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.server.early_errors import Asked, refusal
from tests.conftest import Call, Tenant
from tests.inbox.hostile import AWKWARD, HOSTILE, UNHELD

EVERY = (*HOSTILE, *AWKWARD, *UNHELD)


@pytest.fixture(name="logged")
def _logged(app: Flask) -> Callable[[], str]:
    """Everything that has been logged, from the least important on, as the bytes on stderr would be."""
    log.configure("debug")
    (handler,) = log.logger.handlers
    assert isinstance(handler, logging.StreamHandler)
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")  # as stderr is where no locale is set
    handler.setStream(stream)

    def logged() -> str:
        stream.flush()
        return raw.getvalue().decode("ascii")

    return logged


def test_every_line_is_one(call: Call, logged: Callable[[], str]) -> None:
    """A path, a method, a reason or an exception with any words in it is one line of JSON."""
    del log.logger.handlers[1:]  # pytest's own: no report of it can be sent that holds half a character
    count = 0
    for words in EVERY:
        path = f"/inbox/{words}"
        call("GET", path.encode("utf-8", "replace").decode(), headers={"User-Agent": "x"})
        refusal(HTTPStatus.BAD_REQUEST, Asked(words, path, words), frozenset())
        log.notice("sign-in elsewhere failed", "req_1", why=words)
        try:
            raise ValueError(words)
        except ValueError:
            log.failure("unexpected exception", "req_1")
        count += 4
    lines = logged().split("\n")

    assert lines.pop() == ""
    assert len(lines) == count
    for line in lines:
        assert line.isprintable()
        assert json.loads(line)["level"] in ("info", "warning", "error")


def test_no_header_says_what_strangers_said(app: Flask, call: Call) -> None:
    """No answer's header repeats what came in a header, a path, a query or a body."""
    asked = (
        "Idempotency-Key",
        "Origin",
        "Access-Control-Request-Headers",
        "Access-Control-Request-Method",
        "If-Match",
        "If-None-Match",
        "Accept",
        "Accept-Language",
        "Accept-Encoding",
        "User-Agent",
        "Referer",
        "X-Request-Id",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "Forwarded",
        "Content-Type",
        "Cookie",
    )
    routes = (
        ("GET", "/inbox?then=%s"),
        ("GET", "/sign-in?then=%s"),
        ("GET", "/gateway/v1/export?format=%s"),
        ("POST", "/gateway/v1/feedback"),
        ("OPTIONS", "/gateway/v1/feedback"),
        ("GET", "/api/v1/%s"),
        ("GET", "/docs/%s"),
    )
    marks = ("<", "evil.test", "hacked", "\x1b", "{", "\r", "\n")
    for words in ("evil.test", *AWKWARD[:4], "https://evil.test/hacked"):
        for method, path in routes:
            headers = dict.fromkeys(asked, words)
            answer = call(method, path.replace("%s", quote(words)), headers=headers, data=words.encode())
            assert answer.status_code < 500, (path, words)
            told = [
                f"{name}: {value}" for name, value in answer.headers if name != "Access-Control-Allow-Headers"
            ]
            # A page that is asked for without a session is where signing in leads back to, as an escape.
            told = [line for line in told if not line.startswith("Location: /sign-in?then=%2Finbox")]
            assert not [line for line in told if any(mark in line for mark in marks)], (path, words, told)


def test_commands_steer_no_terminal(
    config: Config, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Lists, refusals and a file's own column names leave nothing in the terminal but lines of text."""
    monkeypatch.setenv("GATEWAY_DATABASE_URL", config.database_url)
    monkeypatch.setenv("GATEWAY_DATA_DIR", config.data_dir)
    named = [words for words in (*HOSTILE[::9], *AWKWARD) if len(words) < 200]
    for number, words in enumerate(named):
        create_key(tenant.workspace_id, name=words)
        bootstrap.create_project(tenant.workspace_id, words, now_ms())
        users.create_user(tenant.workspace_id, f"u{number}@a.test", words, "viewer")
    csv = tmp_path / "file.csv"
    csv.write_text(",".join(f'"{words}"'.replace("\n", " ") for words in named if '"' not in words))
    asked = (
        ("key", "list"),
        ("project", "list"),
        ("user", "list"),
        ("show", "fb_\x1b[31m"),
        ("list", "category=\x1b]0;title\x07"),
        ("key", "revoke", "\x9b31m"),
        ("import", str(csv)),
    )
    for command in asked:
        said = CliRunner().invoke(main, list(command)).output
        assert said, command
        assert all(part.isprintable() for part in said.replace("\n", "").replace("\t", "")), command


def test_colours_stay() -> None:
    """What our own tables are coloured with is no attack."""
    assert harmless("\x1b[1mid\x1b[0m\tname\n\x1b[2J\x07") == "\x1b[1mid\x1b[0m\tname\n\ufffd[2J\ufffd"
