"""What is it about, how does it sound, how much does it matter: labels for one record.

`label` answers from words and structured signals; whatever the sender declared wins. The models are
arrays that are loaded once (`load`), read by any number of threads; docs/triage.md is their card.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from adapters.contract.record import Labels, Record
from gateway.core.area_rules import Area, Rules
from gateway.triage import clauses, impact, project_head
from gateway.triage.areas import DEFAULT_AREAS
from gateway.triage.explain import Explainer, Explanation
from gateway.triage.harm import Heard, hear
from gateway.triage.located import Located
from gateway.triage.model import SHIPPED, Model, ModelError, Scores
from gateway.triage.phrases import Words
from gateway.triage.second_reader import Reading
from gateway.triage.tokenizer import Text, read
from gateway.triage.verdict import decide_category, decide_language, decide_sentiment, decide_with_harm
from models.intake.telling import MACHINES

__all__ = [
    "DEFAULT_AREAS",
    "SHIPPED",
    "Area",
    "Explanation",
    "Model",
    "ModelError",
    "explain",
    "in_use",
    "label",
    "label_all",
    "load",
    "use",
    "version",
]

NONE_OFF = frozenset[str]()
NO_LABELS: Mapping[str, str] = {}
_model: Model | None = None


def load(path: Path | None = None) -> None:
    """Loads the shipped model, or the one in the directory `path`; does nothing when it is loaded already.

    Call it before forking workers, so that they share the memory. Raises ModelError with a clear line
    for a missing, broken or foreign file; the model in use stays.
    """
    global _model
    if _model is None or path is not None:
        use(Model.load(path or SHIPPED))


def use(model: Model) -> None:
    """Uses this model from now on; who is labelling a record goes on with the one before."""
    global _model
    _model = model
    project_head.forget()


def in_use() -> Model:
    """The model in use."""
    return _loaded()


def version() -> str:
    """The version of the model in use."""
    return _loaded().version


def label(record: Record, rules: Rules = None, *, reports: int = 1, second: Reading | None = None) -> Labels:
    """Category, sentiment and impact of `record`.

    `rules` are what is its project's own, `reports` is how often the same was reported, `second` is what a
    second reader says of its words.
    """
    model = _loaded()
    text = read(words_of(record))
    scores = clauses.score(model, text)
    if second is None:
        return _labels(model, [(record, rules)], [text], [scores], reports)[0]
    labels = _labels(model, [(record, rules)], [text], [second.averaged(scores)], reports)[0]
    for name in ("category_origin", "sentiment_origin"):
        if getattr(labels, name) == "predicted":
            setattr(labels, name, "second_reader")
    return labels


def label_all(items: Sequence[tuple[Record, Rules]]) -> list[Labels]:
    """The labels of many records, each with its own rules and reported once; cheaper than one by one."""
    model = _loaded()
    texts = [read(words_of(record)) for record, _ in items]
    return _labels(model, items, texts, clauses.score_all(model, texts), 1)


def _labels(
    model: Model,
    items: Sequence[tuple[Record, Rules]],
    texts: Sequence[Text],
    scores: Sequence[Scores],
    reports: int,
) -> list[Labels]:
    # All are heard in one go: while what that needs is near it takes half the time.
    words = [Words.of(text.tokens, one.hints) for text, one in zip(texts, scores, strict=True)]
    heard = [*map(hear, words)]
    return [
        _labels_of(model, record, rules, text, score, said, harm, reports)
        for (record, rules), text, score, said, harm in zip(items, texts, scores, words, heard, strict=True)
    ]


def _labels_of(
    model: Model,
    record: Record,
    rules: Rules,
    text: Text,
    scores: Scores,
    words: Words,
    heard: Heard,
    reports: int,
) -> Labels:
    told, version_of = scores, model.version
    if rules is not None and rules.head is not None:  # asked here: most projects have none
        told, version_of = project_head.moved(model, text, scores, rules.head)
    # What people taught goes before what words say.
    decide = decide_with_harm if heard.harm and told is scores else decide_category
    category, confidence, by_category, declared = decide(record, text, told)
    sentiment, score, sure, sentiment_declared = decide_sentiment(record, text, told)
    own, off = (rules.areas, rules.off) if rules is not None else ((), NONE_OFF)
    praised = category == "praise" and sentiment == "positive"
    reasons = (
        impact.severity(record, category, words, scores.severe, heard),
        impact.mood(sentiment, score, words, record.type),
        impact.reach(reports, words, record.type, praised=praised),
        impact.area(record, words, own, off, heard, praised=praised),
    )
    return Labels(
        category=category,
        category_origin="declared" if declared else "predicted",
        category_confidence=confidence,
        category_scores=by_category,
        sentiment=sentiment,
        sentiment_origin="declared" if sentiment_declared else "predicted",
        sentiment_score=score,
        sentiment_confidence=sure,
        language=decide_language(record, text, scores),
        impact=impact.total(reasons),
        impact_reasons=reasons,
        model_version=version_of,
    )


def explain(
    record: Record,
    reasons: Iterable[Mapping[str, Any]] = (),
    rules: Rules = None,
    given: Mapping[str, str] = NO_LABELS,
) -> Explanation:
    """The words and signs that speak for and against the predicted category and sentiment of `record`.

    What the sender declared needs no words: explained is what would be said without it.
    `reasons` are those of the record's impact, `rules` are what is its project's own, `given` are the labels
    that more than words gave, and that are explained instead.
    """
    title, text = Located.of(record.title), Located.of(record.text, len(record.title) + 1)
    words = cast(Located, words_of(replace(record, title=title, text=text)))
    head = None if rules is None else rules.head
    return Explainer(_loaded(), record, words, head).explain(reasons, given)


def words_of(record: Record) -> str:
    """Title and text as one text, the title as its first line unless the text begins with it.

    The title of a remark is that of what it is about, and that of a command begins with the command.
    """
    title = record.title.strip()
    if not title or (record.state == "note" and record.type not in MACHINES and record.text):
        return record.text
    if title[0] == "/":
        title = title.partition(" ")[2]
    if record.text.lstrip().startswith(title):
        return record.text
    return title + "\n" + record.text


def _loaded() -> Model:
    if _model is None:
        load()
    return cast(Model, _model)
