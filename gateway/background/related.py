"""Records about the same as another one in other words, for people who read it.

The work is bounded whatever a workspace holds: its newest records tell which words are common, and candidates
are those of them that share a telling word, and the newest that the index of words names for each of the
rarer ones. They are compared as themes are: by the cosine of the beginnings of their telling words
(gateway.background.clustering), of which those that many records have weigh less, and by their meaning where
a second reader keeps that (gateway.background.meanings).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from gateway.access.caller import Caller
from gateway.background import meanings
from gateway.background.keywords import STEM, topical
from gateway.background.minhash import ALIKE, similarity
from gateway.background.similar import Said
from models.queries import full_text, related_candidates
from models.tables import meaning

LIMIT = 5  # records that are shown
LEAST = 0.2  # cosine from which on two texts are about the same
NEWEST = 500  # records that tell how common words are
COMMON, FEW = 0.05, 200  # share of these, of FEW at least, that may have a word before it weighs less
LOOKED_UP = 12  # words of a text, the rarest ones
PER_WORD = 50  # newest records with a word
CANDIDATES = 100  # records whose texts are compared
LONGEST = 60  # telling words of a text that are read
BY_MEANING = 20  # of the newest records, those nearest in meaning, are compared whatever their words

Row = Mapping[str, Any]
Vector = Mapping[str, float]


def related(caller: Caller, row: Row) -> list[dict[str, Any]]:
    """The records about the same as this one that the caller may see: {id, title, score}, best first.

    `score` is from LEAST to 1. Those that say the same as it, or as a better one, in nearly the same words
    are left out. Ties go to the newer one.
    """
    mine, scope = Said(row), (caller.workspace_id, caller.project_id)
    newest = related_candidates.newest(*scope, NEWEST)
    compared = _Compared(newest)
    words = _telling(mine)
    found = related_candidates.texts(*scope, compared.candidates(caller.workspace_id, words))
    near = _near(row, newest, found)
    there = {one["id"] for one in found}
    nearest = sorted(near, key=lambda name: (near[name], name), reverse=True)[:BY_MEANING]
    found += related_candidates.texts(*scope, [name for name in nearest if name not in there])
    vector, scored = compared.vector(words), []
    for other in map(Said, found):
        score = _cosine(vector, compared.vector(_telling(other)))
        if (name := other.row["id"]) in near:
            score = meanings.WORDS * score + (1 - meanings.WORDS) * near[name]
        if score >= LEAST and name != row["id"]:
            scored.append((score, name, other))
    scored.sort(key=itemgetter(0, 1), reverse=True)
    return [
        {"id": other.row["id"], "title": other.row["title"], "score": round(min(score, 1.0), 3)}
        for score, other in _different(mine, scored)
    ]


def _different(mine: Said, scored: Sequence[tuple[float, str, Said]]) -> list[tuple[float, Said]]:
    """The first that say the same in nearly the same words neither as this one nor as each other."""
    chosen: list[tuple[float, Said]] = []
    for score, _, other in scored:
        known = (mine, *(one for _, one in chosen))
        if all(similarity(other.pieces, one.pieces) < ALIKE for one in known):
            chosen.append((score, other))
        if len(chosen) == LIMIT:
            break
    return chosen


def _near(row: Row, newest: Sequence[Row], found: Sequence[Row]) -> dict[str, float]:
    """How near this record in meaning these are whose meaning is kept, by their ids."""
    if not meaning.vectors([row["id"]]):
        return {}
    languages = {one["id"]: one["language"] for one in (*newest, *found, row)}
    ids = list(languages)
    kept = meaning.vectors(ids)
    used, numbers = meanings.comparable([kept.get(name) for name in ids], [*languages.values()])
    at = {ids[number]: place for place, number in enumerate(used)}
    if row["id"] not in at:
        return {}
    return dict(zip(at, (numbers @ numbers[at[row["id"]]]).tolist(), strict=True))


class _Compared:
    """What a workspace, or a project of it, says of words: how common they are, and who has them."""

    def __init__(self, newest: Sequence[Row]) -> None:
        self._stems = {row["id"]: _stems(row["words"]) for row in newest}
        self._known = Counter(stem for stems in self._stems.values() for stem in stems)

    def _weight(self, stem: str) -> float:
        """1 for a word that few records have, less for one that many have."""
        share = max(1, self._known[stem]) / max(FEW, len(self._stems) + 1)
        return min(1.0, math.log(share) / math.log(COMMON))

    def vector(self, words: Sequence[str]) -> Vector:
        """The weights of a text's words, their squares summing up to 1."""
        counts = Counter(word[:STEM] for word in words)
        found = {stem: (1 + math.log(count)) * self._weight(stem) for stem, count in counts.items()}
        length = math.sqrt(math.fsum(weight * weight for weight in found.values()))
        return {stem: weight / length for stem, weight in found.items()} if length else {}

    def candidates(self, workspace_id: str, words: Sequence[str]) -> list[str]:
        """The ids of the records whose words weigh most among these."""
        shared: defaultdict[str, float] = defaultdict(float)
        wanted = {word[:STEM]: self._weight(word[:STEM]) for word in words}
        for name, stems in self._stems.items():
            if both := stems & wanted.keys():
                shared[name] = math.fsum(map(wanted.__getitem__, both))
        rarest = sorted(dict.fromkeys(words), key=lambda word: self._known[word[:STEM]])[:LOOKED_UP]
        for word in rarest:
            for name in full_text.holders(workspace_id, word, PER_WORD):
                if name not in self._stems:
                    shared[name] += wanted[word[:STEM]]
        return sorted(shared, key=lambda name: (shared[name], name), reverse=True)[:CANDIDATES]


def _telling(said: Said) -> list[str]:
    return topical(said.words)[:LONGEST]


def _stems(words: str) -> frozenset[str]:
    """The beginnings of a record's searched words."""
    return frozenset(word[:STEM] for word in words.replace("=", "").split())


def _cosine(one: Vector, other: Vector) -> float:
    return math.fsum(weight * other.get(stem, 0.0) for stem, weight in one.items())
