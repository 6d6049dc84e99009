"""The words of deliveries, over all dialects: what is read of them, what is filled in, what is taken away."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from adapters.common.markup import plain
from adapters.common.plain_text import without_status
from adapters.common.sentry_words import fill
from adapters.contract.ansi import without_ansi
from tests.adapters.mutation import paths_of, put
from tests.adapters.test_adapters import CASES, DIALECTS, door_of, inbound_of

HOOKS = [name for name, adapter in DIALECTS.items() if adapter.signed]
RED, HOLE = "\x1b[31;1m red\x1b[0m", re.compile(r"(?:\bon|:|\()$|^\W*:|\(\)|\bNone\b|  ")


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        value = value[name]
    return value


def read(name: str, request: dict[str, Any], sent: Any) -> list[Any]:
    inbound = inbound_of({**request, "json": sent})
    return door_of(DIALECTS[name], inbound).read(inbound)


@pytest.mark.parametrize("name", HOOKS)
def test_nothing_colours_a_terminal(name: str) -> None:
    """Whatever text of a delivery has control sequences of a terminal in it, no record has."""
    coloured = 0
    for case in (json.loads(path.read_text()) for path in CASES if path.parent.name == name):
        request = case["request"]
        for path in paths_of(request["json"]) if "json" in request else ():
            if isinstance(text := at(request["json"], path), str) and text:
                for record in read(name, request, put(request["json"], path, text + RED)):
                    assert "\x1b" not in record.title + record.text, path
                    coloured += " red" in record.text
    assert coloured or name == "sentry_envelope"  # which has fixtures of its own


@pytest.mark.parametrize("name", HOOKS)
def test_no_sentence_has_a_hole(name: str) -> None:
    """Whatever is absent from a delivery, no title ends in the middle or shows that something is missing."""
    for case in (json.loads(path.read_text()) for path in CASES if path.parent.name == name):
        request = case["request"]
        for path in paths_of(request["json"]) if "json" in request else ():
            if path and isinstance(at(request["json"], path), str | int):
                for record in read(name, request, put(request["json"], path, None)):
                    assert record.kind == "reaction" or not HOLE.search(record.title), (path, record.title)


@pytest.mark.parametrize("name", HOOKS)
def test_addresses_lead_to_pages(name: str) -> None:
    """Whatever stands where a delivery has an address, a record's address is one of HTTP or there is none."""
    for case in (json.loads(path.read_text()) for path in CASES if path.parent.name == name):
        request = case["request"]
        for path in paths_of(request["json"]) if "json" in request else ():
            if str(at(request["json"], path)).startswith("http") and isinstance(path[-1], str):
                for other in ("javascript:alert(1)", "x", 7):
                    for record in read(name, request, put(request["json"], path, other)):
                        address = record.subject.get("url", "http:")
                        assert isinstance(address, str) and address.startswith("http"), path


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[38;5;196mred\x1b[K", "red"),
        ("\x9b1mbold", "bold"),
        ("\x1b]8;;https://a.example\x1b\\link\x1b]8;;\x07", "link"),
        ("\x1b]never ended", "]never ended"),
        ("\x1b(Bplain\x1b7", "plain"),
        ("cut\x1b[3", "cut"),
        ("\x1bWord", "Word"),
        ("[31m is no code", "[31m is no code"),
    ],
)
def test_control_sequences(said: str, expected: str) -> None:
    assert without_ansi(said) == expected


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("[FIRING:1] Boiler", "Boiler"),
        ("[firing:2, RESOLVED:1] Boiler (heat)", "Boiler (heat)"),
        ("[RESOLVED] Boiler", "Boiler"),
        ("[RESOLVED]", "[RESOLVED]"),
        ("Boiler [FIRING:1]", "Boiler [FIRING:1]"),
        ("[Firing range] is closed", "[Firing range] is closed"),
    ],
)
def test_status_before_a_title(title: str, expected: str) -> None:
    assert without_status(title) == expected


@pytest.mark.parametrize(
    ("template", "params", "expected"),
    [
        ("Import of %s stopped at row %s", ["orders", 17], "Import of orders stopped at row 17"),
        ("%(what)s took %(time).1f s", {"what": "Sync", "time": 2.5}, "Sync took 2.5 s"),
        ("%2$s before %1$s", ["b", "a"], "a before b"),
        ("%d %% of %s", [5, "all"], "5 % of all"),
        ("{} of {}", ["orders", 17], "orders of 17"),
        ("{0} of {1:N2}", ["orders", 17], "orders of 17"),
        ("Order {@Order} of {Customer}", [{"id": 7}, "Kim"], 'Order {"id": 7} of Kim'),
        ("{name} left", {"name": "Kim"}, "Kim left"),
        ("%s and %s", ["one"], "one and %s"),
        ("50 % of {}", ["all"], "50 % of all"),
        ("%s %s %s", [None, True, 1.5], " true 1.5"),
    ],
)
def test_templates(template: str, params: Any, expected: str) -> None:
    """Templates of printf, Python, Java and .NET; a placeholder without a value stays."""
    assert fill(template, params) == expected


