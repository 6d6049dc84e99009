"""Labels anew what triage labelled, with the model in use; never what people or senders said."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask

from gateway import triage
from gateway.background.retriage import EVENT, TRIES, Progress, retriage
from gateway.cli import main
from gateway.core.config import Config
from gateway.triage.second_reader import DIMENSIONS, Layer
from models import Event, Feedback, Meaning, Project
from models.database.base import writing
from models.queries.feedback_query import Filter
from models.tables import job
from tests.background.test_second_reading import PATH, Reader, post, read, reading, reason, shown
from tests.conftest import Call, Tenant
from tests.walk import Ear, Walk

both = pytest.mark.both
TEXTS = (
    "The export button crashes the app and I am angry",
    "Could you please add a dark mode?",
    "How do I invite my colleague?",
    "I love the new calendar, thank you",
    "Checkout is down, nobody can pay",
)
# As an older model might have labelled anything.
OLD: dict[str, Any] = {
    "category": "other",
    "category_confidence": 0.31,
    "sentiment": "neutral",
    "sentiment_score": 0.0,
    "sentiment_confidence": 0.32,
    "impact": 14,
    "impact_reasons": [{"part": "severity", "points": 14, "why": "long ago"}],
    "model_version": "2025.01-old",
}


def age(*ids: str) -> None:
    """Has these records, or all, labelled as by an older model."""
    mine = Feedback.update(**OLD)
    (mine.where(Feedback.id.in_(ids)) if ids else mine).execute()


def anew(tenant: Tenant, chosen: Filter | None = None, **more: Any) -> Progress:
    """A whole retriage: what it came to."""
    *_, last = [Progress(), *retriage(chosen or Filter(), tenant.workspace_id, **more)]
    return last


def told(call: Call, feedback_id: str) -> list[dict[str, Any]]:
    events = call("GET", f"{PATH}/{feedback_id}/events").json["data"]
    details = [event["detail"] for event in events if event["type"] == EVENT]
    return [detail for detail in details if "model_version" in detail]  # a person's have a request


def numbers(call: Call) -> list[Any]:
    """What is counted and searched by labels."""
    queries = ("by=category,sentiment", "by=day,category&since=7d", "by=sentiment_origin")
    found = [call("GET", f"/gateway/v1/stats?{query}").json["data"] for query in queries]
    bugs = call("GET", f"{PATH}?category=bug&q=the").json["data"]
    return [*found, sorted(row["id"] for row in bugs)]


def stored() -> list[dict[str, Any]]:
    return list(Feedback.select().order_by(Feedback.id).dicts())


def test_the_same_model_changes_nothing(app: Flask, call: Call, tenant: Tenant) -> None:
    """Of what every dialect sends, stories and remarks among it, a record has the labels it came with."""
    Walk(app.test_client(), app.test_client(), tenant, Ear(), True).deliveries()
    before, events = stored(), Event.select().count()
    done = anew(tenant)
    assert (done.read, done.changed, done.refreshed, done.missed) == (len(before), 0, 0, 0)
    assert done.same > 200
    assert (stored(), Event.select().count()) == (before, events)


@both
def test_todays_labels(call: Call, tenant: Tenant) -> None:
    """Labels, reasons and numbers are those that came with the words; the history says so once."""
    ids = [post(call, text) for text in TEXTS]
    before, counted = [shown(call, one) for one in ids], numbers(call)
    age()
    aged = [shown(call, one) for one in ids]
    assert numbers(call) != counted
    done = anew(tenant, by="run_1")
    again = anew(tenant)
    after = [shown(call, one) for one in ids]

    assert [{**one, "updated_at": 0} for one in after] == [{**one, "updated_at": 0} for one in before]
    assert all(new["updated_at"] > old["updated_at"] for new, old in zip(after, aged, strict=True))
    assert numbers(call) == counted
    assert (done.read, done.changed, again.changed, again.same) == (5, 5, 0, 5)
    for one, old, new in zip(ids, aged, after, strict=True):
        (detail,) = told(call, one)
        assert (detail["key_id"], detail["model_version"]) == ("run_1", triage.version())
        wanted = {name: (old[name], new[name]) for name in ("category", "sentiment", "impact")}
        changes = {name: (each["from"], each["to"]) for name, each in detail["changes"].items()}
        assert changes == {name: pair for name, pair in wanted.items() if pair[0] != pair[1]}
    report = done.report()
    assert {"field": "category", "from": "other", "to": "question", "count": 1} in report["changes"]
    assert sum(one["count"] for one in report["changes"] if one["field"] == "impact") == 5


@both
def test_only_what_the_filter_means(call: Call, tenant: Tenant, other: Tenant) -> None:
    """Another workspace, and records that a filter leaves out, stay; so does what came later, by `until`."""
    mine, rest = post(call, TEXTS[0], tags=["a"]), post(call, TEXTS[1])
    age()
    assert anew(other).read == 0
    assert anew(tenant, Filter(tags=(("a",),))).read == 1
    assert shown(call, mine)["category"] == "bug"
    assert shown(call, rest)["category"] == "other"
    assert anew(tenant, Filter(category=("other",))).changed == 1  # those that it changes are found no more
    assert shown(call, rest)["category"] == "feature"


SAID: list[tuple[dict[str, Any], dict[str, Any], set[str]]] = [
    ({}, {}, set()),
    ({"category": "praise"}, {}, {"category"}),
    ({"sentiment": "positive"}, {}, {"sentiment"}),
    ({}, {"category": "praise"}, {"category"}),
    ({}, {"sentiment": "positive"}, {"sentiment"}),
    ({}, {"impact": 9}, {"impact"}),
    ({"category": "praise"}, {"sentiment": "positive"}, {"category", "sentiment"}),
    ({}, {"category": "praise", "sentiment": "positive", "impact": 9}, {"category", "sentiment", "impact"}),
]


@pytest.mark.parametrize(("declared", "corrected", "stays"), SAID)
def test_never_over_people(
    call: Call, tenant: Tenant, declared: dict[str, Any], corrected: dict[str, Any], stays: set[str]
) -> None:
    """Each label that the sender or a person gave stays; the others are today's, and the impact follows."""
    one = post(call, TEXTS[0], **declared)
    if corrected:
        assert call("PATCH", f"{PATH}/{one}", json=corrected).status_code == 200
    before = shown(call, one)
    old = {name: value for name, value in OLD.items() if not name.startswith(tuple(stays | {"impact"}))}
    Feedback.update(**old, **({} if "impact" in stays else {"impact": 14})).execute()
    done = anew(tenant)
    after = shown(call, one)
    if len(stays) == 3:
        before["model_version"] = OLD["model_version"]  # it has said nothing that counts
        assert done.kept == 1
    assert {**after, "updated_at": 0} == {**before, "updated_at": 0}
    changes = {name for detail in told(call, one) for name in detail["changes"]}
    assert changes.isdisjoint(stays)


