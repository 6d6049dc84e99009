"""The form that `Sentry.showReportDialog` opens: the script that its client loads, and what it posts.

Wire facts: getsentry/sentry, src/sentry/web/frontend/error_page_embed.py and its templates, and
getsentry/sentry-javascript, packages/core/src/api.ts (`getReportDialogEndpoint`) and
packages/browser/src/report-dialog.ts. The script is the same for everybody: it finds what to show, and
where to post it, in its own address, and writes all of that as text.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from marshmallow import fields

from adapters.common.schemas import Payload, Text
from adapters.common.sentry_records import report_of
from adapters.common.untrusted_json import form_of
from adapters.contract import Inbound, Refused, Reply
from adapters.contract.description import Shown
from adapters.contract.record import Record, Saved

PATH = "/api/embed/error-page"
LONGEST = {"name": 128, "email": 75}  # characters, as at Sentry

SCRIPT = """\
(function () {
  "use strict";
  var source = new URL(document.currentScript.src);
  var words = {
    title: "It looks like we're having issues.",
    subtitle: "Our team has been notified.",
    subtitle2: "If you'd like to help, tell us what happened below.",
    labelName: "Name",
    labelEmail: "Email",
    labelComments: "What happened?",
    labelClose: "Close",
    labelSubmit: "Submit Crash Report",
    errorGeneric: "An unknown error occurred while submitting your report. Please try again.",
    errorFormEntry: "Some fields were invalid. Please correct the errors and try again.",
    successMessage: "Your feedback has been sent. Thank you!"
  };
  Object.keys(words).forEach(function (name) {
    words[name] = source.searchParams.get(name) || words[name];
  });

  function made(tag, style, text) {
    var element = document.createElement(tag);
    element.style.cssText = "font:16px/1.4 system-ui,sans-serif;color:#1d1127;box-sizing:border-box;" + style;
    if (text) element.textContent = text;
    return element;
  }
  function field(tag, name, label, type) {
    var row = made("label", "display:block;margin:0 0 12px;", label);
    var input = made(tag, "display:block;width:100%;margin-top:4px;padding:8px;border:1px solid #80708f;"
      + "border-radius:4px;background:#fff;");
    input.name = name;
    input.required = true;
    if (type) input.type = type;
    if (tag === "textarea") input.rows = 4;
    input.value = source.searchParams.get(name) || "";
    row.appendChild(input);
    form.appendChild(row);
    return input;
  }
  function button(label, type, style) {
    var made_ = made("button", "padding:8px 16px;margin-right:8px;border-radius:4px;border:1px solid #4e3fb4;"
      + "cursor:pointer;" + style, label);
    made_.type = type;
    return made_;
  }

  var shade = made("div", "position:fixed;inset:0;z-index:2147483647;overflow:auto;padding:5vh 16px;"
    + "background:rgba(20,10,30,.7);");
  shade.className = "sentry-error-embed-wrapper";
  var form = made("form", "max-width:560px;margin:0 auto;padding:24px;border-radius:8px;background:#fff;");
  form.className = "sentry-error-embed";
  form.setAttribute("role", "dialog");
  form.setAttribute("aria-modal", "true");
  form.setAttribute("aria-label", words.title);
  form.appendChild(made("h2", "margin:0 0 4px;font-size:22px;", words.title));
  form.appendChild(made("p", "margin:0 0 16px;color:#5c4a6e;", words.subtitle + " " + words.subtitle2));
  var told = made("p", "margin:0 0 12px;color:#b3261e;");
  told.setAttribute("role", "status");
  form.appendChild(told);
  field("input", "name", words.labelName);
  field("input", "email", words.labelEmail, "email");
  var comments = field("textarea", "comments", words.labelComments);
  var submit = button(words.labelSubmit, "submit", "background:#4e3fb4;color:#fff;");
  var leave = button(words.labelClose, "button", "background:#fff;color:#4e3fb4;");
  form.appendChild(submit);
  form.appendChild(leave);
  shade.appendChild(form);

  function close() {
    document.removeEventListener("keydown", escape_);
    if (shade.parentNode) shade.parentNode.removeChild(shade);
    window.postMessage("__sentry_reportdialog_closed__", "*");
  }
  function escape_(event) {
    if (event.key === "Escape") close();
  }
  leave.addEventListener("click", close);
  shade.addEventListener("click", function (event) {
    if (event.target === shade) close();
  });
  document.addEventListener("keydown", escape_);
  form.addEventListener("submit", function (event) {
    event.preventDefault();
    submit.disabled = true;
    told.textContent = "";
    var sent = new URLSearchParams();
    ["name", "email", "comments"].forEach(function (name) {
      sent.append(name, form.elements[name].value);
    });
    fetch(source.href, { method: "POST", body: sent }).then(function (answer) {
      if (!answer.ok) throw answer.status;
      while (form.firstChild) form.removeChild(form.firstChild);
      form.appendChild(made("p", "margin:0 0 16px;", words.successMessage)).setAttribute("role", "status");
      form.appendChild(leave);
      leave.focus();
    }).catch(function (status) {
      submit.disabled = false;
      told.textContent = status === 400 ? words.errorFormEntry : words.errorGeneric;
    });
  });
  document.body.appendChild(shade);
  (form.elements.name.value && form.elements.email.value ? comments : form.elements.name).focus();
})();
"""


class Asked(Payload):
    """The address of the form: the words that it shows may stand there too, by their option's name."""

    dsn = Text(required=True)
    eventId = Text()


class Told(Shown):
    sometimes = ("errors",)
    errors = fields.Dict()


def script(inbound: Inbound, saved: list[Any]) -> Reply:
    """The form, for whoever names a DSN of ours."""
    return Reply(200, SCRIPT.encode(), content_type="text/javascript; charset=utf-8")


def filled(inbound: Inbound) -> tuple[dict[str, str | None], dict[str, list[str]]]:
    """What was written into the form, as a user report; and what is wrong with it, by field.

    Raises Refused (400) when there is no form.
    """
    sent = form_of(inbound)
    report = {name: sent.get(name, "").strip()[: LONGEST.get(name)] for name in ("name", "email", "comments")}
    event_id = inbound.query.get("eventId", "")
    wrong = {} if report["comments"] else {"comments": ["This field is required."]}
    return {"event_id": event_id, **report}, wrong


def read(inbound: Inbound) -> list[Record]:
    """What somebody wrote into the form of showReportDialog; its words need no event that we know."""
    sent, wrong = filled(inbound)
    return [] if wrong else [report_of(inbound, sent)]


def reply(inbound: Inbound, saved: list[Saved]) -> Reply:
    """Nothing, or which fields to mend: the form shows that and lets its writer try again."""
    try:
        wrong = filled(inbound)[1]
    except Refused:
        return Reply(200, {})  # kept in quarantine
    return Reply(400, {"errors": wrong}) if wrong else Reply(200, {})


def number_in(dsn: str) -> str:
    """The project's number, with which a DSN ends."""
    try:
        return urlsplit(dsn).path.rpartition("/")[2]
    except ValueError:
        return ""
