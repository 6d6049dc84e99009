"""A server that keeps a bucket in memory and speaks as much of S3 as the store needs.

It takes only requests that are signed (AWS Signature Version 4) by its key; that the signature holds is not
checked, but that the body is the one that was signed.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

KEY = "AKIATEST"
SECRET = "not-a-secret"
PAGE = 4  # objects of a listing at once


@dataclass
class Bucket:
    """Objects by key with when they were put, and the statuses that the next requests get instead."""

    url: str = ""
    objects: dict[str, tuple[bytes, datetime]] = field(default_factory=dict)
    failing: list[int] = field(default_factory=list)

    def put(self, key: str, body: bytes) -> None:
        """Keeps an object, now."""
        self.objects[key] = body, datetime.now(UTC)


class _Handler(BaseHTTPRequestHandler):
    bucket: ClassVar[Bucket]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def handle_request(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        _, name, key = [*unquote(url.path).split("/", 2), ""][:3]
        signed = self.headers.get("Authorization", "")
        if not re.fullmatch(rf"AWS4-HMAC-SHA256 Credential={KEY}/.+, Signature=[0-9a-f]{{64}}", signed):
            self.answer(403, "<Error><Code>AccessDenied</Code></Error>")
        elif self.headers["X-Amz-Content-SHA256"] != hashlib.sha256(body).hexdigest():
            self.answer(400, "<Error><Code>XAmzContentSHA256Mismatch</Code></Error>")
        elif self.bucket.failing:
            self.answer(self.bucket.failing.pop(0), "<Error><Code>InternalError</Code></Error>")
        elif name != "files":
            self.answer(404, "<Error><Code>NoSuchBucket</Code></Error>")
        elif not key:
            self.answer(200, self.listing(parse_qs(url.query)))
        elif self.command == "PUT":
            self.bucket.put(key, body)
            self.answer(200, "")
        elif self.command == "DELETE":
            self.bucket.objects.pop(key, None)
            self.answer(204, "")
        elif key not in self.bucket.objects:
            self.answer(404, "<Error><Code>NoSuchKey</Code></Error>")
        else:
            self.answer(200, self.bucket.objects[key][0])

    do_GET = do_PUT = do_DELETE = handle_request

    def listing(self, query: dict[str, list[str]]) -> str:
        after = query.get("continuation-token", [""])[0]
        prefix = query.get("prefix", [""])[0]
        keys = sorted(key for key in self.bucket.objects if key.startswith(prefix) and key > after)
        items = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.bucket.objects[key][0])}</Size>"
            f"<LastModified>{self.bucket.objects[key][1]:%Y-%m-%dT%H:%M:%S.000Z}</LastModified></Contents>"
            for key in keys[:PAGE]
        )
        more = len(keys) > PAGE
        token = f"<NextContinuationToken>{escape(keys[PAGE - 1])}</NextContinuationToken>" if more else ""
        told = f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{items}"
        return f"<ListBucketResult>{told}</ListBucketResult>"

    def answer(self, status: int, body: str | bytes) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def serving() -> Iterator[Bucket]:
    """A bucket named `files` until the block ends; `url` is where its server is."""
    bucket = Bucket()
    handler = type("Handler", (_Handler,), {"bucket": bucket})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        bucket.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield bucket
        finally:
            server.shutdown()
            thread.join()
