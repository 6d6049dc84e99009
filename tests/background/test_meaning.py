"""What texts mean is kept as numbers: once, as long as they say so, for themes and related records."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from gateway.background import encoding, meanings, related
from gateway.background.clustering import Said, group, read
from gateway.background.encoding import Limits
from gateway.background.keywords import topical, words
from gateway.background.lease import run_once
from gateway.triage.second_reader import DIMENSIONS, beginning, encoder, pack, unpack
from models import Feedback, Job, Meaning
from models.database.base import writing
from tests.alike import two_languages
from tests.background.test_related import found_of, post_all
from tests.background.test_second_reading import TEXTS, Reader, post, reading
from tests.background.test_second_reading import read as read_second
from tests.conftest import Call, Tenant
from tests.triage.test_second_reader import needs_encoder

both = pytest.mark.both
PATH = "/gateway/v1/feedback"
TOPICS = ("hall", "cellar", "attic", "kitchen")
ANY = Limits(0.0)  # everything, since no record is less sure than that


def without_numbers(texts: Sequence[str]) -> list[bytes]:
    """An encoder to which all texts are the same."""
    return [bytes(DIMENSIONS) for _ in texts]


class Encoder:
    """Knows which of TOPICS a text names and nothing else, and remembers what it was asked."""

    def __init__(self, meanwhile: Callable[[list[str]], object] = lambda texts: None) -> None:
        self.meanwhile, self.texts = meanwhile, list[str]()

    def __call__(self, texts: Sequence[str]) -> list[bytes]:
        self.texts += texts
        self.meanwhile(list(texts))
        found = np.full((len(texts), DIMENSIONS), 0.02, np.float32)  # all texts of a language are alike
        for row, text in zip(found, texts, strict=True):
            row[[at for at, topic in enumerate(TOPICS) if topic in text]] = 1
        return [pack(row) for row in found]


def encode(by: encoding.Encode, limits: Limits = ANY, clock: Callable[[], float] = time.monotonic) -> None:
    """What the background worker does, now, whoever had the work before."""
    with writing():
        Job.update(due_at=0, leased_until=0).execute()
    assert run_once(encoding.work(by, limits, clock))


def kept() -> set[str]:
    return {row.feedback_id for row in Meaning.select(Meaning.feedback)}


def test_bytes_keep_directions() -> None:
    """Numbers as bytes are as near each other as they were; those of nothing stay nothing."""
    numbers = np.random.default_rng(1).normal(size=(20, DIMENSIONS)).astype(np.float32)
    numbers /= np.linalg.norm(numbers, axis=1, keepdims=True)
    again = unpack([*map(pack, numbers)])

    assert np.abs(again @ again.T - numbers @ numbers.T).max() < 0.01
    assert {len(pack(row)) for row in numbers} == {DIMENSIONS}
    assert not unpack([pack(np.zeros(DIMENSIONS, np.float32))]).any()


@both
def test_each_text_is_encoded_once(call: Call) -> None:
    """Those that triage is sure of by themselves, the others when the second reader reads them."""
    ids = {post(call, text): text for text in TEXTS}
    sure = list(ids)[:3]
    with writing():
        Feedback.update(category_confidence=0.2).execute()
        Feedback.update(category_confidence=0.9).where(Feedback.id.in_(sure)).execute()
    second, by = Reader(replace(reading(), vector=b"\1" * DIMENSIONS)), Encoder()
    for _ in range(2):
        encode(by, Limits(0.5))
        read_second(second, 0.5)

    assert by.texts == [ids[one] for one in reversed(sure)]
    assert sorted(second.texts) == sorted(set(TEXTS) - set(by.texts))
    assert kept() == set(ids)
    vectors = {row.feedback_id: bytes(row.vector) for row in Meaning.select()}
    assert [vectors[one] == b"\1" * DIMENSIONS for one in ids] == [one not in sure for one in ids]


@both
def test_they_go_with_what_was_said(call: Call) -> None:
    """A record that is deleted or says something else has no numbers; what changed meanwhile gets none."""
    gone, changed, status = (post(call, text) for text in TEXTS[:3])
    encode(Encoder())
    assert kept() == {gone, changed, status}
    assert call("DELETE", PATH, json={"ids": [gone]}).status_code == 200
    assert call("PATCH", f"{PATH}/{status}", json={"status": "resolved"}).status_code == 200
    with writing():
        Feedback.update(text="Something else").where(Feedback.id == changed).execute()
    assert kept() == {status}

    def change(texts: list[str]) -> None:
        with writing():
            Feedback.update(text="Again", updated_at=Feedback.updated_at + 1).execute()

    encode(Encoder(change))
    assert kept() == set()


@both
def test_who_is_not_encoded(call: Call) -> None:
    """What machines wrote, what was taken back and what is old; and not more than the time allows."""
    machine, taken_back, old, *rest = (post(call, text) for text in TEXTS)
    with writing():
        Feedback.update(type="alert").where(Feedback.id == machine).execute()
        Feedback.update(retracted_at=1).where(Feedback.id == taken_back).execute()
    ticks = itertools.count()
    encode(Encoder(), Limits(0.0, seconds=2.5, together=1), lambda: float(next(ticks)))
    first = kept()
    encode(Encoder(), Limits(0.0, newest=0))

    assert first == set(sorted(rest)[-2:]) == kept()
    encode(Encoder())
    assert kept() == {old, *rest}


def test_a_text_that_ends_the_process_is_left_out(call: Call) -> None:
    """The others of its time are encoded one by one."""
    ids = {text: post(call, text) for text in TEXTS}

    def fail(texts: list[str]) -> None:
        if TEXTS[2] in texts:
            raise RuntimeError("out of order")

    by = Encoder(fail)
    for _ in range(5):
        encode(by)

    assert kept() == set(ids.values()) - {ids[TEXTS[2]]}
    assert by.texts.count(TEXTS[2]) == 2


def texts_of(many: int) -> list[tuple[str, str]]:
    """Topics, and texts of them whose words tell nothing."""
    return [(topic, f"zebra lion number in the {topic}") for topic in TOPICS for _ in range(many)]


def themed(about: Sequence[tuple[str, str]], share: float) -> float:
    """How well themes are found when so many of the texts have numbers."""
    numbers = Encoder()([text for _, text in about])
    said = [
        Said(f"{at:04}", str(at), ["zebra", "lion"], "en", number if at % 10 < 10 * share else None)
        for at, number in enumerate(numbers)
    ]
    where = {name: at for at, one in enumerate(group(said)) for name, _ in one.members}
    given = [where.get(one.id, -1 - at) for at, one in enumerate(said)]
    return float(adjusted_rand_score([topic for topic, _ in about], given))


def test_themes_by_meaning() -> None:
    """Texts of the same words are told apart by what they mean, once there are enough."""
    many = meanings.LEAST
    assert themed(texts_of(many // len(TOPICS)), 1) == 1
    assert themed(texts_of(many // len(TOPICS) - 1), 1) == 0
    assert 0 < themed(texts_of(many), 0.9) < 1


def test_a_language_of_few_texts_has_no_mean() -> None:
    """Its texts would be a theme of their own: they are compared by words."""
    packed = [*Encoder()(["hall"] * meanings.LEAST), *Encoder()(["hall"] * (meanings.OF_LANGUAGE - 1)), None]
    languages = ["en"] * meanings.LEAST + ["nl"] * meanings.OF_LANGUAGE
    used, numbers = meanings.comparable(packed, languages)

    assert used == list(range(meanings.LEAST)) and numbers.shape == (len(used), DIMENSIONS)
    assert meanings.comparable(packed[:-2], languages[:-2])[0] == used
    assert meanings.comparable(packed[1 : meanings.LEAST], languages[1 : meanings.LEAST])[0] == []


@both
def test_themes_read_them(call: Call, tenant: Tenant) -> None:
    """The process that makes themes is told what texts mean, and in which language they are."""
    one = post(call, TEXTS[0])
    encode(Encoder())
    post(call, TEXTS[1])
    found = {said.id: said for said in read(tenant.workspace_id, None, "")}

    assert found[one].meaning == Encoder()([TEXTS[0]])[0]
    assert [said.meaning is None for said in found.values()] == [True, False]
    assert found[one].language == Feedback.get_by_id(one).language


@both
def test_the_related_without_a_common_word(call: Call) -> None:
    """What means the same is found among the newest, and among what has a rare word."""
    texts = {
        "hall": [f"hall{chr(97 + at)} p{chr(97 + at)}lm" for at in range(26)],
        "": [
            f"q{chr(97 + a)}{chr(97 + b)}rt st{chr(97 + a)}{chr(97 + b)}lk"
            for a in range(4)
            for b in range(26)
        ],
    }
    halls = post_all(call, texts["hall"])
    post_all(call, texts[""])
    with writing():
        Feedback.update(language="en").execute()
    before = found_of(call, halls[0])
    encode(Encoder())
    after = found_of(call, halls[0])

    assert before == [] and len(after) == related.LIMIT
    assert set(after) <= set(halls[1:])


@pytest.fixture(name="encoded", scope="module")
def _encoded() -> dict[str, bytes]:
    """The numbers that the encoder makes of the texts in two languages."""
    texts = [text for _, some in two_languages() for text in some]
    vectors = encoder()([beginning(text) for text in texts])
    return dict(zip(texts, map(pack, vectors), strict=True))


@needs_encoder
@pytest.mark.long
def test_themes_of_two_languages(encoded: dict[str, bytes]) -> None:
    """Better than by words alone (tests/background/test_themes.py), and well named."""
    about, said = [], []
    for number, (_, some) in enumerate(two_languages()):
        for at, text in enumerate(some):
            about.append(number)
            language = "en" if at < len(some) // 2 else "nl"
            name = f"{number}-{at}"
            said.append(Said(name, name, topical(words(text)), language, encoded[text]))
    where = {name: at for at, one in enumerate(group(said)) for name, _ in one.members}
    given = [where.get(one.id, -1 - at) for at, one in enumerate(said)]

    assert len(said) == 300
    assert adjusted_rand_score(about, given) >= 0.72


@needs_encoder
@pytest.mark.long
def test_relateds_of_two_languages(call: Call, encoded: dict[str, bytes]) -> None:
    """Of five texts shown for each of three hundred, more are of its topic than by words alone."""
    groups = [(number, text) for number, (_, texts) in enumerate(two_languages()) for text in texts]
    ids = post_all(call, [text for _, text in groups])
    about = {name: number for name, (number, _) in zip(ids, groups, strict=True)}
    encode(lambda texts: [encoded[text] for text in texts])
    found = {name: found_of(call, name) for name in ids}
    shown = sum(map(len, found.values()))
    right = sum(about[other] == about[name] for name, others in found.items() for other in others)

    assert kept() == set(ids)
    assert right / (related.LIMIT * len(ids)) >= 0.75
    assert right / shown >= 0.8
