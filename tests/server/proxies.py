"""Real proxies in front of a gateway, as people set them up: connections to it are kept and shared."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.conftest import until

# Seconds that the proxies wait for slow clients, so that attacks which stop in the middle end soon.
SLOW = 2
SHARED = 2  # connections to the gateway for all clients: who comes next takes the one that is just free

_NGINX = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    client_header_timeout {slow}s;
    client_body_timeout {slow}s;
    client_max_body_size 33m;
    keepalive_requests 1000000;
    upstream gateway {{
        server {upstream} max_fails=0;
        keepalive {shared};
        keepalive_requests 1000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://gateway;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            {more}
        }}
    }}
}}
"""
# What nginx refuses or completes by itself when it has a whole body, it passes on as it comes.
_STREAMING = "proxy_request_buffering off;"
_HAPROXY = """
global
    nbthread 1
    maxconn 512
defaults
    mode http
    timeout connect 10s
    timeout server 30s
    timeout queue 30s
    timeout client {slow}s
    timeout http-request {slow}s
    timeout http-keep-alive 60s
    http-reuse {more}
frontend clients
    bind 127.0.0.1:{port}
    default_backend gateway
backend gateway
    server gateway {upstream} maxconn {shared}
"""
_CADDY = """
{{
    admin off
    auto_https off
    servers {{
        timeouts {{
            read_header {slow}s
            read_body {slow}s
        }}
    }}
}}
http://:{port} {{
    bind 127.0.0.1
    reverse_proxy {upstream} {{
        transport http {{
            keepalive 60s
            keepalive_idle_conns {shared}
            max_conns_per_host {shared}
        }}
    }}
}}
"""
_CONFIGURATIONS = {
    "nginx": ("nginx", _NGINX, ""),
    "nginx-streaming": ("nginx", _NGINX, _STREAMING),
    "haproxy-always": ("haproxy", _HAPROXY, "always"),
    "haproxy-safe": ("haproxy", _HAPROXY, "safe"),
    "caddy": ("caddy", _CADDY, ""),
}
PROXIES = tuple(_CONFIGURATIONS)
_COMMANDS = {
    "nginx": ("-e", "{directory}/error.log", "-c"),
    "haproxy": ("-db", "-f"),
    "caddy": ("run", "--adapter", "caddyfile", "--config"),
}


@contextmanager
def proxied(name: str, upstream: str, directory: Path, *, shared: int = SHARED) -> Iterator[tuple[str, int]]:
    """The address of a proxy of one of PROXIES; `upstream` is HOST:PORT."""
    program, configuration, more = _CONFIGURATIONS[name]
    port = free_port()
    text = configuration.format(
        directory=directory, upstream=upstream, port=port, more=more, slow=SLOW, shared=shared
    )
    with serving(program, text, port, directory):
        yield "127.0.0.1", port


@contextmanager
def serving(program: str, configuration: str, port: int, directory: Path) -> Iterator[None]:
    """Runs a proxy with this configuration until the block ends."""
    found = binary(program)
    file = directory / f"{program}.conf"
    file.write_text(configuration)
    words = [word.format(directory=directory) for word in _COMMANDS[program]]
    environ = {**os.environ, "XDG_DATA_HOME": str(directory), "XDG_CONFIG_HOME": str(directory)}
    log = directory / f"{program}.log"
    with log.open("wb") as said:
        process = subprocess.Popen([found, *words, str(file)], env=environ, stdout=said, stderr=said)
    try:
        until(lambda: process.poll() is not None or _listens(port))
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def binary(program: str) -> str:
    """The program's path. Without it these tests cannot run: skipped, or failed where CI is set."""
    found = shutil.which(program, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))
    if found is None:
        reason = f"{program} is not installed"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return str(found)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False
