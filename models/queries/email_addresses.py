"""The many ways to write one email address, and where in a text one of them stands.

A text is read as it is and, level by level, as JSON, percent signs and HTML mean it. Each reading is
folded: compatibility forms, case, accents as marks of their own, and nothing that is not seen. Domains
may be written in their ASCII form (punycode), label by label. All of it takes time in proportion to the
text: characters are normalised one by one, since normalising long runs of marks at once does not.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, permutations

from models.queries.escapes import ESCAPE, LEVELS, meant, unescaped

_TRIED = 8  # mentions that may be all there is; before any but the first there is another one
_MOST_MARKS = 3  # on one character whose order is tried
# What has no width, beside the format characters (Cf).
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
# Words end where these stand, though they are not seen either: not where words are only hyphenated or shaped.
_APART = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
_AT = re.compile("[@\uff20\ufe6b]")
_MAY_HAVEESCAPES = re.compile(r"[\\%&]")
_DOTS = "[.\u3002]"  # the second one is what ideographic full stops become
# What may stand before and behind an address that is all there is.
_ALONE = re.compile(r"(?:[^@<]*+<|\s*+)\s*+(?:mailto:)?+\s*+")
_REST = re.compile(r"\s*+(?:\?[^@>]*+)?+>?+\s*+")


class _Folds(dict[int, str]):
    """What each character is folded to."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if _is_unseen(char):
            folded = ""
        else:
            lower = unicodedata.normalize("NFKD", char).lower()
            folded = "".join(
                part for part in unicodedata.normalize("NFKD", lower) if not _is_unseen(part)
            ).replace("\u03c2", "\u03c3")
        if len(self) < 50_000:
            self[code] = folded
        return folded


_folds = _Folds()


def _is_unseen(char: str) -> bool:
    return unicodedata.category(char) == "Cf" or _UNSEEN.match(char) is not None


def folded(text: str) -> str:
    """A text in which whatever is the same address is spelled the same, but for escapes and punycode."""
    return text.lower() if text.isascii() else _BEYOND_ASCII.sub(_fold_run, text).lower()


def _fold_run(found: re.Match[str]) -> str:
    return found[0].translate(_folds)


@dataclass(slots=True)
class _Reading:
    """A text as it may be read, and where in the original each character of it begins and ends."""

    text: str
    begins: array[int]
    ends: array[int]

    def splits(self, at: int) -> bool:
        """Whether a place is in the middle of what was one character."""
        return 0 < at < len(self.begins) and self.begins[at - 1] == self.begins[at]


class Address:
    """One address, to be found however it is written."""

    def __init__(self, address: str) -> None:
        """The address as somebody gave it, in any spelling. Raises ValueError for what is none."""
        plain = re.sub(r"^\s*(mailto:)?\s*", "", unescaped(address), flags=re.IGNORECASE)
        local, _, domain = folded(plain).strip().rpartition("@")
        labels = [_label(label) for label in re.split(_DOTS, domain) if label]
        if not local or not labels:
            raise ValueError("no email address")
        self.spelling = f"{local}@{'.'.join(labels)}"
        self._pattern = re.compile(_clusters(local) + "@" + _DOTS.join(map(_label_pattern, labels)))

    def is_in(self, text: str, *, coded: bool = False) -> bool:
        """Whether a text has the address in it. `coded` is one whose escapes are escapes, such as JSON."""
        return self._may_be_in(text) and next(self._found(text, coded), None) is not None

    def is_all_of(self, text: str) -> bool:
        """Whether a text is the address and nothing else, beside a name or mailto:."""
        found = self._found(text, False) if self._may_be_in(text) else ()
        for begin, end in islice(found, _TRIED):
            if _ALONE.fullmatch(folded(text[:begin])) and _REST.fullmatch(folded(text[end:])):
                return True
        return False

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where in a text the address stands, in order and apart from each other."""
        spans: list[tuple[int, int]] = []
        for begin, end in sorted(self._found(text, False)) if self._may_be_in(text) else ():
            if spans and begin < spans[-1][1]:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            else:
                spans.append((begin, end))
        return spans

    def replaced(self, text: str, by: str) -> str:
        """The text with something else in the address's place."""
        parts, last = [], 0
        for begin, end in self.spans(text):
            parts += [text[last:begin], by]
            last = end
        return "".join([*parts, text[last:]])

    def _may_be_in(self, text: str) -> bool:
        """A quick look, which says yes to longer addresses, too."""
        for _ in range(LEVELS):
            if _AT.search(text) and self._pattern.search(folded(text)):
                return True
            if _MAY_HAVEESCAPES.search(text) is None:
                return False
            read = ESCAPE.sub(lambda found: meant(found[0]), text)
            if read == text:
                return False
            text = read
        return self._pattern.search(folded(text)) is not None

    def _found(self, text: str, coded: bool) -> Iterator[tuple[int, int]]:
        """Where it stands in any reading, unless it goes on in that one or a deeper one."""
        readings = list(_readings(text))
        for level, reading in enumerate(readings):
            bare = _bare(reading)
            for match in self._pattern.finditer(bare.text):
                if bare.splits(match.start()) or bare.splits(match.end()):
                    continue
                begin, end = bare.begins[match.start()], bare.ends[match.end() - 1]
                form = "%40" in text[begin:end]
                if not _goes_on(reading, begin, end, form=form, strict=True) and not any(
                    _goes_on(one, begin, end, form=form, strict=coded) for one in readings[level + 1 :]
                ):
                    yield begin, end


