"""What the documents say of the code is so: its names, files, commands, settings and imports."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path

import click
import pytest

from gateway.cli import main
from gateway.core.config import Config
from tests.conftest import ROOT

PAGES = [page for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")) if page.name != "CHANGELOG.md"]
TRUNK = [path for top in ("adapters", "gateway", "models") for path in ROOT.glob(f"{top}/**/*.py")]
TESTS = [*ROOT.glob("tests/**/*.py")]
SETTINGS = {f"GATEWAY_{field.name.upper()}" for field in fields(Config)}
# Files that readers have or get.
THEIRS = {
    *("report.py", "slack_relay.py", "discord_relay.py", "FILE.rejected.ndjson", "map.json", "previous.json"),
    *("response.json", "gateway.json", "gateway.db.lock", "broken.png"),
}
# Variables of programs that send to the gateway.
SENDERS = {"GATEWAY_URL", "GATEWAY_KEY"}


@cache
def read(path: str | Path) -> str:
    return (ROOT / path).read_text()


@cache
def files() -> frozenset[str]:
    """Every file of the tree by its path and by each end of that."""
    tops = ("adapters", "benchmarks", "deploy", "docs", "gateway", "models", "tests")
    found = [path for top in tops for path in (ROOT / top).rglob("*.*")] + [*ROOT.glob("*.*")]
    paths = [path.relative_to(ROOT).parts for path in found]
    return frozenset("/".join(parts[start:]) for parts in paths for start in range(len(parts)))


@cache
def words() -> frozenset[str]:
    """Every word of the sources, but for those of tests' fixtures."""
    found = [*TRUNK, *TESTS, *ROOT.glob("benchmarks/*.py"), ROOT / "setup.cfg", ROOT / "Makefile"]
    return frozenset(word for path in found for word in re.findall(r"\w+", read(path)))


def missing_files(page: Path) -> Iterator[str]:
    """Paths and names of files in a page that lead nowhere."""
    kinds = "py|md|yaml|cfg|toml|txt|json|po|service|ndjson|png"
    text = read(page)
    named = re.findall(rf"(?<![\w./<>@:-])((?:[\w.-]+/)*[\w.-]+\.(?:{kinds}))\b(?![\w/])", text)
    yield from (name for name in named if name not in files() and not (page.parent / name).exists())
    for name in re.findall(r"`((?:gateway|models|adapters|tests|benchmarks|docs|deploy)/[\w./-]*)`", text):
        if not (ROOT / name).exists():
            yield name
    for name in re.findall(r"python -m ((?:gateway|tests|benchmarks)[\w.]*)", text):
        path = name.replace(".", "/")
        if not (ROOT / f"{path}.py").exists() and not (ROOT / path / "__main__.py").exists():
            yield name


def missing_modules(text: str) -> Iterator[str]:
    """Dotted names of ours, of three parts and more or in backticks, that nothing has."""
    ours = r"(?:gateway|models|adapters|tests|benchmarks)"
    for name in re.findall(rf"(?<![\w./@\"'-])({ours}(?:\.[a-z_]\w*)+(?:\.[A-Z]\w*)?)(?![\w(/-])", text):
        path, rest = ROOT, name.split(".")
        while rest and (path / rest[0]).is_dir():
            path /= rest.pop(0)
        if rest and (path / f"{rest[0]}.py").exists():
            path /= f"{rest.pop(0)}.py"
        source = path if path.suffix else path / "__init__.py"
        if path.parent == ROOT and name.count(".") == 1:  # a file's name, such as gateway.db, or a variable's
            continue
        if rest and not re.search(rf"\b{rest[0]}\b", read(source)):
            yield name


def missing_names(text: str) -> Iterator[str]:
    """Identifiers in backticks that occur nowhere in the sources."""
    prose = re.sub(r"```.*?```", "", text, flags=re.S)
    for name in re.findall(r"`([A-Za-z_][\w.]*)(?:\([^`]*\))?`", prose):
        yield from (word for word in re.findall(r"\w+", name) if word not in words())


def command_lines(text: str) -> Iterator[list[str]]:
    """The words behind `feedback-gateway` wherever a page shows a command, without what is optional."""
    text = re.sub(r"<!--.*?-->", "", text.replace("\\\n", " "))
    shown = [line for block in re.findall(r"```(?:sh|)\n(.*?)```", text, re.S) for line in block.splitlines()]
    shown += re.findall(r"^ {4}(\S.*)$", text, re.M)
    shown += re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
    for line in shown:
        found = re.search(r"(?:^|[\s/])feedback-gateway(?::\d)? (?!as |-- )([a-z].*)$", line)
        if found:
            command = re.split(r" [>|&#]", found[1])[0]
            yield [word.strip("[]") for word in shlex.split(command)]


