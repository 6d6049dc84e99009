"""alertmanager: Prometheus Alertmanager's webhook, one record per alert. docs/dialects/alertmanager.md.

Wire facts: prometheus/alertmanager 0.34, notify/webhook/webhook.go and template/template.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.common.alerts import alert_record, option_words, read_alerts, shared_by
from adapters.common.hook_options import words
from adapters.common.signatures import delivery, hook_adapter, refuse_retryable, shows_secret
from adapters.common.untrusted_json import body_of, first_url, object_of
from adapters.contract import Inbound, Signed
from adapters.contract.description import NOT_THE_SECRET, SECRET
from adapters.contract.record import Record

IGNORED = ("Watchdog", "DeadMansSwitch")  # they fire for ever, to show that alerting works

ADVICE = """\
In alertmanager.yml, for the receiver whose alerts should arrive here:

receivers:
  - name: feedback
    webhook_configs:
      - url: {url}
        send_resolved: true
        http_config:
          authorization:
            type: Bearer
            credentials: {secret}

Basic authentication with {secret} as the password is taken too."""


def read(inbound: Inbound) -> list[Record]:
    sent = body_of(inbound)
    ignored = option_words(inbound.options, "ignore_alertnames", IGNORED)
    group = shared_by(sent)

    def read_alert(alert: Mapping[str, Any]) -> Record:
        url = (
            first_url(alert, "generatorURL")
            or first_url(object_of(alert, "annotations"), "dashboard_url")
            or first_url(group, "externalURL")
        )
        return alert_record(alert, group, url=url, more={})

    return read_alerts(inbound, sent, ignored, read_alert)


ADAPTER = hook_adapter(
    "alertmanager",
    "Alertmanager",
    read,
    shape=delivery(
        "Take a webhook of Alertmanager.",
        {"alerts": [{"status": "firing", "labels": {"alertname": "DiskFull"}}]},
    ),
    refuse=refuse_retryable,
    signed=Signed(
        verify=shows_secret,
        advice=ADVICE,
        unproven=NOT_THE_SECRET,
        proofs=SECRET,
        options={"ignore_alertnames": words},
    ),
)
