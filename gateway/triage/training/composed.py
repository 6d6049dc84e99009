"""Texts put together from sentences of the project's own: praise with a fault or a wish, faults that ask.

What can be acted on decides the label, whatever is said around it. Each language has a file of parts and
of patterns (en_composed.txt); the faults and wishes in them are those of the scenes and the kinds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from gateway.triage.training.seeds import SEEDS, filled, kinds, parse, scenes, styled

SHORTEST, LONGEST = 15, 110  # characters of a fault or wish: who tells more does so in other sentences
PARTS = {("bug", "negative"): "fault", ("feature", "neutral"): "wish"}


def composed(per_pattern: int) -> Iterator[tuple[str, str, str, str]]:
    """Yields (language, category, sentiment, text), `per_pattern` of each pattern, always the same."""
    told: dict[tuple[str, str], list[str]] = {}
    for language, category, sentiment, text in (*scenes(1), *kinds()):
        part = PARTS.get((category, sentiment))
        if part and SHORTEST <= len(text) <= LONGEST and (part == "wish" or "?" not in text):
            told.setdefault((language, part), []).append(text.rstrip(" .!?:()"))
    for path in sorted(SEEDS.glob("??_composed.txt")):
        language = path.stem[:2]
        slots, groups = parse(path.read_text(encoding="utf-8"))
        slots |= {part: told[language, part] for part in PARTS.values()}
        for (category, sentiment), patterns in groups.items():
            dice = random.Random(f"{language} {category} {sentiment}")
            for pattern in patterns:
                for _ in range(per_pattern):
                    yield language, category, sentiment, styled(filled(pattern, slots, dice), sentiment, dice)
