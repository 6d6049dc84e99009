"""roadmap: votes of a roadmap tool. Wire format: docs/dialects/roadmap.md."""

from __future__ import annotations

from adapters.common.schemas import Payload, Text
from adapters.common.signatures import accepted, refuse, shows_secret
from adapters.contract import Adapter, Door, Inbound, Signed, tolerant
from adapters.contract.record import Record


class Vote(Payload):
    idea = Text(required=True)
    id = Text(required=True)


def read(inbound: Inbound) -> list[Record]:
    sent = Vote.of(inbound)
    return [Record(text=sent["idea"], external_id=sent["id"], dedupe_key=sent["id"])]


ADAPTER = Adapter(
    name="roadmap",
    doors=(Door("/hooks/roadmap/<hook_id>", tolerant(read), accepted()),),
    refuse=refuse,
    signed=Signed(verify=shows_secret, advice="Paste {url} and {secret}."),
    owns=("/hooks/roadmap",),
)
