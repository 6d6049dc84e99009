"""What proves a sender, and what lets a reader act in its place, is nowhere among what is kept."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlencode

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

import adapters
from adapters.contract import Inbound, called_shortly
from gateway.access import hooks, users
from gateway.access.api_keys import create_key
from gateway.background import silence
from gateway.background.lease import run_once
from gateway.core import log
from gateway.core.ids import now_ms
from gateway.intake.redaction import SHORTEST, redact
from models import Feedback, HookRow, Quarantine
from models.database.base import database
from models.intake import commit
from tests.conftest import Call, Tenant
from tests.signing import VENDORS

ADAPTERS = adapters.load()
SECRET = 's3cr/t+of=the "sender"-0123456789'
ACT = "https://vendor.example/act/1a2b3c4d5e6f"  # an address that lets whoever has it act
SHOWN = "shown-as-a-bearer"
SLACK = "a-signing-secret-of-slack"
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
PARTS = {"content-type": "multipart/form-data; boundary=x"}
UTF_16 = {"content-type": "application/json; charset=utf-16"}


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def part(name: str, value: str) -> bytes:
    return f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


MESSAGE = {"id": 7, "content": "The berth list is empty", "display_recipient": "ferry", "sender_id": 3}
ZULIP = {"token": SECRET, "message": MESSAGE, "data": f"The berth list is empty, {SECRET}"}
POST = {"token": SECRET, "post_id": "p1", "team_id": "t1", "text": "The berth list is empty"}
COMMAND = {"token": SECRET, "command": "/say", "text": "It is slow", "response_url": ACT, "trigger_id": "1.2"}
SLASH = {**COMMAND, "team_id": "T1", "channel_id": "C1", "user_id": "U1"}
VIEW = {
    "type": "view_submission",
    "token": SECRET,
    "view": {"id": "V1", "hash": "1.a", "state": {"values": {"b": {"a": {"value": "It is slow"}}}}},
    "response_urls": [{"response_url": ACT, "channel_id": "C1"}],
}
SAID = {"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "token": SECRET}
SPOKEN = {
    **SAID,
    "event": {"type": "message", "channel": "C1", "ts": "1795000000.0001", "text": "It is slow"},
}
INTERACTION = {
    **{"type": 2, "id": "1100000000000000001", "application_id": "1", "token": ACT, "channel_id": "2"},
    "data": {"name": "say", "options": [{"name": "words", "type": 3, "value": "It is slow"}]},
}
NOTICE = {
    **{"Type": "Notification", "MessageId": "m1", "TopicArn": "arn:aws:sns:eu-north-1:1:shop"},
    **{"Message": "Basket answers slowly", "UnsubscribeURL": ACT},
}
INCIDENT = {
    "meta": {"unsubscribe": ACT},
    "page": {"id": "p1"},
    "incident": {"id": "i1", "name": "Slow", "status": "investigating", "impact": "minor"},
}
MONITOR = {
    "heartbeat": {"monitorID": 1, "status": 0, "time": "2026-05-07 08:00:00.000", "msg": "timeout"},
    "monitor": {"id": 1, "name": "Basket", "basic_auth_pass": ACT, "headers": f'{{"x-key": "{ACT}"}}'},
    "msg": "[Basket] [Down] timeout",
}
COPIED = "a remark that is kept with its own delivery"
REPEATING = {
    **{
        "webhookEvent": "jira:issue_updated",
        "issue_event_type_name": "issue_updated",
        "timestamp": 1778140800000,
    },
    "changelog": {"items": [{"field": "status"}]},
    "issue": {
        "id": "10002",
        "self": "https://shop.atlassian.net/rest/api/2/10002",
        "fields": {"summary": "Slow", "comment": {"comments": [{"id": "1", "body": COPIED}], "total": 1}},
    },
}
VARIABLES = [
    *({"key": "DEPLOY_TO", "value": ACT}, {"value": ACT, "key": "NOTE [1]"}),
    {"key": "EMPTY", "value": ""},
]
PIPELINE = {
    "object_kind": "pipeline",
    "object_attributes": {"id": 4, "status": "failed", "ref": "main", "variables": VARIABLES},
    "project": {"id": 3, "name": "Ferry"},
}


@dataclass(frozen=True)
class Sent:
    """A delivery: its body, how it is proven beside that, and what must not be kept."""

    name: str
    body: bytes | Callable[[Mapping[str, Any]], bytes]
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    secret: str = SECRET
    signed: bool = True
    query: Callable[[Mapping[str, Any]], Mapping[str, str]] = lambda made: {}
    options: Mapping[str, Any] = field(default_factory=dict)
    unkept: tuple[str, ...] = (SECRET, ACT)


def envelope(made: Mapping[str, Any]) -> bytes:
    dsn = {"dsn": made["dsn"], "event_id": "a" * 32}
    words = {"contexts": {"feedback": {"message": f"It is slow at {made['dsn']}"}}, "event_id": "a" * 32}
    item = dumped(words)
    return b"\n".join((dumped(dsn), dumped({"type": "feedback", "length": len(item)}), item))


SENT = {
    "zulip": Sent("zulip", dumped(ZULIP), signed=False),
    "zulip, in another charset": Sent("zulip", json.dumps(ZULIP).encode("utf-16"), UTF_16, signed=False),
    "zulip, held": Sent("zulip", dumped({"token": SECRET, "message": 7}), signed=False),
    "zulip, escaped": Sent(
        "zulip", dumped(ZULIP).replace(b'"token"', rb'"\u0074oken"').replace(b"/", rb"\/"), signed=False
    ),
    "mattermost": Sent("mattermost", dumped(POST), signed=False),
    "mattermost, short": Sent(
        "mattermost",
        dumped({**POST, "token": "sh0rt-one"}),
        secret="sh0rt-one",
        signed=False,
        unkept=("sh0rt-one",),
    ),
    "mattermost, form": Sent("mattermost", urlencode(COMMAND).encode(), FORM, signed=False),
    "mattermost, form in parts": Sent(
        "mattermost",
        b"".join(part(name, value) for name, value in COMMAND.items()) + b"--x--\r\n",
        PARTS,
        signed=False,
    ),
    "mattermost, JSON in JSON": Sent("mattermost", dumped(json.dumps(COMMAND)), signed=False),
    "mattermost, header": Sent(
        "mattermost", dumped(COMMAND), {**JSON, "Authorization": f"Token {SECRET}"}, signed=False
    ),
    "mattermost, broken": Sent(
        "mattermost",
        dumped(COMMAND).replace(b"It is slow", b"It is\nslow"),
        {**JSON, "Authorization": f"Token {SECRET}"},
        signed=False,
    ),
    "slack": Sent("slack", dumped(SPOKEN), secret=SLACK),
    "slack, held": Sent("slack", dumped({**SAID, "event": {"type": "message"}}), secret=SLACK),
    "slack, command": Sent("slack", urlencode(SLASH).encode(), FORM, secret=SLACK),
    "slack, modal": Sent("slack", urlencode({"payload": json.dumps(VIEW)}).encode(), FORM, secret=SLACK),
    "discord": Sent("discord", dumped(INTERACTION), secret=VENDORS["discord"].secret),
    "discord, held": Sent("discord", dumped({**INTERACTION, "data": 7}), secret=VENDORS["discord"].secret),
    "sns": Sent("sns", dumped(NOTICE), secret=SHOWN),
    "generic": Sent("generic", dumped(NOTICE), secret=SHOWN, options={"map": {"text": "text"}}),
    "statuspage": Sent("statuspage", dumped(INCIDENT), secret=SHOWN),
    "uptime_kuma": Sent("uptime_kuma", dumped(MONITOR), secret=SHOWN),
    "datadog, held, header": Sent("datadog", b"[7]", {**JSON, "X-Gateway-Secret": SECRET}, signed=False),
    "gitlab": Sent("gitlab", dumped(PIPELINE), {**JSON, "X-Gitlab-Token": SECRET}, signed=False),
    "gitlab, held": Sent(
        "gitlab",
        dumped(PIPELINE).replace(b'"failed"', b'"fai\nled"'),
        {**JSON, "X-Gitlab-Token": SECRET},
        signed=False,
    ),
    "jira, with copies": Sent("jira", dumped(REPEATING), unkept=(SECRET, COPIED)),
    "datadog, held, of a proxy": Sent(
        "datadog",
        b"[7]",
        {**JSON, "X-Gateway-Secret": SECRET, "X-Auth-Token": ACT, "Proxy-Authorization": f"Basic {ACT}"},
        signed=False,
        query=lambda made: {"access_token": ACT, "apiKey": ACT},
    ),
    "envelope": Sent("sentry_envelope", envelope, signed=False, unkept=("{hook_id}@",)),
    "envelope, query": Sent(
        "sentry_envelope",
        lambda made: envelope({**made, "dsn": ""}).replace(b'"dsn": "", ', b""),
        signed=False,
        query=lambda made: {"sentry_key": made["hook_id"]},
        unkept=("{hook_id}@",),
    ),
}


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


def kept() -> str:
    """Everything in the database but for the hooks themselves, as one text."""
    commit.flush()
    texts = list[str]()
    for name in database.get_tables():
        for row in database.execute_sql(f'SELECT * FROM "{name}"') if name not in ("hook", "search") else ():
            texts += (one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in row)
    return "\n".join(texts)


def spelled(secret: str) -> set[str]:
    inner = json.dumps(secret)[1:-1]
    return {
        secret,
        inner,
        inner.replace("/", "\\/"),
        quote(secret, safe=""),
        quote_plus(secret),
        quote_plus(inner),
    }


@pytest.mark.parametrize("sent", SENT.values(), ids=SENT)
def test_secrets_of_senders(sent: Sent, app: Flask, call: Call, tenant: Tenant, lines: io.StringIO) -> None:
    """They are in no row, answer, file or log line, whatever the body is written in; the words are."""
    made = hooks.create_hook(
        ADAPTERS[sent.name], tenant.workspace_id, None, public_url="http://gateway.test",
        secret=None if sent.name == "sentry_envelope" else sent.secret, options=sent.options,
    )  # fmt: skip
    body = sent.body if isinstance(sent.body, bytes) else sent.body(made)
    proof = VENDORS[sent.name].sign(sent.secret, body, now_ms() // 1000) if sent.signed else {}
    headers = {**sent.headers, **proof}
    path = f"{made['path']}?{urlencode(sent.query(made))}"
    answer = app.test_client().open(path, method="POST", data=body, headers=headers)
    assert answer.status_code == 200, answer.text

    assert Feedback.select().count() + Quarantine.select().count() == 1
    shown = [kept(), lines.getvalue()]
    for row in call("GET", "/gateway/v1/feedback").json["data"]:
        for more in ("/events", "?expand=raw,deliveries"):
            shown.append(call("GET", f"/gateway/v1/feedback/{row['id']}{more}").text)
    shown += (call("GET", f"/gateway/v1/{name}").text for name in ("export", "quarantine"))
    for secret in sent.unkept:
        for one in spelled(secret.format(**made)):
            assert not any(one in text for text in shown)


def test_keys(call: Call, tenant: Tenant) -> None:
    """A key of the gateway that is sent in the body, too, is not kept, whatever takes it."""
    words = {"text": f"It is slow with {tenant.key} here"}
    wide = {"Content-Type": "application/json; charset=utf-16"}
    sent = [
        call("POST", "/gateway/v1/feedback", json=words),
        call("POST", "/gateway/v1/feedback/batch", json=[words, words]),
        call("POST", "/gateway/v1/feedback", data=json.dumps(words).encode("utf-16"), headers=wide),
        call("POST", "/v1/feedback", json={"projectId": "shop", "page": "/", **words}),
    ]

    assert {answer.status_code for answer in sent} <= {200, 201}
    assert Feedback.select().count() == 5
    assert tenant.key not in kept()
    assert {row.text for row in Feedback.select()} == {f"It is slow with {'*' * len(tenant.key)} here"}


UNSIGNED = {
    "generic": ({"text": "It is slow"}, {"map": {"text": "text"}}),
    "generic, held": ({"words": "It is slow"}, {"map": {"text": "text"}}),
    "statuspage": (INCIDENT, {}),
    "watchdog": ({"alerts": [{"status": "resolved", "labels": {}, "endsAt": "2026-05-04T07:00:00Z"}]}, {}),
    "sentry, held": ({"words": "It is slow"}, {}),
}


@pytest.mark.parametrize(("name", "about"), UNSIGNED.items(), ids=UNSIGNED)
def test_addresses_that_are_secrets(
    name: str, about: tuple[dict[str, Any], dict[str, Any]], app: Flask, call: Call, tenant: Tenant
) -> None:
    """Who may only read, by key or on pages, sees the beginning of a hook's id; admins see all of it."""
    body, options = about
    adapter = ADAPTERS[name.partition(",")[0]]
    made = hooks.create_hook(
        adapter, tenant.workspace_id, None, public_url="http://gateway.test", unsigned=True, options=options,
        name="Shop" if name == "generic" else "",
    )  # fmt: skip
    # Some tools send the address along.
    sent = dumped({**body, "sent_to": f"http://gateway.test{made['path']}"})
    assert app.test_client().open(made["path"], method="POST", data=sent, headers=JSON).status_code == 200
    commit.flush()
    reader = {"Authorization": f"Bearer {create_key(tenant.workspace_id, scopes=['read'])[1]}"}
    paths = ["feedback", "export", "quarantine", "outcomes?by=key_id,source"]
    paths += [f"quarantine/{row.id}" for row in Quarantine.select()]
    for row in Feedback.select():
        paths += (f"feedback/{row.id}{more}" for more in ("", "/events", "?expand=raw,deliveries,events"))

    answers = {path: call("GET", f"/gateway/v1/{path}", headers=reader) for path in paths}
    assert {answer.status_code for answer in answers.values()} == {200}
    assert [path for path, answer in answers.items() if made["hook_id"] in answer.text] == []
    assert (
        called_shortly(made["hook_id"])
        in json.loads(answers["outcomes?by=key_id,source"].text)["data"][0].values()
    )
    assert made["hook_id"] in call("GET", "/gateway/v1/outcomes?by=key_id").text

    viewer = users.create_user(tenant.workspace_id, "viewer@a.test", "Viewer", "viewer")
    client = app.test_client()
    client.set_cookie("feedback-session", users.open_session(viewer), domain="localhost")
    pages = ["/inbox", "/overview", "/settings/quarantine"]
    pages += [f"/records/{row.id}" for row in Feedback.select()]
    pages += [f"/settings/quarantine/{row.id}" for row in Quarantine.select()]
    seen = {page: client.get(page) for page in pages}
    assert {page.status_code for page in seen.values()} == {200}
    assert [path for path, page in seen.items() if made["hook_id"] in page.text] == []
    if name == "generic":
        assert "Shop" in next(page.text for path, page in seen.items() if path.startswith("/records/"))


