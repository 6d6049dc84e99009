"""A storm of alerts is a few groups: the worst first, acknowledged and muted together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playhouse.test_utils import count_queries

from gateway.access import alert_mutes
from gateway.core.ids import now_ms
from models import AlertMute, Audit, Event, Feedback, Project
from models.database.base import writing
from models.tables.alert_group import group_of, pattern
from tests.conftest import Call, Tenant

PATH = "/gateway/v1/alert-groups"
pytestmark = pytest.mark.both(long=True)

Alerts = Callable[..., None]


def at(minutes: float = 0) -> str:
    """A time so many minutes from now."""
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat(timespec="milliseconds")


@pytest.fixture(name="hook")
def _hook(call: Call) -> Callable[[str, Any], None]:
    """Sends a delivery through a hook of a source: hook("alertmanager", {...})."""
    known: dict[str, Any] = {}

    def send(source: str, body: Any) -> None:
        if source not in known:
            known[source] = call("POST", "/gateway/v1/hooks", json={"source": source}).json
        made = known[source]
        bearer = {"Authorization": f"Bearer {made['secret']}"}
        answer = call("POST", made["path"], json=body, headers=bearer)
        assert answer.status_code < 300, answer.text

    return send


@pytest.fixture(name="fire")
def _fire(hook: Callable[[str, Any], None]) -> Alerts:
    """Sends alerts of a rule from so many hosts: fire("DiskFull", 3, severity="critical")."""
    began = at(-5)

    def fire(name: str, hosts: int = 1, status: str = "firing", begins: str = began, **labels: str) -> None:
        ends = {"endsAt": at()} if status == "resolved" else {}
        alerts = [
            {
                "status": status,
                "labels": {"alertname": name, "instance": f"{name}-{host}:9100", **labels},
                "annotations": {"summary": f"{name} on host {host}"},
                "startsAt": begins,
                **ends,
            }
            for host in range(hosts)
        ]
        hook("alertmanager", {"status": status, "alerts": alerts})

    return fire


def groups(call: Call, **query: Any) -> list[dict[str, Any]]:
    answer = call("GET", PATH, query_string=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json["data"]
    return found


def do(call: Call, what: str, status: int = 200, **sent: Any) -> dict[str, Any]:
    answer = call("POST", f"{PATH}/{what}", json=sent)
    assert answer.status_code == status, answer.text
    made: dict[str, Any] = answer.json
    return made


GROUPS: dict[str, tuple[dict[str, Any], str | None]] = {
    "a message has none": ({"type": "message", "title": "Hello"}, None),
    "the name of its alert": ({"subject": {"alertname": "DiskFull"}}, "s:DiskFull"),
    "its rule before that": ({"subject": {"alertname": "A", "rule": "Bookings break"}}, "s:Bookings break"),
    "a rule that could not be evaluated": (
        {"subject": {"alertname": "DatasourceNoData"}, "tags": ["rulename:Pump pressure"]},
        "s:Pump pressure",
    ),
    "and is named nowhere": ({"subject": {"alertname": "DatasourceError"}}, "s:DatasourceError"),
    "a condition in its tags": ({"tags": ["policy:Ferry", "condition:Berths are slow"]}, "s:Berths are slow"),
    "a monitor by its name": ({"subject": {"monitor": "Web / Shop", "monitor_id": "4"}}, "s:Web / Shop"),
    "a monitor by its number": ({"subject": {"monitor_id": "4711"}, "title": "CPU on a"}, "s:#4711"),
    "a title without what differs": ({"title": "DiskFull on db-17 of 3 hosts"}, "s:DiskFull on * of * hosts"),
    "a workflow": (
        {"type": "ci", "subject": {"repository": "acme/shop", "workflow": "test", "branch": "x"}},
        "s:acme/shop test",
    ),
    "a pipeline": ({"type": "ci", "subject": {"project": "shop", "pipeline": "nightly"}}, "s:shop nightly"),
    "a run of neither": ({"type": "ci", "title": "Build 12 failed"}, "s:Build * failed"),
    "what is no text names nothing": ({"subject": {"rule": 7, "alertname": None}}, "s:Title"),
    "a long name is cut": ({"subject": {"rule": "r " * 200}}, "s:" + ("r " * 80).strip()),
}


@pytest.mark.parametrize("name", GROUPS)
def test_what_alerts_have_in_common(name: str) -> None:
    """The rule, else the name, the monitor or the pipeline; at last the title without hosts and numbers."""
    given, group = GROUPS[name]
    row = {"source": "s", "type": "alert", "title": "Title", "subject": {}, "tags": [], **given}

    assert group_of(row) == group


def test_pattern() -> None:
    """Words with digits and addresses are what titles of one kind differ in."""
    assert pattern("Login of ada@example.com failed 3 times at 10:04") == "Login of * failed * times at *"
    assert pattern("web-1 web-2 are down") == "* are down"
    assert pattern("") == ""


def test_the_worst_first(call: Call, fire: Alerts, hook: Callable[[str, Any], None]) -> None:
    """Groups stand by severity, then by how many are firing; each says of how many hosts."""
    fire("Slow", 40, severity="warning")
    fire("DiskFull", 3, severity="critical")
    fire("Down", 2, severity="critical")
    fire("Noise", 1, severity="info")
    for host in range(3):
        monitor = {"alert_id": "7", "alert_scope": f"host:h{host}", "alert_transition": "Triggered"}
        title = f"[Triggered on {{host:h{host}}}] CPU is high on h{host}"
        hook("datadog", {"title": title, "text_only_msg": "CPU", "id": str(host), **monitor})
    found = groups(call)

    told = [(one["name"], one["source"], one["firing"], one["hosts"]) for one in found]
    assert [one[0] for one in told[:3]] == ["DiskFull", "Down", "Slow"]
    assert [one[2:] for one in told[:3]] == [(3, 3), (2, 2), (40, 40)]
    assert ("CPU is high on *", "datadog", 3, 3) in told and len(told) == 5
    assert [one["severity"] for one in found[:3]] == [5, 5, 3]
    first = found[0]
    assert first["first_seen_at"] <= first["last_seen_at"] and sum(first["by_hour"]) == 3
    listed = call("GET", "/gateway/v1/feedback", query_string={"alert_group": first["group"]}).json["data"]
    assert len(listed) == 3 and first["newest"] in [row["id"] for row in listed]


def test_resolved_by_themselves(call: Call, fire: Alerts) -> None:
    """What a sender ended counts as resolved by itself; what a person resolved does not."""
    fire("DiskFull", 5, severity="critical")
    looked = at()
    fire("DiskFull", 2, "resolved", severity="critical")
    (one, *_) = Feedback.select().where(Feedback.status == "open").order_by(Feedback.id)
    call("PATCH", f"/gateway/v1/feedback/{one.id}", json={"status": "resolved"})
    (group,) = groups(call)
    answer = call("GET", PATH, query_string={"since": looked}).json

    assert (group["firing"], group["resolved"]) == (2, 2)
    assert (answer["firing"], answer["resolved"], answer["complete"]) == (2, 2, True)
    assert call("GET", PATH, query_string={"since": at(1)}).json["resolved"] == 0
    fire("DiskFull", 2, "resolved", begins=at(-3000), severity="critical")
    assert call("GET", PATH, query_string={"since": "yesterday"}).json["errors"][0]["field"] == "since"


def test_a_group_follows_its_story(call: Call, hook: Callable[[str, Any], None]) -> None:
    """A story that is named better later is counted by its better name."""
    alert = {"status": "firing", "labels": {"team": "heat"}, "startsAt": at(-9), "fingerprint": "aa01"}
    hook("alertmanager", {"alerts": [{**alert, "annotations": {"summary": "Heat in room 4"}}]})
    assert [one["name"] for one in groups(call)] == ["Heat in room *"]
    hook("alertmanager", {"alerts": [{**alert, "status": "resolved", "labels": {"alertname": "Heat"}}]})

    assert [row.alert_group for row in Feedback.select()] == ["alertmanager:Heat"]


def test_pages(call: Call, fire: Alerts) -> None:
    """Groups come in pages that meet."""
    for name in "abcde":
        fire(name * 3)
    first = call("GET", PATH, query_string={"limit": 2}).json
    second = call("GET", PATH, query_string={"limit": 10, "cursor": first["next_cursor"]}).json

    assert first["groups"] == second["groups"] == 5
    assert len({one["name"] for page in (first, second) for one in page["data"]}) == 5
    assert second["next_cursor"] is None


def test_acknowledged_together(call: Call, fire: Alerts) -> None:
    """All that is open of a group is acknowledged, the others are as they were, and it is written down."""
    fire("DiskFull", 60, severity="critical")
    fire("Down", 1, severity="critical")
    made = do(call, "acknowledge", group="alertmanager:DiskFull")

    assert made == {"group": "alertmanager:DiskFull", "acknowledged": 60}
    assert [(one["name"], one["firing"], one["acknowledged"]) for one in groups(call)] == [
        ("DiskFull", 60, 60),
        ("Down", 1, 0),
    ]
    assert do(call, "acknowledge", group="alertmanager:DiskFull")["acknowledged"] == 0
    assert Event.select().where(Event.type == "status").count() == 60
    do(call, "acknowledge", 404, group="alertmanager:NoSuch")


def test_muted_until(call: Call, fire: Alerts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A muted group stands last and tells until when and by whom; after its time what came is told."""
    fire("DiskFull", 2, severity="critical")
    fire("Slow", 1, severity="warning")
    made = do(call, "mute", group="alertmanager:DiskFull", until=at(60))
    fire("DiskFull", 3, begins=at(), severity="critical")
    last = groups(call)[-1]

    assert made["by"] and made["ended_at"] is None
    assert last["name"] == "DiskFull" and last["firing"] == 5 and last["muted"]["came"] == 3
    AlertMute.update(until=AlertMute.created_at + 1).execute()
    ended = groups(call)[0]
    assert ended["name"] == "DiskFull" and ended["muted"]["ended_at"]
    AlertMute.update(until=1, created_at=0).execute()  # so long ago that nobody asks
    assert groups(call)[0]["muted"] is None
    assert Audit.select().where(Audit.action == "alerts.muted").count() == 1


