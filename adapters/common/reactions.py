"""Which reactions are votes: one list for all senders that tell of reactions, which a hook may replace."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from adapters.common.hook_options import words

# Names of approval, as Slack and GitLab have them. The hook's option `votes` lists others instead.
VOTES = (
    *("+1", "thumbsup", "heavy_plus_sign", "heart", "100", "fire", "tada", "clap", "raised_hands"),
    *("point_up", "heart_eyes", "star", "rocket"),
)
OPTION = {"votes": words}
_SKIN = re.compile(r"::skin-tone-\d\Z|_tone\d\Z")  # Slack's, and GitLab's


def is_vote(reaction: str, options: Mapping[str, Any]) -> bool:
    """Whether a reaction of this name counts at a hook with these options; skin tones do not matter."""
    return _SKIN.sub("", reaction) in options.get("votes", VOTES)
