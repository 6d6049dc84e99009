"""Other sides of what the gateway sends: small servers of raw bytes, with and without TLS."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway.core import outbound_connection

Act = Callable[
    [socket.socket, bytes], None
]  # what is done with a connection, given a request's head and body


@contextmanager
def listening(
    act: Act, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> Iterator[int]:
    """The port of a server that reads one request a connection and has `act` answer it, each in a thread."""
    with socket.create_server((host, port)) as server:

        def take() -> None:
            while True:
                try:
                    taken, _ = server.accept()
                except OSError:  # it was closed
                    return
                threading.Thread(target=_answer, args=(taken, tls, act), daemon=True).start()

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def _answer(taken: socket.socket, tls: ssl.SSLContext | None, act: Act) -> None:
    with taken, suppress(OSError):
        sock = tls.wrap_socket(taken, server_side=True) if tls else taken
        with sock:
            act(sock, _request(sock))


def _request(sock: socket.socket) -> bytes:
    """A request, whole."""
    read = b""
    while b"\r\n\r\n" not in read:
        if not (chunk := sock.recv(65_536)):
            return read
        read += chunk
    head, _, body = read.partition(b"\r\n\r\n")
    lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0]):
        if not (chunk := sock.recv(65_536)):
            break
        body += chunk
    return head + b"\r\n\r\n" + body


def answering(status: str, *headers: str, body: bytes = b"", seen: list[bytes] | None = None) -> Act:
    """What answers every request alike, and keeps it in `seen`."""
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""])

    def act(sock: socket.socket, request: bytes) -> None:
        if seen is not None:
            seen.append(request)
        sock.sendall(head.encode() + body)

    return act


class Authority:
    """A certificate authority of its own, in a folder. `path` is what those who trust it are given."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tests")])
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        made = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(True, 0), True)
        signed = made.add_extension(usage, True).sign(self._key, hashes.SHA256())
        self.path = folder / "authority.pem"
        self.path.write_bytes(signed.public_bytes(Encoding.PEM))

    def serving(self, name: str) -> ssl.SSLContext:
        """What a server uses that proves to be `name`."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._builder(x509.Name([]), key)
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        signed = made.add_extension(names, True).sign(self._key, hashes.SHA256())
        path = self._folder / f"{name}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(signed.public_bytes(Encoding.PEM) + private)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )


def resolving(**names: list[str]) -> Callable[..., list[object]]:
    """A stand-in of `socket.getaddrinfo` for which each name means its addresses in turn, one a call."""
    real = socket.getaddrinfo
    calls = {name.replace("_", "."): iter(addresses) for name, addresses in names.items()}

    def look_up(host: str, port: int, *args: object, **more: object) -> list[object]:
        if host not in calls or more.get("flags"):
            return list(real(host, port, *args, **more))  # type: ignore[arg-type]
        found = []
        for address in next(calls[host]).split():
            found += real(address, port, type=socket.SOCK_STREAM)
        return list(found)

    return look_up


@contextmanager
def trusted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    """An authority that the gateway trusts in this process, and in those it starts, until the block ends."""
    made = Authority(folder)
    with monkeypatch.context() as patched:
        patched.setenv("SSL_CERT_FILE", str(made.path))
        outbound_connection.tls.cache_clear()
        yield made
    outbound_connection.tls.cache_clear()
