"""The quick way through a schema: what it takes it takes as marshmallow does, and it takes what is right."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError, fields, post_load, validates

import adapters
from adapters.common.schemas import Payload, Text, plan_of
from adapters.contract import Refused
from adapters.native import AuthorPart, Document, Feedback

SCHEMAS = {
    f"{name.rpartition('.')[2]}.{schema.__name__}": schema
    for name in (module.name for module in pkgutil.walk_packages(adapters.__path__, "adapters."))
    for schema in vars(importlib.import_module(name)).values()
    if inspect.isclass(schema) and issubclass(schema, Payload) and schema.__module__ == name
}
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 6)
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
    | st.sampled_from(["bug", "positive", "message", "en", "2026-04-09T10:30:00Z", "x" * 300]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "name", "email", "other"]), inner, max_size=3)
    ),
    max_leaves=5,
)


def loaded(schema: type[Payload], sent: Any) -> Any:
    try:
        return schema().load(sent)
    except ValidationError:
        return None


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
@settings(max_examples=20)
@given(data=st.data())
def test_same_as_marshmallow(schema: type[Payload], data: st.DataObject) -> None:
    """Of every schema: an object is checked to the same values in the same order, or refused by both."""
    check_same(schema, data)


@pytest.mark.long
@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
@settings(max_examples=400)
@given(data=st.data())
def test_same_as_marshmallow_for_longer(schema: type[Payload], data: st.DataObject) -> None:
    """The same with many more objects."""
    check_same(schema, data)


def check_same(schema: type[Payload], data: st.DataObject) -> None:
    names = [field.data_key or name for name, field in schema().load_fields.items()]
    sent = data.draw(st.dictionaries(st.sampled_from([*names, "other"]), VALUES, max_size=6))
    try:
        checked = schema.check(sent)
    except Refused:
        checked = None

    assert checked == loaded(schema, sent)
    assert list(checked or {}) == list(loaded(schema, sent) or {})


def test_native_is_quick() -> None:
    """The schemas of batches and imports go the quick way."""
    plan = plan_of(Feedback())

    assert plan is not None
    assert plan({"text": "t", "author": {"id": "1"}, "tags": ["a"]})["author"] == {"id": "1"}
    assert plan_of(AuthorPart()) is not None
    assert plan_of(Document()) is not None


def test_schemas_that_do_more_do_not() -> None:
    """A schema with hooks, its own fields or attributes is left to marshmallow."""

    class Hooked(Payload):
        text = Text()

        @post_load
        def change(self, sent: Any, **options: Any) -> Any:
            return {**sent, "more": 1}

    class Validated(Payload):
        text = Text()

        @validates("text")
        def look(self, value: str, **options: Any) -> None:
            raise ValidationError("no")

    class Shouted(Text):
        def _deserialize(self, value: Any, *args: Any, **options: Any) -> Any:
            return str(value).upper()

    class Own(Payload):
        text = Shouted()

    class Renamed(Payload):
        text = Text(attribute="words")

    class Other(Payload):
        number = fields.Integer()

    assert Hooked.check({"text": "a"}) == {"text": "a", "more": 1}
    with pytest.raises(Refused):
        Validated.check({"text": "a"})
    assert Own.check({"text": "a"}) == {"text": "A"}
    assert Renamed.check({"text": "a"}) == {"words": "a"}
    assert Other.check({"number": "7"}) == {"number": 7}


def test_an_answer_names_some_faults() -> None:
    """Of many bad fields the first hundred are named, and how many more there are: an answer is no bomb."""
    with pytest.raises(Refused) as refused:
        Feedback.check({"text": "t", "tags": [1] * 5_000})
    faults = refused.value.problem.faults

    assert [fault.field for fault in faults[:2]] == ["tags.0", "tags.1"]
    assert (len(faults), faults[-1].message) == (101, "4900 more fields are wrong")
    assert len(refused.value.problem.message) < 10_000
