"""A program that is older than the database's schema writes nothing, before it starts and while it runs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from gateway.background.lease import Lease, Work, run_once
from gateway.cli import main
from gateway.core.config import Config
from gateway.server.gunicorn_app import Server
from models import ApiKey, Feedback
from models.database import schema_version
from models.database.base import close, database
from models.database.schema_version import HISTORY, RECORDED_AS, STEPS, known
from models.intake import commit
from models.migrations import migrate, pending
from models.queries.copying import Copy, Unfit
from tests.conftest import Call, Tenant, until

pytestmark = pytest.mark.both(long=True)

PATH = "/gateway/v1/feedback"
LATER = "9999_later"
# Each command that opens the database, and is not refused for what it is given.
COMMANDS = [
    ["serve"],
    ["worker"],
    ["init"],
    ["migrate"],
    ["project", "create", "App"],
    ["project", "list"],
    ["project", "areas", "prj_1"],
    ["project", "learning", "prj_1"],
    ["project", "learn", "prj_1"],
    ["project", "unlearn", "prj_1"],
    ["key", "create"],
    ["key", "list"],
    ["key", "rotate", "key_1"],
    ["key", "revoke", "key_1"],
    ["hook", "create", "github"],
    ["hook", "list"],
    ["hook", "change", "hk_1", "--option", "bots=true"],
    ["hook", "rotate", "hk_1"],
    ["hook", "delete", "hk_1"],
    ["destination", "create", "webhook", "https://example.test/"],
    ["destination", "list"],
    ["destination", "test", "dst_1"],
    ["destination", "rotate", "dst_1"],
    ["destination", "replay", "dst_1"],
    ["destination", "change", "dst_1", "--ordered"],
    ["destination", "pause", "dst_1"],
    ["destination", "enable", "dst_1"],
    ["destination", "log", "dst_1"],
    ["destination", "forget", "dst_1"],
    ["destination", "delete", "dst_1"],
    ["user", "create", "ada@example.test"],
    ["user", "list"],
    ["user", "reset-link", "ada@example.test"],
    ["user", "role", "ada@example.test", "admin"],
    ["replay", "--source", "generic"],
    ["import", __file__],
    ["export"],
    ["list"],
    ["search", "map"],
    ["alerts", "list"],
    ["alerts", "mute", "s:Disk", "--more", "1"],
    ["alerts", "unmute", "s:Disk"],
    ["topic", "create", "prj_1", "Invoices"],
    ["topic", "list", "prj_1"],
    ["topic", "change", "top_1", "--name", "Bills"],
    ["topic", "merge", "top_1", "top_2"],
    ["topic", "delete", "top_1"],
    ["assign", "ada@example.test", "fb_1"],
    ["snooze", "fb_1"],
    ["wake", "fb_1"],
    ["view", "list"],
    ["view", "create", "Bugs", "category=bug"],
    ["view", "share", "view_1"],
    ["view", "delete", "view_1"],
    ["show", "fb_1"],
    ["merge", "fb_1", "fb_2"],
    ["unmerge", "fb_1", "fb_2"],
    ["stats"],
    ["tail"],
    ["retention", "--apply"],
    ["erase", "--email", "ada@example.test"],
    ["author-export", "--email", "ada@example.test"],
    ["workspace", "callback-secret"],
    ["workspace", "change", "--runs-a-month", "10"],
    ["run", "list"],
    ["run", "show", "run_1"],
    ["run", "start", "export-feedback"],
    ["run", "cancel", "run_1"],
    ["retriage"],
    ["digest"],
]
ELSEWHERE = {
    "copy",
    "triage",
    "train",
    "evaluate",
    "technique",
    "mail",
}  # they open none, or one of their own


def change_schema() -> None:
    """What the migration of a newer program leaves."""
    database.execute_sql(f"INSERT INTO {HISTORY} (name, applied) VALUES ('{LATER}', '2030-01-01 00:00:00')")
    if hasattr(database.obj, "_look_again"):
        database.obj._look_again = 0.0  # a second has passed


def change_back() -> None:
    database.execute_sql(f"DELETE FROM {HISTORY} WHERE name = '{LATER}'")
    if hasattr(database.obj, "_look_again"):
        database.obj._look_again = 0.0


@pytest.fixture(name="environ")
def _environ(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("database_url", "data_dir", "secret_key"):
        monkeypatch.setenv(f"GATEWAY_{name.upper()}", getattr(config, name))
    monkeypatch.setenv("GATEWAY_BIND", "127.0.0.1:0")


@pytest.fixture(name="ended")
def _ended(tenant: Tenant) -> Iterator[None]:
    """A database that a newer program has migrated, and no application on it."""
    change_schema()
    commit.stop()
    close()
    yield


@pytest.mark.usefixtures("environ", "ended")
def test_commands_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing starts on a newer schema: a line names what is not known, and nothing was changed."""
    monkeypatch.setattr(Server, "run", lambda self: pytest.fail("served"))
    keys = ApiKey.select().count()
    for words in COMMANDS:
        close()
        done = CliRunner().invoke(main, words)
        lines = done.stderr.splitlines()

        assert (done.exit_code, done.stdout, len(lines)) == (1, "", 1), (words, done.output)
        assert f"newer than this program ({LATER})" in lines[0], words
    assert (ApiKey.select().count(), Feedback.select().count()) == (keys, 0)


