"""sns: CloudWatch's alarms, and whatever else a topic of Amazon SNS says. docs/dialects/sns.md.

Wire facts: docs.aws.amazon.com/sns/latest/dg, "Verifying the signatures of Amazon SNS messages" and "Fanout
to HTTP/S endpoints" (basic authentication by the address); .../AmazonCloudWatch/latest/monitoring,
"Notifying users on alarm changes". Nothing is fetched: neither the certificate that a message names nor the
address that confirms a subscription.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from adapters.common import sns_messages
from adapters.common.plain_text import first_line, one_line, without_status
from adapters.common.signatures import delivery, hook_adapter, shows_secret
from adapters.common.signatures import refuse as refuse_plainly
from adapters.common.tags import tags_of
from adapters.common.times import moment_of
from adapters.common.untrusted_json import (
    body_of,
    first_scalar,
    first_text,
    list_of,
    object_of,
    objects_of,
    present,
)
from adapters.contract import Fault, Hook, Inbound, Problem, Refused, Reply, Signed, invalid
from adapters.contract.description import SECRET
from adapters.contract.record import Record, State

STATES: dict[str, State] = {"ALARM": "triggered", "OK": "resolved", "INSUFFICIENT_DATA": "note"}
# What may name other JSON: budgets, events, tools of one's own.
NAMED = ("title", "subject", "detail-type", "summary", "message", "default")
CERTIFICATE = "-----BEGIN CERTIFICATE-----"
# What is signed, name and value on a line each, in this order; what is absent is left out.
SIGNED = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
ONLY = {"Notification": {"SubscribeURL", "Token"}, "SubscriptionConfirmation": {"Subject"}}

ADVICE = """\
In Amazon SNS, create a subscription of the topic:

Protocol: HTTPS
Endpoint: the address {url} with the secret in it, https://sns:{secret}@...
Enable raw message delivery: no

SNS then asks whether it may send here. Nothing is fetched: the log of this gateway shows the address to open.
To have SNS's signatures checked instead, give Amazon's certificate (PEM) as the secret:

feedback-gateway hook rotate {hook_id} --secret "$(curl -s THE_SIGNING_CERT_URL)\""""


def read(inbound: Inbound) -> list[Record]:
    sent = body_of(inbound)
    kind = sns_messages.type_of(sent)
    if not kind:
        raise invalid(Fault("Type", "Expected a message of Amazon SNS"))
    sns_messages.check_confirmation(sent)
    if kind != "Notification":
        return []
    content = sns_messages.content_of(inbound, sent)
    if isinstance(content, dict):
        content = _of_event_bridge(content) or content
        if first_text(content, "AlarmName") and "NewStateValue" in content:
            return [_alarm(sent, content)]
    said = content if isinstance(content, str) else first_text(sent, "Message")
    if not said:
        return []
    named = first_text(content, *NAMED) if isinstance(content, dict) else ""
    return [
        Record(
            title=one_line(without_status(first_text(sent, "Subject"))) or first_line(named or said),
            text=said,
            type="alert",
            kind="notification",
            subject=present({"topic": first_text(sent, "TopicArn")}),
            tags=tags_of([("topic", first_text(sent, "TopicArn").rpartition(":")[2])]),
            external_id=first_text(sent, "MessageId") or None,
            occurred_at=moment_of(first_text(sent, "Timestamp")),
            dedupe_key=first_text(sent, "MessageId") or None,
        )
    ]


def _of_event_bridge(event: dict[str, Any]) -> dict[str, Any]:
    """An alarm that comes by way of EventBridge, as CloudWatch itself tells it; empty for anything else."""
    if first_text(event, "detail-type") != "CloudWatch Alarm State Change":
        return {}
    detail = object_of(event, "detail")
    state, arns = object_of(detail, "state"), list_of(event, "resources")
    return {
        "AlarmName": detail.get("alarmName"),
        "AlarmDescription": object_of(detail, "configuration").get("description"),
        "AlarmArn": next(iter(arns), None),
        "AWSAccountId": event.get("account"),
        "Region": event.get("region"),
        "NewStateValue": state.get("value"),
        "NewStateReason": state.get("reason"),
        "OldStateValue": object_of(detail, "previousState").get("value"),
        "StateChangeTime": state.get("timestamp") or event.get("time"),
    }


