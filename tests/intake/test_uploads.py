"""Files that senders bring: at every door the words are kept, and each file is kept or refused by name."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from adapters import load
from gateway.access.hooks import create_hook
from gateway.core.config import Config
from gateway.files import store
from models import Asset, Event, Feedback, Quarantine, UnclaimedFile
from models.database.base import rows
from models.intake.attached import MOST
from tests.clients.conftest import files_of
from tests.conftest import Call, Server, Tenant, config_of
from tests.uploads import multipart, png

pytestmark = pytest.mark.both(long=True)

WORDS = "The basket is empty since Monday"
Files = Sequence[tuple[str, bytes]]
Door = Callable[..., TestResponse]


@pytest.fixture(name="config")
def _config(database_url: str, tmp_path: Path) -> Config:
    """Small limits, so that each can be met: bodies beyond 20,000 bytes are read as they come."""
    sizes = {"max_body": 20_000, "max_file": 40_000, "max_upload": 100_000, "max_envelope": 400_000}
    return replace(config_of(database_url, tmp_path), **sizes)


@pytest.fixture(name="doors")
def _doors(call: Call, tenant: Tenant) -> dict[str, Door]:
    """What sends the words with files through each door; `cut` is how many bytes do not come."""
    made = create_hook(load()["sentry_envelope"], tenant.workspace_id, tenant.project_id)

    def form(path: str, fields: dict[str, str]) -> Door:
        def send(files: Files, cut: int = 0, **headers: str) -> TestResponse:
            body, media = multipart(fields, [("file", *file) for file in files])
            headers = {"Content-Type": media, **headers}
            return call("POST", path, data=body[: len(body) - cut], headers=headers)

        return send

    def envelope(files: Files, cut: int = 0, event_id: str = "", words: Any = WORDS) -> TestResponse:
        item = {"type": "feedback"}, json.dumps({"contexts": {"feedback": {"message": words}}}).encode()
        items = [item]
        for name, content in files:
            head = {"type": "attachment", "filename": name, "length": len(content)}
            items.append((head, content))  # type: ignore[arg-type]
        body = json.dumps({"event_id": event_id}).encode() + b"".join(
            b"\n" + json.dumps(head).encode() + b"\n" + part for head, part in items
        )
        number = made["dsn"].rpartition("/")[2]
        path = f"/api/{number}/envelope/?sentry_key={made['hook_id']}"
        return call("POST", path, data=body[: len(body) - cut])

    return {
        "native": form("/gateway/v1/feedback", {"feedback": json.dumps({"text": WORDS})}),
        "fluister": form("/api/feedback", {"sentiment": "sad", "message": WORDS}),
        "sentry": envelope,
    }


DOORS = ("native", "fluister", "sentry")
KEPT = ""
TYPES = "is none of these"
# By what is tried: the files, bytes that do not come, and of each file why it is refused.
CASES: dict[str, tuple[Files, int, list[str]]] = {
    "one": ([("shot.png", png(900))], 0, [KEPT]),
    "large": ([("shot.png", png(30_000))], 0, [KEPT]),
    "several": ([("a.png", png(1, 1)), ("b.log", b"line\n"), ("c.json", b"{}")], 0, [KEPT] * 3),
    "same bytes": ([("a.png", png()), ("b.png", png())], 0, [KEPT] * 2),
    "too large": ([("a.png", png(40_001)), ("b.png", png(9))], 0, ["is larger than 40,000 bytes", KEPT]),
    "kind": ([("a.exe", b"MZ\x90\x00" * 99), ("b.png", png())], 0, [TYPES, KEPT]),
    "lying": ([("a.png", b"<html><script>alert(1)</script>"), ("b.html", png())], 0, [TYPES, KEPT]),
    "empty": ([("a.png", b""), ("b.png", png())], 0, ["is empty", KEPT]),
    "sixth": (
        [(f"{number}.png", png(1, number)) for number in range(6)],
        0,
        [*[KEPT] * 5, "is one more than the 5 that are kept"],
    ),
    "request": (
        [(f"{number}.png", png(35_000, number)) for number in range(3)],
        0,
        [KEPT, KEPT, "has no room: the files of a request may have 100,000 bytes"],
    ),
    "kind without room": (
        [*((f"{number}.png", png(33_000, number)) for number in range(3)), ("a.exe", b"MZ\0" + bytes(9_000))],
        0,
        [KEPT, KEPT, KEPT, TYPES],
    ),
    "workspace": ([("a.png", png(2_000))], 0, ["has no room: the files of this workspace"]),
    "cut": ([("a.png", png(30_000, 1)), ("b.png", png(30_000, 2))], 9_000, [KEPT, "ended before"]),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("door", DOORS)
def test_doors(door: str, case: str, doors: dict[str, Door], config: Config) -> None:
    """The words are on the record; what is kept can be read again, and what is not has its reason there."""
    files, cut, refused = CASES[case]
    if case == "workspace":
        store.connect(replace(config, files_quota=1_000))
    answer = doors[door](files, cut)

    assert answer.status_code in (200, 201), answer.text
    (record,) = rows(Feedback.select())
    assert record["text"] == WORDS
    found = rows(Asset.select().order_by(Asset.id))
    assert [row["reason"] is None for row in found] == [reason == KEPT for reason in refused]
    for (name, content), row, reason in zip(files, found, refused, strict=True):
        assert (row["feedback_id"], row["project_id"]) == (record["id"], record["project_id"])
        assert row["name"].startswith(name)
        assert (row["reason"] or "").startswith(reason)
        assert row["status"] == ("failed" if reason else "ready")
        if not reason:
            assert b"".join(store.store().open(row["sha256"])) == content
    assert rows(UnclaimedFile.select()) == []
    (event,) = rows(Event.select())
    assert len(event["payload"]) < 3_000  # files are not kept a second time
    if door == "native":
        told = [(one["id"], one["status"], one["reason"]) for one in answer.json["attachments"]]
        assert told == [(row["id"], row["status"], row["reason"]) for row in found]
    if door == "sentry" and not cut:
        noted = [(one["name"], one["size"]) for one in record["subject"]["attachments"]]
        assert noted == [(name, len(content)) for name, content in files]


@pytest.mark.parametrize("door", DOORS)
def test_no_words_no_record(door: str, doors: dict[str, Door], tenant: Tenant, call: Call) -> None:
    """Who proves nothing, or says too much, leaves neither a record nor bytes that anybody answers for."""
    stranger = {"Authorization": "Bearer sk_live_unknown"}
    if door == "sentry":
        path = "/api/1/envelope/?sentry_key=hk_unknown"
        answer = call("POST", path, data=b'{}\n{"type":"attachment"}\n' + png(), headers=stranger)
    else:
        answer = doors[door]([("a.png", png(30_000))], **stranger)

    assert answer.status_code in (401, 403)
    assert rows(Feedback.select()) == rows(UnclaimedFile.select()) == rows(Asset.select()) == []


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({}, "feedback"),
        ({"feedback": "{}"}, "text"),
        ({"feedback": '{"text": "x"}', "feedbak": "x"}, "feedbak"),
        ({"text": "x"}, "text"),
    ],
)
def test_native_faults(call: Call, fields: dict[str, str], fault: str) -> None:
    """A form that is no record is refused as any other body, with the field by its name."""
    body, media = multipart(fields, [("file", "a.png", png())])
    answer = call("POST", "/gateway/v1/feedback", data=body, headers={"Content-Type": media})

    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, fault)
    assert rows(Asset.select()) == []


def test_too_many_words(call: Call) -> None:
    """Words have their own limit, however much files may take."""
    body, media = multipart({"feedback": json.dumps({"text": "x" * 20_001})}, [("file", "a.png", png())])
    answer = call("POST", "/gateway/v1/feedback", data=body, headers={"Content-Type": media})
    assert answer.status_code == 413
    answer = call("POST", "/gateway/v1/feedback", data=b" " * 20_001)
    assert answer.status_code == 413


def test_idempotency(doors: dict[str, Door]) -> None:
    """A repeat is told what the first one was, whatever its boundary; another file is another request."""
    key = {"Idempotency-Key": "k"}
    first = doors["native"]([("a.png", png(1)), ("b.exe", b"MZ\0")], **key)
    again = doors["native"]([("a.png", png(1)), ("b.exe", b"MZ\0")], **key)
    other = doors["native"]([("a.png", png(1)), ("b.exe", b"MZ\1")], **key)
    cut = doors["native"]([("a.png", png(99))], 60, **{"Idempotency-Key": "other"})
    whole = doors["native"]([("a.png", png(99))], **{"Idempotency-Key": "other"})

    assert (again.status_code, again.json) == (201, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (other.status_code, cut.status_code, whole.status_code) == (422, 400, 201)
    assert len(rows(Feedback.select())) == 2


def test_limit_is_spent_once(doors: dict[str, Door], call: Call, app: Flask) -> None:
    """A request with files counts as one, and says what is left as any other does."""
    left = []
    for _ in range(2):
        answer = doors["native"]([("a.png", png(1))])
        left.append(int(answer.headers["X-RateLimit-Remaining"]))
    assert left[0] - left[1] == 1


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"sentiment": "love"}, {"type": "rating"}),
        ({"sentiment": "sad", "message": "x", "metadata": '{"app_version": "7"}'}, {"app_version": "7"}),
        ({"sentiment": "sad", "message": "x", "metadata": "{broken"}, {}),
        (
            {"sentiment": "sad", "message": "x", "email_followup_opted_in": "true"},
            {"email_followup_opted_in": True},
        ),
        ({"data": '{"sentiment": "sad", "message": "x", "platform": "ios"}'}, {"platform": "ios"}),
    ],
)
def test_forms_of_the_app(call: Call, fields: dict[str, str], shown: dict[str, Any]) -> None:
    """The app's words may be fields of a form, or one field that is JSON."""
    body, media = multipart(fields, [("image", "a.png", png())])
    answer = call("POST", "/api/feedback", data=body, headers={"Content-Type": media})

    assert answer.status_code == 201, answer.text
    (record,) = rows(Feedback.select())
    assert {**record["subject"], "type": record["type"]}.items() >= shown.items()
    assert len(rows(Asset.select())) == 1


