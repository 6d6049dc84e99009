"""What is sealed with the gateway's key: another key is told at the start, and breaks nothing else."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from click.testing import CliRunner, Result
from flask import Flask

import adapters
from gateway.access import callback_secrets, encryption_key, hooks, users
from gateway.api.health import SHOWN
from gateway.app import create_app
from gateway.background import fetch_credentials
from gateway.background.scheduler import queue_of
from gateway.cli import main
from gateway.core import encryption
from gateway.core.config import BadSetting, Config
from gateway.core.ids import now_ms
from gateway.destinations import managing, sender, stopping
from gateway.files import addresses
from gateway.inbox import oidc
from gateway.intake import auth
from gateway.replies import recipients
from gateway.server.gunicorn_app import Server
from models import HookRow
from models.database.base import close, database, writing
from models.intake import commit
from models.migrations import migrate
from models.tables import destination
from tests.conftest import ROOT, Tenant
from tests.signing import VENDORS

pytestmark = pytest.mark.both(long=True)

OTHER = "another key than the one that secrets were sealed with"
BODY = b'{"text": "The map is upside down"}'
ADAPTERS = adapters.load()
USES = re.compile(rf"\b{encryption.__name__.rpartition('.')[2]}\.(encrypt|decrypt|opened|opens|key_for)\b")
# Each module that seals, opens or signs with the gateway's key, and what shows here how it does with another.
PLACES = {
    "gateway/intake/auth.py": "test_deliveries",
    "gateway/access/hooks.py": "test_a_new_secret_mends_a_hook",
    "gateway/access/callback_secrets.py": "test_callbacks",
    "gateway/access/signing_secrets.py": "test_destinations",
    **dict.fromkeys(
        (f"gateway/destinations/{name}.py" for name in ("managing", "sender", "stopping")),
        "test_destinations",
    ),
    "gateway/inbox/oidc.py": "test_tickets",
    "gateway/inbox/pages.py": "test_a_secret_to_be_shown",
    "gateway/files/addresses.py": "test_signed_addresses",
    "gateway/replies/recipients.py": "test_who_wants_no_mail",
    "gateway/access/sealed_options.py": "test_tokens_of_bots",
    "gateway/background/fetch_credentials.py": "test_tokens_of_bots",
    "gateway/background/scheduler.py": "test_wake_up_calls",
    "gateway/access/encryption_key.py": "test_the_start_is_refused",
}


@pytest.fixture(name="settings")
def _settings(config: Config, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Tells commands the gateway's settings: settings(secret_key=...)."""

    def settings(**changed: str) -> None:
        wanted = replace(config, **changed)
        for name in ("database_url", "data_dir", "secret_key"):
            monkeypatch.setenv(f"GATEWAY_{name.upper()}", getattr(wanted, name))

    monkeypatch.setenv("GATEWAY_BIND", "127.0.0.1:0")
    settings()
    return settings


def made(tenant: Tenant, source: str, **given: Any) -> dict[str, Any]:
    """A hook of a source, made as its vendor wants it."""
    vendor = VENDORS[source]
    given = {"secret": vendor.secret, "options": vendor.options, **given}
    return hooks.create_hook(
        ADAPTERS[source], tenant.workspace_id, None, public_url="https://gateway.test", **given
    )


