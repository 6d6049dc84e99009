"""What a delivery says of its story, and what a record remembers of how far its story has been told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from models.intake.story_state import RANKS, StoryState

STATUS = {
    "note": "open",
    "triggered": "open",
    "acknowledged": "acknowledged",
    "suppressed": "ignored",
    "resolved": "resolved",
    "retracted": "ignored",
}
MACHINES = ("alert", "ci")  # types of records that no person words
DECLARED = "the sender says severity "  # how a severity is told that its sender named
OVER = "it is resolved"  # why an alert that is over has no severity
FIELDS = ("type", "title", "kind", "external_id", "occurred_at")


@dataclass(slots=True)
class Telling:
    """What a delivery is to its story, beside the record's own fields.

    `state` is what it says happened (a key of RANKS) and `stands` the state that a note says its story is
    in. `at` is when this was said, in milliseconds, `key` tells it from others of the same moment.
    A `whole` one says all that there is: what it leaves out is gone. `counts`: whether a trigger is
    another occurrence. One that `restates` only repeats in newer words. `quiet` ends begin no record.
    `occurrence` is what several notifications may tell of, `family` what stories of the same alert share,
    `joins` another source's key. `severity` is what the sender said, 0..5, and
    `secrecy` who may see these words alone.
    """

    state: str
    at: int
    key: str = ""
    stands: str | None = None
    whole: bool = False
    counts: bool = True
    restates: bool = False
    quiet: bool = False
    occurrence: str | None = None
    family: str | None = None
    joins: str | None = None
    severity: int | None = None
    secrecy: str = ""

    @property
    def means(self) -> str:
        """The state that the story is in after it."""
        return self.stands or self.state

    @property
    def is_state(self) -> bool:
        """Whether it is a change of state that happened, and not how somebody found the story."""
        return not self.restates and self.stands is None

    @property
    def state_key(self) -> str:
        return f"{self.at:016d}:{RANKS[self.means]}:{self.key}"

    def content_key(self, richness: int = 1) -> str:
        """How well it tells a field: triggers before other states before notes, the story's own source
        before one that joins it, what is rich before what is poor, then the newest, then the worst."""
        tells = 2 if self.whole or self.state == "triggered" else int(self.state != "note")
        own = int(self.joins is None)
        rank = f"{RANKS[self.state]}{int(self.restates)}{self.severity or 0}"
        return f"{tells}{own}{richness}:{self.at:016d}:{rank}:{self.key}"


@dataclass(slots=True)
class Told:
    """What is known of how far a story has been told: the best content key of each field, subject's by name.

    `counts` are the occurrences by source; `best` is how many of the tags are of the delivery that tells
    them best, the others are a sorted union; `floor` is the key of the newest whole telling, and `stated`
    whether anything but notes and quiet ends has told it. `reach` is what the words alone give the impact's
    part of that name: points and why; `severity` is that part as long as the story is not over. `state` is
    the story's. `secrecy` is that of the remark whose words the record has: for as long as it has them.
    """

    keys: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    best: int = 0
    floor: str = ""
    stated: bool = False
    reach: tuple[int, str] | None = None
    severity: tuple[int, str] | None = None
    state: StoryState = field(default_factory=StoryState)
    secrecy: str = ""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Told:
        """As a record's column `content_key` has it; one of an older version is a single key."""
        text = row["content_key"] or ""
        if not text.startswith("{"):
            names = [*FIELDS, "text", "author", "tags", "severity", "story"]
            names += [f"subject.{name}" for name in row["subject"]]
            key = f"{text[:1]}11{text[1:]}"
            keys = {**dict.fromkeys(names, key), "author": f"11{key}", "severity": f"1{key}"} if text else {}
            stated = row["state_key"] is not None
            state, tags = StoryState.of(row["state_key"], row["resolved_at"], None), len(row["tags"])
            sums = {row["source"]: row["triggers"]}
            return cls(keys, sums, tags, "", stated, None, severity_of(row), state)
        told = orjson.loads(text)
        state = StoryState.of(row["state_key"], row["resolved_at"], told.get("e"))
        keys = {name: told["k"][at] for name, at in told["f"].items()}
        severity = told.get("v") or severity_of(row)  # older versions kept none
        secrecy = told.get("p", "")
        return cls(keys, told["n"], told["t"], told["w"], told["s"], told["r"], severity, state, secrecy)

    def column(self) -> str:
        known = {key: number for number, key in enumerate(sorted(set(self.keys.values())))}
        fields = {name: known[key] for name, key in self.keys.items()}
        told = {"k": list(known), "f": fields, "n": self.counts, "t": self.best, "w": self.floor}
        told |= {"s": self.stated, "r": self.reach, "e": self.state.kept, "v": self.severity}
        told |= {"p": self.secrecy} if self.secrecy else {}
        return orjson.dumps(told, option=orjson.OPT_SORT_KEYS).decode()

    def takes(self, name: str, key: str) -> bool:
        """Whether a field is told better now; then it is noted."""
        better = key > self.keys.get(name, "")
        if better:
            self.keys[name] = key
        return better


def severity_of(row: Mapping[str, Any]) -> tuple[int, str] | None:
    """The severity among the reasons of a row's impact; None for one that is over."""
    told = ((r["points"], r["why"]) for r in row["impact_reasons"] if r["part"] == "severity")
    return next((severity for severity in told if severity[1] != OVER), None)


def stated(why: str) -> bool:
    """Whether a reason of an impact is what the sender says, whatever the words and the category."""
    return why == OVER or why.startswith(DECLARED)
