"""The background work that does runs, as many at a time as there are names for it, on whichever hosts."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial

from peewee import OperationalError

from gateway.background.lease import LEASE, Lease, Stopping, Work
from gateway.core import log, pacing
from gateway.core.ids import now_ms
from gateway.core.pacing import MOST, Pace
from gateway.runs import lifecycle, registry, results
from gateway.runs.technique import Cancelled, Failed, Task
from models.tables import job, run

IDLE = 60_000  # milliseconds until the next look for runs of hosts that died; a new run hurries it


def do_runs(lease: Lease) -> int:
    """Does runs that nobody else is at, the oldest first, until there are none; lets go of old files."""
    while run.waiting(now_ms()):
        until = now_ms() + LEASE
        found = lease.transact(partial(run.claim, lease.owner, now_ms(), until))
        if found is not None:
            _do(Task(found, lease))
    pace = Pace(lease.transact)
    while some := run.outdated(now_ms(), MOST):
        pace.each(some, run.forget_files)
    return IDLE


def _do(task: Task) -> None:
    """Does a run to its end, whichever that is. Raises what keeps it from going on here."""
    try:
        try:
            _complete(task)
        except Failed as failed:
            error = failed.code, str(failed)
            task.transact(partial(lifecycle.end, task.id, error=error))
        except (Cancelled, Stopping, job.Lost, OperationalError):
            raise
        except Exception:  # the run's fault, or its technique's: told, and the others are done
            log.logger.exception("run failed", extra={"facts": {"run": task.id}})
            error = "internal_error", "Something is wrong with the gateway; its log says what."
            task.transact(partial(lifecycle.end, task.id, error=error))
    except Cancelled:
        log.logger.log(logging.INFO, "run cancelled", extra={"facts": {"run": task.id}})
    except (Stopping, OperationalError):
        give_back = partial(run.release, task.id, task.lease.owner)
        with suppress(OperationalError):  # its lease ends by itself
            task.lease.carry_out(partial(pacing.transact, give_back))
        raise


def _complete(task: Task) -> None:
    technique = registry.load().get(str(task.run["technique"]))
    if technique is None:
        raise Failed("internal_error", f"This gateway knows no technique {task.run['technique']}.")
    if task.run["attempts"] > run.ATTEMPTS:
        raise Failed("internal_error", f"It was begun {run.ATTEMPTS} times and got no further.")
    made = results.keep(task, technique.act(task))
    task.transact(partial(results.end, task, made))


WORKS = tuple(Work(name, do_runs) for name in run.WORKS)
