"""What is remembered for good is as much as the program has of it, and never as much as strangers write."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.conftest import ROOT

# Functions that remember every answer they gave: what they are asked about is ours.
OURS = {
    "gateway/core/languages.py": {"catalogue", "locale_of"},  # the languages there are
    "gateway/inbox/static_files.py": {"_file", "_packed"},  # files of ours, by a name that has been looked up
    "gateway/api/openapi/docs_page.py": {"_file"},  # likewise
    "adapters/common/schemas.py": {"_instance", "_plan"},  # schemas
    "gateway/triage/phrase_tables.py": {
        "table",
        "_slot",
        "_beginning",
        "_commonness",
    },  # files of ours and what is in them
    "models/database/base.py": {"_columns", "_insert_sql"},  # tables, and how many rows of one go together
}


def remembering() -> Iterator[tuple[str, str]]:
    """Every function that remembers what it is asked without a limit: file and name."""
    for path in sorted(
        path for part in ("gateway", "adapters", "models") for path in (ROOT / part).rglob("*.py")
    ):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.args.args:
                marks = {ast.unparse(mark) for mark in node.decorator_list}
                if marks & {"cache", "functools.cache", "lru_cache(maxsize=None)", "lru_cache(None)"}:
                    yield str(path.relative_to(ROOT)), node.name


def test_memory_of_what_strangers_write_has_an_end() -> None:
    """A function with an unbounded memory is named here, with the reason why few things are asked of it."""
    assert [(path, name) for path, name in remembering() if name not in OURS.get(path, ())] == []
