"""GitLab: tokens and Standard Webhooks signatures, the quirks of its payloads, and no crash on any JSON."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Hook, Inbound
from adapters.contract.record import Record
from adapters.gitlab import ADAPTER, read
from tests.adapters.test_adapters import CASES, RECEIVED_AT, inbound_of, shown
from tests.conftest import SHARED

TOKEN = "glhook-3kd93kd0"
KEY = bytes(range(40, 72))
SIGNING = "whsec_" + base64.b64encode(KEY).decode()
NOW = RECEIVED_AT // 1000
SAMPLES = SHARED / "samples" / "gitlab"
REQUESTS = {
    path.stem: json.loads(path.read_text())["request"] for path in CASES if path.parent.name == "gitlab"
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def signed(
    body: bytes = b"{}", *, key: bytes = KEY, stamp: str = str(NOW), message: str = "msg-1"
) -> dict[str, str]:
    """The headers of a delivery that GitLab signed."""
    digest = hmac.new(key, f"{message}.{stamp}.".encode() + body, hashlib.sha256).digest()
    entry = "v1," + base64.b64encode(digest).decode()
    return {"webhook-id": message, "webhook-timestamp": stamp, "webhook-signature": entry}


def verified(headers: dict[str, str], *secrets: str, body: bytes = b"{}") -> bool:
    assert ADAPTER.signed
    inbound = Inbound("POST", "/", headers, body, received_at=RECEIVED_AT)
    try:
        return ADAPTER.signed.verify(inbound, Hook("hk_test", "gitlab", secrets))
    except Exception:
        return False


def read_event(sent: Any) -> list[Record]:
    return read(Inbound("POST", "/", {}, json.dumps(sent).encode()))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value at any depth."""
    names = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [path, *(inner for name in names for inner in places(value[name], (*path, name)))]


def with_value(sent: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    sent = copy.deepcopy(sent)
    parent = sent
    for name in path[:-1]:
        parent = parent[name]
    parent[path[-1]] = value
    return sent


def test_token() -> None:
    """The secret token is good, the current one and the one being rotated out."""
    assert verified({"x-gitlab-token": TOKEN}, TOKEN)
    assert verified({"x-gitlab-token": TOKEN}, "new", TOKEN)
    assert verified({"x-gitlab-token": TOKEN}, SIGNING, TOKEN)
    assert not verified({"x-gitlab-token": TOKEN}, "new")


@pytest.mark.parametrize("headers", [{}, {"x-gitlab-token": ""}, {"x-gitlab-token": TOKEN + "é"}])
def test_bad_token(headers: dict[str, str]) -> None:
    """A missing, empty or foreign token is never good, also not where a secret is empty."""
    assert not verified(headers, TOKEN)
    assert not verified(headers, "")


def test_signing_token_does_not_travel() -> None:
    """A signing token shown as the secret token proves nothing."""
    assert not verified({"x-gitlab-token": SIGNING}, SIGNING)


def test_signature() -> None:
    """A signature is good with any live signing token, also among several entries."""
    other = "whsec_" + base64.b64encode(b"x" * 24).decode()
    several = signed()
    several["webhook-signature"] = f"v1,AAAA v1a,BBBB nonsense {several['webhook-signature']}"

    assert verified(signed(), SIGNING)
    assert verified(signed(), other, SIGNING)
    assert verified(signed(), "whsec_not base64!", SIGNING)
    assert verified(several, SIGNING, TOKEN)
    assert not verified(signed(), other)


def test_signature_counts_before_the_token() -> None:
    """Where there is a signature header a good token does not help, nor does it hurt."""
    bad = {**signed(), "webhook-signature": "v1,AAAA"}

    assert not verified({**bad, "x-gitlab-token": TOKEN}, TOKEN, SIGNING)
    assert not verified({**signed(), "x-gitlab-token": TOKEN}, TOKEN)
    assert not verified({"webhook-signature": "", "x-gitlab-token": TOKEN}, TOKEN)
    assert verified({**signed(), "x-gitlab-token": "wrong"}, SIGNING)


@pytest.mark.parametrize(
    ("seconds", "good"), [(0, True), (-299, True), (299, True), (-301, False), (301, False)]
)
def test_replay_window(seconds: int, good: bool) -> None:
    """A signature is good for 300 seconds before and after its time."""
    assert verified(signed(stamp=str(NOW + seconds)), SIGNING) is good


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": signed()["webhook-signature"][3:]},
        {"webhook-signature": "v2" + signed()["webhook-signature"][2:]},
        {"webhook-signature": signed()["webhook-signature"] + "é"},
        {"webhook-signature": "\udc80"},
        {"webhook-id": "msg-2"},
        {"webhook-id": ""},
        {"webhook-timestamp": str(NOW - 1)},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "now"},
        {"webhook-timestamp": f"{NOW}.0"},
        {"webhook-timestamp": f"-{NOW}"},
        {"webhook-timestamp": "9" * 400},
    ],
)
def test_bad_signature(change: dict[str, str]) -> None:
    """A malformed, foreign or non-ASCII signature, id or time is never good."""
    assert not verified({**signed(), **change}, SIGNING)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_missing_header(name: str) -> None:
    """A signature without its id or time is never good."""
    headers = signed()
    del headers[name]

    assert not verified(headers, SIGNING)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_!!!", "whsec_é", ""])
