"""How close the rows of the list are is chosen on the list, and is a browser's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Call
from tests.inbox.conftest import Reader, report


@pytest.fixture(name="ann")
def _ann(reader: Callable[..., Reader], call: Call) -> Reader:
    report(call, "The export is slow")
    return reader("viewer")


def test_two_densities(ann: Reader) -> None:
    """One line a row; two when that is chosen, until it is chosen otherwise. The list stays where it was."""
    assert 'class="rows"' in ann.get("/inbox").text
    answer = ann.post("/inbox/density", {"density": "comfortable", "back": "/inbox?status=open"})
    assert answer.location == "/inbox?status=open"
    assert 'class="rows airy"' in ann.get("/inbox").text
    ann.post("/inbox/density", {"density": "compact"})

    assert 'class="rows"' in ann.get("/inbox").text


@pytest.mark.parametrize("sent", ["", "<b>", "comfortable; path=/elsewhere"])
def test_other_words_are_none(ann: Reader, sent: str) -> None:
    """Neither a form nor a cookie makes a third."""
    assert ann.post("/inbox/density", {"density": sent, "back": "//evil.test"}).location == "/inbox"
    ann.client.set_cookie("density", sent, domain="localhost")

    assert 'class="rows"' in ann.get("/inbox").text
