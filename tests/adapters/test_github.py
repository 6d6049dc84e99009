"""GitHub: signatures over raw bodies, the quirks of its payloads, and no crash on any JSON."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Hook, Inbound
from adapters.contract.record import Record
from adapters.github import ADAPTER, read
from tests.adapters.test_adapters import CASES, inbound_of, shown
from tests.conftest import SHARED

SECRET = "kR7-github-secret"
HOOK = Hook("hk_test", "github", (SECRET,))
SAMPLES = SHARED / "samples" / "github"
REQUESTS = {
    path.stem: json.loads(path.read_text())["request"] for path in CASES if path.parent.name == "github"
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def signature(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def verified(body: bytes, given: str | None, hook: Hook = HOOK) -> bool:
    assert ADAPTER.signed
    headers = {} if given is None else {"x-hub-signature-256": given}
    try:
        return ADAPTER.signed.verify(Inbound("POST", "/", headers, body), hook)
    except Exception:
        return False


def read_event(event: str, sent: Any, **options: Any) -> list[Record]:
    return read(Inbound("POST", "/", {"x-github-event": event}, json.dumps(sent).encode(), options=options))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value at any depth."""
    names = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [path, *(inner for name in names for inner in places(value[name], (*path, name)))]


def with_value(sent: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    sent = copy.deepcopy(sent)
    parent = sent
    for name in path[:-1]:
        parent = parent[name]
    parent[path[-1]] = value
    return sent


def test_good_signature() -> None:
    """GitHub's published vector and a signed form are good."""
    hook = Hook("hk", "github", ("It's a Secret to Everybody",))
    published = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    form = urlencode({"payload": '{"zen": "x & y"}'}).encode()

    assert verified(b"Hello, World!", published, hook)
    assert verified(form, signature(form))


def test_two_live_secrets() -> None:
    """While secrets are rotated both are good; afterwards only the new one."""
    rotating = Hook("hk", "github", ("new", SECRET))

    assert verified(b"{}", signature(b"{}", "new"), rotating)
    assert verified(b"{}", signature(b"{}"), rotating)
    assert not verified(b"{}", signature(b"{}"), Hook("hk", "github", ("new",)))


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "sha256=",
        signature(b"{}")[7:],
        signature(b"{}").replace("sha256", "sha1"),
        signature(b"{}", "wrong"),
        signature(b"{}")[:-1],
        signature(b"{}")[:-1] + "é",
        signature(b"{} "),
        "\udc80",
        "sha1=" + hmac.new(SECRET.encode(), b"{}", hashlib.sha1).hexdigest(),
    ],
)
def test_bad_signature(given: str | None) -> None:
    """A missing, malformed, foreign or non-ASCII signature is never good."""
    assert not verified(b"{}", given)


def test_flipped_byte() -> None:
    """One flipped bit of the body spoils its signature."""
    body = b'{"action": "opened"}'
    given = signature(body)

    for at in range(len(body)):
        flipped = bytearray(body)
        flipped[at] ^= 1
        assert not verified(bytes(flipped), given)


def test_sha1_header_is_not_looked_at() -> None:
    """The old SHA-1 signature alone proves nothing."""
    assert ADAPTER.signed
    old = "sha1=" + hmac.new(SECRET.encode(), b"{}", hashlib.sha1).hexdigest()

    assert not ADAPTER.signed.verify(Inbound("POST", "/", {"x-hub-signature": old}, b"{}"), HOOK)


def test_form_and_json_are_the_same() -> None:
    """A form-encoded delivery becomes what the same delivery becomes as JSON."""
    sent = REQUESTS["issue_opened"]["json"]
    body = urlencode({"payload": json.dumps(sent)}).encode()

    assert read(Inbound("POST", "/", {"x-github-event": "issues"}, body)) == read_event("issues", sent)


@pytest.mark.parametrize(
    "body", [b"payload=", b"payload=%7B", b"payload=%FF%FE", b"payload=\xff", b"a=1&payload={}"]
)
def test_broken_form_is_kept_as_unreadable(body: bytes) -> None:
    """A form without one JSON payload goes to quarantine."""
    (record,) = ADAPTER.doors[0].read(Inbound("POST", "/", {"x-github-event": "issues"}, body))

    assert record.unreadable


def test_an_edit_finds_the_issue_whatever_comes_first() -> None:
    """Opening, editing, labelling and deleting speak of one key, closing and reopening have their own."""
    keys = {
        name: read_event("issues", REQUESTS[f"issue_{name}"]["json"])[0].dedupe_key
        for name in (
            "opened",
            "edited",
            "labeled",
            "deleted",
            "transferred",
            "closed_as_completed",
            "reopened",
        )
    }
    itself = {keys.pop(name) for name in ("opened", "edited", "labeled", "deleted", "transferred")}

    assert itself == {"issue:6001"}
    assert len(set(keys.values())) == 2


@pytest.mark.parametrize(
    ("label", "severity"),
    [
        ("P1", 5),
        ("critical", 5),
        ("severity: high", 4),
        ("priority/medium", 3),
        ("sev2", 4),
        ("Priority 1", 5),
        ("low priority", 2),
        ("info", 1),
        ("bug", None),
        ("highlight", None),
        ("high-memory", None),
        ("1", None),
        ("v1", None),
    ],
)
def test_labels_say_severity(label: str, severity: int | None) -> None:
    """Labels that name a severity set it; others do not."""
    sent = with_value(REQUESTS["issue_opened"]["json"], ("issue", "labels"), [{"name": label}])

    assert read_event("issues", sent)[0].severity == severity


