"""Guessing keys: an address that fails too often is told to wait, before anything is looked up."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

import adapters
from gateway.access import hooks
from gateway.core.config import Config
from gateway.intake import auth
from tests.conftest import Call, Tenant

DOORS = {
    "/api/v1/feedback": {"kind": "bug", "summary": "s", "detail": "d"},
    "/v2/feedback": {"property": "rating", "value": "good", "trace_id": "t"},
    "/v1/feedback": {"projectId": "p", "text": "hallo"},
    "/gateway/v1/feedback": {"text": "Where can I change my address?"},
}
NATIVE = "/gateway/v1/feedback"

Guess = Callable[..., TestResponse]


@pytest.fixture(name="config")
def _config(config: Config) -> Config:
    return replace(config, failure_limit="3/hour", trusted_proxies="10.0.0.0/8")


@pytest.fixture(name="guess")
def _guess(call: Call) -> Guess:
    """Sends feedback from an address: guess("198.51.100.1", key="sk_live_...")."""

    def guess(address: str, path: str = NATIVE, key: str = "sk_live_wrong", **headers: str) -> TestResponse:
        return call(
            "POST",
            path,
            json=DOORS.get(path, {"text": "x"}),
            headers={"Authorization": f"Bearer {key}" if key else "", **headers},
            environ_overrides={"REMOTE_ADDR": address},
        )

    return guess


def statuses(guess: Guess, count: int, *args: Any, **options: Any) -> list[int]:
    return [guess(*args, **options).status_code for _ in range(count)]


@pytest.mark.parametrize("path", DOORS)
def test_refused_in_dialect(guess: Guess, path: str) -> None:
    """After three wrong keys the fourth is a 429 in its dialect, with an integer Retry-After."""
    assert statuses(guess, 3, "198.51.100.1", path) == [401] * 3
    refused = guess("198.51.100.1", path)

    assert refused.status_code == 429
    assert re.search("Too many failed attempts|Rate limit exceeded", refused.text)
    assert 1 <= int(refused.headers["Retry-After"]) <= 3660


def test_nothing_is_looked_up(guess: Guess, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is told to wait costs no query, even with a key of the right form."""
    statuses(guess, 3, "198.51.100.1")
    monkeypatch.setattr(auth, "find_key", lambda name: pytest.fail("looked up"))

    assert guess("198.51.100.1", key=tenant.key[:-1] + "0").status_code == 429


def test_valid_keys_that_were_seen_still_pass(
    guess: Guess, tenant: Tenant, new_key: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that this process has seen valid passes from the same address, though it is looked up again."""
    assert guess("198.51.100.1", key=tenant.key).status_code == 201
    statuses(guess, 5, "198.51.100.1")
    monkeypatch.setattr(auth, "REMEMBERED", 0.0)

    assert statuses(guess, 3, "198.51.100.1", key=tenant.key) == [201] * 3
    assert guess("198.51.100.1", key=new_key()).status_code == 429
    assert guess("198.51.100.2", key=new_key()).status_code == 201


def test_missing_keys_count(guess: Guess) -> None:
    """No key at all is a failure like any other."""
    assert statuses(guess, 5, "198.51.100.1", key="") == [401] * 3 + [429] * 2


def test_whose_failures_they_are(guess: Guess) -> None:
    """IPv6 counts by /64; failures through a trusted proxy are its client's, and nobody else is believed."""
    assert [guess(f"2001:db8::{n}").status_code for n in range(4)] == [401] * 3 + [429]
    assert guess("2001:db8:0:1::1").status_code == 401
    proxied = [guess("10.0.0.1", **{"X-Forwarded-For": f"6.6.6.{n}, 203.0.113.9"}) for n in range(4)]
    assert [answer.status_code for answer in proxied] == [401] * 3 + [429]
    assert guess("10.0.0.1", **{"X-Forwarded-For": "203.0.113.10"}).status_code == 401
    lying = [guess("198.51.100.1", **{"X-Forwarded-For": f"6.6.6.{n}"}) for n in range(4)]
    assert [answer.status_code for answer in lying] == [401] * 3 + [429]


def test_hooks(guess: Guess, tenant: Tenant) -> None:
    """Bad signatures shut out their own hook only; unknown hooks count for the address."""
    generic, url = adapters.load()["generic"], "https://gateway.test"
    first, second = (hooks.create_hook(generic, tenant.workspace_id, None, public_url=url) for _ in range(2))
    assert statuses(guess, 4, "198.51.100.1", first["path"]) == [401] * 3 + [429]
    assert guess("198.51.100.1", first["path"], key=first["secret"]).status_code == 429
    assert guess("198.51.100.2", first["path"], key=first["secret"]).status_code < 300
    assert guess("198.51.100.1", second["path"], key=second["secret"]).status_code < 300

    assert statuses(guess, 4, "198.51.100.1", "/hooks/generic/hk_0") == [401] * 3 + [429]
    assert guess("198.51.100.1", second["path"], key=second["secret"]).status_code < 300


def test_a_file_that_cannot_be_used_keeps_nobody_out(guess: Guess, tenant: Tenant, config: Config) -> None:
    """Failures that cannot be counted are plain 401s, and keys work."""
    Path(config.failures_path).mkdir()

    assert statuses(guess, 5, "198.51.100.1") == [401] * 5
    assert guess("198.51.100.1", key=tenant.key).status_code == 201
