"""The endpoints of projects."""

from __future__ import annotations

from adapters.contract.description import Shape
from gateway.api.admin import projects
from gateway.api.admin.request_schemas import NewProject, ProjectChange, RetentionPreview
from gateway.api.endpoint import Endpoint
from gateway.api.schemas.answers import page_of
from gateway.api.schemas.parameters import PageQuery
from gateway.api.schemas.projects import Project, RetentionPreviewed

PROJECTS = (
    Endpoint(
        "/gateway/v1/projects", projects.list_all, Shape(query=PageQuery, answers={200: page_of(Project)})
    ),
    Endpoint(
        "/gateway/v1/projects",
        projects.create_project,
        Shape(body=NewProject, answers={201: Project}, example={"name": "Web shop"}),
        "POST",
        "admin",
    ),
    Endpoint("/gateway/v1/projects/<project_id>", projects.show_project, Shape(answers={200: Project})),
    Endpoint(
        "/gateway/v1/projects/<project_id>",
        projects.change_project,
        Shape(
            body=ProjectChange,
            answers={200: Project},
            example={"name": "Shop", "retention_days": 365},
        ),
        "PATCH",
        "admin",
    ),
    Endpoint(
        "/gateway/v1/projects/<project_id>/retention/preview",
        projects.preview_retention,
        Shape(
            body=RetentionPreview,
            answers={200: RetentionPreviewed},
            example={"retention_days": 90},
        ),
        "POST",
        "admin",
    ),
)
