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
from scipy.sparse import csr_matrix, hstack
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
    meant, compared = _with_meaning(texts, vectors)
    known = Counter(stem for said in texts for stem in {word[:STEM] for word in said.words})
    found = []
    for numbers in _in_parts(vectors, compared, meant):
        middle = normalize(np.asarray(compared[numbers].mean(axis=0)))
        closeness = np.asarray(compared[numbers] @ middle.T).ravel().clip(0)
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


def _with_meaning(texts: Sequence[Said], vectors: Any) -> tuple[Any, Any]:
    """Which texts can be compared by meaning, and all rows with that behind their words, of length one."""
    packed, languages = [said.meaning for said in texts], [said.language for said in texts]
    used, numbers = meanings.topical(packed, languages)
    meant = np.array(used, dtype=int)
    if not used:
        return meant, vectors
    known = np.isin(np.arange(len(texts)), meant)
    share = np.where(known, math.sqrt(meanings.WORDS), 1).astype(np.float32)
    # Rows of texts without a meaning are empty there.
    size = numbers.shape[1]
    ends = np.concatenate([[0], np.cumsum(known)]) * size
    columns = np.tile(np.arange(size), len(meant))
    values = numbers.ravel() * np.float32(math.sqrt(1 - meanings.WORDS))
    behind = csr_matrix((values, columns, ends), shape=(len(texts), size))
    return meant, hstack([vectors.multiply(share[:, None]), behind], format="csr")


def _in_parts(vectors: Any, compared: Any, meant: Any) -> list[Any]:
    """The themes of those that have a meaning, joined by those who have none or fit none, and theirs."""
    if not len(meant):
        return _themes(vectors)
    themes = [meant[numbers] for numbers in _themes(compared[meant])]
    left = np.setdiff1d(np.arange(vectors.shape[0]), np.concatenate([*themes, meant[:0]]))
    others = np.setdiff1d(left, meant)
    if themes and len(others):
        nearest = _nearest(vectors[others], _means(vectors, themes))
        themes = [
            np.sort(np.concatenate([numbers, others[nearest == at]])) for at, numbers in enumerate(themes)
        ]
        left = np.setdiff1d(left, others[nearest >= 0])
    more = _themes(vectors[left]) if len(left) >= LEAST else []
    return [*themes, *(left[numbers] for numbers in more)]


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
