"""What our parts say that something is refused for is told in the reader's language."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, g

from gateway.inbox import audit_words
from gateway.inbox.refusals import faults, refusal
from tests.conftest import ROOT

WHERE = {"Fault": 1, "ValidationError": 0}  # what refuses a field, and which argument says why
# Parts whose answers no page shows: only programs ask for what they refuse.
ELSEWHERE = (
    *(
        "adapters/flora.py",
        "adapters/native.py",
        "adapters/orq.py",
        "gateway/api/flora",
        "gateway/api/changes.py",
    ),
    *("gateway/api/export.py", "gateway/api/admin/authors.py", "gateway/transfer/import_options.py"),
)


def texts(node: ast.expr) -> Iterator[str]:
    """The texts that an expression may be, with a 9 for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "9" for part in node.values)
    elif isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)


def said_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in WHERE and len(node.args) > WHERE[name]:
                yield from texts(node.args[WHERE[name]])


MODULES = sorted(
    path
    for folder in ("adapters", "gateway")
    for path in (ROOT / folder).rglob("*.py")
    if not str(path.relative_to(ROOT)).startswith(ELSEWHERE)
)


def test_every_refusal_of_a_field_is_known(app: Flask) -> None:
    """Each sentence that refuses a field, in any part whose answers people read, has its Dutch."""
    with app.test_request_context():
        g.language = "nl"
        left = {
            (path.name, said)
            for path in MODULES
            for said in said_in(path)
            if said not in ("9", "9 9", "Rate 9") and refusal(said) == said
        }
    assert left == set()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Required", "Verplicht"),
        ("issue.id: Required", "issue.id: Verplicht"),
        (
            "event_id: Required; comments: Expected string, received number",
            "event_id: Verplicht; comments: Verwacht: tekst; gekregen: number",
        ),
        (
            "body was not valid JSON (line 1, column 30): a quote within a string, or no comma behind it",
            "de inhoud is geen geldige JSON (regel 1, kolom 30): "
            "een aanhalingsteken in een tekst, of geen komma erachter",
        ),
        (
            "envelope header: body was not valid JSON (line 1, column 1)",
            "envelope header: de inhoud is geen geldige JSON (regel 1, kolom 1)",
        ),
        ("words: that nobody of us says", "words: that nobody of us says"),
        ("", ""),
    ],
)
def test_why_a_delivery_is_held(app: Flask, said: str, told: str) -> None:
    """Each of its faults is told, beside the name of its field; English is as it was written."""
    with app.test_request_context():
        g.language = "nl"
        assert faults(said) == told
        g.language = "en"
        assert faults(said) == said


def test_every_act_has_its_words() -> None:
    """What the audit trail notes is told in words, and there are none for what it never notes."""
    code = [path.read_text() for path in (ROOT / "gateway").rglob("*.py") if path.name != "audit_words.py"]
    noted = {
        str(node.value)
        for text in code
        if "audit_log" in text or "note(" in text
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) in ("note", "_note")
        for node in node.args
        if isinstance(node, ast.Constant) and "." in str(node.value)
    }
    every = "\n".join(code)
    assert noted <= set(audit_words.ACTIONS)
    assert {name for name in audit_words.ACTIONS if f'"{name}"' not in every} == set()
