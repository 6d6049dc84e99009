"""How pages are served, the middleware of the inbox: who may see them, what browsers are told with them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Flask, Response, g, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from adapters.contract import Reply
from gateway.access import users
from gateway.access.hooks import cut_ids
from gateway.core import encryption, log
from gateway.core.client_address import networks
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.destinations.ladder import FAILING_FOR
from gateway.http.request import request_id
from gateway.http.responses import problem_of
from gateway.inbox import csrf, i18n, shortcuts, static_files, team
from gateway.inbox.audit_words import action
from gateway.inbox.i18n import _
from gateway.inbox.icons import icon, source_icon
from gateway.inbox.marked import marked
from gateway.inbox.reasons import part, reason
from gateway.inbox.refusals import faults, refusal
from gateway.inbox.session import LAST, NotAllowed, Settings, cookie_name, forget, recognise, unproven_host
from models.database.base import dumps, writing
from models.tables import destination
from models.tables.user import Session

View = Callable[..., ResponseReturnValue]

inbox = Blueprint("inbox", __name__, template_folder="templates")

# The paths that are people's: errors there are pages. Everywhere else senders hear their own dialect.
OWNS = (
    "/inbox",
    "/records",
    "/alerts",
    "/overview",
    "/themes",
    "/digest",
    "/settings",
    "/sign-in",
    "/sign-out",
    "/welcome",
    "/account",
    "/authors",
    "/unsubscribe",
)

START = f"/inbox?{team.AWAKE}"  # where people begin
UNDO = ("undo", "changes", "merged")  # of what a session keeps: what its last change can be undone with
FORM = "application/x-www-form-urlencoded"
FORM_BYTES = 262_144
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def page(
    rule: str,
    role: str | None,
    *,
    method: str = "GET",
    seen: bool = True,
    proven: bool = False,
    most: Callable[[], int] = lambda: FORM_BYTES,
) -> Callable[[View], View]:
    """Serves a view at a path to readers of at least this role; None serves everybody.

    A request to one that is not `seen` is made by a page on its own, and keeps no session alive. `most` is
    how many bytes a form may have. A form at an address that is `proven` by a signature in it may come from
    any page, or from a program.
    """

    def add(view: View) -> View:
        @wraps(view)
        def guarded(**params: str) -> ResponseReturnValue:
            recognise(seen=seen)
            if method == "POST":
                request.max_content_length = request.max_form_memory_size = most()
                if not proven:
                    csrf.check()
            if role is not None:
                if g.session is None:
                    return _sent_to_sign_in()
                if users.ROLES.index(g.session["user_role"]) < users.ROLES.index(role):
                    raise NotAllowed
            return view(**params)

        name = f"{view.__module__.rpartition('.')[2]}_{view.__name__}"
        inbox.add_url_rule(rule, name, guarded, methods=[method], strict_slashes=False)
        return view

    return add


def _sent_to_sign_in() -> ResponseReturnValue:
    if request.accept_mimetypes.best == "application/json":
        return Response(dumps({"signed_in": False}), 401, content_type="application/json")
    if request.method == "POST":
        # Who sent a form comes back to the page that it stood on, and what was written is sent then.
        sent_from = urlsplit(request.referrer or "")._replace(scheme="", netloc="").geturl()
        if request.mimetype == FORM and request.form:
            whose = request.cookies.get(cookie_name(LAST), "")
            held = dumps([request.full_path.rstrip("?"), list(request.form.items(multi=True)), whose])
            return show("sign-in.html", 401, then=local(sent_from), email="", fault="", held=held)
        return redirect(url("/sign-in", then=sent_from), 303)
    return redirect(url("/sign-in", then=request.full_path.rstrip("?")), 303)


def url(path: str, **query: Any) -> str:
    """A path of ours with a query; values that are None or empty are left out."""
    given = {name: value for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(given, errors='replace')}" if given else path


def local(path: str) -> str:
    """Where to go on, if that is a page of ours, else the inbox: nobody is sent elsewhere."""
    try:
        parts = urlsplit(path)
    except ValueError:
        return "/inbox"
    mine = not parts.scheme and not parts.netloc and owns(parts.path) and "\\" not in path
    return path if mine and path.isascii() and path.isprintable() else "/inbox"


def owns(path: str) -> bool:
    """Whether errors at this path are told to a person."""
    return any(path == prefix or path.startswith(prefix + "/") for prefix in OWNS)


def show(template: str, status: int = 200, **values: Any) -> Response:
    """A page; what the session wanted to say goes with it, once."""
    said = None
    if g.session and g.session["note"] and "say" in g.session["note"]:
        said = g.session["note"]
        # What can be undone is kept until something else is said.
        say({name: said[name] for name in UNDO if name in said} or None)
    return _made(template, status, said=said, ailing=_ailing(), **values)


def _ailing() -> list[dict[str, Any]]:
    """The destinations of which every page tells an admin: given up, or failing for half a day."""
    if not g.session or g.session["user_role"] != "admin":
        return []
    return destination.ailing(g.session["user_workspace"], now_ms() - FAILING_FOR)


def _made(template: str, status: int, **values: Any) -> Response:
    """A page. What is no character, as JSON's escapes can name, is shown as such an escape."""
    html = render_template(template, **values)
    if g.session and g.session["user_role"] != "admin":
        html = cut_ids(html)
    return make_response(html.encode("utf-8", "backslashreplace"), status)


