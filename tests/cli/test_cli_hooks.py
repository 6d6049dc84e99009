"""Hooks and quarantine on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.app import create_app
from gateway.cli import main
from models import Feedback
from models.database.base import close


@pytest.fixture(name="run")
def _run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", f"sqlite:///{tmp_path}/gateway.db")
    runner = CliRunner()

    def run(*words: str) -> Result:
        return runner.invoke(main, list(words))

    assert run("init").exit_code == 0
    yield run
    close()


def answer(run: Any, *words: str) -> Any:
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_life_of_a_hook(run: Any) -> None:
    """A hook is created, listed without its secret, rotated and deleted."""
    made = answer(run, "hook", "create", "github", "--name", "site", "--secret", "s3cret-of-the-hook")
    rotated = answer(run, "hook", "rotate", made["hook_id"])
    listed = answer(run, "hook", "list")["hooks"]
    answer(run, "hook", "delete", made["hook_id"])

    assert {"hook_id", "source", "path", "secret", "project_id"} <= set(made)
    assert (made["secret"], made["path"]) == ("s3cret-of-the-hook", f"/hooks/github/{made['hook_id']}")
    assert rotated["secret"] != made["secret"]
    assert [(row["hook_id"], row["name"], row["live_secrets"]) for row in listed] == [
        (made["hook_id"], "site", 2)
    ]
    assert made["secret"] not in json.dumps(listed)
    assert answer(run, "hook", "list") == {"hooks": []}
    assert run("hook", "rotate", made["hook_id"]).exit_code == 1


def test_what_to_paste_is_printed(run: Any) -> None:
    """People are told the address, the secret and what to do with them; a DSN for Sentry's SDKs."""
    told = run("hook", "create", "datadog").stdout
    dsn = answer(run, "hook", "create", "sentry-dsn")

    assert "/hooks/datadog/hk_" in told
    assert "$ALERT_TRANSITION" in told
    assert dsn["dsn"].startswith(f"http://{dsn['hook_id']}@")
    assert dsn["dsn"].rpartition("/")[2].isdigit()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["hook", "create", "fax"], 2, "github"),
        (["hook", "create", "discord"], 1, "--secret"),
        (["hook", "create", "github", "--unsigned"], 1, "--unsigned"),
        (["hook", "create", "github", "--project", "prj_none"], 1, "prj_none"),
        (["hook", "delete", "hk_none"], 1, "hk_none"),
        (["hook", "create", "generic", "--option", "nonsense"], 2, "NAME=VALUE"),
        (["replay"], 2, "--source"),
        (["replay", "qr_none"], 1, "qr_none"),
    ],
)
def test_refusals(run: Any, words: list[str], code: int, said: str) -> None:
    """What cannot be done is said on stderr, with nothing on stdout."""
    done = run(*words)

    assert (done.exit_code, done.stdout) == (code, "")
    assert said in done.stderr


def test_maps_are_checked(run: Any, tmp_path: Path) -> None:
    """A map with a bad expression or an unknown field is refused by name."""
    path = tmp_path / "map.json"
    for mapping, said in (('{"text": "a["}', "text"), ('{"txt": "a"}', "txt"), ("{", "--map")):
        path.write_text(mapping)
        done = run("hook", "create", "generic", "--map", str(path))

        assert done.exit_code == 1
        assert said in done.stderr


def test_replay(run: Any, tmp_path: Path) -> None:
    """What is held is replayed by id or by source, once today's map reads it, and then no more."""
    path = tmp_path / "map.json"
    path.write_text('{"text": "comment"}')
    hook = answer(run, "hook", "create", "generic", "--map", str(path))
    client = create_app().test_client()
    headers = {"Authorization": f"Bearer {hook['secret']}"}
    for body in ({"words": "one"}, {"comment": "two"}, {"words": "three"}):
        assert client.post(hook["path"], json=body, headers=headers).status_code == 200
    from models import Quarantine

    first, second = [row.id for row in Quarantine.select().order_by(Quarantine.id)]
    assert run("replay", first).exit_code == 1
    still = run("replay", "--source", "generic").stdout
    assert f"{first}: text: Required" in still
    assert "replayed 0 of 2" in still
    wrong = run("replay", "--source", "generics")
    assert (wrong.exit_code, "must be one of alertmanager, " in wrong.stderr) == (2, True)
    path.write_text('{"text": "words"}')
    assert answer(run, "hook", "change", hook["hook_id"], "--map", str(path))["options"] == {
        "map": {"text": "words"}
    }
    one = answer(run, "replay", first)["results"]
    rest = answer(run, "replay", "--source", "generic")["results"]

    assert [result["id"] for result in (*one, *rest)] == [first, second]
    assert len(one[0]["feedback_ids"]) == 1
    assert sorted(row.text for row in Feedback.select()) == ["one", "three", "two"]
    assert answer(run, "replay", "--source", "generic") == {"results": []}


def test_lenient_replay(run: Any, tmp_path: Path) -> None:
    """JSON that a template broke is read by `replay --lenient` only."""
    path = tmp_path / "map.json"
    path.write_text('{"text": "words"}')
    hook = answer(run, "hook", "create", "generic", "--map", str(path))
    client = create_app().test_client()
    headers = {"Authorization": f"Bearer {hook['secret']}"}
    assert client.post(hook["path"], data=b'{"words": "one\ntwo",}', headers=headers).status_code == 200
    from models import Quarantine

    (held,) = [row.id for row in Quarantine.select()]
    strict = run("replay", held)
    (done,) = answer(run, "replay", held, "--lenient")["results"]

    assert (strict.exit_code, "line break" in strict.stderr) == (1, True)
    assert len(done["feedback_ids"]) == 1
    assert [row.text for row in Feedback.select()] == ["one\ntwo"]
