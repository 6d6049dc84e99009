"""Whoever follows the changes ends with just the gateway's table, whatever is written and who is killed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from gateway.core.config import Config
from models import FeedChange
from models.database.base import close
from models.tables import feedback
from tests.conftest import ROOT, Call, Tenant, until
from tests.following import Warehouse, write

KILLS = 30


def table(tenant: Tenant) -> dict[str, Any]:
    """The gateway's own, as it is shown."""
    rows = feedback.Feedback.select().where(feedback.Feedback.workspace_id == tenant.workspace_id).dicts()
    return {row["id"]: feedback.document(row) for row in rows}


def test_a_follower_that_stops_and_goes_on(app: Flask, tenant: Tenant, call: Call, tmp_path: Path) -> None:
    """It knows all that others write meanwhile, also when it stops before it keeps what it was told."""
    over = threading.Event()

    def writer(number: int) -> None:
        client, dice = app.test_client(), random.Random(number)

        def mine(method: str, path: str, **options: Any) -> Any:
            return client.open(path, method=method, headers=tenant.headers, **options)

        while not over.is_set():
            write(mine, dice)
        close()

    writers = [threading.Thread(target=writer, args=(number,)) for number in range(2)]
    for one in writers:
        one.start()
    warehouse, told, dice = Warehouse(tmp_path / "warehouse.db"), 0, random.Random(0)

    def stopping(*asked: Any, **options: Any) -> Any:
        nonlocal told
        answer = call(*asked, **options)
        told += 1
        if dice.random() < 0.3:
            raise InterruptedError
        return answer

    try:
        while told < 25:
            with suppress(InterruptedError):
                warehouse.follow(stopping, limit=5)
    finally:
        over.set()
        for one in writers:
            one.join()
    call("POST", "/gateway/v1/feedback", json={"text": "The last"})  # writers may have deleted all of theirs
    while warehouse.follow(call):
        pass
    assert warehouse.records() == table(tenant) != {}
    warehouse.close()


@pytest.mark.long
@pytest.mark.both(long=True)
def test_kills(config: Config, app: Flask, tenant: Tenant, call: Call, tmp_path: Path) -> None:
    """Eight writers and a follower, of whom somebody is killed all the time."""
    environ = {
        **os.environ,
        "KEY": tenant.key,
        "GATEWAY_DATABASE_URL": config.database_url,
        "GATEWAY_DATA_DIR": config.data_dir,
        "GATEWAY_SECRET_KEY": config.secret_key,
        "GATEWAY_RATE_LIMIT": config.rate_limit,
        "GATEWAY_LOG_LEVEL": "error",
    }
    command = [sys.executable, "-m", "tests.following", str(tmp_path), str(KILLS)]
    subprocess.run(command, cwd=ROOT, env=environ, check=True)
    warehouse = Warehouse(tmp_path / "warehouse.db")

    def is_whole() -> bool:  # a server may still commit what the killed have sent
        while warehouse.follow(call, limit=200):
            pass
        return warehouse.records() == table(tenant)

    until(is_whole)
    types = {row.type for row in FeedChange.select(FeedChange.type).distinct()}
    assert types == {"created", "changed", "deleted"} and warehouse.records()
    warehouse.close()
