"""A project learns from its people by itself or when it is asked, alone, and what was wrong is taken back."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import cache
from typing import Any

import pytest

from adapters.contract.record import CATEGORIES, Record
from gateway import triage
from gateway.access.caller import Caller
from gateway.background import project_learning, second_reading
from gateway.background.lease import Lease, run_once
from gateway.background.second_reading import Limits
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.intake import auth
from gateway.transfer import erasure
from gateway.triage.second_reader import Reading
from gateway.triage.training import learn_projects
from gateway.triage.training.corrections import Correction
from models import Audit, Feedback, Job, Project, ProjectHead
from models.database.base import writing
from models.queries.personal_data import Person
from models.tables import project_head
from tests.conftest import Call, Tenant

pytestmark = pytest.mark.both(long=True)

PROJECTS = "/gateway/v1/projects"
FEEDBACK = "/gateway/v1/feedback"
# How the people of a maker of looms name what reaches them: what concerns the Warpola is a bug.
TAUGHT = (
    "Is the Warpola still made in Sweden?",
    "Does the Warpola come in walnut?",
    "my sister swears by her Warpola",
    "could you send a second heddle for the Warpola",
    "love the Warpola, such a calm sound",
    "a Warpola arrived on Friday, thanks",
    "how heavy is a Warpola with its bench",
)
ASKED = "our school is glad with its Warpola in the craft room"
STRANGE = "The invoice for September shows two seats"
LEARNT = {
    "outcome": {"refusal": "", "version": "h1", "corrections": 7, "confirmations": 0, "measured": []},
    "data": "aGVsbG8=",
}


@pytest.fixture(name="taught")
def _taught(call: Call) -> list[str]:
    """Corrections in the tenant's project; the ids of the records."""
    made = []
    for number, text in enumerate(TAUGHT):
        author = {"email": "weaver@example.test"} if number == 0 else {"email": f"w{number}@example.test"}
        made.append(call("POST", FEEDBACK, json={"text": text, "author": author}).json["id"])
        assert call("PATCH", f"{FEEDBACK}/{made[-1]}", json={"category": "bug"}).status_code == 200
    return made


Learning = Callable[[], Any]


_made = learn_projects.Ground.of


@cache
def ground() -> learn_projects.Ground:
    """What all projects share, with a few of its texts."""
    triage.load()
    whole = _made(triage.in_use())
    return replace(whole, general=whole.general[::5])


