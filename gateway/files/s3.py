"""Files in a bucket of S3, or of what speaks as it does, by the digest of their bytes.

The client is boto3's, from the extra `s3`. Its credentials are those of the environment (AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, a role, a profile).
"""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Iterable, Iterator
from functools import cached_property
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast
from urllib.parse import parse_qs, urlsplit

from gateway.files.store import CHUNK, DIGEST, Admit, Missing, Stored, admit_all, written

IN_MEMORY = 1 << 20  # bytes of a file that are collected without a temporary one
GONE = ("NoSuchKey", "404", "NotFound")
_KEY = re.compile(f"[0-9a-f]{{2}}/({DIGEST.pattern})")


class S3Store:
    """The store at s3://bucket/prefix?endpoint=https://...&region=...; all but the bucket may be left out."""

    def __init__(self, url: str) -> None:
        found = urlsplit(url)
        options = parse_qs(found.query)
        self._bucket = found.netloc
        self._prefix = f"{found.path.strip('/')}/".lstrip("/")
        self._endpoint = options.get("endpoint", [None])[-1]
        self._region = options.get("region", [None])[-1]

    @cached_property
    def _client(self) -> Any:
        """Made when it is first needed, which is after processes have forked."""
        return self._made(connect=5, read=30, attempts=3)

    @cached_property
    def _brief_client(self) -> Any:
        """For what is done within a transaction, while others wait to write: it is tried again later."""
        return self._made(connect=1, read=2, attempts=1)

    def _made(self, connect: int, read: int, attempts: int) -> Any:
        """A client with so many seconds to connect and for each read of an answer."""
        from boto3.session import Session  # an extra, and 0.3 s of every start
        from botocore.config import Config

        careful = Config(
            connect_timeout=connect,
            read_timeout=read,
            retries={"total_max_attempts": attempts},
            # Others than Amazon's own do not know its newer checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        return Session().client("s3", endpoint_url=self._endpoint, region_name=self._region, config=careful)

    def put(self, chunks: Iterable[bytes], most: int, admit: Admit = admit_all) -> Stored:
        """As Store says. The same bytes once more take the place of those that are there."""
        with SpooledTemporaryFile(IN_MEMORY) as file:
            stored = written(cast(IO[bytes], file), chunks, most)
            admit(stored)
            file.seek(0)
            self._call("put_object", Key=self._key(stored.digest), Body=file, ContentLength=stored.size)
        return stored

    def open(self, digest: str) -> Iterator[bytes]:
        """As Store says."""
        body = self._call("get_object", Key=self._key(digest))["Body"]
        chunks: Iterator[bytes] = body.iter_chunks(CHUNK)
        return chunks

    def delete(self, digest: str) -> None:
        """As Store says, within seconds or not at all."""
        self._call("delete_object", self._brief_client, Key=self._key(digest))

    def digests(self) -> Iterator[tuple[str, float]]:
        """As Store says; the seconds are by the clock of this host and of the bucket's server."""
        after: dict[str, str] = {}
        while True:
            page = self._call("list_objects_v2", Prefix=self._prefix, **after)
            for item in page.get("Contents", ()):
                if (name := _KEY.fullmatch(item["Key"].removeprefix(self._prefix))) is not None:
                    yield name[1], time.time() - item["LastModified"].timestamp()
            if not page["IsTruncated"]:
                return
            after = {"ContinuationToken": page["NextContinuationToken"]}

    def tidy(self, seconds: float) -> int:
        """As Store says: a bucket has whole objects only."""
        return 0

    def _call(self, name: str, client: Any = None, **arguments: Any) -> Any:
        """One call. Raises Missing, and OSError for whatever else went wrong."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(client or self._client, name)(Bucket=self._bucket, **arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] in GONE and "Key" in arguments:
                raise Missing(arguments["Key"].rpartition("/")[2]) from None
            raise OSError(errno.EIO, f"the bucket {self._bucket} cannot be used: {error}") from error
        except BotoCoreError as error:
            raise OSError(errno.EIO, f"the bucket {self._bucket} cannot be reached: {error}") from error

    def _key(self, digest: str) -> str:
        if not DIGEST.fullmatch(digest):
            raise Missing(digest)
        return f"{self._prefix}{digest[:2]}/{digest}"
