"""Records that say the same in nearly the same words: found, and heard more."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.projects import create_project
from gateway.background import similar
from gateway.background.keywords import words
from gateway.background.lease import run_once
from gateway.background.minhash import ALIKE, BANDS, keys, pieces, similarity
from gateway.core.ids import id_at, now_ms
from models import Feedback, Job, Signature, SignatureKey, migrations
from models.database.base import database, writing
from models.tables import similarity as signature
from tests.alike import blocks
from tests.conftest import Call, Tenant
from tests.intake.test_repeat_reports import post, reach

both = pytest.mark.both
BLOCKS = blocks()


def keep_up() -> None:
    """What the background worker does, now."""
    Job.update(due_at=0).execute()
    assert run_once(similar.KEEP_UP)
    assert Job.get_by_id("similar").due_at > 0


def alike(call: Call, feedback_id: str, query: str = "", **more: Any) -> Any:
    return call("GET", f"/gateway/v1/feedback/{feedback_id}/similar{query}", **more)


def test_same_complaints_are_alike_and_others_not() -> None:
    """Order, typos, greetings, signatures and numbers leave texts alike; other complaints are not."""
    known = [(number, pieces(words(text))) for number, block in enumerate(BLOCKS) for text in block]
    pairs = [(a[0] == b[0], similarity(a[1], b[1]) >= ALIKE) for a, b in itertools.combinations(known, 2)]
    right = sum(same and found for same, found in pairs)

    assert right / sum(found for _, found in pairs) >= 0.99
    assert right / sum(same for same, _ in pairs) >= 0.97


def test_alike_texts_share_a_key() -> None:
    """Nearly all alike texts have a key in common, few others do, and none across workspaces."""
    known = [(number, set(keys("ws", words(text)))) for number, block in enumerate(BLOCKS) for text in block]
    pairs = [(a[0] == b[0], bool(a[1] & b[1])) for a, b in itertools.combinations(known, 2)]
    others = [found for same, found in pairs if not same]

    assert sum(same and found for same, found in pairs) / (len(pairs) - len(others)) >= 0.95
    assert sum(others) / len(others) <= 0.01
    assert not set(keys("ws", words(BLOCKS[0][0]))) & set(keys("other", words(BLOCKS[0][0])))


def test_keys_are_the_same_for_ever() -> None:
    """The keys of a text do not depend on process, platform or release: they are stored."""
    made = keys("ws_1", words("The invoice download fails since yesterday"))

    assert made[:3] == [6950564347837299443, 2512281326167969405, -6161742736964373953]
    assert len(set(made)) == BANDS


@given(st.text(), st.text())
def test_any_text(one: str, other: str) -> None:
    """Any text has keys or none; similarity is symmetric, between 0 and 1, and 1 for the same words."""
    first, second = pieces(words(one)), pieces(words(other))

    assert len(keys("ws", words(one))) in (0, BANDS)
    assert 0 <= similarity(first, second) == similarity(second, first) <= 1
    assert similarity(first, first) == (1 if first else 0)


@both
def test_similar(call: Call) -> None:
    """A record's near-duplicates, best first, also in `expand`; other records are none."""
    block, other = BLOCKS[0], BLOCKS[1]
    made = [call("POST", "/gateway/v1/feedback", json={"text": text}).json for text in (*block, *other)]
    keep_up()
    found = alike(call, made[0]["id"]).json
    scores = [item["score"] for item in found["data"]]
    shown = call("GET", f"/gateway/v1/feedback/{made[0]['id']}?expand=similar").json["similar"]

    assert {item["id"] for item in found["data"]} == {record["id"] for record in made[1 : len(block)]}
    assert found["data"][0]["title"] in block
    assert scores == sorted(scores, reverse=True) and all(ALIKE <= score <= 1 for score in scores)
    assert (shown, found["next_cursor"]) == (found["data"], None)
    assert alike(call, made[0]["id"], "?limit=1").json["data"] == found["data"][:1]


