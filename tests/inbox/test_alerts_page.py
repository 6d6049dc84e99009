"""On fire: a storm is a few groups, one click away; what ends is told, and a mute is seen by all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from gateway.inbox import alerts
from models import AlertMute, User
from tests.conftest import Call
from tests.inbox.conftest import Reader, Site, Visit
from tests.inbox.test_accessible import RULES

Make = Callable[..., Reader]
Storm = Callable[..., None]
# What a storm of 500 is of: rules with their severity and hosts, the worst not the first to come.
RULED = {
    "NodeDown": ("warning", 200),
    "DiskFull": ("critical", 120),
    "QueueStuck": ("high", 90),
    "CertExpires": ("info", 40),
    "DatabaseDown": ("critical", 2),
    "Flapping": ("warning", 20),
    "Cron": ("low", 18),
    "Backup": ("low", 10),
}


def at(minutes: float = 0) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat(timespec="milliseconds")


@pytest.fixture(name="storm", scope="module")
def _storm(site: Site) -> Storm:
    """Sends deliveries of Alertmanager: storm("firing"), storm("resolved", "DiskFull", 12)."""
    made = httpx.post(
        f"{site.url}/gateway/v1/hooks", json={"source": "alertmanager"}, headers=site.server.headers
    ).json()
    began = at(-3)

    def storm(status: str = "firing", only: str = "", hosts: int | None = None) -> None:
        for name, (severity, count) in RULED.items():
            if only not in ("", name):
                continue
            alerts = [
                {
                    "status": status,
                    "labels": {"alertname": name, "severity": severity, "instance": f"web-{host}"},
                    "annotations": {"summary": f"{name} on web-{host}"},
                    "startsAt": began,
                    **({"endsAt": at()} if status == "resolved" else {}),
                }
                for host in range(count if hosts is None else hosts)
            ]
            secret = {"Authorization": f"Bearer {made['secret']}"}
            httpx.post(site.url + made["path"], json={"alerts": alerts}, headers=secret).raise_for_status()

    storm()
    return storm


def names(who: Visit) -> list[str]:
    return who.page.locator(".burning h2 a").all_inner_texts()


@pytest.mark.long
@pytest.mark.parametrize("scripted", [True, False])
def test_a_storm_is_a_few_groups(visit: Callable[..., Visit], storm: Storm, scripted: bool) -> None:
    """Of 500 alerts at most six groups are shown, the worst first, without a typed address."""
    who = visit("viewer", java_script_enabled=scripted)
    who.page.get_by_role("link", name="On fire").click()
    shown = names(who)

    assert shown[:2] == ["DiskFull", "DatabaseDown"] and len(shown) == alerts.SCREEN
    assert "120 firing" in who.page.locator(".burning li").first.inner_text()
    assert "on 120 hosts" in who.page.locator(".burning li").first.inner_text()
    who.page.get_by_text("2 more").click()
    who.page.locator(".burning h2 a", has_text="DatabaseDown").click()
    assert who.page.url.endswith("/inbox?alert_group=alertmanager%3ADatabaseDown")
    assert who.page.locator("a.title").count() == 2


@pytest.mark.long
def test_what_ends_is_told(visit: Callable[..., Visit], storm: Storm) -> None:
    """A page that stands there tells what has resolved by itself, and shows the groups as they are now."""
    who = visit("viewer")
    who.go("/alerts")
    told = who.page.locator("#resolved")
    assert told.is_hidden()
    storm("resolved", "QueueStuck", 12)

    expect(told).to_have_text("12 resolved by themselves since you looked", timeout=20_000)
    expect(who.page.locator(".burning li", has_text="QueueStuck")).to_contain_text("78 firing")
    who.page.reload()
    assert told.is_hidden()
    assert "12 resolved by themselves" in who.page.locator(".burning li", has_text="QueueStuck").inner_text()


@pytest.mark.long
@pytest.mark.parametrize("scripted", [True, False])
def test_two_people(visit: Callable[..., Visit], storm: Storm, scripted: bool) -> None:
    """What one mutes another sees folded, with until when and by whom; either takes it back."""
    ann = visit("triager", java_script_enabled=scripted)
    ben = visit("admin")
    for who in (ann, ben):
        who.go("/alerts")
    ann.page.get_by_label("Mute NodeDown", exact=True).click()
    card = ann.page.locator(".burning li", has_text="NodeDown")
    card.get_by_label("For how long").select_option("4h")
    card.get_by_role("button", name="Mute", exact=True).click()
    assert "NodeDown" not in names(ann)

    ben.page.reload()  # a mute changes no alert
    ben.page.get_by_text("Muted: 1").click()
    muted = ben.page.locator("#muted li")
    assert "by Triager" in muted.inner_text() and "until" in muted.inner_text()
    muted.get_by_role("button", name="Unmute NodeDown").click()
    assert "NodeDown" in names(ben)
    ann.go("/alerts")
    assert "NodeDown" in names(ann)


@pytest.mark.long
def test_acknowledged_at_once(visit: Callable[..., Visit], storm: Storm) -> None:
    """A click acknowledges all of a group."""
    ann = visit("triager")
    ann.go("/alerts")
    ann.page.get_by_role("button", name="Acknowledge all of DatabaseDown").click()

    expect(ann.page.locator(".said")).to_contain_text("2 acknowledged")
    assert ann.page.get_by_role("button", name="Acknowledge all of DatabaseDown").count() == 0


@pytest.mark.long
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390), ("light", 320)])
def test_everybody_can_use_it(visit: Callable[..., Visit], storm: Storm, scheme: str, width: int) -> None:
    """axe-core finds nothing, unfolded too; nothing is wider than a phone; the page is small."""
    who = visit("triager", color_scheme=scheme, bypass_csp=True)
    who.page.set_viewport_size({"width": width, "height": 800})
    answer = who.page.goto(f"{who.url}/alerts")
    assert answer is not None and len(answer.body()) < 60_000
    for summary in who.page.locator("#alerts summary").all():
        summary.click()
        found = Axe().run(who.page, options=RULES).response["violations"]
        assert [(rule["id"], node["html"]) for rule in found for node in rule["nodes"]] == []
        assert who.page.evaluate("document.documentElement.scrollWidth") <= width
        summary.click()


@pytest.mark.parametrize(
    ("form", "hours"),
    [
        ({"for": "1h"}, (0.9, 1.1)),
        ({"for": "4h"}, (3.9, 4.1)),
        ({"for": "tomorrow"}, (9, 33)),
        ({"for": "week"}, (167.9, 168.1)),
        ({"for": "date", "date": (datetime.now(UTC) + timedelta(days=5)).date().isoformat()}, (96, 144)),
    ],
)
def test_how_long(reader: Make, call: Call, form: dict[str, str], hours: tuple[float, float]) -> None:
    """A group is muted for hours, until tomorrow morning, for a week, or until a day."""
    call("POST", "/gateway/v1/feedback", json={"text": "Disk is full", "title": "Disk", "type": "alert"})
    ann = reader("triager")
    answer = ann.post("/alerts/mute", {"group": "native:Disk", **form})
    assert answer.status_code == 303 and "Muted." in ann.get("/alerts").text
    (mute,) = AlertMute.select()

    lasts = (mute.until - mute.created_at) / 3_600_000
    assert hours[0] <= lasts <= hours[1]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"for": "date", "date": "soon"}, "Choose a day."),
        ({"for": "date", "date": "2020-01-01"}, "until: Must be to come"),
        ({"for": "never"}, "Choose how long."),
        ({"for": "more", "more": "-1"}, "more: Must be a whole number"),
        ({"for": "more", "more": "9" * 30}, "more: Must be a whole number"),
        ({"for": "more", "more": "9" * 5_000}, "more: Must be a whole number"),
        ({"for": "date", "date": "0001-01-01"}, "Choose a day."),
        ({"for": "date", "date": "9999-12-31"}, "until: Must be to come"),
    ],
)
def test_what_cannot_be(reader: Make, call: Call, form: dict[str, str], said: str) -> None:
    """What a form says wrong is told, and mutes nothing."""
    call("POST", "/gateway/v1/feedback", json={"text": "Disk is full", "title": "Disk", "type": "alert"})
    ann = reader("triager")
    User.update(zone="Asia/Tokyo").execute()  # where the first day of all begins before that in UTC
    ann.post("/alerts/mute", {"group": "native:Disk", **form})

    assert said in ann.get("/alerts").text and AlertMute.select().count() == 0


@pytest.mark.parametrize("hours", [1, 4])
@pytest.mark.parametrize(
    "at", ["2026-03-29T01:30", "2026-03-29T00:10", "2026-10-25T02:30", "2026-10-25T00:10"]
)
def test_hours_where_clocks_change(at: str, hours: int) -> None:
    """An hour is an hour, also in the night in which the reader's clock changes."""
    now = datetime.fromisoformat(at).replace(tzinfo=ZoneInfo("Europe/Amsterdam"))
    lasts = alerts.ENDS[f"{hours}h"](now).astimezone(UTC) - now.astimezone(UTC)
    assert lasts == timedelta(hours=hours)


