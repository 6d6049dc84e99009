"""Ordinary clients that share a proxy with attackers, and know what each of their answers has to be."""

from __future__ import annotations

import http.client
import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TIMEOUT = 30.0  # seconds until an answer is taken for lost
_PROXYS = (502, 503, 504)  # what a proxy says that got no answer

Check = Callable[[int, Any, str], bool]


@dataclass
class Tally:
    """What became of the victims' requests."""

    acknowledged: list[str] = field(default_factory=list)  # texts that were said to be stored
    ids: dict[str, str] = field(default_factory=dict)  # of records that answers named, with their texts
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, kind: str) -> None:
        with self.lock:
            self.counts[kind] += 1


def _native(text: str) -> dict[str, Any]:
    return {"text": text, "external_id": text}


def _flora(text: str) -> dict[str, Any]:
    return {"kind": "bug", "summary": text, "detail": text}


def _orq(text: str) -> dict[str, Any]:
    return {"property": "correction", "value": text, "id": text, "trace_id": text}


def _fluister(text: str) -> dict[str, Any]:
    return {"projectId": "victims", "text": text}


# Each door: what a text is sent as, and whether an answer is that to this text.
_DOORS: dict[str, tuple[Callable[[str], dict[str, Any]], Check]] = {
    "/gateway/v1/feedback": (
        _native,
        lambda status, told, text: (status, told["text"], told["external_id"]) == (201, text, text),
    ),
    # FLORA's answer names the record only: which one that is, is looked up in the end.
    "/api/v1/feedback": (_flora, lambda status, told, text: status == 201 and "feedback_id" in told),
    "/v2/feedback": (
        _orq,
        lambda status, told, text: (
            (status, told["id"], told["trace_id"], told["value"]) == (200, *[text] * 3)
        ),
    ),
    "/v1/feedback": (_fluister, lambda status, told, text: (status, told["text"]) == (201, text)),
    "/gateway/v1/feedback/batch": (
        _native,
        lambda status, told, text: (status, told["accepted"], told["data"][0]["status"]) == (200, 1, 201),
    ),
}


class Victim:
    """A client with one connection that lasts, as long as the proxy lets it.

    `name` is that of all victims of a siege, of which this one is `number`. With
    `overloaded` the gateway may tell it to come later.
    """

    def __init__(
        self,
        name: str,
        number: int,
        address: tuple[str, int],
        key: str,
        tally: Tally,
        *,
        overloaded: bool = False,
    ) -> None:
        self.name = f"{name}-{number}"
        self._number = number
        self.tally = tally
        self.overloaded = overloaded
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._connection = http.client.HTTPConnection(*address, timeout=TIMEOUT)
        self._rounds = 0
        self._own: tuple[str, str] | None = None  # a record of its own and its text

    def close(self) -> None:
        self._connection.close()

    def act(self) -> None:
        """Sends one text to the next door, or reads a record of its own."""
        self._rounds += 1
        if self._rounds % 4 == 0 and self._own is not None:
            self._read(*self._own)
            return
        doors = list(_DOORS)
        path = doors[(self._rounds + self._number) % len(doors)]
        self._post(path, f"victim-{self.name}-{self._rounds}")

    def _post(self, path: str, text: str) -> None:
        fields, right = _DOORS[path]
        body = json.dumps(fields(text)).encode()
        # Some bodies are chunked: a proxy that waits for no body passes them on as they are.
        sent: Any = iter([body[:9], body[9:]]) if self._rounds % 3 == 0 else body
        told = self._ask("POST", path, sent, lambda status, told: right(status, told, text), text)
        if told is None:
            return
        self.tally.acknowledged.append(text)
        record_id = told.get("feedback_id") or told.get("id")
        if path == "/gateway/v1/feedback/batch":
            record_id = told["data"][0]["id"]
        if path != "/v2/feedback":  # there the id is the client's own
            self.tally.ids[record_id] = text
            self._own = (record_id, text)

    def _read(self, record_id: str, text: str) -> None:
        path = f"/gateway/v1/feedback/{record_id}"

        def right(status: int, told: Any) -> bool:
            return (status, told["id"], told["text"]) == (200, record_id, text)

        self._ask("GET", path, None, right, text)

    def _ask(
        self, method: str, path: str, body: Any, right: Callable[[int, Any], bool], text: str
    ) -> Any | None:
        """The answer when it is the right one; notes what it is else."""
        tally = self.tally
        tally.note("requests")
        try:
            self._connection.request(method, path, body, self._headers)
            answer = self._connection.getresponse()
            status, said = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            tally.lost.append(f"{method} {path} {text}: {error!r}")
            return None
        own = answer.headers.get("request-id") is not None  # said by the gateway and not by the proxy
        if status in _PROXYS and not own:
            tally.lost.append(f"{method} {path} {text}: the proxy says {status}")
            return None
        if status == 503 and self.overloaded and answer.headers.get("Retry-After"):
            tally.note("overloaded")
            return None
        try:
            if right(status, told := json.loads(said)):
                tally.note("right")
                return told
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            pass
        tally.wrong.append(f"{method} {path} {text}: {status} {said[:300]!r} {dict(answer.headers)}")
        return None


def stored(directory: Path) -> dict[str, list[tuple[str, str]]]:
    """The id and workspace of each record, by text."""
    found: dict[str, list[tuple[str, str]]] = {}
    with closing(sqlite3.connect(directory / "gateway.db")) as database:
        for text, record_id, workspace_id in database.execute("SELECT text, id, workspace_id FROM feedback"):
            found.setdefault(text, []).append((record_id, workspace_id))
    return found


def store_faults(tally: Tally, directory: Path, workspace_id: str) -> list[str]:
    """What is not stored as it was acknowledged, and what is stored elsewhere or twice."""
    records = stored(directory)
    faults = []
    for text in tally.acknowledged:
        if len(records.get(text, ())) != 1:
            faults.append(f"{text} was acknowledged, and is stored {len(records.get(text, ()))} times")
    for text, found in records.items():
        if text.startswith("victim-") and (len(found) != 1 or found[0][1] != workspace_id):
            faults.append(f"{text} is stored as {found}")
        elif "victim-" in text and not text.startswith("victim-"):
            faults.append(f"an attacker got {text[:300]!r}")
    named = {record_id: text for text, found in records.items() for record_id, _ in found}
    for record_id, text in tally.ids.items():
        if named.get(record_id) != text:
            faults.append(f"{text} was answered with {record_id}, which is {named.get(record_id)!r}")
    return faults
