"""What every test may ask for: an application in this process, or a real server in its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings
from werkzeug.test import TestResponse

from gateway.access import bootstrap
from gateway.access.api_keys import create_key
from gateway.app import create_app
from gateway.core.config import Config
from models.database.base import close
from models.intake import commit
from tests import commands, postgres, remembered

# A busy machine is no failure. What needs more examples says so.
settings.register_profile("gateway", deadline=None, max_examples=50)
settings.load_profile("gateway")

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
PLENTY = "100000000/minute"
LONG_SECONDS = 3_600  # what a long test may take; setup.cfg has the others' limit


def until(what: Callable[[], Any], seconds: float = 60) -> Any:
    """What is true at last, as another process makes it; fails when that does not happen."""
    end = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.02)
    return answer


@dataclass
class Tenant:
    """A workspace, its default project and a key that may do everything there."""

    workspace_id: str
    project_id: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


def make_tenant(name: str | None = None) -> Tenant:
    """A new workspace in the bound database, which has today's schema."""
    made = bootstrap.create_workspace(name, None)
    return Tenant(made["workspace_id"], made["project_id"], made["key"])


def pytest_configure() -> None:
    remembered.keep_files_in_memory()
    remembered.collect_seldom()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs what is marked `both` on each kind of database; with `both(long=True)` the second one is long."""
    if "kind" in metafunc.fixturenames and (both := metafunc.definition.get_closest_marker("both")):
        marks = [pytest.mark.long] if both.kwargs.get("long") else []
        kinds = ["sqlite", pytest.param("postgres", marks=marks)]
        metafunc.parametrize("kind", kinds, indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A long test may take longer before it is taken for hanging."""
    for item in items:
        if item.get_closest_marker("long") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LONG_SECONDS))


def pytest_collection_finish() -> None:
    remembered.forget_garbage()


@pytest.fixture(autouse=True, scope="session")
def _quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Applications of this process share what is made alike, and wait for no disk."""
    with (
        remembered.compiling_once(tmp_path_factory.mktemp("compiled")),
        remembered.unsynced(),
        remembered.hashing_quickly(),
        remembered.trusting_once(),
    ):
        yield


@pytest.fixture(name="pattern", scope="session")
def _pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedded database with today's schema, for copies."""
    return remembered.migrated(tmp_path_factory.mktemp("pattern") / "gateway.db")


@pytest.fixture(name="kind", scope="session")
def _kind(request: pytest.FixtureRequest) -> str:
    """Which kind of database a test is about."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture(name="cluster", scope="session")
def _cluster() -> Iterator[postgres.Cluster]:
    """One PostgreSQL server, shared by the tests of this process."""
    with postgres.running() as cluster:
        yield cluster


@pytest.fixture(name="database_url")
def _database_url(kind: str, pattern: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of the test's own with today's schema and no row."""
    if kind == "sqlite":
        yield remembered.copied(pattern, tmp_path)
        return
    with request.getfixturevalue("cluster").database() as url:
        yield url


@pytest.fixture(name="config")
def _config(database_url: str, tmp_path: Path) -> Config:
    return config_of(database_url, tmp_path)


def config_of(database_url: str, directory: Path) -> Config:
    """The settings of a gateway on a database whose own files are in a directory."""
    return Config(
        database_url=database_url,
        data_dir=str(directory),
        secret_key="" if database_url.startswith("sqlite") else postgres.SECRET,
        rate_limit=PLENTY,
        failure_limit=PLENTY,
        log_level="error",
    )


@pytest.fixture(name="module_config", scope="module")
def _module_config(
    kind: str, pattern: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Config]:
    """The settings of one gateway for all tests of a module."""
    directory = tmp_path_factory.mktemp("gateway")
    if kind == "sqlite":
        yield config_of(remembered.copied(pattern, directory), directory)
        return
    with request.getfixturevalue("cluster").database() as url:
        yield config_of(url, directory)


@pytest.fixture(name="app")
def _app(config: Config) -> Iterator[Flask]:
    app = create_app(config)
    yield app
    commit.stop()
    close()
    vars(app).clear()  # its parts point at each other: else the collector has to find out that they may go


@pytest.fixture(name="client")
def _client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(name="tenant")
def _tenant(app: Flask) -> Tenant:
    return make_tenant()


@pytest.fixture(name="other")
def _other(tenant: Tenant) -> Tenant:
    """A second workspace in the same gateway."""
    return make_tenant("Other")


Call = Callable[..., TestResponse]


