"""Settings: what is shown once, what waits for a first delivery, and what is let out of quarantine."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest

from gateway.access import callback_secrets, users
from gateway.intake import auth
from gateway.runs import callbacks
from models import ApiKey, Audit, Callback, HookRow, Project, User
from models.database.base import writing
from tests.conftest import Call, Tenant
from tests.inbox.conftest import PASSWORD, Reader

Make = Callable[..., Reader]
PATH = "/gateway/v1/feedback"


def test_keys(reader: Make, call: Call) -> None:
    """A key is made, shown once, works, is listed, rotated with an overlap, and revoked."""
    ann = reader("admin")
    made = ann.post(
        "/settings/keys",
        {"name": "Shop", "scopes": ["ingest"], "rate_limit": "5/minute", "days": "30"},
        follow_redirects=True,
    )
    key = re.search(r"sk_live_\w{40}", made.text)
    assert key
    bearer = {"Authorization": f"Bearer {key[0]}"}
    assert call("POST", PATH, json={"text": "hi"}, headers=bearer).status_code == 201
    page = ann.get("/settings/keys").text
    assert key[0] not in page
    assert "Shop" in page
    row = ApiKey.get(ApiKey.name == "Shop")
    assert row.expires_at is not None
    rotated = ann.post(f"/settings/keys/{row.id}/rotate", follow_redirects=True).text
    second = re.search(r"sk_live_\w{40}", rotated)
    assert second
    assert second[0] != key[0]
    assert "The old one works until" in rotated
    assert ann.post(f"/settings/keys/{row.id}/revoke").status_code == 303
    auth.forget()
    assert call("POST", PATH, json={"text": "hi"}, headers=bearer).status_code == 401
    assert (
        call("POST", PATH, json={"text": "hi"}, headers={"Authorization": f"Bearer {second[0]}"}).status_code
        == 201
    )

    assert {"key.created", "key.rotated", "key.revoked"} <= {row.action for row in Audit.select()}
    assert "Admin" in ann.get("/settings/audit").text


@pytest.mark.parametrize(
    "form",
    [
        {"scopes": []},
        {"scopes": ["root"]},
        {"rate_limit": "many"},
        {"days": "x"},
        {"days": "-1"},
        {"project_id": "prj_x"},
    ],
)
def test_bad_keys(reader: Make, form: dict[str, str]) -> None:
    """A key that cannot be made is not made, and the page says which field is wrong."""
    ann, before = reader("admin"), ApiKey.select().count()
    answer = ann.post("/settings/keys", {"name": "x", "scopes": ["ingest"], **form})

    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert ApiKey.select().count() == before


def test_hooks(reader: Make, call: Call) -> None:
    """A hook is made with its vendor's steps; its page says when the first delivery has come."""
    ann = reader("admin")
    assert "slack" in ann.get("/settings/hooks").text
    made = unescape(ann.post("/settings/hooks/new/generic", {"name": "Forms"}, follow_redirects=True).text)
    row = HookRow.get()
    secret = re.search(r'<pre id="secret"[^>]*>([^<]+)<', made)
    assert secret
    assert f"/hooks/generic/{row.id}" in made
    assert "Waiting" in made
    assert ann.get(f"/settings/hooks/{row.id}/received").json == {"received": False, "say": "✓ Received."}
    sent = call(
        "POST",
        f"/hooks/generic/{row.id}",
        json={"text": "hi"},
        headers={"Authorization": f"Bearer {secret[1]}"},
    )
    assert sent.status_code < 300
    assert ann.get(f"/settings/hooks/{row.id}/received").json["received"] is True
    page = ann.get(f"/settings/hooks/{row.id}").text
    assert secret[1] not in page
    assert "Received." in page
    rotated = unescape(ann.post(f"/settings/hooks/{row.id}/rotate", follow_redirects=True).text)
    assert secret[1] not in rotated
    assert ann.post(f"/settings/hooks/{row.id}/delete").status_code == 303

    assert ann.get(f"/settings/hooks/{row.id}").status_code == 404


