"""Sentry's SDKs by DSN: whose key it is, how envelopes are cut, and what their items become."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.common import sentry_dialog
from adapters.common.envelopes import MOST_ITEMS
from adapters.contract import Hook, Inbound, Problem, Refused
from adapters.contract.record import Record
from adapters.sentry_envelope import ADAPTER, key_in, refuse, verify
from tests.adapters.alert_senders import ANY_JSON, places
from tests.adapters.test_adapters import FIXTURES, door_of, inbound_of
from tests.conftest import SHARED

KEY = "hk_0f1e2d3c4b5a69788796a5b4c3d2e1f0"
ENVELOPE, *_, REPORT = ADAPTER.doors
REQUESTS = [
    json.loads(path.read_text())["request"] for path in sorted((FIXTURES / "sentry_envelope").glob("*.json"))
]
DSN = f"https://{KEY}@feedback.example.org:8000/gateway/7301"


def posted(body: bytes = b"{}\n", number: str = "7301", **options: Any) -> Inbound:
    return Inbound(
        "POST", ENVELOPE.path, options.pop("headers", {}), body, params={"project_number": number}, **options
    )


def reported(**headers: str) -> Inbound:
    return Inbound("POST", REPORT.path, headers, b"{}", params={"org": "acme", "project": "ferry"})


def records_of(*lines: bytes, header: bytes = b'{"event_id":"ab"}') -> list[Record]:
    return ENVELOPE.read(posted(b"\n".join([header, *lines])))


def feedback(words: str) -> bytes:
    return json.dumps({"contexts": {"feedback": {"message": words}}}).encode()


def alert(**sent: Any) -> Record:
    (record,) = records_of(b'{"type":"event"}', json.dumps(sent).encode())
    return record


@pytest.mark.parametrize(
    "inbound",
    [
        posted(headers={"x-sentry-auth": f"Sentry sentry_key={KEY}, sentry_version=7"}),
        posted(headers={"x-sentry-auth": f"Sentry sentry_version=7,sentry_key={KEY},sentry_secret=old"}),
        posted(headers={"authorization": f"Sentry sentry_key={KEY}"}),
        posted(headers={"authorization": f"DSN {DSN}"}),
        posted(
            headers={"authorization": "Basic of-a-proxy"}, query={"sentry_key": KEY, "sentry_version": "7"}
        ),
        posted(json.dumps({"dsn": DSN}).encode()),
        posted(json.dumps({"dsn": DSN}).encode(), query={"sentry_key": KEY}),
        reported(authorization=f"DSN {DSN}"),
        reported(authorization=f"dsn  {DSN}"),
        reported(authorization=f"Bearer {KEY}"),
    ],
)
def test_a_key_is_found(inbound: Inbound) -> None:
    """SDKs show the DSN's key in a header, in the query or in the envelope; the REST call as it may."""
    assert key_in(inbound) == KEY


@pytest.mark.parametrize(
    "inbound",
    [
        posted(),
        posted(b"\xff"),
        posted(headers={"authorization": f"Bearer {KEY}"}),
        posted(headers={"x-sentry-auth": "Sentry sentry_version=7"}, query={"sentry_key": KEY}),
        posted(headers={"x-sentry-auth": "Sentry sentry_key=other"}, query={"sentry_key": KEY}),
        posted(b'{"dsn":"https://other@example.org/1"}', query={"sentry_key": KEY}),
        posted(b'{"dsn":"https://[broken/1"}', query={"sentry_key": KEY}),
        posted(query={"sentry_key": ""}),
        posted(query={"sentry_key": "kéy"}),
        posted(query={"sentry_key": "a-b"}),
        posted(query={"sentry_key": "k" * 201}),
        reported(),
        reported(authorization="DSN"),
        reported(authorization="DSN feedback.example.org"),
        reported(authorization="Bearer"),
        reported(authorization="Bearer \udcff"),
        reported(authorization=f"Basic {KEY}"),
    ],
)
def test_no_key_or_two(inbound: Inbound) -> None:
    """None, a malformed one, or two that differ: nobody's."""
    assert key_in(inbound) is None


@pytest.mark.parametrize("number", ["", "7302", "07301", "None", "７３０１", "7301\udcff"])
def test_a_key_opens_its_own_project_only(number: str) -> None:
    assert not verify(posted(number=number), Hook(KEY, "sentry_envelope", options={"project_number": "7301"}))


def test_the_project_number_of_the_path_is_checked() -> None:
    """As text, since the option may be a number; the REST call names no number."""
    for known in ("7301", 7301):
        assert verify(posted(), Hook(KEY, "sentry_envelope", options={"project_number": known}))
    with pytest.raises(KeyError):
        verify(posted(), Hook(KEY, "sentry_envelope"))
    assert verify(reported(), Hook(KEY, "sentry_envelope", options={"project_number": "7301"}))


