"""schemathesis asks every operation of the description for everything it can think of, right and wrong.

Nothing of it is a 5xx, every answer is one that is described, what is described as right is taken and
what is described as wrong is refused.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.specs.openapi.checks import negative_data_rejection

import adapters
from adapters.common.multipart import MEDIA
from adapters.contract.description import BEARER
from gateway.access.api_keys import SCOPES, create_key
from gateway.access.hooks import create_hook
from gateway.app import create_app
from gateway.core.config import Config
from models.database.base import close
from models.intake import commit
from tests.conftest import make_tenant
from tests.described import closed
from tests.signing import VENDORS


@dataclass(frozen=True)
class Gateway:
    """The application that is asked, a key for each scope, and hooks of those that show a secret, by path."""

    app: Flask
    keys: Mapping[str, str]
    hooks: Mapping[str, Mapping[str, Any]]


@pytest.fixture(name="gateway", scope="module")
def _gateway(module_config: Config) -> Iterator[Gateway]:
    """One application for all of it, and a key for each scope."""
    app = create_app(module_config)
    tenant = make_tenant()
    made = {
        f"/hooks/{name}/{{hook_id}}": create_hook(
            adapter, tenant.workspace_id, None, public_url="http://x", secret=VENDORS[name].secret
        )
        for name, adapter in adapters.load().items()
        if adapter.signed and BEARER in adapter.signed.proofs
    }
    keys = {scope: create_key(tenant.workspace_id, scopes=[scope])[1] for scope in SCOPES}
    yield Gateway(app, keys, made)
    commit.stop()
    close()


# What is right by its schema and refused all the same: what that depends on is no matter of one field.
DEPENDS = {
    "POST /api/feedback": "names of a form's fields are what a header can hold",
    "GET /api/v1/projects": "a cursor is one that was given",
    "GET /api/v1/assets": "a cursor is one that was given",
    "POST /api/v1/assets": "an address is public, a file is of a kind that is kept",
    "GET /api/v1/assets/{asset_id}": "an id begins as those of assets do",
    "POST /api/v1/assets/{asset_id}/complete": "the same",
    "POST /api/v1/assets/{asset_id}/retry": "the same",
    "POST /api/v1/assets/{asset_id}/upload": "the same, and a form is one that was given",
    "GET /api/v1/techniques": "the same",
    "GET /api/v1/technique-runs": "the same",
    "POST /api/v1/techniques/{technique_id}/runs": "inputs are those of the technique, an address is public",
    "POST /api/v1/runs/technique": "inputs are those of the technique",
    "GET /gateway/v1/feedback": "since is before until, a cursor is one that was given, after a record's id",
    "POST /gateway/v1/alert-groups/mute": "until is to come",
    "GET /gateway/v1/alert-groups": "since is in the years that are kept",
    "GET /gateway/v1/export": "the same, and bom and header are for CSV",
    "GET /gateway/v1/merge-suggestions": "a cursor is one that was given",
    "GET /gateway/v1/authors/summary": "an author is one who wrote",
    "GET /gateway/v1/changes": "existing is for the beginning, and a cursor is one that was given",
    "GET /gateway/v1/themes": "since is before until",
    "GET /gateway/v1/themes/{theme_id}": "since is before until",
    "GET /gateway/v1/themes/{theme_id}/quotes": "since is before until",
    "GET /gateway/v1/outcomes": "since is before until",
    "GET /gateway/v1/stats": "since is before until, and day and hour are one at a time",
    "PATCH /gateway/v1/feedback/{feedback_id}": "an assignee is here, a snooze ends later, or by something",
    "POST /gateway/v1/views": "a query is one of the list, and only people have views of their own",
    "PATCH /gateway/v1/views/{view_id}": "the same",
    "PATCH /gateway/v1/feedback": "a filter is a query string of its own",
    "DELETE /gateway/v1/feedback": "a filter is a query string of its own",
    "POST /gateway/v1/feedback": "a score goes with a sentiment, a time is a clock's",
    "POST /gateway/v1/keys": "a key ends in the future, and a project is here",
    "POST /gateway/v1/hooks": "a source is one of those that sign, each with options of its own",
    "POST /gateway/v1/destinations": "where to, filters and headers have rules of their own",
    "PATCH /gateway/v1/destinations/{destination_id}": "the same",
    "POST /gateway/v1/destinations/{destination_id}/replay": "one delivery stands alone",
    "POST /gateway/v1/destinations/{destination_id}/forget": "the same",
    "POST /gateway/v1/hooks/{hook_id}/rotate": "some vendors make the secret",
}
# Refusals of what is right: a key that was used with another body, an ETag that is none, too many items.
BESIDE = [412, 413, 422]
# Whatever stands for a file in their forms is the bytes of one.
WITH_FILES = ("POST /gateway/v1/feedback", "POST /api/feedback", "POST /api/v1/assets")
BATCH = "POST /gateway/v1/feedback/batch"  # tells each item by itself what is wrong with it
STARTS = "POST /api/v1/runs/technique"  # by GET that would be a run's address, with a wrong id
CONFIG = SchemathesisConfig.from_dict(
    {
        "generation": {"allow-x00": False},  # a NUL is refused everywhere: tests/http/test_hostile.py
        "checks": {
            "positive_data_acceptance": {"expected-statuses": ["2xx", 401, 403, 404, 409, *BESIDE]},
            "negative_data_rejection": {"expected-statuses": ["4xx"]},
        },
        "operations": [
            {"include-name": name, "checks": {"positive_data_acceptance": {"enabled": False}}}
            for name in DEPENDS
        ]
        + [{"include-name": STARTS, "checks": {"unsupported_method": {"enabled": False}}}]
        + [{"include-name": BATCH, "checks": {"negative_data_rejection": {"enabled": False}}}],
    }
)
SCHEMA = schemathesis.openapi.from_dict(closed(), config=CONFIG)
SCHEMA.location = "/openapi.json"
OPERATIONS = {
    operation.label: operation for operation in (found.ok() for found in SCHEMA.get_all_operations())
}

FEWER = 20  # requests that an operation is asked in any case
# What only reads, and the doors; the others are tried with each scope in the long run.
FIRST = [name for name in OPERATIONS if name.startswith("GET ") or "feedback" in name]


@schemathesis.serializer("application/x-sentry-envelope", "application/x-ndjson")
def _as_it_is(ctx: object, value: object) -> bytes:
    return str(value).encode("utf-8", "replace")


def ask(case: schemathesis.Case, gateway: Gateway, scope: str) -> None:
    """Sends a request with the key of a scope and checks everything that schemathesis knows to check.

    A vendor that shows its secret does so; those that sign are refused.
    """
    case.operation.schema.app = gateway.app  # in this process, without a server
    key, hook = gateway.keys[scope], gateway.hooks.get(case.path)
    if hook is not None:
        key, case.path_parameters["hook_id"] = VENDORS[hook["source"]].secret, hook["hook_id"]
    assert case.meta is not None, "it was made of the description"
    header = case.meta.components.get(ParameterLocation.HEADER)
    # A header that is wrong on purpose may be the one that the key replaces.
    replaced = [negative_data_rejection] if header is not None and header.mode.is_negative else []
    if case.operation.label in WITH_FILES and case.media_type == MEDIA:
        replaced = [negative_data_rejection]
    case.call_and_validate(
        app=gateway.app, headers={"Authorization": f"Bearer {key}"}, excluded_checks=replaced
    )


def ask_all(name: str, gateway: Gateway, scope: str, every: int = 1, **options: Any) -> None:
    """Asks an operation for everything that schemathesis can think of; `options` are hypothesis's.

    Of what comes after the first `FEWER` requests it sends one of `every` so many. Its own `parametrize`
    thinks of everything for all operations before the first test, in each process.
    """
    numbers = itertools.count()

    @settings(deadline=None, suppress_health_check=list(HealthCheck), **options)
    def test(case: schemathesis.Case) -> None:
        number = next(numbers)
        if number < FEWER or number % every == 0:
            ask(case, gateway, scope)

    build_operation_test(
        config=SCHEMA.config,
        operation=OPERATIONS[name],
        test_func=test,
        given_kwargs={},
        feedback=FeedbackSources(),
    )()


@pytest.mark.parametrize("name", FIRST)
def test_with_a_key_for_all(name: str, gateway: Gateway) -> None:
    """Whatever is asked with a key that may do everything, the answer is as described."""
    ask_all(name, gateway, "admin", every=5, max_examples=1, derandomize=True)


@pytest.mark.long
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_with_each_scope(name: str, gateway: Gateway, scope: str) -> None:
    """The same with a key of each scope, and more of it."""
    ask_all(name, gateway, scope, max_examples=25)