def test_every_source_has_a_page(reader: Make) -> None:
    """Each kind of hook can be made from its page, or the page says which secret it lacks."""
    ann = reader("admin")
    kinds = re.findall(r'href="(/settings/hooks/new/[^"]+)"', ann.get("/settings/hooks").text)
    assert len(kinds) > 8
    for path in kinds:
        page = ann.get(path)
        own = 'name="secret" autocomplete="off" minlength="8" required' in page.text
        unsigned = 'name="unsigned"' in page.text  # needs no secret, also where the vendor has one of its own
        form = {"secret": "a" * 64} if own else {"unsigned": "1"} if unsigned else {}
        assert ann.post(path, form).status_code == 303, path
        if own:
            assert ann.post(path, {}).status_code == 400
    assert ann.get("/settings/hooks/new/nothing").status_code == 404


def test_quarantine(reader: Make, call: Call) -> None:
    """What was held is shown as text with what it would become, and is replayed once it is understood."""
    ann = reader("admin")
    odd = ann.post("/settings/hooks/new/generic", {"options": "no JSON"})
    assert (odd.status_code, "options: was not valid JSON" in odd.text) == (400, True)
    made = unescape(ann.post("/settings/hooks/new/generic", {}, follow_redirects=True).text)
    assert "This hook has no map yet" in made
    secret = re.search(r'<pre id="secret"[^>]*>([^<]+)<', made)
    assert secret
    row = HookRow.get()
    bearer = {"Authorization": f"Bearer {secret[1]}"}
    call("POST", f"/hooks/generic/{row.id}", data=b'{"words": "<img src=x> hi"}', headers=bearer)
    call("POST", f"/hooks/generic/{row.id}", data=b"no JSON <script>", headers=bearer)
    paths = re.findall(r'href="(/settings/quarantine/[^"]+)"', ann.get("/settings/quarantine").text)
    (broken,) = [path for path in paths if "no JSON &lt;script&gt;" in ann.get(path).text]

    answer = ann.post(f"{broken}/replay")
    assert answer.location == broken
    assert "Still not understood" in ann.get(broken).text
    for path in set(paths) - {broken}:
        assert "&lt;img src=x&gt;" in ann.get(path).text
    bad = ann.post(f"/settings/hooks/{row.id}/options", {"options": '{"map": {"txt": "words"}}'})
    assert (bad.status_code, "options.map.text: Required" in bad.text) == (400, True)
    assert "txt" in bad.text  # what was typed is still there
    ann.post(f"/settings/hooks/{row.id}/options", {"options": '{"map": {"text": "words"}}'})
    assert "words" in ann.get(f"/settings/hooks/{row.id}").text
    for path in set(paths) - {broken}:
        answer = ann.post(f"{path}/replay")
        assert answer.location.startswith("/records/")
        assert "hi" in ann.get(answer.location).text


def test_projects(reader: Make, tenant: Tenant) -> None:
    """Projects are made and renamed; their names are text."""
    ann = reader("admin")
    ann.post("/settings/projects", {"name": "Web <b>shop</b>"})
    assert "Web &lt;b&gt;shop&lt;/b&gt;" in ann.get("/settings/projects").text
    ann.post(f"/settings/projects/{tenant.project_id}", {"name": "Main"})
    assert Project.get_by_id(tenant.project_id).name == "Main"

    assert ann.post("/settings/projects", {"name": " "}).status_code == 400
    assert ann.post("/settings/projects/prj_x", {"name": "n"}).status_code == 404


