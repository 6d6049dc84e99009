"""Answers whose worker dies while it sends: each author is told, and what comes twice is known by its id."""

from __future__ import annotations

import signal
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.replies import sending, to_all
from gateway.replies.to_all import Scope
from models import Event, Feedback, Reply
from models.database.base import rows
from tests.conftest import Call, Tenant, until
from tests.mail_server import FROM, Mailbox
from tests.replies.conftest import Asked, Send, theme_of
from tests.runs.test_killed_runs import leases_end, worker

pytestmark = pytest.mark.both(long=True)


def told_once(box: Mailbox, count: int, deaths: int) -> None:
    """Every author has one mail with one id; of those under way when the worker died some may come again."""
    ids = Counter((str(mail["To"]), str(mail["Message-ID"])) for mail in box.mails)
    assert len(ids) == len({to for to, _ in ids}) == count
    assert ids.total() <= count + deaths * sending.AT_ONCE
    assert {row["state"] for row in rows(Reply.select())} == {"sent"}
    receipts = [row["feedback"] for row in rows(Event.select().where(Event.type == "replied"))]
    assert len(receipts) == len(set(receipts)) == count


def test_who_dies_before_it_is_noted(
    call: Call, box: Mailbox, asked: Asked, send: Send, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was taken and not noted is sent again with its id, and by nobody who has been told otherwise."""
    theme = theme_of(tenant, [asked(f"a{n}@example.org") for n in range(12)])
    call("POST", f"/gateway/v1/themes/{theme}/replies", json={"text": "Mended."})
    noted: list[Any] = []

    def dies(note: Any, *args: Any) -> None:
        if len(noted) == 5:
            raise SystemExit
        noted.append(args)
        note(*args)

    with monkeypatch.context() as dying:
        dying.setattr(sending, "_note", partial(dies, sending._note))
        with pytest.raises(SystemExit):
            send()
    assert Reply.select().where(Reply.state == "sending").exists()
    assert call("DELETE", f"/gateway/v1/themes/{theme}/replies").json["cancelled"] < 7
    left = Reply.select().count()
    send(20)

    told_once(box, left, 1)


@pytest.mark.long
def test_five_hundred_authors(
    config: Config, box: Mailbox, asked: Asked, tenant: Tenant, tmp_path: Path
) -> None:
    """Five hundred are told by a worker that is killed five times in the middle."""
    ids = [asked(f"a{n}@example.org") for n in range(500)]
    assert Feedback.select().count() == 500
    scope = Scope(tenant.workspace_id, None, theme_of(tenant, ids))
    assert to_all.tell(scope, "Mended.", by="key_1", now=now_ms() - 60_000)["queued"] == 500
    settings = {"GATEWAY_SMTP_URL": f"smtp://127.0.0.1:{box.port}", "GATEWAY_MAIL_FROM": FROM}
    settings |= {"GATEWAY_DATA_DIR": config.data_dir}
    for n in range(5):
        with worker(config, tmp_path, f"host{n}", **settings) as process:
            until(lambda n=n: len(box.mails) >= 70 * (n + 1))
            process.send_signal(signal.SIGKILL)
            process.wait()
        leases_end()
    with worker(config, tmp_path, "last", **settings):
        until(lambda: Reply.select().where(Reply.state == "sent").count() == 500)

    told_once(box, 500, 5)
