"""What the making of a hook prints, and what a refusal says: as much as the source's page does, and true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import adapters
from adapters import intercom, opsgenie, watchdog
from adapters.common.signatures import Refusal
from adapters.contract import Signed
from gateway.access import hooks

DIALECTS = adapters.load()
PAGES = Path(__file__).parents[2] / "docs" / "dialects"
SIGNED = {name: adapter.signed for name, adapter in DIALECTS.items() if adapter.signed}
# Where the vendor's own signature is in the body, or where a hook's options say that there is one.
SIGNED_WITHIN = {"sns", "generic"}


@pytest.mark.parametrize(
    ("name", "events"),
    [
        ("intercom", [*intercom.TOPICS, "conversation.deleted"]),
        ("opsgenie", opsgenie.ACTIONS),
    ],
)
def test_every_event_that_is_read_is_asked_for(name: str, events: list[str]) -> None:
    """In the printed steps and on the page."""
    for text in (SIGNED[name].advice, (PAGES / f"{name}.md").read_text()):
        said = {word.lower() for word in re.findall(r"[\w.]*\w", text)}
        assert not set(events) - said


def test_a_watchdog_is_repeated_within_the_shortest_silence() -> None:
    for text in (watchdog.ADVICE, watchdog.UNSIGNED, (PAGES / "watchdog.md").read_text()):
        group, repeat = (re.search(rf"{name}_interval: (\d+)([smh])", text) for name in ("group", "repeat"))
        assert group and repeat
        longest = sum(int(found[1]) * watchdog.UNITS[found[2]] for found in (group, repeat))
        assert longest < watchdog.SHORTEST


@pytest.mark.parametrize("name", [name for name, signed in SIGNED.items() if signed.may_be_unsigned])
def test_an_unsigned_hook_prints_the_vendors_steps(name: str) -> None:
    """And the address, and no secret, which there is none of."""
    made = hooks.shown(DIALECTS[name], "hk_1", None, None, {}, "https://gateway.example.org")
    steps = SIGNED[name].unsigned_advice

    assert made["url"] in made["advice"] and "None" not in made["advice"]
    assert "{secret}" not in steps and "keep it as a secret" in made["advice"]
    assert len(steps.splitlines()) > 1 or name == "generic"  # of whose sender nothing is known


@pytest.mark.parametrize(("name", "signed"), SIGNED.items(), ids=SIGNED)
def test_a_refusal_says_what_failed(name: str, signed: Signed) -> None:
    """A signature is named where the vendor signs, and a secret, token, key or password where it is shown."""
    signs = any("signature" in proof.name.lower() or "HMAC" in proof.about for proof in signed.proofs)
    shows = any(proof.way in ("bearer", "basic", "query") for proof in signed.proofs)
    told = signed.unproven.lower()

    assert ("signature" in told) == (signs or name in SIGNED_WITHIN)
    assert not shows or any(word in told for word in ("secret", "token", "password", "key"))
    assert not signs or shows or "signature" in told


@pytest.mark.parametrize("name", [name for name in SIGNED if DIALECTS[name].error is Refusal])
def test_every_page_shows_how_errors_look(name: str) -> None:
    fields = ", ".join(f'"{field}"' for field in Refusal().fields)
    assert "{" + fields + "}" in (PAGES / f"{name}.md").read_text()


@pytest.mark.parametrize("name", [name for name in SIGNED if name != "generic"])  # whose map names states
def test_a_page_names_the_status_that_people_see(name: str) -> None:
    """And not what the code calls the state; a vendor's own words are in code format, or capitals."""
    prose = re.sub(r"`[^`]+`", "", (PAGES / f"{name}.md").read_text())
    assert not re.findall(r"\b(?:triggered|suppressed)\b", prose)
