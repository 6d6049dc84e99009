"""The command line: what it makes, prints and refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.access.api_keys import is_well_formed
from gateway.cli import main
from gateway.core.program import typed
from models import ApiKey
from models.database.base import close


@pytest.fixture(name="run")
def _run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", f"sqlite:///{tmp_path}/new/gateway.db")
    runner = CliRunner()

    def run(*words: str) -> Result:
        return runner.invoke(main, list(words))

    yield run
    close()


@pytest.fixture(name="answer")
def _answer(run: Any) -> Any:
    def answer(*words: str) -> Any:
        done = run(*words, "--json")
        assert done.exit_code == 0, done.output
        assert len(done.stdout.splitlines()) == 1
        return json.loads(done.stdout)

    return answer


def test_init_creates_what_is_absent(answer: Any) -> None:
    """init makes workspace, project and a key, and the second time says the same without the key."""
    first, second = answer("init"), answer("init")

    assert is_well_formed(first["key"])
    assert second == {**first, "key": None, "key_id": None, "link": second["link"]}
    assert second["link"] != first["link"]  # only the newest one works


def test_init_with_names(answer: Any) -> None:
    """A workspace of another name is another tenant; a project of another name is added."""
    default = answer("init")
    acme = answer("init", "--workspace", "Acme", "--project", "App")
    site = answer("init", "--workspace", "Acme", "--project", "Site")

    assert acme["workspace_id"] != default["workspace_id"]
    assert (site["workspace_id"], site["key"]) == (acme["workspace_id"], None)
    assert site["project_id"] != acme["project_id"]
    again = answer("init", "--workspace", "Acme", "--project", "Site")
    assert again == {**site, "link": again["link"]}


def test_init_prints_the_key_for_people(run: Any) -> None:
    """Without --json the key stands on a line of its own, the first time only."""
    first, second = run("init").stdout, run("init").stdout

    assert sum("sk_live_" in line for line in first.splitlines()) == 1
    assert "sk_live_" not in second


def test_projects(answer: Any) -> None:
    """Projects are created in the first workspace and listed."""
    made = answer("init")
    project = answer("project", "create", "Mobile app")
    listed = answer("project", "list")["projects"]

    assert project["workspace_id"] == made["workspace_id"]
    assert {row["project_id"] for row in listed} == {made["project_id"], project["project_id"]}


def test_keys(answer: Any) -> None:
    """A key is created with its options, listed without its text, and revoked for good."""
    made = answer("init")
    key = answer(
        *("key", "create", "--project", made["project_id"], "--name", "site", "--scope", "ingest"),
        *("--rate-limit", "600/minute", "--expires", "30"),
    )
    listed = {row["key_id"]: row for row in answer("key", "list")["keys"]}
    first, second = answer("key", "revoke", key["key_id"]), answer("key", "revoke", key["key_id"])

    assert set(key) == {"key_id", "key", "project_id", "workspace_id", "scopes", "rate_limit"}
    assert (key["scopes"], key["rate_limit"]) == (["ingest"], "600/minute")
    assert key["project_id"] == made["project_id"]
    assert key["key"] not in json.dumps(listed)
    assert listed[key["key_id"]]["expires_at"] - listed[key["key_id"]]["created_at"] == pytest.approx(
        30 * 86_400_000, abs=10_000
    )
    assert first == second
    assert ApiKey.get(ApiKey.id == key["key_id"]).revoked_at is not None


def test_default_key(answer: Any) -> None:
    """Without options a key may send and read in its whole workspace at the default rate."""
    answer("init")
    key = answer("key", "create")

    assert (key["project_id"], key["scopes"], key["rate_limit"]) == (None, ["ingest", "read"], "100/minute")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["key", "create", "--scope", "root"], 2, "root"),
        (["key", "create", "--rate-limit", "many"], 2, "100/minute"),
        (["key", "create", "--expires", "0"], 2, "expires"),
        (["key", "create", "--project", "prj_none"], 1, "prj_none"),
        (["key", "create", "--workspace", "ws_none"], 1, "ws_none"),
        (["key", "revoke", "key_none"], 1, "key_none"),
        (["project", "create"], 2, "NAME"),
        (["nonsense"], 2, "nonsense"),
        (["serve", "--bind", "nowhere"], 1, "GATEWAY_BIND"),
    ],
)
def test_refusals(run: Any, words: list[str], code: int, said: str) -> None:
    """Usage errors exit with 2, failures with 1, each with a line on stderr and nothing on stdout."""
    run("init")
    done = run(*words)

    assert done.exit_code == code
    assert said in done.stderr
    assert done.stdout == ""


def test_before_init(run: Any) -> None:
    """Without a schema a command says what to run instead of failing inside."""
    done = run("key", "list")

    assert done.exit_code == 1
    assert "feedback-gateway init" in done.stderr


def test_migrate(answer: Any, tmp_path: Path) -> None:
    """migrate says what it applied, and nothing the second time; it makes no database."""
    (tmp_path / "new").mkdir()
    (tmp_path / "new/gateway.db").touch()

    assert answer("migrate")["applied"][0] == "0001_first"
    assert answer("migrate") == {"applied": []}


def test_bad_setting(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad setting is told in one line."""
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "oracle://x")
    done = run("init")

    assert (done.exit_code, done.stdout) == (1, "")
    assert "GATEWAY_DATABASE_URL" in done.stderr


