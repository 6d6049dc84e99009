"""Every option of every command does what is documented, and those that the documents name are there."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

import adapters
from gateway.access import hooks
from gateway.access.users import create_user
from gateway.background.lease import Work, run_once
from gateway.cli import main
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.intake import auth
from gateway.runs import worker
from models import ApiKey, Dedupe, Feedback, HookRow, Invite, Project, Run, SavedView
from models.database.base import close, database
from models.tables import run as tables
from tests.access.test_hooks import FIXTURES, body_of
from tests.conftest import ROOT, Tenant, run_command, until
from tests.signing import VENDORS, hex_hmac

WORDS = b'{"text": "The map is upside down"}'
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
# What `--option NAME=` of a hook is named in which source's page: all of them are used below.
OPTIONS = {
    (page.stem, name)
    for page in (ROOT / "docs/dialects").glob("*.md")
    for name in re.findall(r"--option (\w+)=", page.read_text())
}
# Options of other people's programs in our documents.
FOREIGN = {
    *("property", "pty", "setenv", "now", "build", "detach", "rm", "from-literal", "upgrade"),
    *("retry", "retry-all-errors", "fail-with-body", "data-binary", "data-raw"),
    *(
        "annotate",
        "version",
        "tag",
        "message",
        "format",
        "file",
        "no-owner",
        "exit-on-error",
        "dbname",
        "cycles",
        "rows",
        "explain",
    ),
}

MINUTES = {"--adjust", "--refit", "--jobs"}  # what they ask for is tested where it is done, not by command


def leaves(group: click.Group, before: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command by the words that call it."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, (*before, name))
        else:
            yield " ".join((*before, name)), command


def options_of(command: click.Command) -> set[str]:
    return {
        name
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--")
    } | {"--help"}


COMMANDS = dict(leaves(main))


class Site:
    """A gateway's database, its commands and a client of its routes."""

    def __init__(self, client: FlaskClient, tenant: Tenant) -> None:
        self.client, self.tenant = client, tenant

    def run(self, *words: str) -> Any:
        """What a command says with --json."""
        done = CliRunner().invoke(main, [*words, "--json"])
        assert done.exit_code == 0, (words, done.output)
        return json.loads(done.stdout)

    def post(self, path: str, body: bytes = WORDS, **headers: str) -> Any:
        auth.forget()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, data=body, headers=named)

    def with_key(self, key: str, method: str = "POST") -> Any:
        auth.forget()
        headers = {"Authorization": f"Bearer {key}"}
        return self.client.open("/gateway/v1/feedback", method=method, data=WORDS, headers=headers)


