"""Severity words: the published scales of every vendor, through every adapter that reads such a word."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from adapters.common.severities import SILENT, severity_of, severity_of_labels, stated, unknown_word
from adapters.contract.record import Record
from gateway import triage
from tests.adapters.test_adapters import DIALECTS, FIXTURES, door_of, inbound_of

# Each scale from worst to mildest, as its vendor publishes it, with what we make of it.
SCALES: dict[str, list[tuple[str, int | None]]] = {
    "syslog (RFC 5424)": [
        *(("emerg", 5), ("alert", 5), ("crit", 5), ("err", 4), ("warning", 3), ("notice", 1)),
        *(("info", 1), ("debug", 1), ("emergency", 5), ("critical", 5), ("error", 4), ("informational", 1)),
    ],
    "PagerDuty severity": [("critical", 5), ("error", 4), ("warning", 3), ("info", 1)],
    "PagerDuty priorities": [("SEV-1", 5), ("SEV-2", 4), ("SEV-3", 3), ("SEV-4", 2), ("SEV-5", 1)],
    "priorities that accounts make up": [
        *(("P0", 5), ("SEV0", 5), ("SEV-0", 5), ("sev 0", 5), ("P1 - Critical", 5), ("P2: High", 4)),
        *(("Priority 1", 5), ("1 - Critical", 5), ("3 - Moderate", 3), ("Critical (P1)", 5), ("S2", 4)),
    ],
    "Opsgenie": [("P1", 5), ("P2", 4), ("P3", 3), ("P4", 2), ("P5", 1)],
    "Datadog incidents": [("SEV-1", 5), ("SEV-2", 4), ("SEV-3", 3), ("SEV-4", 2), ("UNKNOWN", None)],
    "GitLab incidents": [("critical", 5), ("high", 4), ("medium", 3), ("low", 2), ("unknown", None)],
    "GitHub advisories": [("critical", 5), ("high", 4), ("moderate", 3), ("low", 2)],
    "Jira priorities": [("Highest", 5), ("High", 4), ("Medium", 3), ("Low", 2), ("Lowest", 1)],
    "Jira severities": [("Blocker", 5), ("Critical", 5), ("Major", 4), ("Minor", 3), ("Trivial", 1)],
    "Linear": [("Urgent", 5), ("High", 4), ("Medium", 3), ("Low", 2), ("No priority", None)],
    "Bugzilla": [("S1", 5), ("S2", 4), ("S3", 3), ("S4", 2), ("blocker", 5), ("normal", 3), ("trivial", 1)],
    "Zabbix": [
        *(("Disaster", 5), ("High", 4), ("Average", 3), ("Warning", 3), ("Information", 1)),
        ("Not classified", None),
    ],
    "Nagios": [("CRITICAL", 5), ("WARNING", 3), ("UNKNOWN", None), ("OK", None)],
    "Sentry": [("fatal", 5), ("error", 4), ("warning", 3), ("info", 1), ("debug", 1), ("sample", None)],
    "Statuspage": [("critical", 5), ("major", 4), ("minor", 3), ("none", None), ("maintenance", None)],
    "Google Cloud": [
        *(("EMERGENCY", 5), ("ALERT", 5), ("CRITICAL", 5), ("ERROR", 4), ("WARNING", 3), ("NOTICE", 1)),
        *(("INFO", 1), ("DEBUG", 1), ("DEFAULT", None), ("SEVERITY_UNSPECIFIED", None)),
    ],
    "Azure Monitor": [("Sev0", 5), ("Sev1", 5), ("Sev2", 4), ("Sev3", 3), ("Sev4", 2)],
    "Zendesk": [("urgent", 5), ("high", 4), ("normal", 3), ("low", 2)],
    "ServiceNow": [
        ("1 - Critical", 5),
        ("2 - High", 4),
        ("3 - Moderate", 3),
        ("4 - Low", 2),
        ("5 - Planning", 1),
    ],
    "OpenTelemetry": [("FATAL", 5), ("ERROR", 4), ("WARN", 3), ("INFO", 1), ("DEBUG", 1), ("TRACE", 1)],
    "Python": [("CRITICAL", 5), ("ERROR", 4), ("WARNING", 3), ("INFO", 1), ("DEBUG", 1), ("NOTSET", None)],
    "Redmine": [("Immediate", 5), ("Urgent", 5), ("High", 4), ("Normal", 3), ("Low", 2)],
    "Prometheus rules": [("page", 5), ("critical", 5), ("ticket", 3), ("warning", 3), ("none", None)],
    "Red Hat": [("Critical", 5), ("Important", 4), ("Moderate", 3), ("Low", 2)],
    "CAP warnings": [("Extreme", 5), ("Severe", 4), ("Moderate", 3), ("Minor", 3), ("Unknown", None)],
}
WORDS = sorted({pair for scale in SCALES.values() for pair in scale}, key=str)


@pytest.mark.parametrize(("scale", "words"), SCALES.items(), ids=SCALES)
def test_published_scales(scale: str, words: list[tuple[str, int | None]]) -> None:
    """Every word of a vendor's scale is known, in any case, and one that says nothing is no unknown word."""
    for word, severity in words:
        for written in (word, word.lower(), word.upper(), f" {word} "):
            assert (severity_of(written), unknown_word(written)) == (severity, None), (scale, written)


