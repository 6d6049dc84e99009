"""What every dialect and the gateway say to each other.

A dialect is one flat module in this package: data plus pure functions. Bytes come in as an
`Inbound`, leave as canonical `Record`s, and the sender is answered with a `Reply` in its own
shape. Nothing here knows of Flask, of a database or of the classifier.

    Inbound  --read-->  [Record]  --(label, save)-->  [Saved]  --reply-->  Reply
    anything wrong: raise Refused(Problem)            --refuse-->  Reply

Names: what the sender wrote is `sent`, what we make of it is a `record`, what is stored is `saved`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import call
from secrets import token_urlsafe
from typing import Any, Literal, Protocol

from adapters.contract.ansi import without_ansi
from adapters.contract.charsets import in_utf8
from adapters.contract.description import BEARER, NO_SHAPE, Kind, Proof, Shape
from adapters.contract.files import SentFile, Streamed
from adapters.contract.lenient_json import mended
from adapters.contract.record import Record, Saved
from adapters.contract.strict_json import InvalidJSON, parse

MOST_FAULTS = 100  # bad fields of one body that are named: an answer is not to be larger than its request

Code = Literal[
    "invalid_json",
    "invalid",
    "invalid_request",
    "unauthorized",
    "invalid_key",
    "forbidden",
    "not_found",
    "method_not_allowed",
    "cursor_expired",
    "precondition_failed",
    "too_large",
    "unsupported_encoding",
    "idempotency_duplicate",
    "idempotency_conflict",
    "idempotency_in_flight",
    "conflict",
    "insufficient_credits",
    "rate_limited",
    "overloaded",
    "internal",
]


Reader = Callable[[Any], Any]  # of a hook's option: what is kept of a value as it was given


@dataclass(frozen=True, slots=True)
class Fault:
    """One bad field: its dotted path as the sender wrote it, and what is wrong with it."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a request is refused, before any dialect has given it a shape."""

    status: int
    code: Code
    message: str
    faults: tuple[Fault, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    request_id: str = ""


class Refused(Exception):
    """A request that is answered with a problem; every step may raise it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def invalid(*faults: Fault) -> Refused:
    """The refusal of a body whose fields are wrong: 400, the first MOST_FAULTS of them named."""
    if len(faults) > MOST_FAULTS:
        more = Fault("body", f"{len(faults) - MOST_FAULTS} more fields are wrong")
        faults = (*faults[:MOST_FAULTS], more)
    message = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
    return Refused(Problem(400, "invalid", message, faults))


class Identity(Protocol):
    """Who sends, as far as the ledger and dialects know them: a key or hook of a workspace."""

    @property
    def key_id(self) -> str: ...
    @property
    def workspace_id(self) -> str: ...


@dataclass(eq=False)
class Inbound:
    """One request, free of the web framework.

    `headers` has lower-case names. `body` is the whole body, content-decoded. `path` has no mount
    prefix (`/orq/v2/feedback` arrives as `/v2/feedback`). `query` has the last value of each name,
    `query_string` all of them, as they were sent. `received_at` is milliseconds since the epoch, UTC.
    `client` is the address it comes from. `request_id` is `req_` and a ULID, made by the gateway.
    `answer_headers` go on whatever answer the request gets, also on a refusal: steps put what they
    learn there. `options` are those of the hook the request came through, known once it is
    identified. `checked` is the body as each schema checked it, so that `read` and `reply` check it
    once. `parts` is what `read` made each of several records of: the place in the body, or bytes where
    that is no one place; each is kept with its record, and what is left of the body once. `caller` is
    who sends and `proofs` what shows it, written by the step that identifies (gateway.intake.auth), and
    `outcome` what became of the request, by the one that stores it, once that is counted.
    `rest` is the whole body in pieces while it is not read yet, as it may bring files, `files` what came of
    those, in their order, and `spent` says that its limit has been asked (gateway.intake.uploads).
    With `lenient`, JSON that a template broke is mended where it can be: a person asked for that.
    `aside` calls a function where it holds up nobody else, however long it takes.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    query: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    request_id: str = "req_00000000000000000000000000"
    received_at: int = 0
    client: str = ""
    query_string: str = ""
    answer_headers: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    checked: dict[type, Any] = field(default_factory=dict)
    parts: Sequence[slice | bytes | None] = ()
    caller: Identity | None = None
    proofs: tuple[str, ...] = field(default=(), repr=False)
    outcome: str | None = None
    rest: Iterator[bytes] | None = field(default=None, repr=False)
    files: list[SentFile] = field(default_factory=list)
    spent: bool = False
    lenient: bool = False
    aside: Callable[..., Any] = field(default=call, repr=False)

    def receive(self, body: bytes, at: int) -> None:
        """Takes the whole body, of which who admitted the request knew a part at most; it is here `at`."""
        self.body, self.received_at = body, at
        self.__dict__.pop("text", None)
        self.__dict__.pop("json", None)

    @cached_property
    def text(self) -> bytes:
        """The body in UTF-8, when it is a text in another charset (adapters.contract.charsets); else as it
        came."""
        return in_utf8(self.body, self.headers.get("content-type", ""))

    @cached_property
    def json(self) -> Any:
        """The body as JSON, whatever its Content-Type says.

        Raises Refused (400 invalid_json) when it is not one strict JSON text.
        """
        try:
            return parse(self.body)
        except InvalidJSON as error:
            wrong = error
        text = mended(self.text) if self.lenient else self.text
        if text is not self.body:  # nearly every body is UTF-8, and is looked at only once
            try:
                return parse(text)
            except InvalidJSON as error:
                wrong = error
        raise Refused(Problem(400, "invalid_json", str(wrong)))


@dataclass(slots=True)
class Reply:
    """An answer: `body` is JSON-able, bytes that go out as they are, or None for an empty one.

    An iterator of bytes is sent while it is read; when it raises, the connection ends before the answer does.
    `notice` goes into the log: what somebody has to do before the sender sends on.
    """

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Idempotency:
    """What an Idempotency-Key header means in a dialect.

    `seconds` is how long a key is remembered. `repeat` says what a second call gets: "replay" the
    first answer (another body is refused), or "refuse" whatever the body.
    """

    seconds: int = 24 * 3600
    repeat: Literal["replay", "refuse"] = "replay"


@dataclass(frozen=True, slots=True)
class Door:
    """A route that takes feedback: how its body is read and how its sender is answered.

    `shape` tells readers of the API's description what that looks like; nothing else depends on it. With
    `streamed` requests may bring files, and be larger than others: `read` sees their bodies without these.
    """

    path: str
    read: Callable[[Inbound], list[Record]]
    reply: Callable[[Inbound, list[Saved]], Reply]
    method: str = "POST"
    scope: str = "ingest"
    shape: Shape = NO_SHAPE
    streamed: Streamed | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """A route that takes many items in one request, each what a door of the dialect takes.

    `read` makes a record of one item, a JSON value, or raises Refused. The trunk takes the body
    apart and answers for every item (gateway.intake.batch).
    """

    path: str
    read: Callable[[Any], Record]
    method: str = "POST"
    scope: str = "ingest"
    shape: Shape = NO_SHAPE


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to the gateway's directory of workspaces and projects.

    `what` names the question; the other fields are its arguments. `offset` and `limit` page a
    list. `name` is a new project's name, or what a listed name must contain.
    """

    what: Literal["workspaces", "projects", "project", "create_project", "widget"]
    workspace_id: str = ""
    project_id: str = ""
    name: str = ""
    offset: int = 0
    limit: int = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What the directory found: rows as dictionaries, how many there are, where the next page starts."""

    rows: tuple[Mapping[str, Any], ...]
    total: int = 0
    next_offset: int | None = None


@dataclass(frozen=True, slots=True)
class Lookup:
    """A route beside the feedback doors that a sender's client also calls, such as its project list."""

    path: str
    ask: Callable[[Inbound], Ask]
    reply: Callable[[Inbound, Answer], Reply]
    method: str = "GET"
    scope: str = "ingest"
    shape: Shape = NO_SHAPE


def tolerant(read: Callable[[Inbound], list[Record]]) -> Callable[[Inbound], list[Record]]:
    """A `read` for senders that are never told 400: what it would refuse is kept raw in quarantine.

    Vendors disable a hook that answers 4xx, or drop the delivery; an unknown shape must do neither. What
    coloured a text in the terminal it was copied from is taken away.
    """

    def read_or_keep(inbound: Inbound) -> list[Record]:
        try:
            records = read(inbound)
        except Refused as refused:
            return [Record(text="", unreadable=refused.problem.message)]
        for record in records:
            record.title = without_ansi(record.title)
            record.text = without_ansi(record.text) or record.text
        return records

    return read_or_keep


def bearer(inbound: Inbound) -> str | None:
    """The key of `Authorization: Bearer KEY`; None when the header is missing or malformed (RFC 6750)."""
    scheme, _, key = inbound.headers.get("authorization", "").strip().partition(" ")
    key = key.strip()
    return key if scheme.lower() == "bearer" and key and " " not in key else None


@dataclass(frozen=True, slots=True)
class Hook:
    """An address made for one sender: what it signs with, and the options it was made with.

    `secrets` are in clear, the current one first; there are two while they are rotated. With
    `unsigned` the hook's id, which nobody can guess, is the only proof.
    """

    id: str
    source: str
    secrets: tuple[str, ...] = ()
    unsigned: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


def called_shortly(hook_id: str) -> str:
    """A hook's id for people to read: that of an unsigned one is its secret."""
    return f"{hook_id[:9]}…"


def hook_in_path(inbound: Inbound) -> str | None:
    """The hook id of `/hooks/<source>/<hook_id>`."""
    return inbound.params.get("hook_id")


@dataclass(frozen=True, slots=True)
class Signed:
    """How a sender that has no API key is known: which hook it came through, and what proves its origin.

    `verify` looks at the raw body and headers, and False is a 401; neither it nor `hook_id` raises,
    whatever was sent (an exception is a fault of ours: 503). `new_secret` makes a
    secret when the admin gives none; None means that the vendor's own must be given. `advice` says
    what to paste where at the vendor, with
    {url}, {secret}, {hook_id} and {dsn} filled in; `advise` says it instead for a hook whose secret or
    options make it differ, and `unsigned_advice` for one whose address is the proof; only a source that
    has it takes such hooks. `unproven` says what failed where no proof holds. `made_as` is what admins call
    such a hook, when that is not the adapter's name. `proofs` tells readers what `verify` looks at.
    `conceals` names texts of the body that let their reader act, and `conceals_in_lists` those in lists of
    JSON, by the list's name, that do or that are kept elsewhere: they are starred before anything is read.
    `options` are those that a hook may be made with, each with what reads its value
    (adapters.common.hook_options); those that are `sealed` are secrets, and kept as such. `unusable` says why
    a secret proves nothing here, "" of one that can.
    """

    verify: Callable[[Inbound, Hook], bool]
    advice: str
    hook_id: Callable[[Inbound], str | None] = hook_in_path
    new_secret: Callable[[], str] | None = lambda: token_urlsafe(32)
    unsigned_advice: str = ""
    unproven: str = "The signature does not hold."
    made_as: str = ""
    proofs: tuple[Proof, ...] = ()
    conceals: tuple[str, ...] = ()
    conceals_in_lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: Mapping[str, Reader] = field(default_factory=dict)
    sealed: tuple[str, ...] = ()
    unusable: Callable[[str], str] = lambda secret: ""
    advise: Callable[[str, Mapping[str, Any]], str] | None = None

    @property
    def may_be_unsigned(self) -> bool:
        return bool(self.unsigned_advice)


@dataclass(frozen=True, slots=True)
class Adapter:
    """One dialect: its routes, how it refuses, and which paths beside its routes it answers for.

    `owns` are path prefixes whose framework errors (404, 405, 413, ...) leave in this dialect.
    Every route is also reachable below `/<name>`, since real clients keep a path prefix.
    `key` finds the API key in a request; senders without one are `signed` instead.
    `source` is what its records are filed under, when that is not the adapter's name.
    `title` is its sender's name, `error` what `refuse` answers and `proofs` where `key` looks, for
    readers of the API's description.
    """

    name: str
    doors: tuple[Door, ...]
    refuse: Callable[[Problem], Reply]
    lookups: tuple[Lookup, ...] = ()
    batches: tuple[Batch, ...] = ()
    owns: tuple[str, ...] = ()
    key: Callable[[Inbound], str | None] = bearer
    signed: Signed | None = None
    source: str = ""
    idempotency: Idempotency = Idempotency()
    title: str = ""
    error: Kind | None = None
    proofs: tuple[Proof, ...] = (BEARER,)
