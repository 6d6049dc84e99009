"""What proves a delivery of the vendors that have a way of their own, beside what tests/signing.py tries."""

from __future__ import annotations

import base64
import datetime
import json
import logging
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

import adapters
from adapters.contract import Hook, Inbound
from gateway.access import hooks
from models import Quarantine
from tests.conftest import Call, Tenant

DIALECTS = adapters.load()
FORM = {"content-type": "application/x-www-form-urlencoded"}


def holds(name: str, body: bytes, headers: dict[str, str], *secrets: str, unsigned: bool = False) -> bool:
    signed = DIALECTS[name].signed
    assert signed is not None
    inbound = Inbound("POST", f"/hooks/{name}/hk_1", headers, body, params={"hook_id": "hk_1"})
    return signed.verify(inbound, Hook("hk_1", name, secrets, unsigned=unsigned))


@pytest.mark.parametrize(
    ("name", "body", "headers", "good"),
    [
        ("zulip", b'{"token": "t-1"}', {}, True),
        ("zulip", b'{"token": "t-2"}', {}, False),
        ("zulip", b'{"token": "t-1"}', {"authorization": "Bearer t-2"}, False),
        ("zulip", b"{}", {}, False),
        ("zulip", b"no JSON", {}, False),
        ("mattermost", b'{"token": "t-1", "text": "a"}', {}, True),
        ("mattermost", b"token=t-1&text=a", FORM, True),
        ("mattermost", b"token=t-2&text=a", FORM, False),
        ("mattermost", b"token=t-1", {**FORM, "authorization": "Token t-2"}, False),
        ("mattermost", b"token=t-2", {**FORM, "authorization": "Token t-1"}, True),
        ("mattermost", b"[1]", {}, False),
        ("mattermost", b"", {}, False),
    ],
)
def test_token(name: str, body: bytes, headers: dict[str, str], good: bool) -> None:
    """The token in the body counts, unless a header says another."""
    assert holds(name, body, headers, "t-1") is good


@pytest.mark.parametrize(
    ("secrets", "unsigned", "shown", "good"),
    [
        ((), True, None, True),
        (("s-1",), True, None, True),
        (("s-1",), True, "s-2", False),
        (("s-1",), False, None, False),
        (("s-1",), False, "s-1", True),
    ],
)
def test_statuspage(secrets: tuple[str, ...], unsigned: bool, shown: str | None, good: bool) -> None:
    """An unsigned hook's address is proof enough, but a secret that is shown must be good."""
    coded = base64.b64encode(f"hook:{shown}".encode()).decode()
    headers = {"authorization": f"Basic {coded}"} if shown else {}

    assert holds("statuspage", b"{}", headers, *secrets, unsigned=unsigned) is good


@pytest.mark.parametrize("given", ["HMAC", "HMAC  ", "HMAC !", "hmac \xff", "Bearer x", ""])
@pytest.mark.parametrize("secret", ["bm8ga2V5", "no base64!", "é"])
def test_teams_malformed(given: str, secret: str) -> None:
    """What is no signature is none, and a secret that is no base64 signs nothing."""
    assert not holds("teams", b"{}", {"authorization": given}, secret)