@pytest.mark.parametrize(
    "word", ["purple", "very bad", "non-critical", "P9", "SEV-12", "P10", "7", "critically"]
)
def test_an_unknown_word_is_told_from_none(word: str) -> None:
    """A word of no scale gives no severity and is kept, and the reasons of the impact name it."""
    record = Record(text="The pump stopped", type="alert", **stated(word))
    silent = Record(text="The pump stopped", type="alert", **stated("none"))
    why, silent_why = (triage.label(r).impact_reasons[0].why for r in (record, silent))

    assert (record.severity, record.severity_word, silent.severity_word) == (None, word, None)
    assert f'"{word}"' in why and "no known scale" in why and "no known scale" not in silent_why


def alertmanager(word: str) -> Any:
    return "alertmanager/firing", (("alerts", 0, "labels", "severity"), word)


def by_priority(word: str) -> Any:
    return "alertmanager/firing", (("alerts", 0, "labels"), {"alertname": "QueueStuck", "priority": word})


def grafana(word: str) -> Any:
    return "grafana/firing", (("alerts", 0, "labels", "severity"), word)


def grafana_legacy(word: str) -> Any:
    return "grafana/legacy_alerting", (("tags", "severity"), word)


def pagerduty(word: str) -> Any:
    return "pagerduty/triggered_by_automation", (("event", "data", "priority"), {"summary": word})


def datadog(word: str) -> Any:
    return "datadog/recommended_triggered", (("alert", "priority"), word)


def gitlab(word: str) -> Any:
    return "gitlab/incident_opened", (("object_attributes", "severity"), word)


def sentry(word: str) -> Any:
    return "sentry/issue_created", (("data", "issue", "level"), word)


def sentry_event(word: str) -> Any:
    return "sentry/event_alert", (("data", "event", "level"), word)


def jira(word: str) -> Any:
    return "jira/created", (("issue", "fields", "priority"), {"name": word})


def linear(word: str) -> Any:
    return "linear/created", (("data",), {"id": "1", "title": "Slow", "priorityLabel": word})


def zendesk(word: str) -> Any:
    return "zendesk/created", (("detail", "priority"), word)


def opsgenie(word: str) -> Any:
    return "opsgenie/created", (("alert", "priority"), word)


def statuspage(word: str) -> Any:
    return "statuspage/investigating", (("incident", "impact"), word)


def azure_devops(word: str) -> Any:
    return "azure_devops/item_created", (
        ("resource", "fields"),
        {"System.Title": "Slow", "Microsoft.VSTS.Common.Severity": word},
    )


def bitbucket(word: str) -> Any:
    return "bitbucket/issue_created", (("issue", "priority"), word)


def newrelic(word: str) -> Any:
    return "newrelic/activated", (("priority",), word)


SENDERS = [
    alertmanager,
    by_priority,
    grafana,
    grafana_legacy,
    pagerduty,
    datadog,
    gitlab,
    sentry,
    sentry_event,
    jira,
    linear,
    zendesk,
    opsgenie,
    statuspage,
    azure_devops,
    bitbucket,
    newrelic,
]
FALLS_BACK = (pagerduty, datadog)  # to an urgency, to the type of the alert


@pytest.mark.parametrize("sender", SENDERS, ids=lambda sender: sender.__name__)
def test_every_adapter_reads_the_same_table(sender: Any) -> None:
    """What a word means does not depend on who says it."""
    for word, severity in [*WORDS, ("purple", None)]:
        name, (path, value) = sender(word)
        case = copy.deepcopy(json.loads((FIXTURES / f"{name}.json").read_text()))
        part = case["request"]["json"]
        for step in path[:-1]:
            part = part[step]
        part[path[-1]] = value
        inbound = inbound_of(case["request"])
        record = door_of(DIALECTS[name.partition("/")[0]], inbound).read(inbound)[0]

        assert record.severity == severity or (severity is None and sender in FALLS_BACK), word
        assert (record.severity_word == "purple") == (word == "purple" and record.severity is None), word


@pytest.mark.parametrize(
    ("label", "severity"),
    [
        *(("P0", 5), ("sev0", 5), ("SEV-1", 5), ("priority::urgent", 5), ("urgent", 5), ("blocker", 5)),
        *(("severity::1", 5), ("severity::0", 5), ("P1 - Critical", 5), ("priority/critical-urgent", 5)),
        *(("priority: lowest", 1), ("severity: major", 4), ("priority/backlog", 2), ("priority/none", None)),
        *(("page", None), ("minor", None), ("major", None), ("alert", None), ("P2P", None), ("p3.2", None)),
        *(("notice", None), ("S3", None), ("high-memory", None), ("normal", None), ("trace", None)),
    ],
)
def test_labels_say_less(label: str, severity: int | None) -> None:
    """Labels speak of other things too: a bare word counts only when it can mean nothing else."""
    assert severity_of_labels([label]) == severity


def test_silence_is_no_severity() -> None:
    """No word is both silent and on a scale."""
    assert [word for word in SILENT if severity_of(word) is not None] == []
