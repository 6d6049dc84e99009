"""The admin API: keys, hooks, projects, quarantine and the audit trail of one workspace."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from gateway.access import bootstrap
from gateway.access.api_keys import is_well_formed
from gateway.core.ids import now_ms
from gateway.intake import auth
from gateway.triage.areas import DEFAULT_AREAS
from models import ApiKey, Feedback, HookRow, Project
from models.tables.feedback import iso
from tests.conftest import Call, Tenant

pytestmark = pytest.mark.both(long=True)

KEYS, HOOKS, PROJECTS = "/gateway/v1/keys", "/gateway/v1/hooks", "/gateway/v1/projects"
QUARANTINE, AUDIT = "/gateway/v1/quarantine", "/gateway/v1/audit"


def status(call: Call, key: str, path: str = "/gateway/v1/feedback") -> int:
    auth.forget()
    return call("GET", path, headers={"Authorization": f"Bearer {key}"}).status_code


def fields(response: Any) -> set[str]:
    return {error["field"] for error in response.json["errors"]}


def acts(call: Call) -> list[tuple[str, str]]:
    return [(row["action"], row["target"]) for row in call("GET", AUDIT).json["data"]]


def test_a_key_is_shown_once(call: Call, tenant: Tenant) -> None:
    """A new key works, its text is in one answer that nobody may keep, and lists have its beginning only."""
    sent = {
        "name": "site",
        "scopes": ["read", "read"],
        "rate_limit": "5/minute",
        "expires_at": iso(now_ms() + 9999),
    }
    answer = call("POST", KEYS, json=sent)
    made = answer.json
    key = made.pop("key")
    listed = call("GET", KEYS)

    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    assert is_well_formed(key)
    assert listed.json["data"][-1] == made
    assert (made["scopes"], made["rate_limit"]) == (["read"], "5/minute")
    assert (made["expires_at"], made["project_id"]) == (sent["expires_at"], None)
    assert key not in listed.text
    assert key.startswith(made["prefix"])
    assert key not in json.dumps([*ApiKey.select().dicts()])
    assert status(call, key) == 200


def test_revoke(call: Call) -> None:
    """A revoked key opens nothing and stays in the list; revoking it again changes nothing."""
    made = call("POST", KEYS, json={}).json
    first, again = (call("POST", f"{KEYS}/{made['key_id']}/revoke") for _ in range(2))

    assert first.json["revoked_at"] is not None
    assert again.json == first.json
    assert status(call, made["key"]) == 401
    assert acts(call)[:2] == [("key.revoked", made["key_id"]), ("key.created", made["key_id"])]


@pytest.mark.parametrize(
    ("overlap", "old"), [({}, 200), ({"overlap_hours": 0}, 401), ({"overlap_hours": 1.5}, 200)]
)
def test_rotate(call: Call, overlap: dict[str, Any], old: int) -> None:
    """A rotated key has a successor that may do the same, and works itself as long as was asked."""
    made = call("POST", KEYS, json={"name": "site", "scopes": ["read"]}).json
    response = call("POST", f"{KEYS}/{made['key_id']}/rotate", json=overlap)
    fresh = response.json

    assert (response.status_code, response.headers["Cache-Control"]) == (201, "no-store")
    assert (fresh["name"], fresh["scopes"], fresh["replaces"]) == ("site", ["read"], made["key_id"])
    assert status(call, fresh["key"]) == 200
    assert status(call, made["key"]) == old
    if old != 200:
        assert call("POST", f"{KEYS}/{made['key_id']}/rotate").status_code == 400
    ApiKey.update(expires_at=now_ms() - 1).where(ApiKey.id == made["key_id"]).execute()
    assert status(call, made["key"]) == 401


@pytest.mark.parametrize(
    ("path", "body", "names"),
    [
        (KEYS, {"scopes": []}, {"scopes"}),
        (KEYS, {"scopes": ["root"], "rate_limit": "5 a day", "name": 3}, {"scopes.0", "rate_limit", "name"}),
        (KEYS, {"expires_at": "2020-01-01T00:00:00Z"}, {"expires_at"}),
        (KEYS, {"expires_at": "soon"}, {"expires_at"}),
        (KEYS, {"project_id": "prj_none"}, {"project_id"}),
        (KEYS, {"digest": "x"}, {"digest"}),
        (KEYS, [], {"body"}),
        (HOOKS, {}, {"source"}),
        (HOOKS, {"source": "nothing"}, {"source"}),
        (HOOKS, {"source": "github", "unsigned": True}, {"unsigned"}),
        (HOOKS, {"source": "discord"}, {"secret"}),
        (HOOKS, {"source": "github", "secret": "short"}, {"secret"}),
        (HOOKS, {"source": "generic", "options": {"map": {"text": "]"}}}, {"options.map.text"}),
        (HOOKS, {"source": "generic", "options": {"map": 1}}, {"options.map"}),
        (
            HOOKS,
            {"source": "github", "options": {"bots": "yes", "bot": True}},
            {"options.bots", "options.bot"},
        ),
        (HOOKS, {"source": "grafana", "options": {"a": {}, "b": [[]]}}, {"options.a", "options.b"}),
        (PROJECTS, {"name": " "}, {"name"}),
        (PROJECTS, {"name": "x" * 201}, {"name"}),
        (PROJECTS, {}, {"name"}),
    ],
)
def test_bad_bodies(call: Call, path: str, body: Any, names: set[str]) -> None:
    """What cannot be made is a 400 that names every bad field, and nothing is made."""
    before = ApiKey.select().count(), HookRow.select().count(), Project.select().count()
    response = call("POST", path, json=body)

    assert response.status_code == 400
    assert fields(response) == names
    assert (ApiKey.select().count(), HookRow.select().count(), Project.select().count()) == before


def test_hooks(call: Call) -> None:
    """A hook is made with all that its vendor needs, works, is rotated with overlap, and ends."""
    made = call(
        "POST", HOOKS, json={"source": "generic", "name": "forms", "options": {"map": {"text": "words"}}}
    )
    hook = made.json

    def deliver(secret: str) -> int:
        auth.forget()
        headers = {"Authorization": f"Bearer {secret}"}
        return call("POST", hook["path"], json={"words": f"{secret} {now_ms()}"}, headers=headers).status_code

    rotated = call("POST", f"{HOOKS}/{hook['hook_id']}/rotate").json
    listed = call("GET", HOOKS)
    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    assert hook["url"].endswith(hook["path"])
    assert hook["advice"]
    assert [deliver(secret) for secret in (hook["secret"], rotated["secret"], "wrong")] == [200, 200, 401]
    assert [(row["name"], row["live_secrets"]) for row in listed.json["data"]] == [("forms", 2)]
    assert not any(secret in listed.text for secret in (hook["secret"], rotated["secret"]))
    assert call("DELETE", f"{HOOKS}/{hook['hook_id']}").status_code == 204
    assert deliver(rotated["secret"]) == 401
    assert call("DELETE", f"{HOOKS}/{hook['hook_id']}").status_code == 404
    assert call("GET", HOOKS).json["data"] == []
    assert [action for action, _ in acts(call)[:3]] == ["hook.deleted", "hook.rotated", "hook.created"]


def test_projects(call: Call, tenant: Tenant) -> None:
    """A project is made, listed after the default one, shown and given another name."""
    made = call("POST", PROJECTS, json={"name": " Shop "})
    path = f"{PROJECTS}/{made.json['project_id']}"
    call("POST", "/gateway/v1/feedback", json={"text": "hallo", "project_id": made.json["project_id"]})
    renamed = call("PATCH", path, json={"name": "Store"}).json
    same = call("PATCH", path, json={"name": "Store"}).json
    default, second = call("GET", PROJECTS).json["data"]

    assert (made.status_code, made.json["name"], made.json["last_received_at"]) == (201, "Shop", None)
    assert (default["project_id"], default["default"], second["default"]) == (tenant.project_id, True, False)
    assert call("GET", path).json == same == renamed == second
    assert (renamed["name"], renamed["last_received_at"] is not None) == ("Store", True)
    assert acts(call)[:2] == [(f"project.{word}", made.json["project_id"]) for word in ("changed", "created")]


def test_lists_are_paged(call: Call) -> None:
    """Every list is walked with its cursors, each row once."""
    for number in range(4):
        call("POST", KEYS, json={"name": f"{number}"})
        call("POST", HOOKS, json={"source": "github", "name": f"{number}"})
        call("POST", PROJECTS, json={"name": f"{number}"})
    for path, name in ((KEYS, "key_id"), (HOOKS, "hook_id"), (PROJECTS, "project_id"), (AUDIT, "id")):
        whole = [row[name] for row in call("GET", path).json["data"]]
        walked, cursor = [], ""
        while cursor is not None:
            more = f"&cursor={cursor}" if cursor else ""
            page = call("GET", f"{path}?limit=2{more}").json
            walked += [row[name] for row in page["data"]]
            cursor = page["next_cursor"]
        assert walked == whole, path
        assert len(set(whole)) >= 4
        bad = call("GET", f"{path}?limit=0&page=2")
        assert (bad.status_code, fields(bad)) == (400, {"limit", "page"})


def test_an_admin_of_one_project(call: Call, tenant: Tenant, new_key: Callable[..., str]) -> None:
    """Administers that project only: what it makes belongs there, and of the others it knows nothing."""
    second = bootstrap.create_project(tenant.workspace_id, "Second", now_ms())
    headers = {"Authorization": f"Bearer {new_key(second, scopes=['admin'])}"}
    outside = call("POST", HOOKS, json={"source": "github"}).json["hook_id"]
    key = call("GET", KEYS).json["data"][0]["key_id"]

    def ask(method: str, path: str, body: Any = None) -> Any:
        return call(method, path, json=body, headers=headers)

    assert ask("POST", KEYS, {}).json["project_id"] == second
    assert ask("POST", HOOKS, {"source": "github"}).json["project_id"] == second
    assert fields(ask("POST", KEYS, {"project_id": tenant.project_id})) == {"project_id"}
    assert {row["project_id"] for path in (KEYS, HOOKS) for row in ask("GET", path).json["data"]} == {second}
    assert [row["project_id"] for row in ask("GET", PROJECTS).json["data"]] == [second]
    refused = [
        ask("POST", f"{KEYS}/{key}/revoke"),
        ask("POST", f"{KEYS}/{key}/rotate"),
        ask("POST", f"{HOOKS}/{outside}/rotate"),
        ask("DELETE", f"{HOOKS}/{outside}"),
        ask("GET", f"{PROJECTS}/{tenant.project_id}"),
        ask("PATCH", f"{PROJECTS}/{tenant.project_id}", {"name": "n"}),
    ]
    assert [response.status_code for response in refused] == [404] * 6
    assert [ask("POST", PROJECTS, {"name": "n"}).status_code, ask("GET", AUDIT).status_code] == [403, 403]


def test_options_of_a_hook(call: Call) -> None:
    """Options are set, kept and taken away one by one; what is no option changes nothing."""
    hook = call("POST", HOOKS, json={"source": "grafana", "options": {"signature_header": "X-Mine"}}).json
    path = f"{HOOKS}/{hook['hook_id']}"
    added = call("PATCH", path, json={"options": {"ignore_alertnames": "One, Two"}})
    bad = call("PATCH", path, json={"options": {"signature_header": None, "colour": None}})
    gone = call("PATCH", path, json={"options": {"signature_header": None}})

    assert (added.status_code, bad.status_code, gone.status_code) == (200, 400, 200)
    assert added.json["options"] == {"signature_header": "X-Mine", "ignore_alertnames": ["One", "Two"]}
    assert {fault["field"] for fault in bad.json["errors"]} == {"options.colour"}
    assert gone.json["options"] == {"ignore_alertnames": ["One", "Two"]}
    assert call("GET", HOOKS).json["data"] == [gone.json]
    assert "hook.changed" in {row["action"] for row in call("GET", AUDIT).json["data"]}


@pytest.fixture(name="held")
def _held(call: Call) -> str:
    """A delivery in quarantine that its hook's map reads by now."""
    hook = call("POST", HOOKS, json={"source": "generic", "options": {"map": {"text": "comment"}}}).json
    bearer = {"Authorization": f"Bearer {hook['secret']}"}
    call("POST", hook["path"], json={"words": "The chart is upside down"}, headers=bearer)
    (row,) = call("GET", QUARANTINE).json["data"]
    return str(row["id"])


