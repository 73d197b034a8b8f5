"""How a run goes: step after step, other waters in between, watched, kept, and stopped.

Steps are cut into slices that are the same on every machine and in every run, so that a run
taken up at a checkpoint is the same run to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cim.errors import CancelledError, SimulationError
from cim.flood.checkpoint import Checkpoint
from cim.flood.engine import Engine
from cim.jobs import Job

__all__ = ["Companion", "Keeping", "march"]

Array = NDArray[Any]


class Companion(Protocol):
    """Who goes along with the water: acts between two slices, and can be taken up again."""

    most_steps: int
    """Steps after which it wants to act."""

    def next_s(self) -> float:
        """Return when it must act next; infinite where steps alone count."""
        ...

    def act(self, engine: Engine, *, from_s: float, t_s: float, last: bool) -> None:
        """Do what is due; `last` at the end of the run."""
        ...

    def state(self) -> dict[str, Array]:
        """Return what it needs to go on."""
        ...

    def restore(self, state: dict[str, Array]) -> None:
        """Go back to a state."""
        ...


@dataclass
class Keeping:
    """A checkpoint, and the question whose run it keeps."""

    file: Checkpoint
    question: str


def march(
    engine: Engine,
    until_s: float,
    companions: Mapping[str, Companion],
    *,
    job: Job,
    keeping: Keeping | None = None,
) -> None:
    """Run from 0 to a time.

    Parameters
    ----------
    engine
        The water at time 0.
    until_s
        When to stop, s.
    companions
        By name, in the order in which they act.
    job
        Hears of progress; a cancel writes a checkpoint first.
    keeping
        Where to write checkpoints, and whether to begin at one.

    Raises
    ------
    SimulationError
        The numbers ran away; the last checkpoint stays.
    CancelledError
        The job was cancelled; where there is a checkpoint it says so.
    """
    t_s = 0.0
    found = keeping.file.read(keeping.question) if keeping else None
    if found is not None:
        t_s = float(found["t_s"])
        engine.restore(_part(found, "engine"))
        for name, one in companions.items():
            one.restore(_part(found, name))
    else:
        for one in companions.values():
            one.act(engine, from_s=0.0, t_s=0.0, last=False)
    while t_s < until_s:
        new_s, taken = engine.step(
            t_s,
            min([until_s, *(one.next_s() for one in companions.values())]),
            most_steps=_most_steps(engine, companions),
        )
        if not taken:
            raise _ran_away(engine, t_s)
        for one in companions.values():
            one.act(engine, from_s=t_s, t_s=new_s, last=new_s >= until_s)
        t_s = new_s
        _keep(engine, t_s, companions, job, keeping, until_s)
    if not np.isfinite(engine.stored_m3()):
        raise _ran_away(engine, t_s)
    if keeping is not None:
        keeping.file.done()


def _most_steps(engine: Engine, companions: Mapping[str, Companion]) -> int:
    """Return steps to the next multiple at which somebody acts."""
    paces = [engine.slice_steps, *(one.most_steps for one in companions.values())]
    return min(pace - engine.steps % pace for pace in paces)


def _keep(
    engine: Engine, t_s: float, companions: Mapping[str, Companion], job: Job,
    keeping: Keeping | None, end_s: float,
) -> None:  # fmt: skip
    def write() -> None:
        if keeping is not None:
            if not np.isfinite(engine.stored_m3()):
                raise _ran_away(engine, t_s)
            state = {"t_s": np.array(t_s), **_named("engine", engine.state())}
            for name, one in companions.items():
                state |= _named(name, one.state())
            keeping.file.write(keeping.question, state)

    if keeping is not None and keeping.file.due():
        write()
    try:
        job.step(t_s, end_s, what="flood.running")
    except CancelledError as stop:
        if keeping is None:
            raise
        write()
        at = {"at": f"{t_s:g}", "end": f"{end_s:g}"}
        raise CancelledError("flood.kept", given=keeping.file.path, values=at) from stop


def _ran_away(engine: Engine, t_s: float) -> SimulationError:
    row, col = engine.ran_away_at()
    values = {"row": row, "col": col, "depth": f"{float(engine.depth_m[row, col]):g}"}
    return SimulationError("flood.not_finite", given=f"{t_s:g}", values=values)


def _named(prefix: str, state: Mapping[str, Array]) -> dict[str, Array]:
    return {f"{prefix}/{name}": np.asarray(value) for name, value in state.items()}


def _part(state: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    start = prefix + "/"
    return {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}
