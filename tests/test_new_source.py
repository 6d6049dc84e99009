"""A new source is one module, its fixtures and its page: shown by adding one to a copy of this tree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT, environ_of

CASES = {
    "vote": {
        "request": {
            "path": "/hooks/roadmap/<hook_id>",
            "params": {"hook_id": "hk_test"},
            "json": {"idea": "Keyboard shortcuts", "id": "i-1"},
        },
        "records": [{"text": "Keyboard shortcuts", "external_id": "i-1", "dedupe_key": "i-1"}],
        "reply": {"status": 200, "body": {"status": "ok"}},
    },
    "no_idea": {
        "request": {
            "path": "/hooks/roadmap/<hook_id>",
            "params": {"hook_id": "hk_test"},
            "json": {"id": "i-2"},
        },
        "records": [{"text": "", "unreadable": "idea: Required"}],
        "reply": {"status": 200, "body": {"status": "ok"}},
    },
    "nothing": {
        "request": {"path": "/hooks/roadmap/<hook_id>", "text": ""},
        "records": [{"text": "", "unreadable": "body was empty"}],
        "reply": {"status": 200, "body": {"status": "ok"}},
    },
}
SUITES = (
    "tests/adapters/test_adapters.py",
    "tests/test_architecture.py",
    "tests/access/test_tenancy.py",
    "tests/access/test_hooks.py",
    "tests/http/test_framework_errors.py",
)


def test_a_new_source_needs_no_other_edit(tmp_path: Path) -> None:
    """With a module, fixtures and a page added, the suites pass and a hook for it can be made."""
    copy = tmp_path / "copy"
    ignored = shutil.ignore_patterns(".*", "var", "__pycache__", "*.egg-info", "node_modules", "clients")
    shutil.copytree(ROOT, copy, ignore=ignored)
    shutil.copy(ROOT / "tests/new_source/adapter.py", copy / "adapters/roadmap.py")
    fixtures = copy / "tests/fixtures/roadmap"
    fixtures.mkdir()
    for name, case in CASES.items():
        (fixtures / f"{name}.json").write_text(json.dumps(case))
    (copy / "docs/dialects/roadmap.md").write_text("# roadmap\n\nPaste the address and the secret.\n")

    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "roadmap or table or contracts",
        *SUITES,
    ]
    environ = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run(command, cwd=copy, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout

    environ = {**environ_of(tmp_path), "PYTHONPATH": str(copy)}
    for words in (["init"], ["hook", "create", "roadmap"]):
        command = [sys.executable, "-m", "gateway.cli", *words, "--json"]
        done = subprocess.run(command, cwd=copy, env=environ, capture_output=True, text=True, check=True)
    made = json.loads(done.stdout)
    assert made["path"] == f"/hooks/roadmap/{made['hook_id']}"