def test_a_fork_of_names() -> None:
    """The same workflow on another branch, and another workflow on the same branch, are other stories."""
    sent = REQUESTS["run_failed"]["json"]
    branch = with_value(sent, ("workflow_run", "head_branch"), "next")
    workflow = with_value(sent, ("workflow_run", "workflow_id"), 4411)

    assert len({read_event("workflow_run", s)[0].incident_key for s in (sent, branch, workflow)}) == 3


def test_null_branch_is_not_the_default_branch() -> None:
    """A run without a branch in a repository without a default branch is not grave."""
    sent = with_value(REQUESTS["run_failed"]["json"], ("workflow_run", "head_branch"), None)
    sent = with_value(sent, ("repository", "default_branch"), None)

    assert read_event("workflow_run", sent)[0].severity == 3


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_json_anywhere(data: st.DataObject) -> None:
    """Whatever stands anywhere in a payload, it becomes records that are JSON, or is kept as unreadable."""
    request = data.draw(st.sampled_from([r for r in REQUESTS.values() if "json" in r]))
    path = data.draw(st.sampled_from(places(request["json"])))
    sent = with_value(request["json"], path, data.draw(JSON))
    inbound = inbound_of({**request, "json": sent})

    for record in ADAPTER.doors[0].read(inbound):
        json.dumps(shown(record))
        told = record.dedupe_key and record.incident_key and record.state
        assert record.unreadable or told or (record.retracts and (record.dedupe_key or record.comment))
        assert len(record.title) <= 200
        assert "\n" not in record.title


needs_samples = pytest.mark.skipif(not SAMPLES.exists(), reason="no collection of recorded payloads here")


def sample(name: str) -> list[Record]:
    event = next(
        e
        for e in (
            "workflow_run",
            "workflow_job",
            "issue_comment",
            "discussion_comment",
            "issues",
            "discussion",
            "ping",
        )
        if name.startswith(e)
    )
    return read_event(event, json.loads((SAMPLES / f"{name}.json").read_text()))


@needs_samples
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "workflow_run_completed_failure",
            (4, "triggered", "300029405:2823525:master", "run:289782451:1:failure", 1601915629000),
        ),
        (
            "workflow_run_completed_success",
            (None, "resolved", "300029405:2823525:master", "run:289782451:1:success", 1601915629000),
        ),
        ("issues_opened", (None, "triggered", "MDU6SXNzdWU0NDQ1MDAwNDE=", "issue:444500041", 1557933618000)),
        ("issues_labeled", (None, "triggered", "MDU6SXNzdWU0NDQ1MDAwNDE=", "issue:444500041", 1557933618000)),
        (
            "issue_comment_created",
            (None, "note", "MDU6SXNzdWU0NDQ1MDAwNDE=", "issue_comment:492700400:created", 1557933621000),
        ),
        (
            "discussion_comment_created",
            (
                None,
                "note",
                "MDEwOkRpc2N1c3Npb24zMjk5NjE0",
                "discussion_comment:550062:created",
                1617135690000,
            ),
        ),
        (
            "discussion_answered",
            (
                None,
                "resolved",
                "MDEwOkRpc2N1c3Npb24zMjk5NjE0",
                "discussion:3299614:answered:1617146238000",
                1617146238000,
            ),
        ),
    ],
)
def test_samples(name: str, expected: tuple[Any, ...]) -> None:
    """Real deliveries become what the contract's table says."""
    (record,) = sample(name)

    assert (
        record.severity,
        record.state,
        record.incident_key,
        record.dedupe_key,
        record.occurred_at,
    ) == expected


@needs_samples
def test_sample_titles() -> None:
    """The titles, authors and tags of real deliveries."""
    (run,) = sample("workflow_run_completed_failure")
    (issue,) = sample("issues_labeled")
    (comment,) = sample("issue_comment_created")
    (reopened,) = sample("issues_reopened")

    assert run.title.endswith(": test failed on master")
    assert (run.type, run.author.name) == ("ci", "Codertocat")
    assert run.subject["url"] == "https://github.com/octo-org/octo-repo/actions/runs/289782451"
    assert (issue.title, issue.tags) == ("Spelling error in the README file", ("bug",))
    assert comment.title == "Re: Spelling error in the README file"
    assert reopened.state == "triggered"


@needs_samples
@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_every_sample_is_recorded_or_ignored(path: Any) -> None:
    """What is ignored is a choice; nothing real is unreadable."""
    ignored = {"ping", "workflow_run_requested"}

    assert bool(sample(path.stem)) == (path.stem not in ignored and not path.stem.startswith("workflow_job"))


@needs_samples
@pytest.mark.parametrize("name", ["github", "github_form"])
def test_vectors(name: str) -> None:
    """The recorded signatures are good."""
    vector = json.loads((SHARED / "samples" / "_vectors" / f"{name}.json").read_text())

    hook = Hook("hk", "github", (vector["secret"],))
    assert verified(vector["body"].encode(), vector["X-Hub-Signature-256"], hook)
