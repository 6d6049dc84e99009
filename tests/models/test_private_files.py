"""What the gateway writes is for the user alone who runs it, whatever the umask and the folder."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.core.config import BadSetting, Config
from gateway.core.storage import close_files
from gateway.server import gunicorn_app
from gateway.triage.model import SHIPPED
from gateway.triage.training.install import install
from gateway.triage.training.model_file import write_model
from models.database.base import close
from models.database.private_files import close_to_others, make_file, make_folder
from tests.conftest import ROOT, environ_of, running, until

MASKS = [0o000, pytest.param(0o022, marks=pytest.mark.long)]


@pytest.fixture(name="mask", params=MASKS, ids=oct)
def _mask(request: pytest.FixtureRequest) -> Iterator[int]:
    """What the shell that starts a gateway takes from the modes of files."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def open_to_others(folder: Path) -> dict[str, str]:
    """What others may do with the files and folders below one, where they may do anything."""
    found = {str(path.relative_to(folder)): path.lstat().st_mode for path in folder.rglob("*")}
    return {name: oct(mode) for name, mode in found.items() if mode & 0o077 and not stat.S_ISLNK(mode)}


@pytest.fixture(name="run")
def _run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", f"sqlite:///{tmp_path}/far/away/gateway.db")
    yield lambda *words: CliRunner().invoke(main, [word.format(folder=tmp_path) for word in words])
    close()


def test_commands(mask: int, run: Callable[..., Result], tmp_path: Path) -> None:
    """init, import with a rejected row, export and copy make files of 0600 in folders of 0700."""
    rows = tmp_path / "rows.ndjson"
    rows.write_text('{"text": "One report of mine"}\n{"text": 5}\n')
    rows.chmod(0o600)
    for words in (
        ("init",),
        ("hook", "create", "alertmanager"),
        ("import", str(rows)),
        ("export", "-o", "{folder}/out.csv"),
        (
            "copy",
            "--from",
            "sqlite:///{folder}/far/away/gateway.db",
            "--to",
            "sqlite:///{folder}/b/c/copy.db",
        ),
    ):
        assert run(*words).exit_code == (1 if words[0] == "import" else 0)

    made = {path.name for path in tmp_path.rglob("*")}
    assert {"gateway.db", "secret.key", "rows.ndjson.rejected.ndjson", "out.csv", "copy.db"} <= made
    assert open_to_others(tmp_path) == {}
    assert os.umask(mask) == mask  # commands leave it to others as it was


