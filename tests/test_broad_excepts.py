"""Nothing hides a fault of ours: whatever catches every exception is listed here, with what becomes of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.conftest import ROOT

EVERY = {"Exception", "BaseException", "PeeweeException"}
# File and function -> what becomes of an exception that nobody thought of.
KNOWN = {
    ("gateway/routes.py", "view"): "logged and told as 500, in the sender's dialect",
    ("gateway/intake/auth.py", "_found_out"): "logged, counted as failed and told as 503",
    ("gateway/destinations/deliveries.py", "safely"): "logged; that destination is not told, the others are",
    ("gateway/destinations/sender.py", "_attempt"): "logged; tried again like what was not taken",
    ("gateway/replies/sending.py", "_tried"): "logged; the answer failed, the others go on",
    ("gateway/runs/callbacks.py", "_tried"): "logged; tried again like what was not taken, the others go on",
    ("gateway/background/fetching.py", "_fetched"): "logged; the file failed, the others go on",
    ("gateway/background/scheduler.py", "_hurry"): "logged; the queue is tried again",
    ("gateway/background/scheduler.py", "main"): "the worker ends with it",
    ("gateway/cli/copying.py", "copy"): "the command ends with it",
    ("gateway/core/cooperative.py", "_do"): "raised where the result is waited for",
    ("gateway/core/cooperative.py", "_answer"): "raised where the result is waited for",
    ("gateway/api/export.py", "_sent"): "logged and raised: the connection ends",
    ("gateway/api/health.py", "readyz"): "told as not ready, and logged unless the database is away",
    ("gateway/triage/active_model.py", "look"): "logged; the model in use stays",
    ("gateway/background/lease.py", "run_once"): "logged; the work is tried again",
    ("gateway/runs/worker.py", "_do"): "logged, and the run has failed; the others are done",
    ("gateway/inbox/oidc.py", "run"): "raised where the step is waited for",
    ("gateway/core/storage.py", "open_database"): "the start or the command ends with it",
    ("gateway/server/gevent_worker.py", "_answer"): "raised, once the answer is closed",
    ("gateway/rate_limits/redis_counter.py", "spend"): "told as away, by its name",
    ("models/intake/commit.py", "_commit"): "raised, once the counts are given back",
    ("models/database/write_lock.py", "__enter__"): "raised, once the lock is free",
    ("models/database/postgres.py", "alone"): "the block's own is raised; a lost connection holds no lock",
    ("models/database/postgres.py", "compact"): "a lost connection has no settings to be put back",
    ("models/database/group_commit.py", "_store"): "raised where the result is waited for, or logged",
}


def names_in(node: ast.AST | None) -> set[str]:
    """The names of exceptions that a handler, or suppress, is given."""
    if node is None:
        return {"BaseException"}
    return {leaf.id for leaf in ast.walk(node) if isinstance(leaf, ast.Name)} | {
        leaf.attr for leaf in ast.walk(node) if isinstance(leaf, ast.Attribute)
    }


def broad(node: ast.AST, inside: str = "") -> Iterator[tuple[str, int]]:
    """The functions that catch every exception, and the line where."""
    for child in ast.iter_child_nodes(node):
        within = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else inside
        if isinstance(child, ast.ExceptHandler) and names_in(child.type) & EVERY:
            yield within, child.lineno
        suppressed = isinstance(child, ast.Call) and ast.unparse(child.func).endswith("suppress")
        if suppressed and any(names_in(given) & EVERY for given in child.args):
            yield within, child.lineno
        yield from broad(child, within)


def test_all_are_known() -> None:
    """Each place that catches all exceptions is in the list, and each in the list is there."""
    found = {}
    for folder in ("adapters", "gateway", "models"):
        for path in (ROOT / folder).rglob("*.py"):
            name = str(path.relative_to(ROOT))
            found.update({(name, place): line for place, line in broad(ast.parse(path.read_text()))})

    assert set(found) == set(KNOWN), {place: found.get(place) for place in set(found) ^ set(KNOWN)}
    assert not list(broad(ast.parse((ROOT / "wsgi.py").read_text())))


def test_what_counts_as_broad() -> None:
    """Handlers without a type, tuples with a broad one, and suppress are all found."""
    code = """
def a():
    try: pass
    except: pass
def b():
    try: pass
    except (ValueError, builtins.Exception) as error: pass
def c():
    with contextlib.suppress(KeyError, Exception): pass
def d():
    try: pass
    except ValueError: pass
"""
    assert [place for place, _ in broad(ast.parse(code))] == ["a", "b", "c"]
