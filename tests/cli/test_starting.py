"""Starts and commands that cannot work: one line with the setting and the true cause, and exit code 1."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.core.config import BadSetting
from gateway.server import gunicorn_app
from models.database.base import close, named
from models.database.sqlite import Sqlite
from tests import commands, postgres
from tests.cli.test_cli import commands as all_commands
from tests.conftest import ROOT, Server, environ_of, running, until

REFUSED = b'SFATAL\0C28P01\0Mpassword authentication failed for user "gateway"\0\0'


@contextmanager
def refusing() -> Iterator[int]:
    """The port of a PostgreSQL that takes no password."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:  # closed
                    return
                with client:
                    client.recv(1000)
                    client.sendall(b"E" + (len(REFUSED) + 4).to_bytes(4, "big") + REFUSED)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def server_url(port: int) -> dict[str, str]:
    return postgres.settings(f"postgresql://gateway:hushhush@127.0.0.1:{port}/g?sslmode=disable")


NO_VALKEY = "redis://:hushhush@127.0.0.1:1/0"
CASES: dict[str, tuple[str, str]] = {
    "port taken": ("GATEWAY_BIND", "Address already in use"),
    "no such port": ("GATEWAY_BIND", "there is no port 99999"),
    "unknown host": ("GATEWAY_BIND", "nowhere.invalid:8000"),
    "no host": ("GATEWAY_BIND", "a..b:8000"),
    "address of another machine": ("GATEWAY_BIND", "assign requested address"),
    "folder that cannot be made": ("GATEWAY_DATA_DIR", "Not a directory"),
    "folder of files that cannot be made": ("GATEWAY_FILES_DIR", "Not a directory"),
    "database is a folder": ("GATEWAY_DATABASE_URL", "is a folder"),
    "database is something else": ("GATEWAY_DATABASE_URL", "file is not a database"),
    "no database": ("GATEWAY_DATABASE_URL", "run `feedback-gateway init`"),
    "server is away": ("GATEWAY_DATABASE_URL", "Connection refused"),
    "wrong password": ("GATEWAY_DATABASE_URL", "password authentication failed"),
    "valkey is away": ("GATEWAY_REDIS_URL", "Connection refused"),
    "no such valkey": ("GATEWAY_REDIS_URL", "socket_timeout"),
    "no folder for numbers": ("PROMETHEUS_MULTIPROC_DIR", "no folder"),
    "no model": ("GATEWAY_MODEL", "model.json is missing"),
    "key without a word": ("GATEWAY_SECRET_KEY", "secret.key holds no key"),
}


def settings_of(case: str, directory: Path, stack: ExitStack) -> dict[str, str]:
    """The settings of a case, and what they name."""
    (directory / "file").write_text("no database " * 100)
    (directory / "empty").mkdir()
    (directory / "empty" / "secret.key").touch()
    if case == "port taken":
        taken = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        return {"GATEWAY_BIND": f"127.0.0.1:{taken.getsockname()[1]}"}
    if case == "wrong password":
        return server_url(stack.enter_context(refusing()))
    return {
        "no such port": {"GATEWAY_BIND": "127.0.0.1:99999"},
        "unknown host": {"GATEWAY_BIND": "nowhere.invalid:8000"},
        "no host": {"GATEWAY_BIND": "a..b:8000"},
        "address of another machine": {"GATEWAY_BIND": "192.0.2.1:8000"},
        "folder that cannot be made": {"GATEWAY_DATA_DIR": f"{directory}/file/below"},
        "folder of files that cannot be made": {"GATEWAY_FILES_DIR": f"{directory}/file/below"},
        "database is a folder": {"GATEWAY_DATABASE_URL": f"sqlite:///{directory}"},
        "database is something else": {"GATEWAY_DATABASE_URL": f"sqlite:///{directory}/file"},
        "no database": {"GATEWAY_DATABASE_URL": f"sqlite:///{directory}/none.db"},
        "server is away": server_url(1),
        "valkey is away": {"GATEWAY_REDIS_URL": NO_VALKEY, "GATEWAY_LIMITS_WHEN_AWAY": "closed"},
        "no such valkey": {"GATEWAY_REDIS_URL": f"{NO_VALKEY}?socket_timeout=hushhush"},
        "no folder for numbers": {"PROMETHEUS_MULTIPROC_DIR": f"{directory}/none"},
        "no model": {"GATEWAY_MODEL": f"{directory}/none"},
        "key without a word": {"GATEWAY_DATA_DIR": f"{directory}/empty"},
    }[case]


