"""What a module offers is given to it by a call: nobody assigns to the attributes of what is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from tests.conftest import ROOT

# Attributes that their libraries have for no other purpose, and why there is no call for them.
MEANT_FOR_IT = {
    "flask.g.*": "Flask's notes about one request",
    "flask.request.max_content_length": "Flask's way to allow one request another size than most",
    "flask.request.max_form_memory_size": "the same",
    "prometheus_client.values.ValueClass": "it looks up where to keep counts when it is imported only",
}


def imported(nodes: Iterable[ast.AST]) -> dict[str, str]:
    """The names that a module's nodes import, and what each stands for."""
    found = {}
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                found[name] = module + (alias.name if alias.asname or module else name)
    return found


def assigned(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The attributes that are assigned to or deleted, also by `setattr` and `delattr`."""
    for node in nodes:
        match node:
            case ast.Attribute(ctx=ast.Store() | ast.Del()):
                yield ast.unparse(node)
            case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[target, name, *_]):
                yield f"{ast.unparse(target)}.{getattr(name, 'value', '?')}"


def from_outside(source: str) -> list[str]:
    """What is assigned to by a module that imports it, with its whole name."""
    nodes = [*ast.walk(ast.parse(source))]
    known = imported(nodes)
    targets = (target.partition(".") for target in assigned(nodes))
    return sorted(f"{known[name]}.{attributes}" for name, _, attributes in targets if name in known)


def test_nothing_imported_is_assigned_to() -> None:
    """In none of our modules, but for what libraries mean for it."""
    found = {
        (str(path.relative_to(ROOT)), name)
        for package in ("adapters", "gateway", "models")
        for path in (ROOT / package).rglob("*.py")
        for name in from_outside(path.read_text(encoding="utf-8"))
    }
    meant = {pattern: {one for one in found if fnmatchcase(one[1], pattern)} for pattern in MEANT_FOR_IT}

    assert found - set().union(*meant.values()) == set()
    assert all(meant.values()), "what nobody assigns to needs no line"


def test_each_way_to_assign_is_seen() -> None:
    source = """
import a.b, c as d
from e import F, g
def act(own):
    from h import i
    a.b.n = F.n = own.n = local.n = 1
    d.n += 1
    g.obj.n: int = 1
    del i.n
    for F.m in (): pass
    with own as (g.m, other): pass
    setattr(F, "o", 1)
    setattr(F, own, 1)
    print(F.p, g.p())
"""
    assert from_outside(source) == [
        "a.b.n", "c.n", "e.F.?", "e.F.m", "e.F.n", "e.F.o", "e.g.m", "e.g.obj.n", "h.i.n",
    ]  # fmt: skip
