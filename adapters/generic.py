"""generic: any JSON, mapped to records by JMESPath expressions. Writing a map: docs/dialects/generic.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, get_args

from adapters.common import signatures, sns_messages
from adapters.common.forms import sent_of
from adapters.common.group_members import read_each
from adapters.common.hook_options import InvalidOption, header, word, wrong
from adapters.common.jmespath_expressions import Search, faults_of
from adapters.common.markup import plain
from adapters.common.plain_text import cut_line
from adapters.common.schemas import type_name
from adapters.common.severities import severity_of, unknown_word
from adapters.common.times import believable, moment_of
from adapters.common.untrusted_json import first_text, needed
from adapters.contract import Fault, Hook, Inbound, Signed, invalid
from adapters.contract.description import SECRET
from adapters.contract.record import CATEGORIES, PART_HEADER, SENTIMENTS, TYPES, Author, Record, State

FIELDS = (
    *("text", "title", "type", "kind", "category", "sentiment", "severity", "language", "url", "tags"),
    *("author.id", "author.name", "author.email", "external_id", "occurred_at"),
    *("dedupe_key", "incident_key", "state", "items"),
)
# An expression that only names a value, however deep it lies.
NAMES = re.compile(r"[A-Za-z_]\w{0,99}(?:\.[A-Za-z_]\w{0,99}){0,9}", re.ASCII)
SUBJECT = re.compile(r"subject\.[A-Za-z_][A-Za-z0-9_-]*")
STATES: tuple[State, ...] = get_args(State)
# What the usual words say; `severity_words` and `state_words` of a map come first.
STATE: dict[str, State] = {
    **{state: state for state in STATES},
    **dict.fromkeys(
        ("firing", "alerting", "alert", "open", "opened", "reopened", "down", "failed"), "triggered"
    ),
    **dict.fromkeys(("acked", "ack"), "acknowledged"),
    **dict.fromkeys(("silenced", "muted", "snoozed", "ignored"), "suppressed"),
    **dict.fromkeys(("ok", "closed", "up", "recovered", "success", "inactive"), "resolved"),
}
ADVICE = """\
Let your tool send POST with JSON to {url}
and prove itself with the header Authorization: Bearer {secret}
or with basic authentication: any user name, and {secret} as the password."""
MOST_ITEMS = 1000  # in one delivery
MOST_FIELDS = 100  # of a map, and of each of its lists of words
# Numbers below each of these are seconds, milliseconds and microseconds since the epoch; above, nanoseconds.
UNITS = ((10**11, 1000), (10**14, 1), (10**17, 1 / 1000))


def check_map(mapping: Any) -> list[Fault]:
    """What is wrong with a map, each fault by the name of its field; nothing when it can be used."""
    if not isinstance(mapping, dict):
        return [Fault("map", f"Expected object, received {type_name(mapping)}")]
    if too_many := _too_many(mapping):
        return too_many
    faults = [] if "text" in mapping else [Fault("text", "Required")]
    for name, value in mapping.items():
        if name == "severity_words":
            faults += _check_words(name, value, "a whole number from 0 to 5", _is_severity)
        elif name == "state_words":
            faults += _check_words(name, value, " | ".join(STATES), STATES.__contains__)
        elif name in FIELDS or SUBJECT.fullmatch(name):
            faults += _check_expression(name, value)
        else:
            faults.append(Fault(name, f"Unknown field; known are subject.<name> and {', '.join(FIELDS)}"))
    return faults


def read(inbound: Inbound) -> list[Record]:
    mapping = inbound.options.get("map")
    if not isinstance(mapping, dict):
        raise invalid(Fault("map", "This hook has no map"))
    if too_many := _too_many(mapping):
        raise invalid(*too_many)
    sent = sent_of(inbound)
    if kind := sns_messages.type_of(sent):
        sns_messages.check_confirmation(sent)
        if kind != "Notification":
            return []
        sent = _notified(inbound, sent)
    if _is_quick(mapping):
        return _records(inbound, sent, mapping)
    # What expressions do is bounded, but may take a while.
    records: list[Record] = inbound.aside(_records, inbound, sent, mapping)
    return records


def _is_quick(mapping: Mapping[str, Any]) -> bool:
    """Whether a map makes one record of the values under some names."""
    expressions = (mapping[name] for name in mapping.keys() - {"severity_words", "state_words"})
    return "items" not in mapping and all(NAMES.fullmatch(str(expression)) for expression in expressions)


def _records(inbound: Inbound, sent: Any, mapping: Mapping[str, Any]) -> list[Record]:
    search = Search(sent)
    if "items" not in mapping:
        return [_record(search, sent, mapping, "")]
    # What was held of a delivery is the array of its items that could not be read.
    part = isinstance(sent, list) and PART_HEADER in inbound.headers
    items = sent if part else _find(search, sent, mapping["items"], "items")
    if not isinstance(items, list):
        raise invalid(Fault("items", f"Expected array, received {type_name(items)}"))
    if len(items) > MOST_ITEMS:
        raise invalid(Fault("items", f"Array must contain at most {MOST_ITEMS} item(s)"))
    at = count()
    return read_each(
        inbound,
        items,
        lambda item: [_record(search, item, mapping, f"items.{next(at)}.")],
        lambda bad: bad,
    )


def _notified(inbound: Inbound, sent: dict[str, Any]) -> dict[str, Any]:
    """A notification of Amazon SNS with what its message says beside it, or with its message as `text`."""
    content = sns_messages.content_of(inbound, sent)
    if isinstance(content, dict):
        return {**sent, **content}
    return {"title": first_text(sent, "Subject"), "text": content, **sent}


def verify(inbound: Inbound, hook: Hook) -> bool:
    """The hex HMAC of the raw body in the header that the hook's options name, else the secret itself.

    An unsigned hook's address is proof enough; what is shown beside it must be good if there is a secret.
    """
    named = hook.options.get("signature_header")
    header = "authorization" if named is None else str(named).lower()
    if hook.unsigned and not (hook.secrets and header in inbound.headers):
        return True
    if named is None:
        return signatures.shows_secret(inbound, hook)
    prefix = str(hook.options.get("signature_prefix") or "")
    return signatures.hex_header(header, prefix=prefix)(inbound, hook)


def advise(secret: str, options: Mapping[str, Any]) -> str:
    """The steps for a hook whose tool signs."""
    named, prefix = options.get("signature_header"), options.get("signature_prefix") or ""
    if not named:
        return ADVICE
    return (
        "Let your tool send POST with JSON to {url}\n"
        f"and sign it: the header {named} has {prefix or 'nothing but'} the hex HMAC-SHA256 of the body\n"
        "under the secret {secret}"
    )


def _map(value: Any) -> dict[str, Any]:
    """A map that can be used. Raises InvalidOption."""
    if not isinstance(value, dict):
        raise wrong(f"Expected object, received {type_name(value)}")
    if faults := check_map(value):
        raise InvalidOption(*faults)
    return value


def _record(search: Search, sent: Any, mapping: Mapping[str, Any], where: str) -> Record:
    """One record; `where` is the path of `sent` in the body, for messages."""
    found = {
        name: _find(search, sent, expression, where + name)
        for name, expression in mapping.items()
        if name not in ("items", "severity_words", "state_words")
    }

    def text(name: str, glue: str = " ") -> str:
        return _text(found.get(name), glue).strip()

    words = needed(plain(text("text", "\n")), f"{where}text")
    kind, url = text("type").lower(), text("url")
    category, sentiment = text("category").lower(), text("sentiment").lower()
    subject = {name.partition(".")[2]: value for name, value in found.items() if SUBJECT.fullmatch(name)}
    if re.match(r"https?://\S", url):
        subject["url"] = url
    incident = text("incident_key", ":") or None
    return Record(
        text=words,
        title=cut_line(plain(text("title"))),
        type=next((known for known in TYPES if known == kind), "message"),
        kind=text("kind") or None,
        category=next((known for known in CATEGORIES if known == category), None),
        sentiment=next((known for known in SENTIMENTS if known == sentiment), None),
        **_severity(found.get("severity"), mapping.get("severity_words")),
        language=_language(text("language").lower()),
        subject={name: value for name, value in subject.items() if value not in (None, "")},
        author=Author.of(*(text(f"author.{name}") for name in ("id", "name", "email"))),
        tags=tuple(dict.fromkeys(_tags(found.get("tags")))),
        external_id=text("external_id") or None,
        occurred_at=_moment(found.get("occurred_at")),
        dedupe_key=text("dedupe_key", ":") or None,
        incident_key=incident,
        state=_state(text("state"), mapping) if incident else None,
    )


def _find(search: Search, sent: Any, expression: Any, name: str) -> Any:
    """What an expression finds: JSON, or None. Raises Refused (400) that names the field."""
    try:
        return search.find(expression, sent)
    except ValueError as error:
        raise invalid(Fault(name, str(error))) from None


def _too_many(mapping: Mapping[str, Any]) -> list[Fault]:
    """The parts of a map that have more entries than anybody needs, each of which is asked for every item."""
    parts = {"map": mapping, **{name: mapping.get(name) for name in ("severity_words", "state_words")}}
    return [
        Fault(name, f"Object must contain at most {MOST_FIELDS} entries")
        for name, part in parts.items()
        if isinstance(part, dict) and len(part) > MOST_FIELDS
    ]


def _check_expression(name: str, expression: Any) -> list[Fault]:
    if not isinstance(expression, str):
        return [Fault(name, f"Expected string, received {type_name(expression)}")]
    return [Fault(name, message) for message in faults_of(expression)]


def _check_words(name: str, words: Any, expected: str, good: Any) -> list[Fault]:
    if not isinstance(words, dict):
        return [Fault(name, f"Expected object, received {type_name(words)}")]
    return [
        Fault(f"{name}.{word}", f"Expected {expected}") for word, value in words.items() if not good(value)
    ]


def _is_severity(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 5


def _text(value: Any, glue: str) -> str:
    """Text, numbers, true and false as text; an array of them joined; "" for anything else."""
    if isinstance(value, list):
        return glue.join(_text(item, glue) for item in value if not isinstance(item, (list, dict)))
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (str, int, float)) else ""


def _word(value: Any, words: Any) -> tuple[str, Any]:
    """A word in lower case, and what the map's own words say of it."""
    word = _text(value, " ").strip().lower()
    own = words.items() if isinstance(words, dict) else ()
    return word, next((meaning for name, meaning in own if name.strip().lower() == word), None)