def test_what_is_stored_of_a_nameless_watchdog(call: Call, tenant: Tenant) -> None:
    """Its words and tags have the beginning of its id."""
    made = hooks.create_hook(
        ADAPTERS["watchdog"], tenant.workspace_id, None, public_url="http://gateway.test", unsigned=True
    )
    HookRow.update(created_at=0).execute()
    assert run_once(silence.LOOK)

    (row,) = call("GET", "/gateway/v1/feedback").json["data"]
    words = " ".join((row["title"], row["text"], *row["tags"]))
    assert called_shortly(made["hook_id"]) in words
    assert made["hook_id"] not in words


SNIPPETS = (
    'It says {"token": "expired"} since noon',
    '[berths] {"token": "expired", "response_url": ""}',
    'the form has "token": "x" twice',
)
WRITTEN: dict[str, Callable[[str], Any]] = {
    "zulip": lambda words: {**ZULIP, "message": {**MESSAGE, "content": words}},
    "mattermost": lambda words: {**POST, "text": words},
    "slack": lambda words: {**SPOKEN, "event": {**SPOKEN["event"], "text": words}},
    "discord": lambda words: {
        **INTERACTION,
        "data": {"name": "say", "options": [{"name": "words", "type": 3, "value": words}]},
    },
    "uptime_kuma": lambda words: {**MONITOR, "msg": words.replace("token", "headers")},
}


