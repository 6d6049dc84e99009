"""Client addresses: nobody's word is taken for where a request comes from but a trusted proxy's."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.client_address import client_address, neighbourhood, networks

TRUSTED = networks("10.0.0.0/8 fd00::/8, 192.0.2.7")
HOSTILE = st.text(max_size=60) | st.sampled_from(
    [
        "",
        ",",
        ",,,",
        "127.0.0.1",
        'for="',
        "for=10.0.0.1;for=1.1.1.1",
        "[::1",
        "fe80::1%eth0",
        "unknown",
        "٣.٣.٣.٣",
    ]
)


@pytest.mark.parametrize(
    ("remote", "headers", "client"),
    [
        ("198.51.100.1", {}, "198.51.100.1"),
        ("198.51.100.1", {"x-forwarded-for": "1.2.3.4"}, "198.51.100.1"),
        ("10.0.0.1", {}, "10.0.0.1"),
        ("10.0.0.1", {"x-forwarded-for": "1.2.3.4"}, "1.2.3.4"),
        ("10.0.0.1", {"x-forwarded-for": "6.6.6.6, 1.2.3.4, 192.0.2.7 ,10.9.9.9"}, "1.2.3.4"),
        ("10.0.0.1", {"x-forwarded-for": "10.0.0.3,10.0.0.2"}, "10.0.0.3"),
        ("10.0.0.1", {"x-forwarded-for": "6.6.6.6, unknown, 10.0.0.2"}, "10.0.0.2"),
        ("10.0.0.1", {"x-forwarded-for": "1.2.3.4:5678"}, "1.2.3.4"),
        ("10.0.0.1", {"x-forwarded-for": "[2001:db8::1]:443"}, "2001:db8::1"),
        ("10.0.0.1", {"x-forwarded-for": "2001:DB8:0::1"}, "2001:db8::1"),
        ("::ffff:10.0.0.1", {"x-forwarded-for": "::ffff:1.2.3.4"}, "1.2.3.4"),
        (
            "fd00::1",
            {"forwarded": 'for=6.6.6.6, FOR="[2001:db8::1]:9";proto=https;by=fd00::1'},
            "2001:db8::1",
        ),
        ("10.0.0.1", {"forwarded": "for=_hidden"}, "10.0.0.1"),
        ("10.0.0.1", {"forwarded": "for=1.1.1.1;for=2.2.2.2"}, "10.0.0.1"),
        ("10.0.0.1", {"x-forwarded-for": "1.2.3.4", "forwarded": "for=6.6.6.6"}, "1.2.3.4"),
        ("", {"x-forwarded-for": "1.2.3.4"}, ""),
    ],
)
def test_the_nearest_hop_that_is_not_trusted(remote: str, headers: dict[str, str], client: str) -> None:
    """The chain is followed from the right, through trusted proxies only."""
    assert client_address(remote, headers, TRUSTED) == client


@given(HOSTILE, HOSTILE)
def test_nothing_is_believed_by_default(forwarded_for: str, forwarded: str) -> None:
    """Without trusted proxies, and from anybody else, headers change nothing."""
    headers = {"x-forwarded-for": forwarded_for, "forwarded": forwarded}

    assert client_address("203.0.113.9", headers, ()) == "203.0.113.9"
    assert client_address("203.0.113.9", headers, TRUSTED) == "203.0.113.9"


@given(HOSTILE)
def test_what_a_client_sends_along_is_not_believed(sent: str) -> None:
    """A proxy appends whom it heard from; whatever stood there before, that is the client."""
    assert client_address("10.0.0.1", {"x-forwarded-for": f"{sent}, 203.0.113.9"}, TRUSTED) == "203.0.113.9"
    assert client_address("10.0.0.1", {"forwarded": f"{sent}, for=203.0.113.9"}, TRUSTED) == "203.0.113.9"


@given(HOSTILE, HOSTILE)
def test_always_an_address(name: str, value: str) -> None:
    """Whatever trusted proxies pass on, the client is an address without a port or a zone."""
    for headers in (
        {"x-forwarded-for": value},
        {"forwarded": f"for={value}"},
        {"forwarded": f"{name};{value}"},
    ):
        client = client_address("10.0.0.1", headers, TRUSTED)
        assert str(ip_address(client)) == client
        assert "%" not in client


def test_neighbourhoods() -> None:
    """An IPv4 address counts for itself however it is written, an IPv6 one for its /64."""
    assert neighbourhood("198.51.100.1") == neighbourhood("::ffff:198.51.100.1") == "198.51.100.1"
    assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8:0:0:ffff::2") == "2001:db8::/64"
    assert neighbourhood("2001:db8:0:1::1") != neighbourhood("2001:db8::1")
    assert neighbourhood("") == neighbourhood("nonsense") == "unknown"


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "proxy.example.com", "*"])
def test_bad_networks(text: str) -> None:
    """What is no network is refused, also one with bits beyond its mask."""
    with pytest.raises(ValueError, match=r"\S"):
        networks(text)
