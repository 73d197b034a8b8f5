"""Kills a child process at every step where the store changes the disk."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from cim.store import disk

KILLED = 9


def steps(work: Callable[[], object]) -> list[str]:
    """Return the names of the steps a piece of work takes, in order."""
    seen: list[str] = []
    with disk.at_every_step(seen.append):
        work()
    return seen


def killed_at(work: Callable[[], object], number: int) -> bool:
    """Run `work` in a forked child that dies before its step `number`; tell whether it died.

    The child is forked before any thread or numba is in play and dies by `os._exit`:
    nothing is flushed, closed or cleaned up.
    """
    child = os.fork()
    if child == 0:
        try:
            left = [number]

            def count(_: str) -> None:
                if left[0] == 0:
                    os._exit(KILLED)
                left[0] -= 1

            with disk.at_every_step(count):
                work()
            os._exit(0)
        except BaseException as error:
            print(f"child failed: {error!r}", file=sys.stderr, flush=True)
            os._exit(1)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, KILLED), f"the child failed with {code}"
    return code == KILLED


def every_kill(
    fresh: Callable[[int], Path], work: Callable[[Path], object]
) -> Iterator[tuple[int, str, Path]]:
    """Yield (number, name of the step, path) after a kill at each step of `work`.

    Parameters
    ----------
    fresh
        Makes the starting state in a place of its own and returns its path.
    work
        What is killed.
    """
    names = steps(lambda: work(fresh(-1)))
    assert len(names) >= 2, names
    for number, name in enumerate(names):
        path = fresh(number)
        died = killed_at(lambda path=path: work(path), number)  # type: ignore[misc]
        assert died, f"step {number} ({name}) was not reached"
        yield number, name, path
