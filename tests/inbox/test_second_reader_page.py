"""What a second reader said, on the page of a record."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.background.test_second_reading import Reader as Second
from tests.background.test_second_reading import post, read, reading
from tests.conftest import Call
from tests.inbox.conftest import Reader

SAID = {
    "en": ("a second reader said praise (99%), positive (99%): category: ", "so a second reader was asked"),
    "nl": ("een tweede lezer zei lof (99%), positief (99%): categorie: ", "dus is een tweede lezer gevraagd"),
}


@pytest.mark.parametrize("language", SAID)
def test_the_record_tells(call: Call, reader: Callable[..., Reader], language: str) -> None:
    """The history says what was said and what changed by it, the labels who gave them."""
    one = post(call)
    read(Second(reading()))
    page = reader().get(f"/records/{one}", headers={"Accept-Language": language}).text

    assert all(said in page for said in SAID[language])
    assert {"en": "second reader", "nl": "tweede lezer"}[language] in page