SLOW = {"no model", "key without a word", "server is away", "address of another machine"}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.long if case in SLOW else ()) for case in CASES]
)
def test_serve_says_why_not(case: str, pattern: Path, tmp_path: Path) -> None:
    """serve ends with 1 and one line that names the setting and the cause, without a password or a trace."""
    (tmp_path / "gateway.db").write_bytes(pattern.read_bytes())
    with ExitStack() as stack:
        environ = environ_of(tmp_path, **settings_of(case, tmp_path, stack))
        done = commands.run(environ, ["serve"])

    *before, last = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert last.startswith("Error: ")
    assert all(word in last for word in CASES[case]), last
    assert all(line.startswith("feedback-gateway: ") for line in before), before
    assert "hushhush" not in done.stderr.decode()


@pytest.mark.parametrize(
    "words", [["key", "list"], *(pytest.param([word], marks=pytest.mark.long) for word in ("worker", "init"))]
)
@pytest.mark.parametrize(
    "case", ["database is a folder", "database is something else", "wrong password", "server is away"]
)
def test_commands_say_why_not(case: str, words: list[str], tmp_path: Path) -> None:
    """So do commands, the one that makes a database among them."""
    with ExitStack() as stack:
        environ = environ_of(tmp_path, **settings_of(case, tmp_path, stack))
        done = commands.run(environ, words)

    (line,) = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (1, b"")
    assert all(word in line for word in CASES[case]), line
    assert "hushhush" not in line


def test_somebody_elses_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port below 1024 that is not ours is told with what to do."""

    class Refusing(socket.socket):
        def bind(self, address: Any) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("socket.socket", Refusing)
    with pytest.raises(BadSetting, match=r"GATEWAY_BIND.*127\.0\.0\.1:80: Permission denied; ports below"):
        gunicorn_app._check_bind("127.0.0.1:80")


# Every command that acts on a database, with words that it takes.
WORDS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("migrate",): (),
    ("serve",): (),
    ("worker",): (),
    ("replay",): ("q_1",),
    ("project", "create"): ("App",),
    ("project", "list"): (),
    ("project", "learning"): ("prj_1",),
    ("project", "areas"): ("prj_1",),
    ("project", "learn"): ("prj_1",),
    ("project", "unlearn"): ("prj_1",),
    ("alerts", "mute"): ("s:Disk", "--more", "1"),
    ("alerts", "unmute"): ("s:Disk",),
    ("assign",): ("ada@example.test", "fb_1"),
    ("snooze",): ("fb_1",),
    ("wake",): ("fb_1",),
    ("view", "list"): (),
    ("view", "create"): ("Bugs", "category=bug"),
    ("view", "share"): ("view_1",),
    ("view", "delete"): ("view_1",),
    ("topic", "create"): ("prj_1", "Invoices"),
    ("topic", "list"): ("prj_1",),
    ("topic", "change"): ("top_1", "--name", "Bills"),
    ("topic", "merge"): ("top_1", "top_2"),
    ("topic", "delete"): ("top_1",),
    ("workspace", "callback-secret"): (),
    ("workspace", "change"): ("--runs-a-month", "5"),
    ("destination", "create"): ("webhook", "https://hooks.example/a"),
    ("destination", "list"): (),
    ("destination", "rotate"): ("dst_1",),
    ("destination", "test"): ("dst_1",),
    ("destination", "replay"): ("dst_1",),
    ("destination", "forget"): ("dst_1",),
    ("destination", "log"): ("dst_1",),
    ("destination", "change"): ("dst_1", "--ordered"),
    ("destination", "pause"): ("dst_1",),
    ("destination", "enable"): ("dst_1",),
    ("destination", "delete"): ("dst_1",),
    ("run", "start"): ("digest", "--input", "period=week"),
    ("run", "list"): (),
    ("run", "show"): ("run_1",),
    ("run", "cancel"): ("run_1",),
    ("digest",): (),
    ("retriage",): (),
    ("key", "create"): (),
    ("key", "list"): (),
    ("key", "revoke"): ("key_1",),
    ("key", "rotate"): ("key_1",),
    ("hook", "create"): ("github",),
    ("alerts", "list"): (),
    ("hook", "list"): (),
    ("hook", "change"): ("hk_1", "--option", "bots=true"),
    ("hook", "rotate"): ("hk_1",),
    ("hook", "delete"): ("hk_1",),
    ("user", "create"): ("a@b.test",),
    ("user", "list"): (),
    ("user", "reset-link"): ("a@b.test",),
    ("user", "role"): ("a@b.test", "viewer"),
    ("import",): ("setup.cfg",),
    ("export",): (),
    ("list",): (),
    ("search",): ("word",),
    ("show",): ("fb_1",),
    ("merge",): ("fb_1", "fb_2"),
    ("unmerge",): ("fb_1", "fb_2"),
    ("stats",): (),
    ("tail",): ("-n", "1"),
    ("erase",): ("--id", "a"),
    ("author-export",): ("--id", "a"),
    ("retention",): (),
    ("train",): ("--corrections", "--out", "{folder}/model"),
    ("copy",): ("--from", "sqlite:///{folder}/new/gateway.db", "--to", "sqlite:///{folder}/new/copy.db"),
}
NONE = {
    ("init",),
    ("triage",),
    ("evaluate",),
    ("technique", "list"),
    ("mail", "test"),
}  # makes one, or needs none


def leaves() -> set[tuple[str, ...]]:
    found = set(all_commands(main))
    return {words for words in found if not any(other[: len(words)] == words != other for other in found)}


@pytest.fixture(name="run")
def _run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """Runs commands on a database that is not there yet."""
    monkeypatch.setenv("GATEWAY_DATABASE_URL", f"sqlite:///{tmp_path}/new/gateway.db")
    monkeypatch.setenv("GATEWAY_BIND", "127.0.0.1:0")
    yield lambda *words: CliRunner().invoke(main, [word.format(folder=tmp_path) for word in words])
    close()


def test_only_init_makes_a_database(run: Callable[..., Result], tmp_path: Path) -> None:
    """Every other command says that there is none, where, and which command makes one; nothing is made."""
    assert leaves() == {*WORDS, *NONE}
    for words, more in WORDS.items():
        done = run(*words, *more)
        assert (done.exit_code, done.stdout) == (1, ""), words
        assert f"no database at {tmp_path}/new/gateway.db" in done.stderr, words
        assert len(done.stderr.splitlines()) == 1
        assert list(tmp_path.iterdir()) == []


def test_a_setting_that_is_none(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command warns of a variable that looks like a setting, and does what it was asked."""
    monkeypatch.setenv("GATEWAY_LOG_LEVL", "debug")
    done = run("init")

    assert done.exit_code == 0
    assert "Warning: GATEWAY_LOG_LEVL is no setting and is ignored" in done.stderr.splitlines()[0]


