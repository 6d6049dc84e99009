"""Learns the heads of projects from a database, in a process of its own, which the libraries stay in.

    python -m gateway.triage.training.learn_projects WORKSPACE/PROJECT ...

Each project is a line of JSON on standard output: `project_id`, `outcome` (project_heads.Learnt) and `data`,
the head in Base64 or null. Nothing is written to the database.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from threadpoolctl import threadpool_limits

from adapters.contract.record import OF_TRIAGE
from gateway import triage
from gateway.core import storage
from gateway.core.config import Config
from gateway.triage import active_model, clauses
from gateway.triage.model import Model
from gateway.triage.tokenizer import Text
from gateway.triage.tokenizer import read as read_text
from gateway.triage.training import gate, project_heads
from gateway.triage.training.corrections import Correction, corrections
from gateway.triage.training.heldout import HeldOut
from gateway.triage.training.project_heads import OTHERS, General, Learnt
from models.database.base import close
from models.intake.telling import MACHINES
from models.queries import lessons


@dataclass(frozen=True, slots=True)
class Ground:
    """What is the same for all projects: the models, and texts of the project's own writing."""

    model: Model
    others: list[Text]
    general: list[General]

    @classmethod
    def of(cls, model: Model) -> Ground:
        steady, judged = gate.own_sentences()
        others = [read_text(text) for text in steady[:: max(1, len(steady) // OTHERS)]]
        return cls(model, others, generals(model, judged))

    def learn(self, workspace_id: str, project_id: str) -> Learnt:
        """What the head of a project learns from its records as they are now."""
        corrected = corrections(lessons.corrected(workspace_id, project_id), "corrected")
        agreed = lessons.confirmed(workspace_id, project_id, MACHINES, OF_TRIAGE)
        confirmed = corrections(agreed, *OF_TRIAGE)
        declared = corrections(lessons.declared(workspace_id, project_id), "declared")
        judged = gate.without(gate.declared_sets(declared), [*corrected, *confirmed])
        return self.learn_from(corrected, confirmed, judged)

    def learn_from(
        self, corrected: list[Correction], confirmed: list[Correction], judged: list[HeldOut]
    ) -> Learnt:
        """The head that learns these, judged by these sets beside the general ones."""
        given, count = project_heads.lessons(self.model, corrected, confirmed)
        general = [*self.general, *generals(self.model, judged)]
        return project_heads.learn(self.model, given, count, self.others, general)


def generals(model: Model, sets: list[HeldOut]) -> list[General]:
    """The texts of sets, read and scored once."""
    found: list[General] = []
    for one in sets:
        texts = [read_text(row.text) for row in one.rows]
        scores = clauses.score_all(model, texts)
        for row, text, score in zip(one.rows, texts, scores, strict=True):
            found.append(General(text, score, one.task, row.label, one.name))
    return found


def learnt(wanted: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """What comes of each project, one after the other. The database and the model are connected."""
    triage.load()
    with threadpool_limits(1):  # sums in one order, and the other cores are for requests
        ground = Ground.of(triage.in_use())
        for workspace_id, project_id in wanted:
            one = ground.learn(workspace_id, project_id)
            data = None if one.data is None else base64.b64encode(one.data).decode()
            yield {"project_id": project_id, "outcome": one.document(), "data": data}


def main() -> None:
    config = Config.from_env()
    storage.open_database(config)
    active_model.connect(config.model_path)
    try:
        for found in learnt([(one.partition("/")[0], one.partition("/")[2]) for one in sys.argv[1:]]):
            print(json.dumps(found), flush=True)
    finally:
        close()


if __name__ == "__main__":
    main()
