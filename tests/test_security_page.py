"""Every bound that docs/security.md names is the code's own."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import pytest

from gateway.core.config import Config
from gateway.core.rate import Rate
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.partition("## Bounds")[2].splitlines()
    if line.startswith("| ") and "---" not in line and "setting or where" not in line
]
SECONDS = {"ms": 0.001, "second": 1, "minute": 60, "hour": 3600, "day": 86_400}
BYTES = {"kB": 1_000, "KiB": 1_024, "MB": 1_000_000, "MiB": 1_048_576}
UNIT = "|".join([*SECONDS, *BYTES])


def constants(where: str) -> list[tuple[str, Any]]:
    """The names in a row's last cell with what they are: a setting's default, or a constant of a module."""
    settings = re.findall(r"`GATEWAY_(\w+)`", where)
    found = [(name, getattr(Config(), name.lower())) for name in settings]
    for names, path in re.findall(r"((?:`[A-Z][A-Z_]+`,? ?)+)in (\S+?)\.py", where):
        module = import_module(path.replace("/", "."))
        found += [(name, getattr(module, name)) for name in re.findall(r"[A-Z][A-Z_]+", names)]
    return found


def said(text: str) -> list[tuple[float, str]]:
    """The numbers of a cell, each with the unit behind it."""
    return [
        (float(number.replace(",", "")), unit)
        for number, unit in re.findall(rf"(\d[\d,]*(?:\.\d+)?)\s*({UNIT})?", text)
    ]


def fits(value: Any, number: float, unit: str) -> bool:
    """Whether a constant is that number, of bytes, or that time in seconds or milliseconds."""
    if unit in SECONDS:
        return bool(value == number * SECONDS[unit] or value == number * SECONDS[unit] * 1000)
    return bool(value == number * BYTES.get(unit, 1))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_bound(row: list[str]) -> None:
    """A row's numbers are the constants and defaults that it names, in their order; its files exist."""
    _what, bound, where = row
    for path in re.findall(r"[\w/]+\.py", where):
        assert (ROOT / path).exists(), path
    found = constants(where)
    if "/" in bound:
        assert [rate_of(value) for _, value in found] == [Rate.parse(bound)]
        return
    assert not found or len(found) == len(said(bound)), (found, bound)
    for (name, value), (number, unit) in zip(found, said(bound), strict=False):
        assert fits(value, number, unit), f"{name} is {value}, and the page says {number:g} {unit}"


def rate_of(value: Any) -> Rate:
    return value if isinstance(value, Rate) else Rate.parse(str(value))


def test_the_table_is_read() -> None:
    """The table has its rows, each of them names a setting or a file, and the page is linked."""
    assert len(ROWS) >= 35
    assert all(len(row) == 3 and re.search(r"GATEWAY_|\.py", row[2]) for row in ROWS)
    for page in ("README.md", "SECURITY.md", "docs/deployment.md"):
        assert "security.md)" in (ROOT / page).read_text(), page


@pytest.mark.parametrize(
    "row",
    [
        ["body", "1,048,577 bytes", "`GATEWAY_MAX_BODY`"],
        ["session", "31 days, 24 hours", "`SESSION_MS`, `IDLE_MS` in gateway/access/users.py"],
        ["session", "30 days", "`SESSION_MS`, `IDLE_MS` in gateway/access/users.py"],
        ["hook", "999/minute", "`HOOK_RATE` in gateway/intake/auth.py"],
        ["gone", "5", "`GONE` in gateway/intake/auth.py"],
        ["gone", "5", "`MOST` in gateway/gone.py"],
    ],
)
def test_what_is_stale_is_found(row: list[str]) -> None:
    """A number that is another one, or a name that is gone, fails."""
    with pytest.raises((AssertionError, AttributeError, ImportError)):
        test_bound(row)
