"""API keys: their form, their scopes, their end, and what is kept of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playhouse.test_utils import count_queries

from gateway.access.api_keys import PREFIX, digest, is_well_formed, make_key
from gateway.core.ids import now_ms
from gateway.intake import auth
from models import ApiKey, Feedback
from models.database.base import writing
from models.intake import commit
from tests.conftest import Call, Server, Tenant

pytestmark = pytest.mark.both

BODY = {"text": "The export button is hidden on small screens"}
PATH = "/gateway/v1/feedback"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_form() -> None:
    """A key is sk_live_ and at least 40 base62 characters, and no two are alike."""
    keys = {make_key() for _ in range(100)}

    assert len(keys) == 100
    for key in keys:
        words = key.removeprefix(PREFIX)
        assert key.startswith("sk_live_")
        assert len(words) >= 40
        assert words.isalnum()
        assert words.isascii()
        assert is_well_formed(key)


@given(st.integers(8, 47), st.sampled_from("0123456789abcXYZ"))
def test_one_wrong_character_is_noticed(at: int, char: str) -> None:
    """A key with one character changed is malformed."""
    key = make_key()
    changed = key[:at] + char + key[at + 1 :]

    assert is_well_formed(changed) == (changed == key)


@given(st.text())
def test_any_text_can_be_tried(text: str) -> None:
    """Words that are no key are malformed, never an error."""
    assert not is_well_formed(text)
    digest(text)


def test_malformed_key_costs_no_query(call: Call) -> None:
    """A key whose checksum is wrong is refused without asking the database; an unknown one is looked up."""
    with count_queries(only_select=True) as malformed:
        first = call("POST", PATH, json=BODY, headers=bearer(make_key()[:-1] + "!"))
    with count_queries(only_select=True) as unknown:
        second = call("POST", PATH, json=BODY, headers=bearer(make_key()))

    assert first.status_code == second.status_code == 401
    assert malformed.count == 0
    assert unknown.count == 1


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic dTpw", "bearer a b", "Token x", "sk_live_x"],
)
@pytest.mark.both(long=True)
def test_missing_or_malformed_header(call: Call, header: str) -> None:
    """FLORA tells a header that cannot be read (unauthorized) from a foreign key (invalid_api_key)."""
    path = "/api/v1/feedback"
    missing = call("POST", path, json={}, headers={"Authorization": header})
    invalid = call("POST", path, json={}, headers=bearer("sk_test_abc"))

    assert (missing.status_code, missing.json["error"]["code"]) == (401, "unauthorized")
    assert (invalid.status_code, invalid.json["error"]["code"]) == (401, "invalid_api_key")


def test_scheme_is_case_insensitive(call: Call, tenant: Tenant) -> None:
    """`bearer` and extra blanks are understood (RFC 9110)."""
    response = call("POST", PATH, json=BODY, headers={"Authorization": f"bEARER   {tenant.key} "})

    assert response.status_code == 201


@pytest.mark.parametrize(
    ("scopes", "post", "read"),
    [
        (["ingest"], 201, 403),
        (["read"], 403, 200),
        (["triage"], 403, 403),
        (["admin"], 201, 200),
        (["ingest", "read"], 201, 200),
    ],
)
def test_scopes(call: Call, new_key: Callable[..., str], scopes: list[str], post: int, read: int) -> None:
    """A key may do what its scopes say; admin may do everything."""
    headers = bearer(new_key(scopes=scopes))

    assert call("POST", PATH, json=BODY, headers=headers).status_code == post
    assert call("GET", PATH, headers=headers).status_code == read


def test_expiry(call: Call, new_key: Callable[..., str]) -> None:
    """A key ends at its time, also when it is remembered."""
    past, future = now_ms() - 1, now_ms() + 60_000

    assert call("POST", PATH, json=BODY, headers=bearer(new_key(expires_at=past))).status_code == 401
    assert call("POST", PATH, json=BODY, headers=bearer(new_key(expires_at=future))).status_code == 201


def test_nothing_of_a_key_is_kept_but_its_digest(tenant: Tenant) -> None:
    """The table holds a SHA-256 and the first characters, never the key."""
    row = ApiKey.select().dicts().first()

    assert row["digest"] == digest(tenant.key)
    assert tenant.key not in str(row)
    assert len(row["prefix"]) <= 12


def test_revocation_is_felt_when_memory_ends(
    call: Call, new_key: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A revoked key is refused as soon as the process asks the database again, within five seconds."""
    clock = [1000.0]
    monkeypatch.setattr(auth.time, "monotonic", lambda: clock[0])
    headers = bearer(new_key())
    assert call("POST", PATH, json=BODY, headers=headers).status_code == 201
    ApiKey.update(revoked_at=now_ms()).execute()
    clock[0] += 5.0

    assert auth.REMEMBERED <= 5.0
    assert call("POST", PATH, json=BODY, headers=headers).status_code == 401