def fault(line: list[str]) -> str:
    """Why a command line is none; empty when it is one."""
    command: click.Command = main
    context = click.Context(main)
    left = list(line)
    while isinstance(command, click.Group) and left:
        found = command.commands.get(name := left.pop(0))
        if found is None:
            return f"no command {name}"
        command, context = found, click.Context(found, parent=context)
    try:
        given, _, _ = command.make_parser(context).parse_args(left)
        for option in command.params:
            value = given.get(option.name or "")
            if isinstance(option.type, click.Choice) and isinstance(value, str) and not value.isupper():
                option.type.convert(value, option, context)
    except click.UsageError as error:
        return error.format_message()
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_names_exist(page: Path) -> None:
    """Whatever a page names of ours is there: files, modules, settings and commands."""
    text = read(page)
    named = set(re.findall(r"\bGATEWAY_[A-Z_]+[A-Z]\b", text))
    settings = {name if name in SETTINGS else name.removesuffix("_FILE") for name in named}
    faults = [f"{' '.join(line)}: {why}" for line in command_lines(text) if (why := fault(line))]

    assert sorted({*missing_files(page), *missing_modules(text)} - THEIRS) == []
    assert sorted(settings - SETTINGS - SENDERS) == []
    assert faults == []


def test_commands_are_read() -> None:
    """Commands are found in the pages, and those of README's table are commands as well."""
    assert sum(len(list(command_lines(read(page)))) for page in PAGES) > 60
    table = read("README.md").partition("## Commands")[2].partition("## Promises")[0]
    cells = [row.split(" | ")[0] for row in table.splitlines() if row.startswith("| `")]
    assert len(cells) > 15
    assert [line for cell in cells for line in re.findall(r"`([^`]+)`", cell) if fault(line.split())] == []


@pytest.mark.parametrize(
    "name",
    ["CONTRIBUTING.md", *(f"docs/{n}.md" for n in ("architecture", "connections", "themes", "triage"))],
)
def test_identifiers_exist(name: str) -> None:
    """What the pages for whoever changes the gateway put in backticks occurs in its sources."""
    assert sorted(set(missing_names(read(name)))) == []


def test_comments_name_what_exists() -> None:
    """Modules that docstrings and comments name are there."""
    found = {f"{path.relative_to(ROOT)}: {n}" for path in TRUNK for n in missing_modules(read(path))}
    assert sorted(found) == []


@pytest.mark.parametrize(
    "text",
    [
        "`feedback-gateway hook mend`",
        "`feedback-gateway list --colour`",
        "```sh\nfeedback-gateway export --format xml\n```",
        "`gateway/access/oidc.py`",
        "see `connexion.py`",
        "`python -m benchmarks.nothing`",
        "`models.tables.theme.forget`",
        "`GATEWAY_NOTHING`",
    ],
)
def test_what_is_stale_is_found(tmp_path: Path, text: str) -> None:
    """A command, option, choice, file, module or setting that is gone fails."""
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(AssertionError):
        test_names_exist(page)


@pytest.mark.parametrize(
    ("library", "places"),
    [
        ("flask", {"app.py", "http", "inbox", "routes.py"}),
        ("werkzeug", {"http", "inbox", "routes.py", "server"}),
        ("gunicorn", {"server"}),
        ("gevent", {"core", "server"}),
    ],
)
def test_who_knows_which_library(library: str, places: set[str]) -> None:
    """As docs/architecture.md says: Flask, gunicorn and gevent are known in these places and in no other."""
    users = [path for path in TRUNK if re.search(rf"^ *(?:from|import) {library}\b", read(path), re.M)]

    assert {path.relative_to(ROOT / "gateway").parts[0] for path in users} == places
    assert {path.name for path in users if path.parent.name == "core"} <= {"cooperative.py"}


# By why they are not frozen. What is made for every request is quick to make and changed by nobody.
QUICK = "Claim Entry Labels Record Reply Request Saved Scores Stored Telling Text Write"
FILLED = "Family Group Import Inbound Meant Outcome Pooled StoryState Sums Tally Task Told _Reading _Taken"


def test_dataclasses_are_frozen() -> None:
    """All but those that are listed above, which CONTRIBUTING.md tells why."""
    made = [
        found
        for path in TRUNK
        for found in re.findall(r"^@dataclass(.*)\n(?:@.*\n)*class (\w+)", read(path), re.M)
    ]
    loose = [name for how, name in made if "frozen=True" not in how]

    assert len(made) > 50
    assert sorted(loose) == sorted([*QUICK.split(), *FILLED.split()])


def test_tests_sleep_between_looks_only() -> None:
    """A sleep in a test stands in a loop that looks whether something has happened."""

    def sleeps(node: ast.AST) -> Iterator[int]:
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".sleep"):
            yield node.lineno
        for inner in ast.iter_child_nodes(node):
            if not isinstance(inner, ast.While):
                yield from sleeps(inner)

    found = {path.name: [*sleeps(ast.parse(read(path)))] for path in TESTS if ".sleep(" in read(path)}
    assert {name: lines for name, lines in found.items() if lines} == {}