def test_until_more_and_back(reader: Make, call: Call) -> None:
    """A mute that counts tells how many came, when it ends and when it is taken back."""
    sent: dict[str, Any] = {"title": "Disk", "type": "alert"}
    call("POST", "/gateway/v1/feedback", json={"text": "Disk is full", **sent})
    ann = reader("triager")
    ann.post("/alerts/mute", {"group": "native:Disk", "for": "more", "more": "5"})
    call("POST", "/gateway/v1/feedback", json={"text": "Disk is fuller", **sent})
    page = ann.get("/alerts").text
    assert "until 5 more have come" in page and "1 came meanwhile" in page
    ann.post("/alerts/unmute", {"group": "native:Disk"})
    page = ann.get("/alerts").text

    assert "Not muted any more: 1 came meanwhile." in page and "was muted: 1 came meanwhile" in page
    ann.post("/alerts/unmute", {"group": "native:Disk"})
    assert "It is not muted any more." in ann.get("/alerts").text
    assert ann.get("/alerts?group=native:Disk").status_code == 200


@pytest.mark.long
def test_hooks_tell_their_deliveries(site: Site, visit: Callable[..., Visit]) -> None:
    """The list of hooks tells of each its last delivery and what is held, and leads there."""
    headers = site.server.headers
    made = httpx.post(
        f"{site.url}/gateway/v1/hooks", json={"source": "grafana", "name": "Kitchen"}, headers=headers
    ).json()
    proof = {"Authorization": f"Bearer {made['secret']}"}
    httpx.post(site.url + made["path"], json={"alerts": 4}, headers=proof).raise_for_status()
    who = visit("admin")
    who.go("/settings/hooks")
    row = who.page.locator("tr", has_text="Kitchen")

    assert row.locator("time").count() == 2 and "none yet" not in row.inner_text()
    row.locator("a.negative").click()
    assert "/settings/quarantine?source=grafana" in who.page.url


def test_what_cannot_be_in_dutch(reader: Make, call: Call) -> None:
    """It is told in the reader's language, as a filter that is none is over the list and the overview."""
    call("POST", "/gateway/v1/feedback", json={"text": "Disk is full", "title": "Disk", "type": "alert"})
    ann, dutch = reader("triager"), {"Accept-Language": "nl"}
    headers = {**dutch, "Sec-Fetch-Site": "same-origin"}
    ann.post("/alerts/mute", {"group": "native:Disk", "for": "more", "more": "0"}, headers=headers)
    assert "more: Moet een geheel getal van 1 tot" in ann.get("/alerts", headers=dutch).text

    for path in ("/inbox", "/overview"):
        assert "Moet een zijn van" in ann.get(f"{path}?category=nonsense", headers=dutch).text
