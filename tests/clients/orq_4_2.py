"""Drives orq-ai-sdk 4.2 in an environment of its own: one call as JSON per line, its outcome per line."""

import json
import sys

import httpx
from orq_ai_sdk import Orq, utils


def perform(line, requests):
    """{"options": {"server_url", "api_key"}, "args": {"field", ...}, "backoff": milliseconds or null}."""
    retries = utils.RetryConfig(
        "backoff", utils.BackoffStrategy(line["backoff"] or 0, 1000, 1.5, 20_000), True
    )
    extra = {"retries": retries} if line["backoff"] else {}

    def note(response):
        requests.append({"path": response.request.url.path, "status": response.status_code})

    with httpx.Client(event_hooks={"response": [note]}) as client:
        orq = Orq(client=client, **line["options"])
        return orq.feedback.create(**line["args"], **extra).model_dump()


for text in sys.stdin:
    outcome = {"requests": []}
    try:
        outcome["value"] = perform(json.loads(text), outcome["requests"])
    except Exception as error:
        outcome["error"] = {
            "name": type(error).__name__,
            "message": str(error),
            "status": getattr(error, "status_code", None),
            "body": getattr(error, "body", None),
        }
    print(json.dumps(outcome), flush=True)
