"""Stories in a real browser: what people do, with the keyboard, on a phone, and with scripts off."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Response, expect

from models import HookRow
from models.database.base import close, connect, writing
from tests.conftest import run_command, running, until
from tests.inbox.conftest import PASSWORD, Site, Visit
from tests.inbox.provider import CLIENT_ID, CLIENT_SECRET, providing

pytestmark = pytest.mark.long

Open = Callable[..., Visit]
SCRIPTS = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])


@SCRIPTS
def test_from_the_first_link_to_the_first_feedback(chromium: Browser, tmp_path: Path, scripts: bool) -> None:
    """The printed link makes the admin; the command on the empty page, as it stands there, fills the list."""
    with running(tmp_path) as server:
        link = run_command(server.environ, "init")["link"].partition("/welcome")[2]
        page = chromium.new_context(java_script_enabled=scripts).new_page()
        page.goto(f"{server.url}/welcome{link}")
        page.get_by_label("Name").fill("Noor")
        page.get_by_label("Email").fill("noor@example.test")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Set the password").click()
        page.get_by_role("button", name="Put a fresh key").click()
        expect(page.locator("#first-curl")).to_contain_text("sk_live_")
        command = page.locator("#first-curl").inner_text()
        done = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
        assert json.loads(done.stdout)["id"].startswith("fb_")
        if not scripts:
            page.goto(f"{server.url}/inbox")
        expect(page.locator(".row .title")).to_have_text("The export button does nothing", timeout=15_000)
        expect(page.locator(".row")).to_contain_text("/reports")
        page.context.close()


def test_ten_records_by_keyboard_only(visit: Open, site: Site) -> None:
    """Looked at, chosen, resolved, opened, labelled and undone without a mouse."""
    ids = [site.send(text=f"Keyboard {n}: the export is broken")["id"] for n in range(10)]
    who = visit("triager")
    page, press = who.page, who.page.keyboard.press
    who.go("/inbox?source=native")
    for _ in range(3):
        press("j")
        press("x")
    expect(page.locator(".tools .count")).to_have_text("3")
    press("e")
    expect(page.locator(".said")).to_contain_text("3 changed to resolved")
    expect(page.locator(".row.done")).to_have_count(3)
    press("z")
    expect(page.locator(".said")).to_contain_text("Undone")
    expect(page.locator(".row.done")).to_have_count(0)
    for _ in range(10):
        who.go("/inbox?status=open&source=native")
        press("j")
        press("Enter")
        expect(page.locator("#labels")).to_be_visible()
        press("2")
        expect(page.locator(".said")).to_contain_text("feature")
        press("e")
        expect(page.locator(".said")).to_contain_text("resolved")
    press("u")
    page.wait_for_url("**/inbox?*")
    press("?")
    expect(page.locator("#keys")).to_be_visible()
    press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    listed = httpx.get(
        f"{site.url}/gateway/v1/feedback?status=resolved&category=feature", headers=site.server.headers
    ).json()["data"]

    assert {row["id"] for row in listed} >= set(ids)
    assert {row["category_origin"] for row in listed if row["id"] in ids} == {"corrected"}


@SCRIPTS
def test_many_at_once_by_mouse(visit: Open, site: Site, scripts: bool) -> None:
    """Records are chosen and resolved together, and all of it is undone, also without scripts."""
    for n in range(3):
        site.send(text=f"By mouse {n} {scripts}: the import is broken")
    who = visit("triager", java_script_enabled=scripts)
    page = who.page
    who.go("/inbox?source=native")
    for n in range(3):
        page.locator(".row > input[name=id]").nth(n).check()
    page.get_by_role("button", name="Resolve").click()
    expect(page.locator(".said")).to_contain_text("3 changed to resolved")
    expect(page.locator(".row").nth(2)).to_contain_text("resolved")
    page.get_by_role("button", name="Undo").click()

    expect(page.locator(".said")).to_contain_text("Undone")
    expect(page.locator(".row").nth(0)).not_to_contain_text("resolved")


@SCRIPTS
def test_correct_a_label(visit: Open, site: Site, scripts: bool) -> None:
    """One click corrects a label; it is still so after a reload, beside what the model said."""
    sent = site.send(text=f"Could you please add dark mode {scripts}")
    who = visit("triager", java_script_enabled=scripts)
    who.go(f"/records/{sent['id']}")
    who.page.get_by_role("button", name="praise").click()
    expect(who.page.locator(".said")).to_contain_text("praise")
    who.page.reload()

    expect(who.page.get_by_role("button", name="praise")).to_have_attribute("aria-pressed", "true")
    expect(who.page.locator("#labels")).to_contain_text(f"the model said {sent['category']}")


@SCRIPTS
def test_an_answer(visit: Open, site: Site, scripts: bool) -> None:
    """Written with the keyboard, kept over a walk elsewhere, sent, taken back, and sent again."""
    record = site.send(text="Is it mended?", author={"email": "anna@example.test"})["id"]
    who = visit("triager", java_script_enabled=scripts)
    page, form = who.page, who.page.locator("#reply")
    who.go(f"/records/{record}")
    if scripts:
        page.keyboard.press("r")
        page.keyboard.type("It is mended")
        who.go("/overview")
        who.go(f"/records/{record}")
        expect(form).to_have_value("It is mended")
    else:
        form.fill("It is mended")
    page.get_by_role("button", name="Answer", exact=True).click()
    expect(page.locator(".said")).to_contain_text("It is sent in 10 seconds.")
    expect(form).to_have_value("")
    page.get_by_role("button", name="Take back").click()
    expect(page.locator(".said")).to_contain_text("Not sent.")
    expect(form).to_have_value("It is mended")
    page.get_by_role("button", name="Answer", exact=True).click()
    expect(page.locator(".note .words")).to_have_text("It is mended")
    who.go(f"/records/{record}")
    expect(form).to_have_value("")


@SCRIPTS
def test_a_key(visit: Open, site: Site, scripts: bool) -> None:
    """A key is made, copied, used and revoked."""
    permissions = {"permissions": ["clipboard-read", "clipboard-write"]} if scripts else {}
    who = visit("admin", java_script_enabled=scripts, **permissions)
    page = who.page
    who.go("/settings/keys")
    page.get_by_label("What it is for").fill(f"Shop {scripts}")
    page.get_by_role("button", name="Create key").click()
    key = page.locator("#new-key").inner_text()
    if scripts:
        page.locator("[data-copy=new-key]").click()
        assert page.evaluate("navigator.clipboard.readText()") == key
    headers = {"Authorization": f"Bearer {key}"}
    assert (
        httpx.post(f"{site.url}/gateway/v1/feedback", json={"text": "a"}, headers=headers).status_code == 201
    )
    who.go("/settings/keys")
    assert key not in page.content()
    page.get_by_role("button", name=f"Revoke Shop {scripts}").click()
    expect(page.locator(".said")).to_contain_text("Revoked")
    deadline = time.monotonic() + 10
    while (
        httpx.post(f"{site.url}/gateway/v1/feedback", json={"text": "a"}, headers=headers).status_code != 401
    ):
        assert time.monotonic() < deadline


@SCRIPTS
def test_a_slack_hook(visit: Open, site: Site, scripts: bool) -> None:
    """A Slack hook waits for its first delivery and says when a signed one has come; the record is listed."""
    who, secret = visit("admin", java_script_enabled=scripts), "0123456789abcdef" * 2
    page = who.page
    who.go("/settings/hooks")
    page.locator(".kinds").get_by_role("link", name="slack").click()
    page.get_by_label("Secret").fill(secret)
    page.get_by_role("button", name="Create hook").click()
    expect(page.locator("[data-wait]")).to_contain_text("Waiting")
    expect(page.locator(".advice")).to_contain_text("Request URL")
    address = page.locator("#address").inner_text()
    event = {
        "type": "event_callback",
        "team_id": "T1",
        "api_app_id": "A1",
        "event_id": f"Ev{scripts}",
        "event_time": int(time.time()),
        "event": {
            "type": "message",
            "channel": "C1",
            "user": "U1",
            "text": f"The slack story is broken {scripts}",
            "ts": f"{time.time():.6f}",
        },
    }
    body, stamp = json.dumps(event), str(int(time.time()))
    mac = hmac.new(secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    signed = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={mac}"}
    answer = httpx.post(address, content=body, headers={"Content-Type": "application/json", **signed})
    assert answer.status_code == 200
    if not scripts:
        page.get_by_role("link", name="Look again").click()
    expect(page.get_by_role("status").first).to_contain_text("Received", timeout=15_000)
    who.go("/inbox?source=slack")

    expect(page.locator(".row .title").first).to_have_text(f"The slack story is broken {scripts}")


@SCRIPTS
def test_out_of_quarantine(visit: Open, site: Site, scripts: bool) -> None:
    """What was held is seen with what it would become, replayed, and once it is understood a record."""
    made = site.server.run("hook", "create", "generic", "--option", 'map={"text": "words"}')
    bearer = {"Authorization": f"Bearer {made['secret']}"}
    httpx.post(site.url + made["path"], content=json.dumps({"x": f"held {scripts}"}), headers=bearer)
    who = visit("triager", java_script_enabled=scripts)
    who.go("/settings/quarantine")
    who.page.locator("tbody a").first.click()  # all of this reason
    who.page.wait_for_url("**/quarantine?*")
    who.page.locator("tbody a").first.click()
    expect(who.page.locator("pre")).to_contain_text(f"held {scripts}")
    who.page.get_by_role("button", name="Replay").click()
    expect(who.page.locator(".said")).to_contain_text("Still not understood")
    connect(site.server.environ["GATEWAY_DATABASE_URL"])
    with writing():
        HookRow.update(options={"map": {"text": "x"}}).where(HookRow.id == made["hook_id"]).execute()
    close()
    who.page.reload()
    expect(who.page.locator(".note")).to_contain_text(f"held {scripts}")
    who.page.get_by_role("button", name="Replay").click()

    expect(who.page.locator(".said")).to_contain_text("Understood.")
    expect(who.page.get_by_role("heading", level=1)).to_have_text(f"held {scripts}")


@SCRIPTS
def test_a_viewer_changes_nothing(visit: Open, site: Site, scripts: bool) -> None:
    """A viewer sees everything and is offered nothing to change; forms made by hand are refused."""
    record_id = site.send(text=f"Only to be looked at {scripts}")["id"]
    who = visit("viewer", java_script_enabled=scripts)
    page = who.page
    who.go("/inbox")
    expect(page.locator(".row").first).to_be_visible()
    assert page.locator(".rows input, .tools").count() == 0
    who.go(f"/records/{record_id}")
    assert page.locator("#labels button:enabled").count() == 0
    for path, form in (
        (f"/records/{record_id}", {"category": "praise"}),
        ("/inbox/bulk", {"set": "status:resolved", "id": record_id}),
        ("/settings/keys", {"name": "x", "scopes": "admin"}),
    ):
        answer = page.request.post(site.url + path, form=form)
        assert answer.status == 403
    for path in ("/settings/keys", "/settings/people", "/settings/audit"):
        assert page.request.get(site.url + path).status == 403


def test_forms_of_other_origins(visit: Open, site: Site) -> None:
    """A page of another origin signs nobody out, also one of the same site, whose forms carry the cookie."""
    who = visit("admin")
    page = who.page
    form = f'<form method="post" action="{site.url}/sign-out"><button>Win a prize</button></form>'
    for origin, same_site in (("http://127.0.0.1:9", True), ("http://evil.test", False)):
        page.route(f"{origin}/", lambda route: route.fulfill(content_type="text/html", body=form))
        page.goto(f"{origin}/")
        with page.expect_response(f"{site.url}/sign-out") as told:
            page.click("button")
        assert ("cookie" in told.value.request.all_headers()) == same_site
        assert told.value.status == 400
        expect(page.get_by_role("heading", level=1)).to_contain_text(
            "did not come from a page of this gateway"
        )
    who.elsewhere.clear()
    who.go("/inbox")

    assert page.url == f"{site.url}/inbox"


def test_what_a_page_costs(visit: Open, site: Site) -> None:
    """A full list travels as less than 60 kB with all it loads; the next page loads the page alone."""
    with httpx.Client(base_url=site.url, headers=site.server.headers) as client:
        sent = [{"text": f"Report {n}: " + "words of all kinds go here " * 6} for n in range(50)]
        assert client.post("/gateway/v1/feedback/batch", json=sent).status_code < 300
    page = visit("admin").page
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    page.context.new_cdp_session(page).send("Network.clearBrowserCache")
    page.goto(f"{site.url}/inbox?status=open", wait_until="networkidle")
    sizes = [answer.request.sizes() for answer in answers]
    travelled = sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)
    assert page.locator(".row").count() == 50
    assert {Path(urlsplit(answer.url).path).name for answer in answers} >= {"inbox", "inbox.css", "inbox.js"}
    assert 5_000 < travelled < 60_000
    page.goto(f"{site.url}/inbox?status=open&sentiment=positive,neutral,negative", wait_until="networkidle")
    again = [answer for answer in answers[len(sizes) :] if answer.request.sizes()["responseBodySize"] > 0]

    assert [answer.url for answer in again] == [page.url]


def test_new_ones_are_announced(visit: Open, site: Site) -> None:
    """A list that is open says how many have come since, and shows them when asked."""
    site.send(text="Before")
    who = visit("viewer")
    who.go("/inbox?category=question")
    site.send(text="How do I export my invoices?")
    site.send(text="Thanks, lovely work!")
    expect(who.page.locator("#arrived")).to_have_text("1 new", timeout=15_000)
    assert who.page.title().startswith("(1) ")
    who.page.locator("#arrived a").click()

    expect(who.page.locator(".row .title").first).to_have_text("How do I export my invoices?")


@SCRIPTS
def test_filters(visit: Open, site: Site, scripts: bool) -> None:
    """A filter is chosen, kept in the address, and saved as a view."""
    site.send(text=f"Where can I find the settings {scripts}?")
    who = visit("viewer", java_script_enabled=scripts)
    page = who.page
    page.get_by_label("Category").select_option("question")
    if not scripts:
        page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**category=question*")
    if scripts:
        assert page.url.endswith("/inbox?category=question&status=open&snoozed=without")
    who.go("/inbox?category=question")
    page.get_by_text("Save this view").click()
    page.locator(".save").get_by_label("Name").fill(f"Ours {scripts}")
    page.get_by_role("button", name="Save", exact=True).click()

    expect(page.locator(".views [aria-current]").last).to_have_text(f"Ours {scripts}")


@SCRIPTS
def test_signing_in_elsewhere(chromium: Browser, tmp_path: Path, scripts: bool) -> None:
    """The first admin comes by the printed link and the provider, signs out, and in again with one click."""
    with providing() as provider:
        settings = {
            "GATEWAY_OIDC_ISSUER": provider.url,
            "GATEWAY_OIDC_CLIENT_ID": CLIENT_ID,
            "GATEWAY_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "GATEWAY_OIDC_NAME": "Acme",
            "GATEWAY_PASSWORDS": "off",
        }
        with running(tmp_path, **settings) as server:
            link = run_command(server.environ, "init")["link"].partition("/welcome")[2]
            page = chromium.new_context(java_script_enabled=scripts).new_page()
            said: list[str] = []
            page.on("console", lambda message: said.append(message.text))
            page.goto(f"{server.url}/welcome{link}")
            page.get_by_role("link", name="Go on with Acme").click()
            page.get_by_role("button", name="Yes, it is me").click()
            page.wait_for_url("**/inbox?status=open*")
            page.locator(".me summary").click()
            expect(page.locator(".me")).to_contain_text("Noor Jansen")
            expect(page.locator(".me")).to_contain_text("admin")
            page.get_by_role("button", name="Sign out").click()
            page.goto(f"{server.url}/overview?period=30d")
            page.get_by_role("link", name="Sign in with Acme").click()
            page.get_by_role("button", name="Yes, it is me").click()
            page.wait_for_url("**/overview?period=30d")
            page.locator(".me summary").click()
            page.get_by_role("button", name="Sign out").click()
            provider.person["email_verified"] = False
            page.get_by_role("link", name="Sign in with Acme").click()
            page.get_by_role("button", name="Yes, it is me").click()
            expect(page.get_by_role("alert")).to_contain_text("has not been verified there")
            page.context.close()
        assert [text for text in said if "Failed to load resource" not in text] == []


def test_signing_in_leads_on_and_out(visit: Open, site: Site) -> None:
    """A link to a record leads there by way of signing in; after signing out it does not."""
    record_id = site.send(text="A link from a chat")["id"]
    who = visit(None)
    page = who.page
    who.go(f"/records/{record_id}")
    page.get_by_label("Email").fill("viewer@example.test")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("A link from a chat")
    page.locator(".me summary").click()
    page.get_by_role("button", name="Sign out").click()
    who.go(f"/records/{record_id}")

    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


@SCRIPTS
def test_a_project(visit: Open, site: Site, scripts: bool) -> None:
    """Rules are added, corrected where the page says they are wrong, and removed; records feel them."""
    who = visit("admin", java_script_enabled=scripts)
    page = who.page
    who.go("/settings/projects")
    page.get_by_label("Name").fill(f"Exports {scripts}")
    page.get_by_role("button", name="Create project").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Exports {scripts}")
    project_id = page.url.rpartition("/")[2]
    page.get_by_label("Repository for issues").fill("acme/shop")
    page.get_by_label("Days to keep raw payloads").fill("30")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".said")).to_contain_text("Saved.")
    page.get_by_label("Area", exact=True).fill("export")
    page.get_by_label("Pages that begin with").fill("/export\nreports")
    page.get_by_role("button", name="Save the rules").click()
    field = page.get_by_label("Pages that begin with")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description("2: Must begin with /")
    field.fill("/export")
    page.get_by_role("button", name="Save the rules").click()
    expect(page.get_by_label("Area", exact=True)).to_have_count(2)  # the rule, and room for another one
    expect(page.get_by_label("Days to keep raw payloads")).to_have_value("30")

    def points() -> int:
        sent = site.send(text="hm", subject={"page": "/export"}, project_id=project_id)
        return int(next(one["points"] for one in sent["impact_reasons"] if one["part"] == "area"))

    until(lambda: points() == 3)
    sent = site.send(text="An issue", project_id=project_id)
    who.go(f"/records/{sent['id']}")
    link = page.get_by_role("link", name="Open as GitHub issue")
    expect(link).to_have_attribute("href", re.compile("^https://github.com/acme/shop/issues/new"))
    who.go(f"/settings/projects/{project_id}")
    page.get_by_label("Remove this rule").check()
    page.get_by_role("button", name="Save the rules").click()
    expect(page.get_by_label("Remove this rule")).to_have_count(0)
    page.get_by_role("checkbox", name="billing").uncheck()
    page.get_by_role("button", name="Save the rules").click()
    expect(page.get_by_role("checkbox", name="billing")).not_to_be_checked()
    page.get_by_role("button", name="Back to the usual areas").click()
    expect(page.get_by_role("checkbox", name="billing")).to_be_checked()
