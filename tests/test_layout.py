"""The map of docs/architecture.md holds: every folder has a rank, and a name stands for one thing wherever it
is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from models.database.schema_version import RECORDED_AS, STEPS
from tests.conftest import ROOT

PACKAGES = ("adapters", "gateway", "models")
TOP = 8  # modules directly in gateway/
# Names of modules and folders that occur in several folders, each with the one thing that it means there.
SHARED = {
    "alert_groups": "alerts that are alike: counted, in the API, and what that answers",
    "alerts": "alerts: how monitoring sends them, their commands and their page",
    "assigning": "who takes care of records: its commands and its forms",
    "attachments": "files of records: kept, in the API, and on their page",
    "audit_log": "who did what to the gateway: its notes, and its page of the API",
    "authors": "whose words records are: in the API, and their page",
    "callbacks": "what tells callers of the end of their runs: sent, and shown",
    "changes": "the feed of changes: its records, in the API, and what that answers",
    "copying": "every table from one database into another",
    "corrections": "labels that people gave",
    "destination": "somebody who is told of changes: its commands and its table",
    "destinations": "who is told of changes: the telling, the endpoints and what they take",
    "digest": "a period in words and numbers: made, its command and its technique",
    "discord": "Discord: what comes from it, and what people are told there",
    "feedback_detail": "one record and what hangs on it, in the API and in the inbox",
    "feedback_list": "the records that a filter means, in the API and in the inbox",
    "files": "what comes with feedback: as dialects bring it, and its bytes",
    "flora": "FLORA's dialect, and those of its routes that the trunk answers",
    "hook": "an address of a sender that signs: its command and its table",
    "hooks": "addresses of senders that sign: what is done to them, by whom, and their page",
    "intake": "what takes feedback: the steps, and the one write",
    "learning": "what a project learns from its people, in the API and in the inbox",
    "mattermost": "Mattermost: what comes from it, and what people are told there",
    "mail": "mails: how one is sent, and the command that tries it",
    "merge": "records that say the same: the table, in the API, and the commands",
    "merging": "merging and taking apart: of rows, and of people on pages",
    "model": "the triage model",
    "project_head": "what a project has learnt: its row, and how it moves the models' answers",
    "outcomes": "what became of each request: counted, and shown",
    "preview": "what something would become, shown before it does",
    "projects": "groups of a workspace's records",
    "quarantine": "deliveries that are kept raw until they are understood",
    "replies": "answers to authors: made and sent, in the API, and on their pages",
    "retention": "what a project keeps for a time only",
    "run": "a long job: its command and its table",
    "runs": "long jobs: done, in the API, and on their page",
    "retriage": "labelling anew what is stored: done, its command and its technique",
    "schemas": "marshmallow schemas: their base, and those of the native API",
    "slack": "Slack: what comes from it, and what people are told there",
    "store": "where things are put: records by the steps, and files",
    "teams": "Microsoft Teams: what comes from it, and what people are told there",
    "techniques": "what kinds of runs there are: a module each, and as the API lists them",
    "themes": "what people talk about: computed, and shown",
    "topic": "what a project's records can be about: its commands and its table",
    "topics": "what they are about: defined, found out, asked for, and shown",
    "triage": "labels: the classifier, and its commands",
    "workspace": "a tenant: its commands and its table",
    "user": "who may use the inbox: the command and the table",
    "views": "lists under a name: kept and shared, what they take and answer, and their forms",
}


def test_a_new_folder_needs_a_rank(tmp_path: Path) -> None:
    """In a copy with a folder in each package that no contract names, the linter fails and names all
    three."""
    ignored = shutil.ignore_patterns("__pycache__", "*.npz", "*.txt", "*.po", "static", "templates")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
        (tmp_path / name / "forms").mkdir()
        for module in ("__init__", "field"):
            (tmp_path / name / "forms" / f"{module}.py").touch()
    (tmp_path / "tests").mkdir()
    for path in ("setup.cfg", "tests/__init__.py", "tests/contracts.py"):
        shutil.copy(ROOT / path, tmp_path / path)
    command = [str(Path(sys.executable).with_name("lint-imports")), "--config", "setup.cfg", "--no-cache"]
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)

    assert done.returncode == 1, done.stderr
    assert set(re.findall(r"(\w+)\.forms", done.stdout)) == set(PACKAGES), done.stdout


def test_few_modules_lie_at_the_top() -> None:
    """Directly in gateway/ lies what connects the folders, and nothing else."""
    assert len(list((ROOT / "gateway").glob("*.py"))) <= TOP


def test_a_name_means_one_thing() -> None:
    """Modules and folders of the same name in several folders are in the table, with what it means in all."""
    found = defaultdict(set)
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if not path.stem.startswith("__"):
                found[path.stem].add(path.parent)
            elif path.stem == "__init__":
                found[path.parent.name].add(path.parent.parent)

    assert {name for name, folders in found.items() if len(folders) > 1} == set(SHARED)


def test_no_test_has_the_name_of_another() -> None:
    """A test module is found by its name alone."""
    names = sorted(path.name for path in (ROOT / "tests").rglob("test_*.py"))

    assert [name for name in set(names) if names.count(name) > 1] == []


def test_migrations_have_numbers_of_their_own() -> None:
    """Two changes never have one number, and a file that got another is recorded by its first name."""
    names = sorted(path.stem for path in STEPS.glob("[0-9]*.py"))

    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    assert set(RECORDED_AS) <= set(names)
    assert all(new[5:] == old[5:] for new, old in RECORDED_AS.items())
