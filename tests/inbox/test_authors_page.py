"""An author's page: everything said, handed over as a file, and erased as the command erases."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from gateway.transfer import erasure
from models import Audit, Feedback
from models.queries.personal_data import Person
from tests.conftest import Call, Tenant
from tests.inbox.conftest import Reader

PATH = "/gateway/v1/feedback"
ANNA = "anna@example.org"
Make = Callable[..., Reader]


@pytest.fixture(name="ids")
def _ids(call: Call) -> list[str]:
    """Three records of Anna's, one that mentions her, and one of somebody else."""
    anna = {"id": "u-anna", "name": "Anna Berg", "email": ANNA}
    items: list[dict[str, Any]] = [{"text": f"The invoice {n} is wrong", "author": anna} for n in range(3)]
    items.append({"text": f"As {ANNA} said", "author": {"email": "bob@example.org"}})
    items.append({"text": "All is fine", "author": {"name": "Cleo"}})
    return [row["id"] for row in call("POST", f"{PATH}/batch", json=items).json["data"]]


def test_what_they_said(reader: Make, call: Call, ids: list[str]) -> None:
    """A record leads to its author, who is known by every id, name and address, with counts and times."""
    ann = reader("viewer")
    assert 'href="/authors?author=u-anna"' in ann.get(f"/records/{ids[0]}").text
    assert "/authors?" not in ann.get(f"/records/{ids[4]}").text  # a name alone is nobody's
    for known in ("u-anna", ANNA):
        page = ann.get(f"/authors?author={known}").text
        assert "<h1>Anna Berg</h1>" in page
        assert re.search(r'aria-current="page">Inbox<', page)  # the menu says where one is
        assert all(f"/records/{each}" in page for each in ids[:3])
        assert ids[3] not in page
        assert "All 3 in the list" in page
    told = call("GET", f"/gateway/v1/authors/summary?author={ANNA}").json
    assert (told["ids"], told["emails"], told["records"]) == (["u-anna"], [ANNA], 3)
    assert sum(told["by_category"].values()) == told["by_status"]["open"] == 3
    assert told["first_at"] <= told["last_at"]
    assert ann.get("/authors?author=nobody").status_code == 404
    for wrong in ("", "?author=", f"?author={'x' * 501}", "?author=a&more=1"):
        assert call("GET", f"/gateway/v1/authors/summary{wrong}").status_code == 400


def test_a_dry_run_counts_what_goes(reader: Make, tenant: Tenant, ids: list[str]) -> None:
    """What would go is shown as the command counts it, and nothing goes before the address is typed."""
    ann, before = reader("admin"), sorted(map(str, Feedback.select().dicts()))
    for mode in erasure.MODES:
        plan = erasure.erase(tenant.workspace_id, Person(email=ANNA), mode, dry_run=True)
        page = ann.post("/authors/erase", {"author": ANNA, "mode": mode}).text
        assert [f"<li>{word}: {n}</li>" in page for word, n in plan["counts"].items() if n]
        assert all(f"<li>{word}: {n}</li>" in page for word, n in plan["counts"].items() if n)
        wrong = ann.post("/authors/erase", {"author": ANNA, "mode": mode, "typed": "anna"})
        assert wrong.status_code == 400
        assert "Type anna@example.org to erase it." in wrong.text
    assert sorted(map(str, Feedback.select().dicts())) == before


@pytest.mark.parametrize("mode", erasure.MODES)
def test_erased(reader: Make, ids: list[str], mode: str) -> None:
    """With the address typed it is done, and the receipt is named."""
    ann = reader("admin")
    answer = ann.post("/authors/erase", {"author": ANNA, "mode": mode, "typed": " Anna@Example.org "})
    page = ann.get(answer.location).text
    receipt = Audit.get(Audit.action == "author.erased").target

    assert f"Erased: 3 records. The receipt is {receipt}." in page
    assert Feedback.select().where(Feedback.author_email == ANNA).count() == 0
    assert Feedback.select().count() == (2 if mode == "delete" else 5)
    assert ANNA not in "".join(map(str, Feedback.select().dicts()))
    assert ann.get(f"/authors?author={ANNA}").status_code == 404


def test_handed_over(reader: Make, ids: list[str]) -> None:
    """All that is held is one file of JSON."""
    answer = reader("admin").post("/authors/export", {"author": ANNA})
    found = json.loads(answer.text)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="author.json"'
    assert len(found["records"]) == 3
    assert ids[3] in json.dumps(found["mentions"])


def test_one_record_is_deleted(reader: Make, ids: list[str]) -> None:
    """An admin deletes one record; nobody else has the button."""
    assert "Delete for good" not in reader("triager").get(f"/records/{ids[0]}").text
    ann = reader("admin")
    assert "Delete for good" in ann.get(f"/records/{ids[0]}").text
    assert "Deleted." in ann.get(ann.post(f"/records/{ids[0]}/delete", {}).location).text
    assert Feedback.select().where(Feedback.id == ids[0]).count() == 0
    assert ann.post(f"/records/{ids[0]}/delete", {}).status_code == 404