@pytest.fixture(name="site")
def _site(
    client: FlaskClient, tenant: Tenant, config: Config, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    for name in ("database_url", "data_dir", "failure_limit"):
        monkeypatch.setenv(f"GATEWAY_{name.upper()}", getattr(config, name))
    yield Site(client, tenant)
    close()


USED: dict[str, set[str]] = {}
Example = Callable[[Site, Path], None]
EXAMPLES: list[Example] = []


def uses(command: str, *options: str) -> Callable[[Example], Example]:
    """Says which options of a command an example is about."""

    def noted(example: Example) -> Example:
        USED.setdefault(command, set()).update(options)
        if example not in EXAMPLES:
            EXAMPLES.append(example)
        return example

    return noted


# A delivery of each source that may be unsigned and has a shape of its own.
FIRST = {"sentry": "legacy", "statuspage": "investigating", "watchdog": "resolved_by_alertmanager"}


@uses("hook create", "--unsigned", "--map")
def unsigned(site: Site, folder: Path) -> None:
    """The address is enough, with whatever headers the sender has; the advice asks for no secret."""
    path = folder / "map.json"
    path.write_text('{"text": "text"}')
    for source, adapter in adapters.load().items():
        if adapter.signed is None or not adapter.signed.may_be_unsigned:
            continue
        more = ["--map", str(path)] if source == "generic" else []
        made = site.run("hook", "create", source, "--unsigned", *more)
        body = WORDS
        if case := FIRST.get(source):
            body = body_of(json.loads((FIXTURES / source / f"{case}.json").read_text()))
        before = Feedback.select().count()
        bare = site.post(made["path"], body)
        odd = site.post(made["path"], body, Authorization="Bearer of-the-sender's-own")

        assert (bare.status_code, odd.status_code) == (200, 200), source
        assert Feedback.select().count() > before
        assert made["secret"] is None
        assert made["url"] in made["advice"]
        assert "None" not in made["advice"]
        assert site.post(made["path"].replace("hk_", "hk_0")).status_code == 401


@uses("hook create", "--secret", "--unsigned")
def unsigned_with_a_secret(site: Site, folder: Path) -> None:
    """Who shows a proof at an unsigned hook that has a secret must have it right."""
    made = site.run("hook", "create", "generic", "--unsigned", "--secret", "s3cret-of-the-hook")
    answers = [
        site.post(made["path"]),
        site.post(made["path"], Authorization="Bearer s3cret-of-the-hook"),
        site.post(made["path"], Authorization="Bearer another"),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 401]


@uses("hook create", "--name", "--project", "--rate-limit")
def where_and_how_often(site: Site, folder: Path) -> None:
    """A hook's records land in its project, its name is listed, and its limit is its own."""
    project = site.run("project", "create", "App")["project_id"]
    words = ["--project", project, "--name", "for the app", "--rate-limit", "1/hour"]
    made = site.run("hook", "create", "generic", "--option", 'map={"text": "text"}', *words)
    proof = {"Authorization": f"Bearer {made['secret']}"}
    statuses = [site.post(made["path"], **proof).status_code for _ in range(2)]
    (listed,) = site.run("hook", "list")["hooks"]

    assert statuses == [200, 429]
    assert Feedback.get().project_id == project
    assert (listed["name"], listed["project_id"], listed["rate_limit"]) == ("for the app", project, "1/hour")


@uses("hook create", "--workspace")
@uses("project create", "--workspace")
@uses("project list", "--workspace")
@uses("key create", "--workspace")
@uses("user create", "--workspace")
@uses("init", "--workspace", "--project")
def elsewhere(site: Site, folder: Path) -> None:
    """What is made for another workspace is there, and nowhere else."""
    other = site.run("init", "--workspace", "Other", "--project", "Site")["workspace_id"]
    at = ("--workspace", other)
    hook = site.run("hook", "create", "generic", "--option", 'map={"text": "text"}', *at)
    key = site.run("key", "create", *at)
    project = site.run("project", "create", "App", *at)
    site.run("user", "create", "ada@example.test", *at)
    site.post(hook["path"], Authorization=f"Bearer {hook['secret']}")
    site.with_key(key["key"])
    listed = site.run("project", "list", *at)["projects"]

    assert {row.workspace_id for row in Feedback.select()} == {other}
    assert (key["workspace_id"], project["workspace_id"]) == (other, other)
    assert [row["name"] for row in listed] == ["Site", "App"]
    assert {row.workspace_id for row in Invite.select()} == {other}


@uses("workspace callback-secret", "--workspace", "--rotate")
def secret_of_callbacks(site: Site, folder: Path) -> None:
    """The secret is printed when it is made, and made anew when that is asked for, in the workspace meant."""
    other = site.run("init", "--workspace", "Other")["workspace_id"]
    words = ("workspace", "callback-secret")
    made = [site.run(*words, *more) for more in ((), (), ("--rotate",), ("--workspace", other))]
    first, again, rotated, theirs = (one["secret"] for one in made)

    assert again is None and len({first, rotated, theirs}) == 3
    assert all(secret.startswith("whsec_") for secret in (first, rotated, theirs))
    assert made[2]["older_until"] and made[3]["workspace_id"] == other


@uses("project areas", "--off", "--on")
def usual_areas_of_a_project(site: Site, folder: Path) -> None:
    """Usual areas are switched off by their names, and on again."""
    project = site.tenant.project_id
    names = ["--off", "login", "--off", "data loss"]
    assert site.run("project", "areas", project, *names)["usual_areas_off"] == ["login", "data loss"]
    assert site.run("project", "areas", project, "--on", "login")["usual_areas_off"] == ["data loss"]
    shown = site.run("project", "areas", project)
    assert [one["name"] for one in shown["usual_areas"] if not one["on"]] == ["data loss"]


@uses("project unlearn", "--lesson")
def a_lesson_taken_back(site: Site, folder: Path) -> None:
    """One lesson is not learnt any more, then none is; a record that nobody corrected is no lesson."""
    hook = site.run("hook", "create", "generic", "--option", 'map={"text": "text"}')
    for body in (WORDS, b'{"text": "The reed is lovely"}'):
        site.post(hook["path"], body, Authorization=f"Bearer {hook['secret']}")
    one, other = Feedback.select().order_by(Feedback.id)
    Feedback.update(category="bug", category_origin="corrected").execute()
    counts = [site.run("project", "learning", one.project_id)["corrections"]]
    for words in (["--lesson", one.id], []):
        counts.append(site.run("project", "unlearn", one.project_id, *words)["corrections"])
    Feedback.update(category_origin="predicted").where(Feedback.id == other.id).execute()

    assert counts == [2, 1, 0]
    with pytest.raises(AssertionError):
        site.run("project", "unlearn", one.project_id, "--lesson", other.id)


@uses("run start", "--input", "--project", "--workspace", "--wait")
@uses("run list", "--workspace", "--status", "--limit")
@uses("workspace change", "--workspace", "--runs-a-month")
def runs_of_techniques(site: Site, folder: Path) -> None:
    """A run is started, listed, shown and cancelled; one that is waited for is told when it has ended."""
    project, workspace = site.tenant.project_id, site.tenant.workspace_id
    start = ["run", "start", "export-feedback", "--input", "filter=category=bug"]
    made = site.run(*start, "--project", project)
    assert (made["status"], made["project_id"], made["created_by"]) == ("pending", project, "command line")
    more = site.run(*start, "--workspace", workspace)["run_id"]
    assert site.run("run", "cancel", more) == {"run_id": more, "status": "failed"}
    (failed,) = site.run("run", "list", "--status", "failed", "--workspace", workspace)["runs"]
    assert (failed["run_id"], failed["error_code"]) == (more, "cancelled")
    assert [one["run_id"] for one in site.run("run", "list", "--limit", "1")["runs"]] == [more]

    host = threading.Thread(target=_done_by_a_worker)
    host.start()
    waited = site.run(*start, "--wait")
    host.join()
    assert waited["status"] == "completed"
    (output,) = waited["outputs"]
    assert "/files/asset_" in output["url"]
    alone = run_command(dict(os.environ), "run", "list", "--limit", "1")["runs"]  # by a process of its own
    assert alone[0]["outputs"][0]["url"].partition("?")[0] == output["url"].partition("?")[0]
    assert site.run("run", "show", made["run_id"])["status"] == "completed"
    assert "export-feedback" in [one["slug"] for one in site.run("technique", "list")["techniques"]]

    budget = ["workspace", "change", "--workspace", workspace, "--runs-a-month"]
    assert site.run(*budget, "3")["runs_a_month"] == 3
    for refused in (
        start,
        ["run", "start", "none"],
        ["run", "start", "export-feedback"],
        [*start, "--input", "filter=twice"],
        [*start, "--input", "color=red"],
        [*start, "--input", "fields=shoe"],
        ["run", "show", "run_none"],
        ["run", "show", more],
        ["run", "cancel", more],
        [*budget, "some"],
    ):
        done = CliRunner().invoke(main, refused)
        assert done.exit_code and "Traceback" not in done.output, refused
    assert site.run(*budget, "any")["runs_a_month"] is None


def _done_by_a_worker() -> None:
    """Does the runs that there are once somebody waits for a third."""
    until(lambda: Run.select().count() == 3)
    run_once(Work(tables.WORKS[0], worker.do_runs))
    database.close()


@uses("alerts list", "--project", "--workspace")
@uses("alerts mute", "--until", "--more", "--project", "--workspace")
@uses("alerts unmute", "--project", "--workspace")
def groups_of_alerts(site: Site, folder: Path) -> None:
    """What is on fire is listed; a group is muted for a while or until more have come, once, and unmuted."""
    key = site.run("key", "create")["key"]
    body = b'{"text": "It is full", "title": "Disk of web-1", "type": "alert", "severity": 4}'
    site.post("/gateway/v1/feedback", body, Authorization=f"Bearer {key}")
    place, group = ("--project", site.tenant.project_id), "native:Disk of *"
    here = ("--workspace", site.tenant.workspace_id)
    (one,) = site.run("alerts", "list", *place)["groups"]
    assert (one["group"], one["firing"], one["severity"], one["muted"]) == (group, 1, 4, None)
    lasting = site.run("alerts", "mute", group, "--until", "4h", *place)
    assert lasting["until"] > lasting["at"] and lasting["project_id"] == site.tenant.project_id
    counting = site.run("alerts", "mute", group, "--more", "20", *here)
    assert (counting["more"], counting["project_id"]) == (20, None)
    dated = site.run("alerts", "mute", group, "--until", _in_days(5), *here)
    assert dated["until"]
    assert site.run("alerts", "list", *here)["groups"][0]["muted"]["ended_at"] is None
    run = CliRunner().invoke
    for refused in (
        ["mute", group],
        ["mute", group, "--until", "soon"],
        ["mute", group, "--until", "2020-01-01T00:00:00Z"],
        ["mute", "native:nothing", "--more", "1"],
    ):
        done = run(main, ["alerts", *refused])
        assert done.exit_code and "Traceback" not in done.output, refused
    assert site.run("alerts", "unmute", group, *place)["ended_at"]
    assert site.run("alerts", "unmute", group, *here)["came"] == 0
    assert run(main, ["alerts", "unmute", group]).exit_code == 1
    assert "severity 4  1 firing" in run(main, ["alerts", "list"]).output


def _in_days(days: int) -> str:
    """A time to come."""
    return datetime.fromtimestamp(now_ms() / 1000 + days * 86_400, UTC).isoformat()


@uses("snooze", "--until", "--only-time")
@uses("view list", "--workspace")
@uses("view create", "--position", "--workspace")
@uses("view share", "--position")
def work_of_people(site: Site, folder: Path) -> None:
    """Records are given to people and put aside, views shared; what cannot be is told in a line."""
    workspace, run = site.tenant.workspace_id, CliRunner().invoke
    user_id = create_user(workspace, "team@example.test", "Ada", "triager")
    site.post("/api/feedback", b'{"sentiment": "sad", "message": "m"}', **site.tenant.headers)
    record = Feedback.get().id
    assert site.run("assign", "team@example.test", record)["data"][0]["assignee"] == user_id
    asleep = site.run("snooze", record, "--until", "3d", "--only-time")["data"][0]
    assert asleep["wakes_on_delivery"] is False and asleep["snoozed_until"]
    assert site.run("snooze", record)["data"][0]["snoozed_until"] is None
    assert site.run("wake", record)["data"][0]["wakes_on_delivery"] is None
    assert site.run("assign", "none", record)["data"][0]["assignee"] is None

    bugs = site.run("view", "create", "Bugs", "category=bug", "--position", "4", "--workspace", workspace)
    assert (bugs["position"], bugs["shared"], bugs["owner"]) == (4, True, None)
    own = SavedView.create(id="view_own", user=user_id, name="Own", query="q=own", created_at=1)
    moved = site.run("view", "share", own.id, "--position", "0")
    assert (moved["owner"], moved["position"]) == (user_id, 0)
    assert site.run("view", "list", "--workspace", workspace) == {"views": [moved, bugs]}
    for refused in (
        ["assign", "stranger@example.test", record],
        ["assign", "team@example.test", "fb_none"],
        ["snooze", record, "--until", "yesterday"],
        ["snooze", record, "--only-time"],
        ["view", "create", " ", "q=x"],
        ["view", "create", "x", "color=red"],
        ["view", "share", "view_none"],
        ["view", "delete", "view_none"],
    ):
        done = run(main, refused)
        assert done.exit_code and "Traceback" not in done.output, refused
    assert site.run("view", "delete", bugs["view_id"]) == {"view_id": bugs["view_id"], "deleted": True}


@uses("topic create", "--description")
@uses("topic change", "--name", "--description")
def topics_of_a_project(site: Site, folder: Path) -> None:
    """Topics are made, described, renamed, merged and deleted; what cannot be is told in a line."""
    project, run = site.tenant.project_id, CliRunner().invoke
    bills = site.run("topic", "create", project, "Bills", "--description", "What is due")
    dues = site.run("topic", "create", project, "Dues")
    assert (bills["name"], bills["description"], dues["description"]) == ("Bills", "What is due", "")
    words = ["--name", "Invoices", "--description", "VAT"]
    changed = site.run("topic", "change", bills["topic_id"], *words)
    assert changed == {**bills, "name": "Invoices", "description": "VAT"}
    site.post("/api/feedback", b'{"sentiment": "sad", "message": "m"}', **site.tenant.headers)
    Feedback.update(topic=dues["topic_id"], topic_origin="corrected").execute()
    for refused in (
        ["create", project, "invoices"],
        ["create", project, " "],
        ["create", "prj_none", "Name"],
        ["change", bills["topic_id"], "--name", "dues"],
        ["change", bills["topic_id"]],
        ["merge", bills["topic_id"], bills["topic_id"]],
        ["delete", "top_none"],
    ):
        done = run(main, ["topic", *refused])
        assert done.exit_code and "Traceback" not in done.output, refused
    both = (dues["topic_id"], bills["topic_id"])
    assert site.run("topic", "merge", *both) == {**changed, "examples": 1}
    assert Feedback.get().topic == bills["topic_id"]
    assert site.run("topic", "list", project) == {"topics": [{**changed, "examples": 1}]}
    assert site.run("topic", "delete", bills["topic_id"]) == {"topic_id": bills["topic_id"], "deleted": True}
    assert (Feedback.get().topic, site.run("topic", "list", project)) == (None, {"topics": []})


@uses("hook rotate", "--secret")
def a_given_secret(site: Site, folder: Path) -> None:
    """What the vendor will sign with is taken beside what it signs with now."""
    made = site.run("hook", "create", "github")
    site.run("hook", "rotate", made["hook_id"], "--secret", "the vendor's own")
    body = b'{"zen": "Design for failure."}'
    signed = [
        site.post(made["path"], body, X_Hub_Signature_256=f"sha256={hex_hmac(secret, body)}")
        for secret in (made["secret"], "the vendor's own", "another")
    ]

    assert [answer.status_code for answer in signed] == [200, 200, 401]


@uses("key create", "--project", "--name", "--scope", "--rate-limit", "--expires")
def a_key(site: Site, folder: Path) -> None:
    """A key does what its scopes say, in its project, so often and so long."""
    project = site.run("project", "create", "App")["project_id"]
    words = ["--project", project, "--name", "backend", "--rate-limit", "1/hour", "--expires", "7"]
    made = site.run("key", "create", "--scope", "ingest", "--scope", "triage", *words)
    statuses = [site.with_key(made["key"]).status_code for _ in range(2)]
    row = ApiKey.get(ApiKey.id == made["key_id"])

    assert statuses == [201, 429]
    assert site.with_key(made["key"], "GET").status_code == 403
    assert Feedback.get().project_id == project
    assert (row.name, row.scopes) == ("backend", ["ingest", "triage"])
    assert abs(row.expires_at - now_ms() - 7 * 24 * 3600 * 1000) < 3600 * 1000


@uses("key rotate", "--overlap")
def an_overlap(site: Site, folder: Path) -> None:
    """With an overlap of no hours the old key ends at once; by default both are good."""
    made = site.run("key", "create")
    kept = site.run("key", "rotate", made["key_id"])
    both = [site.with_key(key["key"]).status_code for key in (made, kept)]
    new = site.run("key", "rotate", kept["key_id"], "--overlap", "0")

    assert both == [201, 201]
    assert [site.with_key(key["key"]).status_code for key in (kept, new)] == [401, 201]


@uses("user create", "--role")
def a_role(site: Site, folder: Path) -> None:
    """An invitation is to the role that is named, else to look on."""
    site.run("user", "create", "ada@example.test", "--role", "triager")
    site.run("user", "create", "bob@example.test")

    assert {row.email: row.role for row in Invite.select()} == {
        "ada@example.test": "triager",
        "bob@example.test": "viewer",
    }


@uses("serve", "--bind", "--workers", "--threads")
def a_server(site: Site, folder: Path) -> None:
    """What is said to `serve` wins over the environment."""
    told: list[Config] = []

    def note(overrides: Mapping[str, str]) -> None:
        told.append(Config.from_env({**os.environ, **overrides}))

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATEWAY_WORKERS", "7")
        patch.setattr("gateway.cli.run_server", note)
        words = ["serve", "--bind", "127.0.0.1:8001", "--workers", "3", "--threads", "5"]
        codes = [CliRunner().invoke(main, some).exit_code for some in (words, ["serve"])]

    assert codes == [0, 0]
    assert [(one.bind, one.workers, one.threads) for one in told] == [
        ("127.0.0.1:8001", 3, 5),
        ("127.0.0.1:8000", 7, 16),
    ]


@uses("hook create", "--option")
def proofs_by_option(site: Site, folder: Path) -> None:
    """Where a page says what the tool proves itself by with an option, it does, and by nothing else."""
    chosen = ["--option", "signature_header=X-Signature", "--option", "signature_prefix=sha256="]
    hook = site.run("hook", "create", "generic", *chosen)
    code = hex_hmac(hook["secret"], WORDS)
    answers = [site.post(hook["path"], X_Signature=given) for given in (f"sha256={code}", code)]
    answers.append(site.post(hook["path"], Authorization=f"Bearer {hook['secret']}"))
    assert [answer.status_code for answer in answers] == [200, 401, 401]

    body = body_of(json.loads(next((FIXTURES / "grafana").glob("*.json")).read_text()))
    hook = site.run("hook", "create", "grafana", "--option", "signature_header=X-My-Signature")
    answers = [
        site.post(hook["path"], body, X_My_Signature=hex_hmac(hook["secret"], body)),
        site.post(hook["path"], body, X_Grafana_Alerting_Signature=hex_hmac(hook["secret"], body)),
    ]
    assert [answer.status_code for answer in answers] == [200, 401]

    hook = site.run("hook", "create", "grafana", "--option", "timestamp_header=X-Grafana-Alerting-Timestamp")
    now = now_ms() // 1000
    answers = [
        site.post(
            hook["path"],
            body,
            X_Grafana_Alerting_Timestamp=str(at),
            X_Grafana_Alerting_Signature=hex_hmac(hook["secret"], b"%d:" % at + body),
        )
        for at in (now, now - 400)
    ]
    assert [answer.status_code for answer in answers] == [200, 401]


@uses("hook change", "--option", "--map")
def changed_options(site: Site, folder: Path) -> None:
    """What is named is set, or taken away as null; what is not named stays."""
    path = folder / "map.json"
    path.write_text('{"text": "text"}')
    hook = site.run("hook", "create", "generic", "--option", "signature_header=X-Mine")
    words = ["--map", str(path), "--option", "signature_header=null"]
    assert site.run("hook", "change", hook["hook_id"], *words)["options"] == {"map": {"text": "text"}}
    assert site.post(hook["path"], Authorization=f"Bearer {hook['secret']}").status_code == 200
    assert Feedback.select().count() == 1


# What is taken or ignored with an option: a delivery that becomes something with it, or without it.
FILTERS = {
    ("alertmanager", "ignore_alertnames"): ("watchdog_ignored", "ignore_alertnames=InfoInhibitor", True),
    ("grafana", "ignore_alertnames"): ("test_ignored", "ignore_alertnames=[]", True),
    ("discord", "ignore_bots"): ("message_command_bot_ignored", "ignore_bots=true", False),
    ("github", "bots"): ("issue_of_an_allowed_bot", "bots=true", True),
    ("sentry", "errors"): ("error_created_on_request", "errors=true", True),
    ("slack", "bots"): ("bot_allowed", "bots=B0RELAY", True),
}
# What proves a delivery, and what is tried elsewhere: tests/adapters, tests/background, tests/intake.
PROOFS = {
    ("watchdog", "silence"),
    ("gitlab", "votes"),
    ("slack", "votes"),
    ("slack", "bot_token"),
    ("discord", "bot_token"),
    ("github", "token"),
    ("gitlab", "token"),
    ("generic", "signature_header"),
    ("generic", "signature_prefix"),
    ("grafana", "signature_header"),
    ("grafana", "timestamp_header"),
}


@uses("hook create", "--option")
def filters_by_option(site: Site, folder: Path) -> None:
    """What a page says is taken, or ignored, with an option is so, and the other way round without it."""
    for (source, _), (case, option, taken) in FILTERS.items():
        found = json.loads((FIXTURES / source / f"{case}.json").read_text())
        body, vendor, counts = body_of(found), VENDORS[source], []
        usual = [word for name, value in vendor.options.items() for word in ("--option", f"{name}={value}")]
        for words in (["--option", option, *usual], usual):
            made = site.run("hook", "create", source, "--secret", vendor.secret, *words)
            before = Feedback.select().count()
            headers = {
                **found["request"].get("headers", {}),
                **vendor.sign(vendor.secret, body, now_ms() // 1000),
            }
            auth.forget()
            assert site.client.post(made["path"], data=body, headers=headers).status_code < 300
            counts.append(Feedback.select().count() - before)
            Feedback.delete().execute()
            Dedupe.delete().execute()

        assert counts == ([1, 0] if taken else [0, 1]), (source, option)


def records(site: Site) -> tuple[str, str, dict[str, str]]:
    """A second project, a second workspace, and the ids of the records in them, one in each place."""
    project = site.run("project", "create", "App")["project_id"]
    other = site.run("init", "--workspace", "Other")
    keys = {
        "First": site.tenant.key,
        "App": site.run("key", "create", "--project", project, "--scope", "ingest")["key"],
        "Other": other["key"],
    }
    ids = {}
    for name, key in keys.items():
        author = {"id": "ada", "email": "ada@example.test"}
        sent = {"text": f"{name} is upside down", "category": "bug", "author": author}
        headers = {"Authorization": f"Bearer {key}"}
        ids[name] = site.client.post("/gateway/v1/feedback", json=sent, headers=headers).json["id"]
    return project, other["workspace_id"], ids


@uses("list", "--sort", "--limit", "--project", "--workspace")
@uses("search", "--sort", "--limit", "--project", "--workspace", "--filter")
def lists(site: Site, folder: Path) -> None:
    """Lists and searches are of the place that is named, in the order and as many as are asked for."""
    project, other, ids = records(site)
    for words in (["list", "category=bug"], ["search", "upside", "--filter", "category=bug"]):
        found = {
            option: [row["id"] for row in site.run(*words, *option.split())["data"]]
            for option in (
                "",
                "--limit 1",
                "--sort received_at",
                f"--project {project}",
                f"--workspace {other}",
            )
        }

        assert [*found.values()] == [
            [ids["App"], ids["First"]],
            [ids["App"]],
            [ids["First"], ids["App"]],
            [ids["App"]],
            [ids["Other"]],
        ]
    assert site.run("search", "upside", "--filter", "category=praise")["data"] == []


@uses("stats", "--by", "--project", "--workspace")
@uses("retention", "--workspace")
@uses("retriage", "--workspace")
@uses("digest", "--workspace")
def numbers(site: Site, folder: Path) -> None:
    """Counts are of the place that is named, and a place that is not there is said to be none."""
    project, other, _ = records(site)
    counts = [
        site.run("stats", "--by", "category", *option)["total"]["count"]
        for option in ([], ["--project", project], ["--workspace", other])
    ]
    Project.update(retention_days=30).execute()
    kept = [row["workspace_id"] for row in site.run("retention", "--workspace", other)["projects"]]

    today = f"{datetime.now(UTC):%Y-%m-%d}"
    told = site.run("digest", "--period", f"{today}..{today}", "--workspace", other)["text"]

    assert (counts, kept) == ([2, 1, 1], [other])
    assert site.run("retriage", "--workspace", other)["read"] == 1
    assert "1 record came in" in told
    for command in ("stats", "retention", "list", "export", "retriage", "digest"):
        done = CliRunner().invoke(main, [command, "--workspace", "ws_none"])
        assert (done.exit_code, done.stdout) == (1, "")
        assert "no workspace ws_none here" in done.stderr
    done = CliRunner().invoke(main, ["project", "list", "--workspace", "ws_none"])
    assert (done.exit_code, done.stdout) == (1, "")


@uses("tail", "--interval", "--count", "--follow-changes", "--project", "--workspace")
def news(site: Site, folder: Path) -> None:
    """What arrives in the place that is named is told, so many records of it."""
    project, *_ = records(site)
    key = site.run("key", "create", "--project", project, "--scope", "ingest")["key"]
    over = threading.Event()

    def post() -> None:
        while not over.wait(0.05):
            site.with_key(key)
            site.with_key(site.tenant.key)

    poster = threading.Thread(target=post)
    poster.start()
    try:
        words = ["tail", "--project", project, "--interval", "0.05", "--count", "2", "--json"]
        done = CliRunner().invoke(main, words)
        followed = CliRunner().invoke(main, [*words, "--follow-changes"])
    finally:
        over.set()
        poster.join()
    assert [json.loads(line)["project_id"] for line in done.stdout.splitlines()] == [project] * 2
    told = [json.loads(line) for line in followed.stdout.splitlines()]
    assert [one["data"]["project_id"] for one in told] == [project] * 2
    assert {one["type"] for one in told} <= {"created", "changed"}
    done = CliRunner().invoke(main, ["tail", "--workspace", "ws_none"])
    assert "no workspace ws_none here" in done.stderr


@uses("export", "--format", "--sort", "--output", "--bom", "--filter")
@uses("export", "--since", "--until", "--project", "--workspace")
@uses("import", "--project", "--workspace")
def files(site: Site, folder: Path) -> None:
    """What is exported is of the place, time and kind that are named, in the form that is asked for."""
    project, other, ids = records(site)
    path = folder / "out.csv"
    past, future = "2020-01-01T00:00:00Z", "2090-01-01T00:00:00Z"
    for option, names in (
        ("--filter category=bug", ["First", "App"]),
        ("--filter category=praise", []),
        (f"--since {past} --until {future}", ["First", "App"]),
        (f"--since {future}", []),
        (f"--until {past}", []),
        (f"--project {project}", ["App"]),
        (f"--workspace {other}", ["Other"]),
        ("--sort=-received_at", ["App", "First"]),
    ):
        done = CliRunner().invoke(main, ["export", "--format", "ndjson", *option.split()])
        assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [ids[n] for n in names], (
            option
        )
    site.run("export", "--output", str(path), "--bom")
    assert path.read_bytes().startswith(b"\xef\xbb\xbfid,")
    site.run("export", "--output", str(folder / "out.md"))
    found = re.findall(r"/records/(fb_\w+)$", (folder / "out.md").read_text(), re.M)
    assert found == [ids["First"], ids["App"]]

    given = folder / "in.ndjson"
    for text, option in (("One", ["--project", project]), ("Two", ["--workspace", other])):
        given.write_text(json.dumps({"text": text}))
        site.run("import", str(given), *option)
    assert Feedback.get(Feedback.text == "One").project_id == project
    assert Feedback.get(Feedback.text == "Two").workspace_id == other


@uses("train", "--workspace", "--corrections", "--out")
def corrections_of_a_workspace(site: Site, folder: Path) -> None:
    """What people overruled elsewhere is not learnt."""
    _, other, ids = records(site)
    corrected = {"category": "praise"}
    path = f"/gateway/v1/feedback/{ids['First']}"
    assert site.client.patch(path, json=corrected, headers=site.tenant.headers).status_code == 200
    words = ["train", "--corrections", "--workspace", other, "--out", str(folder / "model")]
    done = CliRunner().invoke(main, words)

    assert (done.exit_code, "nobody has overruled" in done.stderr) == (1, True)


@uses("erase", "--id", "--email", "--workspace", "--mode", "--dry-run", "--compact", "--no-compact")
@uses("author-export", "--id", "--email", "--workspace")
def authors(site: Site, folder: Path) -> None:
    """An author is found by id or address where it is said, and erased as it is said."""
    _, other, ids = records(site)
    where = ["--workspace", other]
    for who in (["--id", "ada"], ["--email", "ada@example.test"]):
        assert len(site.run("author-export", *who)["records"]) == 2
        assert [row["id"] for row in site.run("author-export", *who, *where)["records"]] == [ids["Other"]]
    before = Feedback.select().count()
    site.run("erase", "--id", "ada", "--dry-run")
    assert Feedback.select().count() == before == 3
    site.run("erase", "--email", "ada@example.test", *where, "--mode", "anonymise", "--compact")
    assert Feedback.get(Feedback.id == ids["Other"]).author_id is None
    site.run("erase", "--id", "ada", "--no-compact")
    assert [row.id for row in Feedback.select()] == [ids["Other"]]


READING = (lists, numbers, news, files, authors, corrections_of_a_workspace)


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(one, id=one.__name__, marks=[pytest.mark.long] if one in READING else [])
        for one in EXAMPLES
    ],
)
def test_examples(site: Site, tmp_path: Path, example: Example) -> None:
    """Each example does what it says."""
    example(site, tmp_path)


