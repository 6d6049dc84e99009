"""POST /gateway/v1/preview: what a payload would become."""

from __future__ import annotations

import adapters
from adapters.contract import Inbound, Problem, Refused, Reply
from gateway.access.caller import Caller
from gateway.intake.replay import preview
from models.tables.hook import find_hook


def show_preview(caller: Caller, inbound: Inbound) -> Reply:
    """What a payload would become, without storing it; with `?hook=ID` as that hook would read it."""
    adapter = adapters.load().get(inbound.params["source"])
    if adapter is None:
        raise Refused(Problem(404, "not_found", "No such source."))
    hook_id = inbound.query.get("hook")
    if hook_id is not None:
        hook = find_hook(hook_id)
        if hook is None or hook["workspace"] != caller.workspace_id:
            raise Refused(Problem(404, "not_found", "No such hook."))
        inbound.options.update(hook["options"])
    return Reply(200, preview(adapter, inbound))
