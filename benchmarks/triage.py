"""How long labelling one text takes, and how that compares with calling scikit-learn per text.

    python -m benchmarks.triage [--rounds N]

Everything is measured in one run, in CPU time of one thread, so ratios hold on any machine. scikit-learn's
side is a plain pipeline (word and character TF-IDF, logistic regression) with as many heads, fitted on the
project's own sentences: its cost per call hardly depends on what it was fitted on.
"""

from __future__ import annotations

import argparse
import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, islice

from adapters.contract.record import Record
from gateway import triage
from gateway.triage.model import SHIPPED
from gateway.triage.training.seeds import sentences

clock = time.thread_time  # what other programs do on the same cores does not count
TURNS = 20  # in which the calls of all kinds are made, so that whatever else the machine does hits each


def in_turns(kinds: Mapping[str, tuple[Callable[[], object], int, int]]) -> dict[str, list[float]]:
    """Milliseconds of each call of each kind, after a round to warm up.

    A kind is a function that is called, how often, and by what its times are divided.
    """
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(TURNS + 1):
        for name, (work, calls, parts) in kinds.items():
            for _ in range(calls // TURNS):
                start = clock()
                work()
                if turn:
                    taken[name].append((clock() - start) * 1000 / parts)
    return taken


def each(work: Callable[[Record], object], records: Sequence[Record]) -> Callable[[], object]:
    """A function that does it with the next record, at its first call with all of them."""
    for record in records:
        work(record)
    rest = cycle(records)
    return lambda: work(next(rest))


def once(work: Callable[[Record], object], records: Sequence[Record]) -> list[float]:
    """Milliseconds of the first call with each record."""
    taken = []
    for record in records:
        start = clock()
        work(record)
        taken.append((clock() - start) * 1000)
    return taken


def together(records: Sequence[Record], size: int) -> Callable[[], object]:
    """A function that labels the next `size` records together, at its first call all of them."""
    triage.label_all([(record, None) for record in records])
    rest = cycle(records)
    return lambda: triage.label_all([(record, None) for record in islice(rest, size)])


def texts(words: int, count: int, salt: str = "") -> list[Record]:
    """Records of about `words` words each, put together from the project's own sentences."""
    dice = random.Random(f"{words}{salt}")
    seeds = [text for language, _, _, text in sentences(60) if language in ("en", "nl")]
    made = []
    for _ in range(count):
        text = ""
        while len(text.split()) < words:
            text += dice.choice(seeds) + ". "
        made.append(Record(text=" ".join(text.split()[:words]), subject={"page": "/login"}))
    return made


def pipeline() -> Callable[[Record], object]:
    """The same questions asked of scikit-learn directly: one union of vectorizers, one model per question."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_union

    seeds = [row for row in sentences(200) if row[0] in ("en", "nl")]
    union = make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
    )
    matrix = union.fit_transform([text for _, _, _, text in seeds])
    heads = [
        LogisticRegression(max_iter=300).fit(matrix, [row[column] for row in seeds]) for column in (0, 1, 2)
    ]

    def work(record: Record) -> object:
        row = union.transform([record.text])
        return [head.predict_proba(row) for head in heads]

    return work


def line(name: str, taken: list[float]) -> float:
    ordered = sorted(taken)
    median, late = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
    print(f"{name:44} median {median:7.3f} ms   p99 {late:7.3f} ms   ({len(ordered)} calls)")
    return median


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=4000)
    rounds = parser.parse_args().rounds
    start = time.perf_counter()
    triage.load()
    loaded = time.perf_counter() - start
    size = sum(path.stat().st_size for path in SHIPPED.iterdir()) / 1e6
    print(f"model {triage.version()}: {size:.1f} MB, loaded in {loaded:.2f} s")

    short, long = texts(40, 200), texts(200, 100)
    trace = "".join(f"  at com.example.Module{n}.call(Module{n}.java:{n})\n" for n in range(2000))[:100_000]
    report, huge = (
        Record(text="The import crashes\n" + trace),
        Record(text="the app crashes on my phone. " * 36_000),
    )
    kinds = {
        "triage.label, 40 words": (each(triage.label, short), rounds, 1),
        "triage.label_all, 40 words, each of 100": (together(short, 100), rounds // 40, 100),
        "triage.label, 200 words": (each(triage.label, long), rounds // 4, 1),
        "triage.label, stack trace of 100 kB": (each(triage.label, [report]), rounds // 10, 1),
        "triage.label, text of 1 MB": (each(triage.label, [huge]), rounds // 10, 1),
        "triage.explain, 40 words": (each(triage.explain, short), rounds // 10, 1),
        "scikit-learn pipeline, 40 words": (each(pipeline(), short), rounds // 10, 1),
    }
    gc.collect()
    gc.freeze()  # as the server does; scikit-learn's objects would be looked through while ours are timed
    taken = in_turns(kinds)
    taken["triage.label, 40 words, texts never met"] = once(triage.label, texts(40, rounds // 4, "new"))
    medians = {name: line(name, calls) for name, calls in taken.items()}
    one, many, more, *_, plain, _ = medians.values()
    print(f"200 words / 40 words: {more / one:.2f}    label_all / label: {many / one:.2f}")
    print(f"scikit-learn / triage.label: {plain / one:.1f}")


if __name__ == "__main__":
    main()
