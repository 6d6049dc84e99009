"""What /gateway/v1/projects/<project_id>/topics takes and answers."""

from __future__ import annotations

from adapters.common.schemas import Strict, Text, every, length, not_blank
from adapters.contract.description import Shown, text, time, whole
from gateway.access.topics import LONGEST_DESCRIPTION, LONGEST_NAME

_name = every(not_blank, length(most=LONGEST_NAME))
_description = length(most=LONGEST_DESCRIPTION)


class NewTopic(Strict):
    name = Text(_name, required=True)
    description = Text(_description, load_default="")
    theme = Text()


class TopicChange(Strict):
    means = {"minProperties": 1}

    name = Text(_name)
    description = Text(_description)


class TopicMerge(Strict):
    into = Text(required=True)


class Topic(Shown):
    """`examples` is how many records people gave it."""

    topic_id = text()
    project_id = text()
    name = text()
    description = text()
    examples = whole(minimum=0)
    created_at = time()