@both
def test_a_new_record_knows_its_like_at_once(call: Call) -> None:
    """A record that has no signature yet is compared with those that have one; it is found itself after."""
    first, second = (post(call, text) for text in BLOCKS[2][:1] * 2)
    Signature.delete().execute()
    assert alike(call, first["id"]).json["data"] == []
    keep_up()
    third = post(call, BLOCKS[2][1])

    assert {item["id"] for item in alike(call, third["id"]).json["data"]} == {first["id"], second["id"]}
    assert third["id"] not in {item["id"] for item in alike(call, first["id"]).json["data"]}
    keep_up()
    assert third["id"] in {item["id"] for item in alike(call, first["id"]).json["data"]}


@both
def test_what_is_not_shown(call: Call, tenant: Tenant, other: Tenant, new_key: Any) -> None:
    """Another workspace's records, another project's, and those taken back are not shown."""
    text = BLOCKS[3][0]
    mine = post(call, text)
    theirs = post(call, text, headers=other.headers)
    project = create_project(tenant.workspace_id, "Second", 1)
    key = {"Authorization": f"Bearer {new_key(project)}"}
    second = post(call, text, headers=key)
    keep_up()

    assert [item["id"] for item in alike(call, mine["id"]).json["data"]] == [second["id"]]
    assert alike(call, second["id"], headers=key).json["data"] == []
    assert alike(call, theirs["id"]).status_code == 404
    Feedback.update(retracted_at=1).where(Feedback.id == second["id"]).execute()
    assert alike(call, mine["id"]).json["data"] == []


@both
def test_erased_and_changed_records(call: Call) -> None:
    """With a record its signature is gone; a record that says something else is signed anew."""
    first, second, third = (post(call, text) for text in (BLOCKS[4][0], BLOCKS[4][1], BLOCKS[5][0]))
    keep_up()
    Feedback.delete().where(Feedback.id == first["id"]).execute()
    changed = {"title": BLOCKS[5][1], "text": BLOCKS[5][1], "updated_at": Feedback.updated_at + 1}
    Feedback.update(changed).where(Feedback.id == second["id"]).execute()
    keep_up()

    assert Signature.select().count() == 2
    assert SignatureKey.select().count() == 2 * BANDS
    assert [item["id"] for item in alike(call, third["id"]).json["data"]] == [second["id"]]


