"""Bodies in other charsets than UTF-8: every door reads them, and they are kept as they came."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from adapters.contract import Inbound
from adapters.contract.charsets import CODECS, in_utf8
from gateway.access import hooks
from models import Event
from tests.access.test_hooks import SIGNED
from tests.adapters.test_adapters import CASES, DIALECTS, door_of, inbound_of, shown
from tests.conftest import Call, Tenant

WORDS = {"text": "Grüße, the café’s list is empty"}
WRITTEN = [
    ("utf-8", "utf-8", ""),
    ("UTF-8 with a mark", "utf-8-sig", ""),
    ("UTF-8, declared otherwise", "utf-8", "iso-8859-1"),
    ("UTF-16 with a mark", "utf-16", ""),
    ("UTF-16LE", "utf-16-le", ""),
    ("UTF-16BE, declared", "utf-16-be", "utf-16be"),
    ("UTF-32 with a mark", "utf-32", ""),
    ("UTF-32BE", "utf-32-be", ""),
    ("windows-1252", "cp1252", "windows-1252"),
    ("ISO-8859-1 that is windows-1252", "cp1252", "ISO-8859-1"),
    ("GB18030", "gb18030", '"gb18030"'),
]
PATHS = ("/gateway/v1/feedback", "/gateway/v1/feedback/batch", "generic")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("codec", "declared"), [row[1:] for row in WRITTEN], ids=[row[0] for row in WRITTEN])
def test_words_arrive(call: Call, tenant: Tenant, path: str, codec: str, declared: str) -> None:
    """The words arrive as they were written, and what was sent is kept to the byte."""
    sent = [WORDS] if path.endswith("batch") else WORDS
    body = json.dumps(sent, ensure_ascii=False).encode(codec)
    headers = {"Content-Type": "application/json" + (f"; charset={declared}" if declared else "")}
    if path == "generic":
        options = {"map": {"text": "text"}}
        made = hooks.create_hook(
            SIGNED["generic"], tenant.workspace_id, None, public_url="http://x", options=options
        )
        path, headers = made["path"], {**headers, "Authorization": f"Bearer {made['secret']}"}
    answer = call("POST", path, data=body, headers=headers)

    assert answer.status_code in (200, 201), answer.text
    (record,) = call("GET", "/gateway/v1/feedback").json["data"]
    assert record["text"] == WORDS["text"]
    if not path.endswith("batch"):
        assert [bytes(event.payload) for event in Event.select()] == [body]


def test_every_door() -> None:
    """JSON in UTF-16 is read at every door as it is in UTF-8."""
    tried = set()
    for path in CASES:
        case = json.loads(path.read_text())
        if "json" not in case["request"] or not case.get("records"):
            continue
        inbound = inbound_of(case["request"])
        door = door_of(DIALECTS[path.parent.name], inbound)
        text = json.dumps(case["request"]["json"], ensure_ascii=False)
        other = replace(inbound, body=text.encode("utf-16"), checked={})
        assert [shown(r)["text"] for r in door.read(other)] == [r["text"] for r in case["records"]], path
        tried.add(path.parent.name)
    assert tried == set(DIALECTS)


@pytest.mark.parametrize("codec", sorted(set(CODECS.values())))
def test_every_codec(codec: str) -> None:
    """Whatever bytes come under a name of the list, they are text or are left as they are."""
    name = next(name for name, known in CODECS.items() if known == codec)
    body = b'"' + bytes(range(1, 256)) + b'"'

    in_utf8(body, f"text/plain; charset={name}").decode("utf-8", "replace")


@pytest.mark.parametrize("charset", ["unicode_escape", "idna", "rot13", "zlib", "utf-7", "", "\x00"])
def test_other_names(charset: str) -> None:
    """What is no charset of the list is not looked up."""
    body = b"\xe9"

    assert in_utf8(body, f"text/plain; charset={charset}") is body


def test_utf_8_is_not_looked_at_twice() -> None:
    """JSON in UTF-8 is parsed from the bytes that came."""
    inbound = Inbound("POST", "/", {"content-type": "application/json; charset=latin1"}, b'{"a": "\xc3\xa9"}')

    assert inbound.json == {"a": "é"}
    assert "text" not in vars(inbound)
