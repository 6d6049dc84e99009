"""Doors of senders that sign: what proves a delivery, what does not, and that one delivery is one record."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

import adapters
from adapters.common.signatures import shows_secret
from gateway.access import hooks
from gateway.core import encryption
from gateway.core.ids import now_ms
from gateway.intake import auth
from models import Event, Feedback, HookRow, Quarantine
from tests.conftest import ROOT, Call, Tenant, make_tenant
from tests.signing import VENDORS, Vendor, bearer

pytestmark = pytest.mark.both(long=True)

FIXTURES = Path(__file__).parent.parent / "fixtures"
SIGNED = {name: adapter for name, adapter in adapters.load().items() if adapter.signed}
for _name, _adapter in SIGNED.items():
    if _adapter.signed and _adapter.signed.verify is shows_secret:
        VENDORS.setdefault(_name, Vendor("a-shown-secret", bearer))
NAMES = sorted(set(VENDORS) & set(SIGNED))


@pytest.mark.parametrize("name", SIGNED)
def test_every_signature_is_tried(name: str) -> None:
    """A source that proves its origin in a way of its own has tests of that."""
    assert name in VENDORS or (ROOT / f"tests/adapters/test_{name}.py").exists()


def cases(name: str) -> list[dict[str, Any]]:
    """A source's fixtures through its first door that become records."""
    found = [json.loads(path.read_text()) for path in sorted((FIXTURES / name).glob("*.json"))]
    return [
        case
        for case in found
        if case.get("records")
        and case["request"].get("method", "POST") == "POST"
        and not any(record.get("unreadable") for record in case["records"])
        and not any(
            record.get("votes_for") or record.get("retracts") or record.get("quiet") or not record["text"]
            for record in case["records"]
        )
    ]


def body_of(case: dict[str, Any]) -> bytes:
    request = case["request"]
    return json.dumps(request["json"]).encode() if "json" in request else request["text"].encode()


class Sender:
    """A vendor with a hook in the tenant's workspace."""

    def __init__(self, name: str, call: Call, tenant: Tenant, options: dict[str, Any] | None = None) -> None:
        self.vendor, self.call, self.adapter = VENDORS[name], call, SIGNED[name]
        self.made = hooks.create_hook(
            self.adapter,
            tenant.workspace_id,
            None,
            public_url="https://gateway.test",
            secret=self.vendor.secret,
            options={**self.vendor.options, **(options or {})},
        )

    def send(
        self,
        body: bytes,
        headers: dict[str, str] | None = None,
        *,
        secret: str | None = None,
        now: int | None = None,
        signed: dict[str, str] | None = None,
    ) -> Any:
        now = now_ms() // 1000 if now is None else now
        proof = self.vendor.sign(secret or self.vendor.secret, body, now) if signed is None else signed
        return self.call(
            "POST",
            self.made["path"],
            data=body,
            headers={"Authorization": "", **(headers or {}), **proof},
        )


@pytest.fixture(name="sender_of")
def _sender_of(call: Call, tenant: Tenant) -> Callable[..., Sender]:
    def sender_of(name: str, options: dict[str, Any] | None = None) -> Sender:
        return Sender(name, call, tenant, options)

    return sender_of


@pytest.mark.parametrize("name", NAMES)
def test_fixtures_arrive(call: Call, tenant: Tenant, name: str) -> None:
    """Every fixture, signed as its vendor signs, is answered as the fixture says and stored."""
    for number, case in enumerate(cases(name)):
        options = case["request"].get("options", {})
        if name == "grafana" and "signature_header" in options:
            continue  # signs with a header of its own choice; tests/adapters has it
        alone = make_tenant(f"{name} {number}")
        response = Sender(name, call, alone, options).send(body_of(case), case["request"].get("headers"))

        assert response.status_code == case["reply"]["status"], (number, response.text)
        assert Quarantine.select().count() == 0, number
        stored = Feedback.select().where(Feedback.workspace_id == alone.workspace_id)
        assert {row.source for row in stored} == {SIGNED[name].source or name}, number


@pytest.mark.parametrize("name", NAMES)
def test_what_proves_nothing(sender_of: Callable[..., Sender], name: str) -> None:
    """A flipped byte, a wrong secret, a stale time, a missing or malformed proof: 401, and nothing kept."""
    sender, body = sender_of(name), body_of(cases(name)[0])
    headers = cases(name)[0]["request"].get("headers")
    now = now_ms() // 1000
    proof = sender.vendor.sign(sender.vendor.secret, body, now)
    attempts: list[Any] = [sender.send(body, headers, signed={})]
    if "Authorization" not in proof:  # others show their secret and sign no body
        attempts.append(sender.send(body[:-1] + bytes([body[-1] ^ 1]), headers, signed=proof))
    if name != "discord":  # whose key pair is not ours to choose
        attempts.append(sender.send(body, headers, secret=sender.vendor.secret[:-4] + "AAA="))
    if sender.vendor.window:
        for stale in (now - sender.vendor.window - 5, now + sender.vendor.window + 5):
            attempts.append(sender.send(body, headers, now=stale))
    for header, value in proof.items():
        without = {other: text for other, text in proof.items() if other != header}
        for bad in {"", "x", "v1=,v1=", value[:-2], value + "00", "\xe9\xff", "sha256=\xe9"} - {value}:
            attempts.append(sender.send(body, headers, signed={**without, header: bad}))
    outcomes = Counter(response.status_code for response in attempts)

    assert set(outcomes) == {401}, outcomes
    assert (Feedback.select().count(), Quarantine.select().count()) == (0, 0)
    assert sender.send(body, headers).status_code < 300


