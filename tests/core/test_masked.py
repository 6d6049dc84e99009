"""No line of a log has what proves something, whatever said it."""

from __future__ import annotations

import io
import json
import logging
import time

import pytest

from gateway.core import log
from gateway.core.log import _JSONLines

SECRET = "kQ9x_vW3-Zr7proof"
# Every address of ours with a proof in it, also as strangers may spell it.
PATHS = (
    f"/unsubscribe/ws_1/0a1b2c/{SECRET}",
    f"/unsubscribe/ws_1/0a1b2c/{SECRET}/",
    f"//unsubscribe//ws_1//0a1b2c//{SECRET}",
    f"/unsubscribe/destinations/dst_1/{SECRET}",
    f"%2Funsubscribe%2Fdestinations%2Fdst_1%2F{SECRET}",
    f"https://gateway.example/unsubscribe/destinations/dst_1/{SECRET}?x=1",
    f"/welcome?link={SECRET}",
    f"/welcome?x=1&link={SECRET}&y=2",
    f"https://gateway.example/welcome?LINK%3D{SECRET}",
    f"/files/as_1?signature={SECRET}",
    f"https://flow.example/invoke?sp=run&sig={SECRET}",
    f"https://bucket.example/a?X-Amz-Signature={SECRET}",
)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("how", ["request", "notice", "failure", "unavailable", "message"])
def test_no_line_has_a_proof(path: str, how: str) -> None:
    """Neither a request's line nor one that quotes an address, nor a traceback, has it; all else stays."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(_JSONLines())
    before, level = log.logger.handlers[:], log.logger.level
    log.logger.handlers[:] = [handler]
    log.logger.setLevel(logging.INFO)
    try:
        if how == "request":
            log.request("POST", path, 200, time.perf_counter(), "req_1")
        elif how == "notice":
            log.notice(f"sent to {path}", "req_1", why=path)
        elif how == "unavailable":
            log.unavailable(OSError(path), "req_1")
        elif how == "message":
            log.logger.warning("a link: %s", path)
        else:
            try:
                raise ValueError(path)
            except ValueError:
                log.failure("unexpected exception", "req_1", url=path)
    finally:
        log.logger.handlers[:] = before
        log.logger.setLevel(level)
    line = written.getvalue()

    assert SECRET not in line
    assert "…" in json.loads(line).__str__()


@pytest.mark.parametrize(
    "text",
    [
        "/unsubscribe",
        "/inbox?category=bug&limit=20",
        "unsubscribed 3 of 5",
        "design=new and blink=1",
        "POST /v1/feedback 201",
    ],
)
def test_other_words_stay(text: str) -> None:
    """What proves nothing is not cut."""
    assert log.masked(text) == text
