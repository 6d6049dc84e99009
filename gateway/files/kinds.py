"""What a file is, by its content and never by what its sender calls it; and what it may be called.

The signatures are those of the WHATWG's MIME Sniffing Standard (6, "Matching a MIME type pattern") and, for
what is in an ISO base media file, the brands of the MP4 Registration Authority.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath

HEAD = 4_096  # bytes that are looked at
LONGEST_NAME = 200  # characters
ALLOWED = "png, jpeg, webp, gif, avif, heic, mp4, webm, pdf, txt, log, csv, ndjson, json and har"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: its media type, and what its name may end with, the usual one first."""

    content_type: str
    endings: tuple[str, ...]

    @property
    def is_image(self) -> bool:
        return self.content_type.startswith("image/")


PNG = Kind("image/png", ("png",))
JPEG = Kind("image/jpeg", ("jpg", "jpeg", "jpe", "jfif"))
GIF = Kind("image/gif", ("gif",))
WEBP = Kind("image/webp", ("webp",))
AVIF = Kind("image/avif", ("avif", "avifs"))
HEIC = Kind("image/heic", ("heic", "heif"))
MP4 = Kind("video/mp4", ("mp4", "m4v"))
WEBM = Kind("video/webm", ("webm",))
PDF = Kind("application/pdf", ("pdf",))
TEXTS = (
    Kind("text/plain", ("txt", "log", "text")),
    Kind("text/csv", ("csv",)),
    Kind("application/x-ndjson", ("ndjson", "jsonl")),
    Kind("application/json", ("json", "har")),
)
KINDS = (PNG, JPEG, GIF, WEBP, AVIF, HEIC, MP4, WEBM, PDF, *TEXTS)

_BEGINNINGS = {
    b"\x89PNG\r\n\x1a\n": PNG,
    b"\xff\xd8\xff": JPEG,
    b"GIF87a": GIF,
    b"GIF89a": GIF,
    b"%PDF-": PDF,
}
# The kinds of the first brand that is known, the major one before those that it is compatible with.
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), AVIF),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), HEIC),
    **dict.fromkeys((b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"avc1", b"dash"), MP4),
    **dict.fromkeys((b"mp41", b"mp42", b"M4V ", b"MSNV"), MP4),
}
_MARKUP = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*+<(?:!doctype|!--|\?|(?:html|head|script|iframe|h1|div|font|table|a|style|title|b"
    rb"|body|br|p|svg|math|link|meta|object|embed|img|form)(?:[\s/>]|$))",
    re.IGNORECASE,
)
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
WIDE = (b"\xff\xfe", b"\xfe\xff")  # texts of Windows in UTF-16
_UNSAFE = re.compile(r'[\x00-\x1f\x7f"*:<>?|\\/]')


def kind_of(head: bytes, name: str) -> Kind | None:
    """The kind of a file that begins so, or None for one that is not kept; `head` is up to HEAD bytes.

    A text is one whose name says which kind of text, or says nothing; markup is none.
    """
    for beginning, kind in _BEGINNINGS.items():
        if head.startswith(beginning):
            return kind
    if head[:4] == b"RIFF" and head[8:14] == b"WEBPVP":
        return WEBP
    if head[4:8] == b"ftyp":
        return _media(head)
    if head[:4] == b"\x1aE\xdf\xa3":
        return WEBM if b"\x42\x82\x84webm" in head[:64] else None
    return _text(head, name)


def kind_called(content_type: str) -> Kind:
    """The kind of a media type that `kind_of` gave."""
    return next(kind for kind in KINDS if kind.content_type == content_type)


def safe_name(name: str, kind: Kind) -> str:
    """What a file is called here: the last part of its name, without what a system or a reader trips over.

    It ends as its kind does.
    """
    # What is cut is more than a name may have: composing takes time by the square of accents on one letter.
    last = re.split(r"[\\/]", unicodedata.normalize("NFC", name[-4 * LONGEST_NAME :]))[-1]
    # Neither controls nor what turns the direction of writing: "gpj.exe" must not read as "exe.jpg".
    plain = "".join(
        "_" if unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp") else each for each in last
    )
    plain = _UNSAFE.sub("_", plain).strip(" .")
    stem, ending = PurePosixPath(plain or "file").stem, _ending(plain)
    if ending not in kind.endings:
        stem, ending = plain or "file", kind.endings[0]
    return f"{stem[: LONGEST_NAME - len(ending) - 1]}.{ending}"


def _media(head: bytes) -> Kind | None:
    """The kind of an ISO base media file, by the brands of its first box."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, end, 4))]
    return next((_BRANDS[brand] for brand in brands if brand in _BRANDS), None)


def _text(head: bytes, name: str) -> Kind | None:
    wide = head[:2] in WIDE and len(head) > 2
    plain = head[2:].replace(b"\x00", b"") if wide else head
    if not plain or _BINARY.search(plain) or _MARKUP.match(plain):
        return None
    ending = _ending(name)
    if not ending:
        return TEXTS[0]
    return next((kind for kind in TEXTS if ending in kind.endings), None)


def _ending(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).suffix.lower().removeprefix(".")