def test_quarantine(call: Call, held: str) -> None:
    """What is held is shown raw with what it would become, replayed when it can be read, and then once."""
    path = f"{QUARANTINE}/{held}"
    before, unread = call("GET", path).json, call("POST", f"{path}/replay").json
    hook = call("GET", HOOKS).json["data"][0]["hook_id"]
    changed = call("PATCH", f"{HOOKS}/{hook}", json={"options": {"map": {"text": "words"}}})
    assert changed.status_code == 200
    readable = call("GET", path).json
    done, again = (call("POST", f"{path}/replay").json for _ in range(2))
    record = call("GET", f"/gateway/v1/feedback/{done['feedback_ids'][0]}").json

    assert (before["preview"]["records"], "text" in before["preview"]["unreadable"]) == ([], True)
    assert json.loads(before["payload"]) == {"words": "The chart is upside down"}
    assert (unread["replayed"], "text" in unread["reason"], unread["feedback_ids"]) == (False, True, [])
    assert readable["preview"]["records"][0]["text"] == record["text"] == "The chart is upside down"
    assert done == again
    assert (done["replayed"], done["reason"]) == (True, None)
    assert call("GET", path).json["replayed_at"] is not None
    assert call("GET", QUARANTINE).json["data"] == []
    assert Feedback.select().count() == 1


