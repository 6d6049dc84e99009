"""Impact as a product team would see it: what the words tell counts, through whatever door they come.

The phrases, pairs and guards were written before the tables of words, or without looking at them.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from adapters.contract.record import CATEGORIES, Category, Record
from gateway import triage
from gateway.triage import impact, phrase_tables
from gateway.triage.areas import DEFAULT_AREAS
from gateway.triage.features import LANGUAGES
from gateway.triage.phrases import Words
from gateway.triage.spoken import hints, said_in
from gateway.triage.tokenizer import read
from tests.adapters.test_adapters import DIALECTS, door_of, inbound_of
from tests.adapters.test_adapters import FIXTURES as DELIVERIES
from tests.triage.test_phrases import words_with_hints

FIXTURES = Path(__file__).parent / "fixtures"
# Doors that carry what a person wrote, and nothing else that weighs: a delivery, and the words it has.
FEEDBACK = {
    "native/minimal": "Sort by date would help",
    "fluister/web_without_page": "Love the new dark theme",
    "generic/only_text": "  The parcel came twice.\n",
    "slack/message": "The export loses my umlauts.\nIt began on Monday.",
    "slack/command": "Please+add+a+dark+theme.%0AMy+eyes+hurt+at+night.",
    "discord/slash": "The map is blank.\nOnly on my phone.",
    "mattermost/message": "The berth list is empty",
    "zulip/direct": "The berth list is empty",
    "sentry/issue_created_feedback": "The deck plan is upside down\non my tablet, since Friday.",
    "sentry/event_alert_feedback": "The deck plan is upside down\non my tablet, since Friday.",
    "sentry/legacy_feedback": "I cannot find my cabin",
    "sentry/comment_created": "Only with cabins that were rebuilt.\nSee the table of 2024.",
    "sentry_envelope/report": "It stopped at the tide table.",
    "sentry_envelope/feedback_without_length": "Die Fähre fehlt im Plan\nseit gestern",
    "sentry_envelope/dialog_filled": "The+ferry+list+is+empty%0ASince+noon",
    "github/issue_comment": "I can see it on order 1181 too.",
    "github/discussion_comment": "Pick a custom range.",
    "gitlab/note_on_issue": "It took us two hours.",
    "bitbucket/issue_comment": "Same here",
    "jira/comment": "Same here",
    "linear/comment": "Same here",
}
SAID = (
    "I can read the letters of another patient",
    "Nobody can sign in since this morning",
    "Er is twee keer geld van mijn rekening gehaald",
    "Alle meine Notizen sind weg",
    "Le bouton est un peu trop petit",
    "Estaría bien un tema oscuro",
    "The colour of the footer is a little off",
)
DOORS = {
    "native": "native/minimal",
    "fluister": "fluister/web_without_page",
    "slack": "slack/message",
    "sentry": "sentry_envelope/report",
    "github": "github/issue_comment",
}
# An area's words may be answered by a neighbour's.
NEIGHBOURS = {
    "payment": {"payment", "checkout", "billing"},
    "availability": {"availability", "login"},
}


def rows(name: str) -> list[dict[str, str]]:
    with (FIXTURES / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def through(delivery: str, words: str) -> Record:
    """The record of a delivery with other words in it."""
    request = json.loads((DELIVERIES / f"{delivery}.json").read_text())["request"]
    written = FEEDBACK[delivery]
    if "%0A" in written:
        request["text"] = request["text"].replace(written, quote_plus(words))
    else:
        raw = json.dumps(request)
        # Where JSON stands in a text it is escaped once more, or holds letters as they are.
        for known in (_inner(_inner(written)), _inner(written.replace("\n", "\\n")), _inner(written)):
            raw = raw.replace(known, _inner(_inner(words) if known != _inner(written) else words))
        request = json.loads(raw)
    inbound = inbound_of(request)
    record = door_of(DIALECTS[delivery.partition("/")[0]], inbound).read(inbound)[0]
    assert record.text == words, delivery
    return record


def _inner(text: str) -> str:
    return json.dumps(text, ensure_ascii=True)[1:-1]


def alert(word: str, words: str) -> Record:
    state, severity = (
        ("resolved", 5) if word == "resolved" else ("triggered", {"critical": 5, "warning": 3}[word])
    )
    return Record(text=words, title=words, type="alert", severity=severity, state=state)  # type: ignore[arg-type]


def by_door(door: str, words: str) -> int:
    kind, _, word = door.partition(":")
    return triage.label(alert(word, words) if kind == "alert" else through(DOORS[door], words)).impact


def test_phrases_of_every_area_are_heard() -> None:
    """At least nine in ten of each area, in five languages, whatever the category is."""
    heard, asked, missed = Counter[str](), Counter[str](), []
    for row in rows("area_phrases.csv"):
        reason = triage.label(Record(text=row["text"])).impact_reasons[3]
        said = reason.points > 0 and reason.why.partition(":")[0] in NEIGHBOURS.get(
            row["area"], {row["area"]}
        )
        asked[row["area"]] += 1
        heard[row["area"]] += said
        missed += [] if said else [row["text"]]

    assert min(asked.values()) >= 20
    assert {area: heard[area] / asked[area] >= 0.9 for area in asked} == dict.fromkeys(asked, True), missed


def test_what_harms_more_has_more_impact() -> None:
    """Of sixty pairs, the first of each clearly more important, 55 are in that order."""
    pairs = rows("impact_pairs.csv")
    wrong = [
        (row["more"], row["less"])
        for row in pairs
        if by_door(row["more_door"], row["more"]) <= by_door(row["less_door"], row["less"])
    ]

    assert len(pairs) == 60
    assert len(wrong) <= 5, wrong


@pytest.mark.parametrize("row", rows("impact_guards.csv"), ids=lambda row: row["text"][:40])
def test_words_that_mean_no_harm(row: dict[str, str]) -> None:
    """What is denied, over, praised, or about something else has no severity and names no harm."""
    severity, _, _, area = triage.label(Record(text=row["text"])).impact_reasons

    assert severity.points <= 2
    assert area.why.partition(":")[0] not in ("data loss", "security", "availability")
    if row["kind"] == "homograph":
        assert area.points == 0


@pytest.mark.parametrize("words", SAID)
def test_the_same_words_weigh_the_same_through_every_door(words: str) -> None:
    impacts = {delivery: triage.label(through(delivery, words)).impact for delivery in FEEDBACK}

    assert impacts == dict.fromkeys(FEEDBACK, impacts["native/minimal"])


@pytest.mark.parametrize("category", CATEGORIES)
def test_harm_counts_whatever_the_category(category: Category) -> None:
    for text, points in (("I see another patient's data", 5), ("I am locked out of my account", 4)):
        reason = impact.severity(Record(text=text), category, text.lower())
        assert reason.points == points
        assert ("no defect" in reason.why, '"' in reason.why) == (False, True)


def test_an_alert_has_no_tone_and_its_words_are_a_programs() -> None:
    """Equal severity is equal impact, whoever sends it and however it is worded."""
    texts = ("Queue is long", "TERRIBLE!! everyone hates this", "checkout payment errors", "Speicher voll :(")
    records = [
        Record(text=text, title=text, type=kind, severity=4) for text in texts for kind in ("alert", "ci")
    ]  # type: ignore[arg-type]

    assert {triage.label(record).impact for record in records} == {4}


def test_what_watches_programs_tells_of_bugs() -> None:
    for text in ("web1", "Everything is fine", "Wonderful build", "?"):
        for kind in ("alert", "ci"):
            record = Record(text=text, title=text, type=kind, state="triggered")  # type: ignore[arg-type]
            assert triage.label(record).category == "bug"
            declared = Record(text=text, type=kind, state="triggered", category="other")  # type: ignore[arg-type]
            assert triage.label(declared).category == "other"


def test_a_resolved_alert_has_no_severity() -> None:
    labels = triage.label(alert("resolved", "The whole site is down"))

    assert (labels.impact, labels.impact_reasons[0].why) == (0, "it is resolved")


def phrases() -> Iterator[phrase_tables.Phrase]:
    for area in DEFAULT_AREAS:
        yield from phrase_tables.phrases_of(area.name)


def test_every_area_has_words_in_every_language() -> None:
    """No section of a table leaves a language out, and a phrase is found when it is said."""
    for area in DEFAULT_AREAS:
        for section in phrase_tables.table(area.name.replace(" ", "_")).values():
            assert set(section) >= set(LANGUAGES)
    for phrase in phrases():
        said = [min(slot.words | set(slot.stems)) for slot in phrase.slots]
        assert phrase.meaning in {one.meaning for one in said_in(" ".join(said))}, said


@pytest.mark.parametrize(
    "text",
    [
        "All my notes are gone. Is this a known bug?",
        "Your site is down. And this costs us a lot of money",
        "Alle Fotos sind weg. Es kommt ein Fehler",
        "All my notes are gone and I no longer trust this app",
    ],
)
def test_what_else_is_said_takes_nothing_back(text: str) -> None:
    """A word of another sentence gives no other meaning to the words of harm, nor does anger."""
    assert triage.label(Record(text=text)).impact >= 7


def test_hints_miss_no_phrase() -> None:
    """What the words' hints lead to is what a search of all words finds."""
    for row in (*rows("area_phrases.csv"), *rows("impact_guards.csv")):
        words = words_with_hints(read(row["text"]).tokens, hints)
        assert isinstance(words, Words)
        assert said_in(words) == said_in(str(words))


def test_phrases_take_time_by_the_words_of_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the text takes twice the looks at words, on texts made of the tables' own words."""
    looks, takes = 0, phrase_tables.Slot.takes

    def counted(slot: phrase_tables.Slot, word: str) -> bool:
        nonlocal looks
        looks += 1
        return takes(slot, word)

    monkeypatch.setattr(phrase_tables.Slot, "takes", counted)
    words = [min(slot.words | set(slot.stems)) for phrase in phrases() for slot in phrase.slots][:400]
    for made in (words, ["niet", "mijn", "account"] * 100, ["my"] * 200 + ["gone"] * 200):
        counts = []
        for times in (2, 4):
            looks = 0
            said_in(" ".join(made * times))
            counts.append(looks)
        assert counts[1] <= 2.3 * counts[0] + 20
