"""What an event of Sentry's says: filled templates, exceptions with their causes, evidence of occurrences.

Wire facts: develop.sentry.dev, "Message Interface" and "Exception Interface" (mechanism, groups of
exceptions, meta.ns_error); getsentry/relay, relay-event-normalization, logentry.rs (the server fills
templates that an SDK left as they were); getsentry/sentry, issues/issue_occurrence.py (evidenceDisplay).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from adapters.common.untrusted_json import first_scalar, first_text, object_of, objects_of

LONGEST_VALUE = 8_000  # characters of an exception's value, or of a part of a template, that is no text
# A placeholder of printf or of Python's %, such as %s, %5.2f and %(name)s; `%%` stands for a percent sign.
PERCENT = re.compile(
    r"%(?:\((?P<name>[^()\s]{1,100})\)|(?P<at>\d{1,3})\$)?"
    r"[-#0+']{0,5}[\d*]{0,4}(?:\.[\d*]{0,4})?[hlLqjzt]{0,2}[diouxXeEfFgGcrsaAOjp@%]"
)
# One of Java's, .NET's or Python's {}: {}, {0}, {name}, {0:N2}, {@Order}.
CURLY = re.compile(r"\{(?P<name>[@$]?[\w.-]{0,100})(?:[,:!][^{}]{0,100})?\}")

Json = Mapping[str, Any]


def message_of(event: Json) -> str:
    """The message of an event, with the values in it where the SDK left them beside its template."""
    written, filled = first_text(event, "message"), next(filter(None, map(_filled, _logged(event))), "")
    return filled if filled and written in ("", template_of(event)) else written


def template_of(event: Json) -> str:
    """What all messages of one kind have in common; "" when they have no template."""
    return next(filter(None, (first_text(logged, "message") for logged in _logged(event))), "")


def failures_of(event: Json) -> list[str]:
    """The exceptions of an event as `type: value` each: the one that was raised, then its causes and members.

    Sentry's order is oldest first; of a group the group is the last one.
    """
    return list(dict.fromkeys(filter(None, map(_failure, reversed(_listed(event, "exception"))))))


def frame_of(event: Json) -> Json:
    """The newest frame of what was raised, else of the thread that crashed; empty when none is known."""
    threads = _listed(event, "threads")
    crashed = [thread for thread in threads if thread.get("crashed") is True or thread.get("current") is True]
    for holder in (*_listed(event, "exception")[-1:], event, *crashed):
        if frames := objects_of(object_of(holder, "stacktrace"), "frames"):
            return frames[-1]
    return {}


def evidence_of(event: Json) -> list[str]:
    """What an occurrence says of itself: its subtitle, then `name: value` of each part of its evidence."""
    occurrence = object_of(event, "occurrence")
    shown = objects_of(occurrence, "evidenceDisplay") or objects_of(occurrence, "evidence_display")
    pairs = [(first_scalar(part, "name"), _said(part.get("value")).strip()) for part in shown]
    lines = [": ".join(filter(None, pair)) for pair in pairs if pair[1]]
    return [*filter(None, [first_text(occurrence, "subtitle")]), *lines]


def policy_of(event: Json) -> str:
    """What a browser's report says was against a policy of the page."""
    report = object_of(event, "csp")
    directive = first_text(report, "effective_directive", "violated_directive")
    blocked = first_text(report, "blocked_uri")
    return " ".join(
        filter(None, (f"Blocked {directive}" if directive else "", f"from {blocked}" if blocked else ""))
    )


def _listed(event: Json, name: str) -> list[Json]:
    """The values of an interface, which is an object with them, an array, or one of them."""
    found = object_of(event, name)
    values = objects_of(found, "values") or objects_of(event, name)
    return [*values] or ([found] if found and "values" not in found else [])


def _logged(event: Json) -> list[Json]:
    """The parts of an event that may hold a template: an object, where older SDKs wrote a text too."""
    return [object_of(event, name) for name in ("logentry", "message", "sentry.interfaces.Message")]


def _filled(logged: Json) -> str:
    template = first_text(logged, "message")
    params = logged.get("params")
    if found := first_text(logged, "formatted"):
        return found
    if not template or not isinstance(params, list | dict) or not params:
        return template
    return fill(template, params)


def fill(template: str, params: list[Any] | dict[str, Any]) -> str:
    """A template with its values in place; placeholders without one stay.

    However often a template names a value, what comes out is no longer than it and all values together.
    """
    values = {str(name): _said(value) for name, value in _items(params)}
    room = sum(map(len, values.values()))
    used = 0

    def value(match: re.Match[str]) -> str:
        nonlocal room, used
        if match[0] == "%%":
            return "%"
        groups = match.groupdict()
        name = (groups["name"] or "").lstrip("@$")
        if not name:
            name = str(int(groups["at"]) - 1) if groups.get("at") else str(used)
            used += 1
        elif name not in values:  # .NET and JavaScript name what they pass by its place
            name = str(used)
            used += 1
        found = values.get(name)
        if found is None or len(found) > room:
            return match[0]
        room -= len(found)
        return found

    return (PERCENT if PERCENT.search(template) else CURLY).sub(value, template)


def _items(params: list[Any] | dict[str, Any]) -> Iterator[tuple[int | str, Any]]:
    return iter(params.items()) if isinstance(params, dict) else iter(enumerate(params))


def _failure(raised: Json) -> str:
    """An exception by its type and value, else by what the system said of it, else by its mechanism's."""
    mechanism = object_of(raised, "mechanism")
    system = _system(object_of(mechanism, "meta"))
    value = _said(raised.get("value")).strip() or first_text(mechanism, "description", "desc")
    named = [first_scalar(raised, "type"), value]
    if not any(named):
        return system
    if system and not all(named):
        named.append(system)
    return ": ".join(filter(None, named))


def _system(meta: Json) -> str:
    """An error of Apple's frameworks, a signal, or a number of the C library, by its name."""
    error = object_of(meta, "ns_error")
    if domain := first_text(error, "domain"):
        return f"{domain}: Code {first_scalar(error, 'code') or 0}"
    for name in ("signal", "mach_exception", "errno"):
        if found := first_scalar(object_of(meta, name), "name"):
            return found
    return ""


def _said(value: Any) -> str:
    """A value as text: of objects and arrays their JSON, not all of a long one."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, default=str)[:LONGEST_VALUE]
