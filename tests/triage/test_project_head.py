"""A project's head follows its people in texts like theirs, and leaves all others as they are."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache

import pytest
from threadpoolctl import threadpool_limits

from adapters.contract.record import Record
from benchmarks.learning import Domain, Draw, follow, rules_of
from gateway import triage
from gateway.core.area_rules import LearntHead, ProjectRules
from gateway.triage import project_head
from gateway.triage.project_head import Head
from gateway.triage.tokenizer import read
from gateway.triage.training.corrections import Correction
from gateway.triage.training.learn_projects import Ground
from gateway.triage.training.project_heads import Learnt
from gateway.triage.training.project_space import MOST_KEYS
from gateway.triage.training.seeds import sentences

MOST_BYTES = 200_000
DRAWS = (0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2)))


@cache
def ground() -> Ground:
    triage.load()
    return Ground.of(triage.in_use())


@cache
def domain() -> Domain:
    triage.load()
    return Domain.read()


@cache
def learnt(seed: int) -> Learnt:
    """What a hundred corrections teach."""
    with threadpool_limits(1):
        return ground().learn_from(Draw.of(domain(), seed).learnt, [], [])


def taught(*rows: tuple[str, str]) -> list[Correction]:
    return [Correction(text, "en", category) for category, text in rows]


def general() -> list[str]:
    """Texts of no project, in five languages."""
    return [text for *_, text in sentences(60)]


@pytest.mark.parametrize("seed", DRAWS)
def test_those_like_them_follow(seed: int) -> None:
    """Of 25 corrections that were not learnt ten follow at least, and all five about the device by name."""
    draw, rules = Draw.of(domain(), seed), rules_of(learnt(seed))

    assert learnt(seed).refusal == ""
    assert (follow(draw.asked, None), follow(draw.device, None)) == (0, 0)
    assert follow(draw.asked, rules) >= 10
    assert follow(draw.device, rules) == len(draw.device)
    assert follow(draw.learnt, rules) >= 95


def test_drawn_texts_are_of_no_other_kind() -> None:
    """There are more than 125 texts of a domain, each once, and none that models are trained on."""
    texts = [one.text for one in (*domain().wrong, *domain().device, *domain().right)]
    known = {" ".join(read(text).tokens) for text in general()}

    assert len(domain().wrong) + len(domain().device) >= 125
    assert len({" ".join(read(text).tokens) for text in texts}) == len(texts)
    assert not known & {" ".join(read(text).tokens) for text in texts}


def test_without_a_head_nothing_changes() -> None:
    """Whole labels are the same to the bit before and after somebody else learns, one by one and together."""
    records = [Record(text=text) for text in general()]
    before = [asdict(triage.label(record)) for record in records]
    mine = rules_of(learnt(0))
    triage.label_all([(record, mine) for record in records])

    assert [asdict(triage.label(record)) for record in records] == before
    mixed = triage.label_all([(record, mine if at % 2 else None) for at, record in enumerate(records)])
    assert [asdict(label) for label in mixed[::2]] == before[::2]


def test_what_is_unlike_is_left_alone() -> None:
    """Most texts that do not sound like the project keep their whole label; few get another category."""
    rules = rules_of(learnt(0))
    texts = general()
    pairs = [(triage.label(Record(text=text)), triage.label(Record(text=text), rules)) for text in texts]

    assert sum(one == other for one, other in pairs) >= 0.8 * len(texts)
    assert sum(one.category == other.category for one, other in pairs) >= 0.97 * len(texts)


def test_one_by_one_as_together() -> None:
    """With a head a batch is labelled as its records are alone."""
    rules = rules_of(learnt(0))
    records = [Record(text=one.text) for one in domain().wrong]
    alone = [triage.label(record, rules) for record in records]

    assert triage.label_all([(record, rules) for record in records]) == alone
    assert len({label.model_version for label in alone}) <= 2
    for label in alone:
        assert sum(label.category_scores.values()) == pytest.approx(1, abs=0.001)
        assert label.category_confidence == label.category_scores[label.category]


def test_the_same_lessons_make_the_same_head() -> None:
    with threadpool_limits(1):
        again = ground().learn_from(Draw.of(domain(), 0).learnt, [], [])

    assert (again.version, again.data) == (learnt(0).version, learnt(0).data)


def test_small_and_without_a_word() -> None:
    """A head is bounded in size, and holds none of the words that it has learnt."""
    data = learnt(0).data
    assert data is not None

    assert len(data) <= MOST_BYTES
    about = data.partition(b"\n")[0]
    assert json.loads(about)["count"] <= MOST_KEYS
    words = {
        token for one in Draw.of(domain(), 0).learnt for token in read(one.text).tokens if len(token) > 4
    }
    assert not [word for word in words if word.encode() in data]


def test_issue_reports_follow() -> None:
    """Long reports, which an expert of their own answers, are learnt like all others."""
    steps = "\n\n## Steps to reproduce\n\n1. Open the loom editor\n2. Choose a treadle\n3. Press save\n\n"
    about = (
        "colour",
        "tie-up",
        "threading",
        "draft",
        "border",
        "float",
        "selvedge",
        "sett",
        "repeat",
        "draw",
    )
    reports = [
        f"Treadle plan of the {word} differs\n\nThe treadle plan shows another {word} than the loom.{steps}"
        f"## Expected behaviour\n\nThe {word} of the plan is that of the loom.\n\nVersion 4.{n}"
        for n, word in enumerate(about)
    ]
    scores = [triage.in_use().score(read(text)) for text in reports]
    assert all(
        triage.in_use().reads_as_issue(read(text), one.domain["issue"])
        for text, one in zip(reports, scores, strict=True)
    )
    given = [Correction(text, "en", "question") for text in reports[:8]]
    found = ground().learn_from(given, [], [])

    assert found.refusal == ""
    answers = [triage.label(Record(text=text), rules_of(found)).category for text in reports[8:]]
    assert answers == ["question", "question"]


def test_sentiment_is_learnt_alone() -> None:
    """What people say of the tone moves the tone, and no category."""
    calm = [
        f"The {word} of the Warpola is broken and the shop does not answer"
        for word in ("pedal", "reed", "bench", "frame", "shuttle", "beam", "heddle", "pawl")
    ]
    given = [Correction(text, "en", None, "neutral") for text in calm[:6]]
    rules = rules_of(ground().learn_from(given, [], []))
    before = [triage.label(Record(text=text)) for text in calm[6:]]
    after = [triage.label(Record(text=text), rules) for text in calm[6:]]

    assert [label.sentiment for label in before] == ["negative", "negative"]
    assert [label.sentiment for label in after] == ["neutral", "neutral"]
    assert [one.category_scores for one in after] == [one.category_scores for one in before]


@pytest.mark.long
def test_one_odd_correction_moves_little() -> None:
    """Among many lessons one that contradicts them changes no label but, at most, its own."""
    draw = Draw.of(domain(), 0)
    odd = Correction("whistles as soon as I smile", "en", "praise")
    rules = rules_of(ground().learn_from([odd, *draw.learnt], [], []))
    texts = [one.text for one in (*draw.asked, *draw.device, *domain().right)]
    praised = [triage.label(Record(text=text), rules_of(learnt(0))).category == "praise" for text in texts]

    after = [triage.label(Record(text=text), rules).category == "praise" for text in texts]
    assert sum(now and not was for was, now in zip(praised, after, strict=True)) <= 1


def test_contradictions_are_refused() -> None:
    """Lessons that say the opposite of each other are not learnt, and the reason is told."""
    names = ("bug", "feature", "question", "praise", "other")
    texts = [
        (names[(n + shift) % 5], f"{opening} the {word} looks {end}")
        for shift, end in enumerate(("green", "green today", "green again", "green now", "green here"))
        for opening in ("yes", "well")
        for n, word in enumerate(("Warpola", "loom", "reed", "bench", "beam"))
    ]
    found = ground().learn_from(taught(*texts), [], [])

    assert found.data is None
    assert found.refusal


@pytest.mark.long
def test_what_holds_for_all_texts_is_refused() -> None:
    """Lessons that would turn what any product's users write are not learnt."""
    rows = [text for language, category, _, text in sentences(60) if (language, category) == ("en", "bug")]
    found = ground().learn_from(taught(*(("praise", text) for text in rows[:60])), [], [])

    assert found.data is None
    assert "macro-F1 falls" in found.refusal


