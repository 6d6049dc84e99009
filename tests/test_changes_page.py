"""docs/changes.md is run as it stands: its loop brings a DuckDB file up to date."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Call, Tenant

PAGE = (ROOT / "docs/changes.md").read_text()
LIST = "/gateway/v1/feedback"


def test_duckdb(call: Call, tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file has what the list has, after each run; the loop is no longer than promised."""
    duckdb = pytest.importorskip("duckdb")
    (loop,) = re.findall(r"^```python duckdb\n(.*?)^```$", PAGE, re.S | re.M)
    assert len(loop.partition("while")[2].splitlines()) <= 15

    class Answer:
        def __init__(self, url: str, params: dict[str, Any], headers: dict[str, str], timeout: int) -> None:
            path = url.removeprefix("https://gateway.test")
            self.answer = call("GET", path, query_string=params, headers=headers)
            self.json = self.answer.get_json

        def raise_for_status(self) -> None:
            if self.answer.status_code != 200:
                raise ConnectionError(self.answer.status)

    monkeypatch.setattr("requests.get", Answer)
    monkeypatch.setenv("GATEWAY_URL", "https://gateway.test")
    monkeypatch.setenv("GATEWAY_KEY", tenant.key)
    monkeypatch.chdir(tmp_path)

    def is_whole() -> bool:
        known: dict[str, Any] = {}
        exec(compile(loop, "follow.py", "exec"), known)  # it is ours
        known["file"].close()
        with duckdb.connect("feedback.duckdb") as file:
            kept = {name: json.loads(data) for name, data in file.execute("FROM feedback").fetchall()}
            (query,) = re.findall(r"`(SELECT data.*?)`", PAGE)
            assert sum(count for _, count in file.execute(query).fetchall()) == len(kept)
        return kept == {one["id"]: one for one in call("GET", LIST).json["data"]}

    ids = [
        call("POST", LIST, json={"text": text}).json["id"] for text in ("Größe", "It is slow", 'A "quote"')
    ]
    assert is_whole()
    call("PATCH", f"{LIST}/{ids[0]}", json={"status": "resolved"})
    call("DELETE", f"{LIST}/{ids[1]}")
    call("POST", LIST, json={"text": "Another one"})
    assert is_whole() and is_whole()
    monkeypatch.setenv("GATEWAY_KEY", "sk_live_none")
    with pytest.raises(ConnectionError, match="401"):
        is_whole()