def test_a_value_does_not_multiply() -> None:
    """A template that names one long value again and again is no longer than both together."""
    assert len(fill("%(a)s" * 1000, {"a": "x" * 10_000})) < 5 * 1000 + 10_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a < b > c and x<y", "a < b > c and x<y"),
        ("List<String> of Map<K, V>", "List<String> of Map<K, V>"),
        ("before <!-- a\nb --> after<!--x-->", "before  after"),
        ("words <!-- that never end", "words  that never end"),
        ("```\n<!-- kept -->\n<b>kept</b>\n```\n<b>gone</b>", "```\n<!-- kept -->\n<b>kept</b>\n```\ngone"),
        ("`<b>` is <b>bold</b>", "`<b>` is bold"),
        ("<p>One</p><p>Two &amp; three</p>", "One\nTwo & three"),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
        ("<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>", "a | b\n1 | 2"),
        ("<details><summary>Log</summary>E1</details>", "Log\nE1"),
        ('<a href="https://a.example/?x=1&amp;y=2">here</a>', "here (https://a.example/?x=1&y=2)"),
        ('<a href="https://a.example">https://a.example</a>', "https://a.example"),
        ('<a href="mailto:a@b.example">a@b.example</a>', "a@b.example"),
        ('<a href="javascript:alert(1)">click</a>', "click"),
        ('<img alt="photo" src="https://a.example/p.png">', "photo (https://a.example/p.png)"),
        ('<img src="data:image/png;base64,AAAA" alt="dot">', "dot"),
        ('<a href="/wiki">wiki</a>', "wiki (https://base.example/wiki)"),
        ('<p>a</p><script>alert("x")</script><style>p {}</style><p>b</p>', "a\nb"),
        ("I typed <script> into the field", "I typed <script> into the field"),
        ("<div><form><label>Name</label> Kim</form></div>", "Name Kim"),
        ("<p>Line<br/>break&nbsp;here</p>", "Line\nbreak here"),
        ("<https://a.example> stays", "<https://a.example> stays"),
        ("one\r\n\r\n\r\n<br>two", "one\n\ntwo"),
    ],
)
def test_html(text: str, expected: str) -> None:
    """HTML becomes what a reader sees, links stay, code and what only looks like a tag are left alone."""
    assert plain(text, "https://base.example") == expected


# Where trackers and help desks write HTML: a fixture of each dialect, and the place of its text.
BODIES = [
    ("github", "issue_with_markup", ("issue", "body")),
    ("gitlab", "issue_with_markup", ("object_attributes", "description")),
    ("sentry", "comment_with_markup", ("data", "comment")),
    ("generic", "only_text", None),
    ("jira", "created", ("issue", "fields", "description")),
    ("jira", "comment", ("comment", "body")),
    ("linear", "created", ("data", "description")),
    ("zendesk", "created", ("detail", "description")),
    ("zendesk", "comment", ("event", "comment", "body")),
    ("intercom", "created", ("data", "item", "source", "body")),
    ("azure_devops", "item_created", ("resource", "fields", "Microsoft.VSTS.TCM.ReproSteps")),
    ("bitbucket", "issue_created", ("issue", "content", "raw")),
    ("bitbucket", "issue_comment", ("comment", "content", "raw")),
    ("opsgenie", "created", ("alert", "description")),
    ("opsgenie", "note", ("alert", "note")),
    ("statuspage", "investigating", ("incident", "incident_updates", 0, "body")),
    ("teams", "message", ("text",)),
]
HTML = "<!-- a\nform --><p>Shown <a href='https://a.example'>here</a></p><script>run()</script>"


@pytest.mark.parametrize(("name", "case", "place"), BODIES)
def test_html_in_bodies(name: str, case: str, place: tuple[str, ...] | None) -> None:
    """Every dialect whose bodies may hold HTML shows it as plain text, also as the title's source."""
    (path,) = (path for path in CASES if (path.parent.name, path.stem) == (name, case))
    request = json.loads(path.read_text())["request"]
    places = [place] if place else [at for at in paths_of(request["json"]) if at]
    texts = [record.text for at in places for record in read(name, request, put(request["json"], at, HTML))]

    assert "Shown here (https://a.example)" in texts