def test_which_database_is_meant(run: Callable[..., Result], tmp_path: Path) -> None:
    """init says whether it made one and where; what is not found there is told with its name."""
    new, again = run("init").stdout, run("init").stdout
    name = f"{tmp_path}/new/gateway.db"

    assert f"database  {name}\n" in new
    assert "is new and empty" in new
    assert "was there before" in again
    assert ("earlier links have ended" in new, "earlier links have ended" in again) == (False, True)
    for words in (
        ("key", "revoke", "x"),
        ("hook", "delete", "x"),
        ("show", "x"),
        ("user", "reset-link", "x"),
    ):
        assert name in run(*words).stderr
    assert name in run("train", "--corrections", "--out", "{folder}/model").stderr


def test_pending_migrations(run: Callable[..., Result], tmp_path: Path) -> None:
    """How many are pending is told, and what applies them; a file without a table is told otherwise."""
    (tmp_path / "new").mkdir()
    (tmp_path / "new/gateway.db").touch()
    assert "has no tables yet: run `feedback-gateway init`" in run("key", "list").stderr
    run("init")
    close()
    with sqlite3.connect(tmp_path / "new/gateway.db") as file:
        file.execute("DELETE FROM schema_migration WHERE name LIKE '0012%'")
        file.execute("DELETE FROM schema_migration WHERE name LIKE '0011%'")
    file.close()
    said = run("key", "list").stderr

    assert "has 2 pending migrations (0011_impacts, 0012_named): run `feedback-gateway migrate`" in said


