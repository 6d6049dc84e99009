"""Texts that say the same, and texts that do not: what similarity is measured on."""

from __future__ import annotations

from pathlib import Path


def blocks() -> list[list[str]]:
    """Groups of texts; those of one group say the same in nearly the same words."""
    lines = (Path(__file__).parent / "pairs.txt").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    return [block.splitlines() for block in text.strip().split("\n\n")]


def themes() -> dict[str, list[str]]:
    """Texts by what they are about; those of "none" have nothing in common."""
    lines = (Path(__file__).parent / "themes.txt").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    return {name: texts for name, *texts in (block.splitlines() for block in text.strip().split("\n\n"))}


def two_languages() -> list[tuple[set[str], list[str]]]:
    """Groups of texts, half of each in another language, with the words that a good name of a group has."""
    lines = (Path(__file__).parent / "two_languages.txt").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    blocks = [block.splitlines() for block in text.strip().split("\n\n")]
    return [(set(name.split()), texts) for name, *texts in blocks]
