"""Pictures that tests make: plain ones, and ones that are meant to do harm."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import ExifTags, Image

CAMERA = "Camera of Ada"
PLACE = {ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (52.0, 22.0, 30.0)}


def picture(kind: str, size: tuple[int, int] = (1200, 800), mode: str = "RGB", **options: Any) -> bytes:
    """A picture whose left half is red, in the format `kind`."""
    image = Image.new(mode, size)
    if mode in ("RGB", "RGBA"):
        image.paste((255, 0, 0, 255)[: len(mode)], (0, 0, size[0] // 2, size[1]))
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def photograph(kind: str, orientation: int = 1) -> bytes:
    """A picture that says by whom and where it was taken."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = CAMERA
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(PLACE)
    return picture(kind, exif=exif)


def png(width: int, height: int, *, rows: int | None = None) -> bytes:
    """A black PNG of this size, of a thousandth of its bytes; `rows` are those that it has indeed."""
    data = deflated_zeros((width * 3 + 1) * (height if rows is None else rows))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", data), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def deflated_zeros(count: int) -> bytes:
    """What zlib makes of so many bytes of zero, of which it sees a few: the rest is repeated."""
    deflate, block = zlib.compressobj(9, wbits=-15), 1 << 20
    blocks = deflate.compress(bytes(block)) + deflate.flush(zlib.Z_FULL_FLUSH)
    rest = deflate.compress(bytes(count % block)) + deflate.flush()
    checksum = count % 65_521 << 16 | 1  # Adler-32, to which zeros only add their number
    return b"\x78\xda" + blocks * (count // block) + rest + checksum.to_bytes(4, "big")


def huge_webp() -> bytes:
    """An animation of a few bytes whose canvas is as large as WebP has it: 268 megapixels."""
    side = (16_383 - 1).to_bytes(3, "little")
    canvas = _riff(b"VP8X", b"\x02\0\0\0" + side + side) + _riff(b"ANIM", bytes(6))
    still = picture("WEBP", (1, 1))
    frame = bytes(12) + b"\x64\0\0\0" + still[12:]
    body = b"WEBP" + canvas + _riff(b"ANMF", frame)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _riff(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
