"""What can be done: every key, view and page in one list, which the command bar finds things in."""

from __future__ import annotations

from flask import g
from flask.typing import ResponseReturnValue

from gateway.access import users
from gateway.inbox.feedback_list import VIEWS
from gateway.inbox.i18n import _
from gateway.inbox.pages import page, show
from gateway.inbox.settings import SECTIONS
from models.tables.user import views_of


@page("/inbox/keys", "viewer")
def keys() -> ResponseReturnValue:
    role = users.ROLES.index(g.session["user_role"])
    views = [(_(name), f"/inbox?{query}" if query else "/inbox") for name, query in VIEWS]
    views += [(view["name"], f"/inbox?{view['query']}") for view in views_of(g.session["user_id"])]
    pages = [(_("Inbox"), "/inbox"), (_("Overview"), "/overview"), (_("Settings"), "/settings")]
    pages += [
        (_(title), f"/settings/{name}") for name, title, least in SECTIONS if users.ROLES.index(least) <= role
    ]
    pages.append((_("Your account"), "/account"))
    return show("commands-page.html", views=views, pages=pages)
