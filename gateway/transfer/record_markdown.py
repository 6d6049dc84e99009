"""Records as Markdown, for an issue, a chat or a document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

BETWEEN = "\n---\n\n"  # records of one file


def markdown(row: Mapping[str, Any], most: int | None = None, address: str = "") -> str:
    """The record for an issue or a chat, at most so many characters of each part of it.

    The words are quoted, so that they format nothing. `address` is where the record is read.
    """
    author = row["author"]["name"] or row["author"]["email"] or row["author"]["id"]
    facts = {
        "category": row["category"],
        "sentiment": row["sentiment"],
        "impact": f"{row['impact']}/14",
        "source": row["source"],
        "page": row["subject"].get("page") or row["subject"].get("url"),
        "from": author,
        "received": row["received_at"],
        "id": row["id"],
    }
    lines = [f"**{_escaped(_cut(row['title'], most))}**", ""]
    lines += [f"    {line}" for line in _cut(row["text"], most).splitlines()] + [""]
    lines += [f"- {name}: {_escaped(_cut(str(value), most))}" for name, value in facts.items() if value]
    return "\n".join([*lines, f"- {address}"] if address else lines)


def records_as_markdown(shown: Iterable[Mapping[str, Any]], address: Callable[[str], str]) -> Iterator[str]:
    """Records one below the other, each with the address of its page, which is made of its id."""
    for number, row in enumerate(shown):
        yield (BETWEEN if number else "") + markdown(row, address=address(row["id"])) + "\n"


def _cut(text: str, most: int | None) -> str:
    return text if most is None or len(text) <= most else f"{text[:most]} …"


def _escaped(text: str) -> str:
    return "".join(f"\\{mark}" if mark in "\\`*_[]<>#|!@" else mark for mark in " ".join(text.split()))
