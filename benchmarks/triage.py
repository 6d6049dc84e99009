"""How long labelling one text takes, and how that compares with calling scikit-learn per text.

    python -m benchmarks.triage [--rounds N]

Everything is measured in one run, in CPU time of one thread, so ratios hold on any machine. scikit-learn's
side is a plain pipeline (word and character TF-IDF, logistic regression) with as many heads, fitted on the
project's own sentences: its cost per call hardly depends on what it was fitted on.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence

from adapters.record import Record
from gateway import triage
from gateway.triage.model import SHIPPED
from gateway.triage.training.seeds import sentences

clock = time.thread_time  # what other programs do on the same cores does not count


def times(work: Callable[[Record], object], records: Sequence[Record], rounds: int) -> list[float]:
    """Milliseconds of each call, after one round to warm up."""
    for record in records:
        work(record)
    taken = []
    for number in range(rounds):
        record = records[number % len(records)]
        start = clock()
        work(record)
        taken.append((clock() - start) * 1000)
    return taken


def once(work: Callable[[Record], object], records: Sequence[Record]) -> list[float]:
    """Milliseconds of the first call with each record."""
    taken = []
    for record in records:
        start = clock()
        work(record)
        taken.append((clock() - start) * 1000)
    return taken


def together(records: Sequence[Record], size: int, rounds: int) -> list[float]:
    """Milliseconds per text, of each of `rounds` calls with `size` records, after one to warm up."""
    triage.label_all([(record, None) for record in records])
    taken = []
    for number in range(rounds):
        some = [records[(number * size + place) % len(records)] for place in range(size)]
        start = clock()
        triage.label_all([(record, None) for record in some])
        taken.append((clock() - start) * 1000 / size)
    return taken


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

    short = line("triage.label, 40 words", times(triage.label, texts(40, 200), rounds))
    many = line("triage.label_all, 40 words, each of 100", together(texts(40, 200), 100, rounds // 40))
    line("triage.label, 40 words, texts never met", once(triage.label, texts(40, rounds // 4, "new")))
    long = line("triage.label, 200 words", times(triage.label, texts(200, 100), rounds // 4))
    trace = "".join(f"  at com.example.Module{n}.call(Module{n}.java:{n})\n" for n in range(2000))[:100_000]
    report = Record(text="The import crashes\n" + trace)
    line("triage.label, stack trace of 100 kB", times(triage.label, [report], rounds // 10))
    huge = Record(text="the app crashes on my phone. " * 36_000)
    line("triage.label, text of 1 MB", times(triage.label, [huge], rounds // 10))
    line("triage.explain, 40 words", times(triage.explain, texts(40, 200), rounds // 10))
    plain = line("scikit-learn pipeline, 40 words", times(pipeline(), texts(40, 200), rounds // 10))
    print(f"200 words / 40 words: {long / short:.2f}    label_all / label: {many / short:.2f}")
    print(f"scikit-learn / triage.label: {plain / short:.1f}")


if __name__ == "__main__":
    main()
