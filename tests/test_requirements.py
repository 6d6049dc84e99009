"""What is imported is declared, what is declared is locked, and the lock is used wherever we install."""

from __future__ import annotations

import ast
import configparser
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

OURS = ("adapters", "gateway", "models", "tests", "benchmarks", "wsgi")
PYTHONS = ("3.11", "3.12", "3.13")
# What only some installations have, by the module that imports it; the tests' extra has all but the encoder.
EXTRAS = {
    "models/database/postgres.py": "postgres",
    "models/database/postgres_connections.py": "postgres",
    "gateway/rate_limits/redis_counter.py": "redis",
    "gateway/files/s3.py": "s3",
    "gateway/destinations/by_kind/apprise.py": "apprise",
    "gateway/inbox/oidc.py": "oidc",
    "gateway/triage/second_reader.py": "meaning",
}
# Compared with where it happens to be installed.
COMPARED = {("benchmarks/similar.py", "datasketch"), ("tests/clients/bolt_app.py", "slack_bolt")}
LATER = {
    (f"gateway/http/{name}.py", "compression") for name in ("body", "body_stream")
}  # standard in Python 3.14
LOCKED = "PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt"
LOCK = (ROOT / "constraints.txt").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
PIN = re.compile(r"([a-z0-9-]+)==([0-9][a-z0-9.]*)(?: ; ([a-z0-9_.'<>=!() ]+))?", re.I)
# Why a pin is there, in one line or several: others that are pinned, or what is ours to ask for.
WHY = re.compile(r"    #( via|(   | via )([a-z0-9-]+|feedback-gateway \(setup\.cfg\)))")

installed = cache(packages_distributions)


@dataclass(frozen=True)
class Pin:
    """One line of constraints.txt."""

    name: str
    version: str
    marker: Marker | None

    def holds_for(self, python: str) -> bool:
        """Whether it counts on Linux with this Python."""
        about = {"python_version": python, "python_full_version": f"{python}.4", "sys_platform": "linux"}
        return self.marker is None or self.marker.evaluate(dict(about))


@cache
def asked() -> dict[str, list[Requirement]]:
    """What setup.cfg asks for: always ("base"), and by extra."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    texts = {"base": config["options"]["install_requires"], **config["options.extras_require"]}
    return {extra: [Requirement(line) for line in text.split("\n") if line] for extra, text in texts.items()}


def pins() -> list[Pin]:
    """Every pin; the lines between them say only why it is there. Fails for any other line."""
    found = []
    for line in LOCK.splitlines()[2:]:
        if pin := PIN.fullmatch(line):
            found.append(Pin(canonicalize_name(pin[1]), pin[2], Marker(pin[3]) if pin[3] else None))
        else:
            assert WHY.fullmatch(line), line
    return found


def imported(path: str) -> Iterator[str]:
    """The top-level packages of others that a file imports when it runs, anywhere in it."""
    waiting: list[ast.AST] = [ast.parse((ROOT / path).read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        for name in names:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top not in OURS:
                yield top
        waiting += ast.iter_child_nodes(node)


def declared(path: str) -> set[str]:
    """The names of what a file may import."""
    extra = "test" if path.startswith(("tests/", "benchmarks/")) else EXTRAS.get(path, "base")
    return {canonicalize_name(one.name) for one in [*asked()["base"], *asked()[extra]]}


@pytest.mark.parametrize("folder", OURS)
def test_imports_are_declared(folder: str) -> None:
    """Whatever a file imports is in setup.cfg, where those who run that file install it from."""
    missing = set()
    for file in [*(ROOT / folder).rglob("*.py"), *ROOT.glob(f"{folder}.py")]:
        path = str(file.relative_to(ROOT))
        for name in imported(path):
            packages = installed().get(name, [name])
            if not {canonicalize_name(one) for one in packages} & declared(path):
                missing.add((path, name))

    assert missing - COMPARED - LATER == set()


def test_nothing_is_declared_twice() -> None:
    """Every set names a package once, however it is spelled, and asks for a least release of it."""
    for extra, requirements in asked().items():
        names = [canonicalize_name(one.name) for one in requirements]
        assert len(names) == len(set(names)), extra
        assert all(">=" in str(one.specifier) for one in requirements), extra


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_fits(python: str) -> None:
    """Each requirement, and what builds this package, has one pin on each Python, in its range."""
    building = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    pinned: dict[str, str] = {}
    for pin in pins():
        if pin.holds_for(python):
            assert pin.name not in pinned
            pinned[pin.name] = pin.version

    for one in [*map(Requirement, building), *(one for some in asked().values() for one in some)]:
        name = canonicalize_name(one.name)
        assert name in pinned, f"{one} is not pinned: run `make lock`"
        assert one.specifier.contains(pinned[name]), f"{one} is pinned to {pinned[name]}: run `make lock`"


def test_the_lock_names_no_machine() -> None:
    """Of where it was made the lock says only `make lock`: no index, no path, no option of pip's."""
    assert LOCK.splitlines()[1] == "#    make lock"
    assert pins()  # and every other line is a pin or says why one is there
    assert not re.search(r"[/@\\]|^-", LOCK, re.M)


def test_make_uses_the_lock() -> None:
    """Whatever make installs comes with the lock, and anew with a new one, but for `make test-newest`."""
    installs = [line for line in MAKEFILE.splitlines() if re.search(r"\binstall\b.* (-|\w)", line)]
    unlocked = [line for line in installs if line.startswith("\t") and not line.startswith("\t$(PIP) ")]

    assert f"\nLOCKED := {LOCKED}\n" in MAKEFILE
    assert re.search(r"^PIP := \$\(LOCKED\) ", MAKEFILE, re.M)
    assert re.search(r"^\.venv/base:.* constraints\.txt$", MAKEFILE, re.M)
    for target, needs in {"test": "base", "lint": "test"}.items():
        assert f"\n.venv/{target}: .venv/{needs}\n" in MAKEFILE
    for target, needs in {"serve": "base", "test": "test", "test-long": "test", "lint": "lint"}.items():
        assert re.search(rf"^{target}: \.venv/{needs} ##", MAKEFILE, re.M), target
    assert len(unlocked) == 1
    assert ".venv-newest/" in unlocked[0]


def test_newest_is_tested() -> None:
    """`make test-newest` looks at borrowed names first, and the other tests that it names are there."""
    (names,) = re.findall(r"^NEWEST := ((?:.*\\\n)*.*)$", MAKEFILE, re.M)

    assert "/pytest --noconftest tests/test_borrowed_names.py\n" in MAKEFILE
    found = re.findall(r"\S+\.py", names)
    assert found
    for name in found:
        assert (ROOT / name).exists(), name


def test_the_image_uses_the_lock() -> None:
    """The image is built with the lock."""
    text = (ROOT / "Dockerfile").read_text()

    assert re.search(r"^COPY .*\bconstraints\.txt\b", text, re.M)
    assert re.search(rf"^RUN .*\\\n    && {LOCKED} \S+/pip install ", text, re.M)


def test_documents_use_the_lock() -> None:
    """Who installs the gateway as the documents say does it with the lock."""
    installs = 0
    for page in [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]:
        for block in re.findall(r"```\w*\n(.*?)```", page.read_text(), re.S):
            if re.search(r"pip install .*(feedback-gateway\b|'\.)", block):
                installs += 1
                assert f"export {LOCKED}\n" in block, page

    assert installs