def test_people(reader: Make, stranger: Reader, tenant: Tenant) -> None:
    """An invited person comes in by the link, gets another role, a new password, and loses access."""
    ann = reader("admin")
    page = unescape(
        ann.post(
            "/settings/people", {"email": "mei@example.test", "role": "viewer"}, follow_redirects=True
        ).text
    )
    link = re.search(r"/welcome\?link=([\w-]+)", page)
    assert link
    assert "mei@example.test" in page
    assert link[1] not in ann.get("/settings/people").text
    assert (
        stranger.post("/welcome", {"link": link[1], "name": "Mei", "password": PASSWORD}).status_code == 303
    )
    mei = User.get(User.email == "mei@example.test")
    ann.post(f"/settings/people/{mei.id}", {"act": "role", "role": "triager"})
    assert User.get_by_id(mei.id).role == "triager"
    linked = ann.post(f"/settings/people/{mei.id}", {"act": "link"}, follow_redirects=True)
    reset = re.search(
        r"/welcome\?link=([\w-]+)",
        unescape(linked.text),
    )
    assert reset
    assert stranger.post("/welcome", {"link": reset[1], "password": "another long one"}).status_code == 303
    ann.post(f"/settings/people/{mei.id}", {"act": "off"})

    assert stranger.get("/inbox").status_code == 303
    assert ann.post(f"/settings/people/{ann.user_id}", {"act": "off"}).status_code == 400
    assert ann.post("/settings/people", {"email": "mei@example.test", "role": "viewer"}).status_code == 400
    assert ann.post("/settings/people", {"email": "x", "role": "viewer"}).status_code == 400
    assert ann.post("/settings/people", {"email": "y@example.test", "role": "root"}).status_code == 400
    assert ann.post("/settings/people/usr_x", {"act": "off"}).status_code == 404


def test_ones_account(reader: Make) -> None:
    """Language and zone are one's own; a new password ends every other session."""
    ann = reader("viewer")
    other = ann.client.application.test_client()
    cookie = ann.client.get_cookie("feedback-session", domain="localhost")
    assert cookie
    other.set_cookie("feedback-session", cookie.value, domain="localhost")
    ann.post("/account", {"name": "Ann", "language": "nl", "zone": "Europe/Amsterdam"})
    row = User.get_by_id(ann.user_id)
    assert (row.name, row.language, row.zone) == ("Ann", "nl", "Europe/Amsterdam")
    ann.post("/account", {"name": "", "language": "xx", "zone": "../../etc/passwd"})
    row = User.get_by_id(ann.user_id)
    assert (row.name, row.language, row.zone) == ("Ann", None, None)
    assert ann.post("/account/password", {"old": "wrong", "new": "another long one"}).status_code == 400
    User.update(password=users.hash_password(PASSWORD)).execute()
    assert ann.post("/account/password", {"old": PASSWORD, "new": "short"}).status_code == 400
    assert ann.post("/account/password", {"old": PASSWORD, "new": "another long one"}).status_code == 303

    assert ann.get("/account").status_code == 200
    assert other.get("/account").status_code == 303


def test_callbacks(reader: Make, tenant: Tenant) -> None:
    """The secret of callbacks is made, shown once and rotated; what was sent is listed with what is wrong."""
    ann = reader("admin")
    assert "There is no secret yet" in ann.get("/settings/callbacks").text
    first = re.search(r"whsec_[\w-]{43}", ann.post("/settings/callbacks/rotate", follow_redirects=True).text)
    assert first
    page = ann.get("/settings/callbacks").text
    assert first[0] not in page and "The secret was made" in page
    rotated = ann.post("/settings/callbacks/rotate", follow_redirects=True).text
    second = re.search(r"whsec_[\w-]{43}", rotated)
    assert second and second[0] != first[0] and "The old one works until" in rotated
    with writing():
        assert callback_secrets.live(tenant.workspace_id) == [second[0], first[0]]
        run = {"id": "run_<b>", "workspace_id": tenant.workspace_id, "status": "completed"}
        callbacks.schedule({**run, "callback_url": "https://hooks.example/token"})
    Callback.update(state="dead", attempt=4, status=500, why="answered 500 <i>").execute()
    page = ann.get("/settings/callbacks").text
    assert all(word in page for word in ("run_&lt;b&gt;", "hooks.example", "given up", "tries: 4", "500"))
    assert "token" not in page and "<i>" not in page
    assert "callback_secret.rotated" in ann.get("/settings/audit").text