def test_muted_until_more(call: Call, fire: Alerts) -> None:
    """A group muted until three more have come is heard of again with the fourth, and tells of the three."""
    fire("DiskFull", 2, severity="critical")
    do(call, "mute", group="alertmanager:DiskFull", more=3)
    for number in range(3):
        fire("DiskFull", 1, begins=at(number + 1))
    assert groups(call)[0]["muted"] | {"by": "", "at": ""} == {
        "group": "alertmanager:DiskFull",
        "project_id": None,
        "until": None,
        "more": 3,
        "came": 3,
        "by": "",
        "at": "",
        "ended_at": None,
    }
    fire("DiskFull", 1, begins=at(9))
    muted = groups(call)[0]["muted"]

    assert muted["ended_at"] and muted["came"] == 3


def test_an_end_is_kept(call: Call, tenant: Tenant, fire: Alerts) -> None:
    """A mute that ended because more came does not begin again when what came is deleted."""

    def lasting() -> int:
        with writing():  # as whoever tells people of changes does
            return len(alert_mutes.lasting([tenant.workspace_id], now_ms() + 1))

    fire("DiskFull")
    do(call, "mute", group="alertmanager:DiskFull", more=1)
    assert lasting() == 1
    fire("DiskFull", 4)
    assert lasting() == 0
    ended = AlertMute.get().ended_at
    call("DELETE", "/gateway/v1/feedback", json={"filter": "type=alert"})
    assert lasting() == 0
    assert AlertMute.get().ended_at == ended <= now_ms()