def test_replays_at_once_store_once(app: Flask, tenant: Tenant, call: Call, held: str) -> None:
    """Of eight replays at once all name the one record."""
    HookRow.update(options={"map": {"text": "words"}}).execute()

    def replay(number: int) -> Any:
        return app.test_client().post(f"{QUARANTINE}/{held}/replay", headers=tenant.headers).json

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(replay, range(8)))

    assert len({json.dumps(answer) for answer in answers}) == 1
    assert Feedback.select().count() == 1


AREAS = [
    {"name": "export", "points": 3, "pages": ["/Export"], "names": ["Exporter"], "phrases": ["CSV-bestand"]}
]


@pytest.mark.parametrize(
    ("sent", "points"),
    [
        ({"subject": {"page": "/export/today"}}, 3),
        ({"subject": {"page": "/nl/export"}}, 3),
        ({"subject": {"page": "/exports"}}, 0),
        ({"subject": {"product": "exporter"}}, 3),
        ({"tags": ["component:exporter"]}, 3),
        ({"text": "Het csv-bestand is leeg"}, 2),
        ({"text": "The password page"}, 2),
        ({"subject": {"page": "/login"}}, 3),
        ({"subject": {"page": "/invoices", "product": "exporter"}}, 3),
        ({"subject": {"page": "/billing"}, "text": "Het csv-bestand is leeg"}, 2),
    ],
)
def test_areas(call: Call, tenant: Tenant, sent: dict[str, Any], points: int) -> None:
    """A project's own areas stand beside the usual ones, by page, product, tag and words."""
    path = f"{PROJECTS}/{tenant.project_id}"
    changed = call("PATCH", path, json={"areas": AREAS})
    auth.forget()
    stored = call("POST", "/gateway/v1/feedback", json={"text": "words", **sent}).json
    batch = call("POST", "/gateway/v1/feedback/batch", json=[{"text": "words", **sent}]).json["data"][0]
    again = call("GET", f"/gateway/v1/feedback/{batch['id']}").json

    assert changed.json["areas"] == AREAS
    for record in (stored, again):
        assert {reason["part"]: reason["points"] for reason in record["impact_reasons"]}["area"] == points