@pytest.mark.long
def test_serving(mask: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So does serve with its background worker: database, log and shared memory, counts, queue, numbers."""
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o700)
    with running(tmp_path, GATEWAY_BACKGROUND="on", GATEWAY_WORKERS="1", TMPDIR=str(shared)) as server:
        body = {"text": "One report of mine"}
        post = f"{server.url}/gateway/v1/feedback"
        assert httpx.post(post, json=body, headers=server.headers).status_code == 201
        assert httpx.post(post, json=body, headers={"Authorization": "Bearer x"}).status_code == 401
        names = ("db", "db-wal", "db-shm", "db.lock", "limits", "failures", "queue")
        until(lambda: {f"gateway.{name}" for name in names} <= {path.name for path in tmp_path.iterdir()})
        (numbers,) = Path("/dev/shm").glob(f"feedback-gateway-{os.getuid()}-{server.process.pid}-*")
        assert open_to_others(numbers) == {}
        assert numbers.stat().st_mode & 0o077 == 0
        (tmp_path / "key").chmod(0o600)  # the test's own
        assert open_to_others(tmp_path) == {}


def test_training(tmp_path: Path) -> None:
    """So are a model, which has words of feedback in it, and its folders; a full disk is told by file."""
    before = os.umask(0o077)
    try:
        write_model(tmp_path / "a" / "b", {}, {"version": "x"})
        install(SHIPPED, tmp_path / "c" / "d", {})
        install(SHIPPED, tmp_path / "c" / "d", {"corrections": 1})
    finally:
        os.umask(before)
    assert {path.suffix for path in (tmp_path / "c" / "d").iterdir()} == {".npz", ".json"}
    assert open_to_others(tmp_path) == {}
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "model.npz").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"No space left on device: '.*model\.npz'"):
        write_model(tmp_path / "full", {}, {"version": "x"})


def test_folders_above(tmp_path: Path) -> None:
    """Every folder and file that is made is closed, whatever the mask; what is there stays as it is."""
    before = os.umask(0)
    try:
        (tmp_path / "shared").mkdir(mode=0o755)
        make_folder(tmp_path / "shared" / "a" / "b")
        make_file(tmp_path / "shared" / "a" / "file")
        make_folder(tmp_path / "shared")
    finally:
        os.umask(before)
    assert open_to_others(tmp_path) == {"shared": "0o40755"}


def test_files_of_before(run: Callable[..., Result], tmp_path: Path) -> None:
    """Files that were made open to others are closed by the next init or serve, which says so once."""
    run("init")
    run("hook", "create", "alertmanager")  # makes the key
    name = tmp_path / "far/away/gateway.db"
    for path in (name, name.with_name("secret.key")):
        path.chmod(0o644)
    first, second = run("init").stderr, run("init").stderr

    assert open_to_others(tmp_path) == {}
    assert sorted(first.splitlines()) == sorted(
        f"Warning: {path} was open to other users of this machine, and is no more"
        for path in (name, name.with_name("secret.key"))
    )
    assert second == ""
    name.parent.chmod(0o707)
    (line,) = run("init").stderr.splitlines()
    assert line == f"Warning: {name.parent} can be written to by every user of this machine (chmod go-w)"
    name.parent.chmod(0o1707)  # as /tmp
    assert run("init").stderr == ""


def test_every_own_file_is_known(tmp_path: Path) -> None:
    """Whatever serve made in its folder is among the files that are closed."""
    config = Config(database_url=f"sqlite:///{tmp_path}/gateway.db")
    names = {path.name for path in config.own_files}

    assert {"gateway.db", "gateway.db-wal", "gateway.limits", "gateway.queue", "secret.key"} <= names
    assert close_to_others(config.own_files) == {}


def test_files_that_are_not_ours_to_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's file is told as it is, and a link is followed by nobody."""
    config = Config(database_url=f"sqlite:///{tmp_path}/gateway.db")
    (tmp_path / "mine").touch(0o644)
    (tmp_path / "gateway.queue").symlink_to(tmp_path / "mine")
    assert close_files(config) == []

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("not yours")

    (tmp_path / "gateway.db").touch(0o644)
    monkeypatch.setattr(Path, "chmod", refuse)
    assert close_files(config) == [
        f"{tmp_path}/gateway.db is open to other users of this machine, "
        "and its owner has to close it (chmod 600)"
    ]


@pytest.mark.long
def test_a_wsgi_server(pattern: Path, tmp_path: Path) -> None:
    """Under somebody else's WSGI server the same holds, and no database is made."""
    environ = environ_of(tmp_path)
    command = [sys.executable, "-c", "import os; os.umask(0); import wsgi; print(oct(os.umask(0)))"]
    missing = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "no database at" in missing.stderr
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "gateway.db").write_bytes(pattern.read_bytes())
    there = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)

    assert there.stdout == "0o77\n"
    assert open_to_others(tmp_path) == {}


@pytest.fixture(name="memory")
def _memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of /dev/shm."""
    (tmp_path / "memory").mkdir()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(gunicorn_app, "SHARED_MEMORY", str(tmp_path / "memory"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.delenv(gunicorn_app.METRICS, raising=False)
    return tmp_path / "memory"


def test_a_strangers_folders(memory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What others put where our folders would be stops nothing and is not touched; our dead ones go."""
    prefix = f"feedback-gateway-{os.getuid()}-"
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "precious").touch()
    dead = 2**22 + 1  # no process has such a number
    kept = [f"{prefix}foo", f"{prefix}", f"{prefix}1-x", f"{prefix}٣-x", f"{prefix}{'9' * 30}-x"]
    for name in kept:
        (memory / name).mkdir()
    (memory / f"{prefix}{dead}-file").touch()
    (memory / f"{prefix}{dead}-link").symlink_to(victim)
    (memory / f"{prefix}{dead}-ours").mkdir()
    with gunicorn_app._metrics_directory():
        made = Path(os.environ[gunicorn_app.METRICS])
        assert (made.parent, made.stat().st_mode & 0o777) == (memory, 0o700)
        assert made.stat().st_uid == os.getuid()
    left = {path.name for path in memory.iterdir()}

    assert left == {*kept, f"{prefix}{dead}-file", f"{prefix}{dead}-link"}
    assert (victim / "precious").exists()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    (memory / f"feedback-gateway-12345-{dead}-theirs").mkdir()
    gunicorn_app._forget_dead()
    assert (memory / f"feedback-gateway-12345-{dead}-theirs").exists()


def test_no_shared_memory(memory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is none, or no room, temporary files do, and a line says so."""
    memory.rmdir()
    memory.touch()
    with gunicorn_app._metrics_directory():
        made = Path(os.environ[gunicorn_app.METRICS])
        assert made.parent.name == "tmp"

    assert f"no folder in {memory} (Not a directory), numbers are in {made}" in capsys.readouterr().err


def test_a_folder_for_numbers_that_is_none(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator's folder must be one."""
    monkeypatch.setenv(gunicorn_app.METRICS, str(memory / "none"))
    with pytest.raises(BadSetting, match=gunicorn_app.METRICS), gunicorn_app._metrics_directory():
        raise AssertionError("served")