def _severity(value: Any, words: Any) -> dict[str, Any]:
    """The record's severity, or the word that says none we know."""
    word, own = _word(value, words)
    if _is_severity(own):
        return {"severity": int(own)}
    if re.fullmatch(r"[0-5](\.0)?", word):
        return {"severity": int(word[0])}
    return {"severity": severity_of(word), "severity_word": unknown_word(_text(value, " "))}


def _state(word: str, mapping: Mapping[str, Any]) -> State:
    """A word that is not known changes no state; without an expression for it everything is a trigger."""
    if "state" not in mapping:
        return "triggered"
    word, own = _word(word, mapping.get("state_words"))
    return own if own in STATES else STATE.get(word, "note")


def _language(word: str) -> str | None:
    """The language of a tag such as en or en-GB."""
    match = re.fullmatch(r"([a-z]{2})(?:[-_].*)?", word)
    return match[1] if match else None


def _tags(value: Any) -> Iterator[str]:
    """Words with commas, an array, or an object's name:value."""
    if isinstance(value, dict):
        listed = [f"{name}:{_text(item, ' ')}" for name, item in value.items() if _text(item, " ")]
    else:
        listed = [_text(v, " ") for v in value] if isinstance(value, list) else _text(value, ",").split(",")
    return filter(None, (tag.strip() for tag in listed))


def _moment(value: Any) -> int | None:
    """Milliseconds of an ISO 8601 time, or of a number since the epoch in whatever unit makes sense."""
    word = _text(value, " ").strip()
    if not re.fullmatch(r"[0-9]{1,20}(\.[0-9]{1,20})?", word):
        return moment_of(word)
    number = float(word)
    return believable(round(number * next((factor for bound, factor in UNITS if number < bound), 1e-6)))


ADAPTER = signatures.hook_adapter(
    "generic",
    "Generic JSON",
    read,
    reply=sns_messages.reply,
    shape=signatures.delivery(
        "Take any JSON or form, as the hook's map reads it.", {"text": "The map is blank"}
    ),
    signed=Signed(
        verify=verify,
        proofs=SECRET,
        unsigned_advice="Let your tool send POST with JSON to {url}",
        unproven="Neither a bearer, a password nor a signature shows the secret of this hook.",
        advice=ADVICE,
        advise=advise,
        conceals=("UnsubscribeURL",),  # of Amazon SNS
        options={"map": _map, "signature_header": header, "signature_prefix": word},
    ),
)