@pytest.mark.parametrize("words", SNIPPETS)
@pytest.mark.parametrize("name", WRITTEN)
def test_words_about_secrets(name: str, words: str) -> None:
    """What people write of such names stays theirs, beside the secrets of the same names that are starred."""
    sent = WRITTEN[name](words)
    inbound = Inbound("POST", "/", JSON, dumped(sent))
    signed = ADAPTERS[name].signed
    assert signed is not None
    redact(inbound, signed.conceals)

    assert inbound.body != dumped(sent)
    assert len(inbound.body) == len(dumped(sent))
    assert dumped(words.replace("token", "headers") if name == "uptime_kuma" else words) in inbound.body


def test_variables() -> None:
    """In a list of variables all values are starred, and what is beside them stays."""
    variables = [{"key": "A", "value": "one", "of": [{"value": "two"}]}, {"key": "B]", "value": "three"}]
    inbound = Inbound("POST", "/", JSON, dumped({"variables": variables, "value": "a word"}))
    redact(inbound, (), {"variables": ("value",)})

    starred = [{"key": "A", "value": "***", "of": [{"value": "***"}]}, {"key": "B]", "value": "*****"}]
    assert json.loads(inbound.body) == {"variables": starred, "value": "a word"}


WORDS = st.text(st.characters(codec="utf-8"), max_size=40)