@pytest.mark.parametrize("name", NAMES)
def test_unknown_hooks(sender_of: Callable[..., Sender], name: str) -> None:
    """A hook that does not exist, was deleted, or belongs to another source is a 401."""
    sender, body = sender_of(name), body_of(cases(name)[0])
    real = sender.made["path"]
    other = sender_of("generic" if name != "generic" else "datadog").made["hook_id"]
    statuses = []
    for hook_id in ("hk_0", "x" * 500, "%00", other):
        sender.made["path"] = real.replace(sender.made["hook_id"], hook_id)
        statuses.append(sender.send(body).status_code)
    sender.made["path"] = real
    hooks.delete_hook(sender.made["hook_id"])
    statuses.append(sender.send(body).status_code)

    assert statuses == [401] * 5


@pytest.mark.parametrize("name", [name for name in NAMES if name != "discord"])
def test_rotation(sender_of: Callable[..., Sender], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a secret is rotated both hold; a day later the old one is a 401."""
    sender, body = sender_of(name), body_of(cases(name)[0])
    headers = cases(name)[0]["request"].get("headers")
    fresh = sender.vendor.secret[:-5] + "bcde="
    hooks.rotate_hook(sender.adapter, sender.made["hook_id"], fresh, "https://gateway.test")
    both = [sender.send(body, headers, secret=secret).status_code for secret in (sender.vendor.secret, fresh)]
    row = HookRow.get()
    HookRow.update(
        secrets=[{**item, "expires_at": item["expires_at"] and now_ms() - 1} for item in row.secrets]
    ).execute()
    auth.forget()
    old, new = (sender.send(body, headers, secret=secret) for secret in (sender.vendor.secret, fresh))

    assert max(both) < 300
    assert (old.status_code, new.status_code < 300) == (401, True)


@pytest.mark.parametrize("many", [6, pytest.param(32, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", NAMES)
def test_simultaneous_identical_deliveries(
    app: Flask, sender_of: Callable[..., Sender], name: str, many: int
) -> None:
    """Identical deliveries at once are one record with one event."""
    case = next(c for c in cases(name) if all(record.get("dedupe_key") for record in c["records"]))
    sender, body = sender_of(name, case["request"].get("options")), body_of(case)
    headers = case["request"].get("headers")
    proof = sender.vendor.sign(sender.vendor.secret, body, now_ms() // 1000)
    start = threading.Barrier(many)

    def deliver() -> int:
        start.wait(30)
        client = app.test_client()
        return client.post(sender.made["path"], data=body, headers={**(headers or {}), **proof}).status_code

    with ThreadPoolExecutor(many) as pool:
        statuses = [delivery.result() for delivery in [pool.submit(deliver) for _ in range(many)]]

    assert set(statuses) == {case["reply"]["status"]}
    assert Feedback.select().count() == len(case["records"]) == Event.select().count()


ENVELOPE = b"""{"event_id":"5c0f7a1c8e2f4f7f9d3b6a1e0c9d8b7a"}
{"type":"feedback"}
{"contexts":{"feedback":{"message":"The map is upside down","contact_email":"ada@example.test"}}}
"""
REPORT = json.dumps(
    {
        "event_id": "5c0f7a1c8e2f4f7f9d3b6a1e0c9d8b7a",
        "name": "Ada",
        "email": "a@b.test",
        "comments": "It fell over",
    }
).encode()


@pytest.mark.parametrize(
    ("path", "body"),
    [("/api/{number}/envelope/", ENVELOPE), ("/api/0/projects/org/app/user-feedback/", REPORT)],
)
def test_simultaneous_identical_envelopes(app: Flask, tenant: Tenant, path: str, body: bytes) -> None:
    """32 identical envelopes or reports by DSN at once are one record with one event."""
    made = hooks.create_hook(
        SIGNED["sentry_envelope"], tenant.workspace_id, None, public_url="https://gateway.test"
    )
    number = HookRow.get().options["project_number"]
    headers = {"X-Sentry-Auth": f"Sentry sentry_key={made['hook_id']}", "Authorization": f"DSN {made['dsn']}"}
    start = threading.Barrier(32)

    def deliver() -> int:
        start.wait(30)
        return app.test_client().post(path.format(number=number), data=body, headers=headers).status_code

    with ThreadPoolExecutor(32) as pool:
        statuses = [delivery.result() for delivery in [pool.submit(deliver) for _ in range(32)]]

    assert set(statuses) == {200}
    assert (Feedback.select().count(), Event.select().count()) == (1, 1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "bodies",
    [
        (b"", b"\xff", b'{"a": 1}', b"[" * 100_000),
        pytest.param((b"{", b"[]", b"null"), marks=pytest.mark.long),
    ],
    ids=["some", "others"],
)
def test_what_cannot_be_read_is_kept(
    sender_of: Callable[..., Sender], name: str, bodies: tuple[bytes, ...]
) -> None:
    """A delivery that proves its origin and means nothing is never told 4xx: it is ignored or kept raw."""
    sender = sender_of(name)
    for body in bodies:
        response = sender.send(body)

        if (name, body) == ("slack", b"\xff"):  # slack_sdk verifies text only
            assert response.status_code == 401
            continue
        assert response.status_code < 300, (body[:9], response.text)
        assert Feedback.select().count() == 0, body[:9]
        for row in Quarantine.select():
            assert bytes(row.payload) == body
            assert row.reason
            assert sender.vendor.secret not in json.dumps(row.request)
        Quarantine.delete().execute()


def test_secrets_are_encrypted(sender_of: Callable[..., Sender]) -> None:
    """The table holds no secret in clear, and an unknown key cannot read it."""
    made = sender_of("github").made
    stored = json.dumps(HookRow.get().secrets)

    assert made["secret"] not in stored
    assert encryption.decrypt(HookRow.get().secrets[0]["secret"]) == made["secret"]


def test_secret_keys_rotate(tmp_path: Path) -> None:
    """Secrets encrypted with an earlier key are read as long as it is listed, and new ones use the first."""
    first, second = "a" * 32, "b" * 32
    encryption.connect(first, tmp_path / "key")
    old = encryption.encrypt("x")
    encryption.connect(f"{second}, {first}", tmp_path / "key")
    assert encryption.decrypt(old) == "x"
    fresh = encryption.encrypt("y")
    encryption.connect(second, tmp_path / "key")

    assert encryption.decrypt(fresh) == "y"
    with pytest.raises(encryption.WrongKey):
        encryption.decrypt(old)


def test_a_key_is_made_once(tmp_path: Path) -> None:
    """Without GATEWAY_SECRET_KEY one is made, kept for its owner only, and used from then on."""
    path = tmp_path / "var" / "secret.key"
    encryption.connect("", path)
    stored = encryption.encrypt("x")
    encryption.connect("", path)

    assert encryption.decrypt(stored) == "x"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret.key"]


def test_hook_ids_cannot_be_guessed(sender_of: Callable[..., Sender]) -> None:
    """Hook ids have 128 random bits, and letters, digits and underscore only, as a Sentry key must."""
    ids = {sender_of("github").made["hook_id"] for _ in range(20)}

    assert len(ids) == 20
    assert all(len(hook_id) == 35 and hook_id.replace("_", "").isalnum() for hook_id in ids)


def test_quarantine_is_listed_and_replayed(
    call: Call, sender_of: Callable[..., Sender], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is held is listed with its reason, and becomes a record once the adapter understands it."""
    from gateway.intake.replay import replay
    from models.tables.quarantine import one

    sender = sender_of("generic", {"map": {"text": "comment"}})
    sender.send(b'{"words": "The chart is upside down"}')
    (held,) = call("GET", "/gateway/v1/quarantine").json["data"]
    row = one(held["id"])
    assert row is not None
    assert isinstance(replay(sender.adapter, row), str)
    HookRow.update(options={"map": {"text": "words"}}).execute()
    replay(sender.adapter, row)
    record = call("GET", "/gateway/v1/feedback").json["data"][0]

    assert "text" in held["reason"]
    assert json.loads(held["payload"]) == {"words": "The chart is upside down"}
    assert (record["text"], record["source"]) == ("The chart is upside down", "generic")
    assert call("GET", "/gateway/v1/quarantine").json["data"] == []


def test_preview(call: Call, sender_of: Callable[..., Sender]) -> None:
    """A preview shows records and labels, or why a payload cannot be read, and stores nothing."""
    sender = sender_of("generic", {"map": {"text": "words"}})
    path = f"/gateway/v1/preview/generic?hook={sender.made['hook_id']}"
    good = call("POST", path, json={"words": "The export crashes"}).json
    bad = call("POST", path, json={"other": 1}).json

    assert good["unreadable"] is None
    assert good["records"][0]["text"] == "The export crashes"
    assert good["records"][0]["labels"]["category"] == "bug"
    assert (bad["records"], "text" in bad["unreadable"]) == ([], True)
    assert call("POST", "/gateway/v1/preview/nothing", json={}).status_code == 404
    assert (Feedback.select().count(), Quarantine.select().count()) == (0, 0)