def commands(group: Any, words: tuple[str, ...] = ()) -> Any:
    for name, command in group.commands.items():
        yield (*words, name)
        yield from commands(command, (*words, name)) if hasattr(command, "commands") else ()


@pytest.mark.parametrize("words", [(), *commands(main)], ids=" ".join)
def test_help_everywhere(run: Any, words: tuple[str, ...]) -> None:
    """Every command has --help that says what it does."""
    done = run(*words, "--help")

    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) > 3


def test_lists_of_nothing_say_so(run: Any, answer: Any) -> None:
    """A list without rows is a word for people, and nothing on standard output."""
    assert run("init").exit_code == 0
    for words in (["hook", "list"], ["user", "list"]):
        done = run(*words)
        # The link of `init` is an invitation that is open.
        assert (done.exit_code, done.stdout == "", f"no {words[0]}s" in done.stderr) == (
            (0, True, True) if words[0] == "hook" else (0, False, False)
        )
    assert answer("user", "list")["invited"][0]["role"] == "admin"
    run("user", "create", "ada@example.test", "--role", "triager")
    assert "ada@example.test" in run("user", "list").stdout


@pytest.mark.parametrize(
    "words",
    [
        ["project", "create", " "],
        ["project", "create", "n" * 201],
        ["init", "--workspace", ""],
        ["init", "--project", "\t"],
        ["key", "create", "--name", "n" * 201],
        ["hook", "create", "github", "--name", "n" * 201],
    ],
)
def test_names_that_nobody_could_read(run: Any, words: list[str]) -> None:
    """Names are those that the API takes."""
    run("init")
    done = run(*words)

    assert (done.exit_code, "Error: Invalid value for" in done.stderr) == (2, True)


def test_commands_can_be_typed(tmp_path: Path) -> None:
    """A message of a program that the shell does not find by its name says where it is, and so for pip."""
    program = Path(sys.executable).parent / "feedback-gateway"
    environ = {"PATH": "/usr/bin:/bin", "GATEWAY_DATABASE_URL": f"sqlite:///{tmp_path}/none.db"}
    for path, shown in (
        (environ["PATH"], program),
        (f"{program.parent}:{environ['PATH']}", "feedback-gateway"),
    ):
        done = subprocess.run(
            [program, "key", "list"],
            env={**environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert f"run `{shown} init`" in done.stderr


def test_pip_is_the_one_of_this_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed lands where this program runs."""
    monkeypatch.setattr(sys, "argv", ["/nowhere/feedback-gateway"])
    said = typed("needs pip install 'feedback-gateway[redis]'; or run `feedback-gateway init`")

    assert f"needs {sys.executable} -m pip install 'feedback-gateway[redis]'" in said
    assert "`/nowhere/feedback-gateway init`" in said
