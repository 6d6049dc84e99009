"""An explanation names the words that decided as the text has them, and costs nothing when nobody asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice

import pytest
from click.testing import CliRunner
from hypothesis import given
from threadpoolctl import threadpool_limits

from adapters.contract.record import Record
from gateway import triage
from gateway.cli.triage import triage as command
from gateway.core.area_rules import LearntHead, ProjectRules
from gateway.triage import clauses, features, wording
from gateway.triage.explain import Quote, Span, Weight, clause_of
from gateway.triage.located import Located
from gateway.triage.model import Model
from gateway.triage.tokenizer import read
from gateway.triage.training.corrections import Correction
from gateway.triage.training.learn_projects import Ground
from tests.triage.explained import records
from tests.triage.test_kinds import LEAST, table
from tests.triage.test_located import TEXTS

MANY = 300


def test_the_words_that_decided_are_named() -> None:
    why = triage.explain(Record(text="The app crashes when I upload a photo"))
    assert "crashes" in " ".join(weight.name for weight in why.category if weight.weight > 0)
    assert (why.category_by, why.sentiment_by) == ("general", "general")


def test_the_heaviest_come_first() -> None:
    weights = [
        abs(part.weight)
        for part in triage.explain(Record(text="bedankt, de kaart werkt nu perfect")).sentiment
    ]
    assert weights == sorted(weights, reverse=True) and weights


def test_a_text_without_words_has_little_to_explain() -> None:
    assert triage.explain(Record(text="")).category is not None


def quotes(record: Record, why: triage.Explanation) -> Iterator[Quote | Weight]:
    yield from chain(why.category, why.sentiment, why.impact)
    yield from filter(None, (why.clause, why.sentence))


def inside(text: str, span: Span) -> bool:
    """Whether a place begins or ends within a word, unless that has more letters than any real one."""
    edges = (span.start, span.end) if span.end - span.start < wording.LONGEST else ()
    return any(text[at - 1 : at].isalpha() and text[at : at + 1].isalpha() for at in edges)


def check(record: Record) -> int:
    """Fails unless all that is told of a record is its own words or a plain phrase; says how much is told."""
    labels = triage.label(record)
    reasons = [{"part": reason.part, "why": reason.why} for reason in labels.impact_reasons]
    why = triage.explain(record, reasons)
    count = 0
    for quote in quotes(record, why):
        count += 1
        written = [getattr(record, span.field)[span.start : span.end] for span in quote.spans]
        assert all(0 <= span.start < span.end <= len(getattr(record, span.field)) for span in quote.spans)
        if getattr(quote, "kind", "words") == "sign":
            assert quote.name in wording.SIGNS
        else:
            first = (" ".join(" ".join(written[:count]).split()) for count in range(1, len(written) + 1))
            assert quote.name in first, quote
            assert not any(inside(getattr(record, span.field), span) for span in quote.spans), quote
    return count


def test_what_is_told_is_said_by_the_text_or_in_plain_words() -> None:
    """Of all kinds of records: no sign of the model's own, and each word where it is said to be."""
    some = list(records())
    told = [check(record) for record in some]
    assert len(some) > MANY and sum(count > 3 for count in told) > MANY


@pytest.mark.long
def test_the_labels_that_are_given_are_explained() -> None:
    """Of all kinds of records, also where a harm is told or a project has learnt: no other label is."""
    learnt_from = ["The Warpola is still made in Sweden", "my sister swears by her Warpola", "a calm Warpola"]
    lessons = [Correction(text, "en", "feature", "negative") for text in learnt_from * 4]
    with threadpool_limits(1):
        head = Ground.of(triage.in_use()).learn_from(lessons, [], []).data
    assert head is not None
    taught = ProjectRules(head=LearntHead("h1", head))
    harmed = Record(text="Lovely people, all of my photos are gone")
    liked = Record(text="she likes her Warpola a lot")
    for record in (*islice(records(), 0, None, 8), harmed, liked):
        for rules in (None, taught):
            labels = triage.label(record, rules)
            given = {"category": labels.category, "sentiment": labels.sentiment}
            plain = replace(record, category=None, sentiment=None, sentiment_score=None)
            if plain == record:
                assert triage.explain(record, (), rules) == triage.explain(record, (), rules, given)

    before, after = triage.explain(liked), triage.explain(liked, rules=taught)
    assert triage.label(liked, taught).category == "feature"
    assert after.category[0].name == "Warpola" != before.category[0].name
    assert [liked.text[span.start : span.end] for span in after.category[0].spans] == ["Warpola"]
    assert triage.explain(harmed) == triage.explain(harmed, rules=taught)


@given(TEXTS, TEXTS)
def test_whatever_is_written(title: str, text: str) -> None:
    check(Record(title=title, text=text))


def test_words_are_told_whole() -> None:
    """Also one that is cut where the first line is long."""
    text = "word " * 39 + "disappointing results, every day"
    quoted = {part.name for part in triage.explain(Record(text=text)).sentiment}
    assert "disappointing" in quoted


def test_all_signals_are_told_or_left_out() -> None:
    """No phrase is of a signal that is none, and those left out are those that tell nothing."""
    assert set(features.SIGNALS) - set(wording.SIGNALS) == {"balance", "last", "length", "lines"}
    assert set(wording.SIGNALS) <= set(features.SIGNALS)


