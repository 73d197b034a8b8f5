"""Which planes is a roof made of? Heights of columns, explained by few planes.

Slopes are measured across a metre, so tiles and seams do not count. The commonest slope and
offset is fitted and takes the columns it explains; the next plane is sought in what is left.
Then every column goes to the plane that explains it best among those found near it: two
roofs meet where they cross, not where one was found first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.spatial.enclosure import grown

__all__ = ["Planes", "roof_planes"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MOST = 60
_REACH = 5  # cells to each side over which a slope is measured


@dataclass(frozen=True)
class Planes:
    """The planes found.

    Attributes
    ----------
    of
        (nx, ny) number of each column's plane; -1 - k for columns at level k of no plane.
    planes
        (p, 3) float64: a, b, c of z = a x + b y + c, at the middles of columns.
    """

    of: Ints
    planes: Floats

    def common(self, here: NDArray[np.bool_]) -> int:
        """Return the plane of most columns in a mask; below 0 where they have none."""
        values, counts = np.unique(self.of[here], return_counts=True)
        return int(values[np.argmax(counts)])

    def fitted(self, one: int, top: Floats, here: NDArray[np.bool_]) -> tuple[float, float, float]:
        """Return (a, b, c) of a plane; a level roof at the middle height without one."""
        if one < 0:
            return 0.0, 0.0, float(np.median(top[here]))
        a, b, c = self.planes[one]
        return float(a), float(b), float(c)


def roof_planes(top: Floats, *, step: float, least: float) -> Planes:
    """Explain heights by planes.

    Parameters
    ----------
    top
        (nx, ny) float64 heights in cells; NaN where there is no column.
    step
        A plane explains heights that lie within this of it.
    least
        Least number of columns of a plane.
    """
    known = np.isfinite(top)
    x, y = (axis + 0.5 for axis in np.indices(top.shape).astype(float))
    slope_x, slope_y = _slope(top, 0), _slope(top, 1)
    left = known & np.isfinite(slope_x) & np.isfinite(slope_y)
    planes: list[tuple[float, float, float]] = []
    near: list[NDArray[np.bool_]] = []
    while len(planes) < _MOST and left.sum() >= least:
        fit = _commonest(top, x, y, slope_x, slope_y, left, step, least)
        if fit is None:
            break
        off = np.abs(top - (fit[0] * x + fit[1] * y + fit[2]))
        taken = left & (off <= step)
        if taken.sum() < least:
            break
        planes.append(fit)
        near.append(grown(taken[:, :, None], 2 * _REACH)[:, :, 0])
        left &= ~taken
    return _assigned(top, known, x, y, planes, near, step)


def _slope(top: Floats, axis: int) -> Floats:
    """Return the rise per cell across `_REACH` cells to each side; one side at an edge."""
    ahead, behind = np.full_like(top, np.nan), np.full_like(top, np.nan)
    here = np.moveaxis(top, axis, 0)
    np.moveaxis(ahead, axis, 0)[:-_REACH] = here[_REACH:]
    np.moveaxis(behind, axis, 0)[_REACH:] = here[:-_REACH]
    both = (ahead - behind) / (2 * _REACH)
    one = np.where(np.isfinite(ahead), (ahead - top) / _REACH, (top - behind) / _REACH)
    return np.where(np.isfinite(both), both, one)


def _commonest(
    top: Floats, x: Floats, y: Floats, slope_x: Floats, slope_y: Floats,
    left: NDArray[np.bool_], step: float, least: float,
) -> tuple[float, float, float] | None:  # fmt: skip
    """Return the plane of the commonest slope and offset among the columns left, fitted."""
    xs, ys, zs = x[left], y[left], top[left]
    sx, sy = slope_x[left], slope_y[left]
    a, b = np.round(sx / 0.06), np.round(sy / 0.06)
    # Offsets about the middle: a slope's rounding must not shift them by the lever of the origin.
    mx, my = float(xs.mean()), float(ys.mean())
    c = np.round((zs - 0.06 * (a * (xs - mx) + b * (ys - my))) / (2 * step))
    _, of, counts = np.unique(
        np.column_stack([a, b, c]), axis=0, return_inverse=True, return_counts=True
    )
    best = of.reshape(-1) == int(np.argmax(counts))
    if best.sum() < 0.25 * least:
        return None
    for width in (2.0, 1.0):
        matrix = np.column_stack([xs[best] - mx, ys[best] - my, np.ones(int(best.sum()))])
        (pa, pb, pc), *_ = np.linalg.lstsq(matrix, zs[best], rcond=None)
        alike = (np.abs(sx - pa) < 0.15) & (np.abs(sy - pb) < 0.15)
        off = np.abs(zs - (pa * (xs - mx) + pb * (ys - my) + pc))
        chosen = alike & (off <= width * step)
        if chosen.sum() < 3:
            break
        best = chosen
    if np.hypot(pa, pb) < 0.015:
        pa = pb = 0.0
        pc = float(np.median(zs[best]))
    return float(pa), float(pb), float(pc - pa * mx - pb * my)


def _assigned(
    top: Floats, known: NDArray[np.bool_], x: Floats, y: Floats,
    planes: list[tuple[float, float, float]], near: list[NDArray[np.bool_]], step: float,
) -> Planes:  # fmt: skip
    best = np.where(known, 2.0 * step, -1.0)
    of = np.where(known, -1 - np.round(np.where(known, top, 0.0) / step), -1).astype(np.int64)
    for i, (a, b, c) in enumerate(planes):
        off = np.abs(top - (a * x + b * y + c))
        closer = known & near[i] & (off < best)
        best[closer] = off[closer]
        of[closer] = i
    return Planes(of, np.array(planes).reshape(-1, 3))
