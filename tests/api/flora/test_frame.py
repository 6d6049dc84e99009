"""What all of FLORA's routes that the trunk answers have in common, and its list of models."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway import triage
from gateway.access.api_keys import ANY
from gateway.api import endpoints
from gateway.api.flora import FLORA
from gateway.core.ids import now_ms
from models.database.base import writing
from models.tables import trained_model
from tests.conftest import Call

NewKey = Callable[..., str]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_all_of_them_are_floras() -> None:
    """Each is a route of the application, in FLORA's dialect and below FLORA's prefix."""
    assert all(route in endpoints.ENDPOINTS for route in FLORA)
    assert {(route.dialect, route.path.startswith("/api/v1/")) for route in FLORA} == {("flora", True)}


@pytest.mark.parametrize("mount", ["", "/flora"])
def test_refusals_are_floras(call: Call, new_key: NewKey, mount: str) -> None:
    """Whatever is refused has FLORA's envelope and codes, at the root and below the mount."""
    for route in (route for route in FLORA if route.scope):
        path = mount + route.path.replace("<", "").replace(">", "")
        refusals = {
            401: call(route.method, path, headers=bearer("sk_live_nobody")),
            404: call("PUT" if route.method == "GET" else "DELETE", path),
        }
        if route.scope != ANY:  # else what a key may do depends on what it asks for
            refusals[403] = call(route.method, path, headers=bearer(new_key(scopes=["triage"])))
        codes = [response.json["error"]["code"] for response in refusals.values()]

        assert codes == ["invalid_api_key", "not_found", "forbidden"][: len(codes)], route.path
        assert refusals[401].status_code == 401
        assert 403 not in refusals or refusals[403].status_code == 403


def test_they_cost_their_callers_budget(call: Call, new_key: NewKey) -> None:
    """A key that has used up its rate is told so in FLORA's words."""
    key = new_key(rate_limit="2/minute")
    answers = [call("GET", "/api/v1/models", headers=bearer(key)) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json == {"error": {"code": "rate_limited", "message": "Rate limit exceeded."}}
    assert int(answers[2].headers["Retry-After"]) > 0


class TestModels:
    def test_the_one_in_use(self, call: Call) -> None:
        """The model that labels is listed as FLORA lists one."""
        (model,) = call("GET", "/api/v1/models").json["models"]

        assert model["model_id"] == triage.version()
        assert model["type"] == "text"
        assert model["capabilities"] == ["category", "sentiment", "impact", "language"]
        assert (model["estimated_credits"], model["estimated_seconds"], model["params"]) == (0, 0, [])

    def test_kept_ones_follow(self, call: Call) -> None:
        """Models that can be gone back to come after it, the newest first, each once."""
        with writing():
            for number, version in enumerate(("learnt-1", "learnt-2")):
                trained_model.add(version, "key_1", 25, {}, b"", now_ms() + number)

        found = [model["model_id"] for model in call("GET", "/api/v1/models?type=text").json["models"]]

        assert found == [triage.version(), "learnt-2", "learnt-1"]

    @pytest.mark.parametrize("kind", ["image", "video", "audio"])
    def test_no_others(self, call: Call, kind: str) -> None:
        """There is no model that makes pictures or sounds."""
        assert call("GET", f"/api/v1/models?type={kind}").json == {"models": []}

    def test_unknown_type(self, call: Call) -> None:
        """A type that FLORA has not is named."""
        response = call("GET", "/api/v1/models?type=smell")

        assert response.status_code == 400
        assert [fault["field"] for fault in response.json["error"]["fields"]] == ["type"]
