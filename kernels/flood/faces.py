"""Faces between cells that are no open ground: thin walls, gates, gaps, and ways out.

A wall thinner than a cell crosses faces. Through the open `share` of such a face (a gate, the
gaps between buildings) water goes as over open ground; over the rest it goes only where it
stands above the `crest`, as over a weir held back by high water behind it (Villemonte 1947)::

    q = C h₁^1.5 (1 - (h₂/h₁)^1.5)^0.385,   h above the crest

and never more in one step than brings both levels together.

A way out is a face at which the area ends in the middle of the grid. Beyond it lies a sink, a
closed cell that is emptied in every step: water leaves as over the free edge of a grid, over the
higher bed of the two, and none comes back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel
from kernels.flood.water import GRAVITY, Floats, Ground, State, Sums

__all__ = ["BROAD_CREST", "LEAVES_DOWN", "LEAVES_UP", "Faces", "held_back", "new_faces"]
__all__ += ["no_faces", "over_wall", "sink_row"]

BROAD_CREST = 1.705
"""C of a broad crest, m^½/s: critical flow on it, (2/3)^1.5 √g."""

LEAVES_UP, LEAVES_DOWN = -1.0, -2.0
"""In place of an open share: a way out towards higher, and towards lower, rows or columns."""

_TOGETHER = 1.0 / 3.0  # of what would level two cells, so that four faces of a cell do not swing

Places = NDArray[np.int64]
_NOWHERE: Places = np.empty(0, np.int64)


class Faces(NamedTuple):
    """Special faces, those across x first: CSR by row, rows and columns counted with the ring.

    Face ``at_x[k]`` lies before that column of row r for k in ``first_x[r]:first_x[r+1]``; face
    k of `at_y` lies before row r. `crest` m above the ground's own zero, `share` 0 to 1 or
    `LEAVES_UP`, `LEAVES_DOWN` (`crest` is then the ground beyond), `weir` (2) the coefficient C
    and the least slope outwards of ways out. `first_sink`, `at_sink` the sinks by row, in the
    same way; `sunk_m` (sinks) metres of water that came into each, added to by every step (by
    each of its two halves in second order, so that half of it counts).
    """

    first_x: Places
    at_x: Places
    crest_x: Sums
    share_x: Sums
    first_y: Places
    at_y: Places
    crest_y: Sums
    share_y: Sums
    weir: Sums
    first_sink: Places
    at_sink: Places
    sunk_m: Sums


def new_faces(
    shape: tuple[int, int],
    *,
    x: Sequence[Floats],
    y: Sequence[Floats],
    weir: float = BROAD_CREST,
    least_slope: float = 0.0,
    sinks: Sequence[NDArray[np.int64]] = (_NOWHERE, _NOWHERE),
) -> Faces:
    """Lay out special faces for the solvers.

    Parameters
    ----------
    shape
        (rows, columns) of the cells, without the ring.
    x, y
        Each (row, column, crest, open share) of (k,) faces: a face of `x` lies between the cells
        (row, column - 1) and (row, column), one of `y` between (row - 1, column) and
        (row, column). Crests in metres above the ground's own zero. Each face once.
    weir
        C of the overflow, m^½/s.
    least_slope
        At which water leaves through a way out, where the ground beyond is not steeper.
    sinks
        (row, column) of the cells beyond ways out: closed ones.
    """
    nothing = np.zeros(len(sinks[0]))
    first, at, _, _ = _by_row(shape, (*sinks, nothing, nothing))
    return Faces(
        *_by_row(shape, x),
        *_by_row(shape, y),
        np.array([weir, least_slope]),
        first,
        at,
        np.zeros(at.size),
    )


def _by_row(shape: tuple[int, int], some: Sequence[Floats]) -> tuple[Places, Places, Sums, Sums]:
    row, column, crest, share = some
    at = np.asarray(row, np.int64) + 1
    order = np.lexsort((column, at))
    return (
        np.searchsorted(at[order], np.arange(shape[0] + 4)).astype(np.int64),
        np.asarray(column, np.int64)[order] + 1,
        np.asarray(crest, np.float64)[order],
        np.asarray(share, np.float64)[order],
    )


def no_faces(shape: tuple[int, int]) -> Faces:
    """Return the faces of ground without walls."""
    nothing = (np.empty(0),) * 4
    return new_faces(shape, x=nothing, y=nothing)


@kernel(part=True)
def over_wall(level_a: float, level_b: float, crest: float, weir: float, dx_dt: float) -> float:
    """Flow over a crest from a to b, m²/s; `dx_dt` width of a cell by time step."""
    high, low = max(level_a, level_b), min(level_a, level_b)
    head = high - crest
    if not head > 0.0:
        return 0.0
    drowned = max(low - crest, 0.0) / head
    flow = weir * head * math.sqrt(head) * (1.0 - drowned * math.sqrt(drowned)) ** 0.385
    flow = min(flow, _TOGETHER * (high - low) * dx_dt)
    return float(flow if level_a >= level_b else -flow)


@kernel(part=True)
def _leaves(depth: float, slope: float, friction: float, beside: float, dry: float) -> float:
    """Flow out at normal depth on a slope, at most critical, m²/s.

    Friction is that of the whole flux vector, whose part along the face is `beside`.
    """
    if not depth > dry:
        return 0.0
    alone = depth ** (10.0 / 3.0) * slope * GRAVITY / friction  # squared
    aside = beside * beside
    flow = math.sqrt(2.0 * alone * alone / (aside + math.sqrt(aside * aside + 4.0 * alone * alone)))
    return float(min(flow, depth * math.sqrt(GRAVITY * depth)))


@kernel(part=True)
def sink_row(j: int, gain: Floats, before: int, faces: Faces) -> None:
    """Count and take away what the sinks of row `j` gain; `gain[i]` is of column ``before + i``."""
    for k in range(faces.first_sink[j], faces.first_sink[j + 1]):
        i = faces.at_sink[k] - before
        if 0 <= i < gain.size:
            faces.sunk_m[k] += np.float64(gain[i])
            gain[i] = 0.0


@kernel(part=True)
def held_back(
    flux: Floats, r: int, across_x: bool, columns: tuple[int, int], faces: Faces, ground: Ground,
    now: State, step: tuple[float, float, float, float],
) -> None:  # fmt: skip
    """Put the flux through special faces of row `r` in the place of open ones (local inertial).

    Only of `columns`, first and end, the ring counted. `step` is the time step, its ratio to the
    width of a cell, the dry depth and the largest Froude number.
    """
    first, at = (faces.first_x, faces.at_x) if across_x else (faces.first_y, faces.at_y)
    crests, shares = (faces.crest_x, faces.share_x) if across_x else (faces.crest_y, faces.share_y)
    g = GRAVITY
    dt, dt_dx, dry, froude = step
    for k in range(first[r], first[r + 1]):
        i = at[k]
        if i < columns[0] or i >= columns[1]:
            continue
        ja, ia = (r, i - 1) if across_x else (r - 1, i)
        za, zb = float(ground.bed_m[ja, ia]), float(ground.bed_m[r, i])
        ha, hb = float(now.depth[ja, ia]), float(now.depth[r, i])
        top, share = max(za, zb), shares[k]
        old = float(now.flux_x[r, i] if across_x else now.flux_y[r, i])
        rise = (hb - ha) + (zb - za)
        out = 0.0
        if share < 0.0:
            up = share == LEAVES_UP
            h, fall = (ha, za - crests[k]) if up else (hb, zb - crests[k])
            j, c = (ja, ia) if up else (r, i)
            along, far = (now.flux_y, now.flux_y[j + 1, c]) if across_x else (
                now.flux_x, now.flux_x[j, c + 1])  # fmt: skip
            beside = 0.5 * (float(along[j, c]) + float(far))
            slope = max(fall * dt_dx / dt, faces.weir[1])
            out = _leaves(h + min(fall, 0.0), slope, float(ground.friction[j, c]), beside, dry)
            flux[i] = out if up else -out
            continue
        depth = max(ha + (za - top), hb + (zb - top))
        if share > 0.0 and depth > dry:
            most = froude * depth * math.sqrt(g * depth)
            old = max(min(old / share, most), -most)
            rough = 0.5 * (float(ground.friction[ja, ia]) + float(ground.friction[r, i]))
            drag = 1.0 + dt * rough * abs(old) * depth ** (-7.0 / 3.0)
            out = share * max(min((old - g * dt_dx * depth * rise) / drag, most), -most)
        if share < 1.0:
            crest = max(crests[k], top)
            over = over_wall(za + ha, zb + hb, crest, faces.weir[0], 1.0 / dt_dx)
            out += (1.0 - share) * over
        flux[i] = out
