"""How well themes are found, and what it costs at size.

    python -m benchmarks.themes [--texts N ...]

Quality is the adjusted Rand index (1 is perfect, 0 is chance): first on the labelled texts of tests/alike,
then on many texts made of them: half are a text about one of some fifty themes, with a word in six left out
and up to three words added that anybody may use; the others are such words only. With the extra [meaning] the
texts in two languages are also compared by what they mean.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from contextlib import suppress
from dataclasses import replace

from threadpoolctl import threadpool_limits

from gateway.background.clustering import Said, group
from gateway.background.keywords import topical, words
from gateway.triage import ModelError, second_reader
from tests.alike import blocks, themes, two_languages


def labelled() -> tuple[list[Said], list[int]]:
    texts, labels = [], []
    for number, (name, some) in enumerate(themes().items()):
        for at, text in enumerate(some):
            texts.append(Said(f"{number}-{at}", f"{number}-{at}", topical(words(text))))
            labels.append(number if name != "none" else 1000 + at)
    return texts, labels


def bilingual() -> tuple[list[Said], list[int]]:
    found = [
        (Said(f"{number}-{at}", f"{number}-{at}", topical(words(text))), number)
        for number, (_, some) in enumerate(two_languages())
        for at, text in enumerate(some)
    ]
    return [said for said, _ in found], [number for _, number in found]


def meant(texts: list[Said]) -> list[Said]:
    """The texts in two languages with what they mean. Raises ModelError without the extra."""
    encode = second_reader.encoder()
    found = []
    for said, (text, language) in zip(texts, in_two_languages(), strict=True):
        (vector,) = encode([text])
        found.append(replace(said, language=language, meaning=second_reader.pack(vector)))
    return found


def in_two_languages() -> list[tuple[str, str]]:
    return [
        (text, "en" if at < len(some) // 2 else "nl")
        for _, some in two_languages()
        for at, text in enumerate(some)
    ]


def made(count: int) -> tuple[list[Said], list[int]]:
    """Texts about some fifty themes, the first far more frequent than the last, and as many about nothing."""
    dice = random.Random(7)
    topics = [some for name, some in themes().items() if name != "none"] + blocks()
    weights = [1 / (rank + 1) for rank in range(len(topics))]
    syllables = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "il", "on")]
    common = ["".join(dice.choices(syllables, k=3)) for _ in range(20_000)]
    frequent = [1 / (rank + 300) for rank in range(len(common))]
    texts, labels = [], []
    for number in range(count):
        said = dice.choices(common, frequent, k=dice.randint(3, 8))
        label = 1000 + number
        if number % 2:
            label = dice.choices(range(len(topics)), weights)[0]
            kept = [word for word in topical(words(dice.choice(topics[label]))) if dice.random() > 1 / 6]
            said = kept + said[: dice.randint(0, 3)]
        texts.append(Said(str(number), str(dice.randrange(5000)), said))
        labels.append(label)
    return texts, labels


def judge(name: str, texts: list[Said], labels: list[int]) -> None:
    from sklearn.metrics import adjusted_rand_score

    started, used = time.perf_counter(), time.process_time()
    with threadpool_limits(1):
        found = group(texts)
    took, cpu = time.perf_counter() - started, time.process_time() - used
    where = {feedback_id: number for number, one in enumerate(found) for feedback_id, _ in one.members}
    given = [where.get(said.id, -1 - number) for number, said in enumerate(texts)]
    about = [number for number, label in enumerate(labels) if label < 1000]
    score = adjusted_rand_score([labels[at] for at in about], [given[at] for at in about])
    inside = sum(given[at] >= 0 for at in about) / len(about)
    strays = sum(given[at] >= 0 for at in range(len(texts)) if labels[at] >= 1000)
    wanted = len({labels[at] for at in about})
    others = strays / max(1, len(texts) - len(about))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:18} {len(found):4} themes of {wanted}, adjusted Rand index {score:.3f}", end="; ")
    print(f"{inside:.0%} of their texts inside, {others:.0%} of others", end="; ")
    print(f"{took:.1f} s, {cpu:.1f} s of CPU, peak {peak:.0f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--texts", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    counts = parser.parse_args().texts
    judge("labelled by hand", *labelled())
    texts, labels = bilingual()
    judge("two languages", texts, labels)
    with suppress(ModelError):
        judge("with meaning", meant(texts), labels)
    for count in counts:
        judge(f"{count:,} made", *made(count))


if __name__ == "__main__":
    main()