def test_payloads_with_and_without_length() -> None:
    """With `length` a payload may hold line ends, without it is one line; empty lines are passed over."""
    sized = feedback("one").replace(b"{", b"{\n", 1)
    records = records_of(
        b'{"type":"feedback","length":%d}' % len(sized),
        sized,
        b"",
        b'{"type":"attachment","length":0}',
        b"",
        b'{"type":"attachment"}',
        b"",
        b'{"type":"feedback","length":null}',
        feedback("two"),
        b'{"type":"feedback"}',
        feedback("three"),
    )

    assert [record.text for record in records] == ["one", "two", "three"]
    assert len({record.dedupe_key for record in records}) == 3
    assert records[0].subject["attachments"] == [{"size": 0}, {"size": 0}]


@pytest.mark.parametrize("size", ["-1", "true", '"2"', "1.5", "999", "1" + "0" * 30, "3"])
def test_a_wrong_length_is_kept_with_the_reason(size: str) -> None:
    """What comes before it is stored; what comes after cannot be found."""
    good, bad = records_of(
        b'{"type":"feedback"}',
        feedback("fine"),
        b'{"type":"feedback","length":%s}' % size.encode(),
        b"{}",
        b"{}",
    )

    assert good.text == "fine"
    assert bad.unreadable and "length" in bad.unreadable


def test_an_item_at_the_very_end() -> None:
    """An item may lack its payload and an envelope its last line end."""
    assert records_of(b'{"type":"session"}') == []
    assert records_of(b'{"type":"session","length":0}') == []
    assert records_of(b'{"type":"feedback"}')[0].unreadable


def test_only_so_many_items() -> None:
    one = [b'{"type":"feedback"}', feedback("again")]
    records = records_of(*one * (MOST_ITEMS + 1))

    assert len(records) == MOST_ITEMS + 1
    assert records[-1].unreadable == "items: Array must contain at most 100 item(s)"
    assert len({record.dedupe_key for record in records[:-1]}) == MOST_ITEMS


FINE = b'{"message":"Deck 4 is full"}'
EVENT = b'{"type":"event"}'
CUT = b'{"type":"event","length":900}'
LONG = b'{"type":"event","length":4}'


@pytest.mark.parametrize(
    ("parts", "held"),
    [
        ([EVENT, b"\xff[", EVENT, FINE], [EVENT, b"\xff["]),
        ([EVENT, b"[]", EVENT, FINE, EVENT, b"7"], [EVENT, b"[]", EVENT, b"7"]),
        ([EVENT, FINE, b"no header", b"{}"], [b"", b"no header", b"{}"]),
        (
            [EVENT, FINE, b'{"type":"event","length":900}', b"{}"],
            [b"", b'{"type":"event","length":900}', b"{}"],
        ),
        (
            [EVENT, FINE, b'{"type":"event","length":4}', b"[\n7]", EVENT, FINE],
            [b'{"type":"event","length":4}', b"[\n7]"],
        ),
        ([EVENT, b"7", EVENT, b"[]"], None),
    ],
)
def test_only_what_is_bad_is_held(parts: list[bytes], held: list[bytes] | None) -> None:
    """Byte for byte, under the envelope's header; all of it when nothing can be read."""
    *_, kept = records_of(*parts)

    assert kept.unreadable
    assert kept.held == (b"\n".join([b'{"event_id":"ab"}', *held]) if held else None)


def test_a_bad_header_is_held_alone() -> None:
    *records, kept = records_of(EVENT, FINE, header=b"no header")

    assert [record.text for record in records] == ["Deck 4 is full"]
    assert kept.held == b"no header"


def test_one_envelope_is_held_once() -> None:
    """However many of its items are unreadable."""
    assert len(records_of(*[b'{"type":"event"}', b"[]"] * 20)) == 1


@pytest.mark.parametrize("kind", [b"[]", b"{}", b"null", b'"no_such_type"'])
def test_unknown_items_are_skipped_unread(kind: bytes) -> None:
    assert records_of(b'{"type":%s}' % kind, b"not JSON \xff") == []


def test_stories_by_fingerprint() -> None:
    """A fingerprint decides; `{{ default }}` in it stands for what would have decided."""
    kept = {"message": "deck 4 is full", "fingerprint": ["decks"]}
    other = alert(message="deck 5 is full", fingerprint=["decks"])
    default = alert(message="deck 5 is full", fingerprint=["{{ default }}"])
    both = alert(message="deck 5 is full", fingerprint=["{{ default }}", "decks"])
    keys = [record.incident_key for record in (other, default, both)]

    assert alert(**kept).incident_key == other.incident_key
    assert default.incident_key == alert(message="deck 5 is full", fingerprint=[7]).incident_key
    assert len(set(keys)) == 3


