"""Records are given the topics of their project: by words, above a confidence, never over people."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from gateway.api import feedback_change
from gateway.api.admin import topics as admin
from gateway.background import topics
from gateway.background.lease import Lease, Work, run_once
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.core.pacing import FIRST
from gateway.triage.topics import LEAST
from models import Event, Feedback, Job, Topic
from models.database.base import close, writing
from models.queries import topics as records
from models.tables import job, topic
from tests.conftest import Call, Tenant

FEEDBACK = "/gateway/v1/feedback"
both = pytest.mark.both
# A text in each language, and the topic that it is about.
TEXTS = {
    "The invoice for May has the wrong VAT number": "Invoices",
    "De factuur van mei heeft een verkeerd btw-nummer": "Invoices",
    "Auf der Rechnung fehlt die Mehrwertsteuer": "Invoices",
    "La facture de mai est introuvable": "Invoices",
    "La factura de mayo tiene otra dirección": "Invoices",
    "My password is refused": "Signing in",
    "Ik ben mijn wachtwoord vergeten": "Signing in",
    "Das Passwort wird nicht angenommen": "Signing in",
    "Mon mot de passe est refusé": "Signing in",
    "La contraseña no funciona": "Signing in",
    "A heron stands in the pond": "",
    "Wat zijn de openingstijden": "",
}
DESCRIBED = {
    "Invoices": "invoice, VAT, factuur, btw, Rechnung, Mehrwertsteuer, facture, factura",
    "Signing in": "password, wachtwoord, Passwort, mot de passe, contraseña",
}


def work(clock: Callable[[], float] | None = None) -> None:
    """What the background worker does, now, whoever had the work before."""
    with writing():
        Job.update(due_at=0, leased_until=0).execute()
    given = topics.GIVE if clock is None else Work(topic.JOB, lambda lease: topics.give(lease, clock))
    assert run_once(given)
    assert Job.get_by_id(topic.JOB).finished_at


def later() -> None:
    """Has the rounds over what is stored begin again when something is known anew."""
    state = job.state(topic.JOB)
    for project in state.values():
        project["begun"] -= topics.QUIET
    with writing():
        job.remember(topic.JOB, state)


@pytest.fixture(name="path")
def _path(tenant: Tenant) -> str:
    return f"/gateway/v1/projects/{tenant.project_id}/topics"


def made(call: Call, path: str, name: str, description: str = "") -> str:
    answer = call("POST", path, json={"name": name, "description": description})
    return str(answer.json["topic_id"])


def post(call: Call, text: str, **more: Any) -> str:
    return str(call("POST", FEEDBACK, json={"text": text, **more}).json["id"])


def given(feedback_id: str) -> tuple[str | None, str | None]:
    row = Feedback.get_by_id(feedback_id)
    return row.topic, row.topic_origin


@both
def test_descriptions_alone(call: Call, path: str) -> None:
    """Texts of five languages, those that came before the topics and those that came after."""
    texts = {post(call, text): name for text, name in list(TEXTS.items())[::2]}
    found = {name: made(call, path, name, words) for name, words in DESCRIBED.items()} | {"": None}
    texts |= {post(call, text): name for text, name in list(TEXTS.items())[1::2]}
    before = {feedback_id: Feedback.get_by_id(feedback_id).updated_at for feedback_id in texts}
    work()
    for feedback_id, name in texts.items():
        row = Feedback.get_by_id(feedback_id)
        assert (row.topic, row.topic_origin) == (found[name], "predicted"), row.text
        assert row.topic_confidence is None if not name else LEAST <= row.topic_confidence <= 1
        assert row.updated_at == before[feedback_id]  # nobody changed what it says
    assert {event.type for event in Event.select()} == {"received"}


@both
def test_corrections_are_learnt(call: Call, path: str) -> None:
    """What people give is learnt, none as well, by what came before and after; it stays as they said."""
    weaving = made(call, path, "Looms")
    old = post(call, "the Warpola squeaks when I weave")
    work()
    assert given(old) == (None, "predicted")
    taught = [
        post(call, text) for text in ("my Warpola is too loud", "the Warpola wobbles", "oil for a Warpola")
    ]
    for one in taught:
        call("PATCH", f"{FEEDBACK}/{one}", json={"topic": weaving})
    odd = post(call, "Looms of the museum are closed")
    call("PATCH", f"{FEEDBACK}/{odd}", json={"topic": weaving})
    call("PATCH", f"{FEEDBACK}/{odd}", json={"topic": None})
    new = post(call, "one Warpola arrived broken")
    work()
    assert given(new) == (weaving, "predicted")
    assert given(old) == (None, "predicted")  # a round begins not so soon after the last one
    later()
    work()
    assert given(old) == (weaving, "predicted")
    assert [given(one) for one in taught] == [(weaving, "corrected")] * 3
    assert given(odd) == (None, "corrected")


@both
def test_what_is_not_read(call: Call, path: str, tenant: Tenant) -> None:
    """Other projects' records, machines' words, and what its sender took back."""
    made(call, path, *next(iter(DESCRIBED.items())))
    other = call("POST", "/gateway/v1/projects", json={"name": "other"}).json["project_id"]
    text = next(iter(TEXTS))
    apart = [post(call, text, project_id=other), post(call, text, type="alert"), post(call, text)]
    Feedback.update(retracted_at=1).where(Feedback.id == apart[2]).execute()
    work()
    assert [given(one) for one in apart] == [(None, None)] * 3


@both
def test_it_goes_on_where_it_was(call: Call, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that ends early is followed by one that reads the rest; nothing is read again without need."""
    monkeypatch.setattr(records, "PAGE", 2)
    read: list[str] = []
    sort = topics.Sorter.sort

    def counted(self: topics.Sorter, text: str) -> tuple[str | None, float | None]:
        read.append(text.splitlines()[-1])
        return sort(self, text)

    monkeypatch.setattr(topics.Sorter, "sort", counted)
    texts = [f"The invoice of shop {number} is late" for number in range(7)]
    stored = [post(call, text) for text in texts]
    Feedback.update(received_at=Feedback.received_at - topics.OVERLAP * 2).execute()
    topic_id = made(call, path, "Invoices")
    ticks = itertools.count()
    work(lambda: next(ticks) * topics.SECONDS / 8)  # time for a page or two
    assert 0 < len(read) < len(texts)
    while job.state(topic.JOB)[next(iter(job.state(topic.JOB)))]["before"] is not None:
        work()
    assert sorted(read) == sorted(texts)
    assert {given(one) for one in stored} == {(topic_id, "predicted")}
    work()
    assert sorted(read) == sorted(texts)