def test_unmuted(call: Call, fire: Alerts) -> None:
    """A mute can be taken back, once; a new one takes the place of the one before."""
    fire("DiskFull")
    do(call, "mute", group="alertmanager:DiskFull", more=3)
    do(call, "mute", group="alertmanager:DiskFull", until=at(5))
    assert AlertMute.select().where(AlertMute.ended_at.is_null()).count() == 1
    assert do(call, "unmute", group="alertmanager:DiskFull")["ended_at"]

    do(call, "unmute", 404, group="alertmanager:DiskFull")
    assert groups(call)[0]["muted"]["ended_at"]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"group": "alertmanager:DiskFull"}, "body"),
        ({"more": 1}, "group"),
        ({"group": "", "more": 1}, "group"),
        ({"group": 4, "more": 1}, "group"),
        ({"group": "alertmanager:DiskFull", "more": 0}, "more"),
        ({"group": "alertmanager:DiskFull", "more": 1.5}, "more"),
        ({"group": "alertmanager:DiskFull", "more": 1001}, "more"),
        ({"group": "alertmanager:DiskFull", "until": "tomorrow"}, "until"),
        ({"group": "alertmanager:DiskFull", "until": "2020-01-01T00:00:00Z"}, "until"),
        ({"group": "alertmanager:DiskFull", "until": "2999-01-01T00:00:00Z"}, "until"),
        ({"group": "alertmanager:DiskFull", "more": 1, "for": "1h"}, "for"),
    ],
)
def test_refused(call: Call, fire: Alerts, sent: dict[str, Any], field: str) -> None:
    """What cannot be is told by the name of its field, and mutes nothing."""
    fire("DiskFull")
    answer = call("POST", f"{PATH}/mute", json=sent)

    assert answer.status_code == 400 and [one["field"] for one in answer.json["errors"]] == [field]
    assert AlertMute.select().count() == 0


