"""What lists, searches and numbers need at a million records: indexes, searchable words, counts by day.

The words of what is stored already are found out here, which takes about a minute for a million records.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from peewee import BigIntegerField, CompositeKey, IntegerField, Model, SqliteDatabase, TextField
from Stemmer import Stemmer

_PART = 2000  # records at a time
_TOGETHER = 256  # records that go into the index of words at once
_INDEXED = f"docid <= (SELECT seq FROM sqlite_sequence WHERE name = 'search_doc') / {_TOGETHER} * {_TOGETHER}"

# The order of the list comes first; what stands behind it decides about rows without reading them.
_INDEXES = """
CREATE INDEX feedback_list ON feedback (workspace_id, received_at, id, project_id, source, type, category,
    sentiment, status, language, impact, sentiment_score);;
CREATE INDEX feedback_project ON feedback (workspace_id, project_id, received_at, id);;
CREATE INDEX feedback_source ON feedback (workspace_id, source, received_at, id);;
CREATE INDEX feedback_status ON feedback (workspace_id, status, received_at, id);;
CREATE INDEX feedback_impact ON feedback (workspace_id, impact, received_at, id, category, sentiment, status,
    source);;
CREATE INDEX feedback_author ON feedback (workspace_id, author_id) WHERE author_id IS NOT NULL;;
CREATE INDEX feedback_email ON feedback (workspace_id, author_email) WHERE author_email IS NOT NULL;;
CREATE INDEX feedback_external ON feedback (workspace_id, external_id) WHERE external_id IS NOT NULL;;
CREATE INDEX feedback_trace ON feedback (workspace_id, ({trace})) WHERE ({trace}) IS NOT NULL;;
DROP INDEX feedback_workspace_id_project_id_id
"""

_ALIKE = "workspace_id, day, project_id, source, type, category, sentiment, status, language, slot"
_ADD = f"""ON CONFLICT ({_ALIKE}) DO UPDATE SET records = rollup.records + excluded.records,
    impact = rollup.impact + excluded.impact, score = rollup.score + excluded.score"""


def _counted(row: str, slot: str, sign: str = "") -> str:
    """A record as a row of the rollup, counted up or, with a minus sign, down."""
    names = ("project_id", "source", "type", "category", "sentiment", "status")
    alike = (
        f"{row}.workspace_id",
        f"{row}.received_at / 86400000",
        *(f"{row}.{name}" for name in names),
        f"COALESCE({row}.language, '')",
        slot,
    )
    impact = f"CAST({row}.impact AS BIGINT)"
    score = f"CAST(ROUND({row}.sentiment_score * 1000000) AS BIGINT)"
    return ", ".join((*alike, f"{sign}1", f"{sign}{impact}", f"{sign}{score}"))


# The index has the record's workspace as a word, so that nobody's search is slow for others' records. It
# holds no texts and no places: what it finds is looked at again. Records go into it some hundred at a
# time, when the docid is a multiple, since each time costs as much as many records; those behind the last
# multiple are looked at one by one. That is why docids must never come twice (AUTOINCREMENT).
_SQLITE = f"""
CREATE TABLE feedback_tag (workspace_id TEXT NOT NULL, tag TEXT NOT NULL, feedback_id TEXT NOT NULL,
    PRIMARY KEY (workspace_id, tag, feedback_id)) WITHOUT ROWID;;
INSERT INTO feedback_tag SELECT DISTINCT workspace_id, value, feedback.id
    FROM feedback, json_each(tags) WHERE tags <> '[]' AND json_each.type = 'text';;
CREATE TABLE search_doc (docid INTEGER PRIMARY KEY AUTOINCREMENT, feedback_id TEXT NOT NULL UNIQUE);;
CREATE VIRTUAL TABLE search USING fts5(words, content='', columnsize=0, detail=none,
    tokenize="ascii tokenchars '_='");;
INSERT INTO search_doc (feedback_id) SELECT id FROM feedback ORDER BY received_at, id;;
INSERT INTO search (rowid, words) SELECT docid, workspace_id || words
    FROM search_doc JOIN feedback ON id = feedback_id
    WHERE docid <= (SELECT MAX(docid) FROM search_doc) / {_TOGETHER} * {_TOGETHER} ORDER BY docid;;