def _goes_on(reading: _Reading, begin: int, end: int, *, form: bool, strict: bool) -> bool:
    """Whether what stands there in the original is a part of something longer in a reading.

    A place in the middle of an escape is none of this reading's: `strict` takes it for a part. In a
    `form` a plus that is not itself coded is a space.
    """
    first, last = bisect_left(reading.begins, begin), bisect_right(reading.ends, end)
    inside = first < len(reading.begins) and reading.begins[first] == begin
    if not inside or not last or reading.ends[last - 1] != end:
        return strict
    before, after = reading.text[max(0, first - 8) : first], reading.text[last : last + 8]
    if form and before.endswith("+") and reading.ends[first - 1] - reading.begins[first - 1] == 1:
        return _begins_with_word(after)
    return _ends_in_word(before) or _begins_with_word(after)


def _ends_in_word(before: str) -> bool:
    for char in reversed(before):
        if _APART.match(char):
            return False
        seen = folded(char)
        if seen:
            return unicodedata.combining(seen[-1]) > 0 or re.match(r"[\w.+-]", seen[-1]) is not None
    return False


def _begins_with_word(after: str) -> bool:
    seen = ""
    for char in after:
        if _APART.match(char):
            break
        seen += folded(char)
    if seen and unicodedata.combining(seen[0]):
        return True
    return re.match(r"[\w-]|\.[^\W_]", seen) is not None


def _readings(text: str) -> Iterator[_Reading]:
    """The text as it is, and as its escapes are meant, level by level."""
    reading = _Reading(text, array("I", range(len(text))), array("I", range(1, len(text) + 1)))
    yield reading
    for _ in range(LEVELS):
        deeper = _read(reading)
        if deeper is None:
            return
        yield deeper
        reading = deeper


def _read(reading: _Reading) -> _Reading | None:
    """What a reading's escapes mean; None when it has none."""
    parts, begins, ends, last, some = [], array("I"), array("I"), 0, False
    for found in ESCAPE.finditer(reading.text):
        start, stop = found.span()
        said = meant(found[0])
        if said == found[0]:
            continue
        some = True
        parts += [reading.text[last:start], said]
        begins += reading.begins[last:start] + array("I", [reading.begins[start]] * len(said))
        ends += reading.ends[last:start] + array("I", [reading.ends[stop - 1]] * len(said))
        last = stop
    if not some:
        return None
    begins += reading.begins[last:]
    ends += reading.ends[last:]
    return _Reading("".join([*parts, reading.text[last:]]), begins, ends)


def _bare(reading: _Reading) -> _Reading:
    """A reading, folded."""
    text = reading.text
    if text.isascii():
        return _Reading(text.lower(), reading.begins, reading.ends)
    parts, begins, ends, last = [], array("I"), array("I"), 0
    for found in re.finditer(r"[^\x00-\x7f]", text):
        at = found.start()
        one = _folds[ord(text[at])]
        parts += [text[last:at].lower(), one]
        begins += reading.begins[last:at] + array("I", [reading.begins[at]] * len(one))
        ends += reading.ends[last:at] + array("I", [reading.ends[at]] * len(one))
        last = at + 1
    begins += reading.begins[last:]
    ends += reading.ends[last:]
    return _Reading("".join([*parts, text[last:].lower()]), begins, ends)


def _label(label: str) -> str:
    """A folded label of a domain in its Unicode form."""
    if label.startswith("xn--"):
        try:
            return folded(label[4:].encode("ascii").decode("punycode"))
        except (UnicodeError, ValueError):
            return label
    return label


def _label_pattern(label: str) -> str:
    if label.isascii():
        return re.escape(label)
    coded = unicodedata.normalize("NFC", label[:200]).encode("punycode").decode("ascii")
    return f"(?:{_clusters(label)}|xn--{re.escape(coded)})"


def _clusters(text: str) -> str:
    """A pattern of a folded text in which marks on one character may be in any order."""
    parts = re.findall(r"[\x00-\u02ff]+|.", text, re.DOTALL)
    pattern, marks = "", ""
    for part in [*parts, ""]:
        if part and unicodedata.combining(part[0]):
            marks += part
            continue
        if 1 < len(marks) <= _MOST_MARKS:
            orders = dict.fromkeys("".join(order) for order in permutations(marks))
            pattern += f"(?:{'|'.join(map(re.escape, orders))})"
        else:
            pattern += re.escape(marks)
        marks = ""
        pattern += re.escape(part)
    return pattern
