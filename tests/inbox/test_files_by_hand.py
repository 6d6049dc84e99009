"""Files on the page of a record, in a real browser: chosen, seen, saved and deleted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.background.pictures import picture
from tests.inbox.conftest import Site, Visit
from tests.inbox.test_hostile_files import draw

pytestmark = pytest.mark.long

Open = Callable[..., Visit]


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_added_seen_saved_deleted(visit: Open, site: Site, tmp_path: Path, scripts: bool) -> None:
    """Two files are added, the picture is seen, the other one is saved as it was, and one is deleted."""
    shot, log = tmp_path / "shot.png", tmp_path / "über log.txt"
    shot.write_bytes(picture("PNG", (3_000, 2_000)))
    log.write_bytes(b"It broke at 12:01\n" * 100_000)  # more than other forms may have
    record = site.send(text=f"See the picture, {scripts}")["id"]
    who = visit("triager", java_script_enabled=scripts)
    page = who.page
    who.go(f"/records/{record}")
    page.get_by_label("Files to add").set_input_files([shot, log])
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("2 added")).to_be_visible()
    draw(site)
    page.reload()

    seen = page.get_by_role("img", name="shot.png")
    expect(seen).to_be_visible()
    if scripts:
        assert seen.evaluate("image => image.complete && image.naturalWidth") == 480
        assert Axe().run(page, {"include": [[".files"]]}).violations_count == 0
    with page.expect_download() as saved:
        page.get_by_role("link", name="über log.txt").click()
    assert saved.value.suggested_filename == "über log.txt"
    assert Path(saved.value.path()).read_bytes() == log.read_bytes()
    page.get_by_role("button", name="Delete shot.png").click()
    expect(page.get_by_role("img", name="shot.png")).to_have_count(0)
    expect(page.get_by_role("link", name="über log.txt")).to_be_visible()
