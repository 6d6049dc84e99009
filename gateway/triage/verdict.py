"""From model probabilities and structured signals to one category and one sentiment.

What the sender declared wins. A text that says next to nothing pulls the probabilities towards the
middle: a low confidence is better than a wild guess.
"""

from __future__ import annotations

from typing import cast

from adapters.contract.record import CATEGORIES, Category, Record, Sentiment
from gateway.triage.model import Scores
from gateway.triage.ratings import rating
from gateway.triage.tokenizer import Text
from models.intake.telling import MACHINES

# What senders call their kinds of feedback, in our words; a weight on the model's odds, not a verdict.
KINDS: dict[str, Category] = {
    "bug": "bug",
    "defect": "bug",
    "error": "bug",
    "issue": "bug",
    "incident": "bug",
    "problem": "bug",
    "feature": "feature",
    "feature_request": "feature",
    "technique_request": "feature",
    "missing_capability": "feature",
    "enhancement": "feature",
    "idea": "feature",
    "suggestion": "feature",
    "question": "question",
    "support": "question",
    "help": "question",
    "praise": "praise",
    "compliment": "praise",
}
KIND_ODDS = 12.0
ALERT_ODDS = 6.0
RATING_ODDS = 20.0
FEW_WORDS = 3
NO_WORDS = 0.2
NO_WORDS_SURE = 0.4  # how sure the labels of marks and faces alone are
CLEAR = 0.25  # a score or rating nearer to zero is neutral
SURE_LANGUAGE = 0.45


def decide_category(
    record: Record, text: Text, scores: Scores
) -> tuple[Category, float, dict[str, float], bool]:
    """The category, its confidence, the probability of each category, and whether it was declared."""
    odds = dict(scores.category)
    kind = record.kind and KINDS.get(record.kind.strip().lower().replace("-", "_").replace(" ", "_"))
    if kind:
        odds[kind] *= KIND_ODDS
    if record.type in MACHINES:
        odds["bug"] *= ALERT_ODDS
    stars = rating(record)
    if stars is not None and abs(stars) >= CLEAR:
        odds["praise" if stars > 0 else "bug"] *= RATING_ODDS
    knowledge = evidence(text)
    scale, least = knowledge / sum(odds.values()), (1 - knowledge) / len(odds)
    by_category: dict[str, float] = {name: round(odds[name] * scale + least, 4) for name in CATEGORIES}
    if record.category is not None:
        return record.category, 1.0, by_category, True
    if knowledge <= NO_WORDS and not kind and text.script == "latin":
        by_category = _wordless(text)
    best = max(by_category, key=by_category.__getitem__)
    if record.type in MACHINES and record.state != "note":
        best = "bug"  # what watches over a program tells of what is wrong
    return cast(Category, best), by_category[best], by_category, False


def decide_with_harm(
    record: Record, text: Text, scores: Scores
) -> tuple[Category, float, dict[str, float], bool]:
    """The same of a text that tells of a harm and means it.

    What can be acted on wins: praise and talk that tell of a harm are a bug.
    """
    category, confidence, by_category, declared = decide_category(record, text, scores)
    if declared or category not in ("praise", "other"):
        return category, confidence, by_category, declared
    by_category = {**by_category, "bug": by_category[category], category: by_category["bug"]}
    return "bug", by_category["bug"], by_category, False


def decide_sentiment(record: Record, text: Text, scores: Scores) -> tuple[Sentiment, float, float, bool]:
    """The sentiment, its score -1..1, its confidence 0..1, and whether it was declared."""
    chances = scores.sentiment
    if record.sentiment is not None:
        declared = record.sentiment_score
        if declared is None:
            declared = {"positive": 0.6, "neutral": 0.0, "negative": -0.6}[record.sentiment]
        return record.sentiment, declared, 1.0, True
    if record.sentiment_score is not None:
        return _by_score(record.sentiment_score), record.sentiment_score, 1.0, True
    stars = rating(record)
    if stars is not None:
        return _by_score(stars), round(stars, 4), 1.0, False
    knowledge = evidence(text)
    if knowledge < 1 and not any(token[0].isalpha() for token in text.tokens):
        return "neutral", 0.0, NO_WORDS_SURE, False
    score = round(chances["positive"] - chances["negative"], 4)
    best = max(chances, key=chances.__getitem__)
    sure = round(knowledge * chances[best] + (1 - knowledge) / len(chances), 4)
    return cast(Sentiment, best), score, sure, False


def _by_score(score: float) -> Sentiment:
    if abs(score) < CLEAR:
        return "neutral"
    return "positive" if score > 0 else "negative"


def decide_language(record: Record, text: Text, scores: Scores) -> str | None:
    """The language as an ISO 639-1 code; None when there are no words to tell it by."""
    if record.language:
        return record.language
    if text.script != "latin":
        return None if text.script == "other" else text.script
    if scores.language_probability < SURE_LANGUAGE:
        return None
    for token in text.tokens:
        if token[0].isalpha() and token[:2] != "xx":
            return scores.language
    return None


def evidence(text: Text) -> float:
    """0..1: how far a text of so few words can be trusted to say anything."""
    if text.script != "latin":
        return 0.3
    words = 0
    for token in text.tokens:
        if token[0].isalpha() and token[:2] != "xx":
            words += 1
            if words == FEW_WORDS:  # a text has enough after a few tokens, or has few
                return 1.0
    return (NO_WORDS, 0.75, 0.9)[words]


def _wordless(text: Text) -> dict[str, float]:
    """Of marks and faces alone: `?` asks, a smile praises, the rest says nothing in particular."""
    best: Category = "other"
    if text.tokens and text.tokens[0][0] == "?":
        best = "question"
    elif "xxsmile" in text.tokens and "xxsad" not in text.tokens:
        best = "praise"
    return {name: NO_WORDS_SURE if name == best else 0.15 for name in CATEGORIES}
