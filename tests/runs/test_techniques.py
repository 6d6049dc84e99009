"""What the techniques do: import, export, retraining, as runs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from gateway import triage
from gateway.access.projects import create_project
from gateway.background import retraining
from gateway.background.lease import Work, run_once
from gateway.core import outbound
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.files.attachments import File, keep, rows_of
from gateway.files.store import connect, store
from gateway.runs import lifecycle, registry, worker
from gateway.runs.techniques import export_feedback, import_feedback
from gateway.transfer import erasure
from gateway.triage import active_model
from models import Feedback, Job, Run
from models.database.base import database, writing
from models.queries.personal_data import Person
from models.tables import asset, job, run, trained_model
from tests.background.pictures import picture
from tests.conftest import Call, Tenant

Started = Callable[..., str]
CSV = b"body,who\nThe map is blank,anna\nI love it,ben\n,nobody\n"


def work() -> None:
    run_once(Work(run.WORKS[0], worker.do_runs))


def uploaded(tenant: Tenant, name: str, content: bytes, project_id: str | None = None) -> str:
    """The id of a file that somebody has uploaded."""
    kept = keep(tenant.workspace_id, File(name, [content]), most=10_000_000)
    assert not kept.refused
    with writing():
        asset.keep(rows_of([kept], tenant.workspace_id, project_id, None, "direct", now_ms()))
    return kept.id


@pytest.fixture(name="started")
def _started(tenant: Tenant) -> Started:
    """Starts a run and says its id: started("export-feedback", filter="q=x")."""

    def started(slug: str, project_id: str | None = None, **inputs: str) -> str:
        technique = registry.load()[slug]
        assert technique.check(inputs, tenant.workspace_id, project_id) == []
        with writing():
            row, _ = lifecycle.start(technique, inputs, tenant.workspace_id, "key", project_id=project_id)
        return str(row["id"])

    return started


def ended(run_id: str) -> dict[str, Any]:
    row = run.find(None, run_id)
    assert row is not None and row["completed_at"]
    return row


def content(row: dict[str, Any], output: str) -> bytes:
    (one,) = (one for one in row["outputs"] if one["id"] == output)
    kept = asset.one(one["asset_id"])
    assert kept is not None and kept["name"] == one["name"]
    return b"".join(store().open(kept["sha256"]))


class TestImport:
    def test_a_file_that_was_uploaded(self, started: Started, tenant: Tenant) -> None:
        """Its rows are records; those that cannot be are listed with their line and why."""
        made = started(
            "import-feedback",
            file=uploaded(tenant, "a.csv", CSV),
            map="text=body, author.id=who",
            source="survey",
        )
        work()
        row = ended(made)
        assert row["status"] == "completed"
        assert sorted(one.text for one in Feedback.select()) == ["I love it", "The map is blank"]
        assert {(one.source, one.project_id) for one in Feedback.select()} == {("survey", tenant.project_id)}
        report = json.loads(content(row, "report"))
        assert (report["stored"], report["known"], report["rejected"]) == (2, 0, 1)
        (rejected,) = map(json.loads, content(row, "rejected").splitlines())
        assert rejected["line"] == 4 and rejected["reason"]

    def test_by_the_model_in_use(self, started: Started, tenant: Tenant) -> None:
        """The worker labels with the model that is chosen now, and keeps the connections of its threads."""
        database.execute_sql("SELECT 1")
        before = database.obj.connection()
        active_model.keep_up(None)
        assert database.obj.connection() is before
        with writing():
            trained_model.add("learnt-1", "key", 1, {}, b"", now_ms())
        active_model.keep_up(None)  # a card of nothing: it is told, and the one in use stays
        assert triage.version() != "learnt-1"

    def test_the_same_file_twice(self, started: Started, tenant: Tenant) -> None:
        """Nothing is stored twice, whichever run it is, and nothing was refused: no such file."""
        name = uploaded(tenant, "a.ndjson", b'{"text":"One"}\n{"text":"Two"}\n')
        first, second = (started("import-feedback", file=name) for _ in range(2))
        work()
        assert Feedback.select().count() == 2
        for made in (first, second):
            assert [one["id"] for one in ended(made)["outputs"]] == ["report"]
            assert json.loads(content(ended(made), "report"))["stored"] == 2

    @pytest.mark.parametrize(
        ("name", "sent"),
        [
            ("a.json", b'[{"text":"x"}]'),
            ("a.csv", b"one,two\n1,2\n"),
            ("a.csv", b"\n\n"),
            ("a.csv", picture("PNG") + b"\nx\n"),
        ],
    )
    def test_a_file_that_cannot_be_read(
        self, started: Started, tenant: Tenant, name: str, sent: bytes
    ) -> None:
        made = started("import-feedback", file=uploaded(tenant, name, sent))
        work()
        row = ended(made)
        assert (row["status"], row["error_code"]) == ("failed", "input_unreachable")
        assert row["error_message"]

    def test_a_file_that_is_not_here(self, started: Started, tenant: Tenant, other: Tenant) -> None:
        """One that is another's, that never was, or whose bytes are gone, is told by its id."""
        gone = uploaded(tenant, "a.csv", CSV)
        store().delete(str(asset.one(gone)["sha256"]))  # type: ignore[index]
        theirs = uploaded(other, "b.csv", b"text\nsecret\n")
        for name in (gone, theirs, "asset_00000000000000000000000000"):
            made = started("import-feedback", file=name)
            work()
            assert ended(made)["error_code"] == "input_unreachable"
            assert name in ended(made)["error_message"]
        assert Feedback.select().count() == 0

    def test_into_its_own_project(self, started: Started, tenant: Tenant) -> None:
        """A run of one project's key lands there; it may name no other one."""
        made = started("import-feedback", tenant.project_id, file="https://example.org/a.csv")
        assert Run.get_by_id(made).project_id == tenant.project_id
        faults = import_feedback.check(
            {"file": "https://example.org/", "project": tenant.project_id}, tenant.workspace_id, "prj_own"
        )
        assert [fault.field for fault in faults] == ["project"]

    def test_rows_of_other_projects(self, started: Started, tenant: Tenant) -> None:
        """A run of the workspace sends them where they say; one of a project's key takes its own alone."""
        with writing():
            theirs = create_project(tenant.workspace_id, "theirs", now_ms())
        own, named = {"text": "own"}, {"text": "named", "project_id": theirs}
        file = uploaded(
            tenant, "a.ndjson", "\n".join(map(json.dumps, (own, named))).encode(), tenant.project_id
        )
        bound = started("import-feedback", tenant.project_id, file=file)
        work()
        assert [(one.text, one.project_id) for one in Feedback.select()] == [("own", tenant.project_id)]
        (rejected,) = map(json.loads, content(ended(bound), "rejected").splitlines())
        assert (rejected["line"], rejected["reason"]) == (2, "Forbidden.")
        started("import-feedback", file=file)
        work()
        assert {one.project_id for one in Feedback.select().where(Feedback.text == "named")} == {theirs}

    @pytest.mark.parametrize("file", ["https:/[x", "http://example.org/", "//example.org/", "asset_", ""])
    def test_no_file(self, tenant: Tenant, file: str) -> None:
        faults = import_feedback.check({"file": file}, tenant.workspace_id, None)
        assert [fault.field for fault in faults] == ["file"]

    @pytest.mark.parametrize(
        "file", ["https://[x", "https://ex\u2100mple.org/", "HTTPS://[::1]]/", "https://"]
    )
    def test_an_address_that_is_none(self, started: Started, file: str) -> None:
        """Whoever starts it hears of it as of any that cannot be had."""
        made = started("import-feedback", file=file)
        work()
        assert ended(made)["error_code"] == "input_unreachable"

    def test_a_file_by_its_address(
        self, started: Started, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is fetched once and kept: whoever goes on with the run has the same bytes."""
        asked: list[str] = []

        @contextmanager
        def fetch(url: str, most: int, **options: Any) -> Iterator[Iterator[bytes]]:
            asked.append(url)
            yield iter([CSV[:10], CSV[10:]])

        monkeypatch.setattr(outbound, "fetch", fetch)
        url = "https://example.org/files/a.csv?token=1"
        made = started("import-feedback", file=url, map="text=body")
        real, left = import_feedback.opened, 1

        def dying(*args: Any) -> Any:
            nonlocal left
            if left:
                left -= 1
                raise KeyboardInterrupt
            return real(*args)

        monkeypatch.setattr(import_feedback, "opened", dying)
        with pytest.raises(KeyboardInterrupt):
            work()
        with writing():
            Job.update(leased_until=0, due_at=0).execute()
            Run.update(leased_until=0).execute()
        work()
        assert ended(made)["status"] == "completed"
        assert asked == [url]
        assert Feedback.select().count() == 2

    def test_a_file_for_which_there_is_no_room(
        self, started: Started, tenant: Tenant, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is fetched counts towards the quota as what is uploaded does."""

        @contextmanager
        def fetch(url: str, most: int, **options: Any) -> Iterator[Iterator[bytes]]:
            yield iter([CSV])

        monkeypatch.setattr(outbound, "fetch", fetch)
        connect(replace(config, files_quota=len(CSV) - 1))
        made = started("import-feedback", file="https://example.org/a.csv", map="text=body")
        work()
        assert ended(made)["error_message"].startswith("has no room")
        connect(replace(config, files_quota=len(CSV)))
        made = started("import-feedback", file="https://example.org/a.csv", map="text=body")
        work()
        assert ended(made)["status"] == "completed"

    @pytest.mark.parametrize(
        "error",
        [outbound.Forbidden("no"), outbound.Unreachable("no"), outbound.Refused(404), outbound.TooLarge()],
    )
    def test_an_address_that_cannot_be_had(
        self, started: Started, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        @contextmanager
        def fetch(url: str, most: int, **options: Any) -> Iterator[Iterator[bytes]]:
            raise error
            yield iter(())

        monkeypatch.setattr(outbound, "fetch", fetch)
        made = started("import-feedback", file="https://example.org/a.csv")
        work()
        assert ended(made)["error_code"] == "input_unreachable"


class TestExport:
    @pytest.fixture(autouse=True)
    def _records(self, call: Call) -> None:
        for n in range(3):
            call("POST", "/gateway/v1/feedback", json={"text": f"Record {n}", "tags": ["vip"] if n else []})

    def test_what_a_filter_means(self, started: Started, tenant: Tenant) -> None:
        """As the list means it, oldest first; what comes after the start is left out."""
        made = started("export-feedback", filter="tag=vip", fields="id, text")
        Feedback.update(received_at=now_ms() + 60_000).where(Feedback.text == "Record 2").execute()
        work()
        row = ended(made)
        assert [json.loads(line)["text"] for line in content(row, "file").splitlines()] == ["Record 1"]

    def test_as_csv(self, started: Started) -> None:
        made = started("export-feedback", filter="", format="csv", fields="id,text")
        work()
        row = ended(made)
        (output,) = row["outputs"]
        assert output["name"].endswith(".csv")
        rows = list(csv.DictReader(io.StringIO(content(row, "file").decode())))
        assert [one["text"] for one in rows] == ["Record 0", "Record 1", "Record 2"]

    def test_of_nothing(self, started: Started) -> None:
        """An empty file is a file."""
        made = started("export-feedback", filter="q=nowhere")
        work()
        assert content(ended(made), "file") == b""

    def test_only_its_own(self, started: Started, call: Call, other: Tenant) -> None:
        call("POST", "/gateway/v1/feedback", json={"text": "topsecret"}, headers=other.headers)
        made = started("export-feedback", filter="")
        work()
        assert b"topsecret" not in content(ended(made), "file")


class TestRetrain:
    @pytest.fixture(autouse=True)
    def _learns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever looks again finds the learning done, as another worker does it."""
        monkeypatch.setattr("gateway.runs.techniques.retrain.time.sleep", lambda seconds: self.learn())
        self.asked = 0
        self.outcome = {"state": "done", "reason": "", "finished_at": 2}

    def learn(self) -> None:
        known = retraining.state()
        assert known is not None
        self.asked += 1
        with writing():
            job.remember(retraining.NAME, {**known, **self.outcome})

    def test_it_waits_for_what_comes_of_it(self, started: Started) -> None:
        made = started("retrain", scope="model")
        work()
        report = json.loads(content(ended(made), "report"))
        assert (report["state"], self.asked) == ("done", 1)
        known = retraining.state()
        assert known is not None and known["asked_by"] == made

    def test_who_goes_on_does_not_ask_again(self, started: Started, tenant: Tenant) -> None:
        """What it asked for before it was interrupted is what it tells."""
        made = started("retrain", scope="model")
        retraining.ask(tenant.workspace_id, made)
        self.learn()
        work()
        assert ended(made)["status"] == "completed"
        assert self.asked == 1

    def test_one_that_failed(self, started: Started) -> None:
        self.outcome |= {"state": "failed", "reason": "no space"}
        made = started("retrain", scope="model")
        work()
        assert (ended(made)["error_code"], ended(made)["error_message"]) == ("internal_error", "no space")


def made_long_ago(run_id: str) -> None:
    with writing():
        Run.update(files_until=now_ms()).where(Run.id == run_id).execute()


def test_files_are_kept_for_a_week(started: Started, call: Call) -> None:
    """Then they go, bytes and all; the run still lists them."""
    old, new = (started("export-feedback", filter="") for _ in range(2))
    work()
    kept = [asset.one(ended(made)["outputs"][0]["asset_id"]) for made in (old, new)]
    assert ended(old)["files_until"] - ended(old)["completed_at"] == run.FILES_FOR
    made_long_ago(old)
    with writing():
        Job.update(due_at=0).execute()
    work()
    assert [asset.one(str(one["id"])) is None for one in kept if one] == [True, False]
    assert ended(old)["outputs"] and ended(old)["files_until"] is None


def test_an_erasure_while_a_run_reads(
    started: Started, call: Call, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is done once more: nothing of the person comes out of it when they are gone."""
    call("POST", "/gateway/v1/feedback", json={"text": "topsecret", "author": {"email": "ann@example.test"}})
    real, read = export_feedback.lines, list[bool]()

    def lines(*args: Any) -> Iterator[str]:
        found = [*real(*args)]
        if not read:
            erasure.erase(tenant.workspace_id, Person(email="ann@example.test"), compact=False)
        read.append(any("topsecret" in line for line in found))
        yield from found

    monkeypatch.setattr(export_feedback, "lines", lines)
    made = started("export-feedback", filter="")
    work()
    Job.update(due_at=0).execute()
    work()
    assert read == [True, False]
    assert b"topsecret" not in content(ended(made), "file")


@pytest.mark.parametrize("mode", erasure.MODES)
def test_an_erasure_takes_what_runs_made(
    started: Started, call: Call, tenant: Tenant, config: Config, mode: Any
) -> None:
    """Nothing of the person is left in the files of runs, nor in what they were told."""
    call("POST", "/gateway/v1/feedback", json={"text": "topsecret", "author": {"email": "ann@example.test"}})
    made = started("export-feedback", filter="q=ann@example.test&author=ann@example.test")
    everything = started("export-feedback", filter="")
    work()
    assert b"ann@example.test" in content(ended(everything), "file")
    receipt = erasure.erase(tenant.workspace_id, Person(email="ann@example.test"), mode, compact=False)
    assert (receipt["counts"]["runs"], receipt["counts"]["files"]) == (1, 2)
    assert "ann@" not in json.dumps(ended(made)["inputs"])
    found = [path for path in config.files_path.rglob("*") if path.is_file()]
    assert not any(b"topsecret" in path.read_bytes() for path in found)