def test_areas_are_of_the_project_a_record_lands_in(call: Call, tenant: Tenant) -> None:
    """A named project's areas count, and null has everything as it comes."""
    other = call("POST", PROJECTS, json={"name": "other"}).json["project_id"]
    call("PATCH", f"{PROJECTS}/{other}", json={"areas": AREAS, "usual_areas_off": ["login"]})

    def points(project: str | None) -> int:
        auth.forget()
        sent = {"text": "words", "subject": {"page": "/login"}, "project_id": project}
        reasons = call("POST", "/gateway/v1/feedback", json=sent).json["impact_reasons"]
        return {reason["part"]: reason["points"] for reason in reasons}["area"]

    assert [points(name) for name in (other, None, tenant.project_id, "prj_foreign")] == [0, 3, 3, 3]
    assert call("PATCH", f"{PROJECTS}/{other}", json={"areas": None}).json["areas"] is None
    assert points(other) == 3


@pytest.mark.parametrize("name", [area.name for area in DEFAULT_AREAS])
@pytest.mark.parametrize("off", [True, False])
def test_a_usual_area_can_be_off(call: Call, tenant: Tenant, name: str, off: bool) -> None:
    """What is switched off weighs no more, by tag, page, words or harm; all others do as before."""
    path = f"{PROJECTS}/{tenant.project_id}"
    changed = call("PATCH", path, json={"usual_areas_off": [name]} if off else {"areas": []}).json
    auth.forget()
    found = set()
    for area in DEFAULT_AREAS:
        tags = [f"component:{tag}" for tag in area.names]
        sent = call("POST", "/gateway/v1/feedback", json={"text": "words", "tags": tags}).json
        pages = [{"text": "x", "subject": {"page": page}} for page in area.prefixes[:1]]
        for record in (sent, *(call("POST", "/gateway/v1/feedback", json=page).json for page in pages)):
            (why,) = [one["why"] for one in record["impact_reasons"] if one["part"] == "area"]
            if why.startswith(f"{area.name}: "):
                found.add(area.name)
    text = {"text": "All my data is lost, I cannot log in and I cannot pay"}
    harm = call("POST", "/gateway/v1/feedback", json=text).json["impact_reasons"][3]["why"]

    assert [one["name"] for one in changed["usual_areas"] if not one["on"]] == [name] * off
    assert changed["usual_areas_off"] == [name] * off
    assert found == {area.name for area in DEFAULT_AREAS if not (off and area.name == name)}
    assert not (off and harm.startswith(f"{name}: "))


