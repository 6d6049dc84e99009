"""Which reactions are votes: one list for all senders that tell of reactions, which a hook may replace."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from adapters.common.hook_options import InvalidOption, words, wrong

# Names of approval, as Slack and GitLab have them. The hook's option `votes` lists others instead.
VOTES = (
    *("+1", "thumbsup", "heavy_plus_sign", "heart", "100", "fire", "tada", "clap", "raised_hands"),
    *("point_up", "heart_eyes", "star", "rocket"),
)


def _names(value: Any) -> list[str]:
    """The names of reactions, without the colons that people write them with."""
    if type(value) is int:  # the name of a reaction may be a number, which a command line reads as one
        value = str(value)
    try:
        return [name.strip(":") for name in words(value)]
    except InvalidOption:
        told = "Must be names of reactions with commas between them, such as +1,heart, or an array of them"
        raise wrong(f"{told}; [] counts none") from None


OPTION = {"votes": _names}
_SKIN = re.compile(r"::skin-tone-\d\Z|_tone\d\Z")  # Slack's, and GitLab's


def is_vote(reaction: str, options: Mapping[str, Any]) -> bool:
    """Whether a reaction of this name counts at a hook with these options; skin tones do not matter."""
    return _SKIN.sub("", reaction) in options.get("votes", VOTES)
