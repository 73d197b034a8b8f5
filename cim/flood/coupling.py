"""How other waters meet the flood: pipes, soil, structures and rain by zones, between two slices.

The solver runs in slices; between two of them each `Coupling` is told the depths and says how
much water goes where. What it takes never exceeds what lies there, and both sides move the
same volume. Everything is kept in a float64 account by cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cim.flood.drains import DrainBalance, Drains
from cim.flood.rain import Storm
from cim.flood.structures import Structures
from cim.flood.watcher import Watcher

if TYPE_CHECKING:
    from kernels.flood.water import Water

__all__ = ["Coupling", "Exchange", "Meeting", "Pipes", "Soil", "Watch", "Works"]
__all__ += ["ZonedRain"]

Floats = NDArray[np.float64]
Cells = NDArray[np.int64]
DepthAt = Callable[[Cells], Floats]

_MOST_SHARE = 0.5  # of the water in a cell that one exchange may take


@dataclass(frozen=True)
class Exchange:
    """Water that changes hands now: flat cells, m³ into each (negative out), and its cause."""

    cause: str
    cells: Cells
    volume_m3: Floats


class Coupling(Protocol):
    """Something that gives water to the street or takes it."""

    @property
    def every_s(self) -> float:
        """Longest time between two exchanges."""
        ...

    @property
    def any_time(self) -> bool:
        """Whether it may act sooner, at the end of a run."""
        ...

    def act(self, depth_at: DepthAt, *, t_s: float, dt_s: float) -> list[Exchange]:
        """Say what changes hands.

        Parameters
        ----------
        depth_at
            Tells the water on flat cells now, m.
        t_s, dt_s
            Time now, and how long ago it was asked before.
        """
        ...


class Pipes:
    """Inlets and manholes above running drains.

    Parameters
    ----------
    drains
        Entered `Drains`.
    cell
        (n,) flat cell of each node, -1 none.
    bed_m
        (cells,) ground.
    cell_m
        Side of a cell.
    """

    every_s = 4.0
    any_time = False  # SWMM wants whole steps

    def __init__(self, drains: Drains, *, cell: Cells, bed_m: Floats, cell_m: float) -> None:
        self.drains = drains
        self._joined = np.flatnonzero((cell >= 0) & drains.open)
        self._cell = cell[self._joined]
        self._bed_m = bed_m[self._cell]
        self._street_m2 = np.full(len(cell), cell_m**2)
        self._street_m2[self._joined] /= np.bincount(self._cell)[self._cell]  # openings share it
        self._level_m = np.zeros(len(cell))
        self._most_m3 = np.zeros(len(cell))

    def act(self, depth_at: DepthAt, *, t_s: float, dt_s: float) -> list[Exchange]:
        """Ask the openings, move what is there, hand it to SWMM."""
        depth = depth_at(self._cell)
        self._level_m[self._joined] = self._bed_m + depth
        self._most_m3[self._joined] = depth * self._street_m2[self._joined]
        volume = self.drains.settle_m3(
            self._level_m, most_m3=self._most_m3, street_m2=self._street_m2, dt_s=dt_s
        )
        self.drains.take(volume, dt_s=dt_s)
        moved = volume[self._joined]
        return [
            Exchange("to_drains_m3", self._cell, -np.maximum(moved, 0.0)),
            Exchange("from_drains_m3", self._cell, np.maximum(-moved, 0.0)),
        ]

    def balance(self) -> DrainBalance:
        """Return what became of the water in the pipes."""
        return self.drains.balance()

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that was ever handed over: SWMM has no state that could be taken up."""
        history = self.drains.history
        volumes = np.array([volume for _, volume in history]).reshape(
            len(history), len(self._level_m)
        )
        return {"dt_s": np.array([dt_s for dt_s, _ in history]), "volumes_m3": volumes}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Go back to a state: hand it all over again, which ends in the same bits."""
        for dt_s, volume in zip(state["dt_s"].tolist(), state["volumes_m3"], strict=True):
            self.drains.take(volume, dt_s=dt_s)


def _shared(wanted: Floats, cell: Cells, most: Floats) -> Floats:
    """Scale down what several openings want of one cell."""
    cells, at = np.unique(cell, return_inverse=True)
    asked = np.bincount(at, weights=wanted, minlength=len(cells))
    there = np.full(len(cells), np.inf)
    np.minimum.at(there, at, most)
    scale = np.divide(there, asked, out=np.ones_like(asked), where=asked > there)
    out: Floats = wanted * scale[at]
    return out


class Soil:
    """Ground that lets water in, by one of four laws.

    Parameters
    ----------
    law
        ``green_ampt``, ``horton``, ``curve_number`` or ``constant``.
    cells
        (k,) flat cells that are not sealed.
    numbers
        (parameters, k) of the law: see `kernels.flood.infiltration`.
    storm
        The rain (``curve_number`` counts it).
    cell_m
        Side of a cell.
    """

    every_s = 20.0
    any_time = True

    def __init__(
        self, law: str, *, cells: Cells, numbers: Floats, storm: Storm, cell_m: float,
        zones: tuple[Cells, Sequence[Storm]] | None = None,
    ) -> None:  # fmt: skip
        self.law, self.cells, self._numbers = law, cells, numbers
        zone = None if zones is None else zones[0]
        self._storms: Sequence[Storm] = [storm] if zones is None else zones[1]
        self._zone = np.zeros_like(cells) if zone is None else zone.ravel()[cells]
        self._area_m2 = cell_m**2
        self.soaked_m = np.zeros(len(cells))

    def act(self, depth_at: DepthAt, *, t_s: float, dt_s: float) -> list[Exchange]:
        """Let in what the law allows of what lies there."""
        from kernels.flood import infiltration as laws

        lying, first = depth_at(self.cells), self._numbers[0]
        out = np.zeros(len(self.cells))
        if self.law == "green_ampt":
            laws.green_ampt(lying, self.soaked_m, first, self._numbers[1], dt_s, out)
        elif self.law == "horton":
            laws.horton(lying, self.soaked_m, first, self._numbers[1], self._numbers[2], dt_s, out)
        elif self.law == "constant":
            laws.constant(lying, first, dt_s, out)
        else:
            before, after = self._fallen_m(t_s - dt_s), self._fallen_m(t_s)
            laws.curve_number(lying, before, after, first, out)
        self.soaked_m += out
        return [Exchange("infiltrated_m3", self.cells, -out * self._area_m2)]

    def _fallen_m(self, t_s: float) -> Floats:
        """(cells,) what fell on each; zone -1, the last one, is dry."""
        return np.array([*(s.fallen_m(t_s) for s in self._storms), 0.0])[self._zone]

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what a run needs to go on."""
        return {"soaked_m": self.soaked_m}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Go back to a state."""
        self.soaked_m[...] = state["soaked_m"]


class Works:
    """Weirs, culverts, pumps and tanks of the twin.

    They exchange once a second, from one cell. With the shock-capturing solver the cell has filled
    again by then; the local inertial one, which loses nothing in a wave, lets it swing about the
    pond's level by half of what was taken, and every exchange finds it at the top (measured on
    cells of 5 m: 18 mm above the pond where one exchange takes 38 mm; a weir's flow 5 % too
    large, its head 3 % too low after ten minutes). `most_lift_m` is half of the largest exchange:
    how far too high the water was seen. Four exchanges a second would leave a tenth of it, at the
    price of steps as short.
    """

    every_s = 1.0  # at 4 s its pulses swing the pond that it sucks from
    any_time = True

    def __init__(self, structures: Structures, *, bed_m: Floats, cell_m: float) -> None:
        self.structures = structures
        ends = np.maximum(np.stack([structures.start, structures.end]), 0)
        self._bed_m, self._ends, self._area_m2 = bed_m[ends], ends, cell_m**2
        self.most_lift_m = 0.0

    def act(self, depth_at: DepthAt, *, t_s: float, dt_s: float) -> list[Exchange]:
        """Move water from one side to the other, out of the area, or into a tank."""
        s = self.structures
        depth = np.stack([depth_at(cells) for cells in self._ends])
        wanted = s.wanted_m3_s(depth, self._bed_m + depth) * dt_s
        back = wanted < 0
        give, to = np.where(back, s.end, s.start), np.where(back, s.start, s.end)
        there = np.where(give >= 0, np.where(back, depth[1], depth[0]) * self._area_m2, np.inf)
        moved = _shared(np.minimum(np.abs(wanted), _MOST_SHARE * there), give, _MOST_SHARE * there)
        moved = s.took(np.sign(wanted) * moved)
        self.most_lift_m = max(self.most_lift_m, 0.5 * float(np.abs(moved).max(initial=0.0))
                               / self._area_m2)  # fmt: skip
        tank = s.is_a("tank")
        inside = (give >= 0) & (to >= 0) & ~tank
        outside = (give >= 0) & (to < 0) & ~tank
        return [
            Exchange("through_structures_m3", give[inside], -moved[inside]),
            Exchange("through_structures_m3", to[inside], moved[inside]),
            Exchange("out_by_structures_m3", give[outside], -moved[outside]),
            Exchange("into_tanks_m3", give[tank], -moved[tank]),
        ]

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what a run needs to go on."""
        s = self.structures
        lift = np.array(self.most_lift_m)
        return {"moved_m3": s.moved_m3, "room_m3": s.room_m3, "running": s.running, "lift": lift}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Go back to a state."""
        s = self.structures
        s.moved_m3, s.room_m3 = state["moved_m3"], state["room_m3"]
        s.running, self.most_lift_m = state["running"], float(state["lift"])

    def told(self) -> list[dict[str, Any]]:
        """Say what each has moved, m³ from its start to its end."""
        s = self.structures
        return [
            {"id": id_, "type": kind, "moved_m3": round(float(moved), 3)}
            for id_, kind, moved in zip(s.ids, s.kinds, s.moved_m3, strict=True)
        ]


class ZonedRain:
    """Rain that differs from place to place, in zones, each with its own storm.

    Parameters
    ----------
    zone
        (cells,) number of the storm that falls on each cell.
    storms
        One per zone.
    share
        (cells,) area that rains into each cell, in cells.
    cell_m
        Side of a cell.
    """

    every_s = 10.0
    any_time = True

    def __init__(
        self, *, zone: Cells, storms: Sequence[Storm], share: Floats, cell_m: float
    ) -> None:
        self._cells = np.flatnonzero((share > 0) & (zone >= 0))
        self._zone, self._storms = zone[self._cells], storms
        self._area_m2 = share[self._cells] * cell_m**2

    def act(self, depth_at: DepthAt, *, t_s: float, dt_s: float) -> list[Exchange]:
        """Add what fell since."""
        fell = np.array([s.fallen_m(t_s) - s.fallen_m(t_s - dt_s) for s in self._storms])
        if not fell.any():
            return []
        return [Exchange("rain_m3", self._cells, fell[self._zone] * self._area_m2)]


class Watch:
    """A note of the water on a few cells, finer in time than the frames of a run."""

    every_s = 30.0
    any_time = True

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._times: list[float] = [0.0]
        self._depths: list[Floats] = [np.zeros(len(cells))]

    def act(self, depth_at: DepthAt, *, t_s: float, dt_s: float) -> list[Exchange]:
        """Note the depths; nothing changes hands."""
        self._times.append(t_s)
        self._depths.append(depth_at(self._cells))
        return []

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what a run needs to go on."""
        times, depths = self.series
        return {"times": times, "depths": depths}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Go back to a state."""
        self._times, self._depths = state["times"].tolist(), list(state["depths"])

    @property
    def series(self) -> tuple[Floats, Floats]:
        """Times (t,) and depths (t, k)."""
        return np.array(self._times), np.array(self._depths).reshape(len(self._times), -1)


class Meeting:
    """All couplings of a run, each at its own pace, and the account of what they moved.

    Parameters
    ----------
    couplings
        In the order in which they act.
    danger
        Who looks at the whole water besides, or None.
    """

    def __init__(self, couplings: Sequence[Coupling], *, danger: Watcher | None = None) -> None:
        self.couplings = tuple(couplings)
        self.danger = danger
        self._looked_s = 0.0
        self.account: dict[str, float] = {}
        self._last_s = [0.0] * len(self.couplings)

    def next_s(self) -> float:
        """Return when the next exchange is due; infinite where there is nobody."""
        pairs = zip(self._last_s, self.couplings, strict=True)
        due = [last + one.every_s for last, one in pairs]
        if self.danger is not None:
            due.append(self._looked_s + self.danger.every_s)
        return min(due, default=np.inf)

    def act(self, water: Water, *, t_s: float, cell_m: float, last: bool = False) -> None:
        """Let every coupling that is due act on the water, in place, one after the other.

        Parameters
        ----------
        water
            Of the solver; depth and its carry change.
        t_s
            Time now.
        cell_m
            Side of a cell.
        """
        cols = water.depth_m.shape[1]
        depth, carry = (held[1:-1, 1:-1] for held in (water.now.depth, water.now.carry))

        def depth_at(cells: Cells) -> Floats:
            row, col = cells // cols, cells % cols
            held: Floats = depth[row, col].astype(np.float64) + carry[row, col]
            return held

        due_s = np.inf if self.danger is None else self._looked_s + self.danger.every_s - 1e-9
        if self.danger is not None and (last or t_s >= due_s):
            self.danger.look(water, t_s=t_s)
            self._looked_s = t_s
        for i, one in enumerate(self.couplings):
            early = t_s < self._last_s[i] + one.every_s - 1e-9
            if early and not (last and t_s > self._last_s[i] and one.any_time):
                continue
            for change in one.act(depth_at, t_s=t_s, dt_s=t_s - self._last_s[i]):
                self._move(depth, carry, change, cell_m)
            self._last_s[i] = t_s

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what a run needs to go on, of the account and of everyone who keeps something."""
        out: dict[str, NDArray[Any]] = {
            "looked_s": np.array(self._looked_s),
            "last_s": np.array(self._last_s),
            "causes": np.array(list(self.account), np.str_),
            "volumes": np.array(list(self.account.values())),
        }
        for name, one in self._keepers():
            out |= {f"{name}/{key}": value for key, value in one.state().items()}
        return out

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Go back to a state."""
        self._looked_s, self._last_s = float(state["looked_s"]), state["last_s"].tolist()
        causes, volumes = state["causes"].tolist(), state["volumes"].tolist()
        self.account = dict(zip(causes, volumes, strict=True))
        for name, one in self._keepers():
            start = name + "/"
            one.restore({k.removeprefix(start): v for k, v in state.items() if k.startswith(start)})

    def _keepers(self) -> Iterator[tuple[str, Any]]:
        """Who has something of his own to keep, by a name that is the same in the next run."""
        for i, one in enumerate((*self.couplings, self.danger)):
            if hasattr(one, "state"):
                yield f"{i}", one

    def _move(
        self, depth: NDArray[Any], carry: NDArray[Any], change: Exchange, cell_m: float
    ) -> None:
        """Add a volume to cells: what the depth's type cannot hold goes to the carry."""
        if not len(change.cells):
            return
        cells, at = np.unique(change.cells, return_inverse=True)
        volume = np.bincount(at, weights=change.volume_m3, minlength=len(cells))
        row, col = cells // depth.shape[1], cells % depth.shape[1]
        total = depth[row, col].astype(np.float64) + carry[row, col] + volume / cell_m**2
        kept = np.maximum(total, 0.0).astype(depth.dtype)
        depth[row, col] = kept
        carry[row, col] = total - kept.astype(np.float64)
        self.account[change.cause] = self.account.get(change.cause, 0.0) + float(volume.sum())
