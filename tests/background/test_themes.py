"""What people talk about: found by what they say, counted by when they said it."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peewee import OperationalError

from gateway.access.projects import create_project
from gateway.api import themes as api_themes
from gateway.background import clustering, themes
from gateway.background.clustering import Group, Said, group, read
from gateway.background.keywords import topical, words
from gateway.background.lease import Lease, run_once
from gateway.core import pacing
from gateway.core.ids import now_ms
from gateway.transfer import erasure
from models import Feedback, Job, Theme, ThemeMember, ThemeRun
from models.queries.personal_data import Person
from models.tables import theme
from tests.alike import themes as labelled
from tests.alike import two_languages
from tests.conftest import ROOT, Call, Tenant

both = pytest.mark.both
PATH = "/gateway/v1/themes"
DAY = 86_400_000
BLOCKS = labelled()


def said() -> tuple[list[Said], list[int]]:
    texts, about = [], []
    for number, (name, some) in enumerate(BLOCKS.items()):
        for at, text in enumerate(some):
            texts.append(Said(f"{number}-{at}", f"{number}-{at}", topical(words(text))))
            about.append(number if name != "none" else 1000 + at)
    return texts, about


def test_themes_come_out_right() -> None:
    """Texts about the same are one theme, in two languages, and most of those about nothing are in none."""
    from sklearn.metrics import adjusted_rand_score

    texts, about = said()
    where = {name: number for number, one in enumerate(group(texts)) for name, _ in one.members}
    found = [where.get(one.id, -1 - number) for number, one in enumerate(texts)]

    assert adjusted_rand_score(about, found) >= 0.9


def test_two_languages() -> None:
    """Three hundred texts in thirty groups and two languages: what belongs together is, and is named so.

    A theme has a good name when one of its words is among those of the group that most of its texts are of.
    """
    from sklearn.metrics import adjusted_rand_score

    groups = two_languages()
    texts = {
        f"{number}-{at}": text for number, (_, some) in enumerate(groups) for at, text in enumerate(some)
    }
    found = group([Said(name, name, topical(words(text))) for name, text in texts.items()])
    where = {name: number for number, one in enumerate(found) for name, _ in one.members}
    given = [where.get(name, -1 - at) for at, name in enumerate(texts)]
    about = [int(name.partition("-")[0]) for name in texts]
    named = set()
    for one in found:
        most = Counter(int(name.partition("-")[0]) for name, _ in one.members).most_common(1)[0][0]
        named |= {most} if not groups[most][0].isdisjoint(one.terms) else set()

    assert len(texts) == 300 and len(groups) == 30
    assert adjusted_rand_score(about, given) >= 0.55
    assert len(named) >= 26


def test_labels_say_what_it_is_about() -> None:
    """A theme is called by words of at least two people that tell it from the others."""
    terms = [set(one.terms) for one in group(said()[0])]

    assert any({"invoice", "download"} <= some for some in terms)
    assert any({"dark", "mode"} <= some for some in terms)
    assert any({"betaling", "ideal"} <= some for some in terms)
    alone = [Said(str(number), "one person", ["zebra", "lion", "tiger"]) for number in range(5)]
    assert group(alone) == []


@pytest.mark.long
def test_the_same_texts_give_the_same_themes() -> None:
    """Nothing is left to chance, also when there are more texts than are compared at once."""
    texts = said()[0]
    many = [Said(f"{number}{one.id}", one.who, one.words) for number in range(60) for one in texts]

    assert group(texts) == group(texts)
    assert group(many) == group(many)
    assert len(many) > 3_000
    assert {"download", "invoice"} <= {term for one in group(many) for term in one.terms}


@given(st.lists(st.lists(st.sampled_from(["a", "bb", "zebra", "zebras", "ß"]), max_size=4), max_size=12))
def test_any_texts(some: list[list[str]]) -> None:
    """Any texts have themes or none, and no text is in two."""
    found = group([Said(str(number), str(number), one) for number, one in enumerate(some)])
    members = [name for one in found for name, _ in one.members]

    assert len(members) == len(set(members)) <= len(some)


@pytest.fixture(name="compute")
def _compute(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Computes themes now, in this process."""

    def inside(lease: Lease, workspace: str, project: str | None, since: str) -> Sequence[dict[str, Any]]:
        found: list[Group] = group(list(read(workspace, project, since)))
        return [{"terms": one.terms, "members": one.members} for one in found]

    monkeypatch.setattr(themes, "groups_of", inside)
    monkeypatch.setattr(themes, "SOONEST", 0)
    monkeypatch.setattr(themes, "REST", 0)

    def compute() -> None:
        Job.update(due_at=0).execute()
        assert run_once(themes.KEEP_FRESH)
        assert Job.get_by_id("themes").due_at < now_ms() + 2 * themes.AGAIN

    return compute


