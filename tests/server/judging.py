"""What is wrong with the answers to an attack."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.server.answers import Answer, NotHTTP, read_answers
from tests.server.attack import Attack
from tests.server.peers import Heard

REFUSALS = (400, 401, 403, 404, 405, 408, 411, 413, 414, 415, 417, 431)
JSON_KINDS = ("application/json", "application/problem+json")
PAGES = ("/", "/sign-in", "/inbox")  # answered in HTML to people


def faults_of(attack: Attack, heard: Heard) -> list[str]:
    """The rules that the answers to an attack break; none for a client that did not wait for them."""
    if attack.end in ("reset", "close"):
        return []
    try:
        return list(_faults(attack, heard))
    except NotHTTP as error:
        return [str(error)]


def _faults(attack: Attack, heard: Heard) -> Iterator[str]:
    read = read_answers(heard.data, attack.methods)
    finals, statuses = read.finals, read.statuses
    if read.rest:
        yield f"part of an answer: {read.rest[:80]!r}"
    if heard.end != "eof":
        yield f"the connection did not end but: {heard.end}"
    if len(finals) > len(attack.methods):
        yield f"{len(finals)} answers to {len(attack.methods)} requests: {statuses}"
    if any(answer.closes for answer in finals[:-1]):
        yield f"an answer behind `Connection: close`: {statuses}"
    for answer in finals:
        yield from _answer_faults(answer, attack.target.path)
    whole = not attack.end
    if attack.malformed:
        told = statuses[attack.before :]
        if len(told) != 1 or told[0] not in REFUSALS:
            yield f"not one refusal: {statuses}"
    elif attack.malformed is False and len(finals) < len(attack.methods):
        if not finals or not finals[-1].closes:
            yield f"unanswered: {statuses}"
    elif whole and not finals:
        yield "unanswered"
    elif _is_half(attack) and any(status < 400 for status in statuses):
        yield f"half a request was taken: {statuses}"
    if whole and finals and not finals[-1].closes:
        yield f"the end without `Connection: close`: {statuses}"


def _is_half(attack: Attack) -> bool:
    """Whether nothing of it may be stored."""
    return bool(attack.end) and len(attack.methods) == 1 and attack.target.method == "POST"


def _answer_faults(answer: Answer, path: str) -> Iterator[str]:
    if answer.status >= 500:
        yield f"{answer.status}: {answer.body[:200]!r}"
    if answer.status < 400 or not answer.body:
        return
    if answer.kind in JSON_KINDS:
        json.loads(answer.body)
    elif answer.kind != "text/html" or path not in PAGES:
        yield f"{answer.status} in {answer.kind}: {answer.body[:80]!r}"