@both
def test_late_records_are_not_forgotten(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record stored after younger ones were signed is signed, too; in many small steps as in one."""
    monkeypatch.setattr(similar, "TOGETHER", 2)
    made = [post(call, text) for text in (*BLOCKS[6], *BLOCKS[7])]
    Feedback.update(type="alert").where(Feedback.id == made[0]["id"]).execute()  # as if it were not there yet
    keep_up()
    assert Signature.select().count() == len(made) - 1
    Feedback.update(type="message").where(Feedback.id == made[0]["id"]).execute()
    keep_up()

    assert Signature.select().count() == len(made)


@pytest.mark.parametrize(
    ("query", "fields"),
    [("?limit=0", {"limit"}), ("?limit=51", {"limit"}), ("?what=1&limit=x", {"what", "limit"})],
)
def test_bad_parameters(call: Call, query: str, fields: set[str]) -> None:
    """Bad parameters are named, all at once."""
    answer = alike(call, post(call)["id"], query)

    assert answer.status_code == 400
    assert {fault["field"] for fault in answer.json["errors"]} == fields


@both
def test_near_duplicates_raise_reach(call: Call) -> None:
    """The same complaint from 2 and 5 people in other words raises all of them, and says so."""
    texts = [
        "The invoice list stays empty",
        "Hi, the invoice list stays emtpy. Thanks",
        "The invoices list stays empty!",
    ]
    made = [post(call, text, author=f"u{number}") for number, text in enumerate(texts)]
    again = post(call, "invoice list stays quite empty", author="u2")
    assert [reach(record) for record in (*made, again)] == [0] * 4
    keep_up()
    shown = [call("GET", f"/gateway/v1/feedback/{record['id']}").json for record in (*made, again)]

    assert [reach(record) for record in shown] == [1] * 4
    assert [record["impact"] for record in shown] == [record["impact"] + 1 for record in (*made, again)]
    assert "nearly the same words by at least 2 people" in str(shown[0]["impact_reasons"])
    more = [post(call, f"{text} indeed", author=f"v{number}") for number, text in enumerate(texts[:2])]
    keep_up()
    assert {reach(call("GET", f"/gateway/v1/feedback/{record['id']}").json) for record in made + more} == {2}


@both
@pytest.mark.parametrize("reworded", [False, True])
def test_stopped_between_any_two_transactions(
    call: Call, monkeypatch: pytest.MonkeyPatch, reworded: bool
) -> None:
    """Wherever the work was cut short, who goes on raises what had been signed already."""
    monkeypatch.setattr(similar, "TOGETHER", 2)
    for stopped_after in itertools.count(1):
        texts = [f"{begin} list {stopped_after} stays empty" for begin in ("The invoice", "invoices")]
        made = [post(call, "Quite other words" if reworded else texts[0], author="u0")]
        keep_up()
        made.append(post(call, texts[1], author="u1"))
        if reworded:
            changed = {"title": texts[0], "text": texts[0]}
            Feedback.update(changed).where(Feedback.id == made[0]["id"]).execute()
        turns = iter([False] * stopped_after)
        Job.update(due_at=0).execute()
        run_once(similar.KEEP_UP, lambda turns=turns: next(turns, True))
        whole = next(turns, None) is not None
        keep_up()

        assert {reach(call("GET", f"/gateway/v1/feedback/{record['id']}").json) for record in made} == {1}
        if whole:
            break


@both
def test_one_person_is_not_many(call: Call) -> None:
    """The same person in other words is one report, and old reports do not count."""
    first = post(call, "The invoice list stays empty", author="u0")
    post(call, "Hello, the invoices list stays empty", author="u0")
    old = post(call, "invoice list stays quite empty", author="u1")
    Feedback.update(received_at=Feedback.received_at - 8 * 86_400_000).where(
        Feedback.id == old["id"]
    ).execute()
    keep_up()

    assert reach(call("GET", f"/gateway/v1/feedback/{first['id']}").json) == 0


@both
def test_people_know_better(call: Call) -> None:
    """An impact that a person set stays; reach only ever rises."""
    first = post(call, "The invoice list stays empty", author="u0")
    call("PATCH", f"/gateway/v1/feedback/{first['id']}", json={"impact": 3})
    second = post(call, "Hello, the invoices list stays empty", author="u1")
    keep_up()
    shown = call("GET", f"/gateway/v1/feedback/{first['id']}").json
    Feedback.delete().where(Feedback.id == second["id"]).execute()
    post(call, "The invoice list stays totally empty", author="u0")
    keep_up()

    assert (shown["impact"], shown["impact_origin"], reach(shown)) == (3, "corrected", 1)
    assert reach(call("GET", f"/gateway/v1/feedback/{first['id']}").json) == 1


@both
def test_what_is_raised_is_not_looked_at_again(call: Call) -> None:
    """Neither a raised reach nor what people change has a record signed anew."""
    made = [post(call, f"The invoice list stays empty {word}", author=word) for word in ("now", "again")]
    keep_up()
    signed = list(Signature.select().order_by(Signature.id).tuples())
    assert [reach(call("GET", f"/gateway/v1/feedback/{record['id']}").json) for record in made] == [1, 1]
    call("PATCH", f"/gateway/v1/feedback/{made[0]['id']}", json={"status": "resolved"})
    keep_up()

    assert list(Signature.select().order_by(Signature.id).tuples()) == signed


@both
def test_old_records_that_say_something_else(call: Call) -> None:
    """A record is signed by what it says now, however long ago it came."""
    first, second = post(call, BLOCKS[4][0]), post(call, BLOCKS[5][0])
    keep_up()
    state = {"after": id_at("fb", now_ms() + 60_000)}
    Job.update(state=state).where(Job.name == "similar").execute()  # as if both had come long ago
    changed = {"title": BLOCKS[5][1], "text": BLOCKS[5][1]}
    Feedback.update(changed).where(Feedback.id == first["id"]).execute()
    keep_up()

    assert [item["id"] for item in alike(call, second["id"]).json["data"]] == [first["id"]]


@both
def test_words_that_change_while_they_are_signed(call: Call) -> None:
    """What was changed between being read and being signed is signed again."""
    first, second = post(call, BLOCKS[4][0]), post(call, BLOCKS[5][0])
    (row,) = signature.unsigned("", second["id"], 10)
    changed = {"title": BLOCKS[5][1], "text": BLOCKS[5][1], "updated_at": Feedback.updated_at + 1}
    Feedback.update(changed).where(Feedback.id == first["id"]).execute()
    with writing():
        signature.sign([signature.Signed(row["id"], row["updated_at"], similar.Said(row).keys)])
    keep_up()

    assert [item["id"] for item in alike(call, second["id"]).json["data"]] == [first["id"]]


@both
def test_a_migrated_database_looks_again(call: Call) -> None:
    """Records that were changed since they were signed are looked at again after the migration."""
    first, second, third = (post(call, text) for text in (BLOCKS[4][0], BLOCKS[4][1], BLOCKS[5][0]))
    keep_up()
    for statement in (
        f"DROP TRIGGER feedback_resaid{'' if database.obj.EMBEDDED else ' ON feedback'}",
        *(() if database.obj.EMBEDDED else ("DROP FUNCTION feedback_resaid()",)),
        "DROP INDEX signature_stale",
        "ALTER TABLE signature DROP COLUMN stale",
        "ALTER TABLE signature ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0",
        "UPDATE signature SET updated_at = (SELECT updated_at FROM feedback WHERE id = feedback_id)",
        "DELETE FROM schema_migration WHERE name = '0013_said'",
    ):
        database.execute_sql(statement)
    changed = {"title": BLOCKS[5][1], "text": BLOCKS[5][1], "updated_at": Feedback.updated_at + 1}
    Feedback.update(changed).where(Feedback.id == second["id"]).execute()

    assert migrations.migrate() == ["0013_said"]
    assert [row["id"] for row in signature.reworded(10)] == [second["id"]]
    keep_up()
    assert [item["id"] for item in alike(call, third["id"]).json["data"]] == [second["id"]]
    assert alike(call, first["id"]).json["data"] == []


def flood(call: Call, count: int, **more: Any) -> None:
    """Nearly the same from so many people."""
    batch = [
        {
            "text": f"The invoice list stays empty {number:b}".translate(_LETTERS),
            "author": {"id": f"u{number}"},
        }
        for number in range(4096, 4096 + count)
    ]
    assert call("POST", "/gateway/v1/feedback/batch", json=batch, **more).status_code == 200


_LETTERS = str.maketrans("01", "ab")  # numbers would not count


def test_work_grows_with_records_and_not_with_their_square(call: Call, other: Tenant) -> None:
    """Twice as many alike messages take twice the steps of the database, and as many statements."""
    steps, statements = [0], [0]

    def step() -> int:
        steps[0] += 1
        return 0

    def counted(count: int, **more: Any) -> tuple[int, int]:
        flood(call, count, **more)
        before = steps[0], statements[0]
        for _ in range(3):
            keep_up()
        return steps[0] - before[0], statements[0] - before[1]

    database.connection().set_progress_handler(step, 100)
    database.connection().set_trace_callback(lambda sql: statements.__setitem__(0, statements[0] + 1))
    fewer, more = counted(200), counted(400, headers=other.headers)

    assert Signature.select().count() == 600
    assert {
        reach(call("GET", f"/gateway/v1/feedback/{row.id}", headers=other.headers).json)
        for row in Feedback.select(Feedback.id).where(Feedback.workspace_id == other.workspace_id).limit(20)
    } == {3}
    assert more[0] <= 2.3 * fewer[0] and more[1] <= 2.3 * fewer[1]


def test_a_flood_costs_no_more(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many with the same words only the newest are looked at."""
    monkeypatch.setattr(signature, "PER_KEY", 5)
    batch = [{"text": BLOCKS[8][0]} for _ in range(20)]
    call("POST", "/gateway/v1/feedback/batch", json=batch)
    keep_up()
    newest = [row.id for row in Feedback.select().order_by(Feedback.id.desc()).limit(5)]

    assert [item["id"] for item in alike(call, post(call, BLOCKS[8][1])["id"]).json["data"]] == newest