def send(call: Call, name: str, **more: Any) -> list[str]:
    answer = call(
        "POST", "/gateway/v1/feedback/batch", json=[{"text": text} for text in BLOCKS[name]], **more
    )
    return [item["id"] for item in answer.json["data"]]


def move(ids: list[str], days: float) -> None:
    """Lets records have come so many days ago."""
    Feedback.update(received_at=Feedback.received_at - int(days * DAY)).where(Feedback.id.in_(ids)).execute()


@both
def test_themes(call: Call, compute: Any) -> None:
    """A theme tells its label, how many records there were and before, mood, impact, categories, examples."""
    invoices, dark = send(call, "invoices"), send(call, "darkmode")
    move(invoices[:2], 8)
    compute()
    answer = call("GET", PATH).json
    first, second = answer["data"]
    ours = Feedback.select().where(Feedback.id.in_(invoices[2:]))

    assert {"invoice", "download"} <= set(first["terms"]) and first["label"] == ", ".join(first["terms"])
    assert (first["count"], first["previous"], first["change"]) == (5, 2, 1.5)
    assert (second["count"], second["previous"], second["change"]) == (len(dark), 0, None)
    assert sum(first["categories"].values()) == 5
    assert first["impact"] == max(row.impact for row in ours)
    assert first["sentiment"] == pytest.approx(sum(row.sentiment_score for row in ours) / 5, abs=1e-3)
    assert len(first["examples"]) == 3 and {item["id"] for item in first["examples"]} <= set(invoices[2:])
    assert answer["next_cursor"] is None and answer["computed_at"]
    assert call("GET", f"{PATH}?limit=1").json["data"] == [first]


@both
def test_any_period(call: Call, compute: Any) -> None:
    """Since and until say which records count."""
    invoices = send(call, "invoices")
    move(invoices[:3], 10)
    compute()
    now = now_ms()
    since, until = (f"{api_themes.iso(now - days * DAY)}" for days in (14, 7))
    (before,) = call("GET", f"{PATH}?since={since}&until={until}").json["data"]
    (month,) = call("GET", f"{PATH}?since={api_themes.iso(now - 30 * DAY)}").json["data"]

    assert (before["count"], before["previous"]) == (3, 0)
    assert (month["count"], month["previous"]) == (7, 0)
    assert call("GET", f"{PATH}?until={api_themes.iso(now - 20 * DAY)}").json["data"] == []


@both
def test_who_sees_what(call: Call, tenant: Tenant, other: Tenant, new_key: Any, compute: Any) -> None:
    """A key of a project sees that project's themes, made of its words alone; another workspace nothing."""
    project = create_project(tenant.workspace_id, "Second", 1)
    key = {"Authorization": f"Bearer {new_key(project)}"}
    send(call, "invoices")
    send(call, "betaling", headers=key)
    compute()
    labels = {
        name: {item["label"] for item in call("GET", path, headers=headers).json["data"]}
        for name, path, headers in (
            ("all", PATH, {}),
            ("second", f"{PATH}?project={project}", {}),
            ("key", PATH, key),
            ("foreign", PATH, other.headers),
            ("foreign project", f"{PATH}?project={project}", other.headers),
            ("other project", f"{PATH}?project={tenant.project_id}", key),
        )
    }

    assert len(labels["all"]) == 2 and len(labels["second"]) == 1
    assert labels["key"] == labels["second"] < labels["all"]
    assert labels["foreign"] == labels["foreign project"] == labels["other project"] == set()