def test_words_that_are_gone_say_nothing(call: Call, tenant: Tenant) -> None:
    """What was taken back, and what was erased, keeps its labels."""
    taken_back, erased = post(call, TEXTS[0]), post(call, TEXTS[1])
    age()
    Feedback.update(retracted_at=1).where(Feedback.id == taken_back).execute()
    Feedback.update(text="[erased]", title="[erased]").where(Feedback.id == erased).execute()
    done = anew(tenant)
    assert (done.read, done.kept, done.changed) == (2, 2, 0)


def test_a_projects_own(call: Call, tenant: Tenant) -> None:
    """A record gets the areas of its project as they are now, and keeps the reach that others gave it."""
    ids = [post(call, "The lantern is broken", author={"id": f"a{number}"}) for number in range(5)]
    assert reason(shown(call, ids[0]), "reach")["points"] == 2
    areas = [{"name": "light", "points": 3, "pages": [], "names": [], "phrases": ["lantern"]}]
    Project.update(areas=areas).where(Project.id == tenant.project_id).execute()
    anew(tenant)
    assert reason(shown(call, ids[0]), "area")["why"] == 'light: "lantern"'
    assert reason(shown(call, ids[0]), "reach")["points"] == 2


@both
def test_a_dry_run(call: Call, tenant: Tenant) -> None:
    """It says what would change, and nothing does."""
    for text in TEXTS:
        post(call, text)
    age()
    before = stored()
    dry = anew(tenant, dry_run=True)
    assert stored() == before
    real = anew(tenant)
    assert replace(dry, seconds=0) == replace(real, seconds=0)


@both
@pytest.mark.parametrize("always", [False, True])
def test_who_comes_meanwhile(
    call: Call, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, always: bool
) -> None:
    """A record that is changed while it is labelled is looked at again; a correction or deletion wins."""
    tagged, corrected, deleted, last = (post(call, text) for text in TEXTS[:4])
    age()
    real, looks = triage.label_all, 0

    def label_all(items: Sequence[Any]) -> Any:
        nonlocal looks
        looks += 1
        if looks == 1:
            call("PATCH", f"{PATH}/{corrected}", json={"category": "praise"})
            call("DELETE", f"{PATH}/{deleted}")
        if looks == 1 or always:
            call("PATCH", f"{PATH}/{tagged}", json={"tags": [f"t{looks}"]})
        return real(items)

    monkeypatch.setattr(triage, "label_all", label_all)
    done = anew(tenant)
    assert done.missed == 1 + always
    assert shown(call, tagged)["category"] == ("other" if always else "bug")
    assert (shown(call, tagged)["tags"] == ["t1"]) != always
    assert looks <= TRIES + 3
    assert (shown(call, corrected)["category"], shown(call, corrected)["sentiment"]) == ("praise", "neutral")
    assert shown(call, last)["category"] == "praise"
    assert (done.read, done.changed, done.refreshed) == (4, 2 - always, 1)


