"""Sentences of the project's own writing: patterns, scenes and kinds of error, a file each per language.

A pattern (en.txt) is a frame whose slots take any of many words; a scene (en_scenes.txt) is a situation told
in a few wordings; the kinds (en_kinds.txt) are sentences as people write them that are easily taken for
another kind. Patterns teach what the frames of a language mean, scenes what people talk about.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

SEEDS = Path(__file__).parent / "seeds"
_SLOT = re.compile(r"\{(\w+)\}")
_CHOICE = re.compile(r"<([^<>|]*\|[^<>]*)>")
_TAILS = {
    "negative": ("!", ".", " :(", "...", "!!"),
    "positive": ("!", ".", " :)", "!!"),
    "neutral": (".", ""),
}
# Politeness belongs to no category, so that a greeting makes no small talk of a bug.
_OPENINGS = {
    "en": ("hi, ", "hello, ", "hey team, ", "dear support, ", "good morning, "),
    "nl": ("hoi, ", "hallo, ", "goedemiddag, ", "beste team, ", "dag, "),
    "de": ("hallo, ", "guten Tag, ", "liebes Team, ", "hi, ", "moin, "),
    "fr": ("bonjour, ", "salut, ", "bonsoir, ", "chère équipe, "),
    "es": ("hola, ", "buenas, ", "buenos días, ", "estimado equipo, "),
}
_CLOSINGS = {
    "en": (" thanks", " Thank you.", " Kind regards", " thx", " Cheers"),
    "nl": (" dank", " Alvast bedankt.", " Groeten", " mvg", " Met vriendelijke groet"),
    "de": (" danke", " Vielen Dank.", " Viele Grüße", " LG", " Mit freundlichen Grüßen"),
    "fr": (" merci", " Merci d'avance.", " Cordialement", " Bien à vous"),
    "es": (" gracias", " Muchas gracias.", " Un saludo", " Saludos"),
}
_CIVIL = ("bug", "feature", "question")
WORDINGS = 6  # drawn of each sentence of the kinds


def sentences(per_group: int) -> Iterator[tuple[str, str, str, str]]:
    """Yields (language, category, sentiment, text), about `per_group` of each group, always the same."""
    for path in sorted(SEEDS.glob("??.txt")):
        slots, groups = parse(path.read_text(encoding="utf-8"))
        for (category, sentiment), patterns in groups.items():
            dice = random.Random(f"{path.stem} {category} {sentiment}")
            texts: dict[str, None] = {}
            for pattern in patterns:
                repeats = max(1, per_group // len(patterns)) if "{" in pattern else 1
                for _ in range(repeats):
                    texts.setdefault(styled(filled(pattern, slots, dice), sentiment, dice))
            for text in texts:
                yield path.stem, category, sentiment, text


def scenes(per_scene: int) -> Iterator[tuple[str, str, str, str]]:
    """Yields (language, category, sentiment, text), at most `per_scene` of a scene, always the same."""
    for path in sorted(SEEDS.glob("??_scenes.txt")):
        language = path.stem[:2]
        slots, groups = parse(path.read_text(encoding="utf-8"))
        for (category, sentiment), patterns in groups.items():
            dice = random.Random(f"{language} {category} {sentiment}")
            for pattern in patterns:
                told = {filled(pattern, slots, dice) for _ in range(3 * per_scene)}
                for text in sorted(told)[:per_scene]:
                    text = styled(text, sentiment, dice)
                    if category in _CIVIL and len(text) > 15:
                        text = _civil(text, language, dice)
                    yield language, category, sentiment, text


def kinds() -> Iterator[tuple[str, str, str, str]]:
    """Yields (language, category, sentiment, text), each sentence of the kinds in all its wordings."""
    for path in sorted(SEEDS.glob("??_kinds.txt")):
        language = path.stem[:2]
        _, groups = parse(path.read_text(encoding="utf-8"))
        for (category, sentiment), patterns in groups.items():
            dice = random.Random(f"{language} {category} {sentiment}")
            for pattern in patterns:
                for text in sorted({filled(pattern, {}, dice) for _ in range(WORDINGS)}):
                    yield language, category, sentiment, styled(text, sentiment, dice)


def filled(pattern: str, slots: dict[str, list[str]], dice: random.Random) -> str:
    """`pattern` with one of its words in every slot and choice."""
    text = _CHOICE.sub(lambda choice: dice.choice(choice[1].split("|")), pattern)
    return " ".join(_SLOT.sub(lambda slot: dice.choice(slots[slot[1]]), text).split())


def styled(text: str, sentiment: str, dice: random.Random) -> str:
    """`text` with a capital or without, with a mark at its end or without."""
    if dice.random() < 0.6:
        text = text[0].upper() + text[1:]
    if text[-1] not in "?!" and dice.random() < 0.35:
        text += dice.choice(_TAILS[sentiment])
    return text


def _civil(text: str, language: str, dice: random.Random) -> str:
    """`text` with a greeting before it or a word of thanks after it, or as it is."""
    if dice.random() < 0.12:
        text = dice.choice(_OPENINGS[language]) + text
    if dice.random() < 0.12:
        text += ("" if text[-1] in ".?!" else ".") + dice.choice(_CLOSINGS[language])
    return text


def parse(content: str) -> tuple[dict[str, list[str]], dict[tuple[str, str], list[str]]]:
    """The slots and the groups of one seed file; raises ValueError for a line outside both."""
    slots: dict[str, list[str]] = {}
    groups: dict[tuple[str, str], list[str]] = {}
    group: list[str] | None = None
    for line in map(str.strip, content.splitlines()):
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            category, sentiment = line.strip("[]").split()
            group = groups.setdefault((category, sentiment), [])
        elif group is not None:
            group.append(line)
        elif " = " in line:
            name, _, values = line.partition(" = ")
            slots[name] = [value.strip() for value in values.split("|")]
        else:
            raise ValueError(f"neither a slot nor in a group: {line!r}")
    return slots, groups
