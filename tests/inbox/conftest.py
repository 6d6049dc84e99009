"""People at the inbox: signed-in readers in this process, and a real browser before a real server."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway import people
from tests.conftest import Tenant

PASSWORD = "correct horse battery"
TOKEN = re.compile(r'name="token" value="([^"]+)"')


@dataclass
class Reader:
    """Somebody with a browser; `post` sends forms as the page they stand on would."""

    client: FlaskClient
    user_id: str = ""

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, **options)

    def post(self, path: str, data: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        return self.client.post(path, data={"token": self.token(), **(data or {})}, **options)

    def token(self) -> str:
        """A form's token: that of any page will do."""
        for page in ("/account", "/sign-in"):
            if found := TOKEN.search(self.client.get(page).text):
                return found[1]
        raise AssertionError("no page has a form")


@pytest.fixture(name="reader")
def _reader(app: Flask, tenant: Tenant) -> Callable[..., Reader]:
    """Makes a user and signs in: reader("triager"), reader("admin", other)."""

    def make(role: str = "admin", of: Tenant = tenant, email: str = "") -> Reader:
        email = email or f"{role}@{of.workspace_id.lower()}.test"
        user_id = people.create_user(of.workspace_id, email, role.title(), role)
        client = app.test_client()
        client.set_cookie("feedback-session", people.open_session(user_id), domain="localhost")
        return Reader(client, user_id)

    return make


@pytest.fixture(name="stranger")
def _stranger(app: Flask) -> Reader:
    """Somebody who is not signed in."""
    return Reader(app.test_client())