@given(
    secret=st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=SHORTEST, max_size=60),
    words=st.dictionaries(WORDS, WORDS, max_size=4),
    deep=st.integers(0, 3),
    form=st.booleans(),
    ascii=st.booleans(),
)
def test_any_secret(secret: str, words: dict[str, str], deep: int, form: bool, ascii: bool) -> None:
    """A text under a name that conceals is starred wherever it stands; all else is read as it was sent."""
    hidden: Any = {"token": secret}
    for _ in range(deep):
        hidden = {"in": [hidden]}
    sent = {**{f"x{name}": value for name, value in words.items()}, "deep": hidden}
    text = json.dumps(sent, ensure_ascii=ascii)
    body = urlencode({"payload": text, "other": "words", "token": secret}) if form else text
    inbound = Inbound("POST", "/", FORM if form else JSON, body.encode())
    redact(inbound, ("token",))

    fields = dict(parse_qsl(inbound.body.decode(), keep_blank_values=True)) if form else {}
    found = json.loads(fields.pop("payload") if form else inbound.body)
    while deep:
        found, deep = {**found, "deep": found["deep"]["in"][0]}, deep - 1
    assert set(found.pop("deep")["token"]) == {"*"}
    assert found == {name: value for name, value in sent.items() if name != "deep"}
    if form:
        assert set(fields.pop("token")) == {"*"}
        assert fields == {"other": "words"}