def _alarm(sent: dict[str, Any], alarm: dict[str, Any]) -> Record:
    name, trigger = first_text(alarm, "AlarmName"), object_of(alarm, "Trigger")
    word, account = first_text(alarm, "NewStateValue").upper(), first_scalar(alarm, "AWSAccountId")
    arn, region = first_text(alarm, "AlarmArn"), first_text(alarm, "Region")
    said = first_text(alarm, "AlarmDescription"), first_text(alarm, "NewStateReason")
    where = arn.split(":")[3] if arn.count(":") > 4 else ""
    url = (
        f"https://console.aws.amazon.com/cloudwatch/home?region={where}#alarmsV2:alarm/{quote(name, safe='')}"
    )
    return Record(
        title=one_line(name),
        text="\n".join(filter(None, said)) or name,
        type="alert",
        kind=word,
        subject=present(
            {
                "url": url if where.isascii() and where.replace("-", "").isalnum() else "",
                "alarm": name,
                "account": account,
                "region": where or region,
                "metric": first_text(trigger, "MetricName"),
                "namespace": first_text(trigger, "Namespace"),
                "topic": first_text(sent, "TopicArn"),
            }
        ),
        tags=tags_of(
            [
                ("region", where or region),
                ("namespace", first_text(trigger, "Namespace")),
                *(
                    (first_text(part, "name"), first_text(part, "value"))
                    for part in objects_of(trigger, "Dimensions")
                ),
            ]
        ),
        external_id=arn or name,
        occurred_at=moment_of(first_text(alarm, "StateChangeTime"))
        or moment_of(first_text(sent, "Timestamp")),
        dedupe_key=first_text(sent, "MessageId") or None,
        incident_key=arn or f"{account}:{region}:{name}",
        state=STATES.get(word, "note"),
        # A new alarm turns OK when its first values come, and was never open.
        quiet=word == "OK" and first_text(alarm, "OldStateValue") == "INSUFFICIENT_DATA",
    )


def refuse(problem: Problem) -> Reply:
    """As other hooks do, asking for basic authentication: SNS shows what is in its address only then."""
    reply = refuse_plainly(problem)
    if problem.status != 401:
        return reply
    return Reply(401, reply.body, {**reply.headers, "WWW-Authenticate": 'Basic realm="sns"'})


def verify(inbound: Inbound, hook: Hook) -> bool:
    """The signature, by a secret that is a certificate; or a secret that is none, shown as it is."""
    certificates = [secret for secret in hook.secrets if CERTIFICATE in secret]
    texts = tuple(secret for secret in hook.secrets if CERTIFICATE not in secret)
    if shows_secret(inbound, replace(hook, secrets=texts)):
        return True
    try:
        sent = body_of(inbound)
    except Refused:
        return False
    return any(_signed_with(certificate, sent) for certificate in certificates)


def _signed_with(certificate: str, sent: dict[str, Any]) -> bool:
    out = ONLY.get(sns_messages.type_of(sent).replace("Unsubscribe", "Subscription"), set())
    lines = [
        f"{name}\n{sent[name]}\n" for name in SIGNED if name not in out and isinstance(sent.get(name), str)
    ]
    version = first_text(sent, "SignatureVersion")
    if version not in ("1", "2"):
        return False
    try:
        key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
        given = base64.b64decode(first_text(sent, "Signature"), validate=True)
        if not isinstance(key, RSAPublicKey):
            return False
        hashed = hashes.SHA256() if version == "2" else hashes.SHA1()
        key.verify(given, "".join(lines).encode("utf-8", "replace"), padding.PKCS1v15(), hashed)
    except (ValueError, InvalidSignature):
        return False
    return True


ADAPTER = hook_adapter(
    "sns",
    "Amazon SNS",
    read,
    reply=sns_messages.reply,
    shape=delivery(
        "Take a message of Amazon SNS.",
        {
            "Type": "Notification",
            "MessageId": "22b80b92",
            "TopicArn": "arn:aws:sns:eu-north-1:123456789012:shop",
            "Message": "Basket answers slowly",
        },
    ),
    refuse=refuse,
    signed=Signed(
        verify=verify,
        advice=ADVICE,
        unproven="Neither a password or bearer shows the secret of this hook, nor does the signature hold.",
        proofs=SECRET,
        # Who has these may end or confirm the subscription; the address to confirm it by is in the log.
        conceals=("UnsubscribeURL", "Token"),
    ),
)
