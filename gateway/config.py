"""Settings, read once from the environment. Each is described in docs/settings.md."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import get_type_hints

from gateway.client import networks
from gateway.rates import Rate
from models.base import UnsupportedURL, is_embedded, sqlite_path

_REDIS = r"(redis|valkey)s?://(\S*@)?(\[[0-9a-fA-F:]+\]|[^\s/:@\[\]]+)(:\d{1,5})?(/\S*)?|unix://\S+"

# Plain HTTP only on this very computer, where nobody listens in on the way.
_ISSUER = r"https://[^\s/?#]+(/[^\s?#]*)?|http://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?(/[^\s?#]*)?"


class BadSetting(ValueError):
    """A setting that cannot be used; the message names it. The start is refused."""


@dataclass(frozen=True, slots=True)
class Config:
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
    cors_origins: str = "*"
    model: str = ""
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
        for name in ("workers", "threads", "max_body", "max_batch_body"):
            if getattr(self, name) < 1:
                raise BadSetting(f"GATEWAY_{name.upper()}: must be at least 1")
        if self.secret_key and any(len(word.strip()) < 32 for word in self.secret_key.split(",")):
            raise BadSetting("GATEWAY_SECRET_KEY: must have at least 32 characters")
        if self.public_url and not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", self.public_url):
            raise BadSetting("GATEWAY_PUBLIC_URL: must look like https://feedback.example.com")
        if self.cpu_affinity not in ("auto", "on", "off"):
            raise BadSetting("GATEWAY_CPU_AFFINITY: must be auto, on or off")
        if self.background not in ("on", "off"):
            raise BadSetting("GATEWAY_BACKGROUND: must be on or off")
        if self.log_level not in ("debug", "info", "warning", "error"):
            raise BadSetting("GATEWAY_LOG_LEVEL: must be debug, info, warning or error")
        self._check_limits()
        self._check_sign_in()

    def _check_limits(self) -> None:
        for name in ("rate_limit", "failure_limit"):
            try:
                Rate.parse(getattr(self, name))
            except ValueError as error:
                raise BadSetting(f"GATEWAY_{name.upper()}: {error}") from None
        if self.limits_when_away not in ("open", "local", "closed"):
            raise BadSetting("GATEWAY_LIMITS_WHEN_AWAY: must be open, local or closed")
        try:
            networks(self.trusted_proxies)
        except ValueError as error:
            raise BadSetting(f"GATEWAY_TRUSTED_PROXIES: {error}") from None
        if not self.redis_url:
            return
        if not re.fullmatch(_REDIS, self.redis_url):
            raise BadSetting("GATEWAY_REDIS_URL: must look like redis://host:6379/0 or unix:///path")
        if find_spec("redis") is None:
            raise BadSetting("GATEWAY_REDIS_URL: needs pip install 'feedback-gateway[redis]'")

    def _check_sign_in(self) -> None:
        if self.passwords not in ("on", "off"):
            raise BadSetting("GATEWAY_PASSWORDS: must be on or off")
        if not self.oidc_issuer:
            if self.passwords == "off" or self.oidc_client_id or self.oidc_role or self.oidc_domains:
                raise BadSetting("GATEWAY_OIDC_ISSUER: is required for signing in elsewhere")
            return
        if not re.fullmatch(_ISSUER, self.oidc_issuer):
            raise BadSetting("GATEWAY_OIDC_ISSUER: must look like https://accounts.example.com")
        for name in ("client_id", "client_secret", "name"):
            if not getattr(self, f"oidc_{name}"):
                raise BadSetting(f"GATEWAY_OIDC_{name.upper()}: is required with GATEWAY_OIDC_ISSUER")
        if not all(re.fullmatch(r"[a-z0-9.-]+", name) for name in self.oidc_domain_names):
            raise BadSetting("GATEWAY_OIDC_DOMAINS: must look like example.com, example.org")
        if self.oidc_role not in ("", "viewer", "triager"):
            raise BadSetting("GATEWAY_OIDC_ROLE: must be viewer, triager or empty")
        if self.oidc_role and not self.oidc_domain_names:
            # Else everybody who has an account at the provider, which may be the whole world, gets in.
            raise BadSetting("GATEWAY_OIDC_ROLE: needs GATEWAY_OIDC_DOMAINS")
        if find_spec("authlib") is None:
            raise BadSetting("GATEWAY_OIDC_ISSUER: needs pip install 'feedback-gateway[oidc]'")

    @property
    def oidc_domain_names(self) -> tuple[str, ...]:
        """The domains whose addresses the provider may vouch for; without any, all."""
        return tuple(name.strip().lower() for name in self.oidc_domains.split(",") if name.strip())

    @property
    def embedded(self) -> bool:
        """Whether the database is a file of ours."""
        return is_embedded(self.database_url)

    @property
    def data_path(self) -> Path:
        """Where this host's own files are: beside the embedded database, unless GATEWAY_DATA_DIR says."""
        if self.data_dir:
            return Path(self.data_dir)
        return sqlite_path(self.database_url).parent if self.embedded else Path("var")

    @property
    def limits_path(self) -> Path:
        """Where rate limits are counted on this host: a file of its own."""
        stem = sqlite_path(self.database_url).stem if self.embedded else "gateway"
        return self.data_path / f"{stem}.limits"

    @property
    def failures_path(self) -> Path:
        """Where failed authentications are counted by address, beside the limits."""
        return self.limits_path.with_suffix(".failures")

    @property
    def queue_path(self) -> Path:
        """This host's queue of background work, beside the limits."""
        return self.limits_path.with_suffix(".queue")

    @property
    def model_path(self) -> Path | None:
        """Directory of the triage model; None is the one shipped with the package."""
        return Path(self.model) if self.model else None

    @property
    def secret_path(self) -> Path:
        """Where the key that encrypts secrets is kept when GATEWAY_SECRET_KEY does not say it."""
        return self.data_path / "secret.key"

    @property
    def url(self) -> str:
        """The address senders are told, without a slash at its end."""
        return (self.public_url or f"http://{self.bind}").rstrip("/")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Config:
        """The settings of this environment. `NAME_FILE` reads a value from a file. Raises BadSetting."""
        environ = os.environ if environ is None else environ
        given: dict[str, str | int] = {}
        for name, kind in get_type_hints(cls).items():
            if not isinstance(kind, type):
                continue
            text = _read(environ, f"GATEWAY_{name.upper()}")
            if text is None:
                continue
            try:
                given[name] = kind(text)
            except ValueError:
                raise BadSetting(f"GATEWAY_{name.upper()}: must be a whole number") from None
        return cls(**given)  # type: ignore[arg-type]  # the loop above made each value its field's type


def _read(environ: Mapping[str, str], name: str) -> str | None:
    path = environ.get(f"{name}_FILE")
    if not path:
        return environ.get(name) or None
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BadSetting(f"{name}_FILE: {error.strerror}: {path}") from None
    except UnicodeDecodeError:
        raise BadSetting(f"{name}_FILE: is no text: {path}") from None
    if not text:  # as if it were not set: a secret key would be made anew
        raise BadSetting(f"{name}_FILE: is empty: {path}")
    return text
