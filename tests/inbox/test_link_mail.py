"""One-time links that go by mail, to whom they are for."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from werkzeug.test import TestResponse

from gateway.access import users
from gateway.cli import main
from gateway.core import mail
from gateway.core.config import Config
from models import User
from tests.conftest import Tenant
from tests.inbox.conftest import Reader
from tests.mail_server import FROM, configured, taking

LINK = re.compile(r"http\S+/welcome\?link=\S+")


def made(reader: Reader, path: str, **form: str) -> str:
    """The page on which what a form made is shown."""
    return reader.get(reader.post(path, form).location).text


def test_links_are_mailed(reader: Callable[..., Reader]) -> None:
    """Who is invited or is to have a new password gets the link, which works; the page shows it, too."""
    ann = reader(email="ann@example.test")
    with taking() as box, configured(box.port):
        pages = [made(ann, "/settings/people", email="mei@example.test", role="viewer")]
        pages.append(made(ann, f"/settings/people/{ann.user_id}", act="link"))
        box.recipient_answers.append("550 5.1.1 Nobody <b>here</b>")
        pages.append(made(ann, "/settings/people", email="no@example.test", role="viewer"))

    invited, renewed = box.mails
    assert [one["To"] for one in box.mails] == ["mei@example.test", User.get().email]
    assert "invitation" in invited["Subject"] and "new password" in renewed["Subject"]
    for one, page in zip(box.mails, pages, strict=False):
        (link,) = LINK.findall(one.get_content())
        assert link.replace("&", "&amp;") in page and f"mailed to {one['To']}" in page
        assert users.link_of(link.rpartition("=")[2])
        assert one["From"] == FROM and one.get_content_type() == "text/plain"
    assert "could not be mailed to no@example.test" in pages[2] and "&lt;b&gt;here" in pages[2]
    assert LINK.search(pages[2])
    without = made(ann, "/settings/people", email="ben@example.test", role="viewer")
    assert LINK.search(without) and "mailed" not in without


def ask(stranger: Reader, email: str, **options: Any) -> TestResponse:
    """Asks for a link, and waits for what is done afterwards."""
    answer = stranger.post("/sign-in/forgotten", {"email": email}, **options)
    for thread in threading.enumerate():
        if thread.name == "forgotten":
            thread.join()
    return answer


def test_a_forgotten_password(reader: Callable[..., Reader], stranger: Reader) -> None:
    """Who has the address is mailed a link, once in a while; the answer is everybody's."""
    path = "/sign-in/forgotten"
    reader(email="ann@example.test"), reader("viewer", email="gone@example.test")
    User.update(disabled_at=1).where(User.email == "gone@example.test").execute()
    assert stranger.get(path).status_code == 404 and path not in stranger.get("/sign-in").text
    with taking() as box, configured(box.port):
        assert path in stranger.get("/sign-in").text and stranger.get(path).status_code == 200
        others = (
            "nobody@example.test",
            "gone@example.test",
            "",
            "x\r\nBcc: eve@example.net",
            "ANN@example.test",
        )
        pages = {ask(stranger, email).text for email in (*others, " ann@example.test")}
        assert len(pages) == 1 and "is on its way" in pages.pop()
        [one] = box.mails
        assert [ask(stranger, "eve@example.test").status_code for _ in range(6)] == [200] * 5 + [429]
    assert one["To"] == "ann@example.test"
    (link,) = LINK.findall(one.get_content())
    assert users.link_of(link.rpartition("=")[2])


@pytest.mark.parametrize(
    "called",
    [
        "evil.test",
        "localhost:80@evil.test",
        "127.0.0.1:8000@evil.test",
        "[::1]:3@evil.test",
        "localhost:1/evil",
        "localhost:1?",
        "localhost:a.evil.test",
        "[@evil.test]:1",
        "localhost :1",
        "",
    ],
)
def test_a_host_of_somebody_elses(reader: Callable[..., Reader], stranger: Reader, called: str) -> None:
    """What a request says of its host makes no link that leads to somebody else."""
    reader(email="ann@example.test")
    with taking() as box, configured(box.port):
        ask(stranger, "ann@example.test", environ_overrides={"HTTP_HOST": called})
    (link,) = LINK.findall(box.mails[0].get_content())
    assert link.startswith("http://127.0.0.1:8000/welcome?link=") and "evil" not in box.raw[0].decode()


def test_the_settings_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """`mail test` sends one, or says why not, without a database."""

    def run() -> Any:
        return CliRunner().invoke(main, ["mail", "test", "ann@example.test"])

    assert "needs GATEWAY_SMTP_URL" in run().stderr
    monkeypatch.setenv("GATEWAY_MAIL_FROM", FROM)
    with taking() as box:
        monkeypatch.setenv("GATEWAY_SMTP_URL", f"smtp://127.0.0.1:{box.port}")
        assert run().exit_code == 0 and box.mails[0]["To"] == "ann@example.test"
        box.data_answers.append("554 5.7.1 Spam")
        failed = run()
    assert (failed.exit_code, failed.stderr) == (1, "Error: the mail is refused: 554 5.7.1 Spam\n")
    mail.connect(Config())


def test_from_the_command_line(config: Config, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """`user create` and `user reset-link` mail what they print, and say whether that worked."""
    monkeypatch.setenv("GATEWAY_DATABASE_URL", config.database_url)
    monkeypatch.setenv("GATEWAY_DATA_DIR", config.data_dir)
    monkeypatch.setenv("GATEWAY_MAIL_FROM", FROM)

    def run(email: str) -> str:
        return CliRunner().invoke(main, ["user", "create", email], catch_exceptions=False).output

    with taking() as box:
        monkeypatch.setenv("GATEWAY_SMTP_URL", f"smtp://127.0.0.1:{box.port}")
        said = run("mei@example.test")
        assert "Mailed to mei@example.test." in said
        assert LINK.findall(box.mails[0].get_content()) == LINK.findall(said)
    assert "Could not be mailed to ben@example.test: the mail server takes no connections" in run(
        "ben@example.test"
    )
    mail.connect(Config())
