"""Groups texts that are about the same. Imported by a short-lived process only: scikit-learn takes memory.

    python -m gateway.background.clustering WORKSPACE PROJECT SINCE     (an empty PROJECT is all; SINCE is the
    least id)

prints the groups of what the database holds as JSON: [{terms, members: [[id, closeness], ...]}, ...].

Texts are compared by the beginnings of their telling words, which matches "betaling" and "betalen" without a
stemmer for each language. Groups are merged as long as their texts are on average alike enough
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
from typing import Any

import numpy as np
import orjson
from peewee import OperationalError
from scipy.sparse import csr_matrix
from sklearn.cluster import AgglomerativeClustering
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from gateway.background.keywords import STEM, topical, words_of
from gateway.background.lease import AWAY
from gateway.core.config import Config
from models.database.base import close, connect
from models.tables.similarity import spoken

MOST = 100_000  # newest records that are looked at
APART = 0.83  # average distance (1 - cosine) from which on two groups are about different things
AT_ONCE = 3_000  # texts that are compared each with each
ROUNDS = 6  # of more texts
VOCABULARY = 30_000
LEAST = 3  # records of a theme
TERMS = 3  # words that tell what a theme is about
LONGEST = 60  # telling words of a text that are read


@dataclass(frozen=True, slots=True)
class Said:
    """One text: its record, who said it, and its telling words in reading order."""

    id: str
    who: str
    words: Sequence[str]


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
    for numbers in _themes(vectors):
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


def _themes(vectors: Any) -> list[Any]:
    """The numbers of the texts of each theme."""
    left, cores = np.arange(vectors.shape[0]), []
    for _ in range(ROUNDS):
        some = left[np.unique(np.linspace(0, len(left) - 1, min(AT_ONCE, len(left))).astype(int))]
        labels = _linked(vectors[some])
        sizes = np.bincount(labels)
        new = [some[labels == label] for label in np.flatnonzero(sizes >= LEAST)]
        cores += new
        if not new or len(some) == len(left):
            break
        left = left[_nearest(vectors[left], _means(vectors, new)) < 0]
        if len(left) < LEAST:
            break
    if not cores:
        return []
    # What one round left over may be about the same as what an earlier one found.
    again = _linked(_means(vectors, cores))
    joined = [
        np.concatenate([cores[at] for at in np.flatnonzero(again == label)])
        for label in range(again.max() + 1)
    ]
    nearest = _nearest(vectors, _means(vectors, joined))
    themes = [np.flatnonzero(nearest == label) for label in range(len(joined))]
    # Of many texts a few are alike by chance.
    least = max(LEAST, math.isqrt(vectors.shape[0]) // 10)
    return [numbers for numbers in themes if len(numbers) >= least]


def _linked(vectors: Any) -> Any:
    """A number for each row: those with the same are on average alike enough."""
    if vectors.shape[0] < 2:
        return np.zeros(vectors.shape[0], dtype=int)
    distances = 1 - (vectors @ vectors.T).toarray()
    np.fill_diagonal(distances, 0)
    linkage = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=APART
    )
    return linkage.fit_predict(np.maximum(distances, 0))


def _means(vectors: Any, groups: Sequence[Any]) -> Any:
    """The mean of each group's rows. Its product with a row is the row's average similarity to the group."""
    sizes = [len(numbers) for numbers in groups]
    weights = np.repeat([1 / size for size in sizes], sizes).astype(np.float32)
    place = (np.repeat(np.arange(len(groups)), sizes), np.concatenate(groups))
    return csr_matrix((weights, place), shape=(len(groups), vectors.shape[0])) @ vectors


def _nearest(vectors: Any, means: Any) -> Any:
    """The group that each row is most alike, or -1 when it is alike none."""
    found, turned = [], means.T.tocsc()
    for start in range(0, vectors.shape[0], 5_000):
        alike = (vectors[start : start + 5_000] @ turned).toarray()
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
    for row in spoken(workspace_id, project_id, since, MOST):
        said = topical(words_of(row["title"], row["text"]))[:LONGEST]
        if len(set(said)) > 1:
            yield Said(row["id"], row["who"], said)


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
