"""Settings: read from the environment or from files, refused with the name of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import BadSetting, Config


def test_defaults() -> None:
    """Without any setting the gateway serves an embedded database on this machine only."""
    config = Config.from_env({})

    assert config.database_url == "sqlite:///var/gateway.db"
    assert config.bind == "127.0.0.1:8000"
    assert config.rate_limit == "100/minute"
    assert config.limits_path == Path("var/gateway.limits")


def test_values_and_files(tmp_path: Path) -> None:
    """A value comes from its variable, or from the file that NAME_FILE names."""
    (tmp_path / "rate").write_text("9/second\n")
    config = Config.from_env(
        {
            "GATEWAY_BIND": "[::1]:9000",
            "GATEWAY_WORKERS": "3",
            "GATEWAY_MAX_BODY": "",
            "GATEWAY_RATE_LIMIT_FILE": str(tmp_path / "rate"),
        }
    )

    assert (config.bind, config.workers, config.rate_limit) == ("[::1]:9000", 3, "9/second")
    assert config.max_body == Config().max_body


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_DATABASE_URL", "mysql://u:secret@h/d"),
        ("GATEWAY_DATABASE_URL", "sqlite:///:memory:"),
        ("GATEWAY_DATABASE_URL", "gateway.db"),
        ("GATEWAY_DATABASE_URL", "postgresql://u:secret@h/d?no_such=1"),
        ("GATEWAY_BIND", "8000"),
        ("GATEWAY_BIND", "localhost"),
        ("GATEWAY_WORKERS", "two"),
        ("GATEWAY_WORKERS", "0"),
        ("GATEWAY_THREADS", "-1"),
        ("GATEWAY_RATE_LIMIT", "lots"),
        ("GATEWAY_FAILURE_LIMIT", "0/minute"),
        ("GATEWAY_REDIS_URL", "http://:secret@host"),
        ("GATEWAY_REDIS_URL", "redis://:secret@host:port"),
        ("GATEWAY_LIMITS_WHEN_AWAY", "maybe"),
        ("GATEWAY_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("GATEWAY_TRUSTED_PROXIES", "proxy.example.com"),
        ("GATEWAY_MAX_BODY", "1MB"),
        ("GATEWAY_SECRET_KEY", "too-short-secret"),
        ("GATEWAY_PUBLIC_URL", "feedback.example.com"),
        ("GATEWAY_LOG_LEVEL", "loud"),
        ("GATEWAY_RATE_LIMIT_FILE", "/nowhere/at/all"),
    ],
)
def test_bad_values_stop_the_start(name: str, value: str) -> None:
    """A bad value is refused with the variable's name and without what may be secret in it."""
    with pytest.raises(BadSetting, match=name) as refused:
        Config.from_env({name: value})

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["redis://h", "rediss://u:p@h:6379/1", "valkey://[::1]:6379", "valkeys://:p@h", "unix:///run/valkey"],
)
def test_redis_urls(url: str) -> None:
    """Every spelling of where a Redis or Valkey listens."""
    assert Config.from_env({"GATEWAY_REDIS_URL": url}).redis_url == url


def test_a_server_needs_a_secret_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """With PostgreSQL all hosts share one key, which must be given; each has a directory of its own."""
    url = {"GATEWAY_DATABASE_URL": "postgresql://gateway@db.internal/gateway"}
    with pytest.raises(BadSetting, match="GATEWAY_SECRET_KEY"):
        Config.from_env(url)

    config = Config.from_env({**url, "GATEWAY_SECRET_KEY": "k" * 32})
    assert not config.embedded
    assert config.limits_path == Path("var/gateway.limits")
    assert Config.from_env(
        {**url, "GATEWAY_SECRET_KEY": "k" * 32, "GATEWAY_DATA_DIR": "/srv/x"}
    ).failures_path == Path("/srv/x/gateway.failures")

    monkeypatch.setattr("models.base.find_spec", lambda name: None)
    with pytest.raises(BadSetting, match=r"feedback-gateway\[postgres\]"):
        Config.from_env(url)
