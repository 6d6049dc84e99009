"""Every regular expression of the program, found in its modules, and texts that are hostile to each."""

from __future__ import annotations

import ast
import importlib
import itertools
import pkgutil
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from re import _constants as c  # type: ignore[attr-defined]
from types import ModuleType
from typing import Any

from tests.growth.backtracking import FEW, ONE, hashable, is_one, parse

PACKAGES = ("adapters", "gateway", "models")
USES = {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
USE = rf"re\.({'|'.join(USES)})"
DEFINED = (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)
# What stands for the characters that no pattern names.
USUAL = "a1 .\n@-_é\x00"


@dataclass(frozen=True)
class Found:
    """A pattern, where it stands, and the methods it is used by; None for one that is made while it runs."""

    where: str
    pattern: re.Pattern[Any] | None
    ways: set[str]


def modules() -> Iterator[ModuleType]:
    for package in PACKAGES:
        found = importlib.import_module(package)
        yield found
        for module in pkgutil.walk_packages(found.__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                yield importlib.import_module(module.name)


def kept_in(value: Any, depth: int = 3) -> Iterator[re.Pattern[Any]]:
    """The patterns in a value of a module."""
    if isinstance(value, re.Pattern):
        yield value
    elif depth and isinstance(value, dict | list | tuple | set | frozenset):
        for item in value.values() if isinstance(value, dict) else value:
            yield from kept_in(item, depth - 1)
    elif depth and isinstance(value, type):
        yield from kept_in({name: item for name, item in vars(value).items() if name[:2] != "__"}, depth - 1)


def ways_by_name(sources: Iterable[str]) -> dict[str, set[str]]:
    """How what has a name is used anywhere, as methods of `re.Pattern`."""
    ways: dict[str, set[str]] = defaultdict(set)
    for text in sources:
        for name, way in re.findall(rf"\b(\w+)(?:\[\w+\])?\.({'|'.join(USES)})\b", text):
            ways[name].add(way)
    return ways


def used_in(module: ModuleType, text: str) -> Iterator[tuple[str, str, re.Pattern[Any] | None]]:
    """The patterns that are written where they are used, and how; None for one that is made while it runs."""
    for outer in ast.walk(ast.parse(text)):
        for node in ast.iter_child_nodes(outer) if not isinstance(outer, ast.Module) else ():
            node.__dict__["within"] = (
                outer.name if isinstance(outer, DEFINED) else outer.__dict__.get("within", "")
            )
        if not (isinstance(outer, ast.Call) and re.fullmatch(USE, ast.unparse(outer.func))):
            continue
        flags = [arg for arg in (*outer.args[1:], *(word.value for word in outer.keywords)) if _is_flag(arg)]
        written = " | ".join(map(ast.unparse, flags)) or "0"
        name, way = f"{module.__name__}:{outer.__dict__.get('within', '')}", ast.unparse(outer.func)[3:]
        try:
            found = eval(ast.unparse(outer.args[0]), vars(module))
        except (NameError, AttributeError):
            yield name, way, None
        else:
            yield (
                name,
                way,
                re.compile(found, eval(written, {"re": re})) if isinstance(found, (str, bytes)) else found,
            )


def every_pattern() -> dict[str, Found]:
    """Every pattern by where it stands, without those that are only made while the program runs."""
    loaded = list(modules())
    sources = {module.__name__: Path(module.__file__ or "").read_text(encoding="utf-8") for module in loaded}
    ways = ways_by_name(sources.values())
    found: dict[tuple[Any, int], Found] = {}

    def add(where: str, ways: set[str], pattern: re.Pattern[Any]) -> None:
        known = found.setdefault((pattern.pattern, pattern.flags), Found(where, pattern, set()))
        known.ways.update(ways)

    made: dict[str, Found] = {}
    for module in loaded:
        for name, value in vars(module).items():
            if not name.startswith("__"):
                for pattern in kept_in(value):
                    add(f"{module.__name__}.{name}", ways.get(name, USES) - {"compile"}, pattern)
        for where, way, pattern in used_in(module, sources[module.__name__]):
            if pattern is None:
                made[where] = Found(where, None, USES)
            elif way != "compile":
                add(where, {way}, pattern)
    return {f"{item.where} {item.pattern.pattern!r}"[:90]: item for item in found.values()} | made


def _is_flag(node: ast.expr) -> bool:
    return re.fullmatch(r"re\.[A-Z]+(?: \| re\.[A-Z]+)*", ast.unparse(node)) is not None


def representatives(op: Any, arg: Any, flags: int, pool: str) -> str:
    """A few characters that an op takes, as different as they can be."""
    return "".join([char for char in pool if is_one(op, hashable(arg), flags, char)][:3])


def literals(tree: Any) -> Iterator[str]:
    """The characters that a pattern names."""
    for op, arg in tree:
        if op in (c.LITERAL, c.NOT_LITERAL):
            yield chr(arg)
        elif op is c.RANGE:
            yield chr(arg[0])
        elif op is c.IN:
            yield from literals(arg)
        else:
            for inner in inside(op, arg):
                yield from literals(inner)


def inside(op: Any, arg: Any) -> list[Any]:
    """The patterns within a part of one."""
    if op is c.BRANCH:
        return list(arg[1])
    if op in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT):
        return [arg[2]]
    if op is c.SUBPATTERN:
        return [arg[3]]
    if op in (c.ASSERT, c.ASSERT_NOT):
        return [arg[1]]
    return [arg] if op is c.ATOMIC_GROUP else []


class Attacks:
    """Texts of a length that has a pattern's repeats match as often as they can, and then fail."""

    def __init__(self, pattern: re.Pattern[Any]) -> None:
        self.tree, self.flags = parse(pattern)
        named = dict.fromkeys(literals(self.tree))
        self.pool = "".join(dict.fromkeys([*named, *USUAL]))

    def texts(self, times: int, alphabet: int) -> Iterator[str]:
        """Texts in which something comes so many times; of the alphabet so many characters are paired."""
        for prefix, pump in self._repeats(list(self.tree), ""):
            ended = (*self.pool[:3], "\x00", "\n", "!")
            yield from (prefix + pump * times + end for end in dict.fromkeys(ended))
            again = prefix + pump
            yield again * times
            yield (again + "\x00") * times
            half = prefix + pump * (times // 2)
            yield half + "\x00" + half
        for one, other in itertools.product(self.pool[:alphabet], repeat=2):
            yield (one + other) * times
            yield one * times + other * times
        yield (self._sample(self.tree) or "a") * times

    def _sample(self, items: Any) -> str:
        """A text that matches, or nearly."""
        said = ""
        for op, arg in items:
            if op in ONE:
                said += representatives(op, arg, self.flags, self.pool)[:1]
            elif op in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT):
                said += self._sample(arg[2]) * min(max(arg[0], 1 if arg[1] else 0), FEW)
            elif op in (c.SUBPATTERN, c.ATOMIC_GROUP, c.BRANCH):
                said += self._sample(inside(op, arg)[0])
        return said

    def _repeats(self, items: list[Any], before: str) -> Iterator[tuple[str, str]]:
        """Every repeat: what stands before it, and texts that it repeats."""
        for index, (op, arg) in enumerate(items):
            here = before + self._sample(items[:index])
            if op in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT) and arg[1] > FEW:
                for pump in self._pumps(list(arg[2])):
                    yield here, pump
            for inner in inside(op, arg):
                yield from self._repeats(list(inner), here)

    def _pumps(self, items: list[Any]) -> list[str]:
        if len(items) == 1 and items[0][0] in ONE:
            return list(representatives(*items[0], self.flags, self.pool)) or ["a"]
        found = [self._sample(items)]
        for op, arg in items:
            if op is c.BRANCH or op is c.SUBPATTERN:
                found += [self._sample(inner) for inner in inside(op, arg)]
        return [pump for pump in dict.fromkeys(found) if pump] or ["a"]