def test_each_option_has_an_example() -> None:
    """Whoever adds an option shows what it does: here, or in the tests of its command."""
    tests = [path.read_text() for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
    tests = [text for text in tests if "--" in text]
    missing = []
    for words, command in COMMANDS.items():
        group = words.partition(" ")[0]
        of_group = [text for text in tests if re.search(rf"\b{group}\b", text)]
        for option in options_of(command) - {"--help", "--json"} - USED.get(words, set()) - MINUTES:
            here = group in ("hook", "key", "user", "project", "workspace")
            if here or not any(re.search(rf"{option}(?![\w-])", text) for text in of_group):
                missing.append(f"{words} {option}")
    assert missing == []
    assert set(USED) <= set(COMMANDS)
    assert all(options <= options_of(COMMANDS[words]) for words, options in USED.items())


def test_options_of_hooks() -> None:
    """Each option of a hook that a source's page names is used above."""
    assert set(FILTERS) | PROOFS == OPTIONS


BAD_OPTIONS = [
    *((source, "colour=red", "Unknown option") for source in sorted(hooks.kinds(adapters.load()))),
    *(("sentry", f"errors={value}", "Must be true or false") for value in ("maybe", "1", "[]", "null")),
    *(("discord", f"ignore_bots={value}", "Must be true or false") for value in ("yes", "0")),
    ("github", "bots=all", "Must be true or false"),
    *(("slack", f"bots={value}", "Must") for value in ("", "true", "[1]", "B1,,B2", '{"B1": 1}')),
    *((source, "votes=[1]", "Must") for source in ("gitlab", "slack")),
    *(("alertmanager", f"ignore_alertnames={value}", "Must") for value in ("", "7")),
    *(("grafana", f"{name}={value}", "Must be the name of a header")
      for name in ("signature_header", "timestamp_header") for value in ("", "X Y", "[]", "x:")),
    ("generic", "signature_prefix=[]", "Must be a text"),
    ("generic", 'map={"txt": "a"}', "Unknown field"),
]  # fmt: skip


def test_options_that_mean_nothing_are_refused(site: Site) -> None:
    """No hook is made with an option that its source does not have, or a value that says nothing there."""
    for source, option, why in BAD_OPTIONS:
        secret = VENDORS[source].secret if source in VENDORS else "long enough"
        done = CliRunner().invoke(main, ["hook", "create", source, "--option", option, "--secret", secret])
        assert (done.exit_code, why in done.stderr) == (1, True), (source, option, done.output)
        assert option.partition("=")[0] in done.stderr
    assert HookRow.select().count() == 0


@pytest.mark.parametrize(
    ("source", "secret"),
    [("discord", "a" * 63), ("discord", "g" * 64), ("gitlab", "whsec_no base64!"), ("gitlab", "whsec_"),
     ("github", "seven77"), ("github", " " * 9), ("github", "a" * 4001)],
)  # fmt: skip
def test_secrets_that_prove_nothing_are_refused(site: Site, source: str, secret: str) -> None:
    """A secret with which every delivery would be a 401 makes no hook, from neither side."""
    done = CliRunner().invoke(main, ["hook", "create", source, "--secret", secret])
    sent = {"source": source, "secret": secret}
    answer = site.client.post("/gateway/v1/hooks", json=sent, headers=site.tenant.headers)

    assert (done.exit_code, "--secret: " in done.stderr, answer.status_code) == (1, True, 400)
    assert [error["field"] for error in answer.json["errors"]] == ["secret"]
    assert HookRow.select().count() == 0


ADVICE = [
    ("generic", ["--option", "signature_header=X-A"], "X-A has nothing but", "Bearer"),
    ("grafana", ["--option", "signature_header=X-Mine"], "Header: X-Mine", "Bearer"),
    ("grafana", ["--option", "timestamp_header=X-At"], "Timestamp header: X-At", "Bearer"),
    ("grafana", [], "Bearer", "asks for"),
    ("gitlab", ["--secret", "whsec_AAAAAAAAAAAAAAAAAAAAAAAA"], "Secret token: leave it empty", "whsec_"),
    ("gitlab", [], "whsec_", "leave it empty"),
    ("generic", [], "has no map yet", "X-Mine"),
    ("generic", ["--unsigned"], "has no map yet", "Bearer"),
    ("generic", ["--option", 'map={"text": "text"}'], "Bearer", "no map"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "words", "said", "unsaid"), ADVICE)
def test_steps_are_those_of_the_hook(
    site: Site, source: str, words: list[str], said: str, unsaid: str
) -> None:
    """What is told to paste at the vendor is what this hook takes, and nothing that it refuses."""
    advice = site.run("hook", "create", source, *words)["advice"]

    assert said in advice
    assert unsaid not in advice


def test_documented_options_exist() -> None:
    """Each command line in the documents and in what is told at a vendor's can be typed as it stands."""
    known = set().union(*map(options_of, COMMANDS.values()))
    advice = [adapter.signed.advice for adapter in adapters.load().values() if adapter.signed]
    texts = [(path.name, path.read_text()) for path in DOCUMENTS] + [("advice", text) for text in advice]
    typed = 0
    for name, text in texts:
        for line in re.findall(r"feedback-gateway ((?:[a-z]|--)[^`\n]*)", text.replace("\\\n", " ")):
            words = [word.strip("[].,;:)") for word in re.split(r"\s+", line.partition("#")[0])]
            called = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in COMMANDS), None)
            if called is None:
                continue
            typed += 1
            given = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert given <= options_of(COMMANDS[called]), f"{name}: {line}"
        for option in re.findall(r"(?<![\w-])--([a-z][a-z-]+)", text):
            assert f"--{option}" in known or option in FOREIGN, f"{name}: --{option} is no option of ours"
    assert typed > 30
