"""The digest: what came in over a period in words and numbers, whatever senders wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from selectolax.lexbor import LexborHTMLParser

from adapters.contract.record import CATEGORIES, SENTIMENTS
from gateway.access import topics
from gateway.api.digest import composition
from gateway.api.digest.as_html import html
from gateway.api.digest.as_markdown import markdown
from gateway.api.digest.as_text import text as as_text
from gateway.api.digest.blocks import MOST_SAID, Block, Grid, Heading, Items, Link, Paragraph, Quote, Said
from gateway.api.digest.composition import digest
from gateway.api.digest.figures import figures
from gateway.api.digest.period import BadPeriod, Period, period_of, zone_of
from gateway.cli import main
from gateway.core.config import Config
from gateway.core.languages import LANGUAGES
from gateway.destinations import message
from gateway.destinations.digests import of_digest
from models import Feedback, HookRow, Quarantine, Theme, ThemeMember, ThemeRun
from models.database.base import writing
from models.tables import destination, outcome
from tests.background.test_second_reading import post
from tests.conftest import Call, Tenant

both = pytest.mark.both
DAY = 86_400_000
UTC = ZoneInfo("UTC")
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NOW = 1_795_249_602_859  # Saturday 21 November 2026, 08:26 UTC
MIDNIGHT = NOW // DAY * DAY
WEEK = Period(date(2026, 11, 14), date(2026, 11, 20), UTC)
URL = "https://feedback.example.org/in"

# What would get out of a line, a cell, a link, an attribute or an element.
HOSTILE = (
    "</bdi></td></table><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }} {} {0} %(number)s %s",
    "| a | b |\n|---|---|\n| c | d |",
    "# heading\n\n- item\n1. one\n> quote\n***\n===",
    "1. one",
    "12) twelve",
    "- dash",
    "[click](https://evil.example) ![x](https://evil.example/x.png)",
    "<https://evil.example> https://evil.example www.evil.example",
    "[ref]: https://evil.example",
    "`code` ``` fence ~~~ $$x$$ **bold** __b__ ~~no~~ &lt;b&gt; &#91;",
    "a\\",
    "\\[x\\](y)",
    "\u202egnp.exe\u2066 \u2028 \u0085 \x1b[2J \x00 \ufeff",
    "w" * 500,
    "[](",
    "](javascript:alert(1))",
    "<!-- --> <![CDATA[ ]]> <?php ?>",
    "    four blanks",
    "\ud800",
    "",
)
texts = st.text() | st.text("<>&\"'`*_[]()#|~-+=.!\\/:\n\t 1aw") | st.sampled_from(HOSTILE)


def told(words: str) -> list[Block]:
    """Every place where words of others may stand."""
    said = Said(words)
    return [
        Heading(said.text, 1),
        Paragraph([said]),
        Paragraph(["Before ", said, " after"]),
        Items([([Link(said, "https://ours.example/records/fb_1")], [said]), ([said], [])]),
        Grid(["Name", "Now"], [[said, "1"], [said, "2"]]),
    ]


SEEN = {
    *("html", "head", "meta", "title", "body", "div", "h1", "h2", "p", "ul", "li", "br"),
    *("blockquote", "span", "table", "tbody", "tr", "th", "td", "a", "bdi"),
}
ATTRIBUTES = {"style", "href", "scope", "lang", "charset", "name", "content"}


def elements(text: str) -> list[tuple[str, dict[str, Any]]]:
    return [(str(node.tag), dict(node.attributes)) for node in LexborHTMLParser(text).css("*")]


PLAIN = elements(html(told("plain"), "en", "plain"))


@given(texts)
def test_nothing_breaks_out_of_html(text: str) -> None:
    """Whatever the words, the page has the elements and attributes that it has of plain ones."""
    page = html(told(text), "en", Said(text).text)
    assert elements(page) == PLAIN
    found = LexborHTMLParser(page)
    shown = [node.text() for node in found.css("bdi")]
    assert [" ".join(each.split()) for each in shown] == [" ".join(Said(text).text.split())] * len(shown)


def structure(text: str) -> list[tuple[str, str, Any]]:
    """The elements that CommonMark with tables and strikethrough makes of a text, without its words."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tokens = [part for token in parser.parse(text) for part in (token, *(token.children or ()))]
    return [
        (token.type, token.tag, token.attrs) for token in tokens if token.type not in ("text", "text_special")
    ]


