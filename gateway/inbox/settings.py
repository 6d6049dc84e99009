"""Settings: keys, quarantine, the audit trail. The others have modules of their own."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import g, redirect, request
from flask.typing import ResponseReturnValue

from adapters.contract import Refused
from gateway.access.api_keys import SCOPES
from gateway.core.ids import now_ms
from gateway.inbox.api_calls import ask
from gateway.inbox.i18n import _
from gateway.inbox.pages import go, hand_over, handed_over, page, show
from gateway.inbox.refusals import faults, refusal
from gateway.inbox.session import base_url
from gateway.inbox.session import settings as of_the_gateway
from models.queries.actor_names import called
from models.tables.feedback import iso
from models.tables.quarantine import waiting

PAGE = 200  # deliveries of a group that are listed
DAY_MS = 86_400_000
# What settings there are, by the least role they are for.
SECTIONS = (
    ("keys", "Keys", "admin"),
    ("hooks", "Hooks", "admin"),
    ("destinations", "Destinations", "admin"),
    ("runs", "Runs", "viewer"),
    ("callbacks", "Callbacks", "admin"),
    ("projects", "Projects", "viewer"),
    ("quarantine", "Quarantine", "viewer"),
    ("people", "People", "admin"),
    ("model", "Model", "viewer"),
    ("audit", "Audit trail", "admin"),
)


def setting(section: str, template: str, status: int = 200, **values: Any) -> ResponseReturnValue:
    """A page of the settings, beside the list of those that the reader may see."""
    admin = g.session["user_role"] == "admin"
    sections = [(name, _(title)) for name, title, role in SECTIONS if admin or role == "viewer"]
    menu_counts = {"quarantine": waiting(g.session["user_workspace"])}
    return show(template, status, sections=sections, section=section, menu_counts=menu_counts, **values)


def told(refused: Refused) -> list[str]:
    """What a form is told of a refusal of the API. Raises what is none of the form's making."""
    if refused.problem.status != 400:
        raise refused
    faults = refused.problem.faults
    return [f"{fault.field}: {refusal(fault.message)}" for fault in faults] or [refused.problem.message]


def every(route: str, **params: str) -> list[dict[str, Any]]:
    """All of a list of the API, as far as a person reads."""
    answer = ask(route, "limit=200", **params)
    rows: list[dict[str, Any]] = answer["data"]
    return rows


@page("/settings", "viewer")
def start() -> ResponseReturnValue:
    first = "keys" if g.session["user_role"] == "admin" else "projects"
    return redirect(f"/settings/{first}", 303)


@page("/settings/keys", "admin")
def keys() -> ResponseReturnValue:
    return _keys_page(handed_over())


def _keys_page(made: Any = None, faults: list[str] | None = None) -> ResponseReturnValue:
    found = every("GET /gateway/v1/keys")
    now = iso(now_ms()) or ""
    for row in found:
        row["ended"] = bool(row["revoked_at"]) or bool(row["expires_at"] and row["expires_at"] <= now)
    return setting(
        "keys",
        "keys-of.html",
        400 if faults else 200,
        keys=sorted(found, key=lambda row: row["ended"]),
        made=made,
        faults=faults,
        scopes=SCOPES,
        projects={row["project_id"]: row["name"] for row in every("GET /gateway/v1/projects")},
        base=base_url(),
        usual=of_the_gateway().config.rate_limit,
    )


@page("/settings/keys", "admin", method="POST")
def create_key() -> ResponseReturnValue:
    """A new key, on the page that follows and nowhere else."""
    sent: dict[str, Any] = {
        "name": request.form.get("name", ""),
        "scopes": request.form.getlist("scopes"),
        "project_id": request.form.get("project_id") or None,
        "rate_limit": request.form.get("rate_limit") or None,
    }
    if days := request.form.get("days"):
        sent["expires_at"] = iso(now_ms() + int(days) * DAY_MS) if days in ("30", "90", "365") else days
    try:
        return hand_over("/settings/keys", ask("POST /gateway/v1/keys", body=sent))
    except Refused as refused:
        return _keys_page(faults=told(refused))


