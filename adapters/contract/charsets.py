"""Bodies in other charsets than UTF-8, as their first bytes or their Content-Type tell.

What is UTF-8 stays as it is, whatever was declared: some clients call everything ISO-8859-1. The
names are those of https://encoding.spec.whatwg.org/#names-and-labels, which takes ISO-8859-1 for
windows-1252. UTF-16 and UTF-32 are known by a byte order mark, or by the zeros of JSON's first
characters (RFC 4627, section 3).
"""

from __future__ import annotations

import json
import re

_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([^\s;\"']+)", re.IGNORECASE)
# A list, as Python has codecs that take the square of the time, and some that are no charsets.
CODECS = {
    **dict.fromkeys(("iso-8859-1", "iso8859-1", "latin1", "latin-1", "us-ascii", "ascii"), "cp1252"),
    **dict.fromkeys(("windows-1252", "cp1252", "x-cp1252"), "cp1252"),
    **dict.fromkeys(("windows-1250", "cp1250"), "cp1250"),
    **dict.fromkeys(("windows-1251", "cp1251"), "cp1251"),
    "iso-8859-2": "iso8859-2",
    "iso-8859-15": "iso8859-15",
    "koi8-r": "koi8-r",
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis"), "cp932"),
    "euc-jp": "euc_jp",
    "euc-kr": "cp949",
    "big5": "big5hkscs",
    **dict.fromkeys(("gbk", "gb2312", "gb18030"), "gb18030"),
    **{name: name for name in ("utf-16", "utf-16le", "utf-16be", "utf-32", "utf-32le", "utf-32be")},
}


def declared(content_type: str) -> str:
    """The codec of the charset that a Content-Type declares; "utf-8" when it is none of CODECS."""
    found = _CHARSET.search(content_type)
    return CODECS.get(found[1].lower(), "utf-8") if found else "utf-8"


def in_utf8(body: bytes, content_type: str) -> bytes:
    """The body in UTF-8; as it came when it is that already, or can be read in no other way."""
    codec: str = json.detect_encoding(body[:4])
    if codec.startswith("utf-8"):
        codec = declared(content_type)
        if codec == "utf-8" or (not codec.startswith("utf-") and _is_utf8(body)):
            return body
    try:
        return body.decode(codec).encode("utf-8", "replace")
    except UnicodeDecodeError:  # five bytes have no character in windows-1252
        return body.decode("latin-1").encode() if codec == "cp1252" else body


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
