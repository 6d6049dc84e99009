"""How the features of a text are told to people: as its own words where it says them, else in plain words.

A feature is a word, a pair of neighbours, a negated word, the first word once more, or a signal. Each is told
as what it stands for in the text, and where that is; what says nothing to people is not told at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from gateway.triage import features
from gateway.triage.located import Located
from gateway.triage.tokenizer import MARKED

Kind = Literal["words", "sign"]
Span = tuple[int, int]

# Marker words and signals in plain words; gateway/inbox/languages has them in the reader's language.
_FACES = {"xxsmile": "a smiling face", "xxsad": "a sad face"}
MARKERS = {
    "xxurl": "a link",
    "xxpath": "a file path",
    "xxuser": "a mention",
    "xxhex": "an identifier",
    "xxcode": "code",
    "xxinline": "code",
    "xxtrace": "a stack trace",
    "xximg": "an image",
    "0": "a number",
    **_FACES,
}
MARKS = {"!": "exclamation marks", "?": "question marks"}
SIGNALS = {
    "positive": "kind words",
    "highest": "kind words",
    "negative": "unhappy words",
    "lowest": "unhappy words",
    "flipped": "words turned by a negation",
    "exclamations": MARKS["!"],
    "questions": MARKS["?"],
    "ends_asking": "ends with a question mark",
    "starts_asking": "begins like a question",
    "happy": _FACES["xxsmile"],
    "sad": _FACES["xxsad"],
    "shouting": "capital letters",
    "code": MARKERS["xxcode"],
    "trace": MARKERS["xxtrace"],
    "markdown": "headings or lists",
    "link": MARKERS["xxurl"],
}
NUMBER = "…"  # among quoted words
SIGNS = tuple(dict.fromkeys((*MARKERS.values(), *MARKS.values(), *SIGNALS.values())))
_ACCENTS = re.compile(f"[{MARKED}]*")
_REST = re.compile(rf"(?:[^\W\d_]|[{MARKED}])*")  # of a word
LONGEST = 100  # letters of the rest of a word that was cut
_GAP = 3  # letters between two words that are quoted with them, if these are no markup


class Told(NamedTuple):
    """A feature as people are told of it, and where in the text that stands."""

    name: str
    kind: Kind
    spans: tuple[Span, ...] = ()


class Wording:
    """The wording of the features of some tokens, which know where they stand in `original`."""

    def __init__(self, original: str, tokens: Sequence[str], part: str = "") -> None:
        """`part` stands before the names of the features (features.TITLE, features.BODY)."""
        self._original, self._tokens = original, tokens
        self.spans = [_span(original, token) for token in tokens]  # where each token stands
        self._words = [self._is_word(place) for place in range(len(tokens))]
        self._places: dict[str, list[tuple[int, int]]] = {}
        for name, first, last in self._features():
            self._places.setdefault(part + name, []).append((first, last))

    def tell(self, name: str) -> Told | None:
        """How a feature is told, with all the places where it is; None where it says nothing to people."""
        if name.startswith(features.SIGNAL):
            phrase = SIGNALS.get(name.removeprefix(features.SIGNAL))
            return Told(phrase, "sign") if phrase else None
        found = [self._told(first, last) for first, last in self._places.get(name, ())]
        told = [one for one in found if one]
        if not told:
            return None
        return told[0]._replace(spans=tuple(dict.fromkeys(span for one in told for span in one.spans)))

    def quoted(self, first: int, last: int) -> Told | None:
        """The tokens from `first` to `last` as they are written, with what stands between them."""
        spans = list(filter(None, self.spans[first : last + 1]))
        if not spans:
            return None
        joined = [spans[0]]
        for start, end in spans[1:]:
            between = self._original[joined[-1][1] : start]
            if len(between) <= _GAP and not set("<>&\n").intersection(between):
                joined[-1] = joined[-1][0], max(end, joined[-1][1])
            else:
                joined.append((start, end))
        name = " ".join(" ".join(self._original[start:end].split()) for start, end in joined)
        return Told(name, "words", tuple(joined))

    def _features(self) -> Iterator[tuple[str, int, int]]:
        """The names of the word features, and the first and last token of each."""
        tokens = self._tokens
        if tokens:
            yield f"{features.START} {tokens[0]}", 0, 0
        for place, token in enumerate(tokens):
            yield token, place, place
            if place + 1 < len(tokens):
                yield f"{token} {tokens[place + 1]}", place, place + 1
            if features.is_negation(token):
                for reached in range(place + 1, min(place + 1 + features.NEGATION_SPAN, len(tokens))):
                    if tokens[reached] == ".":
                        break
                    yield f"not_{tokens[reached]}", place, reached

    def _told(self, first: int, last: int) -> Told | None:
        """Words as they are written; a sign among them says no more than the words beside it."""
        if first == last:
            return self._alone(first)
        if all(self._words[first : last + 1]):
            return self.quoted(first, last)
        words = (place for place in (first, last) if self._words[place])
        return self._alone(next(words, first)) or self._alone(last)

    def _is_word(self, place: int) -> bool:
        told = self._tokens[place]
        return told == "0" or (told[0].isalpha() and not self._marker(place))

    def _marker(self, place: int) -> str:
        """What a marker word stands for; empty for words, also for one that somebody wrote so."""
        token, span = self._tokens[place], self.spans[place]
        written = self._original[slice(*span)].lower() if span else ""
        return "" if written == token != "0" else MARKERS.get(token, "")

    def _alone(self, place: int) -> Told | None:
        """How a token by itself is told."""
        token, span = self._tokens[place], self.spans[place]
        spans = (span,) if span else ()
        if token == ".":
            return None
        before = self._tokens[place - 1] if place else ""
        if before in _FACES and span and self.spans[place - 1] == span:  # the face itself
            return Told(_FACES[before], "sign", spans)
        if phrase := self._marker(place) or MARKS.get(token[0]):
            return Told(phrase, "sign", spans)
        return self.quoted(place, place)


def _span(original: str, token: str) -> Span | None:
    """Where a token stands, with the accents that were dropped and the rest of a word that was cut."""
    if not isinstance(token, Located) or token.span is None:
        return None
    start, end = token.span
    word = token[0].isalpha() and token not in MARKERS
    if (rest := (_REST if word else _ACCENTS).match(original, end, end + LONGEST)) is not None:
        end = rest.end()
    if word and start and original[start - 1].isalpha():
        before = original[max(0, start - LONGEST) : start]
        start -= len(before) - len(before.rstrip("".join(filter(_REST.fullmatch, set(before)))))
    return start, end


def quoted(words: str) -> str:
    """Words of tokens in quotes; markers are told, and of a number only that there is one."""
    if "xx" in words or "0" in words:
        words = " ".join(NUMBER if one == "0" else MARKERS.get(one, one) for one in words.split())
    return f'"{words}"'


def sentences(wording: Wording, original: str, tokens: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The first and last tokens of each sentence, also where only a line ends."""
    first, said = 0, False
    for place, token in enumerate(tokens):
        here, before = wording.spans[place], wording.spans[place - 1] if place else None
        new_line = here is None or (before is not None and "\n" in original[before[1] : here[0]])
        if place and (new_line or tokens[place - 1][0] in ".!?"):
            if said:
                yield first, place - 1
            first, said = place, False
        said = said or token[0].isalpha()
    if said:
        yield first, len(tokens) - 1


def within(spans: Iterable[Span], start: int, end: int) -> bool:
    """Whether one of the spans begins between two places."""
    return any(start <= begin < end for begin, _ in spans)
