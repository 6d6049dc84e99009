"""Kinds: told by content, with names that fit them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.files.kinds import KINDS, LONGEST_NAME, kind_of, safe_name

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
HEADS = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "image/gif": b"GIF89a\x01\x00",
    "image/webp": b"RIFF\x24\x00\x00\x00WEBPVP8 ",
    "image/avif": b"\x00\x00\x00\x20ftypavif\x00\x00\x00\x00avifmif1miaf",
    "image/heic": b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic",
    "video/mp4": b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41",
    "video/webm": b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webm",
    "application/pdf": b"%PDF-1.7\n",
}


@pytest.mark.parametrize(("content_type", "head"), HEADS.items())
@pytest.mark.parametrize("name", ["", "a", "evil.html", "x.svg", "y.exe"])
def test_content_decides(content_type: str, head: bytes, name: str) -> None:
    """A picture is one whatever it is called, and its name is made to fit."""
    kind = kind_of(head, name)

    assert kind is not None
    assert kind.content_type == content_type
    assert safe_name(name, kind).endswith(f".{kind.endings[0]}")


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.txt", "text/plain"),
        ("a.LOG", "text/plain"),
        ("README", "text/plain"),
        ("a.csv", "text/csv"),
        ("a.ndjson", "application/x-ndjson"),
        ("a.json", "application/json"),
        ("a.har", "application/json"),
        ("a.js", None),
        ("a.html", None),
        ("a.bat", None),
        ("a.png", None),
        ("a.svg", None),
    ],
)
@pytest.mark.parametrize(
    "head",
    [
        b'{"a": 1}',
        "na\u00efve \u20ac".encode(),
        "na\u00efve".encode("latin-1"),
        b"\x1b[31mred\x1b[0m",
        "wide".encode("utf-16"),
    ],
)
def test_texts_are_what_their_names_say(name: str, content_type: str | None, head: bytes) -> None:
    """A text whose name is that of something else is not kept."""
    kind = kind_of(head, name)

    assert (kind and kind.content_type) == content_type


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'>",
        b"\xef\xbb\xbf\n <SVG>",
        b"<!DOCTYPE html><script>",
        b"<?xml version='1.0'?>",
        b"<!-- -->",
        b"<script>",
        b"\xff\xfe" + "<html>".encode("utf-16-le"),
        b"PK\x03\x04zip",
        b"MZ\x90\x00",
        b"\x7fELF\x02",
        b"\x1f\x8b\x08\x00gzip",
        b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00qt  ",
        b"\x1aE\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x1fB\x82\x88matroska",
        b"RIFF\x24\x00\x00\x00WAVEfmt ",
        b"text\x00more",
    ],
)
@pytest.mark.parametrize("name", ["", "a.txt", "a.png", "a.json"])
def test_others_are_not_kept(head: bytes, name: str) -> None:
    """Markup, programs and archives are refused, whatever they are called."""
    assert kind_of(head, name) is None


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("shot.png", "shot.png"),
        ("Sch\u00f6n \u4f60.PNG", "Sch\u00f6n \u4f60.png"),
        ("../../etc/passwd", "passwd.png"),
        ("C:\\Users\\anna\\shot.png", "shot.png"),
        ("a\r\nSet-Cookie: x.png", "a__Set-Cookie_ x.png"),
        ('a".png', "a_.png"),
        ("\u202egnp.exe", "_gnp.exe.png"),
        ("..", "file.png"),
        (".png", "png.png"),
        ("", "file.png"),
        ("x" * 500 + ".png", "x" * (LONGEST_NAME - 4) + ".png"),
    ],
)
def test_names(name: str, safe: str) -> None:
    """A name leads nowhere, ends as its kind does and has no character that anything trips over."""
    assert safe_name(name, KINDS[0]) == safe


@given(st.text(), st.sampled_from(KINDS))
def test_any_name_becomes_a_safe_one(name: str, kind: object) -> None:
    """And a safe one stays what it is."""
    assert hasattr(kind, "endings")
    safe = safe_name(name, kind)  # type: ignore[arg-type]

    assert safe_name(safe, kind) == safe  # type: ignore[arg-type]
    assert 0 < len(safe) <= LONGEST_NAME
    assert not set(safe) & set('/\\"\r\n\0')
