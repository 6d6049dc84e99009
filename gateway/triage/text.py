"""From raw words to tokens: normalisation and tokenising, the same for training and for serving.

A text is read once, head and tail within a fixed budget, so its cost is bounded whatever its length.
Code, stack traces, addresses, paths and numbers become marker words (`xxcode`, `xxtrace`, `xxurl`, ...):
that they are there says more than what they say.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

HEAD_CHARS = 3000
TAIL_CHARS = 600
FIRST_LINE_CHARS = 200
MAX_TOKENS = 420
LONG_CHARS = 300

_FENCE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.S)
_INLINE = re.compile(r"`[^`\n]{1,200}`")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.S)
_IMAGE = re.compile(r"!\[[^\]\n]{0,200}\]\([^)\n]{0,400}\)|<img[^>]{0,400}>")
_URL = re.compile(r"https?://\S+|www\.\S+")
_PATH = re.compile(r"(?<![\w])(?:[A-Za-z]:)?(?:[\\/][\w.\-+]{1,80}){2,12}")
_USER = re.compile(r"@\w+")
_TRACE = re.compile(
    r"^[ \t]*(?:at [\w$.<>\[\]/]+ ?\(.*|File \".*|Traceback \(most recent.*|Caused by: .*|\.\.\. \d+ more|"
    r"[\w.]+\([\w.]+\.(?:java|kt|js|ts|py):\d+\).*)$",
    re.M,
)
_HEX = re.compile(r"\b(?:0x[0-9a-f]+|(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,40})\b", re.I)
_DIGIT = re.compile(r"\d")
_CAPITAL = re.compile("[A-Z]")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_LONG_RUN = re.compile(r"(\w)\1{2,}")
_MARKS = re.compile("[\u0300-\u036f\u200b-\u200d\ufe0e\ufe0f]")
_MARKDOWN = re.compile(r"^(?:#{1,6} |[-*] |\d+\. |\*\*|> )", re.M)

_LATIN = re.compile("[a-zA-Z\u00c0-\u024f]")
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("other", re.compile("[\u0400-\u058f\u0600-\u0dff\u0e80-\u139f]")),
)

EMOJI = (
    "[\u2600-\u27bf\u2b50\u2b55\u231a\u231b\u2934\u2935\u3030\u303d\u3297\u3299"
    "\U0001f000-\U0001f3fa\U0001f400-\U0001faff]"
)
_TOKEN = re.compile(
    r"[^\W\d_]+(?:'[^\W\d_]+)*|[:;=8][-o']?[)(dpo/\\|*3\]\[]+(?!\w)|<3|[!?]+|\d+|[.,;]+|" + EMOJI
)
_HAPPY = re.compile(r"^(?:[:;=8][-o']?[)d*3\]p]+|<3)$")
_SAD = re.compile(r"^[:;=8][-o']?[(/\\|\[]+$")
GOOD_EMOJI = frozenset("👍😀😃😄😁😆😍🥰😘❤♥💚💙💛💜🧡🎉👏🙏🔥💯😊🙂🤩😎👌✨🥳💪😂🤗⭐🌟🏆")
BAD_EMOJI = frozenset("👎😡😠😢😭😞😒🤬💩🙁☹😤😩😫😖😣😕😟🤮🤢💔😱🐛🐞😔😓😥🙄❌")


@dataclass(frozen=True, slots=True)
class Text:
    """One text, ready for the features.

    `tokens` are lower-case words, marks and marker words, in reading order; `first` is how many of
    them belong to the first line. `raw_length` is in characters, before anything was cut. `script` is
    the ISO 639-1 language of a script that only one language uses, "other", or "latin".
    """

    tokens: list[str]
    first: int
    raw_length: int
    lines: int
    markdown: int
    shouting: float
    has_code: bool
    has_trace: bool
    script: str


def read(raw: str) -> Text:
    """Normalises and tokenises `raw`: head and tail of a long text, all of a short one."""
    length = len(raw)
    text = raw
    if length > HEAD_CHARS + TAIL_CHARS:
        text = raw[:HEAD_CHARS] + "\n" + raw[-TAIL_CHARS:]
    text = text.strip()
    script = "latin"
    if not text.isascii():
        script = _script(text)
        # Accents are dropped: many people type without them, and one spelling halves the vocabulary.
        text = _MARKS.sub("", unicodedata.normalize("NFKD", text)).replace("’", "'")
    lines = text.count("\n") + 1
    markdown = len(_MARKDOWN.findall(text)) if lines > 1 else 0
    has_code = has_trace = False
    if "`" in text or "~~~" in text:
        text, fenced = _FENCE.subn(" xxcode ", text)
        text, inline = _INLINE.subn(" xxinline ", text)
        has_code = fenced + inline > 0
    if "<" in text or "![" in text:
        text = _IMAGE.sub(" xximg ", _COMMENT.sub(" ", text))
    if lines > 1:
        text, traced = _TRACE.subn(" xxtrace ", text)
        has_trace = traced > 0
    if "http" in text or "www." in text:
        text = _URL.sub(" xxurl ", text)
    if "/" in text or "\\" in text:
        text = _PATH.sub(" xxpath ", text)
    if "@" in text:
        text = _USER.sub(" xxuser ", text)
    shouting = _shouting(text) if length < LONG_CHARS else 0.0
    text = text.lower()
    if _DIGIT.search(text):
        text = _NUMBER.sub(" 0 ", _HEX.sub(" xxhex ", text))
    text = _LONG_RUN.sub(r"\1\1", text)
    head, _, rest = text.partition("\n")
    if len(head) > FIRST_LINE_CHARS:
        head, rest = text[:FIRST_LINE_CHARS], text[FIRST_LINE_CHARS:]
    tokens = _tokens(head)
    first = len(tokens)
    if rest:
        tokens.append(".")
        tokens += _tokens(rest)
    if len(tokens) > MAX_TOKENS:
        tokens = tokens[: MAX_TOKENS - 80] + tokens[-80:]
    return Text(
        tokens, min(first, len(tokens)), length, lines, markdown, shouting, has_code, has_trace, script
    )


def _shouting(text: str) -> float:
    """The share of capitals, 0 when there are too few to mean anything."""
    capitals = len(_CAPITAL.findall(text)) if text.isascii() else sum(map(str.isupper, text))
    return capitals / len(text) if capitals > 8 else 0.0


def _script(text: str) -> str:
    """The script most letters of `text` are written in, named as in Text."""
    foreign = {name: len(letters.findall(text)) for name, letters in _SCRIPTS}
    if sum(foreign.values()) <= len(_LATIN.findall(text)):
        return "latin"
    if foreign["ja"]:
        return "ja"  # Japanese mixes its own letters with Chinese ones
    return max(foreign, key=lambda name: foreign[name])


def _tokens(text: str) -> list[str]:
    """The words and marks of normalised text; stops are `.`, faces and emoji also say what they mean."""
    tokens: list[str] = []
    last = ""
    for token in _TOKEN.findall(text):
        start = token[0]
        if start.isalpha():
            if token == last == "xxtrace":
                continue
        elif start.isdigit():
            token = "0"
        elif start in "!?":
            token = "!?" if "!" in token and "?" in token else token[:2]
        elif start in ".,;" and not _SAD.match(token) and not _HAPPY.match(token):
            token = "."
            if last == ".":
                continue
        else:
            face = "xxsmile" if _HAPPY.match(token) or token in GOOD_EMOJI else ""
            face = face or ("xxsad" if _SAD.match(token) or token in BAD_EMOJI else "")
            if face:
                tokens.append(face)
        tokens.append(token)
        last = token
    return tokens
