"""The documents say what the program does: README's examples are run, tables are compared."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import fields
from typing import Any

import pytest
import yaml

import adapters
from adapters.contract import Problem
from gateway import __version__
from gateway.api import filters
from gateway.cli import main
from gateway.core.config import Config
from gateway.destinations import found_kinds
from models.tables import outbox
from tests.conftest import ROOT, Server
from tests.sources import PAGE, table

README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```sh\n(curl .*?)```\n\n```json\n(.*?)\n```", README, re.S)
# What differs from one call to the next.
VARYING = re.compile(r"\b(fb|req)_[0-9A-Z]{26}\b|^[0-9A-Z]{26}$|^\d{4}-\d\d-\d\dT[\d:]+Z$")


def masked(value: Any) -> Any:
    """An answer with ids and times replaced by what kind of thing they are."""
    if isinstance(value, dict):
        return {name: masked(item) for name, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    if isinstance(value, str):
        return VARYING.sub("*", value)
    return "<ms>" if isinstance(value, int) and value > 10**12 else value


@pytest.mark.parametrize(("command", "answer"), EXAMPLES, ids=[command[8:60] for command, _ in EXAMPLES])
def test_readme_curl(server: Server, command: str, answer: str) -> None:
    """README's curl lines give the answers printed below them, ids and times apart."""
    command = command.replace("http://127.0.0.1:8000", server.url)
    done = subprocess.run(
        ["bash", "-c", command],
        env={"KEY": server.tenant.key, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    got = json.loads(done.stdout)

    assert masked(got) == masked(json.loads(answer))
    assert list(got) == list(json.loads(answer))


def test_readme_has_an_example_per_dialect() -> None:
    """Each of the four feedback dialects has its curl."""
    for name in ("flora", "orq", "fluister", "native"):
        assert any(adapters.load()[name].doors[0].path + " " in command for command, _ in EXAMPLES), name


def test_readme_read_example(server: Server) -> None:
    """README's list line answers a page."""
    (command,) = re.findall(r"```sh\n(curl [^`]*limit=20[^`]*)```", README)
    done = subprocess.run(
        ["bash", "-c", command.replace("http://127.0.0.1:8000", server.url)],
        env={"KEY": server.tenant.key, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )

    assert set(json.loads(done.stdout)) == {"data", "next_cursor"}


def test_settings_are_documented() -> None:
    """docs/settings.md has every setting with its default, and no other."""
    table = dict(
        re.findall(r"^\| `(GATEWAY_\w+)` \| `([^`]*)` \|", (ROOT / "docs/settings.md").read_text(), re.M)
    )

    assert table == {f"GATEWAY_{field.name.upper()}": str(field.default) for field in fields(Config)}


def test_commands_are_documented() -> None:
    """README's table has every command."""
    table = README.partition("## Commands")[2].partition("## Promises")[0]
    for name, command in main.commands.items():
        for words in (
            [f"{name} {sub}" for sub in command.commands] if hasattr(command, "commands") else [name]
        ):
            assert f"`{words}" in table, words


def test_readme_tree() -> None:
    """README's tree names what lies at the top, and the test files it promises exist."""
    tree = README.partition("## The tree")[2]
    for name in ("adapters/", "models/", "gateway/", "tests/", "benchmarks/", "docs/", "wsgi.py"):
        assert f"\n{name}" in tree
        assert (ROOT / name).exists()
    for path in re.findall(r"tests/[\w/.]+", README.partition("## Promises")[2].partition("## The tree")[0]):
        assert (ROOT / path).exists(), path


def test_links_lead_somewhere() -> None:
    """Links between the documents lead to files."""
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def slug(heading: str) -> str:
    """The anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_links_lead_to_headings() -> None:
    """Where a link names a place in a document, a heading is there."""
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for path, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
            target = (page.parent / path) if path else page
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.M)
            assert anchor in map(slug, headings), f"{page.name}: {path}#{anchor}"


def test_filters_are_documented() -> None:
    """docs/reading.md has every parameter of a filter in its table, and no other."""
    table = (ROOT / "docs/reading.md").read_text().partition("| parameter |")[2].partition("\n\n")[0]
    named = {name for row in table.splitlines() for name in re.findall("`([^`]+)`", row.split("|")[1:2][0])}

    assert named == set(filters.NAMES)


def test_fields_are_documented() -> None:
    """The page of a dialect names every field that its doors ask for, and each of its routes."""
    for name, adapter in adapters.load().items():
        page = (ROOT / f"docs/dialects/{name}.md").read_text()
        for route in (*adapter.doors, *adapter.batches, *adapter.lookups):
            body = route.shape.body or ()
            for kind in body if isinstance(body, tuple) else (body,):
                fields_of = kind().fields.items()
                asked = [field.data_key or key for key, field in fields_of if field.required]
                assert [key for key in asked if f"`{key}`" not in page] == [], (route.path, page[:20])
            path = re.sub(r"<(\w+)>", "", route.path).rstrip("/").partition("//")[0]
            assert path in page or adapter.signed, f"{name}: {route.path}"  # an address that is printed


def test_options_are_documented() -> None:
    """The page of a signed source names each option of its hooks, and no other."""
    for name, adapter in adapters.load().items():
        page = (ROOT / f"docs/dialects/{name}.md").read_text()
        options = set(adapter.signed.options) if adapter.signed else set()
        assert set(re.findall(r"--option '?(\w+)", page)) <= options, name
        assert [one for one in options if not re.search(rf"(`|--|\b){one}\b(`|=| )", page)] == [], name


def test_limited_senders_are_documented() -> None:
    """The page of a dialect that answers 503 in the place of 429 says so."""
    for name, adapter in adapters.load().items():
        status = adapter.refuse(Problem(429, "rate_limited", "", headers={"Retry-After": "1"})).status
        page = (ROOT / f"docs/dialects/{name}.md").read_text()
        assert status == 429 or ("503" in page and "429" in page), name


def test_index_leads_to_every_page() -> None:
    """docs/index.md links to each document once, and those at the top."""
    index = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "docs/index.md").read_text())
    pages = [str(page.relative_to(ROOT / "docs")) for page in ROOT.glob("docs/**/*.md")]
    assert sorted(name for name in index if not name.startswith("..")) == sorted(set(pages) - {"index.md"})
    assert "(docs/index.md)" in README


def test_changelog_has_the_version() -> None:
    """The newest dated heading of the changelog is the version of the package, below what is unreleased."""
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert headings[0] == "Unreleased"
    assert re.fullmatch(re.escape(__version__) + r" - 20\d\d-\d\d-\d\d", headings[1])


def test_every_commit_can_be_linted() -> None:
    """What pre-commit runs is `make lint`."""
    path = ROOT / ".pre-commit-config.yaml"
    hooks = [hook["entry"] for repo in yaml.safe_load(path.read_text())["repos"] for hook in repo["hooks"]]
    assert hooks == ["make lint"]


def test_sources_table() -> None:
    """docs/sources.md shows what every fixture of a signed source becomes today."""
    assert PAGE.read_text() == table(), "run python -m tests.sources"


def test_what_destinations_are_and_hear() -> None:
    """Each kind for people has its row, and each type of change its place in the table of those."""
    kinds = re.findall(r"^\| \[`(\w+)`\]", (ROOT / "docs" / "destinations.md").read_text(), re.M)
    assert sorted(kinds) == [name for name, kind in found_kinds.load().items() if kind.is_for_people]
    sent = (ROOT / "docs" / "webhooks.md").read_text().partition("## What is sent")[2].partition("```")[0]
    assert set(outbox.TYPES) == set(re.findall(r"`(\w+\.\w+)`", sent))
