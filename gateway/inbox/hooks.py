"""Hooks: an address for a sender that signs, with its vendor's steps, and a look out for deliveries."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from flask import Response, request
from flask.typing import ResponseReturnValue

import adapters
from adapters.common.schemas import type_name
from adapters.contract import Fault, Problem, Refused, Signed, invalid
from adapters.contract.strict_json import InvalidJSON, parse
from gateway.access import hooks as addresses
from gateway.inbox.api_calls import ask, caller
from gateway.inbox.i18n import _
from gateway.inbox.pages import go, hand_over, handed_over, page
from gateway.inbox.session import base_url
from gateway.inbox.settings import every, setting, told
from models.database.base import dumps
from models.tables.hook import find_hook

LATER = "••••••••"  # where a secret stood that was shown once


@page("/settings/hooks", "admin")
def hooks() -> ResponseReturnValue:
    found, kinds = every("GET /gateway/v1/hooks"), addresses.kinds(adapters.load())
    names = {word: adapter.name for word, adapter in kinds.items()}  # as quarantine has them
    return setting("hooks", "hooks.html", rows=found, names=names, kinds=sorted(_kinds()))


@page("/settings/hooks/new/<source>", "admin")
def new_hook(source: str) -> ResponseReturnValue:
    return _new_page(source)


def _new_page(source: str, faults: list[str] | None = None) -> ResponseReturnValue:
    kind = _kinds().get(source)
    if kind is None:
        raise Refused(Problem(404, "not_found", "No such source."))
    return setting(
        "hooks",
        "new-hook.html",
        400 if faults else 200,
        source=source,
        own_secret=kind.new_secret is None,
        may_be_unsigned=kind.may_be_unsigned,
        known=list(kind.options),
        faults=faults,
        given=request.form,
        projects=every("GET /gateway/v1/projects"),
    )


@page("/settings/hooks/new/<source>", "admin", method="POST")
def create_hook(source: str) -> ResponseReturnValue:
    """A new hook, with its secret on the page that follows and nowhere else."""
    sent: dict[str, Any] = {
        "source": source,
        "name": request.form.get("name", ""),
        "project_id": request.form.get("project_id") or None,
        "secret": request.form.get("secret") or None,
        "unsigned": bool(request.form.get("unsigned")),
    }
    try:
        sent["options"] = _options()
        made = ask("POST /gateway/v1/hooks", body=sent)
        return hand_over(f"/settings/hooks/{made['hook_id']}", {"secret": made["secret"]})
    except Refused as refused:
        return _new_page(source, told(refused))


@page("/settings/hooks/<hook_id>", "admin")
def hook(hook_id: str) -> ResponseReturnValue:
    later = LATER if _mine(hook_id)["secrets"] else None
    made = handed_over()
    return _hook_page(hook_id, made.get("secret", later), new=bool(made))


def _hook_page(
    hook_id: str, secret: str | None, *, new: bool = False, faults: list[str] | None = None
) -> ResponseReturnValue:
    row = _mine(hook_id)
    adapter = adapters.load()[row["source"]]
    made = addresses.shown(adapter, hook_id, row["project"], secret, row["options"], base_url())
    known = addresses.options_of(adapter)
    own = {name: value for name, value in addresses.options_shown(row).items() if name in known}
    shown = json.dumps(own, indent=2, ensure_ascii=False) if own else ""
    return setting(
        "hooks",
        "hook.html",
        400 if faults else 200,
        made=made,
        new=new,
        counts=_counts(hook_id),
        options=request.form["options"] if faults else shown,
        known=list(known),
        faults=faults,
    )


@page("/settings/hooks/<hook_id>/options", "admin", method="POST")
def change_hook(hook_id: str) -> ResponseReturnValue:
    """Other options for a hook: what is not in the form any more is taken away."""
    row = _mine(hook_id)
    try:
        known = addresses.options_of(adapters.load()[row["source"]])
        gone = dict.fromkeys(name for name in row["options"] if name in known)
        sent = {"options": {**gone, **_options()}}
        ask("PATCH /gateway/v1/hooks/<hook_id>", body=sent, hook_id=hook_id)
        return go(f"/settings/hooks/{hook_id}", _("Saved."))
    except Refused as refused:
        return _hook_page(hook_id, LATER if row["secrets"] else None, faults=told(refused))


def _options() -> dict[str, Any]:
    """What the form says of options, a JSON object. Raises Refused (400)."""
    given = request.form.get("options", "").strip()
    try:
        options = parse(given.encode()) if given else {}
    except InvalidJSON as error:
        raise invalid(Fault("options", str(error).removeprefix("body "))) from None
    if not isinstance(options, dict):
        raise invalid(Fault("options", f"Expected object, received {type_name(options)}"))
    return options


@page("/settings/hooks/<hook_id>/received", "admin", seen=False)
def received(hook_id: str) -> ResponseReturnValue:
    """Whether anything has come through a hook: JSON, for its page to ask now and then."""
    counts = _counts(_mine(hook_id)["id"])
    said = dumps({"received": bool(counts), "say": f"✓ {_('Received.')}"})
    return Response(said, content_type="application/json")


@page("/settings/hooks/<hook_id>/rotate", "admin", method="POST")
def rotate_hook(hook_id: str) -> ResponseReturnValue:
    secret = request.form.get("secret")
    try:
        sent = {"secret": secret} if secret else {}
        made = ask("POST /gateway/v1/hooks/<hook_id>/rotate", body=sent, hook_id=hook_id)
        return hand_over(f"/settings/hooks/{hook_id}", {"secret": made["secret"]})
    except Refused as refused:
        return go(f"/settings/hooks/{hook_id}", "; ".join(told(refused)), bad=True)


@page("/settings/hooks/<hook_id>/delete", "admin", method="POST")
def delete_hook(hook_id: str) -> ResponseReturnValue:
    ask("DELETE /gateway/v1/hooks/<hook_id>", hook_id=hook_id)
    return go("/settings/hooks", _("Ended. What came through it stays."))


def _kinds() -> dict[str, Signed]:
    found = addresses.kinds(adapters.load())
    return {name: adapter.signed for name, adapter in found.items() if adapter.signed is not None}


def _mine(hook_id: str) -> dict[str, Any]:
    row = find_hook(hook_id)
    if row is None or row["workspace"] != caller().workspace_id:
        raise Refused(Problem(404, "not_found", "No such hook."))
    return row


def _counts(hook_id: str) -> dict[str, int]:
    """What became of a hook's deliveries, by outcome."""
    query = urlencode({"by": "outcome", "key_id": hook_id})
    return {row["outcome"]: row["requests"] for row in ask("GET /gateway/v1/outcomes", query)["data"]}
