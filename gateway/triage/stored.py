"""A stored record as triage reads it, and the columns that new labels give it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adapters.contract.record import OF_TRIAGE, Labels, Record, State
from gateway import triage
from gateway.core.area_rules import Rules
from gateway.triage.impact import RESOLVED
from models.intake.telling import DECLARED
from models.queries.personal_data import ERASED
from models.tables.impact_reasons import impact_of

LABELS = ("category", "sentiment")
LABELLED = ("severity", "sentiment")  # parts of the impact that follow a label
GIVEN = ("declared", "corrected")  # origins of labels that nobody but people say
_SAYS = re.compile(rf"{DECLARED}(\d)")
_WORD, _WORD_ENDS = '; the sender says "', '", which is on no known scale'

Row = Mapping[str, Any]


def record_of(row: Row) -> Record:
    """A stored row as triage reads it; what people set counts as what the sender declared."""
    declared = {name: row[name] for name in LABELS if row[f"{name}_origin"] in GIVEN}
    if "sentiment" in declared:
        declared["sentiment_score"] = row["sentiment_score"]
    why = next((str(one["why"]) for one in row["impact_reasons"] if one["part"] == "severity"), "")
    severity, (_, _, word) = _SAYS.match(why), why.partition(_WORD)
    # A story of which nothing but remarks was told has no state.
    remark = row["incident_key"] is not None and row["state_key"] is None
    state: State | None = "resolved" if why == RESOLVED.why else "note" if remark else None
    return Record(
        text=row["text"],
        title=_given(row["title"], row["text"]),
        type=row["type"],
        kind=row["kind"],
        language=row["language"],
        subject=row["subject"],
        tags=tuple(row["tags"]),
        severity=int(severity[1]) if severity else None,
        severity_word=word.removesuffix(_WORD_ENDS) if word.endswith(_WORD_ENDS) else None,
        state=state,
        **declared,
    )


def _given(title: str, text: str) -> str:
    """A title that somebody gave, "" for one that is how the text begins (gateway.intake.store.shorten)."""
    return "" if text.lstrip().startswith(title.rstrip("…")) else title


def explained(row: Row, rules: Rules) -> triage.Explanation:
    """Why a row has its labels: what is said of its words today, or what a second reader said with it."""
    given = {name: row[name] for name in LABELS if row[f"{name}_origin"] == "second_reader"}
    return triage.explain(record_of(row), row["impact_reasons"], rules, given)


def to_label(row: Row) -> bool:
    """Whether a row has a label of triage's, and words that it can be labelled by.

    Words that the sender took back or that were erased say nothing any more.
    """
    given = any(row[f"{name}_origin"] in OF_TRIAGE for name in LABELS) or row["impact_origin"] != "corrected"
    return given and row["retracted_at"] is None and row["text"] != ERASED


def relabelled(row: Row, labels: Labels) -> dict[str, Any]:
    """The columns that new labels give a row; what people or the sender said stays.

    So does its language where one is known, since the sender may have named it.
    """
    given: dict[str, Any] = {"model_version": labels.model_version, "language": labels.language}
    if row["category_origin"] in OF_TRIAGE:
        given |= {
            "category": labels.category,
            "category_origin": labels.category_origin,
            "category_confidence": labels.category_confidence,
        }
    if row["sentiment_origin"] in OF_TRIAGE:
        given |= {
            "sentiment": labels.sentiment,
            "sentiment_origin": labels.sentiment_origin,
            "sentiment_score": labels.sentiment_score,
            "sentiment_confidence": labels.sentiment_confidence,
        }
    said = [{"part": one.part, "points": one.points, "why": one.why} for one in labels.impact_reasons]
    return given | impact_of(row, [_kept(row, one) for one in said])


def reconsidered(row: Row, rules: Rules) -> dict[str, Any]:
    """The impact of a row by the category and sentiment that it has now, whoever said them, with its reasons.

    An impact that a person set stays. Of words that were taken back or erased only what they once said of
    reach and area counts.
    """
    spoken = row["retracted_at"] is None and row["text"] != ERASED
    record = replace(record_of(row), **{name: row[name] for name in (*LABELS, "sentiment_score")})
    if not spoken:
        record = replace(record, title="", text="")
    said = triage.label(record, rules).impact_reasons
    parts = [one for one in said if spoken or one.part in LABELLED]
    reasons = [_kept(row, {"part": one.part, "points": one.points, "why": one.why}) for one in parts]
    if not spoken:
        reasons += [dict(one) for one in row["impact_reasons"] if one["part"] not in LABELLED]
    return impact_of(row, reasons)


def _kept(row: Row, reason: dict[str, Any]) -> dict[str, Any]:
    """A reason, or that of the row where more than its words decided: how many reported it."""
    known = next((dict(one) for one in row["impact_reasons"] if one["part"] == reason["part"]), None)
    counted = reason["part"] == "reach" and known and not str(known["why"]).startswith("reported once")
    return known if known and counted and known["points"] >= reason["points"] else reason