CREATE TRIGGER feedback_inserted AFTER INSERT ON feedback BEGIN
    INSERT INTO rollup VALUES ({_counted("NEW", "0")}) {_ADD};
    INSERT INTO search_doc (feedback_id) VALUES (NEW.id);
    INSERT INTO search (rowid, words) SELECT search_doc.docid, workspace_id || words
        FROM (SELECT docid AS last FROM search_doc WHERE feedback_id = NEW.id) AS here
        CROSS JOIN search_doc CROSS JOIN feedback ON feedback.id = feedback_id
        WHERE last % {_TOGETHER} = 0 AND docid BETWEEN last - {_TOGETHER - 1} AND last ORDER BY docid;
    INSERT INTO feedback_tag SELECT DISTINCT NEW.workspace_id, value, NEW.id
        FROM json_each(NEW.tags) WHERE NEW.tags <> '[]' AND type = 'text';
END;;
CREATE TRIGGER feedback_deleted AFTER DELETE ON feedback BEGIN
    INSERT INTO rollup VALUES ({_counted("OLD", "0", "-")}) {_ADD};
    INSERT INTO search (search, rowid, words) SELECT 'delete', docid, OLD.workspace_id || OLD.words
        FROM search_doc WHERE feedback_id = OLD.id AND {_INDEXED};
    DELETE FROM search_doc WHERE feedback_id = OLD.id;
    DELETE FROM feedback_tag WHERE OLD.tags <> '[]' AND workspace_id = OLD.workspace_id
        AND tag IN (SELECT value FROM json_each(OLD.tags)) AND feedback_id = OLD.id;
END;;
CREATE TRIGGER feedback_retagged AFTER UPDATE OF tags ON feedback WHEN OLD.tags <> NEW.tags BEGIN
    DELETE FROM feedback_tag WHERE workspace_id = OLD.workspace_id
        AND tag IN (SELECT value FROM json_each(OLD.tags)) AND feedback_id = OLD.id;
    INSERT INTO feedback_tag SELECT DISTINCT NEW.workspace_id, value, NEW.id
        FROM json_each(NEW.tags) WHERE type = 'text';
END;;
CREATE TRIGGER feedback_reworded AFTER UPDATE OF words ON feedback WHEN OLD.words <> NEW.words BEGIN
    INSERT INTO search (search, rowid, words) SELECT 'delete', docid, OLD.workspace_id || OLD.words
        FROM search_doc WHERE feedback_id = OLD.id AND {_INDEXED};
    INSERT INTO search (rowid, words) SELECT docid, NEW.workspace_id || NEW.words
        FROM search_doc WHERE feedback_id = NEW.id AND {_INDEXED};
END;;
CREATE TRIGGER feedback_recounted AFTER UPDATE OF received_at, project_id, source, type, category, sentiment,
    status, language, impact, sentiment_score ON feedback BEGIN
    INSERT INTO rollup VALUES ({_counted("OLD", "0", "-")}) {_ADD};
    INSERT INTO rollup VALUES ({_counted("NEW", "0")}) {_ADD};
END
"""

# Rows are counted in one order, so that writers wait for each other in a line and not in a circle.
_POSTGRES = f"""
CREATE INDEX feedback_search ON feedback USING gin (({{document}}));;
CREATE INDEX feedback_tags ON feedback USING gin ((tags::jsonb) jsonb_path_ops) WHERE tags <> '[]';;
CREATE FUNCTION feedback_count() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    mine integer := mod(pg_backend_pid(), 8);
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO rollup SELECT {_ALIKE}, SUM(records), SUM(impact), SUM(score)
            FROM (SELECT {_counted("fresh", "mine")} FROM fresh)
            AS counted ({_ALIKE}, records, impact, score)
            GROUP BY {_ALIKE} ORDER BY {_ALIKE} {_ADD};
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO rollup SELECT {_ALIKE}, SUM(records), SUM(impact), SUM(score)
            FROM (SELECT {_counted("stale", "mine", "-")} FROM stale)
            AS counted ({_ALIKE}, records, impact, score)
            GROUP BY {_ALIKE} ORDER BY {_ALIKE} {_ADD};
    ELSE
        INSERT INTO rollup SELECT {_ALIKE}, SUM(records), SUM(impact), SUM(score)
            FROM (SELECT {_counted("fresh", "mine")} FROM fresh
                UNION ALL SELECT {_counted("stale", "mine", "-")} FROM stale)
            AS counted ({_ALIKE}, records, impact, score)
            GROUP BY {_ALIKE} HAVING SUM(records) <> 0 OR SUM(impact) <> 0 OR SUM(score) <> 0
            ORDER BY {_ALIKE} {_ADD};
    END IF;
    RETURN NULL;