def test_areas_of_a_workspace_have_a_bound(call: Call, tenant: Tenant) -> None:
    """They cost who is read beside their records, too; so it is one for all projects together."""
    marks = ["word " * 39 + str(number) for number in range(50)]
    areas = [{"name": "a", "points": 1, "phrases": marks}]
    other = call("POST", PROJECTS, json={"name": "Shop"}).json["project_id"]
    first = call("PATCH", f"{PROJECTS}/{tenant.project_id}", json={"areas": areas})
    second = call("PATCH", f"{PROJECTS}/{other}", json={"areas": areas})

    assert first.status_code == 200
    assert second.status_code == 400
    assert [fault["field"] for fault in second.json["errors"]] == ["areas"]
    assert call("PATCH", f"{PROJECTS}/{tenant.project_id}", json={"areas": areas[:0]}).status_code == 200
    assert call("PATCH", f"{PROJECTS}/{other}", json={"areas": areas}).status_code == 200


def test_options_have_a_bound(call: Call) -> None:
    """Every delivery is read by them."""
    words = ["alert " * 9 + str(number) for number in range(900)]
    sent = {"source": "alertmanager", "options": {"ignore_alertnames": words}}
    answer = call("POST", "/gateway/v1/hooks", json=sent)

    assert answer.status_code == 400
    assert [fault["field"] for fault in answer.json["errors"]] == ["options"]


