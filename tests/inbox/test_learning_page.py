"""A project's learning: what the page tells, the button that learns, and the way back."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest

from gateway.background import project_learning
from gateway.core.ids import now_ms
from models import Audit, ProjectHead, Unlearnt, User
from models.database.base import writing
from models.tables import project_head
from tests.conftest import Call, Tenant
from tests.inbox.conftest import Reader

Make = Callable[..., Reader]
OUTCOME: dict[str, Any] = {"refusal": "", "version": "h12", "corrections": 5, "confirmations": 2}
MEASURED = [{"task": "category", "texts": "corrected", "count": 5, "old": 1, "new": 4}]


@pytest.fixture(name="taught")
def _taught(call: Call) -> list[str]:
    """Records that somebody gave another category."""
    made = []
    for number in range(project_learning.LEAST):
        text = f"Could you add <b>dark mode</b> to page {number}"
        made.append(call("POST", "/gateway/v1/feedback", json={"text": text}).json["id"])
        call("PATCH", f"/gateway/v1/feedback/{made[-1]}", json={"category": "praise"})
    return made


@pytest.fixture(name="path")
def _path(tenant: Tenant) -> str:
    return f"/settings/projects/{tenant.project_id}/learning"


def learnt(tenant: Tenant, data: bytes | None = b"x", **outcome: Any) -> None:
    """What the background worker leaves when it has learnt."""
    one = project_learning.at_once(tenant.workspace_id, tenant.project_id, "")
    found = {**OUTCOME, "measured": MEASURED, **outcome}
    with writing():
        project_learning.begin(one)
        project_head.store(
            *(one.workspace_id, one.project_id, one.basis, found, data, now_ms()), changed=False, drop=False
        )


def told(page: str) -> str:
    """What the page says of the learning."""
    found = re.search(r'role="status"[^>]*>([^<]*)<', page)
    return unescape(found[1]) if found else ""


def test_what_it_tells(reader: Make, tenant: Tenant, taught: list[str], path: str) -> None:
    """How many corrections were learnt and when the next learning is, and why the last try was refused."""
    ann = reader("viewer")
    assert told(ann.get(path).text).startswith("Nothing is learnt here yet. Next on ")
    learnt(tenant)
    page = ann.get(path).text
    assert told(page).startswith("Learnt from 5 corrections and 2 confirmed records on ")
    assert told(page).endswith("Next when somebody corrects a record.")
    assert "category, corrected" in page
    assert "Could you add &lt;b&gt;dark mode" in page
    assert "feature → praise" in page
    assert "<form" not in page.partition("<main")[2]
    learnt(tenant, None, refusal="macro-F1 falls <much>")
    assert "not used: macro-F1 falls &lt;much&gt;" in ann.get(path).text
    assert f'href="{path}"' in ann.get(path.removesuffix("/learning")).text


def test_few_corrections(reader: Make, path: str) -> None:
    """Without corrections there is nothing to press, and the page says how many it takes."""
    page = reader("admin").get(path).text

    assert told(page) == "Nothing is learnt here yet. It begins with 5 corrections."
    assert '<button class="main" disabled>' in page


def test_learn_now(reader: Make, taught: list[str], path: str) -> None:
    """The button asks the background worker, and the page looks again until it has learnt."""
    ann = reader("admin")
    assert ann.post(path).location == path
    page = ann.get(path).text

    assert told(page).endswith("the background worker has been asked.")
    assert f'data-training="{path}/state"' in page
    assert '<button class="main" disabled>' in page
    assert ann.get(f"{path}/state").json == {"ended": False, "say": told(page)}


def test_one_click_takes_a_lesson_back(reader: Make, tenant: Tenant, taught: list[str], path: str) -> None:
    """A triager takes one back and learns it again; both are in the audit trail."""
    learnt(tenant)
    ann = reader("triager")
    lesson = f"{path.removesuffix('learning')}lessons/{taught[0]}"
    assert ann.post(lesson, {"learnt": "0"}).location.startswith(path)
    assert [row.feedback_id for row in Unlearnt.select()] == [taught[0]]
    assert "Learn it again" in ann.get(path).text
    ann.post(lesson, {"learnt": "1"})
    assert not Unlearnt.select().exists()
    acts = [row.action for row in Audit.select().order_by(Audit.id) if row.action.startswith("lesson.")]
    assert acts == ["lesson.taken_back", "lesson.learnt_again"]


def test_forget_all(reader: Make, tenant: Tenant, taught: list[str], path: str) -> None:
    """An admin takes everything back at once."""
    learnt(tenant)
    ann = reader("admin")
    ann.post(path, {"act": "forget"})

    assert ProjectHead.get().version is None
    assert "Nothing is learnt here yet." in ann.get(path).text


def test_in_dutch(reader: Make, tenant: Tenant, taught: list[str], path: str) -> None:
    learnt(tenant)
    ann = reader("admin")
    User.update(language="nl").execute()

    assert told(ann.get(path).text).startswith("Geleerd van 5 verbeteringen")
