"""docs/webhooks.md is run as it stands: its snippets take what is signed, and nothing else."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.core.config import Config
from gateway.destinations import ladder, managing
from gateway.destinations.by_kind import webhook
from gateway.destinations.kind import Delivery
from gateway.inbox import delivery_log
from models.tables import outbox
from tests.conftest import ROOT, Tenant

PAGE = (ROOT / "docs/webhooks.md").read_text()
BLOCKS = {
    f"{language} {name}".strip(): text
    for language, name, text in re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", PAGE, re.S | re.M)
}
SNIPPETS = ROOT / "gateway/inbox/snippets"
FILES = {"python": "python.txt", "python plain": "python-plain.txt", "js": "javascript.txt"}
BODY = '{"type":"feedback.created","data":{"text":"Größe 😀"}}'

Verified = Callable[[str, dict[str, str], bytes], Any]


def sent(delivery_id: str, secrets: list[str], at: int) -> dict[str, str]:
    """The headers that a delivery of BODY has at a time, in seconds."""
    with patch.object(webhook, "post", lambda url, headers, body: headers):
        headers: Any = webhook.send(Delivery(delivery_id, "https://a.test", BODY, {}, secrets, at * 1000))
    return dict(headers)


def in_python(name: str) -> Verified:
    """A block's function."""
    known: dict[str, Any] = {}
    exec(compile(BLOCKS[name], "webhooks.md", "exec"), known)  # it is ours
    verified: Verified = known["verified"]
    return verified


def in_node(folder: Path) -> Verified:
    """The same in JavaScript."""
    (folder / "verify.mjs").write_text(BLOCKS["js"])
    program = (
        'import { verified } from "./verify.mjs"; import { readFileSync } from "node:fs";'
        'const [secret, headers, body] = JSON.parse(readFileSync(0, "utf8"));'
        "console.log(JSON.stringify(verified(secret, headers, body)));"
    )
    (folder / "run.mjs").write_text(program)

    def verified(secret: str, headers: dict[str, str], body: bytes) -> Any:
        given = json.dumps([secret, headers, body.decode()])
        done = subprocess.run(
            ["node", str(folder / "run.mjs")], input=given, capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    return verified


@pytest.mark.parametrize("block", ["python", "python plain", "js"])
def test_verification(block: str, tmp_path: Path) -> None:
    """What is signed with a live secret and fresh is taken, also the first or second of two; no other."""
    if block == "js" and shutil.which("node") is None:
        pytest.skip("needs node")
    verified = in_node(tmp_path) if block == "js" else in_python(block)
    old, new, other = (webhook.new_secret() for _ in range(3))
    now = int(time.time())
    headers = sent("msg_1", [new, old], now)
    for secret in (old, new):
        assert verified(secret, headers, BODY.encode()) == json.loads(BODY)
    assert verified(other, headers, BODY.encode()) is None
    assert verified(new, headers, BODY.replace("created", "deleted").encode()) is None
    assert verified(new, {**headers, "webhook-id": "msg_2"}, BODY.encode()) is None
    stale = sent("msg_1", [new], now - 301)
    assert verified(new, stale, BODY.encode()) is None
    for name in headers:
        less = {other: value for other, value in headers.items() if other != name}
        assert verified(new, less, BODY.encode()) is None or not name.startswith("webhook-")
    for name, value in (("signature", "none"), ("signature", "v1,é"), ("timestamp", "soon")):
        assert verified(new, {**headers, f"webhook-{name}": value}, BODY.encode()) is None, value
    assert verified(new, {}, b"") is None


def test_every_block_is_run() -> None:
    """The page has no snippet that is left out here, and the inbox shows the same."""
    shown = {name: (SNIPPETS / file).read_text() for name, file in FILES.items()}
    assert shown == {name: BLOCKS[name] for name in FILES} and set(FILES.values()) == set(
        delivery_log.SNIPPETS.values()
    )
    assert set(BLOCKS) == {"sh create", "json", "python", "python plain", "js"}


def test_the_command(tenant: Tenant, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """It makes the destination that the page speaks of."""
    for name in ("database_url", "data_dir"):
        monkeypatch.setenv(f"GATEWAY_{name.upper()}", getattr(config, name))
    words = shlex.split(BLOCKS["sh create"].replace("\\\n", ""))[1:]
    done = CliRunner().invoke(main, [*words, "--json"])
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)
    assert made["events"] == ["feedback.created", "feedback.status_changed"]
    assert made["headers"] == ["Authorization"]


def test_what_the_page_says() -> None:
    """Types and numbers are those of the program."""
    table = PAGE.partition("## What is sent")[2].partition("```")[0]
    told = set(re.findall(r"`((?:feedback|destination|quarantine|run|key|spike|hook)\.\w+)`", table))
    assert told == set(outbox.TYPES)
    assert {"type", "timestamp", "workspace_id", "data"} < set(json.loads(BLOCKS["json"]))
    hours = [pause // ladder.HOUR for pause in ladder.LADDER[4:]]
    assert [*hours[:-1], "and", hours[-1]] == [2, 5, 10, 14, 20, "and", 24]
    assert "2, 5, 10, 14, 20 and 24 hours" in PAGE and len(ladder.LADDER) == 10
    assert f"{managing.MOST_AT_ONCE:,} at most" in PAGE and f"has {managing.MOST} destinations" in PAGE