def test_last_used_without_a_write_per_request(
    call: Call, new_key: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a key was last used is known to the minute and costs one write a minute."""
    clock = [1000.0]
    monkeypatch.setattr(auth.time, "monotonic", lambda: clock[0])
    headers = bearer(new_key(name="probe"))
    used = []
    for _ in range(5):
        clock[0] += 60
        assert call("GET", PATH, headers=headers).status_code == 200
        commit.flush()
        used.append(ApiKey.get(ApiKey.name == "probe").last_used_at)

    assert used[0] is not None
    assert len(set(used)) == 1


def test_a_key_is_known_while_somebody_writes(call: Call, new_key: Callable[..., str]) -> None:
    """Noting that it was used waits for no lock."""
    headers = bearer(new_key(name="probe"))
    entered, over = threading.Event(), threading.Event()

    def write() -> None:
        with writing():
            entered.set()
            over.wait(20)

    writer = threading.Thread(target=write)
    writer.start()
    assert entered.wait(20)
    try:
        assert call("GET", PATH, headers=headers).status_code == 200
        assert writer.is_alive()
    finally:
        over.set()
        writer.join()


def test_concurrent_first_use(app: object, call: Call, tenant: Tenant) -> None:
    """Many threads may show a key for the first time at once."""
    auth.forget()
    codes: list[int] = []

    def post() -> None:
        codes.append(call("POST", PATH, json=BODY).status_code)

    threads = [threading.Thread(target=post) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert codes == [201] * 16
    assert Feedback.select().count() == 16


def test_revocation_reaches_a_running_server(server: Server) -> None:
    """A key revoked by command is refused by every process of a running gateway within five seconds."""
    made = server.run("key", "create", "--scope", "read")
    with server.client() as client:
        assert client.get(PATH, headers=bearer(made["key"])).status_code == 200
        server.run("key", "revoke", made["key_id"])
        deadline = auth.time.monotonic() + 5
        statuses = []
        while auth.time.monotonic() < deadline and statuses[-20:] != [401] * 20:
            statuses.append(client.get(PATH, headers=bearer(made["key"])).status_code)

    assert statuses[-20:] == [401] * 20


def test_one_asks_for_all(call: Call, new_key: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """While one request asks the database again for a key, the others that show it go on as before."""
    clock, asked, codes = [1000.0], [0], []
    find = auth._find_key
    headers = bearer(new_key())

    def post() -> None:
        codes.append(call("POST", PATH, json=BODY, headers=headers).status_code)

    def slowly(name: str) -> Any:
        asked[0] += 1
        if asked[0] == 2:  # the first time that it is asked for again
            other = threading.Thread(target=post)
            other.start()
            other.join()
        return find(name)

    monkeypatch.setattr(auth.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(auth, "_find_key", slowly)
    post()
    clock[0] += auth.REMEMBERED - auth.EARLY
    post()

    assert (codes, asked) == ([201] * 3, [2])
