"""Answers on a record's page and on a theme's: written, taken back, kept in the form when refused."""

from __future__ import annotations

import ast
import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from gateway.inbox import refusals
from gateway.replies import by_mail, in_discord, in_slack, recipients
from models import Reply
from models.database.base import writing
from tests.conftest import Call, Tenant
from tests.inbox.conftest import ELSEWHERE, Reader
from tests.inbox.tree import Tree
from tests.mail_server import configured
from tests.replies.conftest import theme_of

pytestmark = pytest.mark.both(long=True)

Make = Callable[..., Reader]
HOSTILE = "</textarea><script>alert(1)</script> & \"'"


@pytest.fixture(autouse=True)
def _mail(app: Flask) -> Iterator[None]:
    with configured(1):  # which nobody speaks to
        yield


@pytest.fixture(name="record")
def _record(call: Call) -> str:
    sent = {"author": {"email": "anna@example.org"}, "subject": {"email_followup_opted_in": True}}
    return str(call("POST", "/gateway/v1/feedback", json={"text": "Is it mended?", **sent}).json["id"])


def section(page: str) -> str:
    found = re.search(r'<section aria-labelledby="replies">.*?</section>', page, re.DOTALL)
    assert found, page
    return found[0]


def draft(page: str) -> str:
    found = re.search(r"<textarea[^>]* name=\"text\"[^>]*>(.*?)</textarea>", page, re.DOTALL)
    assert found, page
    return html.unescape(found[1])


def test_written_and_taken_back(reader: Make, record: str) -> None:
    """What is taken leaves the form, and can be taken back into it until it is begun; a viewer only reads."""
    ann, page = reader("triager"), f"/records/{record}"
    done = ann.post(f"{page}/replies", {"text": f" {HOSTILE}\r\nTwo "})
    assert (done.status_code, done.location) == (303, f"{page}#replies")
    shown = ann.get(page).text
    assert "It is sent in 10 seconds." in shown
    assert (draft(shown), Tree(shown).faults) == ("", [])
    row = Reply.get()
    assert (row.text, row.channel, row.key_id) == (f"{HOSTILE}\nTwo", "email", ann.user_id)
    form = f"{page}/replies/{row.id}/delete"
    assert f'action="{form}"' in shown
    assert html.unescape(section(reader("viewer").get(page).text)).count(HOSTILE) == 1
    assert "<form" not in section(reader("viewer", email="v@x.test").get(page).text)

    assert ann.post(form, {"text": row.text}).location == f"{page}#replies"
    assert draft(ann.get(page).text) == row.text
    assert (draft(ann.get(page).text), Reply.select().count()) == ("", 0)


def test_what_is_refused(reader: Make, record: str) -> None:
    """It stays in the form with why: too long, or when the author cannot be answered any more."""
    ann, page = reader("triager"), f"/records/{record}"
    for sent, why in (
        ({"text": "x" * 8_001}, "text: "),
        ({"text": "Hi", "channel": "slack"}, "slack: the record is not from Slack"),
    ):
        assert ann.post(f"{page}/replies", sent).location == f"{page}#replies"
        shown = ann.get(page).text
        assert draft(shown) == sent["text"] and why in shown and 'class="said bad"' in shown
    for headers in ELSEWHERE:
        assert ann.post(f"{page}/replies", {"text": "Hi"}, headers=headers).status_code == 400
    assert Reply.select().count() == 0

    ann.post(f"{page}/replies", {"text": "Hi"})
    with writing():
        Reply.update(state="sending").execute()
    late = ann.post(f"{page}/replies/{Reply.get().id}/delete", {"text": "Hi"})
    assert (late.status_code, Reply.select().count()) == (303, 1)
    assert "It is sent already." in ann.get(page).text


def test_who_cannot_be_answered(reader: Make, call: Call) -> None:
    """The page says which channels are missing, and why, in the reader's language."""
    record = call("POST", "/gateway/v1/feedback", json={"text": "Hm"}).json["id"]
    page = reader("triager").get(f"/records/{record}", headers={"Accept-Language": "nl"}).text
    assert "De auteur kan van hieruit niet beantwoord worden: e-mail: de melding heeft geen adres" in page
    assert "de melding komt niet van Slack" in page
    assert '<textarea id="reply"' not in page


def test_whom_a_viewer_could_answer(reader: Make, record: str) -> None:
    """Who may not write is not told that the author cannot be answered; who may is told how it goes."""
    assert "cannot be answered" not in section(reader("viewer").get(f"/records/{record}").text)
    assert ">by email<" in section(reader("triager").get(f"/records/{record}").text)


def test_who_wants_no_more(reader: Make, record: str, tenant: Tenant) -> None:
    """Beside the answers that were given stands why there can be no other."""
    ann, page = reader("triager"), f"/records/{record}"
    ann.post(f"{page}/replies", {"text": "Hi"})
    recipients.unsubscribe(tenant.workspace_id, Reply.get().address)
    assert "cannot be answered from here: email: its author wants no more mail" in section(ann.get(page).text)


def test_each_refusal_has_its_words() -> None:
    """Whatever the channels say that a record lacks is known in other languages, too."""
    known = {*refusals.PHRASES, *(form.replace("%(why)s", "") for form in refusals.FORMS)}
    for module in (by_mail, in_discord, in_slack):
        tree = ast.parse(Path(module.__file__).read_text())
        [lacks] = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "_lacks"]
        for returned in [node.value for node in ast.walk(lacks) if isinstance(node, ast.Return)]:
            first = returned.values[0] if isinstance(returned, ast.JoinedStr) else returned
            said = getattr(module, first.id) if isinstance(first, ast.Name) else first.value  # type: ignore[union-attr]
            assert not said or said in known, said


def test_all_who_asked(reader: Make, record: str, tenant: Tenant) -> None:
    """The page says who would be told; what is told can be taken back, what is refused stays in the form."""
    ann, page = reader("triager"), f"/overview/themes/{theme_of(tenant, [record])}"
    before = ann.get(page).text
    assert "<h1>Tell all who asked: export</h1>" in before
    assert "Would be told: 1" in before and Tree(before).faults == []
    refused = ann.post(page, {"text": "x" * 8_001})
    assert (refused.status_code, draft(refused.text)) == (400, "x" * 8_001)
    assert ann.post(page, {"text": HOSTILE}).location == page
    after = ann.get(page).text
    assert "1 will be told. It is sent in 10 seconds." in after and "1 are told already" in after
    assert Reply.get().text == HOSTILE
    assert ann.post(f"{page}/delete").location == page
    assert (Reply.select().count(), "1 taken back." in ann.get(page).text) == (0, True)
    with configured(1):
        pass
    off = ann.get(page)  # mail is off again
    assert (off.status_code, "Mail needs GATEWAY_SMTP_URL." in off.text) == (200, True)
    assert ann.get("/overview/themes/th_1").status_code == 404