def test_stories_without_a_fingerprint() -> None:
    """Exceptions go by type, value and place, messages by their template; each project has its own."""
    raised = {"exception": {"values": [{"type": "E", "value": "v"}]}, "transaction": "a"}
    filled = [{"logentry": {"message": "deck %s", "formatted": f"deck {number}"}} for number in (4, 5)]

    assert alert(**raised).incident_key == alert(**raised, level="fatal").incident_key
    assert alert(**raised).incident_key != alert(**{**raised, "transaction": "b"}).incident_key
    assert alert(**filled[0]).incident_key == alert(**filled[1]).incident_key
    assert [alert(**sent).text for sent in filled] == ["deck 4", "deck 5"]
    elsewhere = ENVELOPE.read(posted(b'{}\n{"type":"event"}\n{"message":"m"}', number="9"))
    assert elsewhere[0].incident_key != alert(message="m").incident_key


def test_feedback_about_one_error_stays_apart() -> None:
    """Two people's words about the same error are two records."""
    texts = ("it broke", "it broke again")
    lines = [
        line
        for words in texts
        for line in (
            b'{"type":"user_report"}',
            json.dumps({"event_id": "ab", "comments": words}).encode(),
        )
    ]
    records = records_of(*lines)

    assert [record.text for record in records] == list(texts)
    assert len({record.dedupe_key for record in records}) == 2
    assert {record.incident_key for record in records} == {None}


def test_ids_are_written_as_sentry_writes_them() -> None:
    """A UUID with dashes or capitals is the same event; what is too long for an id is none."""
    dashed = records_of(
        b'{"type":"feedback"}', feedback("w"), header=b'{"event_id":"5A3F0C1E-2D4B-4968-A7B6-C5D4E3F20111"}'
    )
    endless = records_of(b'{"type":"feedback"}', feedback("w"), header=b'{"event_id":"%s"}' % (b"a" * 65))

    assert dashed[0].external_id == "5a3f0c1e2d4b4968a7b6c5d4e3f20111"
    assert (endless[0].external_id, endless[0].dedupe_key) == (None, None)


def test_refusals() -> None:
    """403 to strangers, whole seconds by category to those who send too much, the reason in a header."""
    stranger = refuse(Problem(401, "unauthorized", "No such\nhook.", headers={"WWW-Authenticate": "Bearer"}))
    limited = refuse(Problem(429, "rate_limited", "Too many — wait.", headers={"Retry-After": "5"}))
    forever = refuse(Problem(429, "rate_limited", "Wait.", headers={"Retry-After": "soon"}))

    assert (stranger.status, stranger.body) == (403, {"detail": "No such\nhook."})
    assert stranger.headers == {"X-Sentry-Error": "No such hook."}
    assert limited.status == 429
    assert limited.headers == {
        "Retry-After": "5",
        "X-Sentry-Error": "Too many wait.",
        "X-Sentry-Rate-Limits": "5:feedback;default;error:key",
    }
    assert forever.headers["X-Sentry-Rate-Limits"] == "60:feedback;default;error:key"


@pytest.mark.parametrize(
    "path", sorted((FIXTURES / "sentry_envelope").glob("*.json")), ids=lambda path: path.stem
)
def test_success_never_silences_a_client(path: Any) -> None:
    """No reply has a header that the SDKs take for a limit."""
    inbound = inbound_of(json.loads(path.read_text())["request"])
    reply = door_of(ADAPTER, inbound).reply(inbound, [])

    assert (reply.status, dict(reply.headers)) == (400 if told(inbound) else 200, {})


@st.composite
def gone_wrong(draw: st.DrawFn) -> dict[str, Any]:
    """A fixture's request with any JSON value in one place of one of its lines, or the line cut."""
    sent = draw(st.sampled_from(REQUESTS))
    lines = [json.dumps(sent["json"])] if "json" in sent else sent.get("text", "").split("\n")
    index = draw(st.integers(0, len(lines) - 1))
    try:
        value = {"": json.loads(lines[index])}
    except ValueError:
        value = {"": lines[index]}
    parent: Any = value
    place = ("", *draw(st.sampled_from(list(places(value[""])))))
    for name in place[:-1]:
        parent = parent[name]
    parent[place[-1]] = draw(ANY_JSON)
    lines[index] = draw(st.sampled_from([json.dumps(value[""]), "", "{", "\ufffd"]))
    return {**{name: part for name, part in sent.items() if name != "json"}, "text": "\n".join(lines)}


