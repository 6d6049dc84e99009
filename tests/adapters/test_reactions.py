"""Reactions that are votes: the same ones for every sender that tells of reactions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from adapters.common.hook_options import InvalidOption, read_options
from adapters.common.reactions import OPTION, VOTES
from tests.adapters.test_adapters import CASES, DIALECTS, FIXTURES, door_of, inbound_of


def slack(sent: Any, name: str) -> None:
    sent["event"]["reaction"] = name


def gitlab(sent: Any, name: str) -> None:
    sent["object_attributes"]["name"] = name


# The fixtures that give a reaction and take it back, and where its name is.
SENDERS: dict[str, tuple[str, str, Callable[[Any, str], None]]] = {
    "slack": ("reaction_added", "reaction_removed", slack),
    "gitlab": ("emoji_awarded", "emoji_revoked", gitlab),
}


def test_every_sender_is_here() -> None:
    voting = {
        path.parent.name
        for path in CASES
        if any("votes_for" in record for record in json.loads(path.read_text()).get("records", ()))
    }

    assert voting == set(SENDERS)


def votes(sender: str, fixture: str, name: str, **options: Any) -> bool:
    adapter = DIALECTS[sender]
    case = json.loads((FIXTURES / sender / f"{fixture}.json").read_text())
    SENDERS[sender][2](case["request"]["json"], name)
    inbound = inbound_of(case["request"])
    inbound.options = read_options(adapter.signed.options, options)
    return any(record.votes_for for record in door_of(adapter, inbound).read(inbound))


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("fixture", [0, 1])
def test_the_same_reactions(sender: str, fixture: int) -> None:
    """By default those of approval, else those that the hook lists, given or taken back."""
    name = SENDERS[sender][fixture]
    assert isinstance(name, str)

    assert all(votes(sender, name, vote) for vote in VOTES)
    assert votes(sender, name, "+1::skin-tone-4") and votes(sender, name, "thumbsup_tone2")
    assert not any(votes(sender, name, other) for other in ("eyes", "-1", "thumbsdown", "+1s", "::"))
    assert votes(sender, name, "eyes", votes="eyes, plum") and votes(sender, name, "plum", votes=["plum"])
    assert not votes(sender, name, "+1", votes="eyes")
    assert not votes(sender, name, "+1", votes=[])


def test_the_option_takes_names_as_people_write_them() -> None:
    read = OPTION["votes"]
    assert read(100) == ["100"]  # what a command line reads as a number
    assert read(":+1:, heart") == read(["+1", ":heart:"]) == ["+1", "heart"]
    for bad in ("", ",", [1], {"a": 1}, True, None, ["+1", ""]):
        with pytest.raises(InvalidOption, match="names of reactions"):
            read(bad)