KEY = rsa.generate_private_key(65537, 2048)
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.example.org")])
NOW = datetime.datetime(2026, 5, 4, tzinfo=datetime.UTC)
PEM = (
    x509.CertificateBuilder(NAME, NAME, KEY.public_key(), 1, NOW, NOW + datetime.timedelta(days=99))
    .sign(KEY, hashes.SHA256())
    .public_bytes(Encoding.PEM)
    .decode()
)
MESSAGE = {
    "Type": "Notification",
    "MessageId": "m-1",
    "TopicArn": "arn:aws:sns:eu-north-1:1:ferry",
    "Message": "The queue is long",
    "Timestamp": "2026-05-04T07:00:00.000Z",
}
CONFIRMATION = {**MESSAGE, "Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": "https://x"}
# The text that Amazon's manual says is signed.
PLAIN = (
    "Message\nThe queue is long\nMessageId\nm-1\n{subject}Timestamp\n2026-05-04T07:00:00.000Z\n"
    "TopicArn\narn:aws:sns:eu-north-1:1:ferry\nType\nNotification\n"
)
CONFIRMED = (
    "Message\nThe queue is long\nMessageId\nm-1\nSubscribeURL\nhttps://x\nTimestamp\n2026-05-04T07:00:00.000Z\n"
    "Token\nt\nTopicArn\narn:aws:sns:eu-north-1:1:ferry\nType\nSubscriptionConfirmation\n"
)


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (MESSAGE, PLAIN.format(subject="")),
        ({**MESSAGE, "Subject": "Queue"}, PLAIN.format(subject="Subject\nQueue\n")),
        (CONFIRMATION, CONFIRMED),
    ],
    ids=["without a subject", "with a subject", "confirmation"],
)
def test_sns_signature(sent: dict[str, Any], text: str, version: str) -> None:
    """With Amazon's certificate as the secret a message's own signature counts, and nothing else."""
    hashed = hashes.SHA1() if version == "1" else hashes.SHA256()
    signature = base64.b64encode(KEY.sign(text.encode(), padding.PKCS1v15(), hashed)).decode()
    good = {**sent, "SignatureVersion": version, "Signature": signature}
    bad: list[dict[str, Any]] = [
        {**good, "Message": "The queue is short"},
        {**good, "SignatureVersion": "3"},
        {**good, "SignatureVersion": "2" if version == "1" else "1"},
        {**good, "Signature": ""},
        {**good, "Signature": "no base64!"},
        {**good, "Signature": 7},
        sent,
    ]

    assert holds("sns", json.dumps(good).encode(), {}, PEM)
    assert holds("sns", json.dumps(good).encode(), {}, "shown", PEM)
    for one in bad:
        assert not holds("sns", json.dumps(one).encode(), {}, PEM)
    assert not holds("sns", b"no JSON", {}, PEM)
    assert not holds("sns", json.dumps(good).encode(), {}, PEM.replace("M", "N"))
    assert not holds("sns", json.dumps(good).encode(), {"authorization": f"Bearer {PEM}"}, "other")


def test_sns_advice() -> None:
    """How to confirm a subscription is told for the log, with an address of Amazon's only."""
    door = DIALECTS["sns"].doors[0]
    address = "https://sns.eu-north-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
    for url, told in ((address, True), ("https://sns.amazonaws.com.example.org/?a", False), ("", False)):
        body = json.dumps({**CONFIRMATION, "SubscribeURL": url}).encode()
        inbound = Inbound("POST", "/hooks/sns/hk_1", {}, body)
        reply = door.reply(inbound, [])

        assert reply.status == 200
        assert (url in reply.notice and reply.notice != "") is told
        assert [record.unreadable is None for record in door.read(inbound)] == ([] if told else [False])


def test_sns_advice_is_logged(call: Call, tenant: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    """A subscription that waits to be confirmed is told in the log, at hooks of SNS and generic ones."""
    address = "https://sns.eu-north-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
    body = json.dumps({**CONFIRMATION, "SubscribeURL": address})
    logging.getLogger("gateway").propagate = True
    caplog.set_level("WARNING", logger="gateway")
    for name, options in (("sns", {}), ("generic", {"map": {"text": "text"}})):
        made = hooks.create_hook(
            DIALECTS[name], tenant.workspace_id, None, public_url="http://x", options=options
        )
        caplog.clear()
        answer = call("POST", made["path"], data=body, headers={"Authorization": f"Bearer {made['secret']}"})

        assert answer.status_code == 200
        assert any(address in line.getMessage() for line in caplog.records if line.name == "gateway")
    assert Quarantine.select().count() == 0


def test_secrets_of_ones_own(tenant: Tenant) -> None:
    """A certificate is a secret that a hook may have; a token of Teams must be base64."""
    assert hooks.create_hook(DIALECTS["sns"], tenant.workspace_id, None, secret=PEM)["secret"] == PEM
    with pytest.raises(hooks.HookError, match="base64"):
        hooks.create_hook(DIALECTS["teams"], tenant.workspace_id, None, secret="no base64!")


def test_an_address_is_tried_with_head(call: Call, tenant: Tenant) -> None:
    """Intercom tries an address before it takes it; any hook's says that it is there, and nothing more."""
    made = hooks.create_hook(DIALECTS["intercom"], tenant.workspace_id, None, public_url="http://x")
    for path in (made["path"], "/hooks/jira/hk_unknown"):
        answer = call("HEAD", path, headers={"Authorization": ""})
        assert (answer.status_code, answer.data) == (200, b"")
    assert call("GET", made["path"]).status_code == 405
    assert Quarantine.select().count() == 0


def test_sns_is_asked_for_its_password(call: Call, tenant: Tenant) -> None:
    """SNS shows the password in its address only when it is asked for basic authentication."""
    made = hooks.create_hook(DIALECTS["sns"], tenant.workspace_id, None, public_url="http://x")
    answer = call("POST", made["path"], data=json.dumps(MESSAGE), headers={"Authorization": ""})

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="sns"')
