"""A running gateway to break, and senders that keep what they were told: the tools of benchmarks.chaos."""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.load import resident

ROOT = Path(__file__).parent.parent
BACK = 5.0  # seconds within which the service must acknowledge again, without help
PAUSE = 0.02  # seconds a sender waits before it tries again


@dataclass(frozen=True)
class Dialect:
    """How a sender posts and is answered; `repeat` is the status of a second post of the same key."""

    path: str
    body_of: Callable[[str], dict[str, Any]]
    id_name: str
    repeat: int
    error: Callable[[dict[str, Any]], str]  # the message in a refusal; KeyError when it is no such


DIALECTS = (
    Dialect("/gateway/v1/feedback", lambda text: {"text": text}, "id", 201, lambda told: told["detail"]),
    Dialect(
        "/v1/feedback",
        lambda text: {"projectId": "chaos", "text": text, "page": "/"},
        "id",
        201,
        lambda told: told["error"]["message"],
    ),
    Dialect(
        "/api/v1/feedback",
        lambda text: {"kind": "bug", "summary": "Chaos", "detail": text},
        "feedback_id",
        409,
        lambda told: told["error"]["message"],
    ),
)


class Gateway:
    """`feedback-gateway serve` on one port and one database, to be killed and started again."""

    def __init__(self, directory: Path, launch: dict[str, Any] | None = None, **settings: str) -> None:
        self.directory = directory
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = ("127.0.0.1", int(free.getsockname()[1]))
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")},
            "GATEWAY_DATABASE_URL": f"sqlite:///{directory}/gateway.db",
            "GATEWAY_RATE_LIMIT": "100000000/minute",
            "GATEWAY_BIND": f"127.0.0.1:{self.address[1]}",
            "GATEWAY_LOG_LEVEL": "error",
            "LAUNCH": json.dumps(launch or {}),
            **settings,
        }
        made = subprocess.run(
            [sys.executable, "-m", "gateway.cli", "init", "--json"],
            env=self.environ,
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        self.key = json.loads(made.stdout)["key"]
        self.log = directory / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Gateway:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Starts it and waits until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.launch"],
                env=self.environ,
                cwd=ROOT,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + 60
        while self.get("/healthz")[0] != 200:
            assert self.process.poll() is None and time.monotonic() < end, self.said()
            time.sleep(PAUSE)

    def said(self) -> str:
        """The end of its log."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 2000))
            return log.read(2000).decode(errors="replace")

    def stop(self) -> int:
        """Asks it to end and returns its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def kill(self, *, everyone: bool) -> None:
        """Kills all of its processes at once, or only the one that started the others."""
        assert self.process is not None
        (os.killpg if everyone else os.kill)(self.pid, signal.SIGKILL)
        self.process.wait()

    def workers(self) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def kill_worker(self, dice: random.Random) -> None:
        """Kills one of its workers, as soon as there is one."""
        while True:
            workers = self.workers()
            with suppress(ProcessLookupError, IndexError):  # it died before; the next is not forked yet
                os.kill(dice.choice(workers), signal.SIGKILL)
                return
            time.sleep(0.001)

    def get(self, path: str) -> tuple[int, Any]:
        """The status and JSON of a GET with the key; status 0 when there is no answer."""
        try:
            with closing(http.client.HTTPConnection(*self.address, timeout=30)) as connection:
                connection.request("GET", path, headers={"Authorization": f"Bearer {self.key}"})
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            return 0, None

    def resident(self) -> float:
        """Megabytes resident in its largest process."""
        return resident(self.pid) / 1e6

    def stored(self) -> dict[str, list[str]]:
        """The ids stored for each text."""
        found: dict[str, list[str]] = {}
        with closing(sqlite3.connect(self.directory / "gateway.db", timeout=30)) as database:
            for text, record_id in database.execute("SELECT text, id FROM feedback"):
                found.setdefault(text, []).append(record_id)
        return found


@dataclass
class Tally:
    """What senders saw: ids by text (empty when only told that it is there), and everything that was odd."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)  # texts given up without an answer
    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0  # requests without an answer
    odd: list[str] = field(default_factory=list)
    last: float = field(default_factory=time.monotonic)  # acknowledgement
    gap: float = 0.0  # longest seconds between two
    slowest_refusal: float = 0.0  # seconds


class Senders:
    """Threads that post texts with an Idempotency-Key each, again and again until they are acknowledged."""

    def __init__(self, gateway: Gateway, threads: int = 8, padding: int = 0) -> None:
        self.gateway = gateway
        self.tally = Tally()
        self.padding = " x" * (padding // 2)
        self._numbers = count()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(threads)]

    def __enter__(self) -> Senders:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> Tally:
        """Lets every sender finish its try."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        return self.tally

    def wait(self, more: int, seconds: float = 60.0) -> None:
        """Waits until so many more posts are acknowledged."""
        wanted = len(self.tally.acknowledged) + more
        end = time.monotonic() + seconds
        while len(self.tally.acknowledged) < wanted and time.monotonic() < end:
            time.sleep(0.002)

    def text_of(self, number: int) -> str:
        word = "".join(chr(97 + int(digit)) for digit in str(number))  # digits make no difference to reach
        return f"Report {number} of {word}, on a day on which much breaks{self.padding}"

    def request_of(self, number: int) -> bytes:
        """The bytes of a post, for who sends them without these threads."""
        dialect = DIALECTS[number % len(DIALECTS)]
        body = json.dumps(dialect.body_of(self.text_of(number)))
        head = "".join(f"{name}: {value}\r\n" for name, value in self._headers(number).items())
        return (
            f"POST {dialect.path} HTTP/1.1\r\nHost: g\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def send_again(self, most: int) -> None:
        """Posts some acknowledged texts once more with their keys: nothing new may come of it."""
        for text in list(self.tally.acknowledged)[-most:]:
            number = int(re.findall(r"\d+", text)[0])
            end = time.monotonic() + BACK
            status = 503  # workers notice one after the other that the database is back
            while status == 503 and time.monotonic() < end:
                with closing(http.client.HTTPConnection(*self.gateway.address, timeout=30)) as connection:
                    dialect, status, told, _ = self._post(connection, number)
                self.tally.statuses[status] += 1
            known = self.tally.acknowledged[text]
            if status != dialect.repeat or (status == 201 and known and told.get(dialect.id_name) != known):
                self.tally.odd.append(f"sent again: {status} {told}")

    def _work(self) -> None:
        connection = http.client.HTTPConnection(*self.gateway.address, timeout=30)
        while not self._stopped.is_set():
            with self._lock:
                number = next(self._numbers)
            text = self.text_of(number)
            self.tally.unsure.add(text)
            while not self._acknowledged(connection, number, text):
                if self._stopped.wait(PAUSE):
                    break
        connection.close()

    def _acknowledged(self, connection: http.client.HTTPConnection, number: int, text: str) -> bool:
        begun = time.monotonic()
        try:
            dialect, status, told, headers = self._post(connection, number)
        except ConnectionRefusedError:  # nobody is there
            connection.close()
            return False
        except (OSError, http.client.HTTPException):
            connection.close()
            self.tally.broken += 1
            return False
        now = time.monotonic()
        with self._lock:
            tally = self.tally
            tally.statuses[status] += 1
            if status in (201, dialect.repeat):
                tally.acknowledged[text] = told.get(dialect.id_name, "")
                tally.unsure.discard(text)
                tally.gap, tally.last = max(tally.gap, now - tally.last), now
                return True
            tally.slowest_refusal = max(tally.slowest_refusal, now - begun)
            try:
                fine = status in (409, 503) and dialect.error(told) and int(headers["Retry-After"]) > 0
            except (KeyError, TypeError):
                fine = False
            if not fine:
                tally.odd.append(f"{status} {told}")
        return False

    def _post(
        self, connection: http.client.HTTPConnection, number: int
    ) -> tuple[Dialect, int, dict[str, Any], Any]:
        dialect = DIALECTS[number % len(DIALECTS)]
        body = json.dumps(dialect.body_of(self.text_of(number)))
        connection.request("POST", dialect.path, body, self._headers(number))
        answer = connection.getresponse()
        return dialect, answer.status, json.loads(answer.read()), answer.headers

    def _headers(self, number: int) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.gateway.key}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"key-{number}",
        }