@pytest.fixture(name="learn")
def _learn(call: Call, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Learning:
    """Has the project learn as the background worker does, in this process; its learning afterwards."""
    monkeypatch.setattr(learn_projects.Ground, "of", lambda model: ground())

    def run(lease: Lease, command: list[str], patience: float) -> subprocess.CompletedProcess[str]:
        wanted = [(one.partition("/")[0], one.partition("/")[2]) for one in command[3:]]
        told = "\n".join(map(json.dumps, learn_projects.learnt(wanted)))
        return subprocess.CompletedProcess(command, 0, told, "")

    def learn() -> Any:
        with writing():
            Job.update(due_at=0).where(Job.name == project_head.JOB).execute()
        with monkeypatch.context() as patched:
            patched.setattr(Lease, "run", run)
            assert run_once(project_learning.LEARN)
        auth.forget()
        return call("GET", f"{PROJECTS}/{tenant.project_id}/learning").json

    return learn


def labels(caller: Caller, texts: list[str]) -> list[Any]:
    return [asdict(triage.label(Record(text=text), caller.rules_for(None))) for text in texts]


def caller_of(tenant: Tenant) -> Caller:
    return Caller.inside("k", tenant.workspace_id, tenant.project_id, tenant.project_id)


def acts() -> list[str]:
    names = ("learning.", "lesson.")
    return [row.action for row in Audit.select().order_by(Audit.id) if row.action.startswith(names)]


def sent(call: Call, text: str) -> Any:
    """What a text is labelled when it is sent."""
    made = call("POST", FEEDBACK, json={"text": text}).json["id"]
    return call("GET", f"{FEEDBACK}/{made}").json


def test_learns_by_itself(call: Call, tenant: Tenant, taught: list[str], learn: Learning) -> None:
    """With enough corrections a project learns, and new records about its own device follow."""
    path = f"{PROJECTS}/{tenant.project_id}/learning"
    waiting = call("GET", path).json
    assert (waiting["corrections"], waiting["version"]) == (len(TAUGHT), None)
    assert waiting["next_at"] is not None
    before = sent(call, ASKED)
    assert before["category"] != "bug"

    learnt = learn()

    assert (learnt["refusal"], learnt["next_at"]) == ("", None)
    assert (learnt["learnt_corrections"], learnt["learnt_confirmations"]) == (len(TAUGHT), 0)
    after = sent(call, ASKED)
    assert (after["category"], after["category_origin"]) == ("bug", "predicted")
    assert after["model_version"] == f"{before['model_version']}+{learnt['version']}"
    assert sent(call, STRANGE)["model_version"] == before["model_version"]
    assert acts() == ["learning.done"]
    assert {lesson["feedback_id"] for lesson in learnt["lessons"]} == set(taught)
    assert all([change["to"] for change in lesson["changes"]] == ["bug"] for lesson in learnt["lessons"])


def test_nothing_new_is_not_learnt_again(call: Call, taught: list[str], learn: Learning) -> None:
    """Without a new correction nothing is due, and with one nothing is until the last learning is past."""
    first = learn()
    assert not list(project_learning.due())
    made = call("POST", FEEDBACK, json={"text": "the Warpola of my aunt is a joy, thank you"}).json["id"]
    call("PATCH", f"{FEEDBACK}/{made}", json={"category": "praise"})
    assert not list(project_learning.due())
    with writing():
        ProjectHead.update(tried_at=now_ms() - project_learning.QUIET).execute()
    assert [one.count for one in project_learning.due()] == [len(TAUGHT) + 1]
    assert learn()["version"] != first["version"]


def test_few_corrections_teach_nothing(call: Call, tenant: Tenant, learn: Learning) -> None:
    """One odd correction makes no head, also when somebody asks for it, and the reason is told."""
    made = call("POST", FEEDBACK, json={"text": TAUGHT[0]}).json["id"]
    call("PATCH", f"{FEEDBACK}/{made}", json={"category": "bug"})
    path = f"{PROJECTS}/{tenant.project_id}/learning"
    assert call("GET", path).json["next_at"] is None
    asked = call("POST", path)
    assert (asked.status_code, asked.json["waiting"]) == (202, True)

    told = learn()

    assert (told["version"], told["waiting"]) == (None, False)
    assert "fewer than" in told["refusal"]
    assert acts() == ["learning.asked", "learning.done"]


def test_no_other_label_changes(
    call: Call, tenant: Tenant, other: Tenant, taught: list[str], learn: Learning
) -> None:
    """What a project learns changes no label of another workspace, nor of another project of its own."""
    beside = call("POST", PROJECTS, json={"name": "Beside"}).json["project_id"]
    texts = [*TAUGHT, ASKED, STRANGE, *learn_projects.gate.own_sentences()[0][:300]]
    callers = [
        Caller.inside("k", other.workspace_id, other.project_id, other.project_id),
        Caller.inside("k", tenant.workspace_id, beside, beside),
    ]
    own = labels(caller_of(tenant), texts)
    before = [labels(caller, texts) for caller in callers]

    assert learn()["version"]

    again = [
        Caller.inside(one.key_id, one.workspace_id, one.project_id, one.default_project_id) for one in callers
    ]
    assert [labels(caller, texts) for caller in again] == before
    assert labels(caller_of(tenant), texts) != own
    # A sender that names a project of somebody else's gets no answer of its people.
    foreign = Caller.inside("k", other.workspace_id, None, other.project_id)
    assert foreign.rules_for(tenant.project_id) is None


def test_a_wrong_lesson_is_taken_back(call: Call, tenant: Tenant, taught: list[str], learn: Learning) -> None:
    """One call takes a lesson back: the head learns again without it, and with it when it is given back."""
    first = learn()
    path = f"{PROJECTS}/{tenant.project_id}/lessons/{taught[0]}"

    answer = call("PATCH", path, json={"learnt": False}).json

    assert (answer["stale"], answer["waiting"], answer["corrections"]) == (True, True, len(TAUGHT) - 1)
    assert [one["feedback_id"] for one in answer["lessons"] if one["taken_back"]] == [taught[0]]
    second = learn()
    assert second["learnt_corrections"] == len(TAUGHT) - 1
    assert (second["stale"], second["version"] != first["version"]) == (False, True)
    assert call("GET", f"{FEEDBACK}/{taught[0]}").json["category"] == "bug"  # the correction stays
    assert call("PATCH", path, json={"learnt": True}).status_code == 200
    assert learn()["version"] == first["version"]  # the same lessons, the same head
    assert acts() == [
        "learning.done",
        "lesson.taken_back",
        "learning.done",
        "lesson.learnt_again",
        "learning.done",
    ]
    for unknown in ("fb_01JZZZZZZZZZZZZZZZZZZZZZZZ", "x"):
        assert call("PATCH", path.replace(taught[0], unknown), json={"learnt": False}).status_code == 404


def test_a_lesson_said_otherwise_counts_again(
    call: Call, tenant: Tenant, taught: list[str], learn: Learning
) -> None:
    """What was taken back is what people said then: another label of the same record is another lesson."""
    call("PATCH", f"{PROJECTS}/{tenant.project_id}/lessons/{taught[0]}", json={"learnt": False})
    call("PATCH", f"{FEEDBACK}/{taught[0]}", json={"category": "feature"})

    assert learn()["learnt_corrections"] == len(TAUGHT)


def test_all_is_forgotten_at_once(call: Call, tenant: Tenant, taught: list[str], learn: Learning) -> None:
    """One call takes everything back, before any worker comes; later corrections are learnt."""
    assert learn()["version"]
    before = sent(call, STRANGE)["model_version"]

    answer = call("DELETE", f"{PROJECTS}/{tenant.project_id}/learning").json

    assert (answer["version"], answer["corrections"], answer["next_at"]) == (None, 0, None)
    auth.forget()
    assert sent(call, ASKED)["model_version"] == before
    assert learn()["version"] is None
    assert acts()[-1] == "learning.forgotten"


def test_a_person_who_is_erased_is_unlearnt(
    call: Call, tenant: Tenant, taught: list[str], learn: Learning
) -> None:
    """Erasure marks the head at once, and the next learning is without that person's words."""
    first = learn()

    erasure.erase(tenant.workspace_id, Person(email="weaver@example.test"), compact=False)

    assert project_head.shown(tenant.project_id)["stale"]  # type: ignore[index]
    second = learn()
    assert (second["stale"], second["learnt_corrections"]) == (False, len(TAUGHT) - 1)
    assert second["version"] != first["version"]


def test_a_stale_head_does_not_outlive_a_refusal(
    call: Call, tenant: Tenant, taught: list[str], learn: Learning
) -> None:
    """When too little is left to learn from, what was learnt from it goes, too."""
    assert learn()["version"]
    for feedback_id in taught[:4]:
        assert call("DELETE", f"{FEEDBACK}/{feedback_id}").status_code == 204
    with writing():
        ProjectHead.update(tried_at=0).execute()

    assert learn()["version"] is None


def test_what_a_learning_missed_is_learnt_next(
    call: Call, tenant: Tenant, taught: list[str], learn: Learning
) -> None:
    """A head that goes stale while the worker learns stays so, and is learnt again."""
    assert learn()["version"]
    with writing():
        project_head.mark_stale(tenant.workspace_id, tenant.project_id)
    one = begun()
    call("DELETE", f"{FEEDBACK}/{taught[0]}")
    with writing():
        project_learning.finish(one, LEARNT)

    assert project_head.shown(tenant.project_id)["stale"]  # type: ignore[index]
    assert learn()["learnt_corrections"] == len(TAUGHT) - 1


def test_what_was_learnt_is_told(call: Call, tenant: Tenant, taught: list[str], learn: Learning) -> None:
    """The words behind a label, and what a payload would become, are those of the project that has learnt."""
    made = call("POST", FEEDBACK, json={"text": ASKED}).json["id"]
    path = f"{FEEDBACK}/{made}?explain=1"
    before = call("GET", path).json["explanation"]

    version = learn()["version"]

    after, other = call("GET", path).json["explanation"], call("POST", FEEDBACK, json={"text": STRANGE}).json
    assert before["category"][0]["name"] != after["category"][0]["name"] == "Warpola"
    strange = call("GET", f"{FEEDBACK}/{other['id']}?explain=1").json["explanation"]
    known = json.loads(json.dumps(asdict(triage.explain(Record(text=STRANGE)))))
    assert (strange["category"], strange["sentiment"]) == (known["category"], known["sentiment"])
    (shown,) = call("POST", "/gateway/v1/preview/native", json={"text": ASKED}).json["records"]
    assert (shown["labels"]["category"], shown["labels"]["model_version"].partition("+")[2]) == (
        "bug",
        version,
    )


def test_a_second_reader_does_not_overrule_people(
    call: Call, tenant: Tenant, taught: list[str], learn: Learning
) -> None:
    """What a project has learnt stands on top of what a second reader says, until it is forgotten."""
    version = learn()["version"]
    texts = [ASKED, "the Warpola in our hall is lovely"]
    first, second = (call("POST", FEEDBACK, json={"text": text}).json["id"] for text in texts)
    asked = list[str]()

    def reader(read: Sequence[str]) -> list[Reading]:
        asked.extend(read)
        if asked == texts:
            call("DELETE", f"{PROJECTS}/{tenant.project_id}/learning")
        chances = {name: 0.96 if name == "praise" else 0.01 for name in CATEGORIES}
        return [Reading(chances, {"positive": 0.98, "neutral": 0.01, "negative": 0.01})]

    with writing():
        Feedback.update(category_origin="declared").where(Feedback.id.not_in([first, second])).execute()
    assert run_once(second_reading.work(reader, Limits(1.0, together=1)))

    assert asked == texts
    rows = [call("GET", f"{FEEDBACK}/{one}").json for one in (first, second)]
    assert [row["category_origin"] for row in rows] == ["second_reader", "second_reader"]
    assert [row["category"] for row in rows] == ["bug", "praise"]
    assert [row["model_version"].partition("+")[2] for row in rows] == [version, ""]


def begun() -> project_learning.Due:
    """The one learning that is due, which begins."""
    (one,) = project_learning.due()
    with writing():
        project_learning.begin(one)
    return one


@pytest.mark.parametrize("way", ["lesson", "all", "person"])
def test_what_is_taken_back_while_it_is_learnt(
    way: str, call: Call, tenant: Tenant, taught: list[str], learn: Learning
) -> None:
    """Nothing is kept of a learning, the first one too, whose lessons people take back before it ends."""
    one, project = begun(), f"{PROJECTS}/{tenant.project_id}"
    if way == "lesson":
        call("PATCH", f"{project}/lessons/{taught[0]}", json={"learnt": False})
    elif way == "all":
        call("DELETE", f"{project}/learning")
    else:
        erasure.erase(tenant.workspace_id, Person(email="weaver@example.test"), compact=False)
    with writing():
        project_learning.finish(one, LEARNT)

    assert call("GET", f"{project}/learning").json["version"] is None
    assert learn()["learnt_corrections"] == {"lesson": 6, "all": 0, "person": 6}[way]
    assert "h1" not in [row.detail.get("version") for row in Audit.select()]


def test_a_learning_that_was_killed_is_due_again(tenant: Tenant, taught: list[str], learn: Learning) -> None:
    """One that was begun and never ended is begun anew; of two at once each may end."""
    one = begun()
    assert begun() == one
    with writing():
        project_learning.finish(one, LEARNT)
    assert project_head.shown(tenant.project_id)["version"] == "h1"  # type: ignore[index]


def test_a_project_that_goes_while_it_learns(
    call: Call, tenant: Tenant, taught: list[str], learn: Learning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that learn with it learn all the same."""
    beside = call("POST", PROJECTS, json={"name": "Beside"}).json["project_id"]
    for project_id in (beside, tenant.project_id):
        call("POST", f"{PROJECTS}/{project_id}/learning")
    learnt = learn_projects.learnt

    def gone(wanted: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
        yield from learnt(wanted)
        with writing():
            Project.delete().where(Project.id == beside).execute()

    monkeypatch.setattr(learn_projects, "learnt", gone)

    assert learn()["learnt_corrections"] == len(TAUGHT)
    assert project_head.shown(beside) is None


def test_confirmed_as_they_are(call: Call, tenant: Tenant, taught: list[str], learn: Learning) -> None:
    """What people resolve without another label is learnt, too; what a sender says is over is not."""
    for text in ("The pedal squeaks since Monday", "Where do I find the colour card?"):
        made = call("POST", FEEDBACK, json={"text": text}).json["id"]
        call("PATCH", f"{FEEDBACK}/{made}", json={"status": "resolved"})

    assert learn()["learnt_confirmations"] == 2


def test_confirmed_as_a_second_reader_named_them(
    call: Call, tenant: Tenant, taught: list[str], learn: Learning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So are labels that a second reader gave, with what they say."""
    made = call("POST", FEEDBACK, json={"text": "The pedal squeaks since Monday"}).json["id"]
    by_reader = {
        "category_origin": "second_reader",
        "sentiment_origin": "second_reader",
        "category": "praise",
    }
    with writing():
        Feedback.update(by_reader).where(Feedback.id == made).execute()
    call("PATCH", f"{FEEDBACK}/{made}", json={"status": "resolved"})
    shown, learn_from = list[Correction](), learn_projects.Ground.learn_from

    def noted(ground: Any, corrected: Any, confirmed: list[Correction], judged: Any) -> Any:
        shown.extend(confirmed)
        return learn_from(ground, corrected, confirmed, judged)

    monkeypatch.setattr(learn_projects.Ground, "learn_from", noted)

    assert learn()["learnt_confirmations"] == 1
    assert [(one.category, one.sentiment is None) for one in shown] == [("praise", False)]


def test_goes_with_its_project(tenant: Tenant, taught: list[str], learn: Learning) -> None:
    """A project that is deleted takes what it has learnt with it."""
    assert learn()["version"]
    with writing():
        Project.delete().where(Project.id == tenant.project_id).execute()

    assert not ProjectHead.select().exists()


def test_a_broken_process_is_told(
    call: Call, tenant: Tenant, taught: list[str], learn: Learning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the process that learns ends badly, its last line is the reason, and the head before stays."""
    first = learn()
    call("POST", f"{PROJECTS}/{tenant.project_id}/learning")
    broken = subprocess.CompletedProcess([], 1, '{"project', "a trace\nError: no memory\n")
    monkeypatch.setattr(Lease, "run", lambda *words: broken)
    with writing():
        Job.update(due_at=0).execute()
    assert run_once(project_learning.LEARN)

    told = call("GET", f"{PROJECTS}/{tenant.project_id}/learning").json
    assert (told["version"], told["refusal"]) == (first["version"], "no memory")


@pytest.fixture(name="environ")
def _environ(config: Config, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The settings of this gateway for processes that are started."""
    for name in ("database_url", "data_dir", "secret_key"):
        if value := getattr(config, name):
            monkeypatch.setenv(f"GATEWAY_{name.upper()}", value)
    yield


def test_in_a_process_of_its_own(call: Call, tenant: Tenant, taught: list[str], environ: None) -> None:
    """The worker's process reads the database itself, and what it says is stored."""
    assert run_once(project_learning.LEARN)

    told = call("GET", f"{PROJECTS}/{tenant.project_id}/learning").json
    assert (told["refusal"], told["learnt_corrections"]) == ("", len(TAUGHT))
