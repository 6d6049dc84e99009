"""Groups texts that are about the same. Imported by a short-lived process only: scikit-learn takes memory.

    python -m gateway.background.clustering WORKSPACE PROJECT SINCE     (an empty PROJECT is all; SINCE is the
    least id)

prints the groups of what the database holds as JSON: [{terms, members: [[id, closeness], ...]}, ...].

Texts are compared by the beginnings of their telling words, which matches "betaling" and "betalen" without a
stemmer for each language, and where a second reader has encoded enough of them by what they mean, too
(gateway.background.meanings). Groups are merged as long as their texts are on average alike enough
(average linkage). Of many texts that is done with an even choice of them; the others join the group they are
most alike, and of those that are alike none another choice is taken, a few times. So time and memory are
bounded, and the same texts always give the same groups.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import orjson
from peewee import OperationalError
from scipy.sparse import csr_matrix
from sklearn.cluster import AgglomerativeClustering
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from gateway.background import meanings
from gateway.background.keywords import STEM, topical, words_of
from gateway.background.lease import AWAY
from gateway.core.config import Config
from models.database.base import close, connect
from models.tables import meaning
from models.tables.similarity import PAGE, spoken

MOST = 100_000  # newest records that are looked at
APART = 0.83  # average distance (1 - cosine) from which on two groups are about different things
AT_ONCE = 3_000  # texts that are compared each with each
ROUNDS = 6  # of more texts
VOCABULARY = 30_000
LEAST = 3  # records of a theme
TERMS = 3  # words that tell what a theme is about
LONGEST = 60  # telling words of a text that are read
MOST_MEANT = 10_000  # newest texts, or a page more, whose meaning is compared: some 30 MB


@dataclass(frozen=True, slots=True)
class Said:
    """One text: its record, who said it, and its telling words in reading order.

    `meaning` is what its numbers are packed as (gateway.triage.second_reader.pack), if there are any.
    """

    id: str
    who: str
    words: Sequence[str]
    language: str | None = None
    meaning: bytes | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Texts about the same: the words that tell them from others, and the records, closest first."""

    terms: list[str]
    members: list[tuple[str, float]]


def group(texts: Sequence[Said]) -> list[Group]:
    """The themes of texts, the largest first."""
    vectors, used = _vectors(texts)
    if vectors is None:
        return []
    texts = [texts[number] for number in used]
    known = Counter(stem for said in texts for stem in {word[:STEM] for word in said.words})
    found = []
    for numbers in _parts(texts, vectors):
        middle = normalize(np.asarray(vectors[numbers].mean(axis=0)))
        closeness = np.asarray(vectors[numbers] @ middle.T).ravel()
        near = [(texts[at].id, round(float(value), 4)) for value, at in zip(closeness, numbers, strict=True)]
        near.sort(key=lambda member: (-member[1], member[0]))
        terms = _terms([texts[at] for at in numbers], known, len(texts))
        if terms:
            found.append(Group(terms, near))
    return sorted(found, key=lambda one: (-len(one.members), one.members[0]))