END $$;;
CREATE TRIGGER feedback_inserted AFTER INSERT ON feedback REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION feedback_count();;
CREATE TRIGGER feedback_deleted AFTER DELETE ON feedback REFERENCING OLD TABLE AS stale
    FOR EACH STATEMENT EXECUTE FUNCTION feedback_count();;
CREATE TRIGGER feedback_recounted AFTER UPDATE ON feedback REFERENCING OLD TABLE AS stale NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION feedback_count()
"""

_STEMMERS = {language: Stemmer(name) for language, name in (("en", "english"), ("nl", "dutch"))}
_SIGNS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"  # of scripts that write no spaces
_WORD = re.compile(rf"[{_SIGNS}]|[^\W_{_SIGNS}]+")
_ACCENT = re.compile("[\u0300-\u036f]")
_PIECE, _ACCENTS = 256, 32  # characters that are taken apart at once, and accents that stay with their letter
_READ, _MOST, _LONGEST = 20_000, 3_000, 40  # characters of a text, words of it, characters of a word


def words_of(row: Mapping[str, Any]) -> str:
    """The words of a record as this change found them: a frozen copy, which follows no later one."""
    title, text = row["title"], row["text"]
    said = (text if text.startswith(title.rstrip("…")) else f"{title}\n{text}")[:_READ].casefold()
    found = _WORD.findall(said if said.isascii() else _ACCENT.sub("", _decomposed(said)))[:_MOST]
    found = [word[:_LONGEST] for word in found]
    if not found:
        return ""
    stemmer = _STEMMERS.get(row["language"] or "en")
    stems = stemmer.stemWords(found) if stemmer else found
    whole = dict.fromkeys(word for word, stem in zip(found, stems, strict=True) if word != stem)
    return f" {' ='.join((' '.join(stems), *whole))} "


def _decomposed(text: str) -> str:
    """Letters and accents apart, piece by piece: Python takes the square of a letter's accents in time."""
    pieces, at = [], 0
    while at < len(text):
        end = min(at + _PIECE, len(text))
        last = min(end + _ACCENTS, len(text))
        while end < last and unicodedata.combining(text[end]):
            end += 1
        pieces.append(unicodedata.normalize("NFKD", text[at:end]))
        at = end
    return "".join(pieces)


def up(migrator: Any, db: Any) -> None:
    class Rollup(Model):
        workspace_id = TextField()
        day = BigIntegerField()
        project_id = TextField()
        source = TextField()
        type = TextField()
        category = TextField()
        sentiment = TextField()
        status = TextField()
        language = TextField()
        slot = IntegerField()
        records = BigIntegerField()
        impact = BigIntegerField()
        score = BigIntegerField()

        class Meta:
            database = db
            primary_key = CompositeKey(*_ALIKE.split(", "))
            without_rowid = True

    db.execute_sql("ALTER TABLE feedback ADD COLUMN words TEXT NOT NULL DEFAULT ''")
    _find_words(db)
    db.create_tables([Rollup])
    db.execute_sql(
        f"WITH counted ({_ALIKE}, records, impact, score) AS "
        f"(SELECT {_counted('feedback', '0')} FROM feedback) INSERT INTO rollup "
        f"SELECT {_ALIKE}, SUM(records), SUM(impact), SUM(score) FROM counted GROUP BY {_ALIKE}"
    )
    trace = db.member("subject", "trace_id")
    searched = _SQLITE if isinstance(db, SqliteDatabase) else _POSTGRES.format(document=db.DOCUMENT)
    for statement in (_INDEXES.format(trace=trace) + ";;" + searched).split(";;"):
        db.execute_sql(statement.strip())
    db.execute_sql("ANALYZE")


def _find_words(db: Any) -> None:
    """Fills the new column, some records at a time."""
    last = ""
    while True:
        read = "SELECT id, title, text, language FROM feedback WHERE id > ? ORDER BY id LIMIT ?"
        part = db.execute_sql(read, (last, _PART)).fetchall()
        if not part:
            return
        last = part[-1][0]
        rows = [
            (words_of({"title": title, "text": text, "language": language}), name)
            for name, title, text, language in part
        ]
        update = "UPDATE feedback SET words = ? WHERE id = ?"
        for row in rows:
            db.execute_sql(update, row)
