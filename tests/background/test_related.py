"""Records about the same in other words: found for people, with bounded work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.access.projects import create_project
from gateway.background import related
from gateway.core.ids import now_ms
from models import Feedback
from models.database.base import database, writing
from tests.alike import two_languages
from tests.conftest import Call, Tenant

PATH = "/gateway/v1/feedback"
INVOICES = (
    "The invoice for May has the wrong VAT number on it",
    "Where do I find last year's invoices? My accountant is asking",
    "Could you send invoices to a second email address as well",
)
REST = ("The invoice and its VAT are wrong again", "An invoice of yours failed")
OTHERS = ("Dark mode forgets itself after a restart", "The map jumps back to Utrecht", "Search takes ages")


def post(call: Call, text: str, **more: Any) -> str:
    answer = call("POST", PATH, json={"text": text, **more.pop("body", {})}, **more)
    assert answer.status_code == 201, answer.json
    return str(answer.json["id"])


def post_all(call: Call, texts: list[str]) -> list[str]:
    found: list[str] = []
    for start in range(0, len(texts), 100):
        some = [{"text": text} for text in texts[start : start + 100]]
        answer = call("POST", f"{PATH}/batch", json=some)
        found += [one["id"] for one in answer.json["data"]]
    return found


def listed(call: Call, feedback_id: str, **more: Any) -> list[dict[str, Any]]:
    answer = call("GET", f"{PATH}/{feedback_id}?expand=related", **more)
    assert answer.status_code == 200, answer.json
    found: list[dict[str, Any]] = answer.json["related"]
    return found


def found_of(call: Call, feedback_id: str, **more: Any) -> list[str]:
    return [one["id"] for one in listed(call, feedback_id, **more)]


@pytest.mark.both
def test_other_words_for_the_same(call: Call) -> None:
    """What is about the same is found, best first, with a title and a score; what is not, is not."""
    invoices = [post(call, text) for text in INVOICES]
    others = [post(call, text) for text in OTHERS]
    found = listed(call, invoices[0])

    assert {one["id"] for one in found} == set(invoices[1:])
    assert all(set(one) == {"id", "title", "score"} for one in found)
    scores = [one["score"] for one in found]
    assert scores == sorted(scores, reverse=True) and 0.2 <= scores[-1] <= scores[0] <= 1
    assert not any(set(found_of(call, one)) & set(invoices) for one in others)


@pytest.mark.both
def test_what_is_not_shown(call: Call, tenant: Tenant, other: Tenant, new_key: Callable[..., str]) -> None:
    """Nothing of another workspace or project, nothing taken back, and nobody's same words twice."""
    mine, again, second, same_as_second, taken_back, reminder = (
        post(call, text)
        for text in (INVOICES[0], f"{INVOICES[0]}!", INVOICES[1], f"Hi! {INVOICES[1]}", *REST)
    )
    moved = post(call, INVOICES[2])
    theirs = post(call, INVOICES[2], headers=other.headers)
    elsewhere = create_project(tenant.workspace_id, "Elsewhere", now_ms())
    with writing():
        Feedback.update(retracted_at=now_ms()).where(Feedback.id == taken_back).execute()
        Feedback.update(type="alert").where(Feedback.id == reminder).execute()
        Feedback.update(project_id=elsewhere).where(Feedback.id == moved).execute()
    headers = {"Authorization": f"Bearer {new_key(project_id=tenant.project_id)}"}

    assert found_of(call, mine) == found_of(call, again)
    assert set(found_of(call, mine)) == {same_as_second, moved}
    assert found_of(call, mine, headers=headers) == [same_as_second]
    assert found_of(call, theirs, headers=other.headers) == []
    assert second not in found_of(call, mine)


@pytest.mark.both
def test_older_ones_are_found_by_the_index_of_words(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many came since, and however many there are: a bounded number of statements asks for them."""
    older = post_all(call, list(INVOICES))
    post_all(call, [f"The lantern {number} hums" for number in range(300)])
    monkeypatch.setattr(related, "NEWEST", 10)
    long = " ".join(f"word{letter * 3}" for letter in "abcdefghijklmnopqrstuvwxyz")
    asked: list[str] = []
    real = database.obj.execute_sql

    def note(sql: str, params: Any = None) -> Any:
        asked.append(sql)
        return real(sql, params)

    database.obj.execute_sql = note
    try:
        assert set(found_of(call, older[0])) == set(older[1:])
        long_id = post(call, f"{INVOICES[0]}. {long}")
        few = len(asked)
        found_of(call, long_id)
    finally:
        del database.obj.execute_sql

    assert len(asked) - few <= related.LOOKED_UP + 8


@pytest.mark.both
@pytest.mark.parametrize(
    "text", ["", "the and of", "12345", "ㄅㄆ ㄇㄈ", "お金を返して ください", "👍👍👍", "' \" :* -"]
)
def test_any_text_can_be_asked_about(call: Call, text: str) -> None:
    """Also those without words, and of signs that no search has."""
    post(call, f"{text} x")
    one = post(call, f"{text} y")
    assert all(found["score"] <= 1 for found in listed(call, one))


@pytest.mark.long
def test_two_languages(call: Call) -> None:
    """Of five texts that are shown for each of three hundred, in thirty groups, most are of its group."""
    groups = [(number, text) for number, (_, texts) in enumerate(two_languages()) for text in texts]
    ids = post_all(call, [text for _, text in groups])
    about = {name: number for name, (number, _) in zip(ids, groups, strict=True)}
    shown = right = 0
    for name in ids:
        found = found_of(call, name)
        shown += len(found)
        right += sum(about[other] == about[name] for other in found)

    assert len(set(ids)) == 300
    assert right / (related.LIMIT * len(ids)) >= 0.55
    assert right / shown >= 0.67
