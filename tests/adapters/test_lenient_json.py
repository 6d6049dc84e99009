"""JSON that a template broke: what is mended, what is left, and that a person decides."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract.lenient_json import mended
from adapters.contract.strict_json import InvalidJSON, parse
from gateway.access import hooks
from models import Feedback, HookRow
from tests.access.test_hooks import SIGNED
from tests.conftest import Call, Tenant
from tests.signing import VENDORS

WORDS = {  # what a template filled in, and the reason that is told for it
    "line break": ("It is\nslow", "a line break"),
    "tab": ("It is\tslow", "a line break or other control character"),
    "quote": ('It is "slow" today', "a quote"),
    "quote, comma": ('It is "slow", "dead" or so', "a quote"),
    "backslash": (r"C:\shop is slow", "a backslash"),
}
TEMPLATES = {
    "value": '{"id": 1, "text": "%s", "more": {"a": [1, "b"]}}',
    "last value": '{"id": 1, "text": "%s"}',
    "nested": '{"list": [{"text": "%s"}, {"text": "x"}]}',
    "item": '["%s", "other"]',
}


# Of an array a quote before a comma may just as well end an item.
CASES = [(t, f) for t in TEMPLATES for f in WORDS if (t, f) != ("item", "quote, comma")]


@pytest.mark.parametrize(("template", "fault"), CASES)
def test_words_of_a_template(template: str, fault: str) -> None:
    """Whatever is wrong with words, they are read as they were filled in, and the rest as it stands."""
    words, reason = WORDS[fault]
    broken = TEMPLATES[template] % words
    meant = TEMPLATES[template] % json.dumps(words)[1:-1]

    with pytest.raises(InvalidJSON, match=reason):
        parse(broken.encode())
    assert parse(mended(broken.encode())) == json.loads(meant)


@pytest.mark.parametrize("text", ['{"a": [1, 2,], "b": {"c": 3,},\n}', '[{"a": 1},]'])
def test_last_comma(text: str) -> None:
    """A comma behind the last item or field goes, one within a string stays."""
    with pytest.raises(InvalidJSON, match="a comma behind the last item"):
        parse(text.encode())
    parse(mended(text.encode()))
    assert mended(b'{"a": ",]"}') == b'{"a": ",]"}'


@pytest.mark.parametrize("text", ["", "It is slow", '{"a": "b', '{"a": }', "{a: 1}", '{"a": 1'])
def test_nothing_is_guessed(text: str) -> None:
    """What is missing stays missing."""
    with pytest.raises(InvalidJSON):
        parse(mended(text.encode()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(JSON, st.booleans(), st.sampled_from([None, 1]))
def test_good_json_stays(value: Any, escaped: bool, indent: int | None) -> None:
    """What is JSON is left as it is, to the byte."""
    text = json.dumps(value, ensure_ascii=escaped, indent=indent).encode("utf-8", "surrogatepass")

    assert mended(text) is text


BROKEN = b'{"event": {"words": "The chart is\n"upside down"",}}'


@pytest.fixture(name="held")
def _held(call: Call, tenant: Tenant) -> str:
    """The path of a delivery in quarantine whose JSON a template broke."""
    options = {"map": {"text": "event.words"}}
    made = hooks.create_hook(
        SIGNED["generic"], tenant.workspace_id, None, public_url="http://x", options=options
    )
    call("POST", made["path"], data=BROKEN, headers={"Authorization": f"Bearer {made['secret']}"})
    (held,) = call("GET", "/gateway/v1/quarantine").json["data"]
    return f"/gateway/v1/quarantine/{held['id']}"


def test_a_person_decides(call: Call, held: str) -> None:
    """The lenient reading is shown beside the strict one; a replay takes it only when it is asked to."""
    shown = call("GET", held).json
    strict = call("POST", f"{held}/replay").json
    wrong = call("POST", f"{held}/replay?lenient=perhaps")
    done, again = (call("POST", f"{held}/replay?lenient=true").json for _ in range(2))
    record = call("GET", f"/gateway/v1/feedback/{done['feedback_ids'][0]}?expand=events").json

    assert "line break" in shown["reason"]
    assert shown["preview"]["records"] == []
    assert shown["lenient"]["records"][0]["text"] == record["text"] == 'The chart is\n"upside down"'
    assert (strict["replayed"], wrong.status_code) == (False, 400)
    assert done["replayed"]
    assert done == again
    assert Feedback.select().count() == 1
    assert shown["payload"].encode() == BROKEN


def test_no_lenient_reading(call: Call, held: str) -> None:
    """None is offered where it would help nothing: the map finds no text, or the strict reading does."""
    HookRow.update(options={"map": {"text": "other"}}).execute()

    assert call("GET", held).json["lenient"] is None


@pytest.mark.parametrize("name", sorted(set(VENDORS) & set(SIGNED) - {"watchdog"}))  # hears anything
def test_every_vendor(call: Call, tenant: Tenant, name: str) -> None:
    """Broken JSON is held with the place and the reason, whoever sends it."""
    vendor = VENDORS[name]
    made = hooks.create_hook(
        SIGNED[name],
        tenant.workspace_id,
        None,
        public_url="http://x",
        secret=vendor.secret,
        options=dict(vendor.options),
    )
    headers = {
        "Content-Type": "application/json",
        **EVENT_HEADERS.get(name, {}),
        **vendor.sign(vendor.secret, BROKEN, int(time.time())),
    }
    answer = call("POST", made["path"], data=BROKEN, headers={"Authorization": "", **headers})

    assert answer.status_code < 300
    (held,) = call("GET", "/gateway/v1/quarantine").json["data"]
    assert "line 1, column 34" in held["reason"]


EVENT_HEADERS = {
    "github": {"X-GitHub-Event": "issues"},
    "gitlab": {"X-Gitlab-Event": "Issue Hook"},
    "sentry": {"Sentry-Hook-Resource": "issue"},
    "bitbucket": {"X-Event-Key": "issue:created"},
}