def deliver(app: Flask, source: str, path: str) -> Any:
    proof = VENDORS[source].sign(VENDORS[source].secret, BODY, now_ms() // 1000)
    return app.test_client().post(path, data=BODY, headers=proof)


def with_key(config: Config, key: str) -> Flask:
    """The gateway, started anew with another key."""
    commit.stop()
    close()
    return create_app(replace(config, secret_key=key, log_level="warning"))


def command(*words: str) -> Result:
    """A command of the gateway, beside no application."""
    commit.stop()
    close()
    return CliRunner().invoke(main, words)


def keys_of(config: Config) -> str:
    """The key in use, as GATEWAY_SECRET_KEY would say it."""
    return config.secret_key or config.secret_path.read_text()


def test_deliveries(config: Config, app: Flask, tenant: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    """With another key each source's delivery is told 503 in its dialect, and a line of the log says why."""
    made_by = {source: made(tenant, source) for source in sorted(VENDORS)}
    key = keys_of(config)
    for source, hook in made_by.items():
        assert deliver(app, source, hook["path"]).status_code < 300
    lost = with_key(config, OTHER)
    logging.getLogger("gateway").propagate = True
    ready = lost.test_client().get("/readyz")

    assert ready.status_code == 503
    for source, hook in made_by.items():
        caplog.clear()
        answer = deliver(lost, source, hook["path"])
        (line,) = [record for record in caplog.records if record.name == "gateway"]

        assert answer.status_code == 503, source
        assert set(answer.json) == {"error", "message", "request_id"}
        assert answer.headers["Retry-After"]
        assert (line.levelname, line.exc_info) == ("WARNING", None)
        assert "GATEWAY_SECRET_KEY" in line.getMessage()
        shown = ready.json["checks"]["secrets"]
        assert f"{source} {hook['hook_id']}" in shown or f"{len(made_by) - SHOWN} more" in shown
        assert VENDORS[source].secret not in ready.text
    again = with_key(config, f"{OTHER}, {key}")
    for source, hook in made_by.items():
        assert deliver(again, source, hook["path"]).status_code < 300
    assert again.test_client().get("/readyz").status_code == 200


def test_only_what_needs_the_lost_key(config: Config, app: Flask, tenant: Tenant) -> None:
    """What needs no secret, or one that can be opened, works beside what does not."""
    bare = hooks.create_hook(ADAPTERS["generic"], tenant.workspace_id, None, unsigned=True)
    dsn = hooks.create_hook(
        ADAPTERS["sentry_envelope"], tenant.workspace_id, None, public_url="https://gateway.test"
    )
    shut = made(tenant, "datadog")
    app = with_key(config, OTHER)
    open_one = made(tenant, "github")
    client = app.test_client()
    envelope = b'{}\n{"type":"feedback"}\n{"contexts":{"feedback":{"message":"The map is upside down"}}}\n'
    statuses = [
        client.post(bare["path"], data=BODY).status_code,
        client.post(
            dsn["path"], data=envelope, headers={"X-Sentry-Auth": f"Sentry sentry_key={dsn['hook_id']}"}
        ).status_code,
        deliver(app, "github", open_one["path"]).status_code,
        client.post("/gateway/v1/feedback", data=BODY, headers=tenant.headers).status_code,
        deliver(app, "datadog", shut["path"]).status_code,
    ]
    ready = client.get("/readyz")
    told = ready.json["checks"]["secrets"]

    assert (ready.status_code, ready.json["status"]) == (200, "ready")
    assert (statuses[:-1], statuses[-1]) == ([200, 200, 200, 201], 503)
    assert [hook["hook_id"] in told for hook in (bare, dsn, open_one, shut)] == [False, False, False, True]


def test_a_wrong_proof_by_a_readable_secret(config: Config, app: Flask, tenant: Tenant) -> None:
    """Of two secrets the one that can be opened is enough; what it does not prove may be the other's."""
    hook = made(tenant, "datadog", secret="the old one, sealed with another key")
    old = HookRow.get().secrets[0]
    app = with_key(config, OTHER)
    new = {"secret": encryption.encrypt(VENDORS["datadog"].secret), "expires_at": None}
    path = hook["path"]
    HookRow.update(secrets=[new, {**old, "expires_at": now_ms() + 60_000}]).execute()
    both = [deliver(app, "datadog", path), app.test_client().post(path, data=BODY)]
    HookRow.update(secrets=[new, {**old, "expires_at": now_ms() - 1}]).execute()
    auth.forget()
    ended = app.test_client().post(path, data=BODY)

    assert [answer.status_code for answer in both] == [200, 503]
    assert ended.status_code == 401
    assert app.test_client().get("/readyz").status_code == 200


@pytest.mark.parametrize("words", [["serve"], ["worker"], ["hook", "create", "github"]], ids="-".join)
def test_the_start_is_refused(
    settings: Callable[..., None],
    app: Flask,
    tenant: Tenant,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When nothing sealed can be opened, server, worker and new hooks are refused by the setting's name."""
    started: list[str] = []
    monkeypatch.setattr(Server, "run", lambda self: started.append("serve"))
    for source in ("github", "slack"):
        made(tenant, source)
    settings(secret_key=OTHER)
    done = command(*words)

    assert (done.exit_code, done.stdout, started) == (1, "", [])
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: GATEWAY_SECRET_KEY: opens none of the secrets of 2 hook(s)")
    assert HookRow.select().count() == 2


def test_a_start_with_some_secrets(
    config: Config, settings: Callable[..., None], app: Flask, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server starts when some secrets can be opened, or none is sealed at all."""
    started: list[str] = []
    monkeypatch.setattr(Server, "run", lambda self: started.append("serve"))
    settings(secret_key=OTHER)
    without = command("serve")
    made(tenant, "github")
    with_key(config, OTHER)
    made(tenant, "slack")
    some = command("serve")

    assert (without.exit_code, some.exit_code, started) == (0, 0, ["serve"] * 2)


def test_a_new_secret_mends_a_hook(
    config: Config, settings: Callable[..., None], app: Flask, tenant: Tenant
) -> None:
    """With a key that is lost for good each hook gets a new secret, and then everything is as before."""
    hook = made(tenant, "datadog", secret="sealed with a key that is lost")
    settings(secret_key=OTHER)
    rotated = command("hook", "rotate", hook["hook_id"], "--secret", VENDORS["datadog"].secret)
    app = with_key(config, OTHER)

    assert rotated.exit_code == 0, rotated.output
    assert len(HookRow.get().secrets) == 1  # nobody can sign with the other any more
    assert deliver(app, "datadog", hook["path"]).status_code == 200
    assert app.test_client().get("/readyz").status_code == 200


def test_tickets(config: Config, app: Flask) -> None:
    """A sign-in that began before the key was changed is begun anew, and proves nothing."""
    ticket = encryption.encrypt(json.dumps({}))
    with_key(config, OTHER)

    with pytest.raises(oidc.NotProven):
        oidc.opened(ticket)


def test_a_secret_to_be_shown(config: Config, app: Flask, tenant: Tenant) -> None:
    """What was made is there, and its page too; the secret that was to be on it is shown nowhere."""
    session = users.open_session(users.create_user(tenant.workspace_id, "ann@example.test", "Ann", "admin"))

    def ask(app: Flask, method: str, path: str, **form: str) -> Any:
        client = app.test_client()
        client.set_cookie("feedback-session", session, domain="localhost")
        return client.open(path, method=method, data=form, headers={"Sec-Fetch-Site": "same-origin"})

    made = ask(app, "POST", "/settings/keys", name="Shop", scopes="ingest")
    page = ask(with_key(config, OTHER), "GET", made.location)

    assert page.status_code == 200 and "Shop" in page.text
    assert not re.search(r"sk_live_\w{20}", page.text)


def test_callbacks(config: Config, app: Flask, tenant: Tenant, settings: Callable[..., None]) -> None:
    """With another key no callback is signed, and a new secret signs alone."""
    assert command("workspace", "callback-secret").exit_code == 0
    settings(secret_key=OTHER)
    with_key(config, OTHER)
    with pytest.raises(encryption.WrongKey), writing():
        callback_secrets.live(tenant.workspace_id)
    told = json.loads(command("workspace", "callback-secret", "--rotate", "--json").stdout)
    with_key(config, OTHER)
    with writing():
        assert callback_secrets.live(tenant.workspace_id) == [told["secret"]]


def test_signed_addresses(config: Config, app: Flask) -> None:
    """An address that was signed with another key opens nothing."""
    asset = {"id": "asset_1", "name": "a.txt"}
    signed = urlsplit(addresses.signed_url(asset))
    told = dict(parse_qsl(signed.query))
    assert addresses.is_signed("asset_1", told["exp"], told["sig"])
    with_key(config, OTHER)

    assert not addresses.is_signed("asset_1", told["exp"], told["sig"])


def test_signed_uploads(config: Config, app: Flask, tenant: Tenant) -> None:
    """A form that was signed with another key uploads nothing."""
    asked = {"workspace_id": tenant.workspace_id, "source": "signed-url", "file_name": "a.txt"}
    made = app.test_client().post("/api/v1/assets", json=asked, headers=tenant.headers)
    told = made.json["upload"]
    form = {**told["form_fields"], "file": (BytesIO(b"words"), "a.txt")}
    answer = with_key(config, OTHER).test_client().post(urlsplit(told["url"]).path, data=form)

    assert answer.status_code == 403


def test_tokens_of_bots(
    config: Config,
    app: Flask,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With another key no token leaves the gateway, and a line of the log says why."""
    hook = made(tenant, "slack", options={"bot_token": "xoxb-1-2-abcdef"})
    told = [{"detail": {"key_id": hook["hook_id"]}}]
    monkeypatch.setattr(fetch_credentials.event, "of", lambda *_, **__: told)
    row = {"id": "asset_1", "uploaded_via": "slack", "feedback_id": "fb_1"}
    row["source_url"] = "https://files.slack.com/files-pri/T1-F1/a.png"
    before = fetch_credentials.headers_for(row)
    with_key(config, OTHER)
    logging.getLogger("gateway").propagate = True
    after = fetch_credentials.headers_for(row)

    assert (before, after) == ({"Authorization": "Bearer xoxb-1-2-abcdef"}, {})
    assert "GATEWAY_SECRET_KEY" in caplog.text
    assert "xoxb-1" not in caplog.text


def test_who_wants_no_mail(config: Config, app: Flask, tenant: Tenant, settings: Callable[..., None]) -> None:
    """With another key nobody can tell, and no link is right; without one the start is refused."""
    with writing():
        digest = recipients.digests(tenant.workspace_id)("ann@example.org")
    url = recipients.unsubscribe_url(tenant.workspace_id, digest)
    proof = url.rpartition("/")[2]
    assert recipients.is_right(tenant.workspace_id, digest, proof)
    assert not recipients.is_right(tenant.workspace_id, digest, proof[:-1])
    with_key(config, OTHER)

    assert not recipients.is_right(tenant.workspace_id, digest, proof)
    with pytest.raises(encryption.WrongKey):
        recipients.has_unsubscribed(tenant.workspace_id, "ann@example.org")
    config.secret_path.unlink(missing_ok=True)
    with pytest.raises(BadSetting, match=r"digests of who wants no mail|is required with a PostgreSQL"):
        encryption_key.connect(replace(config, secret_key=""))


def test_destinations(config: Config, app: Flask, tenant: Tenant) -> None:
    """With another key nothing is sent, and its address and a new secret mend a destination."""
    url, headers = "https://example.test/", {"Authorization": "Bearer abc"}
    made = managing.create(tenant.workspace_id, None, "webhook", url, {"headers": headers}, by="key_test")
    with_key(config, OTHER)

    def now() -> dict[str, Any]:
        found = destination.find(None, None, made["id"])
        assert found is not None
        return found

    delivery = {"id": "msg_1", "body": "{}", "replay": False}
    assert "opened" in str(sender._attempt({**delivery, "to": now()}, None).answer.why)
    assert managing.shown(now())["url"] is None
    assert stopping.proven(made["id"], "0") is None
    managing.change(now(), {"url": url}, by="key_test")
    rotated = managing.rotate(now(), by="key_test")
    assert (rotated["url"], rotated["headers"], rotated["live_secrets"]) == (url, [], 1)
    opened = sender._opened({**delivery, "to": now()}, now()["created_at"], None)
    assert (opened.url, opened.secrets) == (url, [rotated["secret"]])


def test_wake_up_calls(config: Config, app: Flask) -> None:
    """A call that was signed with another key wakes nobody."""
    queue = queue_of(config)
    queue.task(name="wake")(lambda: None)()
    with_key(config, OTHER)
    later = queue_of(config)

    with pytest.raises(ValueError, match="mismatch"):
        later.dequeue()
    for one in (queue, later):
        one.storage.close()


def test_places_are_known() -> None:
    """Whatever else begins to use the gateway's key gets a test here."""
    used = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "gateway").rglob("*.py")
        if USES.search(path.read_text())
    }

    assert used == set(PLACES)
    assert all(test in globals() for test in PLACES.values())


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_secret_is_refused(app: Flask, tenant: Tenant, blank: str) -> None:
    """Nobody can sign with nothing: a hook keeps the secret that it has."""
    hook = made(tenant, "github")
    with pytest.raises(hooks.HookError, match="Must have"):
        made(tenant, "github", secret=blank)
    with pytest.raises(hooks.HookError, match="Must have"):
        hooks.rotate_hook(ADAPTERS["github"], hook["hook_id"], blank)

    assert deliver(app, "github", hook["path"]).status_code == 200


def test_dsns_hold_no_secret(app: Flask, tenant: Tenant) -> None:
    """A database from before gets rid of the empty secrets that hooks of Sentry's SDKs held."""
    sealed_before = [{"secret": encryption.encrypt(""), "expires_at": None}]
    dsn = hooks.create_hook(
        ADAPTERS["sentry_envelope"], tenant.workspace_id, None, public_url="https://gateway.test"
    )
    HookRow.update(secrets=sealed_before).execute()
    kept = made(tenant, "github")
    database.execute_sql("DELETE FROM schema_migration WHERE name = ?", ("0014_dsn",))
    migrate()
    secrets = {row.id: len(row.secrets) for row in HookRow.select()}

    assert secrets == {dsn["hook_id"]: 0, kept["hook_id"]: 1}
