"""Records of every kind to be explained: fixtures' texts and doors, reports, markup, scripts and noise."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from adapters.contract import Refused
from adapters.contract.record import Record
from tests.adapters.test_adapters import CASES, DIALECTS, door_of, inbound_of
from tests.inbox.hostile import HOSTILE
from tests.triage.test_kinds import LEAST, table

FIXTURES = Path(__file__).parent / "fixtures"
EVERY = 4  # of so many sentences one
REPORT = "### Version\n2.4.{n}\n\n### Steps to reproduce\n1. Open `settings.py`\n2. Press save\n\n"
REPORT += "### Expected\nThe file is saved\n\n### Actual\nIt is not saved and the editor closes, see {url}\n"
TRACE = (
    "```\nTraceback (most recent call last)\nValueError: no_such_key\n```\n  at app.Main.run(Main.java:12)\n"
)
ODD = (
    "",
    "!!!",
    "?",
    ":( :( >:(",
    "👍👍👍",
    "😡 werkt niet 😡",
    "😀",
    "...",
    "^ not_paid (length) xxurl xx_num",
    "XXL shirts are too small, xxurl is what I typed",
    "See https://example.test/a_b?c=1, www.example.test and /var/log/syslog/today for 0xdeadbeef12 @jan",
    "Ich kann NICHT bezahlen!!! WARUM??? SO EIN MIST HIER",
    "Não consigo… L’écran n’est plus à jour, ça ne marche pas :-(",
    "cafe\u0301 ferme\u0301, je ne peux pas payer",
    "İstanbul'da ÇALIŞMIYOR",
    "登录 失败, 无法 付款",
    "ログインできません。助けてください!",
    "로그인이 안 돼요",
    "Δεν μπορώ να πληρώσω",
    "לא עובד לי",
    "ใช้งานไม่ได้",
    "Не могу оплатить, ничего не работает",
    "لا يعمل",
    "nooooooo waaaaay it craaaashes agaaaaain",
    "<p>caf&eacute; &amp; bar: the <b>pay</b> button isn&#39;t <i>there</i></p><p>Not good.</p>",
    "<!-- a remark --><div>broken<br>again</div><img src=x.png>",
    "\ud800 lone \udfff surrogates do not work",
    "zero\u200bwidth \u202eright-to-left\u202c breaks the export",
    "a" * 3000,
    "the export is empty. " * 300,
    "e" + "\u0301" * 500 + " does not work",
    "List<String> is not sorted and a < b, c > d",
)


def records() -> Iterator[Record]:
    """Some of the fixtures' sentences, and all else."""
    for name in ("sentences", "measuring_stick", "more_languages"):
        with (FIXTURES / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            yield from (Record(text=row["text"]) for row in islice(csv.DictReader(file), 0, None, EVERY))
    for kind in LEAST:
        yield from (Record(text=text) for *_, text in islice(table(kind), 0, None, EVERY))
    for path in CASES:
        inbound = inbound_of(json.loads(path.read_text())["request"])
        try:
            yield from door_of(DIALECTS[path.parent.name], inbound).read(inbound)
        except Refused:
            continue
    for n, title in enumerate(
        ("Saving fails with TypeError", "Add a dark theme", "How do I save?", "Café fermé")
    ):
        report = REPORT.format(n=n, url="https://example.test/i/1")
        yield Record(title=title, text=report + TRACE * (n % 2))
        yield Record(title=title, text=report * 9)
        yield Record(title=f" {title} ", text=f"{title}\n{report}")
        yield Record(title=f"/feedback {title}", text=report)
    for text in (*ODD, *HOSTILE):
        yield Record(text=text)
        yield Record(title=text[:100], text=f"It does not work since Monday: {text}")