@pytest.fixture(name="call")
def _call(client: FlaskClient, tenant: Tenant) -> Call:
    """Sends one request with the tenant's key: call("POST", path, json=..., headers=...)."""

    def call(
        method: str, path: str, *, headers: dict[str, str] | None = None, **options: Any
    ) -> TestResponse:
        return client.open(path, method=method, headers={**tenant.headers, **(headers or {})}, **options)

    return call


@pytest.fixture(name="new_key")
def _new_key(tenant: Tenant) -> Callable[..., str]:
    """Makes a key of the tenant's workspace: new_key(scopes=["ingest"], rate_limit="2/minute")."""

    def new_key(project_id: str | None = None, **options: Any) -> str:
        return create_key(tenant.workspace_id, project_id, **options)[1]

    return new_key


@dataclass
class Server:
    """A running `feedback-gateway serve`, its database and its first key."""

    url: str
    tenant: Tenant
    directory: Path
    environ: dict[str, str]
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        return self.tenant.headers

    def run(self, *words: str) -> dict[str, Any]:
        """Runs a command of the gateway against this server's database and returns its JSON."""
        return run_command(self.environ, *words)

    def new_key(self, *options: str) -> str:
        """A new key: server.new_key("--rate-limit", "2/minute")."""
        return str(self.run("key", "create", *options)["key"])

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=30, **options)

    @contextmanager
    def posting(self) -> Iterator[Callable[..., httpx.Response]]:
        """`post` for many threads, each of which has a client of its own.

        The pool of httpx, shared, at times closes a connection that it has just given to another thread.
        """
        own = threading.local()
        with ExitStack() as clients:

            def post(path: str, **options: Any) -> httpx.Response:
                if not hasattr(own, "client"):
                    own.client = clients.enter_context(self.client(verify=False))
                answer: httpx.Response = own.client.post(path, **options)
                return answer

            yield post


def run_command(environ: dict[str, str], *words: str) -> dict[str, Any]:
    """Runs a command of the gateway, which must succeed, and returns its JSON."""
    done = commands.run(environ, [*words, "--json"])
    assert done.returncode == 0, done.stderr.decode()
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def environ_of(directory: Path, **settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    return {
        **kept,
        "GATEWAY_DATABASE_URL": f"sqlite:///{directory}/gateway.db",
        "GATEWAY_DATA_DIR": str(directory),
        "GATEWAY_RATE_LIMIT": PLENTY,
        "GATEWAY_FAILURE_LIMIT": PLENTY,
        "GATEWAY_BIND": "127.0.0.1:0",
        "GATEWAY_LOG_LEVEL": "warning",
        "GATEWAY_BACKGROUND": "off",  # tests that need it say so
        **settings,
    }


@contextmanager
def running(directory: Path, launch: Mapping[str, Any] | None = None, **settings: str) -> Iterator[Server]:
    """A server on a free port until the block ends; `settings` are environment variables.

    With `launch` it serves with other constants (benchmarks/launch.py).
    """
    environ = environ_of(directory, **settings)
    command = ["gateway.cli", "serve"]
    if launch is not None:
        command = ["benchmarks.launch"]
        environ["LAUNCH"] = json.dumps(launch)
    made = run_command(environ, "init")
    known = directory / "key"
    if made["key"]:
        known.write_text(made["key"])
    tenant = Tenant(made["workspace_id"], made["project_id"], known.read_text())
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        env=environ,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    server = Server("", tenant, directory, environ, process)
    assert process.stderr is not None
    for line in process.stderr:
        server.lines.append(line)
        if found := re.search(r"listens on (http://\S+)", line):
            server.url = found[1]
            break
    assert server.url, "".join(server.lines)
    reader = threading.Thread(target=lambda: server.lines.extend(process.stderr or ()), daemon=True)
    reader.start()
    try:
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
        reader.join(timeout=10)
        process.stderr.close()


@pytest.fixture(name="server", scope="session")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One running gateway, shared by the tests of this process."""
    with running(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(name="each_server")
def _each_server(kind: str, request: pytest.FixtureRequest) -> Server:
    """A running gateway on each kind of database, where the test is marked `both`."""
    found: Server = request.getfixturevalue("server" if kind == "sqlite" else "postgres_server")
    return found


@pytest.fixture(name="postgres_server", scope="session")
def _postgres_server(cluster: postgres.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running gateway on PostgreSQL, shared by the tests of this process."""
    directory = tmp_path_factory.mktemp("server")
    with cluster.database() as url, running(directory, **postgres.settings(url)) as server:
        yield server
