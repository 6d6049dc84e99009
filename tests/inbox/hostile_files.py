"""Files that mean harm, made here: what a browser would run if it were told that it may."""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass

from tests.background.pictures import deflated_zeros, picture, png

# Tells of itself in each way that a test looks at.
SCRIPT = "document.title='ran';new Image().src='/ran';try{alert('ran')}catch(e){}"
HTML = f'<!doctype html><html><body onload="{SCRIPT}"><script>{SCRIPT}</script></body></html>'
SVG = f'<svg xmlns="http://www.w3.org/2000/svg" onload="{SCRIPT}"><script>{SCRIPT}</script></svg>'
PDF = (
    "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(app.alert('ran'))>>>>endobj\n"
    "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>endobj\ntrailer<</Root 1 0 R>>\n"
)


@dataclass(frozen=True)
class Hostile:
    """A file, the type that its sender says, and whether it is one that is kept."""

    name: str
    body: bytes
    declared: str
    kept: bool = True


def _zipped() -> bytes:
    """A kilobyte that becomes a megabyte."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0", bytes(1 << 20))
    return out.getvalue()


def _text_bomb() -> bytes:
    """A PNG whose compressed text has a gigabyte, were anybody to read it."""
    data = b"Comment\0\0" + deflated_zeros(1 << 30)
    chunk = len(data).to_bytes(4, "big") + b"zTXt" + data + zlib.crc32(b"zTXt" + data).to_bytes(4, "big")
    plain = picture("PNG", (20, 20))
    return plain[:33] + chunk + plain[33:]


_GIF_SCRIPT = f"GIF89a/*{'x' * 20}*/=1;{SCRIPT}".encode()
CORPUS = (
    Hostile("a.svg", SVG.encode(), "image/svg+xml", kept=False),
    Hostile("svg.png", SVG.encode(), "image/png", kept=False),
    Hostile("svg.txt", SVG.encode(), "text/plain", kept=False),
    Hostile("a.html", HTML.encode(), "text/html", kept=False),
    Hostile("html.txt", HTML.encode(), "text/html", kept=False),
    Hostile("html.png", HTML.encode(), "image/png", kept=False),
    Hostile("html.json", HTML.encode(), "application/json", kept=False),
    Hostile("wide.txt", HTML.encode("utf-16"), "text/plain", kept=False),
    Hostile("bom.txt", b"\xef\xbb\xbf\n\n " + HTML.encode(), "text/html", kept=False),
    Hostile("late.txt", b"Words.\n" * 300 + HTML.encode(), "text/html"),
    Hostile("late.csv", b"a,b\n" + HTML.encode(), "text/html"),
    Hostile("late.json", b'{"a": "' + HTML.replace('"', "'").encode() + b'"}', "text/html"),
    Hostile("seven.txt", b"+ADw-script+AD4-" + SCRIPT.encode() + b"+ADw-/script+AD4-", "text/html"),
    Hostile("script.txt", SCRIPT.encode(), "text/javascript"),
    Hostile("script.js", SCRIPT.encode(), "text/javascript", kept=False),
    Hostile("tail.png", picture("PNG", (20, 20)) + HTML.encode(), "text/html"),
    Hostile("lie.png", b"\x89PNG\r\n\x1a\n" + HTML.encode(), "text/html"),
    Hostile("lie.jpg", b"\xff\xd8\xff\xe0" + HTML.encode(), "text/html"),
    Hostile("lie.gif", _GIF_SCRIPT, "text/javascript"),
    Hostile("lie.html", _GIF_SCRIPT, "text/html"),
    Hostile("a.pdf", PDF.encode(), "application/pdf"),
    Hostile("html.pdf", b"%PDF-" + HTML.encode(), "text/html"),
    Hostile("bomb.zip", _zipped(), "application/zip", kept=False),
    Hostile("bomb.png", _zipped(), "image/png", kept=False),
    Hostile("huge.png", png(10_000, 10_000), "image/png"),
    Hostile("text.png", _text_bomb(), "image/png"),
    Hostile("cut.png", picture("PNG")[:-60], "image/png"),
    Hostile('"><img src=x onerror="document.title=`ran`">.png', picture("PNG", (20, 20)), "image/png"),
)
