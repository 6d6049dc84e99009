"""Senders of batches, which repeat a batch with its key until every item of it is acknowledged."""

from __future__ import annotations

import http.client
import json
import time
from contextlib import closing
from typing import Any

from benchmarks.senders import BACK, Gateway, Senders

SIZE = 600  # items of a batch, of which the gateway stores some at a time
PATH = "/gateway/v1/feedback/batch"


class BatchSenders(Senders):
    """Threads that post batches; a batch has a number, and its items have numbers of their own."""

    def __init__(self, gateway: Gateway, threads: int = 3) -> None:
        super().__init__(gateway, threads)
        self.done: dict[int, list[Any]] = {}  # number of a batch -> what was told of its items

    def texts_of(self, number: int) -> list[str]:
        return [self.text_of(number * SIZE + place) for place in range(SIZE)]

    def send_again(self, most: int) -> None:
        """Posts some acknowledged batches once more with their keys: nothing new may come of it."""
        for number in list(self.done)[-max(1, most // SIZE) :]:
            end = time.monotonic() + BACK
            status, told = 503, {}
            while status == 503 and time.monotonic() < end:
                with closing(http.client.HTTPConnection(*self.gateway.address, timeout=60)) as connection:
                    status, told = self._send(connection, number)
            if status != 200 or [item.get("id") for item in told["data"]] != self.done[number]:
                self.tally.odd.append(f"batch sent again: {status} {str(told)[:200]}")

    def _acknowledged(self, connection: http.client.HTTPConnection, number: int, text: str) -> bool:
        texts = self.texts_of(number)
        self.tally.unsure.discard(text)
        self.tally.unsure.update(texts)
        try:
            status, told = self._send(connection, number)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            self.tally.broken += not isinstance(error, ConnectionRefusedError)
            return False
        with self._lock:
            self.tally.statuses[status] += 1
            if status != 200:
                if status not in (409, 503):
                    self.tally.odd.append(f"{status} {str(told)[:200]}")
                return False
            items = told["data"]
            self.tally.odd += [str(item) for item in items if item["status"] not in (200, 201, 503)]
            stored = [(text, item["id"]) for text, item in zip(texts, items, strict=True) if "id" in item]
            self.tally.acknowledged.update(stored)
            if len(stored) < SIZE:
                return False
            self.tally.unsure.difference_update(texts)
            self.done[number] = [item["id"] for item in items]
            now = time.monotonic()
            self.tally.gap, self.tally.last = max(self.tally.gap, now - self.tally.last), now
        return True

    def _send(self, connection: http.client.HTTPConnection, number: int) -> tuple[int, dict[str, Any]]:
        body = json.dumps([{"text": text} for text in self.texts_of(number)])
        connection.request("POST", PATH, body, self._headers(number))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
