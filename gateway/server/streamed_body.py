"""A request's body that comes while it is read: how long it may take, and how small its chunks may be."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from io import RawIOBase
from typing import Any

from gunicorn.http.errors import ParseException
from werkzeug.exceptions import BadRequest, RequestTimeout

from gateway.core.cooperative import bring

MAX_AHEAD = 65_536  # bytes of a body that is read before its request is answered; larger ones are streamed
CHUNK = 65_536  # bytes read at once
FRAMING = 2  # bytes of a body and around its chunks for each of its own; chunks of five have as many

# A streamed body is waited for as long as it keeps up this pace, and never longer than the whole.
BODY_GRACE = 10.0  # seconds before the pace counts
BODY_PACE = 16_384  # bytes a second
BODY_SECONDS = 300.0


class EndedEarly(ParseException):  # type: ignore[misc]
    """A request of which the client has not sent the rest, and will not."""


class Body(RawIOBase):
    """A body that comes while it is read, after what was read `ahead`. A chunked one has no `length`.

    `came` is the connection's, which bounds what is around its chunks. `go_on` is called before any of it is
    read, in the thread of all connections.
    """

    def __init__(
        self,
        reader: Any,
        length: int | None,
        ahead: bytes,
        came: Callable[[], int],
        go_on: Callable[[], None] | None = None,
    ) -> None:
        self._reader, self._length, self._ahead = reader, length, ahead
        self._came, self._go_on = came, go_on
        self._given = 0
        self._began = 0.0  # to be read, monotonic seconds
        self._failed = False
        self.ended = length == 0  # nothing of it will be taken for the next request

    def patience(self) -> float:
        """How many seconds its next bytes may take."""
        self._began = self._began or time.monotonic()
        allowed = min(BODY_GRACE + self._given / BODY_PACE, BODY_SECONDS)
        return self._began + allowed - time.monotonic()

    def _read(self, size: int) -> bytes:
        go_on, self._go_on = self._go_on, None
        if go_on is not None:
            go_on()
        data: bytes = self._reader.read(size)
        return data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills the buffer, in whatever thread. Raises BadRequest or RequestTimeout, then and ever after."""
        if self.ended:
            return 0
        size = min(len(buffer), CHUNK)  # not for long in the shared thread
        if self._length is not None:
            size = min(size, self._length - self._given)
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        failed, self._failed = self._failed, True
        try:
            if not data and not failed:
                data = bring(partial(self._read, size), waits=True)
            if failed or (len(data) < size and self._length is not None):
                raise EndedEarly
            if (
                self._length is None
                and self._came() > FRAMING * (self._given + len(self._ahead) + len(data)) + MAX_AHEAD
            ):
                raise BadRequest("Body comes in chunks of a few bytes.")
        except TimeoutError as error:
            raise RequestTimeout("Body came too slowly.") from error
        except (OSError, ParseException) as error:
            raise BadRequest("Body could not be read: it ended early or is malformed.") from error
        self._failed = False
        self._given += len(data)
        self.ended = self._given == self._length or not data
        buffer[: len(data)] = data
        return len(data)
