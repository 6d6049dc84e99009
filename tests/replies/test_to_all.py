"""All who asked about a theme are told once: those who want it, in their language, with a way to end it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.replies import to_all
from gateway.replies.words import WORDS
from models import Audit, Event, Project, Reply, Unsubscribed
from models.database.base import rows, writing
from tests.conftest import Call, Tenant
from tests.mail_server import Mailbox
from tests.replies.conftest import Asked, Send, theme_of

pytestmark = pytest.mark.both(long=True)

PATH = "/gateway/v1/themes/{}/replies"
DAY = 86_400
NOBODY = dict.fromkeys(to_all.SKIPPED, 0)


def told(box: Mailbox) -> list[str]:
    return sorted(str(mail["To"]) for mail in box.mails)


def test_who_is_told(call: Call, box: Mailbox, asked: Asked, send: Send, tenant: Tenant) -> None:
    """Each address once, whatever its case and however many its records, each of which has the receipt.

    Who did not ask for it is not told, and nor is anybody a second time.
    """
    anna = [asked("anna@example.org", language="de"), asked("Anna@Example.org", language="fr")]
    ids = [*anna, asked("bob@example.org"), asked("eve@example.org", opted_in=False)]
    ids += [asked("mallory@example.org", opted_in="true"), asked(None), asked("no address")]
    theme = theme_of(tenant, ids)
    dry = call("POST", PATH.format(theme), json={"text": "Mended.", "dry_run": True})
    first = call("POST", PATH.format(theme), json={"text": "Mended."})
    second = call("POST", PATH.format(theme), json={"text": "Mended!"})
    assert call("DELETE", PATH.format(theme)).json == {"cancelled": 2}
    third = call("POST", PATH.format(theme), json={"text": "Mended at last: 100 %"})
    send()

    none = {**NOBODY, "not_opted_in": 2, "no_address": 1}
    assert (dry.status_code, dry.json["queued"], dry.json["skipped"]) == (200, 2, none)
    assert dry.json["mail"]["to"] in ("Anna@Example.org", "bob@example.org")
    assert (first.status_code, first.json["queued"]) == (202, 2)
    assert (second.json["queued"], second.json["skipped"]) == (0, {**none, "told_before": 2})
    assert third.json["queued"] == 2
    assert told(box) == ["Anna@example.org", "bob@example.org"]
    [mail] = [mail for mail in box.mails if mail["To"] == "Anna@example.org"]
    assert mail["Subject"] == WORDS["fr"].subject % {"project": "Default"}
    assert mail.get_content().startswith("Vous avez donné votre avis à Default")
    assert "Mended at last: 100 %" in mail.get_content()
    noted = [row["feedback"] for row in rows(Event.select().where(Event.type == "replied"))]
    assert sorted(noted) == sorted(ids[:3])
    for replied, records in (("yes", ids[:3]), ("no", ids[3:])):
        found = call("GET", f"/gateway/v1/feedback?replied={replied}").json["data"]
        assert sorted(row["id"] for row in found) == sorted(records)
    assert call("GET", "/gateway/v1/feedback?replied=maybe").status_code == 400
    assert call("GET", "/gateway/v1/stats?replied=no").json["total"]["count"] == len(ids) - 3
    assert {row["action"] for row in rows(Audit.select())} >= {
        "theme.answered",
        "theme.answers_taken_back",
    }


def test_the_end_of_mail(call: Call, box: Mailbox, asked: Asked, send: Send, tenant: Tenant) -> None:
    """A click ends it for good, a look at the page does not, and a link that was made elsewhere is none."""
    theme = theme_of(tenant, [asked("anna@example.org")])
    call("POST", PATH.format(theme), json={"text": "Mended."})
    send()
    assert box.mails[0]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = "/" + box.mails[0]["List-Unsubscribe"].strip("<>").split("/", 3)[3]
    assert path in box.mails[0].get_content()
    seen = call("GET", path)
    others = [
        path[:-1] + ("0" if path[-1] != "0" else "1"),
        "/unsubscribe/ws_1/a/b",
        path.replace("ws_", "wx_"),
    ]
    refused = [call(method, other) for other in others for method in ("GET", "POST")]
    assert (seen.status_code, Unsubscribed.select().count()) == (200, 0)
    assert [answer.status_code for answer in refused] == [404] * 6
    # As mail programs and pages of mail services send it, also over plain HTTP.
    for headers in (
        {},
        {"Origin": "https://mail.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
    ):
        host = {"Host": "gateway.example", **headers}
        done = call("POST", path, data={"List-Unsubscribe": "One-Click"}, headers=host)
        assert (done.status_code, Unsubscribed.select().count()) == (200, 1)

    again = theme_of(tenant, [asked("ANNA@example.org")])
    later = call("POST", PATH.format(again), json={"text": "And this."})
    assert later.json["skipped"] == {**NOBODY, "unsubscribed": 1}
    send(2 * DAY)
    assert len(box.mails) == 1


def test_how_many_a_day(
    call: Call, box: Mailbox, asked: Asked, send: Send, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a second theme an address hears a day after the first; a workspace writes so many a day."""
    ids = [asked("anna@example.org"), asked("bob@example.org")]
    first, second = theme_of(tenant, ids[:1]), theme_of(tenant, ids)
    for theme in (first, second):
        assert call("POST", PATH.format(theme), json={"text": "Mended."}).status_code == 202
    send()
    assert told(box) == ["anna@example.org", "bob@example.org"]
    monkeypatch.setattr(to_all, "MOST_A_DAY", 3)
    refused = call("POST", PATH.format(theme_of(tenant, [asked("c@example.org")])), json={"text": "x"})
    assert (refused.status_code, Reply.select().count()) == (409, 3)

    send(DAY + 9)
    assert len(box.mails) == 2
    send(DAY + 11)
    assert told(box) == ["anna@example.org"] * 2 + ["bob@example.org"]


