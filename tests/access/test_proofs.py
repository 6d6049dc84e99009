"""Who is it? What a sender shows is good or not; that we cannot find out is our own fault, and told so."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Hook, Inbound
from gateway.access import hooks
from gateway.app import create_app
from gateway.core import log
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.intake import auth
from models import HookRow
from tests.access.test_hooks import SIGNED
from tests.conftest import Tenant
from tests.signing import VENDORS

NOW = 1_795_000_000_000
HEADERS = (
    *("authorization", "x-gateway-secret", "x-signature", "x-sent-at", "sentry-hook-signature"),
    *("x-servicehook-signature", "x-signature-timestamp", "x-signature-ed25519", "x-hub-signature-256"),
    *("webhook-id", "webhook-timestamp", "webhook-signature", "x-gitlab-token", "x-pagerduty-signature"),
    *("x-grafana-alerting-signature", "x-slack-request-timestamp", "x-slack-signature", "x-sentry-auth"),
)
VALUES = st.one_of(
    st.text(st.characters(max_codepoint=255), max_size=40),
    st.sampled_from(
        (
            *(
                "Basic =",
                "Basic /w==",
                "Basic YTpi",
                "Bearer ",
                "Bearer é",
                "DSN http://[",
                "Sentry sentry_key=é",
            ),
            *(
                str(NOW // 1000),
                "9" * 4000,
                "-1",
                "1e3",
                "٣",
                "v0=é",
                "v1,é",
                "sha256=",
                "0" * 128,
                "f" * 127,
            ),
        )
    ),
)
SECRETS = st.sampled_from(["s3cret", " ", "é", "whsec_", "whsec_é", "0" * 64, "g" * 64])
OPTIONS = st.dictionaries(
    st.sampled_from(["signature_header", "signature_prefix", "timestamp_header", "map"]),
    st.sampled_from(["X-Signature", "X-Sent-At", "", 7, None, True, ["x"], {"a": 1}]),
)


@pytest.mark.parametrize("name", sorted(SIGNED))
@settings(max_examples=25)
@given(
    headers=st.dictionaries(st.sampled_from(HEADERS), VALUES, max_size=4),
    body=st.one_of(
        st.binary(max_size=40), st.sampled_from([b'{"dsn": "http://["}\n', b'{"dsn": 7}', b"[" * 9999])
    ),
    secrets=st.lists(SECRETS, max_size=2),
    options=OPTIONS,
    unsigned=st.booleans(),
)
def test_nothing_that_is_sent_raises(
    name: str,
    headers: dict[str, str],
    body: bytes,
    secrets: list[str],
    options: dict[str, Any],
    unsigned: bool,
) -> None:
    """No header, body, secret or option makes a check raise: it says yes or no."""
    signed = SIGNED[name].signed
    assert signed is not None
    number = {"project_number": "42"} if name == "sentry_envelope" else {"hook_id": "hk_1"}
    inbound = Inbound("POST", "/", headers, body, params=number, received_at=NOW)
    hook = Hook("hk_1", name, tuple(secrets), unsigned, {**options, "project_number": "42"})

    assert isinstance(signed.hook_id(inbound), str | None)
    assert signed.verify(inbound, hook) in (True, False)


@pytest.fixture(name="lines")
def _lines(app: Flask) -> Iterator[io.StringIO]:
    """What is written to the log, as it is written."""
    log.configure("info")
    written = io.StringIO()
    (handler,) = log.logger.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(written)
    yield written
    log.configure("error")


def made(tenant: Tenant, name: str, **given: Any) -> dict[str, Any]:
    vendor = VENDORS[name]
    given = {"secret": vendor.secret, "options": vendor.options, **given}
    return hooks.create_hook(
        SIGNED[name], tenant.workspace_id, None, public_url="https://gateway.test", **given
    )


def counted(app: Flask, source: str) -> float:
    """The failures of a source that /metrics tells."""
    wanted = f'gateway_requests_total{{outcome="failed",source="{source}"}} '
    lines = app.test_client().get("/metrics").text.splitlines()
    return next((float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted)), 0.0)


def test_a_fault_of_ours(
    app: Flask, tenant: Tenant, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that breaks is 503 in the dialect, a failure in the metrics, and in the log with its hook."""

    def broken(*_: object) -> bool:
        raise RuntimeError("a library has changed")

    body, client = b"{}", app.test_client()
    for name, vendor in VENDORS.items():
        hook, before = made(tenant, name), counted(app, name)
        proof = vendor.sign(vendor.secret, body, now_ms() // 1000)
        lines.truncate(0)
        with monkeypatch.context() as patch:
            patch.setattr("hmac.compare_digest", broken)
            patch.setattr("adapters.discord._signed_with", broken)
            answer = client.post(hook["path"], data=body, headers=proof)
            after = counted(app, name)
        told = [json.loads(line) for line in lines.getvalue().strip("\0").splitlines()]
        failures = [line for line in told if line["level"] == "error"]

        assert answer.status_code == 503, name
        assert set(answer.json) == {"error", "message", "request_id"}
        assert answer.headers["Retry-After"]
        assert [line["hook"] for line in failures] == [hook["hook_id"]]
        assert "a library has changed" in failures[0]["traceback"]
        assert after == before + 1
        assert client.post(hook["path"], data=body, headers=proof).status_code < 300


def test_a_fault_of_ours_with_a_dsn(app: Flask, tenant: Tenant, lines: io.StringIO) -> None:
    """Sentry's SDKs are told as Sentry tells them; their hook's id is cut in the log."""
    made = hooks.create_hook(
        SIGNED["sentry_envelope"], tenant.workspace_id, None, public_url="https://gateway.test"
    )
    HookRow.update(options={}).execute()  # which its check needs
    auth.forget()
    key = {"X-Sentry-Auth": f"Sentry sentry_key={made['hook_id']}"}
    answer = app.test_client().post(made["path"], data=b"{}\n", headers=key)

    assert (answer.status_code, set(answer.json)) == (503, {"detail"})
    assert made["hook_id"][:9] in lines.getvalue()
    assert made["hook_id"] not in lines.getvalue()


IDS = {
    "delivery": ("POST", "{path}"),
    "without a proof": ("GET", "{path}"),
    "another mount": ("POST", "/generic{path}"),
    "no such hook": ("POST", "/hooks/slack/{hook_id}"),
    "no such path": ("POST", "/hooks/nothing/{hook_id}/x"),
    "percent": ("POST", "/hooks/generic/hk%5F{bare}"),
    "a part of it": ("POST", "/hooks/generic/hk_{part}"),
    "too long": ("POST", "/hooks/generic/{hook_id}and-more"),
    "admin": ("POST", "/gateway/v1/hooks/{hook_id}/rotate"),
    "inbox": ("GET", "/settings/hooks/{hook_id}"),
    "preview": ("POST", "/gateway/v1/preview/generic?hook={hook_id}"),
    "a DSN": ("POST", "/api/42/envelope/?sentry_key={hook_id}"),
}


@pytest.mark.parametrize("broken", [False, True], ids=["", "broken"])
def test_addresses_are_secrets(
    app: Flask, tenant: Tenant, lines: io.StringIO, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line of the log, of a request or a failure, has an address that can be sent to; nor has /metrics."""
    made = hooks.create_hook(
        SIGNED["generic"], tenant.workspace_id, None, unsigned=True, options={"map": {"text": "text"}}
    )
    bare = made["hook_id"].removeprefix("hk_")
    if broken:

        def fail(*given: object) -> None:
            raise RuntimeError(f"broken for {made['hook_id']} {given}")

        for name in (
            "gateway.intake.auth.find_hook",
            "gateway.api.admin.hooks.find_hook",
            "gateway.routes.inbound_of",
        ):
            monkeypatch.setattr(name, fail)
    client = app.test_client()
    for way, (method, path) in IDS.items():
        auth.forget()
        lines.truncate(0)
        path = path.format(**made, bare=bare, part=bare[:-4])
        client.open(path, method=method, data=b'{"text": "words"}', headers=tenant.headers)

        assert "request" in lines.getvalue(), way
        assert bare[6:18] not in lines.getvalue(), way
    assert bare[6:18] not in client.get("/metrics").text


def test_masked_says_which() -> None:
    """What is left tells hooks apart, and nothing else is touched."""
    hook_id = "hk_" + "0a1b2c3d" * 4

    assert log.masked(f"POST /hooks/generic/{hook_id} 200") == "POST /hooks/generic/hk_0a1b2c… 200"
    assert log.masked("hk_none") == "hk_none"
    assert log.masked("/hooks/generic") == "/hooks/generic"


def test_readiness_names_no_address(config: Config, app: Flask, tenant: Tenant) -> None:
    """An unsigned hook with a secret that cannot be opened is told by the beginning of its id."""
    hook = made(tenant, "generic", unsigned=True)
    app = create_app(replace(config, secret_key="another key than the one that is in the file"))
    told = app.test_client().get("/readyz").json["checks"]["secrets"]

    assert hook["hook_id"][:9] in told
    assert hook["hook_id"] not in told
