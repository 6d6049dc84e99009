"""Forms that bring files, and small files of each kind, made here."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping

BOUNDARY = "----cut-5f0c7a3e91"


def multipart(
    fields: Mapping[str, str], files: Iterable[tuple[str, str, bytes]], boundary: str = BOUNDARY
) -> tuple[bytes, str]:
    """A form's body and its Content-Type; each file is its field, its name and its bytes."""
    mark, body = f"--{boundary}\r\n", b""
    for name, text in fields.items():
        body += f'{mark}Content-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode(
            "utf-8", "replace"
        )
    for field, name, content in files:
        told = f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        body += f"{mark}{told}Content-Type: application/octet-stream\r\n\r\n".encode() + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def png(size: int = 0, seed: int = 0) -> bytes:
    """A picture of one pixel, with a comment that makes it so many bytes larger."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    pixel = chunk(b"IDAT", zlib.compress(bytes([0, seed % 256, 0, 0])))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"tEXt", b"c\0" + b"x" * size) + pixel + chunk(b"IEND", b"")