def _vectors(texts: Sequence[Said]) -> tuple[Any, list[int]]:
    """One row for each text that has words in common with others, of length one, and which those are."""
    stems = [[word[:STEM] for word in said.words] for said in texts]
    shared = Counter(stem for some in stems for stem in set(some))
    least = max(2, len(texts) // 20_000)
    if not any(number >= least for number in shared.values()):
        return None, []
    vectorizer = TfidfVectorizer(
        # Rare words do not weigh more: what many talk about is what is looked for.
        analyzer=list,
        use_idf=False,
        sublinear_tf=True,
        min_df=least,
        max_features=VOCABULARY,
        dtype=np.float32,
    )
    matrix = vectorizer.fit_transform(stems)
    used = np.flatnonzero(np.diff(matrix.indptr))
    return matrix[used], [int(number) for number in used]


def _parts(texts: Sequence[Said], vectors: Any) -> list[Any]:
    """The numbers of each theme's texts: of those that have a meaning, joined by others, and of the rest."""
    packed, languages = [said.meaning for said in texts], [said.language for said in texts]
    used, meaning_of = meanings.comparable(packed, languages)
    if not used:
        return _themes(_Rows(vectors), _least(len(texts)))
    meant, words, least = np.array(used), _Rows(vectors), _least(len(texts))
    weight, rest = (np.float32(math.sqrt(share)) for share in (meanings.WORDS, 1 - meanings.WORDS))
    both = _Rows(vectors[meant] * weight, meaning_of * rest)
    themes = [meant[numbers] for numbers in _themes(both, least)]
    left = np.setdiff1d(np.arange(len(texts)), np.concatenate([meant[:0], *themes]))
    others = np.setdiff1d(left, meant)
    if themes and len(others):
        nearest = _nearest(words[others], words.means(themes))
        themes = [np.union1d(numbers, others[nearest == at]) for at, numbers in enumerate(themes)]
        left = np.setdiff1d(left, others[nearest >= 0])
    more = _themes(words[left], least) if len(left) >= LEAST else []
    return [*themes, *(left[numbers] for numbers in more)]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Texts as they are compared: rows for their words, and maybe numbers for their meaning."""

    words: Any
    meaning: Any = None

    def __getitem__(self, chosen: Any) -> _Rows:
        return _Rows(self.words[chosen], None if self.meaning is None else self.meaning[chosen])

    def __len__(self) -> int:
        return int(self.words.shape[0])

    def alike(self, other: _Rows) -> Any:
        """How much each row is like each of the other's."""
        found = (self.words @ other.words.T.tocsc()).toarray()
        return found if self.meaning is None else found + self.meaning @ other.meaning.T

    def means(self, groups: Sequence[Any]) -> _Rows:
        """The mean of each group's rows: a row is as like it as it is like the group's on average."""
        sizes = [len(numbers) for numbers in groups]
        weights = np.repeat([1 / size for size in sizes], sizes).astype(np.float32)
        place = (np.repeat(np.arange(len(groups)), sizes), np.concatenate(groups))
        of = csr_matrix((weights, place), shape=(len(groups), len(self)))
        return _Rows(of @ self.words, None if self.meaning is None else of @ self.meaning)


def _least(texts: int) -> int:
    """Texts that a theme has at least: of many a few are alike by chance."""
    return max(LEAST, math.isqrt(texts) // 10)


def _themes(vectors: _Rows, least: int) -> list[Any]:
    """The numbers of the texts of each theme that has so many."""
    left, cores = np.arange(len(vectors)), []
    for _ in range(ROUNDS):
        some = left[np.unique(np.linspace(0, len(left) - 1, min(AT_ONCE, len(left))).astype(int))]
        labels = _linked(vectors[some])
        sizes = np.bincount(labels)
        new = [some[labels == label] for label in np.flatnonzero(sizes >= LEAST)]
        cores += new
        if not new or len(some) == len(left):
            break
        left = left[_nearest(vectors[left], vectors.means(new)) < 0]
        if len(left) < LEAST:
            break
    if not cores:
        return []
    # What one round left over may be about the same as what an earlier one found.
    again = _linked(vectors.means(cores))
    joined = [
        np.concatenate([cores[at] for at in np.flatnonzero(again == label)])
        for label in range(again.max() + 1)
    ]
    nearest = _nearest(vectors, vectors.means(joined))
    themes = [np.flatnonzero(nearest == label) for label in range(len(joined))]
    return [numbers for numbers in themes if len(numbers) >= least]


def _linked(vectors: _Rows) -> Any:
    """A number for each row: those with the same are on average alike enough."""
    if len(vectors) < 2:
        return np.zeros(len(vectors), dtype=int)
    distances = 1 - vectors.alike(vectors)
    np.fill_diagonal(distances, 0)
    linkage = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=APART
    )
    return linkage.fit_predict(np.maximum(distances, 0))


def _nearest(vectors: _Rows, means: _Rows) -> Any:
    """The group that each row is most alike, or -1 when it is alike none."""
    found = []
    for start in range(0, len(vectors), 5_000):
        alike = vectors[start : start + 5_000].alike(means)
        found.append(np.where(alike.max(axis=1) >= 1 - APART, alike.argmax(axis=1), -1))
    return np.concatenate(found)


def _terms(texts: Sequence[Said], known: Counter[str], total: int) -> list[str]:
    """The words that tell these texts from others, each said by two people at least."""
    people: dict[str, set[str]] = {}
    forms: dict[str, Counter[str]] = {}
    for said in texts:
        for word in set(said.words):
            people.setdefault(word[:STEM], set()).add(said.who)
            forms.setdefault(word[:STEM], Counter())[word] += 1
    scores = {
        stem: sum(forms[stem].values()) * math.log(1 + total / known[stem])
        for stem, who in people.items()
        if len(who) >= 2
    }
    best = sorted(scores, key=lambda stem: (-round(scores[stem], 6), stem))[:TERMS]
    return [min(forms[stem], key=lambda word: (-forms[stem][word], word)) for stem in best]


def read(workspace_id: str, project_id: str | None, since: str) -> Iterator[Said]:
    """The newest texts of people with ids from `since` on that have two telling words or more."""
    meant, found = 0, spoken(workspace_id, project_id, since, MOST)
    while rows := list(islice(found, PAGE)):
        known = meaning.vectors([row["id"] for row in rows]) if meant < MOST_MEANT else {}
        meant += len(known)
        for row in rows:
            said = topical(words_of(row["title"], row["text"]))[:LONGEST]
            if len(set(said)) > 1:
                yield Said(row["id"], row["who"], said, row["language"], known.get(row["id"]))


def main(workspace_id: str, project_id: str, since: str) -> None:
    connect(Config.from_env().database_url, present=True)
    try:
        with threadpool_limits(1):
            found = group(list(read(workspace_id, project_id or None, since)))
    except OperationalError as error:
        print(error, file=sys.stderr)
        sys.exit(AWAY)
    finally:
        close()
    sys.stdout.buffer.write(orjson.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