@page("/settings/keys/<key_id>/rotate", "admin", method="POST")
def rotate_key(key_id: str) -> ResponseReturnValue:
    try:
        return hand_over("/settings/keys", ask("POST /gateway/v1/keys/<key_id>/rotate", key_id=key_id))
    except Refused as refused:
        return _keys_page(faults=told(refused))


@page("/settings/keys/<key_id>/revoke", "admin", method="POST")
def revoke_key(key_id: str) -> ResponseReturnValue:
    ask("POST /gateway/v1/keys/<key_id>/revoke", key_id=key_id)
    return go("/settings/keys", _("Revoked. Every process refuses it within 3 seconds."))


@page("/settings/quarantine", "viewer")
def quarantine() -> ResponseReturnValue:
    """Groups of the same source and reason, or the deliveries of one."""
    source, reason = request.args.get("source", ""), request.args.get("reason", "")
    if source:
        chosen = urlencode({"source": source, "reason": reason, "limit": PAGE})
        rows = ask("GET /gateway/v1/quarantine", chosen)["data"]
        return setting("quarantine", "held-group.html", rows=rows, source=source, reason=reason, most=PAGE)
    groups = every("GET /gateway/v1/quarantine/groups")
    return setting("quarantine", "quarantine.html", groups=groups)


@page("/settings/quarantine/replay", "triager", method="POST")
def replay_group() -> ResponseReturnValue:
    """Sends all of a group through today's adapter, for some seconds."""
    sent = {"source": request.form.get("source", ""), "reason": request.form.get("reason", "")}
    done = ask("POST /gateway/v1/quarantine/replay", body=sent)
    said = _("%(n)s understood, %(held)s still held.", n=done["replayed"], held=done["held"])
    if done["next_cursor"]:
        said += " " + _("Go on with the rest.")
    return go("/settings/quarantine", said, bad=not done["replayed"])


@page("/settings/quarantine/discard", "admin", method="POST")
def discard_group() -> ResponseReturnValue:
    sent = {"source": request.form.get("source", ""), "reason": request.form.get("reason", "")}
    done = ask("POST /gateway/v1/quarantine/discard", body=sent)
    return go("/settings/quarantine", _("%(n)s discarded.", n=done["discarded"]))


@page("/settings/quarantine/<quarantine_id>/discard", "admin", method="POST")
def discard(quarantine_id: str) -> ResponseReturnValue:
    ask("DELETE /gateway/v1/quarantine/<quarantine_id>", quarantine_id=quarantine_id)
    return go("/settings/quarantine", _("%(n)s discarded.", n=1))


@page("/settings/quarantine/<quarantine_id>", "viewer")
def held(quarantine_id: str) -> ResponseReturnValue:
    row = ask("GET /gateway/v1/quarantine/<quarantine_id>", quarantine_id=quarantine_id)
    return setting("quarantine", "held.html", row=row)


@page("/settings/quarantine/<quarantine_id>/replay", "triager", method="POST")
def replay(quarantine_id: str) -> ResponseReturnValue:
    """Sends it through today's adapter, and leads to what it became."""
    route = "POST /gateway/v1/quarantine/<quarantine_id>/replay"
    query = "lenient=true" if request.form.get("lenient") == "true" else ""
    done = ask(route, query, quarantine_id=quarantine_id)
    if not done["replayed"]:
        said = _("Still not understood: %(why)s", why=faults(done["reason"]))
        return go(f"/settings/quarantine/{quarantine_id}", said, bad=True)
    where = f"/records/{done['feedback_ids'][0]}" if done["feedback_ids"] else "/settings/quarantine"
    return go(where, _("Understood."))


@page("/settings/audit", "admin")
def audit() -> ResponseReturnValue:
    rows = every("GET /gateway/v1/audit")
    names = called(g.session["user_workspace"], (row[name] for row in rows for name in ("key_id", "target")))
    return setting("audit", "audit.html", rows=rows, names=names)
