"""A project's page: its name, its repository, how long it keeps things, and what weighs more in it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest

from gateway.triage import DEFAULT_AREAS
from models import Audit, Feedback, Project
from tests.conftest import Call, Tenant
from tests.inbox.conftest import Reader

Make = Callable[..., Reader]

EXPORT = {
    "0-name": "export",
    "0-points": "3",
    "0-pages": "/export\r\n/reports \r\n\r\n",
    "0-names": "exporter",
    "0-phrases": "csv file",
}
KEPT = {
    "name": "export",
    "points": 3,
    "pages": ["/export", "/reports"],
    "names": ["exporter"],
    "phrases": ["csv file"],
}


@pytest.fixture(name="path")
def _path(tenant: Tenant) -> str:
    return f"/settings/projects/{tenant.project_id}"


def project(path: str) -> Any:
    return Project.get_by_id(path.rpartition("/")[2])


def test_settings(reader: Make, path: str) -> None:
    """Name, repository and days are saved together, shown again, taken back, and written down."""
    ann = reader("admin")
    form = {
        "name": "Web <b>shop</b>",
        "repository": " acme/shop ",
        "retention_days": "365",
        "payload_retention_days": "30",
    }
    assert ann.post(path, form).location == path
    row = project(path)
    assert (row.name, row.repository) == ("Web <b>shop</b>", "acme/shop")
    assert (row.retention_days, row.payload_retention_days) == (365, 30)
    page = ann.get(path).text
    assert "Saved." in page
    assert 'name="retention_days" value="365"' in page
    assert "Web &lt;b&gt;shop&lt;/b&gt;" in page
    assert "365 days" in ann.get("/settings/projects").text
    ann.post(path, {"name": "Shop", "repository": "", "retention_days": "", "payload_retention_days": ""})
    row = project(path)
    assert (row.repository, row.retention_days, row.payload_retention_days) == (None, None, None)

    assert [act.key_id for act in Audit.select().where(Audit.action == "project.changed")] == [
        ann.user_id
    ] * 2


def test_fewer_days_are_asked_about(reader: Make, call: Call, path: str) -> None:
    """Days by which something would go are saved after a question that counts it, and can be taken back."""
    ids = [call("POST", "/gateway/v1/feedback", json={"text": f"It broke {n}"}).json["id"] for n in range(3)]
    Feedback.update(received_at=1, last_seen_at=1).where(Feedback.id.in_(ids[:2])).execute()
    ann, form = reader("admin"), {"name": "Shop", "retention_days": "3", "payload_retention_days": ""}
    asked = ann.post(path, form)

    assert asked.status_code == 200
    assert "2 of them last occurred more than 3 days ago" in asked.text
    assert "has 3 records; the oldest came <time datetime=" in asked.text
    assert project(path).retention_days is None
    hidden = dict(re.findall('type="hidden" name="([a-z_]+)" value="([^"]*)"', asked.text))
    assert ann.post(path, {**form, **hidden, "sure": "1"}).location == path
    assert (project(path).retention_days, project(path).name) == (3, "Shop")
    page = ann.get(path).text
    assert "Fewer days hold from <time datetime=" in page
    assert "Take it back" not in reader("viewer").get(path).text
    back = re.search(r"<form[^>]*>((?:<input[^>]*>)+)<button>Take it back", page)
    assert back is not None
    taken = dict(re.findall('name="([a-z_]+)" value="([^"]*)"', back[1]))
    ann.post(
        path,
        {name: text for name, text in taken.items() if name in ("retention_days", "payload_retention_days")},
    )
    assert (project(path).retention_days, project(path).retention_from) == (None, None)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("name", " "),
        ("name", "n" * 201),
        ("repository", "https://github.com/acme"),
        ("repository", "javascript:alert(1)//a/b"),
        ("retention_days", "0"),
        ("retention_days", "soon <b>"),
        ("retention_days", "9" * 400),
        ("payload_retention_days", "-1"),
        ("payload_retention_days", "1.5"),
    ],
)
def test_bad_settings(reader: Make, path: str, field: str, text: str) -> None:
    """What is wrong is named beside its field with what was typed, and nothing is saved."""
    form = {
        "name": "Other",
        "repository": "",
        "retention_days": "",
        "payload_retention_days": "",
        field: text,
    }
    answer = reader("admin").post(path, form)

    assert answer.status_code == 400
    assert re.search(rf'aria-describedby="(why-{field} )?wrong-{field}"', answer.text)
    assert f'id="wrong-{field}"' in answer.text
    assert re.search(rf'name="{field}" value="{re.escape(text.strip())}"', unescape(answer.text))
    assert answer.text.count('aria-invalid="true"') == 1
    assert project(path).name == "Default"


def usual(page: str) -> dict[str, bool]:
    """The usual areas of a project's page, and whether each is on."""
    found = re.findall(r'name="usual" value="([^"]+)"( checked)?', page)
    return {name: bool(checked) for name, checked in found}