def test_what_a_second_reader_read(call: Call, tenant: Tenant) -> None:
    """It is labelled with what the second reader says today of the meaning that is kept, if one is."""
    known, unknown = (post(call, text) for text in TEXTS[:2])
    read(Reader(reading("praise", "positive")))
    Meaning.delete().execute()
    vector = bytes([127] + [0] * (DIMENSIONS - 1))
    Meaning.insert(feedback=known, vector=vector).execute()
    layer = Layer.load()
    layer.weights[:] = 0
    layer.bias[:] = [
        9.0 * (name in ("feature", "neutral")) for some in layer.classes.values() for name in some
    ]
    anew(tenant, layer=layer)

    assert (shown(call, known)["category"], shown(call, known)["category_origin"]) == (
        "feature",
        "second_reader",
    )
    assert shown(call, unknown)["category_origin"] == "predicted"
    again = reading("question", "neutral")
    reader = Reader(again)
    read(reader)
    assert reader.texts == [TEXTS[1]]  # its turn has come again; the other has been read


_KILLED = """
import json, os, signal, sys
from gateway.background.retriage import Progress, retriage
from gateway.core import pacing
from models.database.base import connect
from models.queries.feedback_query import Filter
from models.tables import job

url, workspace_id, last = sys.argv[1], sys.argv[2], int(sys.argv[3])
pacing.FIRST = pacing.MOST = 3
connect(url)
state, parts = job.state("test"), 0

def keep(progress):
    global parts
    job.remember("test", progress.state())
    parts += 1
    if parts == last:
        os.kill(os.getpid(), signal.SIGKILL)  # nothing of this transaction is there afterwards
after = Progress.of(state) if state else None
for _ in retriage(Filter(), workspace_id, after=after, keep=keep, by="run_1"):
    pass
"""


@pytest.mark.both(long=True)
def test_a_kill_loses_nothing(call: Call, tenant: Tenant, database_url: str) -> None:
    """Killed (SIGKILL) again and again it goes on: every record is counted, changed and told of once."""
    items = [{"text": f"{TEXTS[n % 5]} {'x' * n}"} for n in range(120)]
    assert call("POST", f"{PATH}/batch", json=items).json["accepted"] == 120
    before = anew(tenant, dry_run=True)
    age()
    with writing():
        job.ask("test", None)
    wanted = anew(tenant, dry_run=True)
    command = [sys.executable, "-c", _KILLED, database_url, tenant.workspace_id]
    codes = [subprocess.run([*command, str(n)], check=False).returncode for n in (2, 9, 5, 1, 12, 1_000)]
    after = Progress.of(job.state("test"))

    assert codes == [-9] * 5 + [0]
    assert before.changed == 0
    assert replace(after, seconds=0, position=None) == replace(wanted, seconds=0, position=None)
    assert Event.select().where(Event.type == EVENT).count() == wanted.changed == 120
    assert anew(tenant).same == 120


def test_a_progress_as_json() -> None:
    """What is kept of a progress says all of it."""
    moves = {("category", "bug", "question"): 2, ("language", None, "en"): 1, ("impact", 3, 4): 7}
    progress = Progress([5, "fb_1"], 9, 3, 2, 1, 2, 1, 0.5, moves)
    assert Progress.of(json.loads(json.dumps(progress.state()))) == progress
    assert [one["field"] for one in progress.report()["changes"]] == ["category", "impact", "language"]


def test_at_the_command_line(
    config: Config, call: Call, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`feedback-gateway retriage` says what would change, and changes it."""
    settings = {
        "DATABASE_URL": config.database_url,
        "DATA_DIR": config.data_dir,
        "SECRET_KEY": config.secret_key,
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"GATEWAY_{name}", value)
    post(call, TEXTS[0])
    age()

    def run(*words: str) -> Any:
        done = CliRunner().invoke(main, ["retriage", "--filter", "category=other", *words])
        assert done.exit_code == 0, done.output
        return done

    lines = run("--dry-run").stdout.splitlines()
    dry = json.loads(run("--dry-run", "--json").stdout)
    real = json.loads(run("--project", tenant.project_id, "--json").stdout)
    none = json.loads(run("--json").stdout)
    assert "category  other -> bug  1" in lines
    assert lines[-1].startswith("1 of 1 records would change in ")
    assert (dry["dry_run"], dry["changed"], real["changed"], none["read"]) == (True, 1, 1, 0)
    assert {"field": "category", "from": "other", "to": "bug", "count": 1} in real["changes"]
    assert real["model_version"] == triage.version()
