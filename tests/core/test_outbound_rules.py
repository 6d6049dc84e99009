"""Which URLs and addresses may be sent to, in every spelling of them."""

from __future__ import annotations

import contextlib
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.outbound_rules import LONGEST_URL, Forbidden, Rules, tier

STRICT = Rules()


TIERS = {
    "public": (
        "1.1.1.1 100.63.255.255 100.128.0.1 172.15.0.1 223.255.255.1 "
        "2606:4700::1111 2a00::1 64:ff9b::101:101 ::ffff:1.1.1.1"
    ),
    "private": (
        "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 "
        "100.64.0.1 100.127.255.255 fc00::1 fdff::1 fec0::1 "
        "::ffff:10.0.0.1"
    ),
    "forbidden": (
        "0.0.0.0 0.1.2.3 127.0.0.1 127.255.255.255 "
        "169.254.169.254 169.254.0.1 192.0.0.192 192.0.2.1 "
        "198.18.0.1 198.51.100.1 203.0.113.1 192.88.99.1 "
        "224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 "
        "168.63.129.16 100.100.100.200 fd00:ec2::254 fd20:ce::254 "
        ":: ::1 ::2 ::7f00:1 ::808:808 fe80::1 fe80::1%1 "
        "ff02::1 100::1 2001:db8::1 3fff::1 4000::1 5f00::1 "
        "::ffff:127.0.0.1 ::ffff:a9fe:a9fe ::ffff:0:127.0.0.1 "
        "64:ff9b::7f00:1 64:ff9b::a00:1 64:ff9b:1::1 64:ff9b:1::808:808 "
        "2002:7f00:1::1 2002:a00:1:: 2001:0:7f00:1:: 2001:2::1 "
        "2606:4700::5efe:7f00:1 2606:4700::200:5efe:a00:1"
    ),
}


@pytest.mark.parametrize(
    ("address", "expected"), [(word, name) for name, words in TIERS.items() for word in words.split()]
)
def test_tiers(address: str, expected: str) -> None:
    """IANA's special addresses are none to send to, nor is what a translator or tunnel would send there."""
    assert tier(ip_address(address)) == expected


FORBIDDEN = st.one_of(
    st.sampled_from([IPv4Address("127.0.0.1"), IPv4Address("169.254.169.254"), IPv4Address("0.0.0.0")]),
    st.integers(0x7F000000, 0x7FFFFFFF).map(IPv4Address),
    st.integers(0xA9FE0000, 0xA9FEFFFF).map(IPv4Address),
    st.integers(0xE0000000, 0xFFFFFFFF).map(IPv4Address),
    st.integers(0x0A000000, 0x0AFFFFFF).map(IPv4Address),
    st.integers(0xC0A80000, 0xC0A8FFFF).map(IPv4Address),
)
NETWORKS = st.integers(0x2A000000, 0x2AFFFFFF).map(lambda number: number << 96)  # 2a00::/8, given to networks


def old_forms(address: IPv4Address) -> list[str]:
    """The forms that inet_aton reads: fewer parts, and each in decimal, octal or hexadecimal."""
    number, parts = int(address), address.packed
    found = [str(number), hex(number), oct(number).replace("0o", "0"), hex(number).upper().replace("X", "x")]
    found += [f"{parts[0]}.{number & 0xFFFFFF}", f"{parts[0]:#x}.{parts[1]}.{number & 0xFFFF:#x}"]
    found += [
        ".".join(f"0{part:o}" for part in parts),
        ".".join(f"{part:#x}" for part in parts),
        f"{address}.",
    ]
    return found


def v6_forms(address: IPv4Address, network: int) -> list[str]:
    """The IPv6 addresses by which an IPv4 one is reached, or was once."""
    number = int(address)
    low = [0xFFFF << 32, 0, 0x64FF9B << 96, 0x64FF9B0001 << 80, 0xFFFF0000 << 32]
    made = [start | number for start in low] + [network | tag << 32 | number for tag in (0x5EFE, 0x2005EFE)]
    made += [
        0x2002 << 112 | number << 80 | 1,
        0x20010000 << 96 | number << 64,
        0x20010000 << 96 | number ^ 0xFFFFFFFF,
    ]
    texts = [IPv6Address(one) for one in made]
    return [f"[{text}]" for one in texts for text in (str(one), one.exploded, str(one).upper())] + [
        f"[::ffff:{address}]",
        f"[64:ff9b::{address}]",
    ]


@given(st.text(alphabet="https://aA0.-_:@[]#?%\\\u0000 \u00e4\u3002", max_size=80) | st.text())
def test_no_text_breaks_it(text: str) -> None:
    """Any text is a URL to send to or refused, and what is one can be looked up."""
    for url in (text, f"https://{text}", f"https://{text}.example/{text}"):
        with contextlib.suppress(Forbidden):
            target = STRICT.read(url)
            assert len(target.host.encode("idna")) > 0 and target.path.startswith("/")


