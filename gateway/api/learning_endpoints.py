"""The endpoints of what a project learns from its people."""

from __future__ import annotations

from adapters.contract.description import Shape
from gateway.api.admin import learning
from gateway.api.admin.learning import LessonChange
from gateway.api.endpoint import Endpoint
from gateway.api.schemas.learning import ProjectLearning

LEARNING = (
    Endpoint(
        "/gateway/v1/projects/<project_id>/learning",
        learning.show_learning,
        Shape(answers={200: ProjectLearning}),
    ),
    Endpoint(
        "/gateway/v1/projects/<project_id>/learning",
        learning.ask_learning,
        Shape(answers={202: ProjectLearning}),
        "POST",
        "admin",
    ),
    Endpoint(
        "/gateway/v1/projects/<project_id>/learning",
        learning.forget_learning,
        Shape(answers={200: ProjectLearning}),
        "DELETE",
        "admin",
    ),
    Endpoint(
        "/gateway/v1/projects/<project_id>/lessons/<feedback_id>",
        learning.change_lesson,
        Shape(body=LessonChange, answers={200: ProjectLearning}, example={"learnt": False}),
        "PATCH",
        "triage",
    ),
)
