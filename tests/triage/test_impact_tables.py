"""The tables of words of harm: no entry is dead, and what takes harm back takes back that harm alone.

The pairs of impact_pairs_products.csv were written from the life of many products before the tables were
looked at. Those of impact_pairs_later.csv came when the first were right, to see whether the kinds are.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

import pytest

from adapters.contract.record import Record
from gateway import triage
from gateway.triage import guards, phrase_tables
from gateway.triage.areas import DEFAULT_AREAS
from gateway.triage.features import LANGUAGES
from gateway.triage.harm import hear
from gateway.triage.severity_words import SEVERE, STRONG
from gateway.triage.spoken import OVER, said_in
from gateway.triage.tokenizer import read
from tests.triage.test_impact_words import phrases, rows

SECTIONS = tuple(
    name for name, section in phrase_tables.table("guards").items() if name not in ("homographs", "settled")
)
PATTERNS = (*(found for _, _, found in SEVERE), STRONG)


def heard(text: str) -> Sequence[str]:
    """What the tokenizer makes of a text: an entry that it writes otherwise is never met."""
    return read(text).tokens


def settled() -> Iterator[phrase_tables.Phrase]:
    yield from phrase_tables.phrases(OVER, phrase_tables.table("guards")["settled"])


def test_every_entry_of_every_table_matches_a_text_made_of_it() -> None:
    """Each word of each place of each phrase, in a text that goes through the tokenizer."""
    dead = []
    for phrase in (*phrases(), *settled()):
        first = [min(slot.words | set(slot.stems)) for slot in phrase.slots]
        for place, slot in enumerate(phrase.slots):
            for word in slot.words | set(slot.stems):
                text = " ".join([*first[:place], word, *first[place + 1 :]])
                tokens = heard(text)
                said = said_in(" ".join(tokens))
                if not any(
                    one.meaning == phrase.meaning and (one.first, one.last) == (0, len(tokens) - 1)
                    for one in said
                ):
                    dead.append(text)
    assert not dead


def test_every_set_is_used() -> None:
    used = {
        name
        for path in phrase_tables.TABLES.glob("*.toml")
        for name in re.findall(r"\{(\w+)\}", re.sub("(?m)^#.*", "", path.read_text(encoding="utf-8")))
    }
    assert set(phrase_tables.table(phrase_tables.SETS)) == used


@pytest.mark.parametrize("section", SECTIONS)
def test_every_guard_is_met_as_it_is_written(section: str) -> None:
    """Also those of several words; and they are looked for by the module."""
    entries = getattr(guards, section.upper())
    listed = phrase_tables.table("guards")[section]
    assert set(listed) == set(LANGUAGES)
    for entry in itertools.chain(*(phrase_tables.split(words) for words in listed.values())):
        assert entries.among(heard(f"so {entry} so")), entry


def test_every_homograph_is_met_beside_its_words() -> None:
    """A homograph is a word of some phrase or pattern, and each of its neighbours gives another meaning."""
    spoken = [slot for phrase in phrases() for slot in phrase.slots]
    for word, beside in phrase_tables.table("guards")["homographs"].items():
        named = any(slot.takes(word) for slot in spoken)
        assert named or any(pattern.said(f"{word} {word}") for pattern in PATTERNS), word
        for entry in phrase_tables.split(beside):
            tokens = [*heard(f"so {entry} so"), word]
            assert guards.about_else(tokens, len(tokens) - 1, len(tokens) - 1), (word, entry)


@pytest.mark.parametrize("entry", sorted(guards.PREVENTED.words | {*map(str.strip, guards.PREVENTED.rows)}))
def test_what_is_to_be_prevented_is_no_harm(entry: str) -> None:
    assert hear("data loss").harm
    assert not hear(" ".join(heard(f"{entry} data loss"))).harm


@pytest.mark.parametrize("row", rows("impact_stays.csv"), ids=lambda row: row["text"][:40])
def test_what_is_said_of_something_else_takes_no_harm_back(row: dict[str, str]) -> None:
    """A repair of something else, a wish for one, a claim, and a cause leave the harm as it is: a bug."""
    labels = triage.label(Record(text=row["text"]))

    assert labels.impact_reasons[0].points >= 4, labels
    assert labels.category not in ("praise", "other")
    assert max(labels.category_scores, key=labels.category_scores.__getitem__) == labels.category
    assert labels.category_confidence == labels.category_scores[labels.category]


@pytest.mark.parametrize(("name", "least", "size"), [("products", 57, 60), ("later", 60, 65)])
def test_pairs_of_many_products(name: str, least: int, size: int) -> None:
    """The first of each is clearly more important to a product team, and has more impact."""
    pairs = rows(f"impact_pairs_{name}.csv")
    impacts = [
        tuple(triage.label(Record(text=row[side])).impact for side in ("more", "less")) for row in pairs
    ]
    wrong = [row["more"] for row, (more, less) in zip(pairs, impacts, strict=True) if more <= less]

    assert len(pairs) == size and {row["language"] for row in pairs} == set(LANGUAGES)
    assert len(pairs) - len(wrong) >= least, wrong


def test_no_text_of_the_pairs_stands_in_a_table() -> None:
    """The longest run of words that a table and a text share without a gap is that of an idiom."""
    texts = [
        f" {' '.join(heard(row[side]))} "
        for name in ("products", "later")
        for row in rows(f"impact_pairs_{name}.csv")
        for side in ("more", "less")
    ]
    entries = {
        entry
        for path in phrase_tables.TABLES.glob("*.toml")
        for section in phrase_tables.table(path.stem).values()
        for listed in (section.values() if isinstance(section, dict) else [section])
        if isinstance(listed, str)
        for entry in phrase_tables.split(listed)
        if len(entry.split()) > 5 and not re.search(r"[/{*?]|\.\.", entry)
    }
    assert not [entry for entry in entries if any(f" {entry} " in text for text in texts)]


def test_areas_of_guards_are_areas() -> None:
    areas = {area.name for area in DEFAULT_AREAS}
    assert guards.LASTING | frozenset().union(*guards.ALIKE) <= areas
