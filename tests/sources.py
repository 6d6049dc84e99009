"""Writes docs/sources.md: what every delivery in the fixtures becomes. Run as `python -m tests.sources`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import adapters
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "sources.md"
HEAD = """# Sources

What each kind of delivery becomes, made from the fixtures in `tests/fixtures` by `python -m tests.sources`
and compared by the tests. A delivery without a row of its own becomes nothing: it is answered and ignored.
How to point a sender here is in `docs/dialects`.

`severity` is what the sender says, 0 to 5; a record shows it among the reasons of its impact. `state` is
what the delivery says: after `triggered` the record's status is open, after `suppressed` ignored, after
`acknowledged` and `resolved` as they are called; a `note` adds to the history and leaves the status.
"""
COLUMNS = ("delivery", "title", "severity", "state", "url", "environment", "author", "tags", "occurred_at")
COLUMNS += ("dedupe_key", "incident_key")


def table() -> str:
    """The page's text."""
    parts = [HEAD]
    for name, adapter in adapters.load().items():
        if adapter.signed is None:
            continue
        parts += [f"\n## {name}\n", _line(COLUMNS), _line(["---"] * len(COLUMNS))]
        for path in sorted((ROOT / "tests" / "fixtures" / name).glob("*.json")):
            case = json.loads(path.read_text())
            parts += [_line(_cells(path.stem, record)) for record in case.get("records", [])]
    return "\n".join(parts) + "\n"


def _cells(delivery: str, record: dict[str, Any]) -> list[str]:
    if record.get("unreadable"):
        return [delivery, f"quarantined: {record['unreadable']}"] + [""] * (len(COLUMNS) - 2)
    subject, author = record.get("subject", {}), record.get("author", {})
    at = record.get("occurred_at")
    act = "vote" if record.get("votes_for") else "taken back" if record.get("retracts") else ""
    cells = (
        delivery,
        record.get("title") or record["text"],
        record.get("severity"),
        record.get("state") or act,
        subject.get("url"),
        subject.get("environment"),
        author.get("name") or author.get("email") or author.get("id"),
        ", ".join(record.get("tags", [])),
        datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds") if at is not None else None,
        record.get("dedupe_key"),
        record.get("incident_key"),
    )
    return ["" if cell is None else str(cell) for cell in cells]


def _line(cells: Any) -> str:
    return "| " + " | ".join(_cell(str(cell)) for cell in cells) + " |"


def _cell(text: str) -> str:
    flat = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
    return flat if len(flat) <= 80 else flat[:79] + "…"


if __name__ == "__main__":
    PAGE.write_text(table())
