"""Files in and out: every row once, whatever kills the import; every record out, harmless to spreadsheets."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.contract import Refused
from adapters.contract.record import Record
from gateway.transfer import file_import
from gateway.transfer import import_rows as row_module
from gateway.transfer.csv_cells import csv_lines, defused, flat, unflat
from gateway.transfer.file_import import Goal, Import, Tally
from gateway.transfer.import_rows import Mapped, Unreadable, ndjson, table
from models import Event, Feedback, Outcome
from models.database.base import close, connect
from tests import commands, postgres
from tests.conftest import ROOT, Tenant, environ_of, run_command

pytestmark = pytest.mark.both(long=True)
FORMULA = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
)  # at the beginning of a cell

# An import that the kernel kills right after so many parts were committed.
KILLED = """
import os, signal, sys
import models.intake.commit as intake
from gateway.cli import main
real, left = intake.save, [int(sys.argv.pop(1))]
def save(request):
    stored = real(request)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return stored
intake.save = save
main()
"""


@pytest.fixture(name="environ")
def _environ(database_url: str, tmp_path: Path) -> dict[str, str]:
    """The settings of a gateway that is set up and not running."""
    environ = environ_of(tmp_path, **postgres.settings(database_url))
    run_command(environ, "init")
    connect(environ["GATEWAY_DATABASE_URL"])
    yield environ
    close()


def command(environ: dict[str, str], *words: str, script: list[str] | None = None) -> Any:
    """Runs a command, or a script instead, and returns what became of it."""
    if script is None:
        return commands.run(environ, words)
    run = [sys.executable, *script, *words]
    return subprocess.run(run, env=environ, cwd=ROOT, capture_output=True, check=False)


def spelled(number: int) -> str:
    return "".join(chr(97 + int(digit)) for digit in f"{number:06}")


def write(path: Path, items: list[Any]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


def test_killed_and_resumed(environ: dict[str, str], tmp_path: Path) -> None:
    """5,000 rows, killed half way and imported again: every good row is there exactly once."""
    items = [{"text": f"The report numbered {spelled(n)} stays empty"} for n in range(5000)]
    items[1234] = {"text": ""}
    items[4321] = {"words": "no text"}
    path = write(tmp_path / "feedback.ndjson", items)
    killed = command(environ, "import", str(path), script=["-c", KILLED, "50"])
    assert killed.returncode == -signal.SIGKILL
    assert Feedback.select().count() == 2499
    done = command(environ, "import", str(path), "--json")

    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert (told["stored"], told["earlier"], told["known"], told["rejected"]) == (2499, 2499, 0, 2)
    assert Feedback.select().count() == Event.select().count() == 4998
    assert len({row.text for row in Feedback.select(Feedback.text)}) == 4998
    rejected = [json.loads(line) for line in Path(told["rejected_file"]).read_text().splitlines()]
    assert [line["line"] for line in rejected] == [1235, 4322]
    assert rejected[0]["reason"] == "text: String must not be blank"
    assert json.loads(rejected[1]["row"]) == {"words": "no text"}

    again = json.loads(command(environ, "import", str(path), "--json").stdout)
    assert (again["stored"], again["earlier"], again["rejected"]) == (0, 4998, 2)
    assert Feedback.select().count() == 4998
    counted = list(Outcome.select())  # a line a minute
    assert {(row.source, row.requests) for row in counted} == {("import", 0)}
    assert sum(row.records for row in counted) == 4998


@pytest.mark.parametrize(("before", "now"), [(40, 25), (25, 40)])
def test_resumed_in_parts_of_another_size(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, before: int, now: int
) -> None:
    """An import begun by a release that stores larger or smaller parts is finished by this one."""
    items = [{"text": f"The report numbered {spelled(n)} stays empty"} for n in range(130)]
    items[30] = {"text": ""}
    file = "".join(json.dumps(item) + "\n" for item in items).encode()
    goal, rejected = Goal(tenant.workspace_id, tenant.project_id, "import"), list[int]()

    def run() -> Iterator[Tally]:
        started = Import(goal, Mapped({}), "a file", "feedback.ndjson")
        return started.run(ndjson(io.BytesIO(file)), lambda row, reason: rejected.append(row.line))

    monkeypatch.setattr(file_import, "PART", before)
    first = run()
    assert [next(first).stored, next(first).stored] == [min(before, 30) + max(0, before - 31), 2 * before - 1]
    monkeypatch.setattr(file_import, "PART", now)
    *_, told = run()

    assert (told.earlier, told.stored, told.rejected) == (2 * before - 1, 130 - 2 * before, 1)
    assert Feedback.select().count() == 129
    assert rejected == [31, 31]  # each run tells of it


def test_again(environ: dict[str, str], tmp_path: Path) -> None:
    """--again stores what an earlier run stored; another file continues nothing."""
    path = write(tmp_path / "a.ndjson", [{"text": "One report of mine"}])
    other = write(tmp_path / "b.ndjson", [{"text": "One report of mine"}, {"text": "And another one"}])
    run_command(environ, "import", str(path))
    run_command(environ, "import", str(path), "--again")
    run_command(environ, "import", str(other))

    assert Feedback.select().count() == 4


def test_csv(environ: dict[str, str], tmp_path: Path) -> None:
    """A CSV of another tool: columns are mapped, rows are known by their key, bad ones are put aside."""
    path = tmp_path / "tickets.csv"
    path.write_bytes(
        b"\xef\xbb\xbfID;Created;E-mail;Message;Labels;Browser;Weight\r\n"
        b'7;2026-04-09 10:30:00;a@b.test;"The ""menu""\r\ndoes not open";ui, menu;Firefox;4\r\n'
        b";2026-04-09;;No id here;;;\r\n"
        b"8;yesterday;;Bad time;;;\r\n"
        b"9;;;\xff\xfe is not UTF-8;;;\r\n"
        b"10;;;Too many cells;;;;;surplus\r\n"
        b"11;;;Short\r\n"
        b"7;;;The same id again;;;\r\n"
    )
    maps = {
        "text": "Message",
        "author.email": "E-mail",
        "occurred_at": "Created",
        "tags": "Labels",
        "subject.browser": "Browser",
        "severity": "Weight",
    }
    words = [word for field, column in maps.items() for word in ("--map", f"{field}={column}")]
    done = command(
        environ, "import", str(path), *words, "--source-key", "ID", "--source", "helpdesk", "--json"
    )
    told = json.loads(done.stdout)

    assert (told["stored"], told["known"], told["rejected"]) == (2, 1, 4)
    first, short = Feedback.select().order_by(Feedback.id)
    assert first.text == 'The "menu"\r\ndoes not open'
    assert (first.author_email, first.tags, first.subject) == (
        "a@b.test",
        ["ui", "menu"],
        {"browser": "Firefox"},
    )
    assert first.impact_reasons[0]["points"] == 4
    assert first.occurred_at == 1_775_730_600_000
    assert first.source == "helpdesk"
    assert short.text == "Short"
    rejected = [json.loads(line) for line in Path(told["rejected_file"]).read_text().splitlines()]
    assert [line["line"] for line in rejected] == [4, 5, 6, 7]
    assert json.loads(rejected[0]["row"])["Message"] == "No id here"

    edited = path.read_bytes().replace(b"11;;;Short", b"11;;;Short, and changed")
    edited = edited.replace(b"8;yesterday;", b"8;;")
    path.write_bytes(edited)
    command(environ, "import", str(path), *words, "--source-key", "ID", "--source", "helpdesk")
    assert Feedback.select().count() == 3


@pytest.mark.parametrize(
    ("content", "words", "message"),
    [
        (b"a,b\n1,2\n", [], "map text=COLUMN; the columns are: a, b"),
        (b"a,b\n1,2\n", ["--map", "text=c"], "no column c"),
        (b"a,b\n1,2\n", ["--map", "title=a"], "map text=COLUMN"),
        (b"a,b\n1,2\n", ["--map", "words=a"], "fields are text"),
        (b"a,b\n1,2\n", ["--map", "text=a", "--source", "slack"], "its own door"),
        (b"", [], "no header"),
        ("a,b\n".encode("utf-16"), [], "UTF-8"),
        (b'[{"text": "a"}]', ["--format", "ndjson"], "one JSON array"),
    ],
)
def test_unusable(
    environ: dict[str, str], tmp_path: Path, content: bytes, words: list[str], message: str
) -> None:
    """What cannot be an import is refused before anything is stored, with what to do; exit code 2."""
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    done = command(environ, "import", str(path), *words)

    assert done.returncode == 2
    assert message in done.stderr.decode()
    assert Feedback.select().count() == 0


SENT = [
    {"text": "Sorting by date would help"},
    {
        "text": '=HYPERLINK("http://evil.test")\nline two, "quoted" and \'more\'',
        "title": "@SUM(1+1)",
        "type": "message",
        "kind": "-kind",
        "category": "praise",
        "sentiment": "positive",
        "sentiment_score": 0.75,
        "severity": 5,
        "language": "nl",
        "subject": {"page": "/x", "n": [1, {"a": None}], "=cmd": "+1"},
        "author": {"id": "u1", "name": "'=not a formula", "email": "\tx@y.test"},
        "tags": ["a:b", "=c"],
        "external_id": "+49 30",
        "occurred_at": "2026-04-09T10:30:00.123Z",
    },
    {"text": "Rating only", "type": "rating", "subject": {"value": 3}},
]
KEPT = (
    "text",
    "title",
    "type",
    "kind",
    "language",
    "subject",
    "author",
    "tags",
    "external_id",
    "occurred_at",
)


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_round_trip(environ: dict[str, str], tmp_path: Path, form: str) -> None:
    """What is exported and imported elsewhere keeps all that its sender set, and is imported once."""
    run_command(environ, "import", str(write(tmp_path / "sent.ndjson", SENT)))
    out = tmp_path / f"out.{form}"
    assert run_command(environ, "export", "-o", str(out))["records"] == 3
    before = {row["text"]: row for row in Feedback.select().dicts()}
    close()
    (tmp_path / "second").mkdir()
    second = environ_of(tmp_path / "second")
    run_command(second, "init")
    assert run_command(second, "import", str(out))["stored"] == 3
    changed = out.with_name(f"more.{form}")
    changed.write_bytes(out.read_bytes() + b"\n")
    assert run_command(second, "import", str(changed))["known"] == 3
    connect(second["GATEWAY_DATABASE_URL"])

    names = [name for name in KEPT if name != "author"] + ["author_id", "author_name", "author_email"]
    names += ["category", "category_origin", "sentiment", "sentiment_origin", "impact_reasons"]
    for row in Feedback.select().dicts():
        assert {n: row[n] for n in names} == {n: before[row["text"]][n] for n in names}
    assert Feedback.select().count() == 3


def test_export(environ: dict[str, str], tmp_path: Path) -> None:
    """NDJSON on stdout is what the API shows, oldest first; a CSV holds no formula; bounds are kept."""
    run_command(environ, "import", str(write(tmp_path / "sent.ndjson", SENT)))
    shown = command(environ, "export").stdout.decode().splitlines()
    sheet = command(environ, "export", "--format", "csv", "--bom").stdout
    none = command(environ, "export", "--since", "2999-01-01").stdout

    assert [json.loads(line)["text"] for line in shown] == [item["text"] for item in SENT]
    assert none == b""
    assert sheet.startswith(b"\xef\xbb\xbfid,")
    header, *cells = csv.reader(io.StringIO(sheet.decode("utf-8-sig"), newline=""))
    assert len(cells) == 3
    for row in (header, *cells):
        texts = [cell for name, cell in zip(header, row, strict=True) if name != "sentiment_score"]
        assert not [text for text in texts if text.startswith(FORMULA)]
    assert command(environ, "export", "--json").returncode == 2


def test_export_of_a_project(environ: dict[str, str], tmp_path: Path) -> None:
    """Only one project's records, and rows land in the project they are imported for."""
    project = run_command(environ, "project", "create", "Second")["project_id"]
    path = write(tmp_path / "a.ndjson", [{"text": "To the second one"}])
    run_command(environ, "import", str(path), "--project", project)
    run_command(environ, "import", str(path))

    assert Feedback.select().count() == 2
    (line,) = command(environ, "export", "--project", project).stdout.splitlines()
    assert json.loads(line)["project_id"] == project


