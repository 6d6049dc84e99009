"""JMESPath expressions of strangers: checked when they are saved, and bounded whenever they run.

An expression of a few characters can ask for results that double with each of them, so what it makes is
weighed while it is made. A value weighs its characters, and one for each value and name in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.visitor import Options, TreeInterpreter

LONGEST = 2000  # characters of an expression
LEVELS = 100  # of an expression within another
COPIES = 1000  # of the delivery that an expression may ask for
# One delivery may make its expressions take STEPS and a few more for its weight, and may become so much.
STEPS, STEPS_PER_WEIGHT = 300_000, 4
WEIGHT, WEIGHT_PER_WEIGHT = 200_000, 8
_AT_ONCE = 64  # weight of arguments that a function reads in the time of one step

# What expressions raise on values their author did not think of: the library lets most of them through.
FAILURES = (
    JMESPathError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def faults_of(expression: str) -> list[str]:
    """What is wrong with an expression; nothing when it can be used."""
    if len(expression) > LONGEST:
        return [f"String must contain at most {LONGEST} character(s)"]
    try:
        return list(_misuses(_parsed(expression)))
    except FAILURES as error:
        return [_told(error)]


class Search:
    """The searches of one delivery, within bounds that they share."""

    def __init__(self, sent: Any) -> None:
        self._meter = _Meter(sent)

    def find(self, expression: Any, value: Any) -> Any:
        """What an expression finds in the delivery or in a part of it: JSON, or None. Raises ValueError."""
        try:
            return self._meter.find(_parsed(expression), value)
        except FAILURES as error:
            raise ValueError(_told(error)) from None


def _told(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return f"Must be nested at most {LEVELS} levels deep"
    return " ".join(str(error)[:1000].split())[:200] or type(error).__name__


@lru_cache(maxsize=4096)
def _parsed(expression: str) -> Mapping[str, Any]:
    """An expression's tree. Raises FAILURES, also for one that asks for too much."""
    parsed: Mapping[str, Any] = jmespath.compile(expression).parsed
    if _levels(parsed) > LEVELS:
        raise ValueError(f"Must be nested at most {LEVELS} levels deep")
    if _copies(parsed) > COPIES:
        raise ValueError(f"Must not ask for more than {COPIES} copies of what it is given")
    return parsed


def _children(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (child for child in node["children"] if isinstance(child, Mapping))


def _levels(node: Mapping[str, Any]) -> int:
    return 1 + max(map(_levels, _children(node)), default=0)


def _copies(node: Mapping[str, Any]) -> int:
    """How often what a node is given can be in its result, at most."""
    found = [_copies(child) for child in _children(node)]
    match node["type"]:
        case "multi_select_list" | "multi_select_dict":
            return sum(found)
        case "function_expression" if all(child["type"] != "expref" for child in _children(node)):
            return max(1, sum(found))
        case "or_expression" | "and_expression":
            return max(found)
        case "not_expression" | "comparator":
            return 1
        case "filter_projection":  # its condition is in no result
            found = found[:2]
    copies = 1
    for more in found:  # what one finds is given to the next
        copies *= more
    return copies


def _misuses(node: Mapping[str, Any]) -> Iterator[str]:
    """Functions of a parsed expression that are unknown, or are given too few or too many arguments."""
    if node["type"] == "function_expression":
        known = Functions.FUNCTION_TABLE.get(node["value"])
        if known is None:
            yield f"Unknown function {node['value']}()"
        else:
            expected, given = len(known["signature"]), len(node["children"])
            variadic = bool(expected) and known["signature"][-1].get("variadic", False)
            if given < expected or (given > expected and not variadic):
                yield f"{node['value']}() takes {expected} argument(s), received {given}"
    for child in _children(node):
        yield from _misuses(child)


class _Meter(TreeInterpreter):  # type: ignore[misc]  # jmespath has no types
    """Evaluates expressions, counts their steps and weighs every value before anything is made of it."""

    def __init__(self, sent: Any) -> None:
        super().__init__(Options(custom_functions=_Metered(self)))
        self.COMPARATOR_FUNC = {
            name: partial(self._compare, compare) for name, compare in TreeInterpreter.COMPARATOR_FUNC.items()
        }
        self.steps, self._found = 0, 0
        self._most_steps = self._most = 2**62  # to weigh what was sent is free
        # By the id of each array and object: its weight, and itself, so that no other gets the same id.
        self._weights: dict[int, tuple[int, Any]] = {}
        weight = self.weigh(sent)
        self.steps = 0
        self._most_steps = STEPS + STEPS_PER_WEIGHT * weight
        self._most = WEIGHT + WEIGHT_PER_WEIGHT * weight

    def find(self, parsed: Mapping[str, Any], value: Any) -> Any:
        """As `Search.find`. Raises FAILURES."""
        found = self.visit(parsed, value)
        if not isinstance(found, str):
            json.dumps(found, allow_nan=False)  # expressions can make infinities, and things that are no JSON
        self._found += self.weigh(found)
        self.bear(self._found)
        return found

    def visit(self, node: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        self.pay(1)
        found = super().visit(node, *args, **kwargs)
        self.bear(self.weigh(found))
        return found

    def pay(self, steps: int) -> None:
        self.steps += steps
        if self.steps > self._most_steps:
            raise ValueError(f"Takes more than {self._most_steps} steps on this delivery")

    def bear(self, weight: int) -> None:
        if weight > self._most:
            raise ValueError(f"Makes more than {self._most} characters and values of this delivery")

    def weigh(self, value: Any) -> int:
        """A value's weight. Arrays and objects are looked into once: later ones hold known ones."""
        if isinstance(value, str):
            return 1 + len(value)
        if isinstance(value, int):
            return 1 + value.bit_length() // 3
        if not isinstance(value, (list, dict)):
            return 1
        known = self._weights.get(id(value))
        if known is None:
            self.pay(len(value))
            parts = (*value, *value.values()) if isinstance(value, dict) else value
            known = self._weights[id(value)] = 1 + sum(map(self.weigh, parts)), value
        return known[0]

    def _compare(self, compare: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
        self.pay(min(self.weigh(left), self.weigh(right)) // _AT_ONCE)
        return compare(left, right)


class _Metered(Functions):  # type: ignore[misc]
    """The functions of JMESPath, paid for by the weight of what they are given."""

    def __init__(self, meter: _Meter) -> None:
        self._meter = meter

    def call_function(self, function_name: str, resolved_args: list[Any]) -> Any:
        self._meter.pay(sum(map(self._meter.weigh, resolved_args)) // _AT_ONCE)
        if function_name == "join" and len(resolved_args) == 2:  # the only one that multiplies
            glue, parts = resolved_args
            if isinstance(glue, str) and isinstance(parts, list):
                self._meter.bear(len(glue) * len(parts) + self._meter.weigh(parts))
        found = super().call_function(function_name, resolved_args)
        self._meter.pay(self._meter.weigh(found) // _AT_ONCE)
        return found
