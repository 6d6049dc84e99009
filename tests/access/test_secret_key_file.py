"""The file of the key that is made where GATEWAY_SECRET_KEY is not set, as on the embedded database only."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask

from gateway.access import hooks
from gateway.app import create_app
from gateway.cli import main
from gateway.core import encryption
from gateway.core.config import BadSetting, Config
from gateway.destinations import managing
from gateway.server.gunicorn_app import Server
from tests.access.test_encryption_key import ADAPTERS, made
from tests.conftest import Tenant


@pytest.fixture(name="environ")
def _environ(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway's settings, for commands."""
    monkeypatch.setenv("GATEWAY_DATABASE_URL", config.database_url)
    monkeypatch.delenv("GATEWAY_SECRET_KEY", raising=False)


@pytest.mark.usefixtures("environ")
def test_no_key_is_made_anew(
    config: Config, app: Flask, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While secrets are sealed nothing makes another key; the start is refused, and it is said what to do."""
    monkeypatch.setattr(Server, "run", lambda self: pytest.fail("served"))
    made(tenant, "github")
    path = config.secret_path
    path.unlink()
    for left in (None, b"", b" \n", b" , ", b"\xff\xfe", "a folder"):
        if left == "a folder":
            path.unlink()
            path.mkdir()
        elif isinstance(left, bytes):
            path.write_bytes(left)
        for words in (["serve"], ["worker"], ["hook", "create", "github"], ["hook", "rotate", "hk_1"]):
            done = CliRunner().invoke(main, words)

            assert (done.exit_code, done.stdout) == (1, ""), (left, words)
            (line,) = done.stderr.splitlines()
            assert line.startswith(f"Error: GATEWAY_SECRET_KEY: is not set, and {path}")
            assert "hook rotate" in line
        with pytest.raises(BadSetting):
            create_app(config)
        assert path.exists() == (left is not None)


@pytest.mark.usefixtures("environ")
def test_a_secret_of_callbacks_keeps_the_key(config: Config, app: Flask, tenant: Tenant) -> None:
    """Where callbacks alone have a secret no other key is made either, and it is said what to do."""
    assert CliRunner().invoke(main, ["workspace", "callback-secret"]).exit_code == 0
    config.secret_path.unlink()
    done = CliRunner().invoke(main, ["workspace", "callback-secret", "--rotate"])

    assert done.exit_code == 1 and "callback-secret --rotate" in done.stderr
    assert not config.secret_path.exists()


@pytest.mark.usefixtures("environ")
def test_destinations_keep_the_key(config: Config, app: Flask, tenant: Tenant) -> None:
    """Where destinations alone hold something sealed no other key is made either."""
    managing.create(tenant.workspace_id, None, "webhook", "https://example.test/", {}, by="key_test")
    config.secret_path.unlink()
    done = CliRunner().invoke(main, ["destination", "list"])

    assert done.exit_code == 1 and "each destination" in done.stderr
    assert not config.secret_path.exists()


@pytest.mark.usefixtures("environ")
def test_what_needs_no_key(config: Config, app: Flask, tenant: Tenant) -> None:
    """Records can still be read, and hooks listed and ended, without the key."""
    hook = made(tenant, "github")
    config.secret_path.unlink()
    codes = [
        CliRunner().invoke(main, words).exit_code
        for words in (["hook", "list"], ["export"], ["hook", "delete", hook["hook_id"]])
    ]

    assert codes == [0, 0, 0]
    assert not config.secret_path.exists()


def test_a_key_is_made_where_nothing_is_sealed(config: Config, app: Flask, tenant: Tenant) -> None:
    """Hooks that have no secret, or are ended, need no key: another one is made."""
    hooks.create_hook(ADAPTERS["generic"], tenant.workspace_id, None, unsigned=True)
    hooks.create_hook(
        ADAPTERS["sentry_envelope"], tenant.workspace_id, None, public_url="https://gateway.test"
    )
    hooks.delete_hook(made(tenant, "github")["hook_id"])
    config.secret_path.unlink()
    create_app(config)

    assert len(config.secret_path.read_text()) > 40


def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that cannot be written whole is none, and leaves no file behind."""

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.core.encryption.os.fsync", full)
    path = tmp_path / "made" / "secret.key"
    with pytest.raises(encryption.NoKey, match="No space left"):
        encryption.connect("", path)

    assert list(path.parent.iterdir()) == []
