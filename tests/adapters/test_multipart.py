"""Forms of several parts: fields and files are told apart, whatever pieces they come in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.common.multipart import MOST_AROUND, MOST_HEAD, form_with_files, part_of
from adapters.contract import Inbound, Refused
from adapters.contract.files import LONGEST_NAME
from tests.uploads import BOUNDARY, multipart

MOST = 10_000
HEADS = f"\r\n--{BOUNDARY}\r\nX: {'x' * 8_000}\r\n\r\n".encode() * 40  # of parts without content


def read(
    body: bytes, media: str, size: int = 1_000, end: Refused | None = None
) -> tuple[dict[str, str], list[Any]]:
    """The fields and files of a form that comes in pieces of a size; then `end` is raised."""
    fields: dict[str, str] = {}
    files: list[Any] = []

    def words(found: Any) -> bytes:
        fields.update(found)
        return b"{}"

    def keep(name: str, declared: str, chunks: Iterable[bytes]) -> None:
        files.append([name, declared, b""])
        for chunk in chunks:
            files[-1][2] += chunk

    def pieces() -> Iterator[bytes]:
        yield from (body[at : at + size] for at in range(0, len(body), size))
        if end:
            raise end

    inbound = Inbound("POST", "/", {"content-type": media})
    form_with_files(words, frozenset({"feedback"})).reduced(inbound, pieces(), MOST, keep)
    assert inbound.headers["content-type"] == "application/json"
    return fields, [tuple(file) for file in files]


CONTENT = st.binary(max_size=300) | st.sampled_from([b"\r\n", b"\r\n--", b"--cut--\r\n", b"\r\n--cu", b"-"])


@settings(max_examples=200)
@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=3), st.text(max_size=30), min_size=1),
    st.lists(CONTENT, max_size=4),
    st.integers(1, 400),
)
def test_any_pieces(fields: dict[str, str], contents: list[bytes], size: int) -> None:
    """What was put into a form comes out of it, however it is cut on its way."""
    files = [(f"{number}.bin", content) for number, content in enumerate(contents)]
    body, media = multipart(fields, [("file", *file) for file in files])
    said, found = read(body, media, size)

    assert said == {name: text.replace("\0", "\ufffd") for name, text in fields.items()}
    assert [(name, content) for name, _, content in found] == files


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (b'content-disposition: form-data; name="a"', ("a", None, "")),
        (b"Content-Disposition: form-data; name=a; filename=b.png", ("a", "b.png", "")),
        (b'Content-Disposition: form-data; name="a"; filename=""', ("a", "", "")),
        (b'Content-Disposition: form-data; name="a;b"; filename="c;d.png"', ("a;b", "c;d.png", "")),
        (b'Content-Disposition: form-data; name="a"; filename="q%22\\"\\\\.txt"', ("a", 'q""\\.txt', "")),
        (
            b'Content-Disposition: form-data; name="a"; filename="x"; filename*=UTF-8\'\'%C3%A9.txt',
            ("a", "é.txt", ""),
        ),
        ('Content-Disposition: form-data; name="a"; filename="日本.png"'.encode(), ("a", "日本.png", "")),
        (
            b'Content-Disposition: form-data; name="image"\r\nContent-Type: image/png',
            ("image", "image", "image/png"),
        ),
        (
            b'Content-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset=utf-8',
            ("a", None, "text/plain; charset=utf-8"),
        ),
        (
            b'Content-Disposition: form-data; name="a"\r\nContent-Type: application/json',
            ("a", None, "application/json"),
        ),
        (
            b'Content-Disposition: form-data; name="a"; filename="%s"' % (b"n" * 999),
            ("a", "n" * LONGEST_NAME, ""),
        ),
        (b"nothing", ("", None, "")),
    ],
)
def test_heads(head: bytes, part: tuple[str, str | None, str]) -> None:
    """A part is a file by its file's name, or by a type that no field of words has."""
    assert part_of(b"\r\n" + head + b"\r\n\r\n") == part


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda body, media: (body, "multipart/form-data"), 400),
        (lambda body, media: (body[:20], media), 400),
        (lambda body, media: (b"no form", media), 400),
        (lambda body, media: (b"", media), 400),
        (lambda body, media: (body.replace(b'name="text"', b"x" * MOST_HEAD), media), 400),
        (lambda body, media: (bytes(MOST_AROUND) + body, media), 400),
        (lambda body, media: (HEADS + b"\r\n" + body, media), 400),
        (lambda body, media: (body.replace(b"slow", b"s" * MOST), media), 413),
    ],
)
def test_refusals(change: Any, status: int) -> None:
    """A form without words that can be read is refused."""
    body, media = multipart({"text": "It is slow"}, [("file", "a.png", b"1234")])
    with pytest.raises(Refused) as refused:
        read(*change(body, media))
    assert refused.value.problem.status == status


@pytest.mark.parametrize("left", range(1, 60, 7))
def test_words_before_an_end(left: int) -> None:
    """A form that ends within a file, or whose sender goes away, leaves the words before it."""
    body, media = multipart({"text": "It is slow"}, [("file", "a.png", bytes(1_000))])
    gone = Refused(_problem())
    for end in (None, gone):
        assert read(body[:-left], media, end=end)[0] == {"text": "It is slow"}


def _problem() -> Any:
    with pytest.raises(Refused) as refused:
        read(b"", "multipart/form-data")
    return refused.value.problem


def test_named_parts_are_words() -> None:
    """What a client sends from a file under the name of the words is the words."""
    body, media = multipart({}, [("feedback", "words.json", b'{"text": "x"}'), ("file", "a.txt", b"log")])
    fields, files = read(body, media)
    assert (fields, files) == (
        {"feedback": '{"text": "x"}'},
        [("a.txt", "application/octet-stream", b"log")],
    )
