"""Requests that share one thread: each is a greenlet, and while one waits the others run.

Nothing is patched: all code blocks as it is written, but for the worker's sockets and what is here.
What may take a while goes `aside`, into a thread of its own. Outside a worker everything is done
where it is asked for, and gevent is not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Generic, ParamSpec, TypeVar

from models.database.handoff import Handoff, Signal

ASIDE = 4  # threads for what would hold up everybody
GATHERED = 32  # requests with which a step is done together, at most
NEARLY = 0.9  # of the connections wait for that step: it is not worth waiting for the others
GATHER = 0.002  # seconds that requests wait for others with which a step is done together

P = ParamSpec("P")
Item = TypeVar("Item")
Result = TypeVar("Result")

_connections: Callable[[], int] = int  # how many this worker has
_gevent: Any = None  # the library, while the greenlets of one thread are requests
_loop: Any = None  # of that thread
_threads: Any = None
_timer: Any = None
_wanted: set[Callable[[], None]] = set()  # done for all who have gathered
_last: set[Callable[[], None]] = set()  # done once those have come for whom the others were done
_gathered = 0  # requests
_for_last = 0  # of them
_due = False  # whether it will be done without a timer
_put_off = False  # whether what is last has waited for others already


def begin(connections: Callable[[], int]) -> None:
    """Has the greenlets of this thread be requests from now on, of so many connections."""
    global _connections, _gevent, _loop, _threads, _timer
    import gevent.event
    import gevent.threadpool  # 50 ms and 6 MB: not for the command line

    _connections = connections
    _gevent, _loop, _threads = gevent, gevent.get_hub().loop, gevent.threadpool.ThreadPool(ASIDE)
    _timer = _loop.timer(GATHER, GATHER)


def end() -> None:
    """From now on everything is done where it is asked for, once what was brought is done."""
    global _gevent
    library, _gevent = _gevent, None
    library.sleep(0)


def shares_thread() -> bool:
    """Whether the caller is a request that shares its thread."""
    return _gevent is not None and isinstance(_gevent.getcurrent(), _gevent.Greenlet)


def aside(act: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Does what may take a while in a thread of its own when the caller's is shared, else right here."""
    if not shares_thread():
        return act(*args, **kwargs)
    return in_thread(_threads, partial(act, *args, **kwargs))


def in_thread(threads: Any, act: Callable[[], Result]) -> Result:
    """Does something in one of gevent's pools of threads, which would print what is raised."""
    future: Future[Result] = Future()
    threads.apply(_do, (future, act))
    return future.result()


def bring(act: Callable[[], Result], *, waits: bool = False) -> Result:
    """Does something in the shared thread, for another thread.

    Between the requests' turns, or as a turn of its own when it `waits`.
    """
    library = _gevent
    if library is None or shares_thread():
        return act()
    future: Future[Result] = Future()
    do = partial(_do, future, act)
    _loop.run_callback_threadsafe(*((library.spawn, do) if waits else (do,)))
    return future.result()


def _do(future: Future[Result], act: Callable[[], Result]) -> None:
    try:
        future.set_result(act())
    except BaseException as error:  # raised where the result is waited for
        future.set_exception(error)


def together(act: Callable[[], None], *, last: bool = False) -> None:
    """Has something done soon, once for all requests that want it; elsewhere right here.

    Requests gather until GATHERED of them or most connections have come to such a step, or none has for a
    while (`_waited`). Then those may come who can go on now, and all that is wanted is done (`_scatter`).
    A request's `last` step waits once for requests whose other steps are done by then: with 32 connections
    a transaction holds 31 requests instead of 25.
    """
    global _gathered, _for_last, _due
    if not shares_thread():
        act()
        return
    (_last if last else _wanted).add(act)
    _for_last += last
    _gathered += 1
    if _gathered < min(GATHERED, _connections() * NEARLY):
        _timer.again(_waited, update=True)
    elif not _due:
        _due = True
        _loop.run_callback(_scatter)  # those first who can go on now


def _waited() -> None:
    _timer.stop()
    _loop.run_callback(_scatter_if_no_more, _gathered)  # those first who have come in the meantime


def _scatter_if_no_more(gathered: int) -> None:
    if gathered == _gathered:  # else who came has seen to it
        _scatter()


def _scatter() -> None:
    global _gathered, _for_last, _due, _put_off
    _timer.stop()
    _due = False
    acts = [*_wanted]
    _wanted.clear()
    _put_off = bool(acts and _last and not _put_off)
    if _put_off:
        _gathered = _for_last
        _timer.again(_waited, update=True)
    else:
        _gathered = _for_last = 0
        acts += _last
        _last.clear()
    for act in acts:
        act()


def signal() -> Signal:
    """What the caller can wait for, and any thread can say."""
    made: Signal = _gevent.event.Event() if shares_thread() else Signal()
    return made


HANDOFF = Handoff(signal, partial(together, last=True), bring)


class Together(Generic[Item, Result]):
    """A function from items to their results that is asked once for those of many requests.

    What a step needs is near when it has just been done for another request. One after the other,
    each step finds the processor's caches full of what the others need, and takes half as long again.
    """

    def __init__(self, act: Callable[[Sequence[Item]], list[Result]]) -> None:
        self._act = act
        self._asked: list[tuple[Sequence[Item], Any]] = []

    def __call__(self, items: Sequence[Item]) -> list[Result]:
        """The items' results, as if nobody else asked. Raises what the function raises for them."""
        if not shares_thread():
            return self._act(items)
        answer = _gevent.event.AsyncResult()
        self._asked.append((items, answer))
        together(self._answer)
        results: list[Result] = answer.get()
        return results

    def _answer(self) -> None:
        asked, self._asked = self._asked, []
        try:
            results = iter(self._act([item for items, _ in asked for item in items]))
            for items, answer in asked:
                answer.set([next(results) for _ in items])
        except Exception as error:  # raised where the answer is waited for
            if len(asked) == 1:
                asked[0][1].set_exception(error)
                return
            for one in asked:  # each hears of its own
                self._asked = [one]
                self._answer()
