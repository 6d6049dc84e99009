"""Attacks on the borders of requests, made from a seed: the same seed makes the same bytes."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence

from tests.server import chunks, heads, lengths
from tests.server.attack import Attack, Kind, Target

KINDS: dict[str, Kind] = {**chunks.kinds(), **lengths.kinds(), **heads.kinds()}

DOORS = (
    *("/api/v1/feedback", "/v2/feedback", "/v1/feedback", "/gateway/v1/feedback", "/hooks/github/abc"),
    "/gateway/v1/feedback/batch",
)
_OTHERS = (
    *(("GET", "/healthz"), ("HEAD", "/healthz"), ("GET", "/metrics"), ("POST", "/healthz")),
    *(("GET", "/unknown"), ("POST", "/unknown"), ("OPTIONS", "/v1/feedback"), ("POST", "/hooks/none/abc")),
    *(("GET", "/"), ("POST", "/"), ("GET", "/sign-in"), ("POST", "/sign-in"), ("GET", "/inbox")),
    *(("GET", "/gateway/v1/feedback?limit=1"), ("DELETE", "/gateway/v1/feedback/fb_1")),
)
TARGETS = (*(("POST", path) for path in DOORS), *_OTHERS)

# Trailers that haproxy passes on as they are.
_PASSED = {
    "bad trailer": ("space in name", "space before colon", "folded", "NUL"),
    "bad trailer, no chunk": ("space in name", "space before colon", "folded", "NUL"),
    "odd trailer": ("Content-Length", "Transfer-Encoding", "Authorization", "control", "Host", "Expect"),
}
PASSED_ON = tuple(f"{kind}: {name}" for kind, names in _PASSED.items() for name in names)
_BODILESS = tuple(other for other in _OTHERS if other[1] not in ("/sign-in", "/metrics"))


def seed() -> int:
    """The seed of this run: FRAMING_SEED, or another one each time."""
    return int(os.environ.get("FRAMING_SEED") or random.SystemRandom().randrange(1 << 32))


def target_of(rng: random.Random, keys: Sequence[str | None], *, bodiless: bool = False) -> Target:
    """One of the paths, half of the time a door, with one of the keys; or one that reads no body."""
    if bodiless:
        return Target(*rng.choice(_BODILESS))
    method, path = rng.choice((("POST", rng.choice(DOORS)), rng.choice(_OTHERS)))
    return Target(method, path, rng.choice(keys))


def attack_of(name: str, rng: random.Random, target: Target) -> Attack:
    """An attack of a kind to a path."""
    kind = KINDS[name]
    data = kind.make(target, rng)
    methods = [kind.method or target.method, *["GET"] * (kind.requests - 1)]
    if not kind.end:
        data += Target("GET", f"/smuggled-{rng.randrange(10**6)}").head("Connection: close")
        methods.append("GET")
    return Attack(name, target, data, tuple(methods), kind.malformed, kind.before, kind.end)


def attacks(rng: random.Random, keys: Sequence[str | None], count: int) -> Iterator[Attack]:
    """So many attacks for what is behind a proxy.

    Every other one is of a kind that proxies pass on, to a path that reads no body: there the gateway
    may have answered before it sees what is wrong. Of the rest, every kind comes once before any comes
    again.
    """
    names: list[str] = []
    for number in range(count):
        if number % 2:
            yield attack_of(rng.choice(PASSED_ON), rng, target_of(rng, keys, bodiless=True))
            continue
        if not names:
            names = sorted(KINDS)
            rng.shuffle(names)
        yield attack_of(names.pop(), rng, target_of(rng, keys))