def test_so_many_mutes(call: Call, fire: Alerts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workspace has so many mutes at a time; those that are over do not count."""
    monkeypatch.setattr("gateway.access.alert_mutes.MOST", 2)
    for name in ("one", "two", "three"):
        fire(name)
    do(call, "mute", group="alertmanager:one", until=at(5))
    do(call, "mute", group="alertmanager:two", until=at(5))
    do(call, "mute", group="alertmanager:two", until=at(6))
    do(call, "mute", 400, group="alertmanager:three", until=at(5))
    do(call, "unmute", group="alertmanager:one")
    do(call, "mute", group="alertmanager:three", until=at(5))


def test_of_others(call: Call, fire: Alerts, other: Tenant) -> None:
    """Another workspace sees no group, and can neither mute nor acknowledge one."""
    fire("DiskFull", 2)
    do(call, "mute", group="alertmanager:DiskFull", until=at(5))
    assert call("GET", PATH, headers=other.headers).json["data"] == []
    for what, more in (("mute", {"more": 1}), ("unmute", {}), ("acknowledge", {})):
        sent = {"group": "alertmanager:DiskFull", **more}
        assert call("POST", f"{PATH}/{what}", json=sent, headers=other.headers).status_code == 404

    assert groups(call)[0]["muted"]["ended_at"] is None


def test_of_a_project(call: Call, tenant: Tenant, new_key: Callable[..., str], fire: Alerts) -> None:
    """A key of one project mutes there alone; what the workspace muted it cannot take back."""
    fire("DiskFull", 2)
    aside = call("POST", "/gateway/v1/projects", json={"name": "Aside"}).json["project_id"]
    key = {"Authorization": f"Bearer {new_key(aside, scopes=['read', 'triage'])}"}
    sent = {"group": "alertmanager:DiskFull", "more": 5}
    assert call("POST", f"{PATH}/mute", json=sent, headers=key).status_code == 404
    Feedback.update(project_id=aside).where(Feedback.id == Feedback.select().first().id).execute()
    made = call("POST", f"{PATH}/mute", json=sent, headers=key).json

    assert made["project_id"] == aside
    do(call, "mute", **sent)
    group = {"group": sent["group"]}
    assert call("POST", f"{PATH}/unmute", json=group, headers=key).status_code == 200
    assert call("POST", f"{PATH}/unmute", json=group, headers=key).status_code == 404
    assert call("GET", PATH, headers=key).json["data"][0]["firing"] == 1
    call("POST", f"{PATH}/mute", json=sent, headers=key)
    Project.delete().where(Project.id == aside).execute()
    assert [mute.project_id for mute in AlertMute.select()] == [None]


def test_mutes_that_last(call: Call, tenant: Tenant, fire: Alerts) -> None:
    """Whether mutes last until a time is known without a look at what came: who is told waits for that."""
    asked = []
    for name in ("one", "two", "three"):
        fire(name)
        do(call, "mute", group=f"alertmanager:{name}", until=at(5))
        with count_queries() as counted:
            found = alert_mutes.lasting([tenant.workspace_id], now_ms())
        asked.append((counted.count, len(found)))

    assert asked == [(1, 1), (1, 2), (1, 3)]