@pytest.mark.long
def test_an_unfinished_export_leaves_no_file(environ: dict[str, str], tmp_path: Path) -> None:
    """A file appears only when it is whole."""
    run_command(environ, "import", str(write(tmp_path / "sent.ndjson", SENT)))
    out = tmp_path / "out.ndjson"
    script = (
        "from gateway.cli import main; import sys; "
        "sys.modules['gateway.transfer.file_export'].dumps = lambda shown: 1 / 0; main()"
    )
    assert command(environ, "export", "-o", str(out), script=["-c", script]).returncode != 0
    assert not out.exists()


TEXTS = st.text(st.characters(), max_size=20) | st.sampled_from(
    ["=1", "'=1", "''@x", "\t", "-", "a\r\nb", "'"]
)


@given(TEXTS)
def test_defusing_is_undone(text: str) -> None:
    """No cell begins like a formula, and every text can be had back."""
    cell = defused(text)

    assert not cell.startswith(FORMULA)
    shown = {"text": text, "author": {"name": text or None}}
    assert unflat(flat(shown)) == shown


# What decides where cells and formulas begin, and what only looks as if nothing were there.
SHEETS = st.text(",;\t\n\r\"'=+-@ ＝＋－＠\u200b\ufeff\xa0x5.", max_size=12) | st.text(max_size=6)
UNSEEN = '"\xa0\u200b\ufeff \t\r\n'


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(SHEETS, SHEETS, SHEETS, st.floats(-1, 1, width=16)), min_size=1, max_size=3),
    st.booleans(),
)
def test_no_formula_in_any_locale(said: list[tuple[str, str, str, float]], score_first: bool) -> None:
    """Whatever a spreadsheet separates by, no cell begins like a formula, and everything can be had back."""
    shown = [
        {
            "sentiment_score": score,
            "text": a,
            "title": b,
            "author": {"name": c or None},
            "tags": [a, b],
            "subject": {a: b},
        }
        for a, b, c, score in said
    ]
    columns = ["text", "title", "tags", "subject", "sentiment_score", "author.name"]
    columns = ["sentiment_score", *columns] if score_first else columns
    written = "".join(csv_lines(shown, columns))
    for delimiter in ",;\t":
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
            for row in csv.reader(io.StringIO(written, newline=""), delimiter=delimiter, quoting=quoting):
                wrong = [
                    cell for cell in row if cell.strip(UNSEEN).startswith(("=", "+", "-", "@", *"＝＋－＠"))
                ]
                if quoting == csv.QUOTE_MINIMAL or delimiter != ",":
                    assert [cell for cell in wrong if not re.fullmatch("-[0-9.e-]+", cell)] == []

    own = csv.DictReader(io.StringIO(written, newline=""))
    found = [unflat({name: cell for name, cell in row.items() if name}) for row in own]
    assert found == shown


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("a;=1+1", "a;'=1+1"),
        ("a; \ufeff=1", "a; \ufeff'=1"),
        ('a\t"@x', "a\t\"'@x"),
        ("\u200b=1", "\u200b'=1"),
        ("＝1", "'＝1"),
        ("one\n- two", "one\n'- two"),
        ("-5", "-5"),
        ("-0.25", "-0.25"),
        ("-5+cmd", "'-5+cmd"),
        ("a - b = c; d", "a - b = c; d"),
    ],
)
def test_where_a_formula_may_begin(text: str, cell: str) -> None:
    """After every separator, quote and blank; plain negative numbers and other signs stay."""
    assert defused(text) == cell