def test_a_file_is_kept_once(doors: dict[str, Door]) -> None:
    """An envelope that comes again adds the files that its record has not got yet, and no second ones."""
    first, second = ("a.png", png(1, 1)), ("b.png", png(30_000, 2))
    named = {"event_id": "c7" * 16}
    doors["sentry"]([first, second], 9_000, **named)
    doors["sentry"]([first, second], **named)
    doors["sentry"]([first, second], **named)

    (record,) = rows(Feedback.select())
    found = rows(Asset.select().order_by(Asset.id))
    assert [(row["name"], row["status"]) for row in found] == [
        ("a.png", "ready"),
        ("b.png", "failed"),
        ("b.png", "ready"),
    ]
    assert {row["feedback_id"] for row in found} == {record["id"]}


def test_a_record_has_not_any_number_of_files(doors: dict[str, Door]) -> None:
    """What comes to one record again and again stops to bring it files; those of a delivery fit always."""
    for number in range(MOST // 5 + 2):
        files = [(f"{each}.log", b"%d" % (number * 5 + each)) for each in range(5)]
        assert doors["sentry"](files, event_id="c8" * 16).status_code == 200

    assert len(rows(Asset.select())) == MOST
    assert rows(Feedback.select())[0]["text"] == WORDS


def test_what_is_held_is_replayed(doors: dict[str, Door], call: Call, tenant: Tenant) -> None:
    """An envelope that nobody could read is held without its files, and its words can be replayed."""
    doors["sentry"]([("a.png", png(30_000))], words=7)
    (held,) = rows(Quarantine.select())
    assert len(held["payload"]) < 1_000
    assert rows(Asset.select()) == []
    mended = bytes(held["payload"]).replace(b'"message": 7', b'"message": "It is slow"')
    Quarantine.update(payload=mended).execute()

    assert call("POST", f"/gateway/v1/quarantine/{held['id']}/replay").json["replayed"] is True
    (record,) = rows(Feedback.select())
    assert [one["name"] for one in record["subject"]["attachments"]] == ["a.png"]


@pytest.mark.parametrize("door", ["native", "fluister"])
def test_curl(door: str, server: Server, tmp_path: Path) -> None:
    """`curl -F` with words and files, as the pages of the doors show it."""
    (tmp_path / "shot.png").write_bytes(png(2_000_000))
    (tmp_path / "app.log").write_bytes(b"GET /basket 500\n")
    words = {"native": ["feedback={}".format(json.dumps({"text": WORDS}))], "fluister": ["sentiment=sad"]}
    path = {"native": "/gateway/v1/feedback", "fluister": "/api/feedback"}[door]
    fields = [*words[door], f"file=@{tmp_path}/shot.png", f"file=@{tmp_path}/app.log;type=image/png"]
    command = ["curl", "-s", "-H", f"Authorization: Bearer {server.tenant.key}", server.url + path]
    for field in fields:
        command += ["-F", field]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)

    found = files_of(server, json.loads(done.stdout)["id"])
    assert [(one.name, one.content_type, len(one.content)) for one in found] == [
        ("shot.png", "image/png", len(png(2_000_000))),
        ("app.log", "text/plain", 16),
    ]
