"""What the edges of a flood's area do: walls, free ends, discharges, levels, slopes, curves.

A border speaks for one side of the grid or a part of it. Water that crosses it is counted under
its name, in and out apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cim.errors import RequestError

if TYPE_CHECKING:
    from kernels.flood.edges import Edges

__all__ = ["SIDES", "Border", "BorderKind", "LaidBorders", "Side", "lay_borders"]

Array = NDArray[Any]
Floats = NDArray[np.float64]

BorderKind = Literal["wall", "free", "discharge", "stage", "normal", "rating"]
Side = Literal["north", "south", "west", "east", "all"]
SIDES: tuple[Side, ...] = ("north", "south", "west", "east")
"""In the order of the kernels' edges: first row, last row, first column, last column."""

_NONE = np.empty(0)


@dataclass(frozen=True, eq=False)
class Border:
    """What the edge cells of a side do.

    Attributes
    ----------
    kind
        ``wall``; ``free`` lets water out and none in (normal depth on the bed's own slope with the
        inertial solver, a fall at critical depth with godunov); ``discharge`` brings `values`
        m³/s, shared by the width of the open cells; ``stage`` holds a level in metres of the
        terrain's datum (a river, a tide); ``normal`` lets out at normal depth on a slope;
        ``rating`` lets out by a curve of level against m³/s.
    side
        ``north``, ``south``, ``west``, ``east``, or ``all``.
    start, stop
        Part of the side, in cells from its west or north end; None is its end.
    times_s, values
        (k,) a series, straight between its times and level beyond them; one value holds always.
        For ``rating`` levels, m, and flows, m³/s.
    name
        How the ledger calls it; "" calls it by kind and side.
    """

    kind: BorderKind
    side: Side = "all"
    start: int | None = None
    stop: int | None = None
    times_s: Floats = field(default_factory=lambda: _NONE)
    values: Floats = field(default_factory=lambda: _NONE)
    name: str = ""

    def __post_init__(self) -> None:
        if self.kind not in get_args(BorderKind):
            known = ", ".join(get_args(BorderKind))
            raise RequestError("flood.border_kind", given=self.kind, values={"known": known})
        if self.side not in get_args(Side):
            known = ", ".join(get_args(Side))
            raise RequestError("flood.border_side", given=self.side, values={"known": known})
        needs = self.kind not in {"wall", "free"}
        values, times = np.asarray(self.values, float), np.asarray(self.times_s, float)
        fits = len(times) == len(values) if len(values) > 1 else len(times) <= 1
        rising = bool((np.diff(times) > 0).all())
        if needs and (not len(values) or not np.isfinite(values).all() or not fits or not rising):
            raise RequestError("flood.border_values", given=self.called)
        if self.kind == "normal" and not (values > 0).all():
            raise RequestError("flood.border_slope", given=f"{values.min():g}")
        if self.kind == "rating" and not (len(values) > 1 and (np.diff(values) >= 0).all()
                                          and (values >= 0).all()):  # fmt: skip
            raise RequestError("flood.border_rating", given=self.called)

    @property
    def parameters(self) -> dict[str, Any]:
        """Return what is needed to ask the same again."""
        return {
            "kind": self.kind, "side": self.side, "start": self.start, "stop": self.stop,
            "times_s": np.asarray(self.times_s).tolist(), "name": self.name,
            "values": np.asarray(self.values).tolist(),
        }  # fmt: skip

    @property
    def called(self) -> str:
        """Return its name in the ledger."""
        return self.name or f"{self.kind} {self.side}"


