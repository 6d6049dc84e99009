"""One address however it is written, and no other."""

from __future__ import annotations

import html
import json
import unicodedata
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.transfer import erasure, subject_access
from models import TABLES, Dedupe, Event, Feedback, Quarantine
from models.database.base import writing
from models.queries import email_addresses
from models.queries.email_addresses import Address
from models.queries.personal_data import ERASED, Person
from models.tables.audit import Audit
from models.tables.user import SavedView, User
from tests.conftest import Call, Tenant

ADDRESS = "José.Ada@bücher.example"


def wide(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


def escaped(text: str) -> str:
    """As JSON may write it, every character."""
    return "".join(f"\\u{unit:04x}" for unit in map(ord, text))


SPELLINGS = {
    "as it is": ADDRESS,
    "capitals": ADDRESS.upper(),
    "NFD": unicodedata.normalize("NFD", ADDRESS),
    "fullwidth at": ADDRESS.replace("@", "＠"),
    "small at": ADDRESS.replace("@", "﹫"),
    "fullwidth": wide(ADDRESS),
    "mathematical": "𝐉osé.𝒜da@bücher.example",
    "punycode": ADDRESS.replace("bücher", "xn--bcher-kva"),
    "punycode in capitals": ADDRESS.replace("bücher", "XN--BCHER-KVA"),
    "ideographic full stop": ADDRESS.replace(".example", "。example"),
    "zero width": "\u200bJo\u200dsé.\u2060Ada\ufeff@\u200bbücher.exa\u200cmple\u200b",
    "soft hyphens": ADDRESS.replace("A", "\u00adA").replace("exam", "exam\u00ad"),
    "marks apart": "Jose\u034f\u0301.Ada@bu\u200d\u0308cher.example",
    "bidirectional": f"\u202a{ADDRESS}\u202c",
    "mailto": f"mailto:{ADDRESS}?subject=Hi",
    "percent": quote(ADDRESS),
    "percent, every byte": "".join(f"%{byte:02X}" for byte in ADDRESS.encode()),
    "percent of NFD": quote(unicodedata.normalize("NFD", ADDRESS)),
    "percent twice": quote(quote(ADDRESS)),
    "JSON": escaped(ADDRESS),
    "JSON of fullwidth": escaped(wide(ADDRESS)),
    "JSON within JSON": json.dumps(escaped(ADDRESS))[1:-1],
    "HTML": ADDRESS.replace("@", "&#64;")
    .replace("é", "&eacute;")
    .replace("ü", "&#xFC;")
    .replace(".", "&period;"),
    "HTML twice": html.escape(ADDRESS.replace("@", "&commat;")),
    "percent and JSON": escaped(quote(ADDRESS)),
}
# Whom nobody asked to erase.
NEAR = [
    "xJosé.Ada@bücher.example",
    "x.José.Ada@bücher.example",
    "x+José.Ada@bücher.example",
    "José.Ada+x@bücher.example",
    "x%2BJos%C3%A9.Ada%40b%C3%BCcher.example",
    "Jose.Ada@bücher.example",
    "JoséAda@bücher.example",
    "José.Ada@bucher.example",
    "José.Ada@buecher.example",
    "José.Ada@xn--bcher-kvb.example",
    "José.Ada@bücher.example.org",
    "José.Ada@bücher.examples",
    "José.Ada@bücher.example-shop",
    "José.Ada@bücher.example\u0301",
    "José.Ada@bücher.example\u00ads",
    "José.Ada@shop.bücher.example",
    "\u00e9José.Ada@bücher.example",
    "e\u0301José.Ada@bücher.example",
    "x\u00adJosé.Ada@bücher.example",
    "&eacute;José.Ada@bücher.example",
    "José.Ada at bücher.example",
    "José.Ada@bücher",
]


@pytest.mark.parametrize("name", SPELLINGS)
def test_spellings(name: str) -> None:
    """An address that is given in one spelling is found in every other, within words and alone."""
    written = SPELLINGS[name]
    for asked in (
        ADDRESS,
        SPELLINGS["NFD"],
        SPELLINGS["punycode"],
        SPELLINGS["fullwidth at"],
        f"mailto:{ADDRESS}",
    ):
        address = Address(asked)
        assert address.spelling == Address(ADDRESS).spelling
        for text in (written, f"Ask {written}, she knows", f"({written})", f"<{written}>.", f"x:{written}\n"):
            assert address.is_in(text) and address.is_in(text, coded=True)
            left = address.replaced(text, "")
            assert (
                not address.is_in(left)
                and len(left) <= len(text) - len(ADDRESS) + len("mailto:?subject=Hi") + 2
            )
    assert Address(ADDRESS).is_all_of(f" {written} ")
    assert Address(ADDRESS).is_all_of(f"José Ada <{written}>")


@pytest.mark.parametrize("text", NEAR)
def test_near_misses(text: str) -> None:
    """A longer, a shorter or another address is somebody else's, also as JSON and forms write it."""
    address = Address(ADDRESS)
    ways = [
        text,
        text if "&" in text else text.upper(),
        unicodedata.normalize("NFD", text),
        unicodedata.normalize("NFC", text),
    ]
    ways += [json.dumps(text), escaped(text), quote(text), urlencode({"to": text})]
    for way in ways:
        assert not address.is_in(way) and not address.is_in(way, coded=True), way
        assert not address.is_all_of(way)
        assert address.replaced(way, ERASED) == way
    assert address.is_in(f"{text} {ADDRESS}")


def test_what_only_looks_like_an_escape() -> None:
    """Text that is no JSON may have a backslash before an address; a form has plus for a space."""
    nada, ada = Address("nada@example.test"), Address("ada@example.test")

    assert nada.is_in("DOMAIN\\nada@example.test") and not nada.is_in(
        '{"x":"\\nada@example.test"}', coded=True
    )
    assert ada.is_in('{"x":"\\nada@example.test"}', coded=True)
    assert ada.is_in("100%ada@example.test") and ada.is_in("100% ada@example.test")
    assert ada.is_in("text=ask+ada%40example.test&x=1") and not ada.is_in("text=x%2Bada%40example.test")
    assert not Address("ss@x.test").is_in("ß@x.test")


@settings(max_examples=25)
@given(st.text(max_size=40), st.text(max_size=40), st.sampled_from(sorted(SPELLINGS)))
def test_any_surroundings(before: str, after: str, name: str) -> None:
    """Whatever stands around it, an address between blanks is found and taken out, and nothing else."""
    address = Address(ADDRESS)
    text = f"{before} {SPELLINGS[name]} {after}"

    assert address.is_in(text)
    assert address.replaced(text, "").replace(" ", "").startswith(before.replace(" ", ""))


def test_long_runs_of_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Characters are normalised one by one: together, a run of marks takes the square of its length."""
    longest = 0
    normalize = unicodedata.normalize

    def measured(form: Any, text: str) -> str:
        nonlocal longest
        longest = max(longest, len(text))
        return normalize(form, text)

    address = Address(ADDRESS)
    monkeypatch.setattr(email_addresses.unicodedata, "normalize", measured)
    text = "e" + "\u0301\u0316\uff9e" * 5_000 + f" {ADDRESS}"

    assert address.spans(text) == [(15_002, 15_002 + len(ADDRESS))]
    assert longest < 20


@pytest.mark.parametrize(
    "given_", ["", "@", "ada", "ada@", "@example.test", "\u200b@example.test", "mailto:@x"]
)
def test_no_address(given_: str) -> None:
    """What is no address is none in any spelling."""
    with pytest.raises(ValueError, match="no email address"):
        Address(given_)


SHORT = ("NFD", "punycode", "zero width", "JSON", "percent")


def seeded(call: Call, tenant: Tenant, written: str) -> None:
    """An address in every place a gateway keeps something, but where it would be hers alone."""
    for author in ({"email": written[:300]}, {"id": written[:300]}):
        assert call("POST", "/gateway/v1/feedback", json={"text": "Hers", "author": author}).status_code in (
            201,
            400,
        )
    said: dict[str, Any] = {"text": f"Ask {written} soon", "title": f"To {written[:150]} !", "tags": ["vip"]}
    said |= {"subject": {"page": f"/u/{written}", written: [{"deep": written}], "n": 1.5}}
    if len(written) < 150:
        said |= {"tags": [f"for:{written}", written], "external_id": written}
    body = json.dumps({**said, "author": {"name": f"Bob for {written}"}}).encode()
    record = call("POST", "/gateway/v1/feedback", data=body, headers={"Idempotency-Key": "k-1"}).json["id"]
    call(
        "PATCH",
        f"/gateway/v1/feedback/{record}",
        json={"note": f"Told {written} so", "tags": {"add": [written[:190]]}},
    )
    with writing():
        Audit.insert(
            id="au_1",
            workspace_id=tenant.workspace_id,
            at=1,
            key_id="x",
            action="y",
            target=written,
            detail={"to": [written]},
        ).execute()
        Dedupe.insert(
            workspace_id=tenant.workspace_id,
            scope="generic",
            key=written,
            feedback_id=None,
            digest="",
            answer=None,
            expires_at=2**50,
        ).execute()
        Quarantine.insert(
            id="qr_1",
            workspace_id=tenant.workspace_id,
            project_id=tenant.project_id,
            source="generic",
            hook_id="hk",
            reason="r",
            request={"params": {"who": written}},
            payload=b"{}",
            received_at=1,
        ).execute()
        people = {"workspace": tenant.workspace_id, "created_at": 0, "name": "Eve", "role": "triager"}
        User.insert(id="us_1", email="eve@example.test", **people).execute()
        SavedView.insert(
            id="1", user="us_1", name="Hers", query=f"author={quote(written)}", created_at=0
        ).execute()


def found(person: Person) -> set[str]:
    """The columns in which the address can be found."""
    columns = set()
    for table in TABLES:
        for row in table.select().dicts():
            for name, value in row.items():
                text = bytes(value).decode() if isinstance(value, bytes | memoryview) else value
                text = json.dumps(text, ensure_ascii=False) if isinstance(text, dict | list) else text
                if isinstance(text, str) and person.mentioned(text):
                    columns.add(f"{table.__name__}.{name}")
    return columns


@pytest.mark.parametrize("mode", ["delete", "anonymise"])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in SHORT[:1] else pytest.mark.long) for name in SPELLINGS]
)
@pytest.mark.both(long=True)
def test_erased_everywhere(call: Call, tenant: Tenant, name: str, mode: Any) -> None:
    """In whatever spelling it stands, an erasure takes the address out of every place."""
    person = Person(ADDRESS)
    seeded(call, tenant, SPELLINGS[name])
    assert len(found(person)) >= 12
    told = [kind for kind, _ in subject_access.export(tenant.workspace_id, person)]
    assert {"record", "mention", "delivery"} == set(told)
    erasure.erase(tenant.workspace_id, person, mode, compact=False)

    assert found(person) == set()
    left = Feedback.select().where(Feedback.text ** "Ask%").get()
    assert (left.text[:4], left.text[-5:], left.subject["n"]) == ("Ask ", " soon", 1.5)
    assert (SavedView.select().count(), Quarantine.select().count()) == (0, 0)


@pytest.mark.both(long=True)
@pytest.mark.long
@pytest.mark.parametrize("text", NEAR)
def test_others_stay(call: Call, tenant: Tenant, text: str) -> None:
    """An erasure changes nothing of whoever has an address that is nearly the same."""
    seeded(call, tenant, text)
    before = {
        table: sorted(table.select().dicts(), key=repr) for table in (Feedback, Event, Quarantine, SavedView)
    }
    counts = erasure.erase(tenant.workspace_id, Person(ADDRESS), compact=False)["counts"]

    assert not any(counts.values())
    assert {table: sorted(table.select().dicts(), key=repr) for table in before} == before
