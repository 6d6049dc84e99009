"""Sentences of the project's own writing: patterns with slots, one file per language in seeds/."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

SEEDS = Path(__file__).parent / "seeds"
_SLOT = re.compile(r"\{(\w+)\}")
_TAILS = {
    "negative": ("!", ".", " :(", "...", "!!"),
    "positive": ("!", ".", " :)", "!!"),
    "neutral": (".", ""),
}


def sentences(per_group: int) -> Iterator[tuple[str, str, str, str]]:
    """Yields (language, category, sentiment, text), about `per_group` of each group, always the same."""
    for path in sorted(SEEDS.glob("*.txt")):
        slots, groups = parse(path.read_text(encoding="utf-8"))
        for (category, sentiment), patterns in groups.items():
            dice = random.Random(f"{path.stem} {category} {sentiment}")
            texts: dict[str, None] = {}
            for pattern in patterns:
                repeats = max(1, per_group // len(patterns)) if "{" in pattern else 1
                for _ in range(repeats):
                    text = _filled(pattern, slots, dice)
                    if dice.random() < 0.6:
                        text = text[0].upper() + text[1:]
                    if text[-1] not in "?!" and dice.random() < 0.35:
                        text += dice.choice(_TAILS[sentiment])
                    texts.setdefault(text)
            for text in texts:
                yield path.stem, category, sentiment, text


def _filled(pattern: str, slots: dict[str, list[str]], dice: random.Random) -> str:
    return _SLOT.sub(lambda slot: dice.choice(slots[slot[1]]), pattern)


def parse(content: str) -> tuple[dict[str, list[str]], dict[tuple[str, str], list[str]]]:
    """The slots and the groups of one seed file; raises ValueError for a line outside both."""
    slots: dict[str, list[str]] = {}
    groups: dict[tuple[str, str], list[str]] = {}
    group: list[str] | None = None
    for line in map(str.strip, content.splitlines()):
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
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
