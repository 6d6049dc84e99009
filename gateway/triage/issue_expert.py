"""The expert on issue reports, which a text of another kind never meets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.triage import features
from gateway.triage.arrays import Floats, Index, restore, softmax, unit_parts, units, with_length
from gateway.triage.tokenizer import Text
from gateway.triage.vocabulary import Found, Full, Vocabulary


class IssueExpert:
    """Bug, feature or question of an issue report, from its first line and the rest apart."""

    def __init__(self, arrays: dict[str, NDArray[Any]], classes: list[str]) -> None:
        self.classes = classes
        idf = arrays["issue_idf"].astype(np.float32)
        self._table = with_length(restore(arrays["issue_weights"], arrays["issue_scale"]), idf)
        self._index = Index(arrays["issue_keys"])
        self._known = {part: Vocabulary(self._index, part) for part in (features.TITLE, features.BODY)}
        self.bias = arrays["issue_bias"]

    def chances(self, texts: Sequence[Text]) -> list[dict[str, float]]:
        """The probabilities of each report."""
        tokens = [(text.first, text.report()) for text in texts]
        titles = self._find(features.TITLE, [some[:first] for first, some in tokens])
        bodies = self._find(features.BODY, [some[first:] for first, some in tokens])
        many = len(texts)
        rows = np.concatenate([*titles.rows, *bodies.rows])
        sums_of = np.concatenate([*titles.texts, *(of + many for of in bodies.texts)])
        both = units(self._table, rows, sums_of, 2 * many)
        outputs = (self.bias + both[:many] + both[many:]).tolist()
        return [dict(zip(self.classes, softmax(row, 1.0), strict=True)) for row in outputs]

    def _find(self, part: str, texts: list[list[str]]) -> Found:
        try:
            return self._known[part].find(texts)
        except Full:
            self._known[part] = Vocabulary(self._index, part)
            return self._known[part].find(texts)

    def parts(self, text: Text) -> Iterator[tuple[str, Floats]]:
        """What each word of title and body, named apart, adds to the outputs; sub-words are not read."""
        for names in (features.title_names(text), features.body_names(text)):
            yield from unit_parts(self._table, self._index, {name: name for name in names})
