"""Pictures become small ones without what they say of themselves; harmful ones become nothing."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gateway.background import thumbnail_process
from tests.background import pictures
from tests.background.pictures import photograph, picture, png

WriteThumbnail = Callable[[bytes], tuple[dict[str, Any], bytes]]


@pytest.fixture(name="write_thumbnail")
def _write_thumbnail(tmp_path: Path) -> WriteThumbnail:
    """What the process prints of a picture, and the thumbnail that it writes."""

    def write_thumbnail(data: bytes) -> tuple[dict[str, Any], bytes]:
        at, thumbnail = tmp_path / "picture", tmp_path / "thumbnail"
        at.write_bytes(data)
        thumbnail.unlink(missing_ok=True)
        command = [sys.executable, "-m", thumbnail_process.__name__, str(at), str(thumbnail)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        said = json.loads(done.stdout) if done.returncode == 0 else {"killed": done.returncode}
        return said, thumbnail.read_bytes() if thumbnail.exists() else b""

    return write_thumbnail


@pytest.mark.parametrize("kind", thumbnail_process.FORMATS)
def test_every_format(write_thumbnail: WriteThumbnail, kind: str) -> None:
    """Each becomes a WebP of at most so many pixels a side, with the same picture in it."""
    said, thumbnail = write_thumbnail(picture(kind))
    small = Image.open(io.BytesIO(thumbnail))

    assert said == {"width": 1200, "height": 800}
    assert (small.format, small.size) == ("WEBP", (thumbnail_process.SIDE, 320))
    colours = small.convert("RGB")
    left, right = colours.getpixel((100, 100)), colours.getpixel((400, 100))
    assert isinstance(left, tuple) and isinstance(right, tuple)
    assert left[0] > 200 > 50 > right[0]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_nothing_of_its_own_is_left(write_thumbnail: WriteThumbnail, kind: str) -> None:
    """Neither who took it nor where is in the thumbnail, nor a profile or text."""
    data = photograph(kind)
    assert pictures.CAMERA.encode() in data
    small = Image.open(io.BytesIO(write_thumbnail(data)[1]))

    assert dict(small.getexif()) == {}
    assert set(small.info) <= {"loop", "background", "duration", "timestamp"}
    assert pictures.CAMERA.encode() not in write_thumbnail(data)[1]


def test_it_stands_upright(write_thumbnail: WriteThumbnail) -> None:
    """A photograph that is stored on its side is turned, and its size is that of the turned one."""
    said, thumbnail = write_thumbnail(photograph("JPEG", orientation=6))

    assert said == {"width": 800, "height": 1200}
    assert Image.open(io.BytesIO(thumbnail)).size == (320, thumbnail_process.SIDE)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK"])
def test_every_mode(write_thumbnail: WriteThumbnail, mode: str) -> None:
    """However its colours are stored."""
    said, thumbnail = write_thumbnail(picture("JPEG" if mode == "CMYK" else "PNG", (30, 20), mode))

    assert said == {"width": 30, "height": 20}
    assert Image.open(io.BytesIO(thumbnail)).size == (30, 20)


def test_as_many_pixels_as_may_be(write_thumbnail: WriteThumbnail) -> None:
    """One of just under fifty megapixels fits into the memory that the process has."""
    said, thumbnail = write_thumbnail(png(7_071, 7_071))

    assert said == {"width": 7_071, "height": 7_071}
    assert thumbnail


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (png(10_000, 10_000), "more than 50 megapixels"),
        (png(100_000, 100_000, rows=1), "more than 50 megapixels"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture that can be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "no picture that can be read"),
        (picture("TIFF"), "no picture that can be read"),
        (b"", "no picture that can be read"),
    ],
    ids=["100 megapixels", "a header that claims", "svg", "postscript", "tiff", "empty"],
)
def test_refused(write_thumbnail: WriteThumbnail, data: bytes, why: str) -> None:
    """What is no picture of these formats, or has too many pixels, is refused before it is decoded."""
    assert write_thumbnail(data) == ({"refusal": why}, b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_truncated(write_thumbnail: WriteThumbnail, kind: str) -> None:
    """One that ends early has no thumbnail: what is missing is not made up."""
    said, thumbnail = write_thumbnail(picture(kind)[:-60])

    assert said.keys() & {"killed", "refusal"}
    assert thumbnail == b""


def test_memory_is_bounded(write_thumbnail: WriteThumbnail) -> None:
    """A canvas for which a decoder takes a gigabyte before it is asked for a pixel ends the process only."""
    said, thumbnail = write_thumbnail(pictures.huge_webp())

    assert said.keys() & {"killed", "refusal"}
    assert thumbnail == b""
