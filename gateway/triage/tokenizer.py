"""From raw words to tokens: normalisation and tokenising, the same for training and for serving.

A text is read once, head and tail within a fixed budget, so its cost is bounded whatever its length.
Code, stack traces, addresses, paths and numbers become marker words (`xxcode`, `xxtrace`, `xxurl`, ...):
that they are there says more than what they say.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from itertools import chain, pairwise
from operator import is_
from sys import intern

from gateway.triage.located import Located, sub, subn
from models.tables.text_folding import decomposed

HEAD_CHARS = 3000
TAIL_CHARS = 600
FIRST_LINE_CHARS = 200
MAX_TOKENS, TAIL_TOKENS = 420, 80
BUDGET, BUDGET_TAIL = 300, 300  # characters that all models but the expert on issue reports read
LONG_CHARS = 300
LEAST_REPORT = 60  # characters below which nobody joined the lines of a report

_FENCE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.S)
_INLINE = re.compile(r"`[^`\n]{1,200}`")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.S)
_IMAGE = re.compile(r"!\[[^\]\n]{0,200}\]\([^)\n]{0,400}\)|<img[^>]{0,400}>")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});", re.I)
# Elements of HTML that people's text comes in; a tag of another name may be code, or a hole to fill in.
_BLOCK = re.compile(
    r"</?(?:p|div|br|li|ul|ol|tr|table|tbody|h[1-6]|blockquote|section|article|hr|pre|body)\b[^<>]{0,400}>",
    re.I,
)
_TAG = re.compile(
    r"</?(?:a|b|i|u|s|em|strong|span|font|small|big|sub|sup|del|ins|mark|td|th|abbr|label|q|center|html)\b"
    r"[^<>]{0,400}>",
    re.I,
)
_LINES = re.compile(r"\n\s*")
# Headings of a report whose lines were joined: by marks, or in the words of the usual forms.
_HEADING = re.compile(
    r"[ \t](?=[#*DTSEA])(?=#{2,6} \S|\*\*[^*\n]{3,60}\*\*(?: |:)|"
    r"(?:Describe the bug|To Reproduce|Steps to reproduce|Expected behaviou?r|Actual behaviou?r|"
    r"(?:Expected|Actual) result|Screenshots|Additional context|Describe (?:the solution|alternatives))\b)"
)
_URL = re.compile(r"https?://\S+|www\.\S+")
_PATH = re.compile(r"(?<![\w])(?:[A-Za-z]:)?(?:[\\/][\w.\-+]{1,80}){2,12}")
_USER = re.compile(r"@\w+")
_TRACE = re.compile(
    r"^[ \t]*(?:at [\w$.<>\[\]/]+ ?\(.*|File \".*|Traceback \(most recent.*|Caused by: .*|\.\.\. \d+ more|"
    r"[\w.]+\([\w.]+\.(?:java|kt|js|ts|py):\d+\).*)$",
    re.M,
)
_HEX = re.compile(r"\b(?:0x[0-9a-f]+|(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,40})\b", re.I)
_HEXISH = re.compile("[0-9][a-fx]|[a-f][0-9]")  # in every number that _HEX finds, and found faster
_CAPITALS = bytes(range(65, 91))
_LONG_RUN = re.compile(r"(\w)\1{2,}")
MARKED = "\u0300-\u036f\u200b-\u200d\ufe0e\ufe0f"  # accents apart from their letters, and what has no width
_MARKS = re.compile(f"[{MARKED}]")
_APOSTROPHE = re.compile("’")
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
_FOREIGN = re.compile("[" + "".join(letters.pattern[1:-1] for _, letters in _SCRIPTS) + "]")

EMOJI = (
    "[\u2600-\u27bf\u2b50\u2b55\u231a\u231b\u2934\u2935\u3030\u303d\u3297\u3299"
    "\U0001f000-\U0001f3fa\U0001f400-\U0001faff]"
)
# Numbers go before faces, for "8)" closes a bracket more often than it smiles.
_MARK = r"|\d+(?:[.,:]\d+)*|[:;=][-o']?[)(dpo/\\|*3\]\[]+(?!\w)|<3|[!?]+|[.,;]+"
_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*" + _MARK + "|" + EMOJI)
_ASCII_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)*" + _MARK)  # the same in half the time
_HAPPY = re.compile(r"^(?:[:;=][-o']?[)d*3\]p]+|<3)$")
_SAD = re.compile(r"^[:;=][-o']?[(/\\|\[]+$")
ENDS = frozenset({".", "!", "!!", "?", "??", "!?"})  # tokens that end a sentence
_ONCE = frozenset({".", "xxtrace"})  # said several times in a row these say nothing more
CACHED_RUNS, CACHED_CHARS = 20_000, 40
GOOD_EMOJI = frozenset("👍😀😃😄😁😆😍🥰😘❤♥💚💙💛💜🧡🎉👏🙏🔥💯😊🙂🤩😎👌✨🥳💪😂🤗⭐🌟🏆")
BAD_EMOJI = frozenset("👎😡😠😢😭😞😒🤬💩🙁☹😤😩😫😖😣😕😟🤮🤢💔😱🐛🐞😔😓😥🙄❌")


@dataclass(slots=True)  # not frozen, which would take three times as long to make
class Text:
    """One text, ready for the features.

    `tokens` are lower-case words, marks and marker words, in reading order, of head and tail; `first` is
    how many of them belong to the first line. `full` is the text they come from. `raw_length` is in
    characters, before anything was cut. `script` is the ISO 639-1 language of a script that only one
    language uses, "other", or "latin".
    """

    tokens: list[str]
    first: int
    full: str
    raw_length: int
    lines: int
    markdown: int
    shouting: float
    has_code: bool
    has_trace: bool
    script: str

    @property
    def words(self) -> str:
        """The tokens, joined by blanks."""
        return " ".join(self.tokens)

    def report(self) -> list[str]:
        """The tokens between head and tail as well: what the expert on issue reports reads."""
        if len(self.full) <= BUDGET + BUDGET_TAIL:
            return self.tokens
        tokens = _first_and_rest(self.full)[0]
        if len(tokens) > MAX_TOKENS:
            tokens = tokens[: MAX_TOKENS - TAIL_TOKENS] + tokens[-TAIL_TOKENS:]
        return tokens


def read(raw: str) -> Text:
    """Normalises and tokenises `raw`: head and tail of a long text, all of a short one."""
    length = len(raw)
    text = raw
    if length > HEAD_CHARS + TAIL_CHARS:
        text = raw[:HEAD_CHARS] + "\n" + raw[-TAIL_CHARS:]
    text = without_markup(text)
    if length > LEAST_REPORT and text.count("\n") < 2:
        text = sub(_HEADING, "\n", text)
    text = text.strip()
    script = "latin"
    if not text.isascii():
        script = _script(text)
        text = without_accents(text)
    lines = text.count("\n") + 1
    markdown = len(_MARKDOWN.findall(text)) if lines > 1 else 0
    has_code = has_trace = False
    if "`" in text or "~~~" in text:
        text, fenced = subn(_FENCE, " xxcode ", text)
        text, inline = subn(_INLINE, " xxinline ", text)
        has_code = fenced + inline > 0
    if "<" in text or "![" in text:
        text = sub(_IMAGE, " xximg ", sub(_COMMENT, " ", text))
    if lines > 1:
        text, traced = subn(_TRACE, " xxtrace ", text)
        has_trace = traced > 0
    if "http" in text or "www." in text:
        text = sub(_URL, " xxurl ", text)
    if text.count("/") + text.count("\\") > 1:
        text = sub(_PATH, " xxpath ", text)
    if "@" in text:
        text = sub(_USER, " xxuser ", text)
    shouting = _shouting(text) if length < LONG_CHARS else 0.0
    text = text.lower()
    if _has_digit(text) and _HEXISH.search(text):
        text = sub(_HEX, " xxhex ", text)
    short = text
    if len(text) > BUDGET + BUDGET_TAIL:
        short = text[:BUDGET].rpartition(" ")[0] + "\n" + text[-BUDGET_TAIL:].partition(" ")[2]
    tokens, first = _first_and_rest(short)
    return Text(tokens, first, text, length, lines, markdown, shouting, has_code, has_trace, script)


def without_markup(text: str) -> str:
    """A text of HTML as the text it stands for."""
    if "&" in text:
        text = sub(_ENTITY, _character, text)
    if ("</" in text or "<br" in text) and (text.lstrip()[:1] == "<" or text.count("\n") < 3):
        text = _plain(text)  # in a text with lines of its own a tag is more often quoted than meant
    return text


def _character(entity: re.Match[str]) -> str:
    """The character of an entity, a blank for one that takes no room of its own."""
    return html.unescape(entity[0]).replace("\xa0", " ")


def _plain(text: str) -> str:
    """Text without the tags of HTML: those of blocks end a line, those of words vanish."""
    if _COMMENT.search(text):
        text = sub(_COMMENT, " ", text)
    return sub(_LINES, "\n", sub(_TAG, "", sub(_BLOCK, "\n", text)))


def without_accents(text: str) -> str:
    """A text with plain letters: many people type so, and one spelling halves the vocabulary."""
    if isinstance(text, Located):
        return sub(_APOSTROPHE, "'", sub(_MARKS, "", text.decomposed()))
    return _MARKS.sub("", decomposed(text)).replace("’", "'")


def _first_and_rest(text: str) -> tuple[list[str], int]:
    """The tokens of a text, and how many of them belong to its first line."""
    head, _, rest = text.partition("\n")
    if len(head) > FIRST_LINE_CHARS:
        head, rest = text[:FIRST_LINE_CHARS], text[FIRST_LINE_CHARS:]
    tokens = _words(head)
    first = len(tokens)
    if rest:
        tokens += (".", *_words(rest))
    return tokens, first


def _shouting(text: str) -> float:
    """The share of capitals, 0 when there are too few to mean anything."""
    if text.isascii():
        letters = text.encode()
        capitals = len(letters) - len(letters.translate(None, _CAPITALS))
    else:
        capitals = sum(map(str.isupper, text))
    return capitals / len(text) if capitals > 8 else 0.0


def _has_digit(text: str) -> bool:
    """Whether there is one of 0 to 9: known in a tenth of the time that a search for it takes."""
    letters = text.encode("utf-8", "surrogatepass")
    return len(letters.translate(None, b"0123456789")) < len(letters)


def _script(text: str) -> str:
    """The script most letters of `text` are written in, named as in Text."""
    if not _FOREIGN.search(text):
        return "latin"
    foreign = {name: len(letters.findall(text)) for name, letters in _SCRIPTS}
    if sum(foreign.values()) <= len(_LATIN.findall(text)):
        return "latin"
    if foreign["ja"]:
        return "ja"  # Japanese mixes its own letters with Chinese ones
    return max(foreign, key=lambda name: foreign[name])


def _words(text: str) -> list[str]:
    """The words and marks of normalised text."""
    if isinstance(text, Located):
        return _located(text)
    tokens = [*chain.from_iterable(map(_tokens.__getitem__, text.split()))]
    if any(map(is_, tokens, tokens[1:])):
        tokens[1:] = [one for before, one in pairwise(tokens) if one is not before or one not in _ONCE]
    return tokens


def _located(text: Located) -> list[str]:
    """The same, each of them with where it stands."""
    kept: list[str] = []
    for run in text.split():
        for found in (_ASCII_TOKEN if run.isascii() else _TOKEN).finditer(run):
            for name in _token(str(found[0])).split():
                again = bool(kept) and kept[-1] == name
                if not again or name not in _ONCE:
                    kept.append(run[found.start() : found.end()].named(name))
    return kept


class _Tokens(dict[str, tuple[str, ...]]):
    """The tokens of what stands between two blanks, mostly one: none of them goes beyond.

    Every token is one object wherever it stands, also as a key, for to come to yet another object takes
    longer than all else here.
    """

    def __missing__(self, run: str) -> tuple[str, ...]:
        found = (_ASCII_TOKEN if run.isascii() else _TOKEN).findall(run)
        tokens = tuple(map(intern, " ".join(map(_token, found)).split()))
        if len(run) <= CACHED_CHARS:
            if len(self) >= CACHED_RUNS:
                self.clear()  # threads that read meanwhile only find less
            self[intern(run)] = tokens
        return tokens


_tokens = _Tokens()


def _token(found: str) -> str:
    """What a word or mark becomes: stops are `.`, numbers `0`, faces and emoji also say what they mean."""
    start = found[0]
    if start.isalpha():
        return _LONG_RUN.sub(r"\1\1", found)
    if start.isdigit():
        return "0"
    if start in "!?":
        return "!?" if "!" in found and "?" in found else found[:2]
    if start in ".,;" and not _SAD.match(found) and not _HAPPY.match(found):
        return "."
    if _HAPPY.match(found) or found in GOOD_EMOJI:
        return "xxsmile " + found
    if _SAD.match(found) or found in BAD_EMOJI:
        return "xxsad " + found
    return found