@contextmanager
def printing_to(number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Has standard output be an open file."""
    with monkeypatch.context() as patch, os.fdopen(number, "w") as file:
        patch.setattr(sys, "stdout", file)
        yield


MORE = [["list"], ["stats"], ["key", "list", "--json"], ["triage", "a"]]


@pytest.mark.parametrize(
    "words",
    [["export"], ["key", "list"], *(pytest.param(words, marks=pytest.mark.long) for words in MORE)],
    ids=" ".join,
)
@pytest.mark.parametrize("closed", [False, True])
def test_nobody_takes_the_output(
    run: Callable[..., Result],
    words: list[str],
    closed: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A full disk and a closed pipe are told in a line, and nothing more as the process ends."""
    run("init")
    (tmp_path / "one.ndjson").write_text('{"text": "One report of mine"}')
    run("import", "{folder}/one.ndjson")
    reading, writing = os.pipe()
    os.close(reading)
    if not closed:
        os.close(writing)
        writing = os.open("/dev/full", os.O_WRONLY)
    with printing_to(writing, monkeypatch):
        code = _exit_code(words)
    said = capsys.readouterr().err

    cause = "Broken pipe" if closed else "No space left on device"
    assert code == 1
    assert f"Error: standard output: {cause}" in said.splitlines()[-1]


def _exit_code(words: list[str]) -> Any:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return ended.value.code


@pytest.mark.parametrize("what", ["copy", pytest.param("import", marks=pytest.mark.long), "export"])
def test_a_full_disk(
    run: Callable[..., Result], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has no room says so, by the name of the file, and not what failed because of that."""

    class Small(Sqlite):
        """A database whose disk is full after so many pages."""

        def __init__(self, path: Path, *args: Any) -> None:
            super().__init__(path, *args)
            if path.name == "small.db":
                self.pragma("max_page_count", 240, permanent=True)

    rows = tmp_path / "rows.ndjson"
    rows.write_text("".join(f'{{"text": "Report {n} of mine {"x" * 900}"}}\n' for n in range(300)))
    run("init")
    run("import", str(rows))
    close()
    monkeypatch.setattr("models.database.base.Sqlite", Small)
    if what == "copy":
        done = run(
            "copy", "--from", "sqlite:///{folder}/new/gateway.db", "--to", "sqlite:///{folder}/small.db"
        )
        name, cause = tmp_path / "small.db", "database or disk is full"
    elif what == "import":
        monkeypatch.setenv("GATEWAY_DATABASE_URL", f"sqlite:///{tmp_path}/small.db")
        run("init")
        done = run("import", str(rows))
        name, cause = tmp_path / "small.db", "database or disk is full"
    else:
        (tmp_path / ".out.ndjson.part").symlink_to("/dev/full")
        done = run("export", "-o", "{folder}/out.ndjson")
        name, cause = tmp_path / "out.ndjson", "No space left on device"
        assert [path.name for path in tmp_path.glob("*out*")] == []

    (line,) = done.stderr.splitlines()
    assert (done.exit_code, done.stdout) == (1, ""), done.output
    assert str(name) in line
    assert cause in line


# Runs in a process of its own, where these cannot be imported.
LEAN = """
import importlib.util, json, sys
from importlib.abc import MetaPathFinder

ABSENT = ("psycopg", "redis", "authlib", "joserfc", "requests", "sklearn", "scipy", "threadpoolctl")

class Blocker(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name.partition(".")[0] in ABSENT else real(name, *more)

from click.testing import CliRunner
from gateway.cli import main

told = []
for words, more in json.load(sys.stdin):
    done = CliRunner().invoke(main, words, env=more)
    told.append([done.exit_code, done.stderr])

from gateway.app import create_app
from gateway.core.config import Config
import gateway.background.themes as themes
from gateway.background.lease import run_once

client = create_app(Config.from_env()).test_client()
pages = [client.get(path).status_code for path in ("/sign-in", "/sign-in/elsewhere", "/readyz")]
worked = [run_once(themes.KEEP_FRESH), themes.keep_fresh(None), themes.keep_fresh(None)]
json.dump([told, pages, client.get("/readyz").json, worked], sys.stdout)
"""


@pytest.mark.long
def test_without_what_not_everybody_has(tmp_path: Path) -> None:
    """Without any extra and without scikit-learn everything else works, and each says what it needs."""
    (tmp_path / "text.csv").write_text("text,label\n")
    elsewhere = {
        "GATEWAY_OIDC_ISSUER": "https://accounts.example.com",
        "GATEWAY_OIDC_CLIENT_ID": "i",
        "GATEWAY_OIDC_CLIENT_SECRET": "s",
    }
    here = f"sqlite:///{tmp_path}/gateway.db"
    cases: list[tuple[list[str], dict[str, str], str]] = [
        (["init"], {}, ""),
        (["key", "list"], {}, ""),
        (["import", "setup.cfg", "--format", "ndjson"], {}, ""),
        (["stats"], {}, ""),
        (["serve"], {"GATEWAY_REDIS_URL": "redis://h"}, "'feedback-gateway[redis]'"),
        (["worker"], {"GATEWAY_REDIS_URL": "redis://h"}, "'feedback-gateway[redis]'"),
        (["key", "list"], elsewhere, "'feedback-gateway[oidc]'"),
        (["serve"], server_url(1), "'feedback-gateway[postgres]'"),
        (["copy", "--from", here, "--to", server_url(1)["GATEWAY_DATABASE_URL"]], {}, "[postgres]'"),
        (["train", "--data", str(tmp_path), "--out", str(tmp_path / "m")], {}, "scikit-learn"),
        (["train", "--corrections", "--out", str(tmp_path / "m")], {}, "scikit-learn"),
        (["evaluate", "--data", str(tmp_path)], {}, "scikit-learn"),
    ]
    done = subprocess.run(
        [sys.executable, "-c", LEAN],
        input=json.dumps([[words, more] for words, more, _ in cases]),
        env=environ_of(tmp_path),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    told, pages, ready, worked = json.loads(done.stdout)

    for (words, _, hint), (code, said) in zip(cases, told, strict=True):
        if hint:
            assert (code, len(said.splitlines())) == (1, 1), (words, said)
            assert "pip install" in said
            assert hint in said, (words, said)
        elif words[0] != "import":
            assert (code, said) == (0, ""), words
    off = "needs pip install scikit-learn scipy threadpoolctl"
    assert pages == [200, 404, 200]
    assert ready["checks"]["themes"] == f"off: {off}"
    assert worked[0]
    (line,) = done.stderr.splitlines()
    assert json.loads(line) | {"time": ""} == {
        "time": "",
        "level": "warning",
        "message": "themes are off",
        "reason": off,
    }


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////srv/x/gateway.db", "/srv/x/gateway.db"),
        ("sqlite:///var/g.db", f"{Path.cwd()}/var/g.db"),
        ("postgresql://u:hushhush@h:5432/n?sslmode=disable", "postgresql://u@h:5432/n"),
        ("postgresql://u:hush#hush@h/n", "postgresql://u@h/n"),
        ("postgres://h,i:1/n?password=hushhush", "postgres://h,i:1/n"),
        ("postgresql:///n?host=/run/pg&password=hushhush", "postgresql:///run/pg/n"),
        ("postgresql://", "postgresql://"),
    ],
)
def test_names_of_databases(url: str, shown: str) -> None:
    """A file is told by its whole path, a server without anything that may be a password."""
    assert named(url) == shown


def test_serve_says_how_to_get_in(server: Server) -> None:
    """After its address, last, serve says where a key and a link come from; before it, which database."""
    until(lambda: any("feedback-gateway init" in line for line in server.lines))
    listens = next(at for at, line in enumerate(server.lines) if "listens on" in line)

    assert f"database {server.directory}/gateway.db" in "".join(server.lines[:listens])
    assert "`feedback-gateway key create`" in "".join(server.lines[listens:])
    assert "open the link that was printed" in "".join(server.lines[listens:])


@pytest.mark.long
def test_serve_does_not_wait_for_valkey(tmp_path: Path) -> None:
    """Where limits may be uncounted a host that starts serves also while Valkey is away, and says so."""
    with running(tmp_path, GATEWAY_REDIS_URL=NO_VALKEY) as server, server.client() as client:
        assert client.post("/gateway/v1/feedback", json={"text": "Here"}).status_code == 201

    (told,) = [line for line in server.lines if "GATEWAY_REDIS_URL" in line]
    assert "Connection refused" in told
    assert "hushhush" not in "".join(server.lines)


def test_make_says_what_it_does() -> None:
    """The first `make serve` says that it installs, before it does, and that it has."""
    if shutil.which("make") is None:
        pytest.skip("needs make")
    done = subprocess.run(
        ["make", "-n", "-W", "setup.cfg", "serve"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    said, installed, served = (done.stdout.index(word) for word in ("takes a minute", "pip", "gateway serve"))

    assert said < installed < done.stdout.index("Installed.") < served
