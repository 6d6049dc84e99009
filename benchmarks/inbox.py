"""The inbox over a large table: its list by every view and filter, one record, and the overview.

    python -m benchmarks.inbox [--rows N] [--only sqlite|postgres]

The records came through the gateway's own doors (benchmarks.doors). Pages are asked for by somebody who is
signed in, through the application in this process, without a socket; each is timed many times, with other
values each time.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flask.testing import FlaskClient

from benchmarks.doors import BUSY, MANY, RARE, SOME
from benchmarks.reading import IDS, TIMES, WORDS, measure, options, tables
from gateway.access import users
from gateway.inbox.feedback_list import VIEWS
from gateway.inbox.overview import PERIODS
from models import Workspace
from models.database.base import database

# What is asked, and for the n-th time how.
PAGES: dict[str, Callable[[int], str]] = {
    **{f"list, {name}": lambda n, query=query: f"/inbox?{query}" for name, query in VIEWS},
    "list, two filters": lambda n: f"/inbox?category={WORDS[n % 5]}&status=open",
    "list, four filters": lambda n: (
        f"/inbox?category={WORDS[n % 5]}&status=open&sentiment=negative&source=flora"
    ),
    "list, a rare source": lambda n: "/inbox?source=orq&status=open",
    "list, a rare status": lambda n: f"/inbox?status=acknowledged&category={WORDS[n % 5]}",
    "list, a page that few are about": lambda n: f"/inbox?page=/help/{n}",
    "list by impact": lambda n: f"/inbox?sort=-impact&status=open&category={WORDS[n % 5]}",
    "search, rare word (1 in 50,000)": lambda n: f"/inbox?q={RARE}",
    "search, some (1 in 500)": lambda n: f"/inbox?q={SOME}",
    "search, common and a filter": lambda n: f"/inbox?q={MANY}&category={WORDS[n % 5]}",
    "search, no record": lambda n: f"/inbox?q=nosuchword{n}",
    "how many are new": lambda n: f"/inbox/fresh?category={WORDS[n % 5]}&after={IDS[n % len(IDS)]}",
    "how many alerts are new": lambda n: f"/inbox/fresh?type=alert&status=open&after={IDS[n % len(IDS)]}",
    "on fire, as shown": lambda n: "/alerts",
    "on fire, has it changed": lambda n: "/alerts/fresh?since=2026-01-01T00:00:00Z",
    "list, a group of alerts": lambda n: f"/inbox?alert_group=alertmanager:Rule{n}&status=open",
    "list, an author": lambda n: f"/inbox?author=u{n}",
    "list, an author of one in twenty": lambda n: f"/inbox?author={BUSY}&category={WORDS[n % 5]}",
    "list, an author by impact": lambda n: f"/inbox?author=u{n}&sort=-impact",
    "list by when it was received": lambda n: f"/inbox?time=received&category={WORDS[n % 5]}",
    "list of a week": lambda n: f"/inbox?since={n % 80 + 7}d&until={n % 80}d",
    "list of a week, by impact": lambda n: f"/inbox?since={n % 80 + 7}d&until={n % 80}d&sort=-impact",
    "the views' counts": lambda n: "/inbox/counts",
    "one record": lambda n: f"/records/{IDS[n % len(IDS)]}",
    "one record of a list": lambda n: f"/records/{IDS[n % len(IDS)]}?from=status%3Dopen",
    "one record of a list by impact": lambda n: f"/records/{IDS[n % len(IDS)]}?from=sort%3D-impact",
    "one record beside its list": lambda n: f"/inbox?status=open&open={IDS[n % len(IDS)]}",
    "how many match": lambda n: f"/inbox/matching?category={WORDS[n % 5]}&status=open",
    **{f"overview, {name}": lambda n, name=name: f"/overview?period={name}" for name in PERIODS},
    "one that others say, too": lambda n: f"/records/{SAID[n % len(SAID)]}",
    "overview, 7d of one category": lambda n: f"/overview?category={WORDS[n % 5]}",
}

# One in so many records is an alert, of so many rules; so many come in a delivery.
ALERTS, RULES, TOGETHER = 5, 200, 500


SAID: list[str] = []  # ids of records that say what ten others say


def find_said() -> None:
    """Finds records that many say nearly the same as."""
    found = database.execute_sql(
        "SELECT MIN(id) FROM feedback GROUP BY fingerprint HAVING COUNT(*) > 10 ORDER BY 1 LIMIT 50"
    )
    SAID[:] = [row[0] for row in found.fetchall()]


def resolve(client: FlaskClient) -> None:
    """Prints how long it takes to resolve the fifty records of a list, as its form does."""
    taken = []
    for n in range(TIMES // 5):
        path = f"/inbox?status=open&category={WORDS[n % 5]}"
        ids = re.findall(r'data-id="(fb_\w+)"', client.get(path).text)
        form = {"set": "status:resolved", "back": path, "id": ids, "seen": [f"{one}:open" for one in ids]}
        started = time.perf_counter()
        answer = client.post("/inbox/bulk", data=form, headers={"Sec-Fetch-Site": "same-origin"})
        taken.append((time.perf_counter() - started) * 1000)
        assert answer.status_code == 303 and len(ids) == 50, answer.text
    p95 = statistics.quantiles(taken, n=20)[18]
    print(f"{'resolve fifty':34} {statistics.median(taken):8.1f} {p95:8.1f}", flush=True)


def sign_in(client: FlaskClient) -> None:
    """Makes a triager of the gateway that a client belongs to, and the client that person's browser."""
    user_id = users.create_user(Workspace.get().id, "triager@example.test", "Triager", "triager")
    client.set_cookie("feedback-session", users.open_session(user_id), domain="localhost")


def storm(client: FlaskClient, alerts: int) -> None:
    """Sends so many alerts of RULES rules through a hook of Alertmanager; every second one has ended."""
    made = client.post("/gateway/v1/hooks", json={"source": "alertmanager"}).json
    assert made is not None
    began = datetime.now(UTC) - timedelta(hours=3)
    for start in range(0, alerts, TOGETHER):
        some = range(start, min(start + TOGETHER, alerts))
        for status, numbers in (("firing", some), ("resolved", some[::2])):
            sent = [_alert(number, status, began) for number in numbers]
            proof = {"Authorization": f"Bearer {made['secret']}"}
            answer = client.post(made["path"], json={"alerts": sent}, headers=proof)
            assert answer.status_code < 300, answer.text


def _alert(number: int, status: str, began: datetime) -> Mapping[str, Any]:
    rule = f"Rule{number % RULES}"
    severity = ("critical", "high", "warning", "info")[number % RULES % 4]
    return {
        "status": status,
        "labels": {"alertname": rule, "severity": severity, "instance": f"web-{number}:9100"},
        "annotations": {"summary": f"{rule} on web-{number}", "description": "It takes longer than it may."},
        "startsAt": began.isoformat(timespec="milliseconds"),
        **({"endsAt": (began + timedelta(hours=1)).isoformat()} if status == "resolved" else {}),
    }


def main() -> None:
    """Prints the figures of each database."""
    asked = options(__doc__).parse_args()
    for _, client in tables(asked):
        storm(client, asked.rows // ALERTS)
        sign_in(client)
        find_said()
        measure(client, PAGES)
        resolve(client)


if __name__ == "__main__":
    main()