@settings(deadline=None)
@given(st.lists(st.lists(TEXTS, min_size=2, max_size=2), max_size=5))
def test_csv_is_read_as_it_was_written(cells: list[list[str]]) -> None:
    """Whatever the cells hold, each written row is read as one row or refused, in order."""
    shown = [{"text": a, "title": b, "author": {}} for a, b in cells]
    written = "".join(csv_lines(shown, ["text", "title"])).encode("utf-8", "replace")
    header, rows = table(io.BytesIO(written))  # type: ignore[arg-type]
    found = [row.value for row in rows if row.problem is None]

    assert header == ["text", "title"]
    clean = [
        {"text": a, "title": b}
        for a, b in ([defused(c).encode("utf-8", "replace").decode() for c in pair] for pair in cells)
        if a or b
    ]
    assert found == [{name: text.replace("\0", "\ufffd") for name, text in row.items()} for row in clean]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=300) | st.text('"{}[],:;\n\rtex=id', max_size=80).map(str.encode), st.integers(1, 50)
)
def test_no_file_breaks_the_reader(content: bytes, longest: int) -> None:
    """Any bytes are rows that become records or are refused, or no file of rows at all."""
    before, row_module.LONGEST = row_module.LONGEST, longest
    try:
        for read in (ndjson, lambda file: table(file)[1]):
            try:
                found = list(read(io.BytesIO(content)))
            except Unreadable:
                continue
            for row in found:
                for mapped in (Mapped({}), Mapped({"text": "text", "tags": "a"}, "id")):
                    try:
                        assert isinstance(mapped.read(row), Record)
                    except Refused as refused:
                        assert 400 <= refused.problem.status < 500
    finally:
        row_module.LONGEST = before
        csv.field_size_limit(before)


@pytest.mark.long
def test_progress_needs_a_terminal(environ: dict[str, str], tmp_path: Path) -> None:
    """Without a terminal stderr has one line, with one it shows a bar."""
    path = write(tmp_path / "a.ndjson", [{"text": "One report of mine"}])
    plain = command(environ, "import", str(path))
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", "import", str(path), "--again"],
        env={**environ, "TERM": "xterm"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            data = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        shown += data
    process.communicate()
    os.close(ours)

    assert plain.stderr == b""
    assert b"stored" in shown