@both
def test_replaced_as_a_whole(call: Call, compute: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """New records lead to new themes, which replace the old ones; without new ones nothing is computed."""
    send(call, "invoices")
    compute()
    first = call("GET", PATH).json
    compute()
    assert call("GET", PATH).json["computed_at"] == first["computed_at"]
    send(call, "search")
    monkeypatch.setattr(themes, "KEPT", -1)
    compute()
    compute()

    assert len(call("GET", PATH).json["data"]) == 2
    assert ThemeRun.select().where(ThemeRun.project_id.is_null()).count() == 1
    assert Theme.select().count() == 4  # of the workspace, and of its project


@both
def test_ids_last(call: Call, tenant: Tenant, compute: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A theme that is computed anew keeps its id, as its project's does; one that is new has a new one."""
    monkeypatch.setattr(themes, "KEPT", -1)
    invoices = send(call, "invoices")[3:]
    of_project = f"{PATH}?project={tenant.project_id}"
    compute()
    (before,), (mine,) = (call("GET", path).json["data"] for path in (PATH, of_project))
    send(call, "search")
    more = send(call, "invoices")
    compute()
    after = {item["id"]: item["terms"] for item in call("GET", PATH).json["data"]}
    listed = call("GET", f"/gateway/v1/feedback?theme={before['id']}").json["data"]

    assert before["terms"] == after[before["id"]] and len(after) == 2
    assert {*invoices, *more} <= {item["id"] for item in listed}
    assert mine["id"] in {item["id"] for item in call("GET", of_project).json["data"]}


@both
def test_an_address_that_ended(call: Call, compute: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """When two themes become one, one goes on and the other's address leads there; it is told for a time."""
    monkeypatch.setattr(themes, "KEPT", -1)
    known = send(call, "invoices") + send(call, "search")
    monkeypatch.setattr(themes, "groups_of", groups(known[:7], known[7:]))
    compute()
    first, second = (item["id"] for item in call("GET", PATH).json["data"])
    for grouping in (groups(known), groups(known)):  # it goes on being told
        send(call, "betaling")
        monkeypatch.setattr(themes, "groups_of", grouping)
        compute()
        (left,) = call("GET", PATH).json["data"]
        gone = first if left["id"] == second else second
        told = call("GET", f"{PATH}/{gone}").json

        assert left["id"] in (first, second) and left["count"] == len(known)
        assert [one["id"] for one in told["became"]] == [left["id"]] and told["ended_at"]
        assert told["label"] == "term" and told["count"] == 0
    assert call("GET", f"/gateway/v1/feedback?theme={gone}").json["data"] == []
    old = {"ended_at": now_ms() - themes.SPAN, "became": []}
    Theme.update(terms=old).where(Theme.lasting_id == gone).execute()
    send(call, "betaling")
    compute()
    send(call, "betaling")
    compute()

    assert call("GET", f"{PATH}/{gone}").status_code == 404


def groups(*parts: list[str]) -> Any:
    """A grouping that finds these."""
    return lambda *_: [{"terms": ["term"], "members": [[name, 1.0] for name in part]} for part in parts]


@given(st.data())
def test_each_theme_goes_on_in_one_group(data: Any) -> None:
    """Whatever the groups before and after, no id is given twice, and the same groups keep all of theirs."""
    names = [f"fb_{number:02}" for number in range(24)]
    was = {name: f"th_{data.draw(st.integers(0, 4))}" for name in data.draw(st.sets(st.sampled_from(names)))}
    now: dict[int, list[tuple[str, float]]] = {}
    for name in names:
        now.setdefault(data.draw(st.integers(0, 4)), []).append((name, 1.0))
    same: dict[str, list[tuple[str, float]]] = {}
    for name, theme_id in was.items():
        same.setdefault(theme_id, []).append((name, 1.0))
    found = themes.lasting_ids(was, names[-1], [{"members": members} for members in now.values()])
    kept = themes.lasting_ids(was, names[-1], [{"members": members} for members in same.values()])

    assert len(set(found.values())) == len(found) and set(found.values()) <= set(was.values())
    assert [kept[number] for number in range(len(same))] == list(same)


@both
def test_one_that_dies_shows_nothing(call: Call, compute: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Themes that were not written to the end are never shown, and are cleared away."""
    send(call, "invoices")
    with monkeypatch.context() as broken:
        broken.setattr(theme, "finish", lambda *args: 1 // 0)
        Job.update(due_at=0).execute()
        assert run_once(themes.KEEP_FRESH)
    assert ThemeRun.select().where(ThemeRun.computed_at.is_null(False)).count() == 0
    assert call("GET", PATH).json["data"] == []
    monkeypatch.setattr(themes, "KEPT", -1)
    compute()
    compute()

    assert len(call("GET", PATH).json["data"]) == 1
    assert ThemeRun.select().count() == 2


@both
def test_erased(call: Call, tenant: Tenant, compute: Any) -> None:
    """A deleted record is in no theme any more; erasing a person takes along all of the workspace."""
    ids = send(call, "invoices")
    compute()
    Feedback.delete().where(Feedback.id == ids[0]).execute()
    (found,) = call("GET", PATH).json["data"]
    assert found["count"] == len(ids) - 1
    assert call("GET", f"{PATH}/{found['id']}").json["count"] == len(ids) - 1
    erasure.erase(tenant.workspace_id, Person(id="somebody"), dry_run=True, compact=False)
    assert ThemeRun.select().count() == 2
    erasure.erase(tenant.workspace_id, Person(id="somebody"), compact=False)

    assert call("GET", PATH).json["data"] == []
    assert call("GET", f"{PATH}/{found['id']}").status_code == 404
    assert ThemeMember.select().count() == Theme.select().count() == 0


@both
@pytest.mark.parametrize("writes", range(6))
def test_erased_while_they_are_computed(
    call: Call, tenant: Tenant, compute: Any, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """What was read before an erasure is never shown after it, however much had been written by then."""
    send(call, "invoices")
    groups_of, turns = themes.groups_of, iter(())

    def turn(seconds: float = 0) -> None:
        if next(turns, None) == writes:
            erasure.erase(tenant.workspace_id, Person(id="somebody"), compact=False)

    def read_then_erase(*args: Any) -> Any:
        nonlocal turns
        found, turns = groups_of(*args), iter(range(1_000))
        turn()
        return found

    with monkeypatch.context() as turned:
        turned.setattr(themes, "groups_of", read_then_erase)
        turned.setattr(pacing, "rest", turn)
        compute()

    assert next(turns) > writes
    assert call("GET", PATH).json["data"] == []
    compute()
    assert len(call("GET", PATH).json["data"]) == 1


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("limit=0&since=x&until=y&what=1", {"limit", "since", "until", "what"}),
        ("limit=101", {"limit"}),
        ("since=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z", {"since"}),
    ],
)
def test_bad_parameters(call: Call, query: str, fields: set[str]) -> None:
    """Bad parameters are named, all at once."""
    answer = call("GET", f"{PATH}?{query}")

    assert answer.status_code == 400
    assert {fault["field"] for fault in answer.json["errors"]} == fields


@pytest.mark.long
def test_in_a_process_of_its_own(
    call: Call, tenant: Tenant, config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The computation is a process that leaves no memory behind, and that a worker which ends takes along."""
    send(call, "invoices")
    monkeypatch.setenv("GATEWAY_DATABASE_URL", config.database_url)
    assert run_once(themes.KEEP_FRESH)
    assert len(call("GET", PATH).json["data"]) == 1
    ThemeRun.delete().execute()
    Job.update(due_at=0).execute()
    assert run_once(themes.KEEP_FRESH, lambda: True)
    assert ThemeRun.select().count() == 0
    code = "import sys, gateway.background.scheduler as b; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_no_database_for_the_process_that_groups(
    tenant: Tenant, call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so by its exit status, and the work is interrupted, as by any outage: one line."""

    def away(*_: object) -> None:
        raise OperationalError("the server is gone")

    def run(lease: Lease, command: Sequence[str], patience: float) -> subprocess.CompletedProcess[str]:
        code: Any = 1  # of an exception that nobody expected
        try:
            clustering.main(*command[-3:])
        except SystemExit as ended:
            code = ended.code
        except OperationalError:
            pass
        return subprocess.CompletedProcess(command, code, "", "the server is gone\n")

    call("POST", "/gateway/v1/feedback", json={"text": "The export is empty again"})
    caplog.set_level("INFO", "gateway")
    monkeypatch.setattr(clustering, "spoken", away)
    monkeypatch.setattr(clustering, "connect", lambda url, present: None)
    monkeypatch.setattr(Lease, "run", run)
    assert run_once(themes.KEEP_FRESH)
    [told] = [record for record in caplog.records if "background work" in record.getMessage()]

    assert told.getMessage() == "background work interrupted"
    assert told.exc_info is None
