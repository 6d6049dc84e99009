"""What several deliveries of a vendor end in: the way back, the end, the richer word, whoever comes first."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from flask.testing import FlaskClient

from adapters.common.hook_options import read_options
from adapters.contract.record import Record
from models import Event, Feedback
from tests.adapters.test_adapters import CASES, DIALECTS
from tests.adapters.test_marks import read
from tests.conftest import Tenant
from tests.intake.test_incidents import HOUR, MONITOR, PAGER, START, clear, deliver, delivery

FIRST = 1_778_000_000_000  # after everything in these fixtures

pytestmark = pytest.mark.both(long=True)


def tell(tenant: Tenant, *names: str) -> list[dict[str, Any]]:
    """The records that fixtures end in, told in this order."""
    clear()
    for name in names:
        for record in read(name):
            deliver(tenant, record, DIALECTS[name.partition("/")[0]])
    return list(Feedback.select().order_by(Feedback.id).dicts())


ENDS: list[tuple[tuple[str, ...], str | None]] = [
    (("discussion_created", "discussion_answered"), "resolved"),
    (("discussion_created", "discussion_answered", "discussion_unanswered"), "open"),
    (("discussion_created", "discussion_closed"), "resolved"),
    (("discussion_created", "discussion_closed", "discussion_reopened"), "open"),
    (("discussion_created", "discussion_closed", "discussion_reopened", "discussion_edited"), "open"),
    (("discussion_created", "discussion_deleted"), "ignored"),
    (("discussion_created", "discussion_edited", "discussion_transferred"), "ignored"),
    (("issue_opened", "issue_comment", "issue_closed_as_completed"), "resolved"),
    (("issue_opened", "issue_closed_as_completed", "issue_reopened"), "open"),
    (("issue_opened", "issue_comment", "issue_deleted"), "ignored"),
    (("issue_comment_when_closed",), "resolved"),
    (("issue_opened", "issue_comment_when_closed"), "resolved"),
    (("run_failed", "run_failed_of_a_fork", "run_succeeded_on_second_attempt"), None),
]


# The same of other trackers and of alerts, by source.
OTHER_ENDS: dict[str, list[tuple[tuple[str, ...], str]]] = {
    "jira": [
        (("comment_when_done",), "resolved"),
        (("created", "comment_when_done"), "resolved"),
        (("created", "comment_edited", "comment_deleted"), "open"),
        (("done", "reopened", "comment_deleted"), "open"),
        (("created", "comment", "deleted"), "ignored"),
        (("created", "edited_without_changelog"), "resolved"),
        (("server_comment", "server_comment_alone", "created"), "open"),
    ],
    "linear": [
        (("comment_when_done",), "resolved"),
        (("created", "comment", "comment_removed"), "open"),
        (("created", "trashed"), "ignored"),
        (("created", "trashed", "restored"), "open"),
    ],
    "zendesk": [
        (("comment_when_solved",), "resolved"),
        (("created", "comment", "solved"), "resolved"),
        (("created", "deleted", "undeleted"), "open"),
    ],
    "intercom": [(("replied_when_closed",), "resolved"), (("created", "closed_with_words"), "resolved")],
    "azure_devops": [
        (("item_comment_when_closed",), "resolved"),
        (("item_created", "item_resolved_with_words"), "resolved"),
        (("item_created", "item_deleted", "item_restored"), "open"),
    ],
    "bitbucket": [
        (("issue_comment_when_closed",), "resolved"),
        (("issue_created", "issue_resolved_with_words"), "resolved"),
    ],
    "github": [
        (("issue_opened", "comment_edited", "comment_deleted"), "open"),
        (("issue_comment_when_closed", "comment_deleted"), "resolved"),
    ],
    "statuspage": [(("investigating", "updates_with_offsets"), "resolved")],
    "sns": [(("alarm_by_event_bridge", "alarm_over"), "resolved")],
    "opsgenie": [(("created", "acknowledged", "priority"), "acknowledged")],
}


@pytest.mark.parametrize(("names", "status"), ENDS, ids=str)
def test_the_state_of_a_thread(tenant: Tenant, names: tuple[str, ...], status: str | None) -> None:
    """A thread is in the state that its newest delivery says, in whatever order they arrive."""
    check_end(tenant, "github", names, status)


def test_the_states_of_other_threads(tenant: Tenant) -> None:
    """So it is at every source: remarks are no beginning, and taking one back takes nothing else."""
    for source, ends in OTHER_ENDS.items():
        for names, status in ends:
            check_end(tenant, source, names, status)


def check_end(tenant: Tenant, source: str, names: tuple[str, ...], status: str | None) -> None:
    ends = [tell(tenant, *(f"{source}/{name}" for name in order)) for order in permutations(names)]
    states = {tuple(sorted((row["incident_key"], row["status"]) for row in end)) for end in ends}

    assert len(states) == 1, (source, names)
    if status is not None:
        assert [row["status"] for row in ends[0]] == [status], (source, names)


def test_labels_taken_off(tenant: Tenant) -> None:
    """A label that is taken off is gone with the severity that it said; what else is known stays."""
    (labelled,) = tell(tenant, "github/issue_opened", "github/issue_labeled")
    (row,) = tell(tenant, "github/issue_opened", "github/issue_labeled", "github/issue_unlabeled")

    assert ("severity: high" in labelled["tags"], "severity: high" in row["tags"]) == (True, False)
    assert labelled["impact"] > row["impact"]
    assert row["subject"] == labelled["subject"]


# An issue, a move of it, and an edit that empties one part of it, as every tracker sends all of an issue.
EMPTIED: dict[str, tuple[str, str, str, Any]] = {
    "jira": ("created", "started", "edited", lambda sent: sent["issue"]["fields"].update(labels=[])),
    "linear": ("created", "reopened", "edited", lambda sent: sent["data"].update(labels=[])),
    "zendesk": ("created", "pending", "subject_changed", lambda sent: sent["detail"].update(tags=[])),
    "azure_devops": (
        "item_created",
        "item_resolved",
        "item_edited",
        lambda sent: sent["resource"]["revision"]["fields"].update(
            {"System.Tags": "", "System.ChangedDate": "2026-05-05T07:00:00Z"}
        ),
    ),
    "bitbucket": (
        "issue_created",
        "issue_resolved",
        "issue_edited",
        lambda sent: sent["issue"].update(kind="", updated_on="2026-05-05T07:00:00+00:00"),
    ),
}


@pytest.mark.parametrize("edited_last", [True, False])
def test_what_an_issue_is_emptied_of(tenant: Tenant, edited_last: bool) -> None:
    """What an edit leaves out is gone, and its words count, whether the issue was moved before or not."""
    for source, (created, moved, edited, empty) in EMPTIED.items():
        (row,) = tell(tenant, f"{source}/{created}")
        gone = [tag for tag in row["tags"] if tag.startswith(("label:", "tag:", "kind:"))]
        (edit,) = read(f"{source}/{edited}", empty)
        later = replace(edit, revised_at=FIRST if edit.revised_at is None else max(edit.revised_at, FIRST))
        move = read(f"{source}/{moved}")
        for record in (*move, later) if edited_last else (later, *move):
            deliver(tenant, record, DIALECTS[source])
        row = Feedback.select().where(Feedback.id == row["id"]).dicts().get()

        assert gone and not set(gone) & set(row["tags"]), source
        assert row["title"] == edit.title, source


def test_confidentiality_that_is_lifted(tenant: Tenant) -> None:
    """The mark goes with what it marked."""
    (row,) = tell(tenant, "gitlab/issue_confidential", "gitlab/issue_no_longer_confidential")

    assert row["tags"] == [] and "visibility" not in row["subject"]


def test_marks_are_filtered(tenant: Tenant, client: FlaskClient) -> None:
    """Records that are not for everybody can be asked for by their tag."""
    tell(tenant, "gitlab/issue_confidential", "gitlab/issue_opened")
    found = client.get(
        "/gateway/v1/feedback?tag=visibility:confidential", headers={"Authorization": f"Bearer {tenant.key}"}
    )

    assert [one["subject"]["number"] for one in found.get_json()["data"]] == ["60"]


ENDED = [
    ("github/run_failed", "github/run_succeeded_on_second_attempt"),
    ("gitlab/pipeline_failed", "gitlab/pipeline_succeeded"),
    ("azure_devops/build_failed", "azure_devops/build_succeeded"),
    ("bitbucket/build_failed", "bitbucket/build_succeeded"),
    ("statuspage/component_down", "statuspage/component_up"),
    ("sns/alarm", "sns/alarm_new"),
]


def test_a_success_is_no_record(tenant: Tenant) -> None:
    """A branch that was never broken makes none; a failure that arrives after its mending is mended."""
    for failed, good in ENDED:
        assert tell(tenant, good) == []
        for order in permutations((failed, good)):
            assert [row["status"] for row in tell(tenant, *order)] == ["resolved"], order


def test_a_fork_does_not_mend_what_it_is_forked_from(tenant: Tenant) -> None:
    """A fork's branch of the same name is another story, a deleted fork's too."""
    own, fork = tell(tenant, "github/run_failed", "github/run_failed_of_a_fork")
    (still,) = tell(tenant, "github/run_failed", "github/run_succeeded_of_a_deleted_fork")

    assert (own["status"], fork["status"], still["status"]) == ("open", "open", "open")
    assert "kees-w:main" in fork["title"]


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_an_end_with_another_start(tenant: Tenant, order: tuple[int, ...]) -> None:
    """Grafana 12 ends an alert with another start: the open story of its fingerprint ends, in both orders."""
    names = ["grafana/firing", "grafana/resolved_with_another_start"]
    (row,) = tell(tenant, *(names[number] for number in order))

    assert (row["status"], row["occurrences"], row["incident_key"]) == (
        "resolved",
        1,
        "1:aa00bb11cc22dd33:1778140800500",
    )


def firing(number: int, at: int, state: str, family: str = "f") -> Record:
    return delivery(state, at, f"{family}{number}{state}", story=f"{family}:{number}", family=family)


def test_a_loose_end_ends_the_newest(tenant: Tenant) -> None:
    """Of several open stories of an alert the newest that had begun by then ends; others stay as they are."""
    told = [firing(1, 1, "triggered"), firing(2, 3, "triggered"), firing(3, 9, "triggered")]
    for record in [*told, firing(2, 4, "resolved"), firing(7, 5, "resolved"), firing(1, 1, "triggered", "g")]:
        deliver(tenant, record)
    status = {row["incident_key"]: row["status"] for row in Feedback.select().dicts()}

    assert status == {"f:1": "resolved", "f:2": "resolved", "f:3": "open", "g:1": "open"}


ALERT = delivery(
    "triggered",
    1,
    "a",
    text="Disk is at 95 percent",
    tags=("host:db1",),
    subject={"url": "https://m.example/1", "environment": "production"},
)
PAGE = delivery(
    "triggered",
    2,
    "p",
    story="PD1",
    joins="disk-7",
    text="Incident 7",
    tags=("team:night",),
    subject={"n": "7"},
)


@pytest.mark.parametrize("paged_first", [True, False])
def test_who_joins_adds_and_replaces_nothing(tenant: Tenant, paged_first: bool) -> None:
    """A page that joins an alert leaves its words, its link and its tags, and is no other occurrence."""
    for record in [PAGE, ALERT] if paged_first else [ALERT, PAGE]:
        deliver(tenant, record, PAGER if record.joins else MONITOR)
    (row,) = Feedback.select().dicts()

    assert (row["text"], row["source"], row["occurrences"]) == ("Disk is at 95 percent", "monitor", 1)
    assert row["subject"] == {"url": "https://m.example/1", "environment": "production", "n": "7"}
    assert row["tags"] == ["host:db1", "team:night"]


@pytest.mark.parametrize("order", list(permutations(["issue_created", "event_alert", "issue_resolved"])))
def test_an_issue_and_its_events(tenant: Tenant, order: tuple[str, ...]) -> None:
    """Sentry tells of an event and of its issue: what only one of them knows stays, and it occurred once."""

    def change(sent: Any) -> None:
        sent["data"]["event"].update(issue_id="880021")

    clear()
    for name in order:
        for record in read(f"sentry/{name}", change if name == "event_alert" else None):
            deliver(tenant, record, DIALECTS["sentry"])
    (row,) = Feedback.select().dicts()

    assert row["occurrences"] == 1 and row["status"] == "resolved"
    assert {"environment", "release", "url", "event_id", "short_id"} <= row["subject"].keys()
    assert row["author_id"]


@pytest.mark.parametrize("at", [-400_000, 900_000])
def test_a_wrong_clock_keeps_no_story_open(tenant: Tenant, at: int) -> None:
    """A beginning in 2100, or in 1970, is over with an end whose clock is right."""
    for record in (delivery("triggered", at, "a"), delivery("resolved", 1000, "b")):
        deliver(tenant, record)
    (row,) = Feedback.select().dicts()

    assert (row["status"], row["resolved_at"]) == ("resolved", START + 1000 * HOUR)
    assert row["last_seen_at"] <= START + 1000 * HOUR


def vote(key: str, voter: str, sign: str, at: int, *, back: bool = False) -> Record:
    return Record(
        sign,
        type="chat",
        dedupe_key=key,
        votes_for="disk-7",
        voter=voter,
        retracts=back,
        occurred_at=START + at * HOUR,
    )


VOTES = [
    vote("1", "ann", ":+1:", 2),
    vote("2", "ann", ":heart:", 3),
    vote("3", "ann", ":+1:", 4, back=True),
    vote("4", "bo", ":+1:", 2),
    vote("5", "bo", ":+1:", 5, back=True),
    vote("6", "cy", ":+1:", 2),
    vote("7", "cy", ":+1:", 3, back=True),
    vote("8", "cy", ":+1:", 4),
]


@pytest.mark.parametrize("turned", [1, -1])
@pytest.mark.parametrize("first", [True, False])
def test_a_person_votes_once(tenant: Tenant, first: bool, turned: int) -> None:
    """Of each person any standing sign counts once; what was taken back does not, whatever came first."""
    message = delivery("triggered", 1, "m")
    for record in [message, *VOTES[::turned]] if first else [*VOTES[::turned], message]:
        deliver(tenant, record)
    (row,) = Feedback.select().dicts()
    reach = next(reason for reason in row["impact_reasons"] if reason["part"] == "reach")

    assert (row["votes"], reach["points"]) == (2, 1)


def test_a_vote_taken_back_weighs_no_more(tenant: Tenant) -> None:
    """The impact is what it was before the vote."""
    impacts = []
    for record in (delivery("triggered", 1, "m"), *VOTES[3:5]):
        deliver(tenant, record)
        impacts.append(Feedback.get().impact)

    assert impacts == [impacts[0], impacts[0] + 1, impacts[0]]


def test_a_note_taken_back_takes_no_story() -> None:
    """What takes a whole story back bears the key of what began it, and never that of a remark within it."""
    tried = 0
    for path in CASES:
        case = json.loads(path.read_text())
        for record in case.get("records", ()):
            if record.get("retracts") and "incident_key" in record:
                name = path.parent.name
                others = [
                    one
                    for other in CASES
                    if other.parent.name == name
                    for one in json.loads(other.read_text()).get("records", ())
                    if one.get("dedupe_key") == record["dedupe_key"] and not one.get("retracts")
                ]
                assert all(one.get("state") != "note" for one in others), path
                tried += 1
    assert tried > 5


ONCE = {
    "jira": ("created", "started", "done", "reopened"),
    "linear": ("created", "done", "reopened"),
    "zendesk": ("created", "pending", "opened", "solved", "reopened"),
    "azure_devops": ("item_created", "item_resolved", "item_deleted", "item_restored"),
    "bitbucket": ("issue_created", "issue_resolved"),
    "intercom": ("created", "snoozed", "closed"),
    "newrelic": ("created", "activated", "acknowledged"),
    "statuspage": ("investigating", "investigating_further", "identified"),
    "uptime_kuma": ("down", "down_reminder"),
    "opsgenie": ("created", "acknowledged", "priority"),
}


def test_what_is_told_again_occurs_once(tenant: Tenant) -> None:
    """Occurrences count what happened, and neither reminders nor moves of an issue."""
    for source, names in ONCE.items():
        rows = tell(tenant, *(f"{source}/{name}" for name in names))
        assert [row["occurrences"] for row in rows] == [1], source


def test_a_changed_priority_is_the_severity(tenant: Tenant) -> None:
    """What an alert is changed to counts, and neither its state nor its occurrences do change."""
    (row,) = tell(tenant, "opsgenie/created", "opsgenie/acknowledged", "opsgenie/priority")
    severity = next(reason for reason in row["impact_reasons"] if reason["part"] == "severity")

    assert (severity["points"], row["status"], row["occurrences"]) == (5, "acknowledged", 1)


def test_a_priority_that_is_changed_after_all_else(tenant: Tenant) -> None:
    """It counts whatever the alert was told by meanwhile, and in whatever order that comes."""
    names = [f"opsgenie/{name}" for name in ("created", "acknowledged", "unacknowledged", "priority")]
    for order in permutations(names):
        (row,) = tell(tenant, *order)
        severity = next(reason for reason in row["impact_reasons"] if reason["part"] == "severity")
        assert (severity["points"], row["status"], row["occurrences"]) == (5, "open", 1), order


def test_back_in_the_second_of_its_end(tenant: Tenant) -> None:
    """A ticket that is deleted and restored within a second is there; one deleted after that is not."""
    for second, status in ((1, "open"), (2, "ignored")):
        said = {"deleted": f"2026-05-04T09:00:0{second}Z", "undeleted": "2026-05-04T09:00:01Z"}
        for order in permutations(("created", *said)):
            clear()
            for name in order:

                def changed(sent: dict[str, Any], at: str = said.get(name, "")) -> None:
                    sent["time"] = at or sent["time"]

                for record in read(f"zendesk/{name}", changed):
                    deliver(tenant, record, DIALECTS["zendesk"])
            assert [row.status for row in Feedback.select()] == [status], order


@pytest.mark.parametrize(("severity", "outcome"), [("low", "updated"), ("critical", "unchanged")])
def test_only_the_severity_is_changed(tenant: Tenant, severity: str, outcome: str) -> None:
    """An incident whose severity alone was set anew has the impact that its reasons say, and tells so."""

    def changed(sent: dict[str, Any]) -> None:
        sent["object_attributes"].update(
            action="update", severity=severity, updated_at="2026-11-18 09:00:00 UTC"
        )

    (opened,) = read("gitlab/incident_opened")
    (restated,) = read("gitlab/incident_opened", changed)
    gitlab = DIALECTS["gitlab"]
    before = deliver(tenant, opened, gitlab).document["impact"]
    after = deliver(tenant, restated, gitlab)
    (row,) = Feedback.select()

    assert after.outcome == outcome
    assert row.impact == sum(reason["points"] for reason in row.impact_reasons)
    assert (row.impact != before) == (outcome == "updated")
    assert after.document["impact"] == row.impact


def test_signs_that_are_votes() -> None:
    """Approval is a vote; other signs are none, unless the hook names them; a skin tone changes nothing."""

    def sign(name: str) -> Any:
        return lambda sent: sent["event"].update(reaction=name)

    found = {
        name: len(read("slack/reaction_added", sign(name)))
        for name in ("+1", "+1::skin-tone-4", "-1", "eyes")
    }

    assert found == {"+1": 1, "+1::skin-tone-4": 1, "-1": 0, "eyes": 0}
    signed = DIALECTS["slack"].signed
    assert signed is not None
    assert read_options(signed.options, {"votes": "eyes, ship"}) == {"votes": ["eyes", "ship"]}


def test_an_edit_that_says_nothing_new(tenant: Tenant) -> None:
    """The same words again are no event; people's own status stays when a thread is only edited."""
    (row,) = tell(tenant, "github/issue_opened", "github/issue_labeled")
    Feedback.update(status="acknowledged").where(Feedback.id == row["id"]).execute()
    before = Event.select().count()
    outcomes = [
        deliver(tenant, record, DIALECTS["github"]).outcome
        for name in ("issue_labeled", "issue_unlabeled")
        for record in read(f"github/{name}")
    ]

    assert (outcomes, Event.select().count()) == (["unchanged", "updated"], before + 1)
    assert Feedback.get_by_id(row["id"]).status == "acknowledged"
