"""What the models see of a text: keys of words and sub-words, and a few numbers beside them.

Every feature is a 32-bit key (CRC-32 of its name): a model file holds keys and weights, no words.
The same functions serve training and serving, so both see the same features.

    words      set of words, pairs of neighbours and negated words; TF-IDF, unit length
    sub-words  each word's character n-grams, for unknown, misspelt and compound words
    signals    polarity of known words, marks, faces, length, code: see SIGNALS
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from zlib import crc32

from gateway.triage.tokenizer import Text

LANGUAGES = ("en", "nl", "de", "fr", "es")
SUBWORD_SIZES = (2, 3, 4, 5)
SUBWORD_LETTERS = 20
SUBWORD_WORDS = 60
NEGATION_SPAN = 3
_NEGATIONS = """
not no never none nothing cannot cant dont doesnt didnt wont isnt wasnt couldnt wouldnt shouldnt
arent without hardly niet geen nooit niets zonder nauwelijks nicht kein keine keinen keiner nie
nichts ohne kaum ne pas jamais aucun aucune rien sans nunca jamas nada ningun ninguna ni sin tampoco
"""
NEGATIONS = frozenset(_NEGATIONS.split())
SIGNALS = (
    "positive",
    "negative",
    "highest",
    "lowest",
    "balance",
    "last",
    "flipped",
    "exclamations",
    "questions",
    "ends_asking",
    "starts_asking",
    "happy",
    "sad",
    "shouting",
    "length",
    "lines",
    "code",
    "trace",
    "markdown",
    "link",
)
_ASKING = """
how what why where when who which can could is are does do did will would anyone hoe wat waarom waar
wanneer wie welke kan kun kunnen is zijn weet wie wo wann warum wieso welche kann gibt comment
pourquoi quand quel quelle est ou como cual donde cuando por puedo
"""
ASKING = frozenset(_ASKING.split())
Telling = tuple[str, float] | None
TITLE, BODY = "t:", "b:"  # stand before the names of a report's first line, and of the rest
SIGNAL = "signal."  # stands before the names of SIGNALS where parts of an explanation are named
START = "^"  # stands before the first word: how a text begins tells a wish from a question


def key(name: str) -> int:
    """The 32-bit key of a feature."""
    return crc32(encoded(name))


def encoded(name: str) -> bytes:
    """The bytes whose checksum is the key of a name; of one that goes on, the checksum goes on."""
    return name.encode("utf-8", "surrogatepass")


def word_names(tokens: list[str]) -> set[str]:
    """The names of the word features of `tokens`: words, pairs and negated words."""
    names = {*tokens, *negated_names(tokens)}
    names.update(f"{one} {other}" for one, other in zip([START, *tokens], tokens, strict=False))
    names.discard(".")
    return names


def title_names(text: Text) -> set[str]:
    """The word features of the first line, named apart."""
    return {TITLE + name for name in word_names(text.report()[: text.first])}


def body_names(text: Text) -> set[str]:
    """The word features of all but the first line, named apart."""
    return {BODY + name for name in word_names(text.report()[text.first :])}


def subword_key(name: str) -> int:
    """The 32-bit key of a character n-gram, apart from the words."""
    return key("~" + name)


def word_keys(tokens: list[str]) -> set[int]:
    """The keys of `word_names(tokens)`."""
    return set(map(key, word_names(tokens)))


def negated_names(tokens: list[str]) -> Iterator[str]:
    """The names of the words that a negation before them reaches."""
    for place, token in enumerate(tokens, 1):
        if token in NEGATIONS or token[-3:] == "n't":
            for reached in tokens[place : place + NEGATION_SPAN]:
                if reached == ".":
                    break
                yield "not_" + reached


def is_negation(token: str) -> bool:
    return token in NEGATIONS or token.endswith("n't")


def subwords(word: str) -> list[str]:
    """The character n-grams of one word, its ends marked by blanks; each once, none for marks."""
    if not word[0].isalpha() or word.startswith("xx"):
        return []
    padded = " " + word[:SUBWORD_LETTERS] + " "
    length = len(padded)
    return list(
        {padded[i : i + n] for n in SUBWORD_SIZES if n < length for i in range(length - n + 1)} | {padded}
    )


def subword_words(tokens: list[str]) -> list[str]:
    """The words of a text whose sub-words count: the first distinct ones."""
    return [word for word in dict.fromkeys(tokens) if word[0].isalpha()][:SUBWORD_WORDS]


def telling(token: str, value: float) -> Telling:
    """What a token of polarity `value` says beside its meaning; None for most words."""
    kind = ""
    if is_negation(token):
        kind = "not"
    elif token[0] in ".!?" or token in ("xxsmile", "xxsad"):
        kind = token
    return (kind, value) if kind or value else None


def signals(text: Text, told: Mapping[str, Telling], places: Iterable[int] | None = None) -> list[float]:
    """The numbers beside the words, in the order of SIGNALS, each about 0..1 (polarity -1..1).

    `told` gives what each token tells in the language of the text (Lexicon.telling_in), and `places` which
    tokens tell anything, in their order; all are asked when it is not given.
    """
    good = bad = highest = lowest = last = 0.0
    flipped = happy = sad = exclamations = questions = 0
    negated = -1  # the last place that a negation reaches
    tokens = text.tokens
    for place in range(len(tokens)) if places is None else places:
        telling = told[tokens[place]]
        if telling is None:
            continue
        kind, value = telling
        if value:
            if place <= negated:
                value *= -0.7
                flipped += 1
            last = value
            if value > 0:
                good += value
                highest = value if value > highest else highest
            else:
                bad -= value
                lowest = value if value < lowest else lowest
        if kind == "not":
            negated = place + NEGATION_SPAN
        elif kind == ".":
            negated = -1
        elif kind == "xxsmile":
            happy += 1
        elif kind == "xxsad":
            sad += 1
        elif kind:
            exclamations += kind.count("!") and len(kind)
            questions += "?" in kind
    end = ""
    for end in tokens[:-4:-1]:
        if end != ".":
            break
    # Most are zero, which is told without a call.
    return [
        good and math.log1p(good),
        bad and math.log1p(bad),
        highest,
        lowest,
        (good - bad) / (good + bad + 0.5),
        last,
        flipped and min(flipped, 3) / 3,
        exclamations and min(exclamations, 4) / 4,
        questions and min(questions, 3) / 3,
        end[:1] == "?" or end == "!?",
        bool(tokens) and tokens[0] in ASKING,
        happy and min(happy, 2) / 2,
        sad and min(sad, 2) / 2,
        text.shouting and min(text.shouting * 2, 1.0),
        math.log1p(len(tokens)) / 6,
        0.0 if text.lines == 1 else math.log1p(text.lines - 1) / 4,
        text.has_code,
        text.has_trace,
        text.markdown and min(text.markdown, 8) / 8,
        "xxurl" in tokens,
    ]