@both
def test_a_topic_that_ends_meanwhile(call: Call, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is given a topic that ended while texts were read."""
    topic_id = made(call, path, "Invoices")
    record = post(call, "The invoice is late")
    sort = topics.Sorter.sort

    def ended(self: topics.Sorter, text: str) -> tuple[str | None, float | None]:
        call("DELETE", f"{path}/{topic_id}")
        return sort(self, text)

    monkeypatch.setattr(topics.Sorter, "sort", ended)
    work()
    assert given(record) == (None, None)


@both
def test_a_person_who_is_quicker(call: Call, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a person says while texts are read stays."""
    made(call, path, "Invoices")
    mine = made(call, path, "Shops")
    record = post(call, "The invoice is late")
    sort = topics.Sorter.sort

    def corrected(self: topics.Sorter, text: str) -> tuple[str | None, float | None]:
        call("PATCH", f"{FEEDBACK}/{record}", json={"topic": mine})
        return sort(self, text)

    monkeypatch.setattr(topics.Sorter, "sort", corrected)
    work()
    assert given(record) == (mine, "corrected")


@both
def test_what_a_kill_left(call: Call, path: str) -> None:
    """The worker ends what a request began: records of a topic that was merged get the other one."""
    old, new = made(call, path, "Invoices"), made(call, path, "Bills")
    record = post(call, "The invoice is late")
    call("PATCH", f"{FEEDBACK}/{record}", json={"topic": old})
    Topic.update(ended_at=now_ms(), merged_into=new).where(Topic.id == old).execute()
    work()
    assert given(record) == (new, "corrected")
    assert Topic.get_by_id(old).settled_at


def test_without_topics_nothing_is_read(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway whose projects have no topics loads no model for them, and writes nothing."""
    post(call, "The invoice is late")
    monkeypatch.setattr(topics.active_model, "look", pytest.fail)
    work()
    assert job.state(topic.JOB) is None


def test_a_changed_text_is_read_again(call: Call, path: str) -> None:
    """Once a day everything is read, for texts that say something else by now."""
    topic_id = made(call, path, "Invoices")
    record = post(call, "A heron stands in the pond")
    work()
    assert given(record) == (None, "predicted")
    Feedback.update(text="The invoice is late", title="The invoice is late").execute()
    work()
    assert given(record) == (None, "predicted")
    state = job.state(topic.JOB)
    for project in state.values():
        project["begun"] -= topics.ROUND
    with writing():
        job.remember(topic.JOB, state)
    work()
    assert given(record) == (topic_id, "predicted")


def test_the_lease_decides(call: Call, path: str) -> None:
    """Who lost the work writes nothing more."""
    made(call, path, "Invoices")
    record = post(call, "The invoice is late")
    with pytest.raises(job.Lost):
        topics.give(Lease(topic.JOB, "nobody", lambda: False))
    assert given(record) == (None, None)


@pytest.mark.parametrize("kind", ["postgres"], indirect=True)
def test_who_changes_a_record_and_who_sorts_it(
    call: Call, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person who holds a record and asks for its topic is not waited for in a circle: one comes first."""
    topic_id = made(call, path, "Invoices")
    record = post(call, "The invoice is late")
    reached, going_on = threading.Event(), threading.Event()
    find = feedback_change.topic.find

    def slow(*asked: Any, **more: Any) -> Any:
        if more.get("to_keep"):  # the record is held by now
            reached.set()
            assert going_on.wait(60)
        return find(*asked, **more)

    monkeypatch.setattr(feedback_change.topic, "find", slow)
    hold = records.hold

    def held(ids: Any) -> None:
        going_on.set()
        hold(ids)

    monkeypatch.setattr(records, "hold", held)
    answers: list[int] = []

    def correct() -> None:
        answers.append(call("PATCH", f"{FEEDBACK}/{record}", json={"topic": topic_id}).status_code)
        close()

    person = threading.Thread(target=correct)
    person.start()
    assert reached.wait(60)
    work()
    person.join(60)
    assert answers == [200]
    assert given(record) == (topic_id, "corrected")


@both
def test_a_person_and_the_work_wait_for_nobody(
    call: Call, path: str, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, config: Config
) -> None:
    """A person who gives a record a topic while the work holds topics is answered: neither waits for both."""
    topic_id, record = made(call, path, "Invoices"), post(call, "The invoice is late")
    if config.embedded:
        pytest.skip("who writes is alone")
    answers: list[int] = []
    waiting: list[bool] = []
    hold = records.hold

    def give() -> None:
        answers.append(call("PATCH", f"{FEEDBACK}/{record}", json={"topic": topic_id}).status_code)

    person = threading.Thread(target=give)

    def meanwhile(ids: Sequence[str]) -> None:
        person.start()
        person.join(10)  # it has the record, and is done unless it waits for the topic
        waiting.append(person.is_alive())
        hold(ids)

    monkeypatch.setattr(records, "hold", meanwhile)
    work()
    person.join()
    assert (answers, waiting) == ([200], [False])
    assert given(record) == (topic_id, "corrected")


@both
def test_an_end_that_takes_long(call: Call, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who merges a topic of many records waits for seconds; what is left the work does, and filters know."""
    old, new = made(call, path, "Invoices"), made(call, path, "Bills")
    stored = {post(call, f"Heron {number}") for number in range(FIRST + 2)}
    Feedback.update(topic=old, topic_origin="corrected", topic_confidence=1.0).execute()
    monkeypatch.setattr(admin, "SECONDS", 0.0)
    assert call("POST", f"{path}/{old}/merge", json={"into": new}).status_code == 200
    assert Feedback.select().where(Feedback.topic == old).count() == 2
    for asked in (old, new):
        found = {row["id"] for row in call("GET", f"{FEEDBACK}?topic={asked}").json["data"]}
        assert found == stored
    work()
    assert {given(one) for one in stored} == {(new, "corrected")}
    assert Topic.get_by_id(old).settled_at


def test_no_project_has_all_the_time(call: Call, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where those that come first take all the time, that is not always the same ones."""
    names = ("second", "third")
    others = [call("POST", "/gateway/v1/projects", json={"name": name}).json["project_id"] for name in names]
    projects = [tenant.project_id, *others]
    for project_id in projects:
        made(call, f"/gateway/v1/projects/{project_id}/topics", "Invoices")
    now, learnt, read = [0.0], topics._learnt, Counter[str]()

    def slow(workspace_id: str, project_id: str, there: list[dict[str, Any]]) -> topics.Sorter:
        now[0] += topics.SECONDS
        read[project_id] += 1
        return learnt(workspace_id, project_id, there)

    monkeypatch.setattr(topics, "_learnt", slow)
    for _ in range(60):
        for project_id in projects:
            post(call, "The invoice is late", project_id=project_id)
        work(lambda: now[0])
        if len(read) == len(projects):
            break
    assert set(read) == set(projects)
