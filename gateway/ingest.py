"""The straight line of one POST, from the sender's bytes to the sender's answer.

Whatever a step refuses leaves through `adapter.refuse`, in the sender's own dialect (gateway.routes).
"""

from __future__ import annotations

from adapters.contract import Adapter, Door, Inbound, Reply
from gateway import triage
from gateway.core.cooperative import Together
from gateway.intake import auth, limits, store, uploads

label = Together(triage.label_all)


def ingest(adapter: Adapter, door: Door, inbound: Inbound) -> Reply:
    """Takes one delivery of feedback: who, how much, what, labelled, stored, answered."""
    caller = auth.identify(adapter, door.scope, inbound)
    limits.spend(caller, inbound)
    records = door.read(inbound)
    labels = label([(record, caller.rules_for(record.project_ref)) for record in records])
    saved = store.save(caller, adapter, inbound, records, labels)
    return door.reply(inbound, saved)


def ingest_with_files(adapter: Adapter, door: Door, sizes: uploads.Sizes, inbound: Inbound) -> Reply:
    """As `ingest`, at a door whose requests may bring files: these go into the store before it is read."""
    uploads.receive(adapter, door, sizes, inbound)
    return ingest(adapter, door, inbound)
