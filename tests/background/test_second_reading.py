"""A second reader: asked about what triage is not sure of, once, in the background, never over people."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from adapters import native
from gateway.background import second_reading
from gateway.background.lease import run_once
from gateway.background.second_reading import Limits
from gateway.triage.second_reader import Reading
from models import Event, Feedback, Job, Project
from models.database.base import writing
from models.tables import job
from tests.conftest import Call, Tenant

PATH = "/gateway/v1/feedback"
both = pytest.mark.both
# All doubtful to the shipped model whatever it is trained on, since any confidence is below one.
PLACES = ("hall", "cellar", "attic", "kitchen", "garden", "garage", "office")
TEXTS = tuple(f"The lantern in the {place} hums" for place in PLACES)


def reading(category: str = "praise", sentiment: str = "positive", sure: float = 0.99) -> Reading:
    """A reader's answer, as sure as that."""

    def spread(names: Sequence[str], chosen: str) -> dict[str, float]:
        return {name: sure if name == chosen else (1 - sure) / (len(names) - 1) for name in names}

    categories = ("bug", "feature", "question", "praise", "other")
    return Reading(spread(categories, category), spread(("positive", "neutral", "negative"), sentiment))


class Reader:
    """Says the same of every text, and remembers which it was asked about."""

    def __init__(self, answer: Reading, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.answer, self.meanwhile = answer, meanwhile
        self.texts: list[str] = []

    def __call__(self, texts: Sequence[str]) -> list[Reading]:
        self.texts += texts
        self.meanwhile()
        return [self.answer for _ in texts]


def read(
    reader: second_reading.Read, below: float = 1.0, clock: Callable[[], float] = time.monotonic, **more: Any
) -> None:
    """What the background worker does, now, whoever had the work before."""
    with writing():
        Job.update(due_at=0, leased_until=0).execute()
    assert run_once(second_reading.work(reader, Limits(below, **more), clock))
    assert Job.get_by_id(second_reading.NAME).finished_at


def post(call: Call, text: str = TEXTS[0], **more: Any) -> str:
    answer = call("POST", PATH, json={"text": text, **more})
    assert answer.status_code == 201, answer.json
    return str(answer.json["id"])


def shown(call: Call, feedback_id: str, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = call("GET", f"{PATH}/{feedback_id}{query}").json
    return found


def reason(record: dict[str, Any], part: str) -> dict[str, Any]:
    return next(item for item in record["impact_reasons"] if item["part"] == part)


def told(call: Call, feedback_id: str) -> list[dict[str, Any]]:
    events = call("GET", f"{PATH}/{feedback_id}/events").json["data"]
    return [event["detail"] for event in events if event["type"] == second_reading.EVENT]


@both
def test_it_is_asked_about_doubt(call: Call) -> None:
    """Labels, origins, impact and history of a record after it was read, and that it is read once."""
    first = post(call, "The page is broken and I am angry")
    before, reader = shown(call, first), Reader(reading())
    read(reader)
    read(reader)
    after, (event,) = shown(call, first), told(call, first)

    assert reader.texts == ["The page is broken and I am angry"]
    assert (after["category"], after["sentiment"]) == ("praise", "positive")
    assert {after["category_origin"], after["sentiment_origin"]} == {"second_reader"}
    assert 0 < after["category_confidence"] < 1
    assert after["impact_origin"] == "predicted"
    assert after["impact"] == sum(item["points"] for item in after["impact_reasons"]) < before["impact"]
    assert event["said"]["category"] == {"label": "praise", "confidence": 0.99}
    assert event["said"]["sentiment"]["label"] == "positive"
    assert event["changes"]["category"] == {"from": before["category"], "to": "praise"}
    assert event["changes"]["impact"] == {"from": before["impact"], "to": after["impact"]}
    assert after["updated_at"] > before["updated_at"]


@both
def test_whoever_is_sure_is_left_alone(call: Call) -> None:
    """Only what is below the setting is read, and of that only what people worded and did not take back."""
    sure = post(call)
    confidence = shown(call, sure)["category_confidence"]
    reader = Reader(reading())
    read(reader, below=confidence)
    post(call, type="alert")
    taken_back = post(call, TEXTS[1])
    Feedback.update(retracted_at=1).where(Feedback.id == taken_back).execute()
    read(reader, below=confidence)
    assert reader.texts == []
    read(reader, below=min(1.0, confidence + 0.001))
    assert reader.texts == [TEXTS[0]]


Change = dict[str, Any]
# What the sender declared, what a person changed, and which labels stay as they were.
SAID: list[tuple[Change, Change, set[str]]] = [
    ({"category": "bug"}, {}, {"category", "sentiment", "impact"}),
    ({"sentiment": "negative"}, {}, {"sentiment"}),
    ({}, {"category": "question"}, {"category", "sentiment", "impact"}),
    ({}, {"sentiment": "positive"}, {"sentiment"}),
    ({}, {"impact": 13}, {"impact"}),
    ({"sentiment": "negative"}, {"impact": 2}, {"sentiment", "impact"}),
]


@pytest.mark.parametrize(("declared", "corrected", "stays"), SAID)
def test_never_over_people(call: Call, declared: Change, corrected: Change, stays: set[str]) -> None:
    """What the sender or a person said stays; a category that somebody gave leaves nothing to doubt."""
    one = post(call, **declared)
    if corrected:
        assert call("PATCH", f"{PATH}/{one}", json=corrected).status_code == 200
    before = shown(call, one)
    read(Reader(reading("feature", "neutral")))
    after = shown(call, one)

    for name in ("category", "sentiment", "impact"):
        assert (after[name] == before[name]) or name not in stays, name
        assert after[f"{name}_origin"] == before[f"{name}_origin"] or name not in stays
    if "sentiment" in stays:
        assert reason(after, "sentiment") == reason(before, "sentiment")
        assert after["sentiment_score"] == before["sentiment_score"]
    assert (after["category_origin"] == "second_reader") == ("category" not in stays)


@both
def test_who_comes_while_it_reads_wins(call: Call) -> None:
    """A correction, or an erasure, made while the text was being read is not written over."""
    one = post(call)
    read(Reader(reading(), lambda: call("PATCH", f"{PATH}/{one}", json={"category": "question"})))
    assert (shown(call, one)["category"], shown(call, one)["category_origin"]) == ("question", "corrected")
    assert told(call, one) == []

    other = post(call, TEXTS[1])
    read(Reader(reading(), lambda: call("DELETE", f"{PATH}/{other}")))
    assert call("GET", f"{PATH}/{other}").status_code == 404
    assert not Event.select().where(Event.feedback == other).exists()


def test_a_changed_record_is_read_as_it_is_now(call: Call) -> None:
    """What was changed while it was read, but not its labels, is read at the next look."""
    one = post(call)
    read(Reader(reading(), lambda: call("PATCH", f"{PATH}/{one}", json={"tags": ["seen"]})))
    assert shown(call, one)["category_origin"] == "predicted"
    read(Reader(reading()))
    assert shown(call, one)["category_origin"] == "second_reader"
    assert shown(call, one)["tags"] == ["seen"]


def test_what_is_more_than_words(call: Call, tenant: Tenant) -> None:
    """The severity a sender declared, the reach that others gave, and a project's areas are kept."""
    areas = [{"name": "light", "points": 3, "pages": [], "names": [], "phrases": ["lantern"]}]
    Project.update(areas=areas).where(Project.id == tenant.project_id).execute()
    declared = post(call, severity=4)
    for number in range(5):
        post(call, TEXTS[2], author={"id": f"a{number}"})
    counted = call("GET", f"{PATH}?limit=1").json["data"][0]["id"]
    before = {one: shown(call, one) for one in (declared, counted)}
    read(Reader(reading("question", "neutral")))
    after = {one: shown(call, one) for one in (declared, counted)}

    assert reason(after[declared], "severity") == reason(before[declared], "severity")
    assert reason(after[declared], "severity")["points"] == 4
    assert reason(after[counted], "reach") == reason(before[counted], "reach")
    assert reason(after[counted], "reach")["points"] == 2
    assert reason(after[counted], "severity") == {"part": "severity", "points": 1, "why": "a question"}
    assert {reason(one, "area")["why"] for one in after.values()} == {'light: "lantern"'}


@both
def test_filters_numbers_and_files(call: Call) -> None:
    """Lists, statistics, exports and imports know the origin."""
    one = post(call)
    read(Reader(reading()))
    other = post(call, TEXTS[1], category="bug")
    found = call("GET", f"{PATH}?category_origin=second_reader").json["data"]
    rest = call("GET", f"{PATH}?category_origin=declared,corrected&sentiment_origin=predicted").json["data"]
    stats = call("GET", "/gateway/v1/stats?by=category_origin").json["data"]
    by_day = call("GET", "/gateway/v1/stats?by=day,sentiment_origin&since=1d").json["data"]
    answer = call("GET", "/gateway/v1/export?format=ndjson&category_origin=second_reader")
    exported = json.loads(answer.data)
    sent_anew = native.read_document(exported)

    assert [record["id"] for record in found] == [one]
    assert [record["id"] for record in rest] == [other]
    assert {row["category_origin"]: row["count"] for row in stats} == {"declared": 1, "second_reader": 1}
    assert {row["sentiment_origin"]: row["count"] for row in by_day} == {"predicted": 1, "second_reader": 1}
    assert (exported["id"], exported["category_origin"]) == (one, "second_reader")
    assert (sent_anew.category, sent_anew.sentiment) == (None, None)  # triage answers anew
    assert call("GET", f"{PATH}?category_origin=third").status_code == 400


class Clock:
    """A clock by which each look at it is a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@both
def test_the_backlog_is_read_in_portions(call: Call) -> None:
    """A look ends when its time is over, and the next one goes on; new records come before old ones."""
    old = [post(call, text) for text in TEXTS]
    reader = Reader(reading())
    looks = 0
    while Feedback.select().where(Feedback.category_origin == "predicted").exists():
        read(reader, clock=Clock(), seconds=2, together=2, overlap=-60_000)  # all of that is backlog
        looks += 1
        assert looks < 20

    assert sorted(reader.texts) == sorted(TEXTS)
    assert looks > 2
    assert len(old) == len(TEXTS)


@both
def test_all_is_searched_again(call: Call) -> None:
    """A day later, and with another setting, everything is looked for again; what was read is not read."""
    one = post(call)
    reader = Reader(reading())
    read(reader)
    state = job.state(second_reading.NAME)
    assert state["before"] is None
    words = {"title": TEXTS[3], "text": TEXTS[3], "category_origin": "predicted", "category_confidence": 0.3}
    old = "fb_00" + one[5:]  # long before any overlap
    row = Feedback.select().where(Feedback.id == one).dicts().get()
    Feedback.insert({**row, **words, "id": old}).execute()
    read(reader)
    assert reader.texts == [TEXTS[0]]  # nobody looks there yet
    job.remember(second_reading.NAME, {**state, "again_at": 1})
    read(reader)
    assert reader.texts == [TEXTS[0], TEXTS[3]]
    Feedback.update(words).where(Feedback.id == old).execute()
    read(reader, below=0.5)
    assert reader.texts == [TEXTS[0], TEXTS[3], TEXTS[3]]


class Poisoned(Reader):
    """Ends with every text of one kind."""

    def __call__(self, texts: Sequence[str]) -> list[Reading]:
        self.texts += texts
        if TEXTS[2] in texts:
            raise RuntimeError("cannot read it")
        return [self.answer for _ in texts]


def test_a_text_that_cannot_be_read(call: Call) -> None:
    """It is tried by itself a few times and left out then; all others are read once."""
    ids = [post(call, text) for text in TEXTS]
    reader = Poisoned(reading())
    for _ in range(3 * second_reading.TRIES):
        read(reader)
    origins = {one: shown(call, one)["category_origin"] for one in ids}

    assert job.state(second_reading.NAME)["left_out"] == [ids[2]]
    assert reader.texts.count(TEXTS[2]) == second_reading.TRIES + 1  # with the others, then alone
    assert max(reader.texts.count(text) for text in TEXTS if text != TEXTS[2]) <= 2
    assert {one for one in ids if origins[one] == "predicted"} == {ids[2]}


_KILLED = """
import os, signal, sys
from adapters import native
from gateway.background import second_reading
from gateway.background.lease import run_once
from models.database.base import connect
from tests.background.test_second_reading import reading

asked = []

def read(texts):
    asked.extend(texts)
    if len(asked) > int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return [reading() for _ in texts]

connect(sys.argv[1])
run_once(second_reading.work(read, second_reading.Limits(1.0, together=2)))
"""


@pytest.mark.long
def test_a_kill_loses_nothing(call: Call, database_url: str) -> None:
    """Killed in the middle (SIGKILL) it goes on later: every record is read and told of once."""
    ids = [post(call, text) for text in TEXTS]
    for number in (2, 4):
        with writing():
            Job.update(due_at=0, leased_until=0).execute()
        done = subprocess.run([sys.executable, "-c", _KILLED, database_url, str(number)], check=False)
        assert done.returncode == -9
    predicted = {one for one in ids if shown(call, one)["category_origin"] == "predicted"}
    assert 0 < len(predicted) < len(ids)
    reader = Reader(reading())
    read(reader)

    assert len(reader.texts) == len(predicted)
    assert [len(told(call, one)) for one in ids] == [1] * len(ids)
