"""One step function for every solver: the seam at which a flood meets its equations.

Whoever runs water, a twin or a bare grid, asks an `Engine` for steps, depths and a ledger and
need not know which equations move it: the local inertial ones or the shock-capturing ones of
first or second order, in float32 or float64.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cim.errors import MissingError, RequestError
from cim.flood.borders import Border, lay_borders
from cim.flood.thin_walls import Crossings
from cim.registry import standard

__all__ = ["LONGEST_STEP_S", "Engine", "Numerics", "Precision", "Solver", "require_kernels"]

Solver = Literal["inertial", "godunov"]
Precision = Literal["f32", "f64"]
Array = NDArray[Any]

LONGEST_STEP_S = 10.0
"""Longest time step, s."""
_PEAK_EVERY = 4  # steps between two looks at the depths
_COURANT = {"inertial": 0.6, "godunov": 0.45}
_DRY_M = {"inertial": 1e-4, "godunov": 1e-6}
_THETA, _FROUDE = 0.9, 1.0
_SLICE_CELLS = {"inertial": 8e6, "godunov": 2e6}  # moved between two chances to cancel


@dataclass(frozen=True)
class Numerics:
    """Which equations, how exact.

    Attributes
    ----------
    solver
        ``inertial`` for gradually varied flow below Froude 1, ``godunov`` for everything.
    order
        1 or 2, of ``godunov``; jumps and dam breaks are sharper with 2.
    precision
        ``f32`` or ``f64``.

    Raises
    ------
    RequestError
        There is no such solver, order or precision.
    """

    solver: Solver = "inertial"
    order: int = 1
    precision: Precision = "f32"

    def __post_init__(self) -> None:
        if self.solver not in _COURANT or self.order not in {1, 2}:
            raise RequestError("flood.solver", given=f"{self.solver} {self.order}")
        if self.precision not in {"f32", "f64"}:
            raise RequestError("flood.precision", given=self.precision)

    @property
    def dtype(self) -> type[np.floating[Any]]:
        """Return the type of the water."""
        return np.float32 if self.precision == "f32" else np.float64

    @property
    def courant(self) -> float:
        """Return the time step in units of cell over wave speed."""
        return _COURANT[self.solver]

    @property
    def parameters(self) -> dict[str, Any]:
        """Return what is needed to ask the same again."""
        told: dict[str, Any] = {"courant": self.courant, "dry_m": _DRY_M[self.solver]}
        if self.solver == "inertial":
            return {"scheme": "local inertial", "theta": _THETA, "froude": _FROUDE, **told}
        return {"scheme": "godunov", "order": self.order, **told}


class Engine:
    """Water on a grid, and the solver that moves it.

    Parameters
    ----------
    bed_m
        (rows, columns) height, m; NaN is closed.
    cell_m
        Side of a cell, m.
    numerics
        Which solver.
    manning, depth0_m, rain_share, drain_mps
        One number or (rows, columns): Manning's n; still water at the start, m; area that rains
        into a cell, in cells; what its drain takes, m/s.
    borders
        What the edges do; later ones over earlier ones, walls where none.
    walls
        Faces that walls cross, or None.
    rain_ends_s, rain_mps
        Blocks of rain: their ends, and the rate of each.
    longest_step_s
        Longest time step, s.

    Raises
    ------
    RequestError
        A border that cannot be.
    MissingError
        Another package is called ``kernels``.
    """

    def __init__(
        self,
        bed_m: Array,
        *,
        cell_m: float,
        numerics: Numerics,
        manning: Array | float,
        depth0_m: Array | float = 0.0,
        rain_share: Array | float = 1.0,
        drain_mps: Array | float = 0.0,
        borders: Sequence[Border] = (),
        walls: Crossings | None = None,
        rain_ends_s: Sequence[float] | Array = (),
        rain_mps: Sequence[float] | Array = (),
        longest_step_s: float = LONGEST_STEP_S,
    ) -> None:
        godunov, inertial, water = require_kernels()
        self.cell_m, self.numerics, self._kernel = cell_m, numerics, water
        self.zero_m = float(np.nanmin(bed_m))
        self.borders = lay_borders(borders, bed_m, cell_m=cell_m, zero_m=self.zero_m)
        slope = standard("flood.edge_slope").number()
        self._ground = water.new_ground(
            bed_m,
            cell_m=cell_m,
            manning=manning,
            rain_share=rain_share,
            drain_mps=drain_mps,
            edge_slope=[slope if free else -1.0 for free in self.borders.free_sides],
            dtype=numerics.dtype,
        )
        shape = np.shape(bed_m)
        self._open = int(np.isfinite(bed_m).sum())
        self._faces = (walls or Crossings()).faces(shape, zero_m=self.zero_m)
        self._area = None if walls is None or walls.ways is None else walls.ways.name
        said = {
            "cell_m": cell_m,
            "faces": self._faces,
            "rain_ends_s": np.asarray(rain_ends_s, np.float64),
            "rain_mps": np.asarray(rain_mps, np.float64),
            "courant": numerics.courant,
            "dry_m": _DRY_M[numerics.solver],
            "longest_step_s": longest_step_s,
            "arrival_m": standard("flood.arrival_depth_m").number(),
            "watch_every": _PEAK_EVERY,
        }
        self._advance: Any
        if numerics.solver == "inertial":
            self.water = water.new_water(self._ground, depth_m=depth0_m)
            self._advance = partial(inertial.advance, theta=_THETA, froude=_FROUDE, **said)
        else:
            self.water = godunov.new_moving(self._ground, depth_m=depth0_m)
            self._advance = partial(godunov.advance, order=numerics.order, **said)
        self.initial_m3 = self.stored_m3()

    def step(self, from_s: float, until_s: float, *, most_steps: int) -> tuple[float, int]:
        """Go on until a time, or for so many steps; the time reached, and steps taken.

        No step taken means that a number ran away.
        """
        until_s = min(until_s, self.borders.next_knot_s(from_s))
        reached_s, taken = self._advance(
            self._ground, self.water, from_s=from_s, until_s=until_s, most_steps=most_steps,
            edges=self.borders.edges(from_s, until_s),
        )  # fmt: skip
        return float(reached_s), int(taken)

    @property
    def slice_steps(self) -> int:
        """Return how many steps last well below a second; the same on every machine."""
        return max(1, int(_SLICE_CELLS[self.numerics.solver] / self._open))

    @property
    def depth_m(self) -> Array:
        """Return the depths, (rows, columns), m: a view."""
        depth: Array = self.water.depth_m
        return depth

    @property
    def steps(self) -> int:
        """Return the steps so far."""
        return int(self.water.steps[0])

    def at(self, row: int, col: int) -> tuple[float, float]:
        """Return depth, m, and speed, m/s, of a cell; a film has no speed."""
        _, _, flux_x, flux_y = self.water.now
        depth, r, c = float(self.depth_m[row, col]), row + 1, col + 1
        if not depth > standard("flood.arrival_depth_m").number():
            return depth, 0.0
        if self.numerics.solver == "inertial":
            along = 0.5 * (float(flux_x[r, c]) + float(flux_x[r, c + 1]))
            across = 0.5 * (float(flux_y[r, c]) + float(flux_y[r + 1, c]))
        else:
            along, across = float(flux_x[r, c]), float(flux_y[r, c])
        return depth, float(np.hypot(along, across)) / depth

    def pour(self, row: int, col: int, volume_m3: float) -> float:
        """Put water into a cell; what did arrive, m³."""
        depth, carry = (held[row + 1] for held in self.water.now[:2])
        before = float(depth[col + 1]) + float(carry[col + 1])
        total = before + volume_m3 / self.cell_m**2
        depth[col + 1] = total
        carry[col + 1] = total - float(depth[col + 1])
        return (float(depth[col + 1]) + float(carry[col + 1]) - before) * self.cell_m**2

    def stored_m3(self) -> float:
        """Return the volume on the grid."""
        return float(self._kernel.stored_m3(self.water, cell_m=self.cell_m))

    def ledger(self) -> dict[str, float]:
        """Return what the solver itself has moved, m³, by cause; edges in and out apart."""
        told = dict(zip(self._kernel.LEDGER, map(float, self.water.ledger), strict=True))
        came = float(self.borders.moved_m3[0].sum())
        gone = told["outflow_m3"] + came + self._left_m3()
        return {**told, "edge_in_m3": came, "outflow_m3": gone}

    def edges_told(self) -> dict[str, dict[str, float]]:
        """Return what came in and went out, m³, by edge; the outline of the area under its name."""
        told = self.borders.told()
        if self._area is not None:
            told[self._area] = {"in_m3": 0.0, "out_m3": self._left_m3()}
        return told

    def _left_m3(self) -> float:
        """Return what left over the outline of the area."""
        halves = 2.0 if (self.numerics.solver, self.numerics.order) == ("godunov", 2) else 1.0
        return float(self._faces.sunk_m.sum()) * self.cell_m**2 / halves

    def ran_away_at(self) -> tuple[int, int]:
        """Return the row and column where the water is least sane."""
        depth = self.depth_m
        odd = np.where(np.isfinite(depth), np.abs(depth), np.inf)
        row, col = np.unravel_index(int(np.argmax(odd)), depth.shape)
        return int(row), int(col)

    def state(self) -> dict[str, Array]:
        """Return everything that a run needs to go on, by name."""
        water = self.water
        kept = {f"now_{name}": getattr(water.now, name) for name in water.now._fields}
        rest = ("peak_m", "peak_s", "arrival_s", "ledger", "steps")
        kept |= {name: getattr(water, name) for name in rest}
        kept["moved_m3"], kept["sunk_m"] = self.borders.moved_m3, self._faces.sunk_m
        kept["initial_m3"] = np.array(self.initial_m3)
        return kept

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""
        for name, mine in self.state().items():
            if name == "initial_m3":
                self.initial_m3 = float(state[name])
            else:
                mine[...] = state[name]


def require_kernels() -> tuple[Any, Any, Any]:
    """Return the modules of the solvers and of the water.

    Raises
    ------
    MissingError
        Another package is called ``kernels``.
    """
    try:
        from kernels.flood import godunov, inertial, water
    except ImportError as error:
        import kernels

        if getattr(kernels, "IS_CIM_KERNELS", False):
            raise
        raise MissingError("flood.another_kernels", given=kernels.__file__) from error
    return godunov, inertial, water
