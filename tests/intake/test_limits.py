"""Rate limits: never more than the quota in any window, the same for threads, processes and restarts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.config import Config
from gateway.core.rate import Rate
from gateway.rate_limits.file_counter import FileCounter
from tests.conftest import Call

HELP = {"text": "Where can I change my address?"}


@pytest.mark.parametrize(
    "text", ["", "100", "0/minute", "10/week", "-1/minute", "1.5/minute", "a/minute", "１/minute/x"]
)
def test_bad_rates(text: str) -> None:
    """A rate that cannot be read is refused with an example of one that can."""
    with pytest.raises(ValueError, match="100/minute"):
        Rate.parse(text)


@pytest.mark.parametrize(
    ("text", "quota", "window"), [("100/minute", 100, 60), (" 1/second", 1, 1), ("9/day", 9, 86400)]
)
def test_rates(text: str, quota: int, window: int) -> None:
    """A rate is a quota and a window in seconds."""
    assert Rate.parse(text) == Rate(quota, window)


@given(st.lists(st.floats(0, 40), min_size=1, max_size=60), st.integers(1, 5))
def test_never_more_than_the_quota_in_any_window(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[float], quota: int
) -> None:
    """Whatever the times of the requests, no window of 60 seconds holds more than the quota."""
    meter, now, passed = FileCounter(tmp_path_factory.mktemp("limits") / "limits"), 1000.0, list[float]()
    for gap in gaps:
        now += gap
        budget = meter.spend("k", Rate(quota, 60), now)
        passed += [now] if budget.allowed else []

        assert len([at for at in passed if at > now - 60]) <= quota
        assert 0 <= budget.remaining < quota or not budget.allowed
        assert 1 <= budget.reset <= 62


def test_full_budget_comes_back(tmp_path: Path) -> None:
    """Who waits as long as Retry-After says is let through."""
    meter = FileCounter(tmp_path / "limits")
    rate = Rate(2, 60)
    assert [meter.spend("k", rate, 1000.0 + at).allowed for at in (0, 1, 2)] == [True, True, False]
    wait = meter.spend("k", rate, 1002.0).reset

    assert meter.spend("k", rate, 1002.0 + wait).allowed


def test_clock_set_back(tmp_path: Path) -> None:
    """A clock set back within the window gains nothing; one set back further shuts nobody out."""
    meter, rate = FileCounter(tmp_path / "limits"), Rate(3, 60)
    passed = [meter.spend("k", rate, at).allowed for at in (5000, 5001, 4990, 4960, 5000)]

    assert passed == [True] * 3 + [False] * 2
    assert meter.spend("k", rate, 1400).allowed


DOORS = [
    ("/api/v1/feedback", {"kind": "bug", "summary": "s", "detail": "d"}),
    ("/v2/feedback", {"property": "rating", "value": "good", "trace_id": "t"}),
    ("/v1/feedback", {"projectId": "p", "text": "hallo"}),
    ("/gateway/v1/feedback", HELP),
]


@pytest.mark.parametrize(("path", "body"), DOORS)
def test_limited_in_dialect(call: Call, new_key: Callable[..., str], path: str, body: dict[str, str]) -> None:
    """The third of two allowed requests is a 429 in its dialect with an integer Retry-After."""
    headers = {"Authorization": f"Bearer {new_key(rate_limit='2/minute')}"}
    first, second, third = (call("POST", path, json=body, headers=headers) for _ in range(3))

    assert [first.status_code < 300, second.status_code < 300, third.status_code] == [True, True, 429]
    assert "Rate limit exceeded." in third.text
    assert 1 <= int(third.headers["Retry-After"]) <= 62
    assert first.headers["RateLimit-Policy"] == '"default";q=2;w=60'
    assert first.headers["RateLimit"].startswith('"default";r=1;t=')
    assert [r.headers["X-RateLimit-Remaining"] for r in (first, second, third)] == ["1", "0", "0"]
    assert third.headers["X-RateLimit-Limit"] == "2"
    assert int(third.headers["X-RateLimit-Reset"]) > 1_700_000_000


def test_refused_bodies_cost_too_and_say_so(call: Call, new_key: Callable[..., str]) -> None:
    """A 400 has the rate headers as well, and one key's spending does not touch another's."""
    headers = {"Authorization": f"Bearer {new_key(rate_limit='1/minute')}"}
    bad = call("POST", "/gateway/v1/feedback", json={}, headers=headers)

    assert bad.headers["X-RateLimit-Remaining"] == "0"
    assert call("POST", "/gateway/v1/feedback", json=HELP, headers=headers).status_code == 429
    assert call("POST", "/gateway/v1/feedback", json=HELP).status_code == 201


@pytest.mark.parametrize(("path", "body"), DOORS)
def test_a_file_that_cannot_be_used(call: Call, config: Config, path: str, body: dict[str, str]) -> None:
    """Requests that cannot be counted are 503 in their dialect, until they can be; no restart is needed."""
    config.limits_path.mkdir()
    away = [call("POST", path, json=body) for _ in range(2)]
    config.limits_path.rmdir()

    assert [answer.status_code for answer in away] == [503, 503]
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in away)
    assert call("POST", path, json=body).status_code < 300
