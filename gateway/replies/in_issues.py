"""Answers as comments of the issue that a record came from, by the token of its hook (option `token`).

Wire facts: docs.github.com, REST API, "Create an issue comment" (201; a fine-grained token needs Issues:
write) and "Rate limits" (403 or 429 with Retry-After, or x-ratelimit-remaining 0); docs.gitlab.com, "Notes
API" (POST /projects/:id/issues/:issue_iid/notes with PRIVATE-TOKEN, 201; scope `api`). Neither knows a key
by which it takes a comment once. Their webhooks tell of it, too: its key is taken, and nothing comes of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

from gateway.background.fetch_credentials import hook_token
from gateway.core.mail import NotSent
from gateway.replies.channel import Channel, Row
from gateway.replies.posting import not_sent, post

UNARMED = "its hook has no option token, or GATEWAY_SECRET_KEY cannot open it"
_MARKS = re.compile(r"[!-/:-?\[-`{-~]")  # ASCII punctuation but @: a backslash takes its meaning (GFM 6.1)
_GITHUB_ISSUE, _GITLAB_ISSUE = re.compile(r"/issues/\d"), re.compile(r"/-/(issues|work_items)/\d")
_MENTION = "@\u2060"  # shown as an @, and mentions nobody

Asked = tuple[str, Mapping[str, str]]  # where to post a comment, and with which headers


def github(record: Row, token: str) -> Asked:
    """Where an issue of GitHub's, or of a GitHub of one's own, takes comments."""
    subject, address = record["subject"], urlsplit(record["subject"]["url"])
    base = f"{address.scheme}://{address.netloc}/api/v3"
    base = "https://api.github.com" if address.netloc == "github.com" else base
    path = f"repos/{quote(subject['repository'])}/issues/{quote(str(subject['number']))}/comments"
    accepted = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
    return f"{base}/{path}", {**accepted, "Authorization": f"Bearer {token}"}


def gitlab(record: Row, token: str) -> Asked:
    """Where an issue of GitLab's, or of a GitLab of one's own, takes notes."""
    subject, address = record["subject"], urlsplit(record["subject"]["url"])
    path = f"projects/{quote(subject['project'], safe='')}/issues/{quote(str(subject['number']))}/notes"
    return f"{address.scheme}://{address.netloc}/api/v4/{path}", {"PRIVATE-TOKEN": token}


def _github_key(record: Row, comment: str) -> str:
    return f"issue_comment:{comment}:created"


def _gitlab_key(record: Row, note: str) -> str:
    host = urlsplit(record["subject"]["url"]).netloc.lower()
    return f"note:{note}:create" if host == "gitlab.com" else f"{host}:note:{note}:create"


def _lacks(source: str, name: str, place: str, issues: re.Pattern[str], record: Row) -> str:
    subject = record["subject"]
    if record["source"] != source:
        return f"the record is not from {name}"
    if not (subject.get(place) and subject.get("number") and issues.search(str(subject.get("url", "")))):
        return "the record is of no issue"
    if hook_token(record["id"], "token") is None:
        return UNARMED
    return ""


def _server(record: Row) -> str:
    return urlsplit(str(record["subject"]["url"])).netloc.lower()


def _shown(row: Row, record: Row) -> dict[str, Any]:
    return {"to": record["subject"].get("url"), "subject": None, "text": row["text"]}


def escaped(text: str) -> str:
    """A text in Markdown that is read as it stands."""
    return _MARKS.sub(r"\\\g<0>", text).replace("@", _MENTION)


def _send(
    name: str, where: Callable[[Row, str], Asked], key: Callable[[Row, str], str], row: Row, record: Row
) -> str:
    token = hook_token(record["id"], "token")
    if token is None:
        raise NotSent(UNARMED, permanent=False)
    url, headers = where(record, token)
    answer = post(url, headers, {"body": escaped(row["text"])})
    if answer.status != 201:
        limited = "retry-after" in answer.headers or answer.headers.get("x-ratelimit-remaining") == "0"
        passes = answer.status in (408, 429) or answer.status >= 500 or (answer.status == 403 and limited)
        raise not_sent(f"{name} answered {answer.status}", answer, passes=passes)
    try:
        return key(record, str(int(json.loads(answer.body)["id"])))
    except (ValueError, TypeError, KeyError):  # it was taken all the same
        return ""


def _channel(source: str, name: str, place: str, issues: re.Pattern[str], where: Any, key: Any) -> Channel:
    lacks = partial(_lacks, source, name, place, issues)
    return Channel(source, lacks, lambda record: None, _server, _shown, partial(_send, name, where, key))


GITHUB = _channel("github", "GitHub", "repository", _GITHUB_ISSUE, github, _github_key)
GITLAB = _channel("gitlab", "GitLab", "project", _GITLAB_ISSUE, gitlab, _gitlab_key)
