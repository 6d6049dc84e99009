"""Answers on a mail server of this machine, and a clock that tests set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateway.api import replies
from gateway.background.lease import run_once
from gateway.core import outbound
from gateway.core.config import Config
from gateway.core.ids import new_id, now_ms
from gateway.replies import sending
from models import Job, Theme, ThemeMember, ThemeRun
from models.database.base import writing
from models.tables import reply
from tests.conftest import Call, Tenant
from tests.mail_server import Mailbox, configured, taking

Send = Callable[..., None]
Asked = Callable[..., str]


@pytest.fixture(name="box")
def _box(tenant: Tenant) -> Iterator[Mailbox]:
    """What the mail server has taken."""
    with taking() as box, configured(box.port):
        outbound.connect(Config(outbound_allow="127.0.0.1"))
        yield box
        outbound.connect(Config())


@pytest.fixture(name="send")
def _send(monkeypatch: pytest.MonkeyPatch) -> Send:
    """Sends all that is due so many seconds after the test began; until then answers are written then."""
    began = now_ms()

    def at(seconds: float) -> None:
        for module in (sending, replies):
            monkeypatch.setattr(module, "now_ms", lambda: began + round(seconds * 1000))

    def send(seconds: float = 10) -> None:
        at(seconds)
        Job.delete().execute()
        assert run_once(sending.SEND)

    at(0)
    return send


@pytest.fixture(name="asked")
def _asked(call: Call) -> Asked:
    """Stores a record: asked("anna@example.org", language="nl"); its id. `opted_in=False` wants no mail."""

    def asked(email: str | None, *, opted_in: Any = True, **more: Any) -> str:
        sent = {"text": f"Is it mended yet? {new_id('x')}", "subject": {"email_followup_opted_in": opted_in}}
        author = {} if email is None else {"author": {"email": email}}
        return str(call("POST", "/gateway/v1/feedback", json={**sent, **author, **more}).json["id"])

    return asked


def theme_of(tenant: Tenant, ids: list[str]) -> str:
    """A theme of these records; its id in the API."""
    run, row = new_id("thr"), new_id("th")
    with writing():
        ThemeRun.create(
            id=run,
            workspace_id=tenant.workspace_id,
            project_id=None,
            since=0,
            newest=max(ids),
            took=1,
            computed_at=1,
        )
        Theme.create(id=row, lasting_id=row, run=run, label="export", terms=["export"])
        for name in ids:
            ThemeMember.create(theme=row, feedback=name, at=1, closeness=0.5)
    return row


def answered(tenant: Tenant, record: str) -> dict[str, str]:
    """An answer to a record that waits for a day, and the theme that the record is of: their ids."""
    theme, now = theme_of(tenant, [record]), now_ms()
    row = {"id": new_id("rpl"), "workspace_id": tenant.workspace_id, "feedback": record, "channel": "email"}
    row["server"] = "email"
    row |= {"theme": theme, "address": "0" * 64, "text": "topsecret", "key_id": "key_1"}
    with writing():
        reply.add_all([{**row, "created_at": now, "next_at": now + 86_400_000}])
    return {"reply_id": row["id"], "theme_id": theme}
