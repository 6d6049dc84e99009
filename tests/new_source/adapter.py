"""roadmap: votes of a roadmap tool. Wire format: docs/dialects/roadmap.md."""

from __future__ import annotations

from adapters.common.schemas import Payload, Text
from adapters.common.signatures import delivery, hook_adapter, shows_secret
from adapters.contract import Inbound, Signed
from adapters.contract.record import Record


class Vote(Payload):
    idea = Text(required=True)
    id = Text(required=True)


def read(inbound: Inbound) -> list[Record]:
    sent = Vote.of(inbound)
    return [Record(text=sent["idea"], external_id=sent["id"], dedupe_key=sent["id"])]


ADAPTER = hook_adapter(
    "roadmap",
    "Roadmap",
    read,
    shape=delivery("Take a vote.", {"idea": "Sort by date", "id": "1"}),
    signed=Signed(verify=shows_secret, advice="Paste {url} and {secret}."),
)