def test_where_nobody_is_told(call: Call, asked: Asked, tenant: Tenant, new_key: Any, box: Mailbox) -> None:
    """A project may say so; without a theme of theirs nobody is found, nor by a key of another project."""
    theme = theme_of(tenant, [asked("anna@example.org")])
    with writing():
        Project.update(email_followup=False).execute()
    off = call("POST", PATH.format(theme), json={"text": "x"})
    made = call("POST", "/gateway/v1/projects", json={"name": "Other"}).json["project_id"]
    key = {"Authorization": f"Bearer {new_key(project_id=made, scopes=['triage'])}"}

    assert off.json["skipped"] == {**NOBODY, "followup_off": 1}
    for method in ("POST", "DELETE"):
        assert call(method, PATH.format("th_1"), json={"text": "x"}).status_code == 404
        assert call(method, PATH.format(theme), json={"text": "x"}, headers=key).status_code == 404


def test_without_mail(call: Call, asked: Asked, tenant: Tenant) -> None:
    theme = theme_of(tenant, [asked("anna@example.org")])
    refused = call("POST", PATH.format(theme), json={"text": "x"})
    assert (refused.status_code, refused.json["detail"]) == (409, "Mail needs GATEWAY_SMTP_URL.")


def test_every_language(call: Call, box: Mailbox, asked: Asked, send: Send, tenant: Tenant) -> None:
    """What stands around an answer is in the language of the record, or else in English."""
    languages = [*WORDS, "ja"]
    ids = [asked(f"{name}@example.org", language=name) for name in languages]
    call("POST", PATH.format(theme_of(tenant, ids)), json={"text": "Mended."})
    send()
    found = {str(mail["To"])[:2]: mail for mail in box.mails}
    for name in languages:
        words, said = WORDS.get(name, WORDS["en"]), found[name].get_content().replace("\r\n", "\n")
        project = {"project": "Default"}
        assert found[name]["Subject"] == words.subject % project
        assert said.startswith(f"{words.asked % project}\n\nMended.\n\n-- \n{words.why % project}\n")
    assert len({words.subject for words in WORDS.values()}) == len(WORDS) == 5
