"""The inbox over a large table: its list by every view and filter, one record, and the overview.

    python -m benchmarks.inbox [--rows N] [--only sqlite|postgres]

The records came through the gateway's own doors (benchmarks.doors). Pages are asked for by somebody who is
signed in, through the application in this process, without a socket; each is timed many times, with other
values each time.
"""

from __future__ import annotations

from collections.abc import Callable

from flask.testing import FlaskClient

from benchmarks.doors import BUSY, MANY, RARE, SOME
from benchmarks.reading import IDS, WORDS, measure, options, tables
from gateway.access import users
from gateway.inbox.feedback_list import VIEWS
from gateway.inbox.overview import PERIODS
from models import Workspace

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
    "list, an author": lambda n: f"/inbox?author=u{n}",
    "list, an author of one in twenty": lambda n: f"/inbox?author={BUSY}&category={WORDS[n % 5]}",
    "one record": lambda n: f"/records/{IDS[n % len(IDS)]}",
    "one record of a list": lambda n: f"/records/{IDS[n % len(IDS)]}?from=status%3Dopen",
    "one record of a list by impact": lambda n: f"/records/{IDS[n % len(IDS)]}?from=sort%3D-impact",
    "one record beside its list": lambda n: f"/inbox?status=open&open={IDS[n % len(IDS)]}",
    "how many match": lambda n: f"/inbox/matching?category={WORDS[n % 5]}&status=open",
    **{f"overview, {name}": lambda n, name=name: f"/overview?period={name}" for name in PERIODS},
    "overview, 7d of one category": lambda n: f"/overview?category={WORDS[n % 5]}",
}


def sign_in(client: FlaskClient) -> None:
    """Makes a triager of the gateway that a client belongs to, and the client that person's browser."""
    user_id = users.create_user(Workspace.get().id, "triager@example.test", "Triager", "triager")
    client.set_cookie("feedback-session", users.open_session(user_id), domain="localhost")


def main() -> None:
    """Prints the figures of each database."""
    for _, client in tables(options(__doc__).parse_args()):
        sign_in(client)
        measure(client, PAGES)


if __name__ == "__main__":
    main()
