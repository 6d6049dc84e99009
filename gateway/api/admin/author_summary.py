"""What one author has said, in numbers: for programs, and for the author's page in the inbox."""

from __future__ import annotations

from typing import Any

from adapters.contract import Fault, Inbound, Problem, Refused, Reply, invalid
from gateway.access.caller import Caller
from gateway.api import query_parameters
from gateway.api.filters import LONGEST
from models.queries import feedback_query
from models.queries.feedback_query import WITH, Filter
from models.queries.statistics import sums
from models.tables.feedback import iso

COUNTED = ("category", "sentiment", "status", "source")
LOOKED_AT = 200  # newest records whose names and addresses are told
KNOWN_BY = {"ids": "author_id", "names": "author_name", "emails": "author_email"}


def show_author(caller: Caller, inbound: Inbound) -> Reply:
    """How much an author said, about what and when, by the id or address that `author` gives.

    Raises Refused: 400, 404 for one of whom the caller has no record.
    """
    faults = query_parameters.unknown(inbound, ("author",))
    author = inbound.query.get("author", "")
    if not 0 < len(author) <= LONGEST or "\0" in author:
        faults.append(Fault("author", f"Must be 1 to {LONGEST} characters"))
    if faults:
        raise invalid(*faults)
    return Reply(200, summary(caller.workspace_id, caller.project_id, author))


def summary(workspace_id: str, project_id: str | None, author: str) -> dict[str, Any]:
    """That as an object. Raises Refused (404)."""
    place, mine = (workspace_id, project_id), Filter(author=(author,), merged=WITH)
    newest, _ = feedback_query.page(*place, mine, limit=LOOKED_AT)
    if not newest:
        raise Refused(Problem(404, "not_found", "No such author."))
    oldest, _ = feedback_query.page(*place, mine, limit=1, sort="received_at")
    counts = {
        name: {str(group[0]): counted.records for group, counted in sums(*place, mine, (name,)).items()}
        for name in COUNTED
    }
    known = {
        name: list(dict.fromkeys(row[column] for row in newest if row[column]))
        for name, column in KNOWN_BY.items()
    }
    return {
        "author": author,
        **known,
        "records": sum(counts["status"].values()),
        "first_at": iso(oldest[0]["received_at"]),
        "last_at": iso(newest[0]["received_at"]),
        **{f"by_{name}": found for name, found in counts.items()},
    }
