"""Counts what each name spends on a Redis or Valkey that every host asks, by the definition of FileCounter.

One script does one atomic step by the server's clock, so that hosts whose clocks differ count alike.
The `limits` library has no strategy that fits: its moving window goes by each host's own clock,
remembers every request one by one, and says what is left only in a second call.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import Any

from gateway.core import log
from gateway.core.config import BadSetting
from gateway.core.rate import SLOTS, Budget, Rate, Unavailable
from models.database.sqlite import reason

TIMEOUT = 0.25  # seconds a request waits for the server at most, for a connection and for an answer
REACH = 3.0  # the same for a process that starts
PAUSE = 1.0  # seconds between two requests that try a server that is away; the others do not wait

# Slot n of a window is field n of a hash that lives as long as its newest count.
_SCRIPT = f"""
local quota, window, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if not now then
  local time = redis.call('TIME')
  now = time[1] + time[2] / 1000000
end
local span = window / {SLOTS}
local slot = math.floor(now / span)
local counts, newest = redis.pcall('HGETALL', KEYS[1]), slot
local odd = counts.err ~= nil
for i = 1, #counts, 2 do
  local at = tonumber(counts[i])
  odd = odd or not at or not tonumber(counts[i + 1])
  newest = math.max(newest, at or slot)
end
-- Something else has its place, or the clock was set back by more than a window: it is counted anew.
if odd or newest > slot + {SLOTS} then
  redis.call('DEL', KEYS[1])
  counts, newest = {{}}, slot
end
local used, oldest, old = 0, newest, {{}}
for i = 1, #counts, 2 do
  local at = tonumber(counts[i])
  if at < newest - {SLOTS} then
    old[#old + 1] = counts[i]
  else
    used = used + counts[i + 1]
    oldest = math.min(oldest, at)
  end
end
if #old > 0 then
  redis.call('HDEL', KEYS[1], unpack(old))
end
local allowed = used < quota
if allowed then
  redis.call('HINCRBY', KEYS[1], string.format('%d', newest), 1)
  redis.call('PEXPIRE', KEYS[1], string.format('%d', math.ceil({SLOTS + 1} * span * 1000)))
  used = used + 1
end
local reset = math.max(1, math.ceil((oldest + {SLOTS + 1}) * span - now))
return {{allowed and 1 or 0, math.max(0, quota - used), reset}}
"""


def reach(url: str, *, may_be_away: bool = False) -> list[str]:
    """Asks the server at `url` whether it is there. Returns a line that says why not if it `may_be_away`.

    Raises BadSetting, which says why not without a password; always for what will never do.
    """
    from redis import AuthenticationError, Redis, RedisError
    from redis import ConnectionError as Lost
    from redis import TimeoutError as Late
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    once = Retry(NoBackoff(), 0)
    try:
        with Redis.from_url(
            _address(url), socket_timeout=REACH, socket_connect_timeout=REACH, retry=once
        ) as client:
            client.ping()
    except (RedisError, ValueError) as error:
        away = isinstance(error, Lost | Late) and not isinstance(error, AuthenticationError)
        why = f"GATEWAY_REDIS_URL: no Redis or Valkey answers: {reason(error)}"
        if away and may_be_away:
            return [f"{why}: it is tried again with every request"]
        raise BadSetting(why) from None
    return []


def _address(url: str) -> str:
    """The URL as the client's library takes it."""
    return url.replace("valkey", "redis", 1) if url.startswith("valkey") else url


class RedisCounter:
    """Counts on the server at `url`: redis, rediss, valkey, valkeys or unix. Connects at the first use.

    While the server is away one request in a `PAUSE` tries it and the others are told at once; the
    log has one line when it goes and one when it is back.
    """

    def __init__(self, url: str) -> None:
        from redis import ConnectionError as Lost  # not every installation has it
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        client = Redis.from_url(
            _address(url),
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 1, supported_errors=(Lost,)),  # the server may have closed an idle one
        )
        self._script: Any = client.register_script(_SCRIPT)
        self._close = client.close
        self._hang_up = partial(client.connection_pool.disconnect, inuse_connections=False)
        self._turn = threading.Lock()
        self._away_since: float | None = None
        self._next_try = 0.0

    def spend(self, name: str, rate: Rate, now: float | None = None) -> Budget:
        """Takes one request of `rate` for `name`, in one atomic step.

        `now` is seconds since the epoch, by the server's clock when not given. Raises Unavailable.
        """
        if self._away_since is not None and not self._my_turn():
            raise Unavailable("the limits server is away")
        try:
            arguments = [rate.quota, rate.window, "" if now is None else now]
            answer = self._script([f"gateway:limit:{rate.window}:{name}"], arguments)
            allowed, remaining, reset = map(int, answer)
        except Exception as error:  # the library's own, and its stumbling over what no such server would say
            self._lost(error)
            raise Unavailable(f"the limits server is away: {type(error).__name__}") from error
        if self._away_since is not None:
            self._returned()
        return Budget(bool(allowed), remaining, reset)

    def close(self) -> None:
        """Lets go of every connection."""
        self._close()

    def _my_turn(self) -> bool:
        with self._turn:
            if time.monotonic() < self._next_try:
                return False
            self._next_try = time.monotonic() + PAUSE
            return True

    def _lost(self, error: Exception) -> None:
        self._hang_up()  # one that only reads may have a successor at the same address
        with self._turn:
            self._next_try = time.monotonic() + PAUSE
            if self._away_since is None:
                self._away_since = time.monotonic()
                facts = {"error": type(error).__name__, "detail": str(error)}
                log.logger.error("the limits server is away", extra={"facts": facts})

    def _returned(self) -> None:
        with self._turn:
            if self._away_since is not None:
                facts = {"seconds": round(time.monotonic() - self._away_since, 1)}
                self._away_since = None
                log.logger.warning("the limits server is back", extra={"facts": facts})
