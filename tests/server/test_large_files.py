"""Files through a real server: streamed in, streamed out, and never as a whole in memory."""

from __future__ import annotations

import random
from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import Server, running
from tests.server.crowd import forget_peak, peak, workers

FILE = b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(10_485_760 - 8)
GROWTH = 6_000_000  # bytes, of a worker that takes or gives four of these


@pytest.fixture(name="serving", scope="module")
def _serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(
        tmp_path_factory.mktemp("files"), GATEWAY_WORKERS="1", GATEWAY_MAX_UPLOAD="50000000"
    ) as server:
        yield server


def attachments(server: Server) -> str:
    answer = httpx.post(
        f"{server.url}/gateway/v1/feedback", json={"text": "With files"}, headers=server.headers
    )
    return f"{server.url}/gateway/v1/feedback/{answer.json()['id']}/attachments"


def send(server: Server, url: str, *bodies: bytes) -> list[dict[str, str]]:
    files = [("file", (f"{number}.png", body)) for number, body in enumerate(bodies)]
    answer = httpx.post(url, files=files, headers=server.headers, timeout=60)
    assert answer.status_code == 201, answer.text
    found: list[dict[str, str]] = answer.json()["data"]
    return found


@pytest.mark.long
def test_memory_is_bounded(serving: Server) -> None:
    """Four files of 10 MiB in one request, and out again, cost a worker less than one of them."""
    url = attachments(serving)
    (small,) = send(serving, url, FILE[:2_000_000])
    assert httpx.get(serving.url + small["path"], headers=serving.headers).content == FILE[:2_000_000]
    (pid,) = workers(serving)
    forget_peak(pid)
    before = peak(pid)

    kept = send(serving, url, *(FILE[:-1] + bytes([number]) for number in range(4)))
    for number, one in enumerate(kept):
        with httpx.stream("GET", serving.url + one["path"], headers=serving.headers, timeout=60) as answer:
            assert answer.headers["Content-Length"] == str(len(FILE))
            assert answer.read() == FILE[:-1] + bytes([number])

    assert peak(pid) - before < GROWTH


def test_who_goes_away_leaves_nothing(serving: Server) -> None:
    """Half an upload is no file, and half a download ends no worker."""
    url = attachments(serving)

    def half() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        yield FILE[:3_000_000]
        raise KeyboardInterrupt

    headers = {**serving.headers, "Content-Type": "multipart/form-data; boundary=b"}
    with pytest.raises(KeyboardInterrupt):
        httpx.post(url, content=half(), headers=headers)
    assert httpx.get(url, headers=serving.headers).json()["data"] == []

    (one,) = send(serving, url, FILE)
    with httpx.stream("GET", serving.url + one["path"], headers=serving.headers) as answer:
        next(answer.iter_raw())
    again = httpx.get(serving.url + one["path"], headers=serving.headers, timeout=60)
    assert again.content == FILE