def test_usual_areas(reader: Make, call: Call, path: str) -> None:
    """Usual areas are off or on beside the project's own rules, and a form without them leaves them so."""
    ann, api = reader("admin"), f"/gateway/v1/projects/{path.rpartition('/')[2]}"
    names = [area.name for area in DEFAULT_AREAS]
    shown = {"usual-shown": names, "usual": [name for name in names if name not in ("billing", "login")]}
    ann.post(f"{path}/areas", {**EXPORT, **shown})
    row = call("GET", api).json
    assert (row["areas"], row["usual_areas_off"]) == ([KEPT], ["login", "billing"])
    ann.post(f"{path}/areas", EXPORT)
    assert call("GET", api).json["usual_areas_off"] == ["login", "billing"]
    assert [name for name, on in usual(ann.get(path).text).items() if not on] == ["login", "billing"]
    assert reader("viewer").get(path).text.count("usual, off here") == 2
    ann.post(f"{path}/areas", {"act": "usual"})
    assert call("GET", api).json["usual_areas_off"] == []


def test_rules(reader: Make, call: Call, path: str) -> None:
    """Rules are added, changed and removed one form at a time, and are those of the API."""
    ann, api = reader("admin"), f"/gateway/v1/projects/{path.rpartition('/')[2]}"
    page = ann.get(path).text
    assert usual(page) == {area.name: True for area in DEFAULT_AREAS}
    assert ann.post(f"{path}/areas", EXPORT).location == path
    assert call("GET", api).json["areas"] == [KEPT]
    page = ann.get(path).text
    assert '<textarea name="0-pages" rows="2" placeholder="/checkout">/export\n/reports</textarea>' in page
    assert 'name="1-name" value=""' in page
    second = {"1-name": "import", "1-points": "0", "1-phrases": "drag and drop"}
    ann.post(f"{path}/areas", {**EXPORT, **second, "2-name": "", "2-points": "3"})
    assert [(row["name"], row["points"]) for row in call("GET", api).json["areas"]] == [
        ("export", 3),
        ("import", 0),
    ]
    ann.post(f"{path}/areas", {**EXPORT, **second, "0-remove": "1"})
    assert [row["name"] for row in call("GET", api).json["areas"]] == ["import"]
    ann.post(f"{path}/areas", {**EXPORT, "0-remove": "1"})
    assert call("GET", api).json["areas"] == []
    assert all(usual(ann.get(path).text).values())
    ann.post(f"{path}/areas", {"act": "usual"})
    assert call("GET", api).json["areas"] is None
    ann.post(f"{path}/areas", {"0-name": " ", "0-points": "3"})
    assert call("GET", api).json["areas"] is None


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"0-pages": "/export\nreports"}, "0-pages"),
        ({"0-points": "4"}, "0-points"),
        ({"0-points": "many"}, "0-points"),
        ({"0-name": ""}, "0-name"),
        ({"0-phrases": "w" * 201}, "0-phrases"),
        ({"0-names": "\n".join(map(str, range(51)))}, "0-names"),
    ],
)
def test_bad_rules(reader: Make, path: str, wrong: dict[str, str], field: str) -> None:
    """The field of the rule is named with the line, everything typed is still there, nothing is saved."""
    form = {**EXPORT, **wrong, "1-name": "second <b>", "1-points": "1", "1-pages": "/second"}
    answer = reader("admin").post(f"{path}/areas", form)

    assert answer.status_code == 400
    assert re.findall(r'aria-invalid="true" aria-describedby="wrong-([^"]+)"', answer.text) == [field]
    assert f'id="wrong-{field}"' in answer.text
    assert 'value="second &lt;b&gt;"' in answer.text
    assert ">/second</textarea>" in answer.text
    assert field != "0-pages" or "2: Must begin with /" in answer.text
    assert project(path).areas is None


def test_as_many_as_there_may_be(reader: Make, path: str) -> None:
    """Fifty rules are all there may be: then there is no empty one; more are refused as such."""
    ann = reader("admin")
    many = {f"{n}-{name}": text for n in range(50) for name, text in (("name", f"a{n}"), ("points", "1"))}
    ann.post(f"{path}/areas", many)
    assert len(project(path).areas) == 50
    assert "50-name" not in ann.get(path).text
    more = ann.post(f"{path}/areas", {**many, "50-name": "one more", "50-points": "1"})
    assert (more.status_code, "<b>areas</b>" in more.text) == (400, True)


def test_a_viewer_reads(reader: Make, path: str) -> None:
    """Who may not change a project sees what it is, and no form to change it."""
    reader("admin").post(f"{path}/areas", EXPORT)
    Project.update(retention_days=90).execute()
    page = reader("viewer").get(path).text

    assert "90" in page
    assert "/export, /reports, exporter, csv file" in page
    assert f'action="{path}' not in page


@pytest.mark.parametrize("text", ["\0", "\ud800", "🦀" * 300, "'\"><script>", "\u2028/x"])
def test_no_form_breaks_it(reader: Make, path: str, text: str) -> None:
    """Whatever is typed, the answer is a page or a way on."""
    ann = reader("admin")
    sent = text.encode("utf-8", "replace").decode()
    settings = dict.fromkeys(("name", "repository", "retention_days", "payload_retention_days"), sent)
    rules = {f"0-{name}": sent for name in ("name", "points", "pages", "names", "phrases", "remove")}
    for where, form in (
        (path, settings),
        (f"{path}/areas", rules),
        (f"{path}/areas", {**rules, "0-remove": ""}),
    ):
        assert ann.post(where, form).status_code in (303, 400)
    assert ann.get(path).status_code == 200
