"""Where the gateway may send: what a URL must look like, and which addresses its host may lead to.

The special addresses are those of IANA's registries (IPv4 and IPv6 Special-Purpose Address Space), and those
where the large clouds answer their machines with credentials.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal

from gateway.core.client_address import Network, networks

LONGEST_URL = 2_048  # characters
FREE_PORTS = 1024  # from here on a port may be anybody's; below stand services that are no web server

Tier = Literal["public", "private", "forbidden"]
Address = IPv4Address | IPv6Address

_PRIVATE = networks("10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7 fec0::/10")
_FORBIDDEN = networks(
    "0.0.0.0/8 127.0.0.0/8 169.254.0.0/16 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 "
    "198.51.100.0/24 203.0.113.0/24 224.0.0.0/3 2001::/23 2001:db8::/32 2002::/16 3fff::/20 "
    # What tells a machine of a cloud its credentials, and lies in no range of the above.
    "100.100.100.200 168.63.129.16 fd00:ec2::254 fd20:ce::254"
)
_GLOBAL_V6 = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)  # the third quarter of an address whose last one is an IPv4 address

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"  # of RFC 1035, and underscores, which some have
_HOST = rf"{_LABEL}(?:\.{_LABEL})*\.?"
LONGEST_HOST = 253  # characters
_URL = re.compile(
    rf"(?P<scheme>[a-z]+)://(?P<host>\[[0-9A-Fa-f:.]+\]|{_HOST})(?P<colon>:(?P<port>[0-9]{{1,5}}))?"
    r"(?P<path>(?:[/?].*)?)"
)


class Forbidden(Exception):
    """An address that nothing is sent to; the message says why, and which setting would allow it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL in its parts. `host` is a name in lower case or an address without brackets."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the header Host says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"http": 80, "https": 443}[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator allows beyond the public internet: names, networks, and whether private addresses."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    private: bool = False

    @classmethod
    def parse(cls, allow: str, private: bool = False) -> Rules:
        """The rules of a list such as "hooks.internal, 10.0.0.0/8, 127.0.0.1". Raises ValueError."""
        hosts, found = set(), []
        for word in allow.replace(",", " ").split():
            if re.fullmatch(r"[0-9.]+(/[0-9]*)?", word) or (
                ":" in word and re.fullmatch(r"[0-9A-Fa-f:.]+(/[0-9]*)?", word)
            ):
                found.append(ip_network(word))
            elif re.fullmatch(_HOST, word):
                hosts.add(_plain(word))
            else:
                raise ValueError("each must be a host or a network, without a scheme, port or path")
        return cls(frozenset(hosts), tuple(found), private)

    def read(self, url: str) -> Target:
        """The parts of a URL that may be sent to, as far as that can be seen without resolving it.

        Raises Forbidden.
        """
        target = _parts(url)
        if self._listed(target):
            return target
        unless = f"unless GATEWAY_OUTBOUND_ALLOW names {target.host}"
        if target.scheme != "https":
            raise Forbidden(f"must begin with https://, {unless}")
        if target.port != 443 and target.port < FREE_PORTS:
            raise Forbidden(f"must have port 443 or one from {FREE_PORTS}, {unless}")
        return target

    def check(self, target: Target, address: str) -> None:
        """Raises Forbidden for an address, as the resolver spells it, that the target's host leads to.

        The message does not tell the address: who gives a URL need not learn what a name means in here.
        """
        found = _unmapped(ip_address(address))
        if target.host in self.hosts or any(found in network for network in self.networks):
            return
        kind = tier(found)
        if kind == "forbidden":
            raise Forbidden(
                f"{target.host} leads to an address of this machine, its network or nobody: "
                "GATEWAY_OUTBOUND_ALLOW would have to name it"
            )
        if kind == "private" and not self.private:
            raise Forbidden(
                f"{target.host} leads to a private address: that needs GATEWAY_OUTBOUND_PRIVATE=on"
            )

    def _listed(self, target: Target) -> bool:
        if target.host in self.hosts:
            return True
        try:
            found = _unmapped(ip_address(target.host))
        except ValueError:
            return False
        return any(found in network for network in self.networks)


def tier(address: Address) -> Tier:
    """Whose an address is: everybody's, an organisation's own, or none to send to.

    An IPv6 address that stands for an IPv4 one is never better than that.
    """
    address = _unmapped(address)
    if any(address in network for network in _FORBIDDEN):
        return "forbidden"
    within = _within(address)
    if within is not None and tier(within) != "public":
        return "forbidden"
    if any(address in network for network in _PRIVATE):
        return "private"
    if isinstance(address, IPv4Address) or address in _GLOBAL_V6 or address in _NAT64:
        return "public"
    return "forbidden"


def _unmapped(address: Address) -> Address:
    """An address without the way of writing IPv4 in IPv6 that sockets understand, and without its zone."""
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))


def _within(address: Address) -> IPv4Address | None:
    """The IPv4 address that a translator (NAT64) or a tunnel (ISATAP) would send to."""
    if isinstance(address, IPv4Address):
        return None
    number = int(address)
    if address in _NAT64 or number >> 32 & 0xFFFFFFFF in _ISATAP:
        return IPv4Address(number & 0xFFFFFFFF)
    return None


def _parts(url: str) -> Target:
    if len(url) > LONGEST_URL:
        raise Forbidden(f"is longer than {LONGEST_URL} characters")
    if not re.fullmatch(r"[!-\[\]-~]+", url):
        raise Forbidden(
            "must be ASCII without blanks and backslashes: a name in its xn-- spelling, the rest in %XX"
        )
    scheme, mark, rest = url.partition("://")
    if not mark or scheme.lower() not in ("http", "https"):
        raise Forbidden("must begin with https://")
    if "#" in rest:
        raise Forbidden("must have no fragment (#)")
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    if "@" in authority:
        raise Forbidden("must have no user name or password")
    if not authority or authority.startswith(":"):
        raise Forbidden("must name a host")
    found = _URL.fullmatch(f"{scheme.lower()}://{rest}")
    port = int(found["port"] or {"http": 80, "https": 443}[found["scheme"]]) if found else 0
    if found is None or not 0 < port <= 65_535 or len(_plain(found["host"])) > LONGEST_HOST:
        raise Forbidden("must name a host, and a port up to 65535 if any")
    host = found["host"]
    if host.startswith("["):
        try:
            host = str(IPv6Address(host[1:-1]))
        except ValueError:
            raise Forbidden("must name a host: that is no IPv6 address") from None
    path = found["path"]
    return Target(found["scheme"], _plain(host), port, path if path.startswith("/") else f"/{path}")


def _plain(host: str) -> str:
    return host.lower().rstrip(".")