def go(path: str, message: str = "", **more: Any) -> ResponseReturnValue:
    """Sends the browser on after a form; the next page says this, with a way back when there is `undo`.

    A script that sent the form is told it instead, as JSON; with some `left` as they were it shows that page.
    """
    if request.accept_mimetypes.best == "application/json":
        kept = {"say": message, **more} if more.get("left") else {n: more[n] for n in UNDO if n in more}
        say(kept or None)
        told = {"say": message, **{name: value for name, value in more.items() if name not in UNDO[1:]}}
        return Response(dumps(told), content_type="application/json")
    if message and g.session is not None:
        say({"say": message, **more})
    return redirect(path, 303)


def hand_over(path: str, made: Mapping[str, Any]) -> ResponseReturnValue:
    """Sends the browser on to a page that shows what was made, a secret among it, once.

    To load that page again makes no second one. Until it is shown the session keeps it encrypted.
    """
    say({"made": encryption.encrypt(dumps(made)), "path": path})
    return redirect(path, 303)


def sent_on(reply: Reply) -> Response:
    """A file that the API answers, as it comes."""
    return Response(reply.body, reply.status, {**reply.headers}, content_type=reply.content_type)


def handed_over() -> dict[str, Any]:
    """What was made for this page to show, which it is told once; empty when there is nothing."""
    note = g.session["note"] or {}
    if note.get("path") != request.path:
        return {}
    say(None)
    made: dict[str, Any] = json.loads(encryption.opened(note["made"]) or "{}")
    return made


def say(note: dict[str, Any] | None) -> None:
    """Keeps what the session's next page says."""
    with writing():
        Session.update(note=note).where(Session.digest == g.session["digest"]).execute()


def told(error: Exception) -> Response:
    """An error at a path of ours that no view answers, as a page."""
    _begin()
    return _finish(_failed(error))


def _failed(error: Exception) -> Response:
    """Any error as a page, without a word of what happened inside."""
    if "session" not in g:
        forget()
    status, title, why, headers = _explained(error)
    made = _made("error.html", status, title=title, why=why, said=None)
    made.headers.update(headers)
    return made


def _explained(error: Exception) -> tuple[int, str, str, Mapping[str, str]]:
    """The status of an error, what happened, what to do, and headers that go with it."""
    if isinstance(error, NotAllowed):
        return 403, _("Not for your role"), _("Ask an admin when you need this."), {}
    if isinstance(error, csrf.CrossOrigin):
        unchanged = _("Nothing was changed.")
        return 400, _("This form did not come from a page of this gateway"), f"{unchanged} {error.why}", {}
    problem = problem_of(error, request_id(request.environ))
    if problem.status == 404:
        title, why = _("Not here"), _("It does not exist, or belongs to somebody else.")
    elif problem.status < 500:
        title, why = _("That did not work"), problem.message
    elif problem.status == 503:
        title, why = _("Not now"), _("The database cannot be used at the moment. Try again in a minute.")
    else:
        written = _("It has been written down. Try again, or tell your admin this number:")
        title, why = _("Something broke"), f"{written} {problem.request_id}"
    return problem.status, title, why, problem.headers


def _begin() -> None:
    g.started = time.perf_counter()


def _finish(response: Response) -> Response:
    """What every answer of the inbox carries."""
    for name, value in SECURITY.items():
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["request-id"] = request_id(request.environ)
    response.headers["Vary"] = "Accept-Encoding, Cookie"
    static_files.compress(response)
    log.request(request.method, request.path, response.status_code, g.started, request_id(request.environ))
    return response


inbox.add_url_rule("/inbox/static/<name>", "static_file", static_files.serve)
inbox.before_request(_begin)
inbox.after_request(_finish)
inbox.register_error_handler(Exception, _failed)


def mount(app: Flask, config: Config) -> None:
    """Adds the inbox to the application."""
    app.extensions["inbox"] = Settings(config, networks(config.trusted_proxies))
    templates = app.jinja_env
    templates.filters.update(i18n.FILTERS, reason=reason, part=part, marked=marked)
    templates.filters.update(refusal=refusal, faults=faults, action=action)
    templates.globals.update(
        elsewhere=config.oidc_issuer and config.oidc_name, passwords=config.passwords == "on"
    )
    # Ours and not Jinja's own `_`, which takes a translated text for markup, also one that a sender wrote.
    templates.globals.update(
        _=_, asset=static_files.address, url=url, unproven_host=unproven_host, START=START
    )
    templates.globals.update(pressed_by=shortcuts.pressed_by, caps=shortcuts.caps)
    templates.globals.update(shortcuts=shortcuts.SHORTCUTS, verbs=shortcuts.OF_STATUS)
    templates.globals.update(team=team, icon=icon, source_icon=source_icon)
    templates.trim_blocks = templates.lstrip_blocks = True
    app.register_blueprint(inbox)