def test_bad_secret(secret: str) -> None:
    """A secret without a key accepts nothing, not even what is signed with an empty key."""
    assert not verified(signed(key=b""), secret)


def test_flipped_byte() -> None:
    """One flipped bit of the body spoils its signature."""
    body = b'{"object_kind": "pipeline"}'
    headers = signed(body)

    for at in range(len(body)):
        flipped = bytearray(body)
        flipped[at] ^= 1
        assert not verified(headers, SIGNING, body=bytes(flipped))


def test_standardwebhooks_signs_the_same() -> None:
    """What the reference implementation signs is good here."""
    reference = pytest.importorskip("standardwebhooks")
    from datetime import UTC, datetime

    entry = reference.Webhook(SIGNING).sign(
        "msg-9", datetime.fromtimestamp(NOW, UTC), '{"object_kind":"note"}'
    )
    headers = {"webhook-id": "msg-9", "webhook-timestamp": str(NOW), "webhook-signature": entry}

    assert verified(headers, SIGNING, body=b'{"object_kind":"note"}')


def test_another_end_of_the_same_pipeline_is_another_delivery() -> None:
    """Retried jobs let a pipeline fail twice under one id; the same end sent twice is one."""
    sent = REQUESTS["pipeline_failed"]["json"]
    later = with_value(sent, ("object_attributes", "finished_at"), "2026-11-20 09:55:00 UTC")

    assert read_event(sent)[0].dedupe_key != read_event(later)[0].dedupe_key
    assert read_event(sent)[0].incident_key == read_event(later)[0].incident_key


def test_stories_of_different_kinds_never_meet() -> None:
    """A branch, a merge request, an issue and a job that share a number are four stories."""
    pipeline = with_value(REQUESTS["pipeline_failed"]["json"], ("object_attributes", "ref"), "41")
    merge = REQUESTS["pipeline_failed_on_merge_request"]["json"]
    issue = with_value(REQUESTS["issue_opened"]["json"], ("object_attributes", "iid"), 41)
    job = with_value(REQUESTS["job_failed"]["json"], ("ref",), "41")

    assert len({read_event(sent)[0].incident_key for sent in (pipeline, merge, issue, job)}) == 4


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2016-08-12 15:26:29 UTC", 1_471_015_589_000),
        ("2016-08-12 17:26:29 +0200", 1_471_015_589_000),
        ("2016-08-12T15:26:29Z", 1_471_015_589_000),
        ("2016-08-12T15:26:29.250Z", 1_471_015_589_250),
        ("yesterday", 1_795_165_320_000),
        (None, 1_795_165_320_000),
        ("0001-01-01 00:00:00 +2300", 1_795_165_320_000),
    ],
)
def test_times(written: str | None, at: int) -> None:
    """GitLab's times are read in each of its ways; without one it is when the pipeline was created."""
    sent = with_value(REQUESTS["pipeline_failed"]["json"], ("object_attributes", "finished_at"), written)

    assert read_event(sent)[0].occurred_at == at


