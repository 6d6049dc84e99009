"""The scores of `evaluate` for reading: a table on the terminal, and the measured part of docs/triage.md.

Both are made from the same JSON and nothing else, so a page can be compared with the scores it was made from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

START = "<!-- measured: written by `feedback-gateway evaluate --docs`, not by hand -->"
END = "<!-- end of what was measured -->"
WEAK = 0.65  # F1 or macro-F1 below which a class, language or set is listed as weak
TASKS = ("category", "sentiment", "language", "severity")
# What is measured, where the scores have it, and the floor and goal it was made for; * is the mean.
TARGETS: tuple[tuple[str, str, float, float], ...] = (
    ("NLBSE'24 official test, mean of five repositories", "category nlbse24_test macro_f1", 0.79, 0.83),
    ("App reviews, one set left out, bug, feature or rest", "category leave_one_set_out mean", 0.69, 0.76),
    ("Senti4SD official test", "sentiment senti4sd_test macro_f1", 0.87, 0.89),
    ("GitHub comments, ten official folds", "sentiment official_folds se_github macro_f1", 0.87, 0.90),
    ("Jira comments, ten official folds", "sentiment official_folds se_jira macro_f1", 0.78, 0.81),
    ("UMSAB tweets, mean of en, de, fr and es", "sentiment umsab_mean", 0.60, 0.66),
    ("Calibration error of the category (less is better)", "category held_out calibration_error", 0.05, 0.03),
)


class NoMarkers(ValueError):
    """A page without the two lines between which the measured part goes."""


def table(result: Mapping[str, Any]) -> str:
    """The scores for the terminal."""
    lines = [f"model {result['version']}", f"{'set':52} {'rows':>6} {'accuracy':>9} {'macro-F1':>9}"]
    for name, scores in sets_of(result):
        exact = f"{scores['accuracy']:9.3f}" if "accuracy" in scores else " " * 9
        lines.append(f"{name:52} {scores.get('rows', ''):>6} {exact} {scores['macro_f1']:9.3f}")
    for kind, scores in result.get("kinds", {}).items():
        right = f"category {scores['category']:.2f} right, sentiment {scores['sentiment']:.2f} right"
        lines.append(f"{'kind of error ' + kind:52} {scores['rows']:>6} {right}")
    for task in TASKS:
        held = result.get(task, {}).get("held_out")
        if held is None:
            continue
        lines.append(f"\n{task}, all held-out sets together")
        if "calibration_error" in held:
            lines.append(f"  calibration error {held['calibration_error']:.3f}")
        for row in held.get("reliability", ()):
            bounds = f"{row['from']:.1f}-{row['to']:.1f}"
            said = f"{row['confidence']:.2f} said, {row['accuracy']:.2f} right"
            lines.append(f"  sure {bounds}: {row['rows']:6} rows, {said}")
        for name, scores in held.get("classes", {}).items():
            found = ", ".join(f"{key} {scores[key]:.3f}" for key in ("precision", "recall", "f1"))
            lines.append(f"  {name:9} {scores['rows']:6} rows, {found}")
        for real, answers in held.get("confusion", {}).items():
            counts = ", ".join(f"{name} {count}" for name, count in answers.items())
            lines.append(f"  {real:9} answered {counts}")
    return "\n".join([*lines, "", *_weak_lines(result)])


def page(text: str, result: Mapping[str, Any]) -> str:
    """The page `text` with its measured part made anew; raises NoMarkers when it has no place for it."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise NoMarkers(f"no lines {START} and {END}")
    return f"{before}{START}\n{measured(result)}\n{END}{after}"


def measured(result: Mapping[str, Any]) -> str:
    """What was measured, as Markdown."""
    head = f"Model `{result['version']}`."
    if "refitted" in result:
        head += f" Left out and folds: fitted again by the recipe of `{result['refitted']}`."
    parts = [head, _targets(result), _weak(result), _set_table(result)]
    parts += [
        _kinds(result),
        _languages(result),
        *(_task(task, result) for task in TASKS if "held_out" in result.get(task, {})),
    ]
    return "\n\n".join(part for part in parts if part)


def _targets(result: Mapping[str, Any]) -> str:
    rows = []
    for name, path, floor, goal in TARGETS:
        value = _at(result, path.split())
        if value is not None:
            below = (value > floor) if "calibration_error" in path else (value < floor)
            rows.append([name, f"{value:.3f}" + (" (below)" if below else ""), f"{floor:.2f}", f"{goal:.2f}"])
    return _rows("### Against what was aimed at", ["measure", "measured", "floor", "goal"], rows)


def _weak(result: Mapping[str, Any]) -> str:
    return "\n".join(["### Weak spots, by rule", "", *(f"- {line}" for line in _weak_lines(result))])


