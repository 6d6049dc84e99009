"""Reading in the terminal: list, search, show, stats and tail."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask

from gateway.cli import main
from gateway.core.config import Config
from tests.conftest import Call, Tenant

RECORDS = {"Invoices fail": "bug", "Dark\x1b[2J mode [red]": "feature", "Lovely": "praise"}


@pytest.fixture(name="run")
def _run(config: Config, monkeypatch: pytest.MonkeyPatch, call: Call, tenant: Tenant) -> Any:
    """Runs a command against the test's database, which holds three records."""
    monkeypatch.setenv("GATEWAY_DATABASE_URL", config.database_url)
    monkeypatch.setenv("GATEWAY_DATA_DIR", config.data_dir)
    monkeypatch.setenv("GATEWAY_SECRET_KEY", config.secret_key)
    for text, category in RECORDS.items():
        call("POST", "/gateway/v1/feedback", json={"text": text, "category": category})

    def run(*words: str) -> Any:
        return CliRunner().invoke(main, list(words))

    return run


def test_list_and_search(run: Any) -> None:
    """The terminal takes the API's filters, and shows a table or one JSON object."""
    listed = json.loads(run("list", "category=bug,feature", "--json").stdout)
    assert [record["category"] for record in listed["data"]] == ["feature", "bug"]
    assert listed["more"] is False
    assert json.loads(run("list", "tag!=none&category=bug", "--json").stdout)["data"] == listed["data"][1:]
    oldest = json.loads(run("list", "--json").stdout)["data"][-1]["category"]
    shown = run("list", "--limit", "2").stdout
    assert "Lovely" in shown and "Dark [2J mode [red]" in shown and "\x1b[2J" not in shown
    assert "2 records (there are more)" in shown
    for words in (
        ("list", "limit=1&sort=received_at"),
        ("list", "?sort=received_at&limit=3", "--limit", "1"),
    ):
        listed = json.loads(run(*words, "--json").stdout)
        assert (len(listed["data"]), listed["more"]) == (1, True)
        assert listed["data"][0]["category"] == oldest
    found = json.loads(run("search", "invoice", "--json").stdout)
    assert [record["text"] for record in found["data"]] == ["Invoices fail"]
    assert "1 records" in run("search", "--filter", "category=praise", "--", "-invoice").stdout


def test_show_and_stats(run: Any) -> None:
    """One record with its history, and numbers."""
    record = json.loads(run("list", "category=bug", "--json").stdout)["data"][0]
    shown = json.loads(run("show", record["id"], "--json").stdout)
    assert {name: shown[name] for name in record} == record
    assert [event["type"] for event in shown["events"]] == ["received"]
    assert "Invoices fail" in run("show", record["id"]).stdout
    numbers = json.loads(run("stats", "since=1d", "--by", "category", "--json").stdout)
    assert [(row["category"], row["count"]) for row in numbers["data"]] == [
        ("bug", 1),
        ("feature", 1),
        ("praise", 1),
    ]
    assert "feature" in run("stats", "--by", "day,category").stdout


def test_bad_words(run: Any) -> None:
    """What is wrong is said in a line, with the exit code 1."""
    for words in (
        ("list", "colour=red"),
        ("list", "limit=0"),
        ("list", "limit=many&sort=colour"),
        ("search", '"'),
        ("show", "fb_x"),
        ("stats", "--by", "colour"),
        ("tail", "q="),
    ):
        result = run(*words)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("Error: ")


def test_tail(run: Any, app: Flask, tenant: Tenant) -> None:
    """Records are told as they arrive, each once, and only those that the filter means."""
    done = threading.Event()

    def write() -> None:
        client, number = app.test_client(), 0
        while not done.is_set():
            number += 1
            sent = {"text": f"Arrival {number}", "category": "bug" if number % 2 else "praise"}
            client.post("/gateway/v1/feedback", json=sent, headers=tenant.headers)
            time.sleep(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        result = run("tail", "category=bug", "--interval", "0.05", "-n", "5", "--json")
    finally:
        done.set()
        writer.join()
    told = [json.loads(line)["text"] for line in result.stdout.splitlines()]
    assert len(told) == len(set(told)) == 5
    assert all(int(text.split()[1]) % 2 for text in told)