def words_of(text: str) -> str:
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return LexborHTMLParser(parser.render(text)).text()


# Words that nothing is left of make no heading, link or line.
@given(texts.filter(lambda text: bool(Said(text).text.strip("\u200c\u200d"))))
def test_nothing_breaks_out_of_markdown(text: str) -> None:
    """Whatever the words, it has the structure that plain ones have, one line each, and their text."""
    written, plain = markdown(told(text)), markdown(told("plain"))
    assert structure(written) == structure(plain)
    assert written.count("\n") == plain.count("\n")
    assert len(written.splitlines()) == len(plain.splitlines())
    wanted = words_of(plain).replace("plain", Said(text).text)
    assert " ".join(words_of(written).split()) == " ".join(wanted.split())


@given(texts)
def test_quotes_keep_their_lines(text: str) -> None:
    """A quote is nothing but its lines, in HTML, in Markdown and as text."""
    quote = Quote(f"Before {text}\n\n\nafter")
    page = LexborHTMLParser(html([quote], "en", "x"))
    assert [node.text() for node in page.css("blockquote > bdi")] == quote.lines
    kinds = {str(node.tag) for node in page.css("blockquote *")}
    assert kinds == {"bdi", "br"}
    parsed = [kind for kind, *_ in structure(markdown([quote]))]
    assert {*parsed} <= {
        "blockquote_open",
        "blockquote_close",
        "paragraph_open",
        "paragraph_close",
        "inline",
        "hardbreak",
    }
    plain = as_text([quote])
    assert all(line.startswith(">") for line in plain.splitlines())
    assert plain.replace("\n>", "").split() == [">", *" ".join(quote.lines).split()]


@given(texts)
@example("a" * 10_000)
@example("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645")
def test_said_is_one_short_line(text: str) -> None:
    """Nothing in it is unseen or turns the direction, and it is cut."""
    line = Said(text).text
    assert len(line) <= MOST_SAID + 1
    assert all(char.isprintable() or char in "\u200c\u200d" for char in line)
    assert "\u200c" in line or "\u200c" not in text[:MOST_SAID]