def _weak_lines(result: Mapping[str, Any]) -> list[str]:
    """Every class, language and set below WEAK, the lowest first."""
    found: dict[str, list[tuple[float, str]]] = {"classes": [], "languages": [], "sets": []}
    for task in TASKS:
        for name, scores in result.get(task, {}).get("held_out", {}).get("classes", {}).items():
            found["classes"].append((scores["f1"], f"{task} {name}"))
        for name, scores in result.get("languages", {}).get(task, {}).items():
            found["languages"].append((scores["macro_f1"], f"{task} {name}"))
    found["sets"] = [(scores["macro_f1"], name) for name, scores in sets_of(result)]
    lines = []
    for kind, scored in found.items():
        weak = [f"{name} {value:.2f}" for value, name in sorted(scored) if value < WEAK]
        lines.append(f"{kind} below {WEAK}: {', '.join(weak) or 'none'}")
    return lines


def _set_table(result: Mapping[str, Any]) -> str:
    rows = []
    for name, scores in sets_of(result):
        three = scores.get("macro_f1_bug_feature_rest")
        cells = [scores.get("accuracy"), scores["macro_f1"], three]
        rows.append([name, str(scores.get("rows", "")), *("" if x is None else f"{x:.3f}" for x in cells)])
    return _rows("### Sets", ["set", "rows", "accuracy", "macro-F1", "as bug, feature, rest"], rows)


def _kinds(result: Mapping[str, Any]) -> str:
    rows = []
    kinds: Mapping[str, Mapping[str, Any]] = result.get("kinds", {})
    languages = list(dict.fromkeys(name for scores in kinds.values() for name in scores["languages"]))
    for kind, scores in kinds.items():
        shares = [scores["category"], scores["sentiment"], *map(scores["languages"].get, languages)]
        cells = ("" if share is None else f"{share:.2f}" for share in shares)
        rows.append([kind, str(scores["rows"]), *cells])
    heads = ["kind", "rows", "category", "sentiment", *(f"category {name}" for name in languages)]
    return _rows("### Kinds of error, share of right answers", heads, rows)


def _languages(result: Mapping[str, Any]) -> str:
    rows = []
    for task, languages in result.get("languages", {}).items():
        for name, scores in languages.items():
            lowest = min(scores["f1"], key=scores["f1"].__getitem__)
            numbers = [f"{scores['accuracy']:.3f}", f"{scores['macro_f1']:.3f}"]
            rows.append([task, name, str(scores["rows"]), *numbers, f"{lowest} {scores['f1'][lowest]:.2f}"])
    heads = ["question", "language", "rows", "accuracy", "macro-F1", "weakest class"]
    return _rows("### Languages", heads, rows)


def _task(task: str, result: Mapping[str, Any]) -> str:
    """Classes, confusion and calibration of one question, over all its held-out sets together."""
    held = result[task]["held_out"]
    if "confusion" not in held:
        return ""
    answers = sorted({name for counts in held["confusion"].values() for name in counts})
    rows = []
    for name, scores in held["classes"].items():
        numbers = [f"{scores[key]:.2f}" for key in ("precision", "recall", "f1")]
        counts = [str(held["confusion"][name].get(answer, 0)) for answer in answers]
        rows.append([name, str(scores["rows"]), *numbers, *counts])
    heads = ["truth", "rows", "precision", "recall", "F1", *(f"answered {name}" for name in answers)]
    text = _rows(f"### {task.capitalize()}, all held-out sets together", heads, rows)
    if "reliability" in held:
        bins = [
            [
                f"{row['from']:.1f} to {row['to']:.1f}",
                str(row["rows"]),
                f"{row['confidence']:.2f}",
                f"{row['accuracy']:.2f}",
            ]
            for row in held["reliability"]
        ]
        shown = _rows("", ["confidence", "rows", "said", "right"], bins)
        text += f"\n\nExpected calibration error {held['calibration_error']:.3f}.\n\n{shown}"
    return text


def sets_of(result: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Everything with a macro-F1: sets, means and protocols, by a name for people."""

    def walk(name: str, scores: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for key, found in scores.items():
            if isinstance(found, float):
                yield f"{name} {key}", {"macro_f1": found}
            elif "macro_f1" in found:
                yield f"{name} {key}", found
            else:
                yield from walk(f"{name} {key}", found)

    for task in TASKS:
        yield from walk(task, result.get(task, {}))


def _at(result: Any, path: Sequence[str]) -> float | None:
    for name in path:
        result = result.get(name) if isinstance(result, Mapping) else None
    return None if result is None else float(result)


def _rows(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, below its title if it has one; nothing when it has no rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return ""
    rule = "|" + "---|" * len(heads)
    return "\n".join([*([title, ""] if title else []), f"| {' | '.join(heads)} |", rule, *lines])
