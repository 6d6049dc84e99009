"""POST /gateway/v1/preview: what a payload would become."""

from __future__ import annotations

import adapters
from adapters.contract import Inbound, Problem, Refused, Reply
from gateway.access.caller import Caller
from gateway.intake.replay import preview
from models.tables.hook import find_hook


def show_preview(caller: Caller, inbound: Inbound) -> Reply:
    """What a payload would become, without storing it; with `?hook=ID` as by that hook."""
    adapter = adapters.load().get(inbound.params["source"])
    if adapter is None:
        raise Refused(Problem(404, "not_found", "No such source."))
    hook_id, project, default = inbound.query.get("hook"), caller.project_id, caller.default_project_id
    if hook_id is not None:
        hook = find_hook(hook_id)
        if hook is None or hook["workspace"] != caller.workspace_id:
            raise Refused(Problem(404, "not_found", "No such hook."))
        inbound.options.update(hook["options"])
        project, default = hook["project"], hook["project"] or hook["default_project_id"]
    sender = Caller.inside(hook_id or caller.key_id, caller.workspace_id, project, default)
    return Reply(200, preview(adapter, inbound, sender))
