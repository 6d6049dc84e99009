"""What is wrong with a key, a signature, a password or a link: nobody learns it from how it is found out."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from argon2 import extract_parameters
from argon2.exceptions import VerifyMismatchError
from flask import Flask

from gateway.access import api_keys, users
from gateway.core.ids import now_ms
from gateway.intake import auth
from gateway.rate_limits import auth_failures
from models import ApiKey
from models.tables.user import Invite, User
from tests import remembered
from tests.conftest import ROOT, Call, Tenant

# Comparisons in which no secret is guessed: words, and what is looked up by a digest of 200 random bits.
OPEN = {
    "gateway/access/api_keys.py": {"_checksum"},  # of a typo
    **{
        f"gateway/destinations/{name}.py": {"state"}
        for name in ("alarms", "deliveries", "fan_out", "managing", "notifying", "sender")
    },
    "gateway/api/digest/figures.py": {"state"},  # of a destination
    "gateway/inbox/delivery_log.py": {"state"},  # of a delivery
    "gateway/runs/callbacks.py": {"state"},  # what became of them, as of deliveries
    "gateway/intake/idempotency.py": {"digest", "key"},  # of a caller's own body
    "gateway/triage/training/heldout.py": {"digest"},  # of texts to learn from
}
SECRET = re.compile(r"secret|signature|token|digest|proof|password|hashed|hmac|nonce|verifier|\bstate\b")


class Steps:
    """What is done to find out about a key, in order."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        for module, name in (
            (auth, "find_key"),
            (auth, "digest"),
            (auth_failures, "check"),
            (auth_failures, "note"),
        ):
            patch.setattr(module, name, self._told(name, getattr(module, name)))
        patch.setattr(auth, "is_well_formed", self._told("is_well_formed", api_keys.is_well_formed))

    def _told(self, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def told(*args: Any, **more: Any) -> Any:
            self.done.append(name)
            return act(*args, **more)

        return told

    def taken(self) -> list[str]:
        self.done, done = [], self.done
        return done


def test_a_key_that_opens_nothing_says_nothing(
    call: Call, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that never was, one with another's beginning, a revoked and an expired one take the same steps."""
    key_id, revoked = api_keys.create_key(tenant.workspace_id)
    ApiKey.update(revoked_at=now_ms()).where(ApiKey.id == key_id).execute()
    _, expired = api_keys.create_key(tenant.workspace_id, expires_at=now_ms() - 1)
    # The shown beginning of a good key, then other words with a checksum that is right.
    begun = tenant.key[: len(api_keys.PREFIX) + 8] + "0" * 26
    near = begun + api_keys._checksum(begun)
    assert api_keys.is_well_formed(near)
    steps = Steps(monkeypatch)
    told = []
    for key in (api_keys.make_key(), near, revoked, expired):
        for _ in range(2):  # nothing is remembered of a key that opens nothing
            answer = call("GET", "/gateway/v1/feedback", headers={"Authorization": f"Bearer {key}"})
            told.append((answer.status_code, {**answer.json, "instance": ""}, steps.taken()))

    assert all(said == told[0] for said in told)
    assert told[0][0] == 401
    assert told[0][2] == ["digest", "check", "is_well_formed", "find_key", "note"]


@pytest.fixture(name="hashed")
def _hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that passwords are tried against, or "new"; nothing is really hashed."""
    hashed: list[str] = []

    class Hasher:
        def verify(self, stored: str, given: bytes) -> bool:
            hashed.append(stored)
            raise VerifyMismatchError

        def hash(self, given: bytes) -> str:
            hashed.append("new")
            return users._NOBODY

    monkeypatch.setattr(users, "_hasher", Hasher())
    return hashed


def test_who_has_an_account(app: Flask, tenant: Tenant, hashed: list[str]) -> None:
    """A password costs one hash of the same size, whether the address is known, without one or shut out."""
    real = users._hasher.hash(b"")
    hashed.clear()
    for name in ("known", "gone", "elsewhere"):
        users.create_user(tenant.workspace_id, f"{name}@a.test", name, "viewer")
        User.update(password=None if name == "elsewhere" else real).where(User.name == name).execute()
    User.update(disabled_at=1).where(User.name == "gone").execute()
    for name in ("known", "gone", "elsewhere", "nobody"):
        assert users.with_password(f"{name}@a.test", "x" * 40) is None

    assert hashed == [real] * 4  # as which nobody's is tried, too
    ours = (users.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)).hash("x")
    assert extract_parameters(remembered.NOBODY) == extract_parameters(ours)


def test_which_link_was_made(app: Flask, tenant: Tenant, hashed: list[str]) -> None:
    """A link that never was, that is used or over costs the hash of one that works."""
    used = users.create_link(tenant.workspace_id, "viewer", email="a@a.test")
    over = users.create_link(tenant.workspace_id, "viewer", email="b@a.test", ms=-1)
    Invite.update(used_at=1).where(Invite.digest == users.digest(used)).execute()
    said = set()
    for token in ("never was", used, over):
        with pytest.raises(users.PeopleError) as caught:
            users.use_link(token, email="c@a.test", name="C", password="a long password")
        said.add(str(caught.value))

    assert hashed == ["new"] * 3
    assert len(said) == 1


def compared() -> Iterator[tuple[str, int, str]]:
    """Every == and != of the code that names a secret: file, line, text. The database compares columns."""
    for path in sorted(path for part in ("gateway", "adapters") for path in (ROOT / part).rglob("*.py")):
        where = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
                continue
            sides = [node.left, *node.comparators]
            if any(isinstance(side, ast.Constant) for side in sides):
                continue
            words = " ".join(_names(side) for side in sides)
            column = isinstance(node.left, ast.Attribute) and isinstance(node.left.value, ast.Name)
            column = column and node.left.value.id[:1].isupper()  # type: ignore[attr-defined]
            if SECRET.search(words) and not column and not (OPEN.get(where, set()) & set(words.split())):
                yield where, node.lineno, ast.unparse(node)


def _names(side: ast.expr) -> str:
    """The names in an expression, the keys of its subscripts too."""
    found = [
        getattr(node, "id", getattr(node, "attr", getattr(node, "value", ""))) for node in ast.walk(side)
    ]
    return " ".join(reversed([name for name in found if isinstance(name, str)]))


def test_secrets_are_compared_in_constant_time() -> None:
    """No secret, signature, token or proof is compared by == anywhere."""
    assert list(compared()) == []
