"""Drawings: each is there, each source has one, and a name stands beside it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

import adapters
from gateway.inbox import icons, static_files
from models import Feedback
from tests.conftest import Call
from tests.inbox.conftest import Reader, report

SPRITE = (static_files.STATIC / "icons.svg").read_text()
DRAWN = re.findall(r'<symbol id="([\w-]+)"', SPRITE)


def test_each_drawing_is_there_once() -> None:
    """What code and templates name is drawn."""
    named = {*icons.SOURCES.values(), icons.OTHER}
    for path in (static_files.STATIC.parent / "templates").glob("*.html"):
        named |= set(re.findall(r'icon\("([\w-]+)"\)', path.read_text()))

    assert len(DRAWN) == len(set(DRAWN))
    assert named <= set(DRAWN)


def test_sources_have_drawings() -> None:
    """At least sixteen that differ; those of adapters that have none are told apart by their names."""
    known = {adapter.source or adapter.name for adapter in adapters.load().values()}

    assert len(set(icons.SOURCES.values())) >= 16
    assert known - set(icons.SOURCES) <= {"generic", "sentry_envelope"}


@pytest.mark.parametrize("source", ["slack", "an import's <b>"])
def test_a_drawing_has_a_name(reader: Callable[..., Reader], call: Call, source: str) -> None:
    """Also of a source that has no drawing of its own."""
    Feedback.update(source=source).where(Feedback.id == report(call, "The export is slow")).execute()
    page = reader("viewer").get("/inbox").text
    name = source.replace("'", "&#39;").replace("<b>", "&lt;b&gt;")

    assert f'<span class="source" title="{name}">' in page
    assert f'<span class="sr">{name}</span>' in page
