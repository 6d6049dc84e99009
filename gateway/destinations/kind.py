"""What a kind of destination is: how it puts a change, and what each request with it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """A change to be told. `at` is milliseconds UTC.

    `data` is the record as the API shows it, or as much of it as is to be told. `more` says what has changed:
    `event_id`, `changes`, `note`. `url` is where people read the record, empty when there is none.
    """

    type: str
    at: int
    workspace_id: str
    data: Mapping[str, Any]
    more: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of destination. `name` is the admin's word for it.

    `render` makes the body, which stays the same at each attempt. `headers` are those of one attempt: of a
    delivery's id, its body, the secrets that live and the time in seconds. `new_secret` makes a secret.
    """

    name: str
    render: Callable[[Change], str]
    headers: Callable[[str, str, Sequence[str], int], dict[str, str]]
    new_secret: Callable[[], str]