@pytest.mark.long
def test_confirmed_texts_hold() -> None:
    """What people resolved as it was keeps more texts like it as they are."""
    draw, right = Draw.of(domain(), 1), domain().right
    helped = ground().learn_from(draw.learnt, right[::2], [])
    assert helped.confirmations == len(right[::2])

    assert follow(right[::2], rules_of(helped)) >= follow(right[::2], rules_of(learnt(1)))


def test_too_few_lessons() -> None:
    found = ground().learn_from(taught(("bug", "a Warpola of oak")), [], [])

    assert (found.data, found.refusal) == (None, "fewer than 5 texts were corrected")


def test_memory_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A head that has met too many words forgets them, and answers the same."""
    data = learnt(0).data
    assert data is not None
    texts = [one.text for one in domain().wrong]
    model = triage.in_use()
    scores = model.score_all([read(text) for text in texts])
    large = Head("v", data, model)
    wanted = [large.moved(read(text), score) for text, score in zip(texts, scores, strict=True)]
    monkeypatch.setattr(project_head, "KNOWN_TOKENS", 25)
    small = Head("v", data, model)

    assert [small.moved(read(text), score) for text, score in zip(texts, scores, strict=True)] == wanted
    assert len(small._known) <= 100


def test_heads_that_are_ready_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many projects have heads, a process has some ready, and none of a model that was replaced."""
    data = learnt(0).data
    assert data is not None
    monkeypatch.setattr(project_head, "HEADS", 3)
    for number in range(8):
        triage.label(Record(text="x"), ProjectRules((), LearntHead(f"h{number}", data)))
        assert len(project_head._heads) <= 3
    triage.use(triage.in_use())
    assert not project_head._heads
