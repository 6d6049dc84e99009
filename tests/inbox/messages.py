"""Every text of the inbox that can be translated, found in its templates and modules."""

from __future__ import annotations

import re
from io import BytesIO

from babel.messages.extract import extract
from jinja2.ext import babel_extract

from adapters.contract.record import CATEGORIES, SENTIMENTS, TYPES
from gateway.access import users
from gateway.api.filters import YES_OR_NO
from gateway.inbox import (
    active_filters,
    audit_words,
    destination_form,
    feedback_list,
    field_names,
    known_faults,
    reasons,
    refusals,
    settings,
    shortcuts,
    team,
)
from gateway.intake.outcomes import OUTCOMES
from gateway.replies.channels import CHANNELS
from gateway.runs import registry
from gateway.transfer import erasure
from gateway.triage import wording
from models.intake import telling
from models.intake.comments import HIDDEN, KIND
from models.tables import destination, outgoing
from models.tables.feedback import STATUSES
from tests.conftest import ROOT

INBOX = ROOT / "gateway" / "inbox"
INPUTS = [each for one in registry.load().values() for each in one.inputs]
# Words of the API that pages show, which are in no _() of their own.
WORDS = {
    *CATEGORIES,
    *SENTIMENTS,
    *TYPES,
    *STATUSES,
    *OUTCOMES,
    *(reasons.SPOKEN.get(form, form) for form in (*reasons.FORMS, *reasons.PHRASES)),
    *reasons.AREAS,
    *reasons.ASKED.values(),
    *field_names.NAMES,
    *audit_words.ACTIONS.values(),
    *telling.STATUS,
    *("reopened", "tagged", "voted", "unvoted"),
    *(known_faults.SPOKEN.get(form, form) for form in refusals.FORMS),
    *refusals.PHRASES,
    *destination_form.EVENTS_SAID.values(),
    *destination.STATES,
    *outgoing.STATES,
    *wording.SIGNS,
    *users.ROLES,
    *(title for _, title, _ in settings.SECTIONS),
    *(name for name, _ in feedback_list.VIEWS),
    *(one.label for one in shortcuts.SHORTCUTS),
    *(name for name, _ in team.VIEWS),
    *team.SNOOZES.values(),
    *("assigned", "snoozed", "woken", "assignee", "snoozed_until", "wakes_on_delivery"),
    *active_filters.NAMES.values(),
    *active_filters.SORTED.values(),
    *active_filters.TIMES.values(),
    *YES_OR_NO,
    *("only", "with", "without", "high", "normal"),
    *("severity", "sentiment", "reach", "area", "category", "impact", "status", "topic"),
    *("merged", "unmerged"),
    *erasure.COUNTS,
    *("predicted", "declared", "corrected", "second_reader", "second_reading"),
    *("received", "repeated", "relabelled", "note", "updated", "tags", "attached", "detached"),
    *(text for one in registry.load().values() for text in (one.name, one.description)),
    *(text for one in INPUTS for text in (one.name, one.description)),
    *CHANNELS,
    "replied",
    KIND,
    HIDDEN,
}


def messages() -> set[str]:
    """The texts as they are written in English."""
    found = set(WORDS)
    for path in INBOX.glob("templates/*.html"):
        for _, _, text, _ in babel_extract(BytesIO(path.read_bytes()), ("_",), (), {"silent": "false"}):
            found.add(text[0] if isinstance(text, tuple) else str(text))
    for path in INBOX.glob("*.py"):
        for item in extract("python", BytesIO(path.read_bytes()), keywords={"_": None}):
            if isinstance(item[1], str) and item[1]:
                found.add(item[1])
    for name in ("users.py", "oidc_accounts.py"):
        found |= set(re.findall(r'PeopleError\("([^"]+)"', (ROOT / "gateway" / "access" / name).read_text()))
    bounds = (("least", users.SHORTEST_PASSWORD), ("most", users.LONGEST_PASSWORD))
    found |= {f"a password has at {word} {number} characters" for word, number in bounds}
    return found - {"", "None"}
