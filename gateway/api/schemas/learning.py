"""What /gateway/v1/projects/<project_id>/learning answers."""

from __future__ import annotations

from marshmallow import fields

from adapters.contract.description import Shown, listed, text, time, whole


class LearntTexts(Shown):
    """How many texts get the labels that people gave, without a head and from one that was not shown them."""

    task = text("category", "sentiment")
    texts = text("corrected", "confirmed")
    count = whole(minimum=0)
    old = whole(minimum=0)
    new = whole(minimum=0)


class Overruled(Shown):
    label = text("category", "sentiment")
    from_ = fields.String(data_key="from", allow_none=True)
    to = text()


class Lesson(Shown):
    """A correction; one that was taken back is not learnt."""

    feedback_id = text()
    title = text()
    changes = listed(Overruled)
    updated_at = time()
    taken_back = fields.Boolean()


class ProjectLearning(Shown):
    """`version` is the head in use, null for none; `refusal` is why the last learning gave none."""

    project_id = text()
    corrections = whole(minimum=0)
    needed = whole(minimum=1)
    version = text(allow_none=True)
    learnt_at = time(allow_none=True)
    learnt_corrections = whole(minimum=0)
    learnt_confirmations = whole(minimum=0)
    stale = fields.Boolean()
    waiting = fields.Boolean()
    tried_at = time(allow_none=True)
    refusal = text()
    measured = listed(LearntTexts)
    next_at = time(allow_none=True)
    lessons = listed(Lesson)