def test_every_command_is_tried() -> None:
    """A command that is added is refused here too, or opens no database."""
    there = {
        (name, sub) if sub else (name,)
        for name, command in main.commands.items()
        if name not in ELSEWHERE
        for sub in getattr(command, "commands", [""])
    }

    assert there <= {tuple(words[: len(one)]) for words in COMMANDS for one in there}


@pytest.mark.parametrize("side", ["--from", "--to"])
@pytest.mark.usefixtures("ended")
def test_copies_are_refused(config: Config, pattern: Path, tmp_path: Path, side: str) -> None:
    """Nothing is copied from or into what a newer program has migrated."""
    other = f"sqlite:///{shutil.copyfile(pattern, tmp_path / 'other.db')}"
    urls = (config.database_url, other) if side == "--from" else (other, config.database_url)
    work = Copy(*urls)
    with pytest.raises(Unfit, match=f"{side}: .*{LATER}"):
        work.prepare()
    work.close()


def test_a_running_gateway_stops_writing(
    client: FlaskClient, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside a newer schema a running gateway reads, is not ready and answers 503 to who writes."""
    monkeypatch.setattr("models.database.group_commit.PROBE_SECONDS", 0.01)
    monkeypatch.setattr("models.intake.commit._SETTLED", 0.0)
    assert call("POST", PATH, json={"text": "Before"}).status_code == 201
    change_schema()
    refused = [
        call("POST", PATH, json={"text": "The words that search would miss"}),
        call("POST", "/v2/feedback", json={"property": "rating", "value": ["bad"], "trace_id": "01JM4"}),
        call("POST", "/gateway/v1/keys", json={"name": "new"}),
        call("POST", "/gateway/v1/feedback/batch", json=[{"text": "Another"}]),
    ]
    ready, listed = client.get("/readyz"), call("GET", PATH)

    assert [answer.status_code for answer in refused] == [503] * 4
    assert all(answer.headers["Retry-After"] for answer in refused)
    assert (ready.status_code, LATER in ready.json["checks"]["migrations"]) == (503, True)
    assert [row["text"] for row in listed.json["data"]] == ["Before"]
    assert Feedback.select().count() == 1
    change_back()
    until(lambda: client.get("/readyz").status_code == 200)
    assert call("POST", PATH, json={"text": "After"}).status_code == 201


def test_background_work_stops(tenant: Tenant) -> None:
    """Nor does background work begin, or go on."""
    begun: list[str] = []

    def act(lease: Lease) -> int:
        begun.append(lease.name)
        change_schema()
        with lease.writing():
            begun.append("wrote")
        return 0

    work = Work("sealing", act)
    run_once(work)
    assert begun == ["sealing"]
    run_once(work)
    assert begun == ["sealing"]


def test_what_is_known_is_what_is_shipped() -> None:
    """The program knows the changes that came with it, by the names that databases record."""
    assert known() == {RECORDED_AS.get(path.stem, path.stem) for path in STEPS.glob("[0-9]*.py")}
    assert LATER not in known()


def test_a_change_may_get_another_number(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A database that ran a change under its first number does not run it again; a new one records that."""
    renamed = shutil.copytree(STEPS, tmp_path / "steps")
    (renamed / "0005_audit.py").rename(renamed / "9998_audit.py")
    monkeypatch.setattr(schema_version, "STEPS", renamed)
    monkeypatch.setattr(schema_version, "RECORDED_AS", {**RECORDED_AS, "9998_audit": "0005_audit"})

    assert pending() == []
    assert migrate() == []

    database.execute_sql(f"DELETE FROM {HISTORY} WHERE name = '0005_audit'")
    database.execute_sql("DROP TABLE audit")
    assert pending() == ["0005_audit"]
    assert migrate() == ["0005_audit"]
    assert pending() == []


def test_changes_are_frozen() -> None:
    """What a change does never follows a later change of the program: none imports anything of ours."""
    ours = re.compile(r"^\s*(?:from|import) (adapters|gateway|models)\b", re.M)

    assert [path.name for path in STEPS.glob("[0-9]*.py") if ours.search(path.read_text())] == []


def test_words_of_the_fourth_change() -> None:
    """Records of before the fourth change get the words that it found at its time."""
    (step,) = (step for step in schema_version.steps() if step.name == "0004_reading")
    words_of = step.load().words_of

    row = {"title": "Can't log in…", "text": "Can't log in: Ébène, 日本 searching", "language": None}
    assert words_of(row) == " can t log in eben 日 本 search =ebene =searching "
    assert words_of({**row, "title": "Zoeken", "language": "nl"}) == (
        " zoek can t log in eben 日 本 search =zoeken =ebene =searching "
    )
    assert words_of({"title": "", "text": "e" + "\u0301" * 20_000, "language": "de"}) == " e "
    assert words_of({"title": "", "text": "...", "language": None}) == ""