@given(FORBIDDEN, NETWORKS)
def test_no_spelling_gets_round(address: IPv4Address, network: int) -> None:
    """In whatever form the system's resolver understands it, what may not be sent to is recognised."""
    for host in [*old_forms(address), *v6_forms(address, network), str(address)]:
        with pytest.raises(Forbidden):
            leads_to(STRICT, f"https://{host}/")


def leads_to(rules: Rules, url: str) -> None:
    """Has the system's resolver say what a URL's host means, and each address checked."""
    target = rules.read(url)
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except OSError:  # a form that this system does not understand leads nowhere
        raise Forbidden("nowhere") from None
    for entry in found:
        rules.check(target, str(entry[4][0]))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com/", "GATEWAY_OUTBOUND_ALLOW"),
        ("https://example.com:22/", "GATEWAY_OUTBOUND_ALLOW"),
        ("https://example.com:0/", "port"),
        ("https://example.com:65536/", "port"),
        ("https://example.com:/", "port"),
        ("https://example.com:4 43/", "blanks"),
        ("https://user@example.com/", "user name"),
        ("https://user:word@example.com/", "user name"),
        ("https://127.0.0.1#@example.com/", "fragment"),
        ("https://example.com/#", "fragment"),
        ("https://example.com\\@127.0.0.1/", "backslashes"),
        ("https://example.com/a b", "blanks"),
        ("https://example.com/\r\nHost: a", "blanks"),
        ("https://exämple.com/", "xn--"),
        ("https://example。com/", "xn--"),
        ("https://①27.0.0.1/", "xn--"),
        ("https:///path", "host"),
        ("https://", "host"),
        ("https://:443/", "host"),
        ("https://./", "host"),
        ("https://a..b/", "host"),
        (f"https://{'a' * 64}.example/", "host"),
        (f"https://{'a.' * 127}example/", "host"),
        ("https://-a.example/", "host"),
        ("https://a-.example/", "host"),
        ("https://[::1/", "host"),
        ("https://[::g]/", "host"),
        ("https://[1.2.3.4]/", "host"),
        ("https://%31%32%37.0.0.1/", "host"),
        ("https:example.com", "https://"),
        ("//example.com/", "https://"),
        ("ftp://example.com/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("gopher://example.com/", "https://"),
        ("", ""),
        ("https://example.com/" + "a" * LONGEST_URL, "longer"),
    ],
)
def test_what_is_no_url_to_send_to(url: str, why: str) -> None:
    """Each is refused in words that say what to change, or which setting would allow it."""
    with pytest.raises(Forbidden) as refused:
        STRICT.read(url)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("https://example.com", "example.com", "/"),
        ("HTTPS://Example.COM.:443/A", "example.com", "/A"),
        ("https://example.com?a=b", "example.com", "/?a=b"),
        ("https://a_b.example.com:8443/?a=/@", "a_b.example.com:8443", "/?a=/@"),
        ("https://[2606:4700:0::1111]:8443/", "[2606:4700::1111]:8443", "/"),
        ("https://xn--exmple-cua.com/%20", "xn--exmple-cua.com", "/%20"),
    ],
)
def test_urls_to_send_to(url: str, authority: str, path: str) -> None:
    target = STRICT.read(url)
    assert (target.authority, target.path) == (authority, path)


def allowed(allow: str, url: str, private: bool = False) -> bool:
    try:
        leads_to(Rules.parse(allow, private), url)
    except Forbidden:
        return False
    return True


@pytest.mark.parametrize(
    ("allow", "private", "url", "expected"),
    [
        ("localhost", False, "http://localhost:25/", True),
        ("LocalHost.", False, "http://localhost/", True),
        ("localhost", False, "https://127.0.0.1/", False),
        ("127.0.0.1", False, "http://127.0.0.1/", True),
        ("127.0.0.1", False, "http://[::ffff:127.0.0.1]/", True),
        ("127.0.0.1", False, "https://127.0.0.2/", False),
        ("127.0.0.0/8", False, "https://2130706433/", True),
        ("127.0.0.0/8", False, "http://2130706433/", False),
        ("::1, 10.0.0.0/8", False, "http://10.9.9.9/", True),
        ("10.0.0.0/8", False, "https://192.168.0.1/", False),
        ("", True, "https://192.168.0.1/", True),
        ("", True, "http://192.168.0.1/", False),
        ("", True, "https://169.254.169.254/", False),
        ("", True, "https://[64:ff9b::192.168.0.1]/", False),
        ("", True, "https://[fd00:ec2::254]/", False),
        ("", True, "https://[fd01::1]/", True),
        ("", False, "https://[fd01::1]/", False),
    ],
)
def test_what_the_settings_allow(allow: str, private: bool, url: str, expected: bool) -> None:
    """A host that is named, and a network, may be sent to in every way; private addresses over https."""
    assert allowed(allow, url, private) is expected


@pytest.mark.parametrize(
    "word", ["10.0.0.1/8", "10.0.0", "https://a.example", "a b/c", "*", "*.a.example", "::g", "a:80"]
)
def test_what_is_no_rule(word: str) -> None:
    with pytest.raises(ValueError):
        Rules.parse(word, False)
