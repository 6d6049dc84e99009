"""Mails about changes, as a server of this machine takes them."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from flask import Flask

from adapters.contract import Refused
from gateway.core import mail
from gateway.core.config import Config
from gateway.destinations import managing, stopping
from gateway.files import addresses
from models import Attempt, Audit, Outgoing
from models.tables import outbox
from tests.conftest import Call, Tenant, run_command, running, until
from tests.destinations.conftest import Send, now_of
from tests.mail_server import FROM, configured, taking

PATH = "/gateway/v1/feedback"
HOSTILE = "<script>alert(1)</script>\r\nBcc: eve@example.net\r\n\r\n.\r\n\u202e=?utf-8?q?Hi=0D=0ABcc:_x?="


def create(tenant: Tenant, url: str = "mailto:team@example.com", **sent: object) -> dict[str, object]:
    return managing.create(tenant.workspace_id, None, "email", url, sent, by="key_test")


def post(call: Call, text: str, **more: object) -> str:
    answer = call("POST", PATH, json={"text": text, **more})
    assert answer.status_code == 201 and answer.json is not None
    return str(answer.json["id"])


def test_mails_of_a_record(call: Call, tenant: Tenant, send: Send) -> None:
    """The first has its words in both forms, the next ones follow it, and headers of one's own are kept."""
    with taking() as box, configured(box.port):
        headers = {"X-Team": "payments", "Authorization": "Bearer abc"}
        made = create(tenant, events=[outbox.CREATED, outbox.STATUS_CHANGED], headers=headers)
        assert made["secret"] is None
        words = f"The total is wrong\n\n{HOSTILE}"
        record = post(call, words, title=words)
        send()
        assert call("PATCH", f"{PATH}/{record}", json={"status": "resolved"}).status_code == 200
        send(601)  # when the ten minutes after the first are over

    first, second = box.mails
    assert first["To"] == "team@example.com" and first["X-Team"] == "payments"
    assert "Bcc" not in first and "Authorization" not in first
    assert "The total is wrong <script>alert(1)</script> Bcc: eve@example.net" in first["Subject"]
    assert {mail["In-Reply-To"] for mail in box.mails} == {None, first["Message-ID"]}
    assert second["References"] == first["Message-ID"] == f"<{Outgoing.select().first().id}@example.com>"
    plain, page = (part.get_content().replace("\r\n", "\n") for part in first.iter_parts())
    assert "> The total is wrong\n>\n> <script>alert(1)</script>\n> Bcc: eve@example.net\n" in plain
    assert f"/records/{record}" in plain and f"/records/{record}" in page
    assert "<br><bdi>&lt;script&gt;alert(1)&lt;/script&gt;" in page and "<script" not in page
    assert "\u202e" not in plain + page
    assert "\nsentiment  negative\nstatus     open\n" in plain
    assert {row.state for row in Outgoing.select()} == {"sent"}


def test_what_a_server_refuses(call: Call, tenant: Tenant, send: Send) -> None:
    """Greylisting is waited for, with the same id; an address that nobody has is given up at once."""
    with taking() as box, configured(box.port):
        create(tenant)
        post(call, "The export button does nothing")
        box.recipient_answers.append("451 4.7.1 Greylisted")
        send()
        box.data_answers.append("451 4.3.0 Later")
        send(10)
        send(600)
        assert [mail["Message-ID"] for mail in box.mails] == [f"<{Outgoing.get().id}@example.com>"]
        assert Outgoing.get().state == "sent"

        Outgoing.delete().execute()
        post(call, "Another one")
        box.recipient_answers.append("550 5.1.1 Nobody here")
        send(700)
        send(9 * 86_400)
        assert len(box.mails) == 1
    last = Attempt.select().order_by(Attempt.at.desc()).first()
    assert (last.status, last.why) == (550, "the address is refused: 550 5.1.1 Nobody here")
    assert Outgoing.get().state == "dead"


def test_what_no_mail_goes_to(tenant: Tenant) -> None:
    """An address is checked when it is given, and so is whether there is a server that takes mail at all."""
    with pytest.raises(Refused) as refused:
        create(tenant)
    assert "GATEWAY_SMTP_URL" in refused.value.problem.faults[0].message
    mail.connect(Config(smtp_url="smtp://localhost", mail_from="a@example.com"))
    for url in (
        "team@example.com\r\nBcc: x@example.net",
        "https://example.com/",
        "a@b.example,c@d.example",
        "",
    ):
        with pytest.raises(Refused) as refused:
            create(tenant, url)
        assert [fault.field for fault in refused.value.problem.faults] == ["url"]
    assert create(tenant, "team@example.com")["url"] == "team@example.com"
    mail.connect(Config())


@pytest.mark.long
def test_as_it_is_served(tmp_path: Path) -> None:
    """A server and its worker, set up from the command line, mail a record and a link to a new password."""
    with taking() as box:
        settings = {"GATEWAY_SMTP_URL": f"smtp://127.0.0.1:{box.port}", "GATEWAY_MAIL_FROM": FROM}
        (tmp_path / "served").mkdir()  # its own database
        with running(tmp_path / "served", GATEWAY_BACKGROUND="on", **settings) as server:
            run_command(server.environ, "destination", "create", "email", "team@example.com")
            link = run_command(server.environ, "init")["link"].partition("link=")[2]
            key = {"Authorization": f"Bearer {server.tenant.key}"}
            with httpx.Client(base_url=server.url, headers={"Sec-Fetch-Site": "same-origin"}) as ann:
                form = {"email": "ann@example.com", "name": "Ann", "password": "correct horse battery"}
                assert ann.post("/welcome", data={"link": link, **form}).status_code == 303
                assert ann.post("/sign-in/forgotten", data={"email": "ann@example.com"}).status_code == 200
                assert ann.post(PATH, json={"text": "The oven is on fire"}, headers=key).status_code == 201
            until(lambda: len(box.mails) == 2)
    assert {told["To"] for told in box.mails} == {"ann@example.com", "team@example.com"}


def test_one_click_ends_it(call: Call, tenant: Tenant, app: Flask, send: Send) -> None:
    """The link in a mail's header pauses its destination, by a POST alone and while it has this address."""
    addresses.connect("https://feedback.example.com")
    with taking() as box, configured(box.port):
        made = create(tenant)
        post(call, "The total is wrong")
        send()
        (mail,) = box.mails
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        path = mail["List-Unsubscribe"].strip("<>").removeprefix("https://feedback.example.com")
        client = app.test_client()

        def state() -> object:
            return managing.shown(now_of(made))["state"]

        assert client.get(path).status_code == 200
        last = "0" if path[-1] != "0" else "1"
        for wrong in (f"{path}0", path.replace("dst_", "dst_0"), path[:-1] + last):
            assert (client.get(wrong).status_code, client.post(wrong).status_code) == (404, 404)
        assert state() == "enabled"
        managing.change(now_of(made), {"url": "mailto:others@example.com"}, by="key_test")
        assert client.post(path).status_code == 404
        managing.change(now_of(made), {"url": "mailto:team@example.com"}, by="key_test")
        for _ in range(2):
            assert client.post(path, data={"List-Unsubscribe": "One-Click"}).status_code == 200
        assert state() == "paused"
    addresses.connect("")
    act = Audit.select().where(Audit.key_id == stopping.BY).get()

    assert (act.action, act.target) == ("destination.changed", made["id"])