def test_what_is_remembered_of_keys_has_a_bound(
    call: Call, tenant: Tenant, new_key: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many keys and hooks somebody uses, those met last are remembered, and areas once for all."""
    call("PATCH", f"{PROJECTS}/{tenant.project_id}", json={"areas": AREAS})
    monkeypatch.setattr(auth, "KNOWN", 3)
    auth.forget()
    for number in range(5):
        hook = call("POST", "/gateway/v1/hooks", json={"source": "alertmanager"}).json
        bearer = {"Authorization": f"Bearer {hook['secret']}"}
        assert call("POST", hook["path"], json={}, headers=bearer).status_code == 200
        key = {"Authorization": f"Bearer {new_key()}"}
        assert (
            call("POST", "/gateway/v1/feedback", json={"text": str(number)}, headers=key).status_code == 201
        )

    assert [len(known) for known in (auth._known, auth._hooks)] == [3, 3]
    callers = [caller for _, _, caller in auth._known.values()]
    assert len({id(caller.rules[tenant.project_id]) for caller in callers}) == 1


@pytest.mark.parametrize(
    ("areas", "field"),
    [
        ("all", "areas"),
        ([1], "areas.0"),
        ([{"name": "a"}], "areas.0.points"),
        ([{"name": "a", "points": 4}], "areas.0.points"),
        ([{"name": "a", "points": 1, "pages": ["x"]}], "areas.0.pages.0"),
        ([{"name": "a", "points": 1, "words": "(a+)+"}], "areas.0.words"),
        ([{"name": "a", "points": 1}] * 51, "areas"),
    ],
)
def test_bad_areas(call: Call, tenant: Tenant, areas: Any, field: str) -> None:
    """What is wrong is named, and nothing is changed."""
    refused = call("PATCH", f"{PROJECTS}/{tenant.project_id}", json={"areas": areas})
    assert refused.status_code == 400
    assert [error["field"] for error in refused.json["errors"]] == [field]


def test_bad_names_of_usual_areas(call: Call, tenant: Tenant) -> None:
    """A name that is of no usual area is refused, and says which there are."""
    path = f"{PROJECTS}/{tenant.project_id}"
    for sent, field in (
        (["logins"], "usual_areas_off.0"),
        ("login", "usual_areas_off"),
        (None, "usual_areas_off"),
    ):
        (fault,) = call("PATCH", path, json={"usual_areas_off": sent}).json["errors"]
        assert fault["field"] == field
    assert "'data loss'" in call("PATCH", path, json={"usual_areas_off": ["x"]}).json["errors"][0]["message"]


@pytest.mark.parametrize("value", [0, -1, 1.5, 36_501, "30", True, [], 1e300])
@pytest.mark.parametrize("name", ["retention_days", "payload_retention_days"])
def test_bad_days(call: Call, tenant: Tenant, name: str, value: Any) -> None:
    """What is no number of days is refused by name, and nothing is changed."""
    refused = call("PATCH", f"{PROJECTS}/{tenant.project_id}", json={name: value})

    assert refused.status_code == 400
    assert [error["field"] for error in refused.json["errors"]] == [name]
    assert call("GET", f"{PROJECTS}/{tenant.project_id}").json[name] is None


@pytest.mark.parametrize("value", ["acme/shop", "acme/.github", "https://git.example.com/acme/shop", None])
def test_repository(call: Call, tenant: Tenant, value: str | None) -> None:
    """A project's repository is owner/name, or the address of one elsewhere."""
    path = f"{PROJECTS}/{tenant.project_id}"
    assert call("PATCH", path, json={"repository": value}).json["repository"] == value
    assert call("GET", path).json["repository"] == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        "acme",
        "acme/shop/x",
        "acme/..",
        "javascript:a/b",
        "https://x/a/b?c",
        "a/b\n",
        "ä/b",
        "a/" + "b" * 200,
    ],
)
def test_bad_repository(call: Call, tenant: Tenant, value: str) -> None:
    """Anything else is refused by name."""
    refused = call("PATCH", f"{PROJECTS}/{tenant.project_id}", json={"repository": value})
    assert (refused.status_code, [error["field"] for error in refused.json["errors"]]) == (
        400,
        ["repository"],
    )