@settings(max_examples=200, deadline=None)
@given(gone_wrong())
def test_hostile_payloads(sent: dict[str, Any]) -> None:
    """Any value at any place becomes records, is ignored or is kept as unreadable; each has its answer."""
    inbound = inbound_of(sent)
    door = door_of(ADAPTER, inbound)
    records = door.read(inbound)

    key_in(inbound)
    json.dumps([asdict(record) for record in records], allow_nan=False, default=bytes.decode)
    for record in records:
        assert record.unreadable or (record.text and record.title and "\n" not in record.title)
        assert len(record.title) <= 200
        assert (record.state is None) == (record.incident_key is None)
        assert all(isinstance(tag, str) for tag in record.tags)
    assert door.reply(inbound, []).status == (400 if told(inbound) else 200)


def told(inbound: Inbound) -> bool:
    """Whether a request is a form without words, which the page that shows it tells its writer."""
    if inbound.path != sentry_dialog.PATH or inbound.method != "POST":
        return False
    try:
        return bool(sentry_dialog.filled(inbound)[1])
    except Refused:
        return False


def recorded(name: str) -> Inbound:
    """A request as an SDK sent it; skips where the collection of samples is not at hand."""
    path = SHARED / "samples" / "sentry" / name
    if not path.exists():
        pytest.skip(f"no vendor samples at {path.parent}")
    sent = json.loads(path.read_text())
    headers = {key.lower(): value for key, value in sent["headers"]}
    body = base64.b64decode(sent["raw_b64"])
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    query = dict(parse_qsl(urlsplit(sent["path"]).query))
    return posted(body, "42", headers=headers, query=query, received_at=1_795_249_602_859)


@pytest.mark.parametrize(
    ("name", "kind", "title", "severity", "occurred_at", "dedupe_key"),
    [
        (
            "envelope_node_captureFeedback.json",
            "feedback",
            "Pay button does nothing",
            None,
            1_795_234_751_690,
            "feedback:9f15290065a54197bbe8e44e0301fb62",
        ),
        (
            "envelope_python_capture_event_type_feedback.json",
            "feedback",
            "hello",
            None,
            1_795_234_748_117,
            "feedback:ae935c4cd25a48729ffa579430d04d03",
        ),
        (
            "envelope_node_captureMessage.json",
            "event",
            "Something the user said: äöü",
            3,
            1_795_234_751_733,
            "event:cbd4e0101d674ffca8768f482af44718",
        ),
        (
            "envelope_python_capture_exception.json",
            "event",
            "ZeroDivisionError: division by zero",
            4,
            1_795_234_748_026,
            "event:4130bbf8e4c34bfca39748375e7971c2",
        ),
    ],
)
def test_recorded_envelopes(
    name: str, kind: str, title: str, severity: int, occurred_at: int, dedupe_key: str
) -> None:
    """What the real SDKs sent, by the tables of the dialect's page."""
    inbound = recorded(name)
    (record,) = ENVELOPE.read(inbound)

    assert key_in(inbound) == "e12d836b15bb49d7bbf99e64295d995b"
    assert verify(inbound, Hook("", "", options={"project_number": 42}))
    assert (record.kind, record.title, record.severity) == (kind, title, severity)
    assert (record.occurred_at, record.dedupe_key) == (occurred_at, dedupe_key)
    assert (record.type, record.state) == (("alert", "triggered") if kind == "event" else ("message", None))
    assert (record.subject["environment"], record.subject["release"]) == ("production", "shop@1.2.3")
    assert ENVELOPE.reply(inbound, []).body == {"id": dedupe_key.partition(":")[2]}


def test_recorded_feedback_with_an_attachment() -> None:
    (record,) = ENVELOPE.read(recorded("envelope_node_captureFeedback.json"))

    assert record.text == "Pay button does nothing\nsecond line — äöü"
    assert (record.author.id, record.author.name, record.author.email) == ("u-7", "Ann", "ann@example.com")
    assert record.subject["url"] == "https://shop.example.com/pay"
    assert record.subject["associated_event_id"] == "32fd1995636d446385016e2747623e11"
    assert record.subject["attachments"] == [{"name": "note.txt", "type": "text/plain", "size": 11}]
    assert "area:checkout" in record.tags


def test_one_message_from_two_sdks_is_one_story() -> None:
    """The same message from Python and from JavaScript is the same trouble."""
    names = ("envelope_node_captureMessage.json", "envelope_python_capture_message.json")

    assert len({ENVELOPE.read(recorded(name))[0].incident_key for name in names}) == 1


def test_recorded_user_report() -> None:
    (record,) = ENVELOPE.read(recorded("envelope_python_user_report.json"))

    assert (record.text, record.author.name) == ("It broke.", "John Me")
    assert record.subject == {"associated_event_id": "66e2192e4ad84cc6a298b68c269ab1ee"}
