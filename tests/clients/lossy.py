"""A proxy that loses answers: the gateway stores the request, the sender never hears of it."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

OF_THE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@dataclass
class Lossy:
    """`lose` answers are lost, then all are passed on.

    With a `status` the sender is told that instead, as by a proxy whose own wait ended; without one
    its connection is cut. `statuses` are what the gateway answered.
    """

    target: str
    url: str = ""
    lose: int = 1
    status: int | None = None
    headers: list[dict[str, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def forward(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[Any, bytes, bool]:
        """The gateway's answer, and whether it is to be lost."""
        connection = http.client.HTTPConnection(urlsplit(self.target).netloc, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        with self.lock:
            self.headers.append({name.lower(): value for name, value in headers.items()})
            self.statuses.append(answer.status)
            lost = self.lose > 0
            self.lose -= lost
        return answer, content, lost


@contextmanager
def losing(target: str) -> Iterator[Lossy]:
    """A lossy proxy in front of `target` until the block ends."""
    lossy = Lossy(target)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            answer, content, lost = lossy.forward("POST", self.path, dict(self.headers), body)
            if not lost:
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in OF_THE_CONNECTION:
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
            elif lossy.status is not None:
                self.send_response(lossy.status)
                self.send_header("content-type", "text/html")
                self.end_headers()
                self.wfile.write(b"<h1>No answer in time</h1>")
            else:
                self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as front:
        lossy.url = f"http://127.0.0.1:{front.server_port}"
        thread = threading.Thread(target=front.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield lossy
        finally:
            front.shutdown()
            thread.join()
