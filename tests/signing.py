"""How each vendor proves its deliveries, written from their own descriptions and apart from the adapters."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

DISCORD = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
DISCORD_PUBLIC = DISCORD.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
GITLAB = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def hex_hmac(secret: str, text: bytes) -> str:
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Vendor:
    """The secret a hook is made with, and the headers of a delivery made at `now` (Unix seconds)."""

    secret: str
    sign: Callable[[str, bytes, int], dict[str, str]]
    options: Mapping[str, object] = field(default_factory=dict)
    window: int | None = None  # seconds a signature stays good


def bearer(secret: str, body: bytes, now: int) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def _sentry(secret: str, body: bytes, now: int) -> dict[str, str]:
    return {"Sentry-Hook-Signature": hex_hmac(secret, body)}  # the timestamp beside it is not signed


def _slack(secret: str, body: bytes, now: int) -> dict[str, str]:
    signature = hex_hmac(secret, b"v0:%d:" % now + body)
    return {"X-Slack-Request-Timestamp": str(now), "X-Slack-Signature": f"v0={signature}"}


def _discord(secret: str, body: bytes, now: int) -> dict[str, str]:
    signature = DISCORD.sign(str(now).encode() + body).hex()
    return {"X-Signature-Timestamp": str(now), "X-Signature-Ed25519": signature}


def _github(secret: str, body: bytes, now: int) -> dict[str, str]:
    return {"X-Hub-Signature-256": f"sha256={hex_hmac(secret, body)}"}


def _gitlab(secret: str, body: bytes, now: int) -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = hmac.new(key, b"msg-1.%d." % now + body, hashlib.sha256).digest()
    return {
        "webhook-id": "msg-1",
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


def _pagerduty(secret: str, body: bytes, now: int) -> dict[str, str]:
    return {"X-PagerDuty-Signature": f"v1={hex_hmac('rotated-out', body)}, v1={hex_hmac(secret, body)}"}


def _grafana(secret: str, body: bytes, now: int) -> dict[str, str]:
    signature = hex_hmac(secret, b"%d:" % now + body)
    return {"X-Grafana-Alerting-Signature": signature, "X-Sent-At": str(now)}


def _zendesk(secret: str, body: bytes, now: int) -> dict[str, str]:
    time = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hmac.new(secret.encode(), time.encode() + body, hashlib.sha256).digest()
    return {
        "X-Zendesk-Webhook-Signature": base64.b64encode(digest).decode(),
        "X-Zendesk-Webhook-Signature-Timestamp": time,
    }


def _intercom(secret: str, body: bytes, now: int) -> dict[str, str]:
    return {"X-Hub-Signature": "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()}


def _websub(secret: str, body: bytes, now: int) -> dict[str, str]:
    return {"X-Hub-Signature": f"sha256={hex_hmac(secret, body)}"}


def _linear(secret: str, body: bytes, now: int) -> dict[str, str]:
    return {"Linear-Signature": hex_hmac(secret, body)}


def _teams(secret: str, body: bytes, now: int) -> dict[str, str]:
    digest = hmac.new(base64.b64decode(secret), body, hashlib.sha256).digest()
    return {"Authorization": f"HMAC {base64.b64encode(digest).decode()}"}


def _mattermost(secret: str, body: bytes, now: int) -> dict[str, str]:
    return {"Authorization": f"Token {secret}"}


VENDORS: dict[str, Vendor] = {
    "sentry": Vendor("sentry-client-secret", _sentry),
    "slack": Vendor("slack-signing-secret", _slack, window=300),
    "discord": Vendor(DISCORD_PUBLIC, _discord, window=300),
    "github": Vendor("github-webhook-secret", _github),
    "gitlab": Vendor(GITLAB, _gitlab, window=300),
    "pagerduty": Vendor("pagerduty-secret", _pagerduty),
    "grafana": Vendor("grafana-secret", _grafana, {"timestamp_header": "X-Sent-At"}, window=300),
    "zendesk": Vendor("zendesk-signing-secret", _zendesk),
    "intercom": Vendor("intercom-client-secret", _intercom),
    "jira": Vendor("jira-webhook-secret", _websub),
    "bitbucket": Vendor("bitbucket-webhook-secret", _websub),
    "linear": Vendor("linear-signing-secret", _linear),
    "teams": Vendor(base64.b64encode(bytes(range(32, 64))).decode(), _teams),
    "mattermost": Vendor("mattermost-token", _mattermost),
    "statuspage": Vendor("statuspage-secret", bearer),
    "zulip": Vendor("zulip-token", bearer),  # tests/adapters has the token in the body
    "opsgenie": Vendor("opsgenie-secret", bearer),
    "azure_devops": Vendor("azure-secret", bearer),
    "uptime_kuma": Vendor("kuma-secret", bearer),
    "newrelic": Vendor("newrelic-secret", bearer),
    "watchdog": Vendor("watchdog-secret", bearer),
    "sns": Vendor("sns-secret", bearer),
    "datadog": Vendor("datadog-token", bearer),
    "alertmanager": Vendor("alertmanager-token", bearer),
    "generic": Vendor("generic-token", bearer, {"map": {"text": "text"}}),
}
