"""Votes for a record: one person counts once, whatever they press and however often they change their mind.

Kept beside the keys that are used, so that a vote may arrive before what it is for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from models.database.base import dumps
from models.tables import dedupe


@dataclass(frozen=True, slots=True)
class Vote:
    """Who votes, with which sign, and when (milliseconds)."""

    voter: str
    sign: str
    at: int


def count(workspace_id: str, source: str, target: str, vote: Vote, *, taken_back: bool, now: int) -> int:
    """Notes a vote for what came with the key `target`, or that it was taken back.

    Returns by how many voters the target has more or fewer. Of each sign the newest word counts.
    """
    name = (workspace_id, f"votes:{source}", target)
    dedupe.take(*name, now=now)
    known = _of(*name)
    before = _voters(known)
    said = known.setdefault(vote.voter, {})
    said[vote.sign] = max(said.get(vote.sign, [0, False]), [vote.at, not taken_back])
    dedupe.remember_answer(*name, dumps(known))
    return _voters(known) - before


def cast(workspace_id: str, source: str, target: str) -> int:
    """How many vote for what came with the key `target`."""
    return _voters(_of(workspace_id, f"votes:{source}", target))


Known = dict[str, dict[str, list[int | bool]]]  # by voter and sign: when, and whether it stands


def _of(workspace_id: str, scope: str, target: str) -> Known:
    used = dedupe.taken(workspace_id, scope, target)
    known: Known = json.loads((used and used["answer"]) or "{}")
    return known


def _voters(known: Known) -> int:
    return sum(any(stands for _, stands in said.values()) for said in known.values())