class LaidBorders:
    """Borders on the edge cells of a grid, and what has crossed each cell.

    `moved_m3` (2, edges) came in and went out; `free_sides` which sides have a free cell, in the
    order of `SIDES`.
    """

    def __init__(self, borders: Sequence[Border], owner: NDArray[np.int64], bed: Floats,
                 cell_m: float, zero_m: float, lengths: Sequence[int]) -> None:  # fmt: skip
        from kernels.flood import edges as kernel

        codes = {
            "wall": kernel.WALL, "free": kernel.FREE, "discharge": kernel.DISCHARGE,
            "stage": kernel.STAGE, "normal": kernel.NORMAL, "rating": kernel.RATING,
        }  # fmt: skip
        self._borders, self._owner, self._zero_m, self._kernel = borders, owner, zero_m, kernel
        self._kind = np.array([codes[b.kind] for b in borders] + [kernel.WALL], np.int8)[owner]
        self._curves, self._share = _curves(borders, owner, bed, cell_m, zero_m)
        self.moved_m3 = np.zeros((2, owner.size))
        ends = np.cumsum(lengths)[:-1]
        self.free_sides = [bool((k == kernel.FREE).any()) for k in np.split(self._kind, ends)]
        knots = [b.times_s for b in borders if len(b.times_s) > 1 and b.kind != "rating"]
        self._knots = np.unique(np.concatenate(knots)) if knots else _NONE

    def next_knot_s(self, t_s: float) -> float:
        """Return when a series next bends; infinite where none does."""
        at = np.searchsorted(self._knots, t_s, side="right")
        return float(self._knots[at]) if at < len(self._knots) else np.inf

    def edges(self, from_s: float, until_s: float) -> Edges | None:
        """Return what the edge cells do between two times; None where all are walls."""
        if not self._kind.any():
            return None
        start, end = (self._values(t) for t in (from_s, until_s))
        return self._kernel.Edges(self._kind, start, end, self._curves, self.moved_m3)

    def _values(self, t_s: float) -> Floats:
        out = np.zeros(len(self._borders) + 1)
        number = 0
        for i, b in enumerate(self._borders):
            if b.kind == "rating":
                out[i] = number
                number += 1
            elif b.kind not in {"wall", "free"}:
                many = len(b.values) > 1
                value = np.interp(t_s, b.times_s, b.values) if many else b.values[0]
                out[i] = value - self._zero_m if b.kind == "stage" else value * self._share[i]
        values: Floats = out[self._owner]
        return values

    def told(self) -> dict[str, dict[str, float]]:
        """Return what came in and went out, m³, by name; walls are silent."""
        out: dict[str, dict[str, float]] = {}
        for i, b in enumerate(self._borders):
            if b.kind != "wall":
                came, went = self.moved_m3[:, self._owner == i].sum(axis=1)
                told = out.setdefault(b.called, {"in_m3": 0.0, "out_m3": 0.0})
                told["in_m3"] += float(came)
                told["out_m3"] += float(went)
        return out


def lay_borders(
    borders: Sequence[Border], bed_m: Array, *, cell_m: float, zero_m: float
) -> LaidBorders:
    """Put borders on the edge cells of a grid; later ones go over earlier ones.

    Raises
    ------
    RequestError
        A border that should move water has no open cell.
    """
    rows, cols = np.shape(bed_m)
    lengths = (cols, cols, rows, rows)
    begins = np.concatenate([[0], np.cumsum(lengths)])
    bed = np.concatenate([bed_m[0], bed_m[-1], bed_m[:, 0], bed_m[:, -1]]).astype(np.float64)
    owner = np.full(bed.size, len(borders), np.int64)
    for number, border in enumerate(borders):
        for side, length, begin in zip(SIDES, lengths, begins, strict=False):
            if border.side in (side, "all"):
                first, last, _ = slice(border.start, border.stop).indices(length)
                owner[begin + first : begin + max(first, last)] = number
    owner[np.isnan(bed)] = len(borders)  # a closed cell is a wall
    for number, border in enumerate(borders):
        if border.kind not in {"wall", "free"} and not (owner == number).any():
            raise RequestError("flood.border_nowhere", given=border.called)
    return LaidBorders(borders, owner, bed, cell_m, zero_m, lengths)


def _curves(
    borders: Sequence[Border], owner: NDArray[np.int64], bed: Floats, cell_m: float, zero_m: float
) -> tuple[Floats, Floats]:
    """Curves per metre of width, and what part of a border's flow goes through a metre."""
    share = np.ones(len(borders))
    found = []
    for i, border in enumerate(borders):
        width = max(int((owner == i).sum()), 1) * cell_m
        if border.kind == "discharge":
            share[i] = 1.0 / width
        if border.kind == "rating":
            found.append((border.times_s - zero_m, border.values / width))
    longest = max((len(levels) for levels, _ in found), default=1)
    curves = np.zeros((max(len(found), 1), 2, longest))
    for k, (levels, flows) in enumerate(found):  # the last point again: level beyond it
        curves[k, 0] = np.pad(levels, (0, longest - len(levels)), mode="edge")
        curves[k, 1] = np.pad(flows, (0, longest - len(flows)), mode="edge")
    return curves, share