@pytest.mark.parametrize(
    ("text", "name", "written"),
    [
        ("Ik kan NIET betalen", "not_betalen", "NIET betalen"),
        ("I cannot even pay here", "not_pay", "cannot even pay"),
        ("L’écran n’est pas à jour", "ecran", None),
        ("L’écran n’est pas à jour", "pas a", "pas à"),
        ("Hoi, de kaart is leeg", "^ hoi", "Hoi"),
        ("The export\nis empty", "export .", "export"),
        ("My log-in fails", "log in", "log-in"),
        ("the <b>pay</b> button", "pay button", "pay button"),
        ("caf&eacute; closed", "cafe", "caf&eacute;"),
        ("see https://example.test now", "xxurl", "a link"),
        ("see https://example.test now", "see xxurl", "see"),
        ("I wrote xxurl myself", "xxurl", "xxurl"),
        ("costs 5,000 now", "0", "a number"),
        ("costs 5,000 now", "costs 0", "costs 5,000"),
        ("bad :(", "xxsad", "a sad face"),
        ("bad :(", ":(", "a sad face"),
        ("good 👍", "xxsmile 👍", "a smiling face"),
        ("works?!", "!?", "exclamation marks"),
        ("works", "signal.length", None),
        ("works", "signal.questions", "question marks"),
        ("works", "(meaning)", None),
    ],
)
def test_how_features_are_told(text: str, name: str, written: str | None) -> None:
    located = Located.of(text)
    told = wording.Wording(text, read(located).tokens).tell(name)
    assert (told and told.name) == written


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("How do I change my address? The form crashes", "The form crashes"),
        ("Al mijn contacten zijn weg! Waar zijn die gebleven?", "Al mijn contacten zijn weg!"),
        ("Wo kann ich meine Adresse ändern? Die App stürzt ab", "Die App stürzt ab"),
    ],
)
def test_the_clause_that_decided_is_quoted(text: str, clause: str) -> None:
    why = triage.explain(Record(text=text))
    assert why.clause and why.clause.name == clause
    (span,) = why.clause.spans
    assert text[span.start : span.end] == why.clause.name
    assert triage.label(Record(text=text)).category == "bug"
    assert triage.explain(Record(text="The export is empty since Monday.")).clause is None


def test_a_report_is_explained_by_the_expert_on_reports() -> None:
    """And by the sentence of it that says most, in which heavy words are."""
    body = "### Steps\n1. Open a file\n2. Press save\n\n### Expected\nIt is saved\n\n### Actual\nTypeError\n"
    record = Record(title="Saving throws TypeError", text=f"### Version\n1.2.3\n{body * 3}")
    why = triage.explain(record)
    assert why.category_by == "issue" and why.sentence
    assert "\n" not in "".join(getattr(record, s.field)[s.start : s.end] for s in why.sentence.spans)
    positive = [part.name for part in why.category if part.weight > 0 and part.kind == "words"]
    assert any(name in why.sentence.name for name in positive)


def test_the_label_that_a_record_has_is_explained() -> None:
    """Also where more than words decided: what watches over a program tells of what is wrong."""
    text = "Disk usage of db-1 is back to normal, great"
    alert, remark = (triage.explain(Record(text=text, type=kind)) for kind in ("alert", "message"))
    assert triage.label(Record(text=text, type="alert")).category == "bug"
    assert triage.label(Record(text=text)).category != "bug"
    weights = [{part.name: part.weight for part in why.category} for why in (alert, remark)]
    assert all(weights[0][name] != weights[1][name] for name in weights[0].keys() & weights[1].keys())
    declared = triage.explain(Record(text=text, category="question"))
    assert declared == remark


def test_reasons_of_an_impact_quote_the_text_as_it_is() -> None:
    record = Record(text="Hilfe: ich wurde ZWEIMAL belastet, das Geld ist weg")
    reasons = [{"part": reason.part, "why": reason.why} for reason in triage.label(record).impact_reasons]
    quoted = {quote.part: quote.name for quote in triage.explain(record, reasons).impact}
    assert any(name in record.text and name != name.lower() for name in quoted.values()), (quoted, reasons)


def test_reasons_quote_no_signs_of_the_model() -> None:
    for text in (
        "It stops\n  at a.B.c(D.java:1)\n",
        "Werkt https://example.test niet",
        "I was charged 2 times",
    ):
        whys = " ".join(reason.why for reason in triage.label(Record(text=text)).impact_reasons)
        assert '"' in whys and "xx" not in whys and " 0 " not in whys, whys


def test_the_clause_is_the_one_that_was_counted() -> None:
    """Mixed with its probabilities, those of the whole text become the ones it was labelled by."""
    model, carried = Model.load(), 0
    for *_, words in chain.from_iterable(map(table, LEAST)):
        text = read(words)
        scores, whole = clauses.score(model, text), model.score(text)
        found = clause_of(model, text, scores)
        expected = whole.category
        if found and found.carries:
            carried += 1
            tokens = text.tokens[found.tokens]
            told = model.score(replace(text, tokens=tokens, first=len(tokens), lines=1)).category
            expected = {
                name: (1 - clauses.SHARE) * chance + clauses.SHARE * told[name]
                for name, chance in expected.items()
            }
        assert scores.category == pytest.approx(expected, abs=1e-4)
    assert carried > 10


def test_the_command_shows_them() -> None:
    shown = CliRunner().invoke(command, ["--explain", "--json", "the app crashes"])
    explanation = json.loads(shown.stdout)["explanation"]
    assert explanation["category"][0].keys() == {"name", "weight", "kind", "spans"}
    assert explanation["category"][0]["spans"][0].keys() == {"field", "start", "end"}
    assert "category: " in CliRunner().invoke(command, ["--explain", "the app crashes"]).stdout
    told = "How do I change my address? The form crashes"
    assert "clause: The form crashes" in CliRunner().invoke(command, ["--explain", told]).stdout