@pytest.mark.parametrize(
    ("label", "severity"),
    [
        ("severity::1", 5),
        ("priority::high", 4),
        ("P3", 3),
        ("priority: low", 2),
        ("workflow::1", None),
        ("1", None),
        ("highlight", None),
    ],
)
def test_labels_say_severity(label: str, severity: int | None) -> None:
    """Labels that name a severity set it; others do not."""
    sent = with_value(REQUESTS["issue_opened"]["json"], ("labels",), [{"title": label}])

    assert read_event(sent)[0].severity == severity


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_json_anywhere(data: st.DataObject) -> None:
    """Whatever stands anywhere in a payload, it becomes records that are JSON, or is kept as unreadable."""
    request = data.draw(st.sampled_from(list(REQUESTS.values())))
    path = data.draw(st.sampled_from(places(request["json"])))
    sent = with_value(request["json"], path, data.draw(JSON))
    inbound = inbound_of({**request, "json": sent})

    for record in ADAPTER.doors[0].read(inbound):
        json.dumps(shown(record))
        assert (
            record.unreadable
            or record.votes_for
            or (record.dedupe_key and record.incident_key and record.state)
        )
        assert len(record.title) <= 200
        assert "\n" not in record.title


needs_samples = pytest.mark.skipif(not SAMPLES.exists(), reason="no collection of recorded payloads here")


def sample(name: str) -> list[Record]:
    return read_event(json.loads((SAMPLES / f"{name}.json").read_text()))


@needs_samples
@pytest.mark.parametrize(
    ("name", "word", "severity", "state"),
    [("pipeline_failed", "failed", 4, "triggered"), ("pipeline_docs_success", "succeeded", None, "resolved")],
)
def test_samples(name: str, word: str, severity: int | None, state: str) -> None:
    """Recorded pipelines become what the contract's table says; nothing was deployed by them."""
    (record,) = sample(name)

    assert record.title == f"gitlab-org/gitlab-test: pipeline {word} on master"
    assert record.text == ("test-build (test): script_failure\ntest" if state == "triggered" else "test")
    assert (record.type, record.severity, record.state) == ("ci", severity, state)
    assert record.subject["url"] == "http://example.com/gitlab-org/gitlab-test/-/pipelines/31"
    assert "environment" not in record.subject
    assert (record.author.name, record.author.email) == ("root", "user_email@gitlab.com")
    assert record.occurred_at == 1_471_015_589_000
    assert record.incident_key == "1:mr:1"
    assert "ref:master" in record.tags


@needs_samples
@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_every_sample_is_recorded_or_ignored(path: Any) -> None:
    """What is ignored is a choice; nothing real is unreadable."""
    assert bool(sample(path.stem)) == (path.stem not in {"deployment_success", "pipeline_running"})


@needs_samples
def test_vector() -> None:
    """The recorded signature is good at its time."""
    vector = json.loads((SHARED / "samples" / "_vectors" / "gitlab.json").read_text())
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    at = int(headers["webhook-timestamp"]) * 1000
    inbound = Inbound("POST", "/", headers, vector["body"].encode(), received_at=at + 2_000)
    late = Inbound("POST", "/", headers, vector["body"].encode(), received_at=at + 302_000)

    assert ADAPTER.signed
    assert ADAPTER.signed.verify(inbound, Hook("hk", "gitlab", (vector["signing_token"],)))
    assert not ADAPTER.signed.verify(late, Hook("hk", "gitlab", (vector["signing_token"],)))
