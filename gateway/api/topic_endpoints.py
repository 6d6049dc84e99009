"""The endpoints of the topics that a project defines."""

from __future__ import annotations

from adapters.contract.description import Shape
from gateway.api.admin import topics
from gateway.api.endpoint import Endpoint
from gateway.api.schemas.answers import page_of
from gateway.api.schemas.topics import NewTopic, Topic, TopicChange, TopicMerge

_ALL = "/gateway/v1/projects/<project_id>/topics"
_ONE = f"{_ALL}/<topic_id>"

TOPICS = (
    Endpoint(_ALL, topics.list_topics, Shape(answers={200: page_of(Topic)})),
    Endpoint(
        _ALL,
        topics.create_topic,
        Shape(
            body=NewTopic,
            answers={201: Topic},
            example={"name": "Invoices", "description": "Invoices, VAT and what the accountant needs"},
        ),
        "POST",
        "admin",
    ),
    Endpoint(
        _ONE,
        topics.change_topic,
        Shape(body=TopicChange, answers={200: Topic}, example={"name": "Billing"}),
        "PATCH",
        "admin",
    ),
    Endpoint(_ONE, topics.delete_topic, Shape(answers={204: None}), "DELETE", "admin"),
    Endpoint(
        f"{_ONE}/merge",
        topics.merge_topic,
        Shape(body=TopicMerge, answers={200: Topic}, example={"into": "top_01JZ0000000000000000000000"}),
        "POST",
        "admin",
    ),
)