PERIODS: list[tuple[str, ZoneInfo, tuple[int, int]]] = [
    ("day", UTC, (MIDNIGHT - DAY, MIDNIGHT)),
    ("week", UTC, (MIDNIGHT - 7 * DAY, MIDNIGHT)),
    ("month", UTC, (MIDNIGHT - 30 * DAY, MIDNIGHT)),
    ("week", AMSTERDAM, (MIDNIGHT - 7 * DAY - DAY // 24, MIDNIGHT - DAY // 24)),
    # The clock was set back on 25 October: that day has 25 hours.
    ("2026-10-25..2026-10-25", AMSTERDAM, (1_792_879_200_000, 1_792_879_200_000 + 25 * DAY // 24)),
    ("2026-11-21..2026-11-21", UTC, (MIDNIGHT, MIDNIGHT + DAY)),  # today so far
]


@pytest.mark.parametrize(("text", "zone", "wanted"), PERIODS)
def test_periods(text: str, zone: ZoneInfo, wanted: tuple[int, int]) -> None:
    """Whole days of a zone, those of a named period being over."""
    found = period_of(text, zone, NOW)
    assert (found.since, found.until) == wanted


@pytest.mark.parametrize(
    "text",
    [
        *("", "year", "2026-11-01", "2026-11-31..2026-12-01", "2026-11-10..2026-11-09", "../../etc"),
        *(
            "2026-11-01..2026-11-22",
            "1969-01-01..1969-01-02",
            "2024-11-01..2026-11-01",
            "٢٠٢٦-11-01..2026-11-02",
        ),
    ],
)
def test_no_periods(text: str) -> None:
    """What is no period, or one that is not over, is refused with what would be one."""
    with pytest.raises(BadPeriod, match="must be"):
        period_of(text, UTC, NOW)


@pytest.mark.parametrize("name", ["", "Mars/Base", "../../etc/passwd", "/etc/passwd", "\0"])
def test_no_zones(name: str) -> None:
    with pytest.raises(BadPeriod, match="Europe/Amsterdam"):
        zone_of(name)


def at(feedback_id: str, when: int, **columns: Any) -> None:
    """Has a record have come then."""
    with writing():
        Feedback.update(received_at=when, **columns).where(Feedback.id == feedback_id).execute()


@pytest.fixture(name="week")
def _week(call: Call, tenant: Tenant) -> dict[str, str]:
    """A week with five records and one before it, by name."""
    found = {
        "fire": post(
            call, "The oven is on fire", category="bug", author={"name": "Zebedee", "email": "z@z.test"}
        ),
        "slow": post(call, "The page is *slow* <b>today</b>", category="bug", tags=["x"]),
        "dark": post(call, "Please add a dark mode", category="feature"),
        "done": post(call, "It was broken", category="bug"),
        "later": post(call, "Came today", category="praise"),
        "before": post(call, "Came the week before", category="bug"),
    }
    for number, (name, feedback_id) in enumerate(found.items()):
        at(feedback_id, MIDNIGHT - (number + 1) * DAY // 2, impact=10 - number, category_confidence=0.9)
        at(
            feedback_id,
            MIDNIGHT - (number + 1) * DAY // 2,
            sentiment_confidence=0.3 if name == "dark" else 0.9,
        )
    at(found["later"], MIDNIGHT + 5)
    at(found["before"], MIDNIGHT - 8 * DAY, source="discord")
    at(found["done"], MIDNIGHT - DAY, status="resolved")
    return found


def of(tenant: Tenant, form: str = "md", language: str = "en", project: str | None = None) -> str:
    return digest(figures(tenant.workspace_id, project, WEEK), form, language, URL)


@both
def test_a_week(call: Call, tenant: Tenant, week: dict[str, str]) -> None:
    """Counts with their trend, open records by impact with links, those longest unsure, what is silent."""
    text = of(tenant)
    assert "From 14 November 2026 to 20 November 2026 (UTC)" in text
    assert "4 records came in, 1 in the period before (+300%)." in text
    assert "| bug | 3 | 1 | +200% |" in text
    assert "| feature | 1 | 0 | new |" in text
    assert "| discord | 0 | 1 | −100% |" in text
    assert "- Silent, though heard in the period before: discord" in text
    links = re.findall(r"\]\(<([^>]+)>\)", text)
    shown = [f"{URL}/records/{week[name]}" for name in ("fire", "slow", "dark", "before", "dark")]
    assert links == shown  # the last one is unsure
    assert "The oven is on fire](<" in text and "(impact 10, bug, 20 Nov 2026 12:00)" in text
    assert r"The page is \*slow\* \<b\>today\</b\>" in text
    assert "Zebedee" not in text and "z@z" not in text.replace("\\", "")


@both
def test_the_same_as_html(call: Call, tenant: Tenant, week: dict[str, str]) -> None:
    """The page says what the Markdown says: no script, nothing to fetch, links to the inbox only."""
    page = of(tenant, "html")
    found = LexborHTMLParser(page)
    seen = elements(page)
    assert {name for name, _ in seen} <= SEEN
    assert {name for _, attributes in seen for name in attributes} <= ATTRIBUTES
    assert not re.search(r"url\(|@import|src=|http-equiv", page)
    assert [node.attributes["href"] for node in found.css("a")] == re.findall(r"\]\(<([^>]+)>\)", of(tenant))
    assert "4 records came in, 1 in the period before (+300%)." in found.text()
    assert "The page is *slow* <b>today</b>" in found.text()


@both
def test_of_one_project(call: Call, tenant: Tenant, week: dict[str, str], new_key: Any) -> None:
    """A project's digest has its name and its records only."""
    made = call("POST", "/gateway/v1/projects", json={"name": "App <b>*x*</b>"}).json
    project_id = made.get("project_id") or made["id"]
    at(week["dark"], MIDNIGHT - DAY, project_id=project_id)
    text = of(tenant, project=project_id)
    assert text.startswith(r"# Feedback of App \<b\>\*x\*\</b\>")
    assert "1 record came in, and none in the period before." in text
    assert "oven" not in text


@both
def test_empty_weeks(call: Call, tenant: Tenant) -> None:
    """It says in a sentence that nothing came in, and what is to be looked after all the same."""
    assert "Nothing came in, and nothing in the period before." in of(tenant)
    one = post(call, "Came the week before")
    at(one, MIDNIGHT - 8 * DAY)
    text = of(tenant)
    assert "Nothing came in; in the period before it was 1 record." in text
    assert one in text


def test_themes_topics_and_quarantine(call: Call, tenant: Tenant, week: dict[str, str]) -> None:
    """What grew is told with how much, by whom and in which words; what is in quarantine is counted."""
    with writing():
        topic = topics.create(tenant.workspace_id, tenant.project_id, "Heat | *and* light", "", 1)["id"]
        for name in ("fire", "slow"):
            Feedback.update(topic=topic, topic_origin="corrected").where(Feedback.id == week[name]).execute()
        run = {"id": "tr", "workspace_id": tenant.workspace_id, "newest": "", "took": 1, "computed_at": 1}
        ThemeRun.insert(**run, since=MIDNIGHT - 90 * DAY).execute()
        for theme_id, label, names in (("t1", "lamps", ("fire", "slow")), ("t2", "cables", ("before",))):
            row = {"id": theme_id, "lasting_id": theme_id, "run": "tr", "label": label, "terms": []}
            Theme.insert(**row).execute()
            for name in names:
                received = Feedback.get_by_id(week[name]).received_at
                ThemeMember.insert(theme=theme_id, feedback=week[name], at=received, closeness=1).execute()
        held = {"workspace_id": tenant.workspace_id, "project_id": tenant.project_id, "source": "slack"}
        held |= {"hook_id": "h", "reason": "r", "request": {}, "payload": b"", "received_at": 1}
        Quarantine.insert(id="qr_1", **held).execute()
    text = of(tenant)
    _, _, item, more, *_ = text[text.index("## Growing themes") :].splitlines()
    assert item == f"- [lamps](<{URL}/inbox?theme=t1>) (2, 0 before, 1 person)\\"
    assert "“The oven is on fire”" in more and r"“The page is \*slow\* \<b\>today\</b\>”" in more
    assert r"| Heat \| \*and\* light | 2 | 0 |" in text
    assert "- 1 delivery is in quarantine: nobody could read it." in text
    with writing():  # the period before was not looked at: nobody knows what grew
        ThemeRun.update(since=MIDNIGHT - 8 * DAY).execute()
    assert "lamps" not in of(tenant)


@both
def test_what_was_done_and_what_fails(call: Call, tenant: Tenant, week: dict[str, str], new_key: Any) -> None:
    """What was resolved in the period is told, destinations that take nothing, and hooks that fell silent."""
    at(week["done"], MIDNIGHT - DAY, resolved_at=MIDNIGHT - DAY // 2)
    at(week["slow"], MIDNIGHT - DAY, status="resolved", resolved_at=MIDNIGHT + 1)  # today
    hook = {
        "workspace": tenant.workspace_id,
        "source": "discord",
        "secrets": [],
        "options": {},
        "created_at": 1,
    }
    made = {"workspace_id": tenant.workspace_id, "kind": "email", "url": "", "secrets": [], "headers": ""}
    made |= {"filter": "", "events": [], "thin": False, "created_at": 1, "project_id": None}
    with writing():
        for name, requests in (("Chat", {-8: 3, 1: 9}), ("Shop", {-8: 2, -1: 1}), ("Rare", {-8: 2})):
            HookRow.create(id=f"hk_{name}", name=name, **hook)
            for day, number in requests.items():
                row = (MIDNIGHT + day * DAY, tenant.workspace_id, f"hk_{name}", "discord", "stored")
                outcome.add({row: number}, {})
        for name in ("Fine", "Failing", "Given up", "Paused"):
            destination.add({"id": f"dst_{name[:3]}", "name": name, **made})
        destination.change("dst_Fai", {"failing_since": MIDNIGHT - DAY})
        destination.change("dst_Pau", {"failing_since": MIDNIGHT - DAY, "state": destination.PAUSED})
        destination.change("dst_Giv", {"state": destination.DISABLED, "reason": "it answered 410 Gone"})
    text = of(tenant)
    assert "## Resolved\n\n1 record was resolved.\n\n- [It was broken](<" in text
    assert f"- A destination takes nothing: [Failing](<{URL}/settings/destinations/dst_Fai>) (since " in text
    assert "- A destination is disabled: [Given up](<" in text and "(it answered 410 Gone)" in text
    assert "Paused" not in text and "Fine" not in text
    assert "- Hooks that were used in the period before and not in this one: Chat\n" in text
    assert "Silent, though" not in text  # that is the hook's source


def test_as_a_message(call: Call, tenant: Tenant, week: dict[str, str]) -> None:
    """Chats and mails are told the same on one screen, if anything happened at all."""
    found = figures(tenant.workspace_id, None, WEEK)
    told = of_digest(found, URL)
    assert found.has_news and told.subject == "Feedback: 4 records came in, 1 in the period before (+300%)"
    counts = next(part for part in told.parts if isinstance(part, message.Facts))
    assert list(counts.pairs) == [("bug", "3 (+200%)"), ("feature", "1 (new)")]
    entries = [entry for part in told.parts if isinstance(part, message.Entries) for entry in part.entries]
    assert entries[0] == message.Entry(
        "The oven is on fire", "impact 10, bug, 20 Nov 2026 12:00", f"{URL}/records/{week['fire']}"
    )
    assert entries[-1].text == "Silent, though heard in the period before: discord"
    link = f"{URL}/digest?period=2026-11-14..2026-11-20&zone=UTC"
    assert told.parts[-1] == message.Link("Read all of it in the inbox", link)
    quiet = Period(date(2020, 1, 1), date(2020, 1, 7), UTC)
    assert not figures(tenant.workspace_id, None, quiet).has_news


@pytest.mark.parametrize("form", ["md", "html"])
def test_hostile_records(call: Call, tenant: Tenant, form: str) -> None:
    """Titles, texts and sources of any kind leave the digest as it is."""
    ids = [post(call, f"x{n}") for n in range(len(HOSTILE[:-2]))]
    for one, words in zip(ids, HOSTILE, strict=False):
        at(one, MIDNIGHT - DAY, title=words.replace("\0", ""), text=words.replace("\0", "") * 2)
    text = of(tenant, form)
    parsed = text if form == "html" else MarkdownIt("commonmark").enable("table").render(text)
    found = LexborHTMLParser(parsed)
    assert {node.attributes["href"].rpartition("/")[0] for node in found.css("a")} == {f"{URL}/records"}
    assert not found.css("img, script, code, pre, blockquote, ol, b, em, strong, hr")
    assert len(found.css("a")) == len(found.css("li"))


def test_all_of_it_in_dutch(call: Call, tenant: Tenant, week: dict[str, str]) -> None:
    """Each text has a translation with the same places to fill in, and none is left over."""
    source = Path(composition.__file__)
    said = {*CATEGORIES, *SENTIMENTS}
    with source.open("rb") as file:
        for _, message, *_ in extract("python", file, keywords={"_": None, "_count": (1, 2)}):
            said |= {message} if isinstance(message, str) else {message[0]}
    for language in set(LANGUAGES) - {"en"}:
        with (source.parent / f"{language}.po").open("rb") as file:
            known = {
                message.id if isinstance(message.id, str) else message.id[0]: message
                for message in read_po(file, locale=language)
                if message.id
            }
        assert set(known) == said
        for message in known.values():
            forms: Sequence[str] = [message.string] if isinstance(message.string, str) else message.string
            ids = [message.id] if isinstance(message.id, str) else message.id
            for form in forms:
                assert form
                assert set(re.findall(r"%\(\w+\)s", form)) == set(re.findall(r"%\(\w+\)s", ids[-1]))
    text = of(tenant, language="nl")
    assert "Van 14 november 2026 tot en met 20 november 2026 (UTC)" in text
    assert "| fout | 3 | 1 | +200% |" in text
    assert '<html lang="nl">' in of(tenant, "html", "nl")


def test_at_the_command_line(
    config: Config, call: Call, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`feedback-gateway digest` prints it, and refuses what is no period or zone."""
    for name in ("database_url", "data_dir", "secret_key"):
        monkeypatch.setenv(f"GATEWAY_{name.upper()}", getattr(config, name))
    monkeypatch.setenv("GATEWAY_PUBLIC_URL", "https://feedback.example.org")
    one = post(call, "The lamp is broken")

    def run(*words: str) -> Any:
        return CliRunner().invoke(main, ["digest", *words])

    month = run("--period", "month", "--zone", "Europe/Amsterdam", "--language", "nl")
    page = json.loads(run("--format", "html", "--project", tenant.project_id, "--json").stdout)
    assert month.stdout.startswith("# Feedback\n\nVan ") and "(Europe/Amsterdam)" in month.stdout
    assert page["text"].startswith("<!doctype html>") and page["format"] == "html"
    assert one not in page["text"]  # it came today
    assert [run("--period", "year").exit_code, run("--zone", "Mars").exit_code] == [2, 2]
    assert "2026-11-01..2026-11-30" in run("--period", "year").stderr
