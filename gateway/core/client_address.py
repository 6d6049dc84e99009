"""Whose address a request comes from, when proxies stand in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


def networks(text: str) -> tuple[Network, ...]:
    """The networks of a list such as "10.0.0.0/8, fd00::/8, 192.0.2.7". Raises ValueError."""
    return tuple(ip_network(word) for word in text.replace(",", " ").split())


def client_address(remote: str, headers: Mapping[str, str], trusted: tuple[Network, ...]) -> str:
    """The address of the nearest hop that is not a trusted proxy.

    `remote` is the other end of the connection; `headers` have lower-case names. Each proxy appends
    whom it heard from, so X-Forwarded-For, or else Forwarded (RFC 7239), is read from the right and
    only as far as every hop is trusted: what stands further left anybody can have written.
    """
    if not trusted:
        return remote
    address = _address(remote)
    if address is None:
        return remote
    for hop in _hops(headers):
        if not any(address in network for network in trusted):
            break
        before = _address(hop)
        if before is None:  # "unknown", a made-up name, or nonsense
            break
        address = before
    return str(address)


def neighbourhood(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that an IPv6 customer has at least."""
    known = _address(address)
    if known is None:
        return "unknown"
    return str(known) if known.version == 4 else str(ip_network((known, 64), strict=False))


def _hops(headers: Mapping[str, str]) -> Iterator[str]:
    """Whom each proxy heard from, the nearest proxy's word first."""
    if "x-forwarded-for" in headers:
        yield from reversed(headers["x-forwarded-for"].split(","))
        return
    # Split at every comma, also in quotes: an address has none, and a quote that a client left open must
    # not swallow what a proxy appended.
    for element in reversed(headers.get("forwarded", "").split(",")):
        pairs = [pair.partition("=") for pair in element.split(";")]
        named = [value.strip().strip('"') for name, _, value in pairs if name.strip().lower() == "for"]
        yield named[0] if len(named) == 1 else ""


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address that may have a port; an IPv4 one inside an IPv6 one is taken out."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        known = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return known.ipv4_mapped or known if isinstance(known, IPv6Address) else known
