"""Mail through postfix, with STARTTLS and SMTPUTF8, into a mailbox that the standard library reads back."""

from __future__ import annotations

import email.policy
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.core import mail
from gateway.core.config import Config
from gateway.core.mail import Mail, NotSent
from tests.conftest import until
from tests.receivers import Authority, resolving

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("postfix") is None or os.getuid() != 0, reason="needs postfix, and root"),
]
DAEMONS = "/usr/lib/postfix/sbin"
MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = {daemons}
myhostname = mail.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_recipient_restrictions = reject_unlisted_recipient, permit_mynetworks, reject
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {folder}/mail.test.pem
smtpd_tls_key_file = {folder}/mail.test.pem
smtputf8_enable = yes
virtual_mailbox_domains = example.com
virtual_mailbox_base = {folder}/boxes
virtual_mailbox_maps = inline:{{ {{ team@example.com = team/ }}, {{ josé@example.com = team/ }} }}
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
alias_maps =
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
smtp unix - - n - - smtp
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


@pytest.fixture(name="postfix")
def _postfix(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The mailbox of a postfix, whose processes are another user's and cannot see pytest's folders."""
    with tempfile.TemporaryDirectory(prefix="postfix-") as name:
        Path(name).chmod(0o755)
        yield from _running(Path(name), monkeypatch)


def _running(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    authority, user = Authority(folder), pwd.getpwnam("postfix")
    authority.serving("mail.test")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    conf, boxes = folder / "conf", folder / "boxes"
    for made in (conf, boxes, folder / "queue", folder / "data"):
        made.mkdir()
    for owned in (boxes, folder / "data"):
        os.chown(owned, user.pw_uid, user.pw_gid)
    names = {"folder": folder, "daemons": DAEMONS, "uid": user.pw_uid, "gid": user.pw_gid, "port": port}
    (conf / "main.cf").write_text(MAIN.format(**names))
    (conf / "master.cf").write_text(MASTER.format(**names))
    subprocess.run(["postfix", "-c", str(conf), "start"], check=True, capture_output=True, timeout=60)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    mail._tls.cache_clear()
    mail.connect(Config(smtp_url=f"smtp://mail.test:{port}", mail_from="Feedback <feedback@example.com>"))
    monkeypatch.setattr(socket, "getaddrinfo", resolving(mail_test=["127.0.0.1"] * 10))
    try:
        yield boxes / "team" / "new"
    finally:
        subprocess.run(["postfix", "-c", str(conf), "stop"], check=True, capture_output=True, timeout=60)
        mail._tls.cache_clear()
        mail.connect(Config())


def test_into_a_mailbox(postfix: Path) -> None:
    """What is sent is what arrives, whatever letters the address has; who has no mailbox is told for good."""
    page = "<p>Größe</p>" + "<b>long</b>" * 500
    sent = Mail("team@example.com", "Größe " * 20, ".\nFrom me\n", page, references=("<first@example.com>",))
    for to in (sent.to, "josé@example.com"):
        mail.send(Mail(to, sent.subject, sent.text, sent.html, references=sent.references))
    with pytest.raises(NotSent, match=r"550 5\.1\.1") as refused:
        mail.send(Mail("nobody@example.com", "x", "x"))
    assert refused.value.permanent
    until(lambda: postfix.is_dir() and len(list(postfix.iterdir())) == 2)
    for path in postfix.iterdir():
        told = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        assert told["Subject"] == sent.subject.strip()
        assert told["References"] == told["In-Reply-To"] == "<first@example.com>"
        assert "SMTPS" in told["Received"]  # which says that TLS was used
        plain, html = (part.get_content().strip() for part in told.iter_parts())
        assert (plain, html) == (sent.text.strip(), page)
