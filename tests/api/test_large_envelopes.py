"""Envelopes larger than other bodies: their words are kept, whatever becomes of what is thrown away."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from hashlib import sha256
from io import BytesIO
from itertools import chain, repeat
from typing import Any

import brotli
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.common.envelopes import MOST_IN_ALL, MOST_ITEMS
from adapters.common.large_envelopes import reduced
from adapters.contract import Inbound, Refused
from adapters.sentry_envelope import ADAPTER, READERS
from gateway.http.body import zstd
from gateway.http.body_stream import pieces_of
from tests.clients.conftest import new_hook
from tests.conftest import Server

MOST = 4_096
HEAD = b'{"event_id":"c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7"}\n'
WORDS = b'{"contexts":{"feedback":{"message":"The basket is empty"}}}'
FEEDBACK = b'{"type":"feedback"}\n' + WORDS + b"\n"
DOOR = ADAPTER.doors[0]
GIVEN: list[tuple[str, str, bytes]] = []  # the files of the last envelope


def keep(name: str, declared: str, chunks: Iterable[bytes]) -> None:
    """Notes a file and hashes it, unless it is cut."""
    digest = sha256()
    for chunk in chunks:
        digest.update(chunk)
    GIVEN.append((name, declared, digest.digest()))


reduce = partial(reduced, keep=keep, read=READERS)


def attachment(size: int, said: Any = None) -> bytes:
    header = {"type": "attachment", "filename": "shot.png", "length": size if said is None else said}
    return json.dumps(header).encode() + b"\n" + bytes(size) + b"\n"


def in_pieces(body: bytes, size: int) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


def records(body: bytes, size: int = 1_000) -> list[Any]:
    GIVEN.clear()
    made = reduce(in_pieces(body, size), MOST)
    return DOOR.read(Inbound("POST", DOOR.path, {}, made, params={"project_number": "7301"}))


def outcome(body: bytes) -> tuple[list[str], list[str], list[int]]:
    """The words of a large envelope, what is held of it, and the sizes of its attachments."""
    found = records(body)
    sizes = [one["size"] for record in found for one in record.subject.get("attachments", ())]
    held = [record.unreadable for record in found if record.unreadable]
    return [record.text for record in found if record.text], held, sizes


EMPTY = "The basket is empty"
LARGE = b'{"type":"event"}\n{"message":"' + b"x" * MOST + b'"}\n'


@pytest.mark.parametrize(
    ("body", "words", "held", "sizes"),
    [
        (HEAD + FEEDBACK + attachment(100_000), 1, [], [100_000]),
        (HEAD + attachment(100_000) + attachment(9_000) + FEEDBACK, 1, [], [100_000, 9_000]),
        (HEAD + FEEDBACK + b'{"type":"attachment"}\n' + b"y" * 9_000, 1, [], [9_000]),
        (HEAD + b'{"type":"session"}\n' + b"z" * 90_000 + b"\n" + FEEDBACK, 1, [], []),
        (HEAD + b'{"type":"replay_video","length":90000}\n' + bytes(90_000) + b"\n" + FEEDBACK, 1, [], []),
        (HEAD + FEEDBACK + LARGE + attachment(5_000), 1, ["event length: 4110 bytes"], [5_000]),
        (HEAD + LARGE + FEEDBACK, 1, ["event length: 4110 bytes"], []),
        (HEAD + FEEDBACK + attachment(5_000, "5000") + FEEDBACK, 1, ["item 2 length"], []),
        (HEAD + FEEDBACK + attachment(5_000, 4_000) + FEEDBACK, 1, ["item 3 length"], [4_000]),
        (HEAD + FEEDBACK + attachment(5_000, 9_000), 1, ["item 3 length"], [5_001]),
        (HEAD + FEEDBACK + b"no header\n" + attachment(5_000), 1, ["item 2 header"], []),
        (HEAD + FEEDBACK + b"h" * 70_000 + b"\n" + FEEDBACK, 1, ["item 2 header"], []),
        (HEAD + b"\n" * 9_000 + FEEDBACK, 1, [], []),
        (HEAD + attachment(50) * 150 + FEEDBACK, 1, [], [50] * MOST_ITEMS),
        (HEAD + b"{}\n\n" * MOST_IN_ALL + b"{}\n\n" * 99 + FEEDBACK, 0, ["item 1 length"], []),
        (HEAD + FEEDBACK * (MOST_ITEMS + 1) + attachment(9_000), MOST_ITEMS, ["items: Array"], []),
        (HEAD + attachment(9_000), 0, [], []),
    ],
)
def test_what_is_kept(body: bytes, words: int, held: list[str], sizes: list[int]) -> None:
    """Words are read before and behind what is dropped; what cannot be read is told and costs only itself."""
    said, reasons, found = outcome(body)

    assert said == [EMPTY] * words
    assert [reason[: len(begin)] for reason, begin in zip(reasons, held, strict=True)] == held
    assert found == sizes


@pytest.mark.parametrize("size", [1, 7, 999, 100_000])
def test_files_are_given_away(size: int) -> None:
    """Each attachment is given as it came, with or without a length; one that is cut is given to nobody."""
    line = b'{"type":"attachment","filename":"a.log","content_type":"text/plain"}\nlast words\n'
    records(HEAD + attachment(5_000) + FEEDBACK + line + attachment(300, 900), size)

    whole = ("shot.png", "", sha256(bytes(5_000)).digest())
    assert [whole, ("a.log", "text/plain", sha256(b"last words").digest())] == GIVEN


def broken(body: bytes, status: int) -> Iterator[bytes]:
    yield from in_pieces(body, 1_000)
    raise httpx.ReadError("gone") if status == 0 else Refused(too_large())


def too_large() -> Any:
    with pytest.raises(Refused) as refused:
        list(pieces_of(BytesIO(b"12"), "", 1, 1))
    return refused.value.problem


def test_what_comes_before_an_end_is_kept() -> None:
    """A limit that is met, or a sender that goes away, within an attachment leaves the words."""
    body = HEAD + FEEDBACK + attachment(50_000)
    made = reduce(broken(body[:20_000], 413), MOST)
    found = DOOR.read(Inbound("POST", DOOR.path, {}, made, params={"project_number": "7301"}))

    assert [record.text for record in found] == [EMPTY]
    assert 15_000 < found[0].subject["attachments"][0]["size"] < 20_000
    with pytest.raises(Refused):
        reduce(broken(HEAD + attachment(50_000)[:20_000], 413), MOST)
    with pytest.raises(Refused) as refused:
        reduce(in_pieces(HEAD + LARGE, 1_000), MOST)
    assert refused.value.problem.status == 413


ITEM = st.sampled_from(
    [
        *(FEEDBACK, attachment(3), attachment(900), b'{"type":"session"}\n{}\n', b"\n", b"{}\n\n", b"[]\n"),
        b'{"type":"user_report"}\n{"event_id":"ab","comments":"Hm"}\n',
        b'{"type":"event"}\n{"message":"m"}\n',
        b'{"type":"feedback","length":%d}\n' % len(WORDS) + WORDS + b"\n",
        b'{"length":7}\n',
        b"\xff",
    ]
)


@settings(max_examples=150)
@given(st.lists(ITEM, max_size=8), st.integers(1, 200))
def test_same_records_either_way(items: list[bytes], size: int) -> None:
    """What is made of an envelope read as it comes is what is made of it as a whole, however it comes."""
    body = HEAD + b"".join(items)
    whole = DOOR.read(Inbound("POST", DOOR.path, {}, body, params={"project_number": "7301"}))
    parted = records(body, size)

    def told(found: list[Any]) -> list[Any]:
        return [(one.text, one.dedupe_key, one.incident_key, bool(one.unreadable)) for one in found]

    assert told(parted) == told(whole)


def test_memory() -> None:
    """A hundred megabytes of attachment take the memory of a few pieces."""
    size = 100_000_000
    header = b'{"type":"attachment","length":%d}\n' % size
    pieces = chain([HEAD, FEEDBACK, header], repeat(bytes(50_000), size // 50_000))
    tracemalloc.start()
    made = reduce(pieces, MOST)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert json.dumps(size).encode() in made
    assert peak < 1_000_000


def deflated(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "deflate ": deflated,
    "br": brotli.compress,
    "zstd": zstd.compress,
    "gzip, br": lambda body: brotli.compress(gzip.compress(body)),
    "gzip ": lambda body: b"".join(gzip.compress(part) for part in in_pieces(body, 1_000)),
}


@pytest.mark.parametrize("coding", CODINGS)
def test_codings(coding: str) -> None:
    """Each content coding is decoded as it comes, up to its limits; what is cut or unknown is refused."""
    body = HEAD + FEEDBACK + attachment(300_000) + bytes(range(256)) * 50
    coded = CODINGS[coding](body)
    pieces = list(pieces_of(BytesIO(coded), coding, len(coded), len(body)))

    assert b"".join(pieces) == body
    assert max(map(len, pieces)) <= 200_000
    for limits in ((len(coded) - 1, len(body)), *([(len(coded), len(body) - 1)] if coding else [])):
        with pytest.raises(Refused) as refused:
            list(pieces_of(BytesIO(coded), coding, *limits))
        assert refused.value.problem.status == 413
    if coding:
        with pytest.raises(Refused) as refused:
            list(pieces_of(BytesIO(coded[:-9]), coding, len(coded), len(body)))
        assert refused.value.problem.status == 400
        with pytest.raises(Refused) as refused:
            list(pieces_of(BytesIO(coded), f"{coding}, rot13", len(coded), len(body)))
        assert refused.value.problem.status == 415


@pytest.mark.parametrize(
    "coding", ["gzip", *(pytest.param(one, marks=pytest.mark.long) for one in ("", "chunked"))]
)
@pytest.mark.long
def test_by_a_real_server(server: Server, coding: str) -> None:
    """Five megabytes beside a feedback are taken, plain, compressed and in chunks; strangers are refused."""
    made = new_hook(server, "sentry-dsn")
    number, key = made["dsn"].rpartition("/")[2], made["hook_id"]
    body = HEAD.replace(b"c7c7c7c7c7c7c7c7", key.encode()[-16:]) + FEEDBACK + attachment(5_000_000)
    sent: Any = gzip.compress(body) if coding == "gzip" else body
    headers = {"Content-Encoding": "gzip"} if coding == "gzip" else {}
    url = f"{server.url}/api/{number}/envelope/?sentry_key="

    def post(url: str) -> httpx.Response:
        content = in_pieces(body, 100_000) if coding == "chunked" else sent
        return httpx.post(url, content=content, headers=headers, timeout=60)

    answer, stranger = post(url + key), post(url + "hk_" + "0" * 32)
    assert (answer.status_code, stranger.status_code) == (200, 403)
    with server.client() as client:
        found = client.get("/gateway/v1/feedback", params={"external_id": answer.json()["id"]}).json()["data"]
    (record,) = [one for one in found if one["external_id"] == answer.json()["id"]]
    assert record["text"] == EMPTY
    assert record["subject"]["attachments"] == [{"name": "shot.png", "size": 5_000_000}]
