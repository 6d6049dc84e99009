"""What texts mean, where a second reader has encoded them: how alike two are in that, besides their words.

An encoder puts texts of one language near each other whatever they are about, so the mean of each language is
taken from its texts first. That needs some texts of a language, and enough altogether that what one group is
about is not most of the mean; texts without are compared by their words alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from gateway.triage.second_reader import DIMENSIONS, Floats, unit, unpack

WORDS = 0.3  # what words count for beside what a text means; the rest is the meaning's
LEAST, OF_LANGUAGE = 100, 20  # texts, and texts of a language, whose mean says something


def comparable(packed: Sequence[bytes | None], languages: Sequence[str | None]) -> tuple[list[int], Floats]:
    """Which texts can be compared by meaning, and unit vectors of these, a row each.

    `packed` are the numbers of each text (gateway.triage.second_reader.pack), None where there are none.
    """
    known = [at for at, vector in enumerate(packed) if vector]
    sizes = Counter(languages[at] for at in known)
    used = [at for at in known if sizes[languages[at]] >= OF_LANGUAGE]
    if len(used) < LEAST:
        return [], np.zeros((0, DIMENSIONS), np.float32)
    vectors = unpack([vector for at in used if (vector := packed[at])])
    spoken = np.array([str(languages[at]) for at in used])
    for language in np.unique(spoken):
        mine = spoken == language
        vectors[mine] -= vectors[mine].mean(axis=0)
    return used, unit(vectors)
