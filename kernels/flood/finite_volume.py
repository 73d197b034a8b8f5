"""One stage of the shallow water equations for a band of rows, and what happens at the edges.

Rows pass through a pipeline: velocities of row r, slopes and column faces of row r-1, row
faces and limiters of r-2, update of r-3. A band works out its neighbours' faces again instead
of sharing them, so a flux is the same number on both its sides whoever computes it; all sums
are per row in float64.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel
from kernels.flood.edges import against_wall, over_edge
from kernels.flood.faces import LEAVES_UP, Faces, over_wall, sink_row
from kernels.flood.rows import row_max, row_sum
from kernels.flood.water import (
    SUM_CLIPPED,
    SUM_DRAINED,
    SUM_OUT,
    Floats,
    Ground,
    State,
    Sums,
)

__all__ = ["BUFFERS", "Band", "sweep_band"]

# Places in the row of numbers that one stage needs, all of the grid's own type.
DT, DT_DX, DX_DT, RAIN, G, HALF_G, DRY, HALF, ONE, TWO, FOUR, QUARTER = range(12)
ZERO, TINY, KEEP, C43, C13, BIG, STEEP, NUMBERS = range(12, 20)
# Places in the per-row sums.
SUM_FASTEST, SUMS = 3, 4  # after those of `kernels.flood.water`
# Buffers, a row each: velocities of four rows, row states of two (each eight), column states,
# fluxes through column faces and through row faces of four rows, limiters, sources, scratch.
_U, _V, _YS, _XS, _FX, _FY, _KEEP, _SX, _SY, _A = 0, 4, 8, 24, 32, 48, 64, 68, 72, 76
BUFFERS = 92
# Loops write one row each: a compiler must prove that rows do not overlap, and gives up on many.

THETA = 2.0  # of the slope limiter: 1 minmod, 2 monotonised central
_SEED = np.int32(0x54A2FA8C)
_THIRD = np.float32(1.0 / 3.0)
_FOUR_THIRDS = np.float32(4.0 / 3.0)


class Band(NamedTuple):
    """What one band works with; `edge_paid` (edges,) is what really went through each."""

    numbers: Floats
    rows: Floats
    seeds: NDArray[np.float32]
    bits: NDArray[np.int32]
    sums: Sums
    edge_flux: Floats
    edge_paid: Sums
    faces: Faces


class _Side(NamedTuple):
    """A row of states on one side of a row of faces: depth, velocity across, along, and bed."""

    h: Floats
    u: Floats
    v: Floats
    z: Floats


@kernel
def sweep_band(
    span: tuple[int, int], ground: Ground, now: State, base: State, then: State, band: Band,
    order: int, half: bool,
) -> None:  # fmt: skip
    """One stage for the rows of `span`: `then` = now + dt L(now), or its mean with `base`."""
    first, end = span
    past = now.depth.shape[0] - 1
    low, high = max(1, first - 1), min(past - 1, end)  # rows whose limiter is needed
    rows = band.rows
    for r in range(max(0, first - 3), end + 3):
        if r <= min(past, end + 2):
            _velocities(rows[_U + r % 4], rows[_V + r % 4], r, now, band.numbers)
        s = r - 1
        if max(0, first - 2) <= s <= min(past, end + 1):
            _row_states(s, past, ground, now, band, order)
        if low <= s <= high:
            _column_faces(s, ground, now, band, order)
        f = r - 2
        if max(0, first - 2) <= f < min(past, end + 1):
            _row_faces(f, past, ground, now, band, order)
        if low <= f <= high:
            _limits(f, now, band)
        w = r - 3
        if first <= w < end:
            _finish_row(w, ground, now, base, then, band, half)


@kernel
def _velocities(u: Floats, v: Floats, r: int, now: State, numbers: Floats) -> None:
    h, hu, hv = now.depth[r], now.flux_x[r], now.flux_y[r]
    dry, one, zero = numbers[DRY], numbers[ONE], numbers[ZERO]
    for i in range(h.size):
        over = one / max(h[i], dry)
        wet = h[i] > dry
        u[i] = hu[i] * over if wet else zero
        v[i] = hv[i] * over if wet else zero


@kernel
def _slopes(out: Floats, a: Floats, h: Floats, b: Floats, numbers: Floats) -> None:
    """Half of the limited slope (monotonised central) of a row between two others."""
    zero, half, steep = numbers[ZERO], numbers[HALF], numbers[STEEP]
    for i in range(out.size):
        x, y = h[i] - a[i], b[i] - h[i]
        size = min(min(abs(x), abs(y)) * steep, half * abs(x + y)) * half
        signed = size if x > zero else -size
        out[i] = signed if x * y > zero else zero


@kernel
def _level_slopes(out: Floats, behind: _Side, here: _Side, ahead: _Side, numbers: Floats) -> None:
    """The same of the water level: differences of depth and bed apart, for float32's sake."""
    zero, half, steep = numbers[ZERO], numbers[HALF], numbers[STEEP]
    ha, h, hb, za, z, zb = behind.h, here.h, ahead.h, behind.z, here.z, ahead.z
    for i in range(out.size):
        x, y = (h[i] - ha[i]) + (z[i] - za[i]), (hb[i] - h[i]) + (zb[i] - z[i])
        size = min(min(abs(x), abs(y)) * steep, half * abs(x + y)) * half
        signed = size if x > zero else -size
        out[i] = signed if x * y > zero else zero


@kernel
def _mask(out: Floats, here: _Side, behind: _Side, ahead: _Side, numbers: Floats) -> None:
    """Share of its slopes that a cell takes: all; half beside a dry cell, whose level says
    little (with all of it a lake among rocks starts to swing by itself); none where it is dry
    itself or beside a closed one.
    """
    dry, big, one, half, zero = (
        numbers[DRY],
        numbers[BIG],
        numbers[ONE],
        numbers[HALF],
        numbers[ZERO],
    )
    h, ha, hb, za, zb = here.h, behind.h, ahead.h, behind.z, ahead.z
    for i in range(out.size):
        share = one if min(ha[i], hb[i]) > dry else half
        shut = max(za[i], zb[i]) > big
        out[i] = share if h[i] > dry and not shut else zero


@kernel
def _sides(low: Floats, high: Floats, here: Floats, slope: Floats) -> None:
    for i in range(low.size):
        low[i] = here[i] - slope[i]
    for i in range(high.size):
        high[i] = here[i] + slope[i]


@kernel
def _times(out: Floats, by: Floats) -> None:
    for i in range(out.size):
        out[i] = out[i] * by[i]


@kernel
def _reconstruct(
    behind: _Side, here: _Side, ahead: _Side, low: _Side, high: _Side, source: Floats, room: Floats,
    numbers: Floats,
) -> None:  # fmt: skip
    """States at the low and the high side of a row of cells, and the bed's push between them."""
    n = here.h.size
    slope, wet, by, tilt = room[0, :n], room[1, :n], room[2, :n], room[3, :n]
    _mask(wet, here, behind, ahead, numbers)
    _level_slopes(by, behind, here, ahead, numbers)
    _times(by, wet)
    _slopes(slope, behind.h, here.h, ahead.h, numbers)
    _times(slope, wet)
    _tilt(tilt, slope, by, behind.z, here.z, ahead.z, numbers)
    _sides(low.h, high.h, here.h, slope)
    _sides(low.z, high.z, here.z, tilt)
    half_g, dry, one = numbers[HALF_G], numbers[DRY], numbers[ONE]
    hm, hp, zm, zp = low.h, high.h, low.z, high.z
    for i in range(n):
        source[i] = half_g * (hm[i] + hp[i]) * (zm[i] - zp[i])
    for i in range(n):
        by[i] = one / max(here.h[i], dry)
    _moving(low.u, high.u, behind.u, here.u, ahead.u, hm, hp, room, numbers)
    _moving(low.v, high.v, behind.v, here.v, ahead.v, hm, hp, room, numbers)


@kernel
def _tilt(
    tilt: Floats, slope: Floats, level: Floats, za: Floats, z: Floats, zb: Floats,
    numbers: Floats,
) -> None:  # fmt: skip
    """Half of the bed's slope, level less depth, which leaves no face above both its beds.

    Without that the film on a sill tilts with the pond behind, and dams it. The depth's slope
    gives way as far as the level then asks, never grows: still water beside a wall with less
    behind it keeps its level.
    """
    zero = numbers[ZERO]
    for i in range(tilt.size):
        up, down = z[i] - za[i], zb[i] - z[i]
        least = max(min(up, zero), min(down, zero))
        most = min(max(up, zero), max(down, zero))
        tilt[i] = min(max(level[i] - slope[i], least), most)
    for i in range(tilt.size):
        size = abs(slope[i])
        slope[i] = min(max(level[i] - tilt[i], -size), size)


@kernel
def _moving(
    low: Floats, high: Floats, a: Floats, u: Floats, b: Floats, hm: Floats, hp: Floats,
    room: Floats, numbers: Floats,
) -> None:  # fmt: skip
    """Velocities at both sides, such that the cell's momentum is the mean of theirs."""
    n = u.size
    slope, wet, by = room[0, :n], room[1, :n], room[2, :n]
    _slopes(slope, a, u, b, numbers)
    _times(slope, wet)
    for i in range(n):
        low[i] = u[i] - slope[i] * hp[i] * by[i]
    for i in range(n):
        high[i] = u[i] + slope[i] * hm[i] * by[i]


@kernel
def _cut(
    out: Floats, h: Floats, z: Floats, h_over: Floats, z_over: Floats, coming: Floats,
    sign: float, numbers: Floats,
) -> None:  # fmt: skip
    """Depth above the common bed of a face; a closed cell mirrors its neighbour.

    Below a step that water comes down, it is no less than what comes: a film on a slope of
    steps runs as one on an even slope (in the manner of Xia et al. 2017), not as over falls.
    """
    zero, big = numbers[ZERO], numbers[BIG]
    for i in range(out.size):
        own, other, bed, over = h[i], h_over[i], z[i], z_over[i]
        down = other if coming[i] * sign >= zero else zero
        step = over - bed
        rise = min(max(step, zero), own, other + step)
        cut = max(own - max(rise, zero), min(own, down))
        wall = own if over > big else cut
        out[i] = other if bed > big else wall


@kernel
def _weight(
    out: Floats, push: Floats, cut: Floats, h: Floats, z: Floats, h_over: Floats, z_over: Floats,
    numbers: Floats,
) -> None:  # fmt: skip
    """Momentum across as one side feels it: the common push, and the weight on its step of bed.

    The common bed stands no higher than either level, so a thin film on a steep slope feels
    the whole step, not only as much of it as it is deep (Chen & Noelle 2017).
    """
    zero, half_g, big = numbers[ZERO], numbers[HALF_G], numbers[BIG]
    for i in range(out.size):
        own, other, bed, over = h[i], h_over[i], z[i], z_over[i]
        step = over - bed
        rise = min(max(step, zero), own, other + step)
        extra = half_g * (own + cut[i]) * rise
        out[i] = push[i] + (zero if bed > big or over > big else extra)


@kernel
def _mirrored(out: Floats, u: Floats, z: Floats, u_over: Floats, numbers: Floats) -> None:
    big = numbers[BIG]
    for i in range(out.size):
        own, other = u[i], -u_over[i]
        out[i] = other if z[i] > big else own


@kernel
def _slowest(out: Floats, a: Floats, b: Floats, ua: Floats, ub: Floats, numbers: Floats) -> None:
    """Speed of the wave to the left, at most 0."""
    zero, half, quarter, two = numbers[ZERO], numbers[HALF], numbers[QUARTER], numbers[TWO]
    g, dry = numbers[G], numbers[DRY]
    for i in range(out.size):
        ca, cb = math.sqrt(g * a[i]), math.sqrt(g * b[i])
        us = half * (ua[i] + ub[i]) + (ca - cb)
        cs = half * (ca + cb) + quarter * (ua[i] - ub[i])
        wet = min(ua[i] - ca, us - cs)
        bare = ub[i] - two * cb
        out[i] = min(wet if a[i] > dry else bare, zero)


@kernel
def _fastest(out: Floats, a: Floats, b: Floats, ua: Floats, ub: Floats, numbers: Floats) -> None:
    """Speed of the wave to the right, at least 0."""
    zero, half, quarter, two = numbers[ZERO], numbers[HALF], numbers[QUARTER], numbers[TWO]
    g, dry = numbers[G], numbers[DRY]
    for i in range(out.size):
        ca, cb = math.sqrt(g * a[i]), math.sqrt(g * b[i])
        us = half * (ua[i] + ub[i]) + (ca - cb)
        cs = half * (ca + cb) + quarter * (ua[i] - ub[i])
        wet = max(ub[i] + cb, us + cs)
        bare = ua[i] + two * ca
        out[i] = max(wet if b[i] > dry else bare, zero)


@kernel
def _faces(
    fh: Floats, fl: Floats, fr: Floats, ft: Floats, left: _Side, right: _Side, room: Floats,
    numbers: Floats,
) -> None:  # fmt: skip
    """Fluxes of mass, momentum across (as each side feels it) and momentum along."""
    zero, half_g, tiny, one = numbers[ZERO], numbers[HALF_G], numbers[TINY], numbers[ONE]
    n = fh.size
    a, b, ua, ub, sa, sb = (
        room[0, :n],
        room[1, :n],
        room[2, :n],
        room[3, :n],
        room[4, :n],
        room[5, :n],
    )
    _cut(a, left.h, left.z, right.h, right.z, right.u, -one, numbers)
    _cut(b, right.h, right.z, left.h, left.z, left.u, one, numbers)
    _mirrored(ua, left.u, left.z, right.u, numbers)
    _mirrored(ub, right.u, right.z, left.u, numbers)
    _slowest(sa, a, b, ua, ub, numbers)
    _fastest(sb, a, b, ua, ub, numbers)
    for i in range(n):
        over = one / max(sb[i] - sa[i], tiny)
        qa, qb = a[i] * ua[i], b[i] * ub[i]
        fh[i] = ((sb[i] * qa - sa[i] * qb) + sa[i] * sb[i] * (b[i] - a[i])) * over
    for i in range(n):
        over = one / max(sb[i] - sa[i], tiny)
        qa, qb = a[i] * ua[i], b[i] * ub[i]
        to_left = sb[i] * (qa * ua[i] + half_g * a[i] * a[i])
        to_right = sa[i] * (qb * ub[i] + half_g * b[i] * b[i])
        ft[i] = ((to_left - to_right) + sa[i] * sb[i] * (qb - qa)) * over
    _weight(fl, ft, a, left.h, left.z, right.h, right.z, numbers)
    _weight(fr, ft, b, right.h, right.z, left.h, left.z, numbers)
    v_left, v_right = left.v, right.v
    for i in range(n):
        from_left, from_right = v_left[i], v_right[i]  # both read: a choice of loads is slow
        ft[i] = fh[i] * (from_left if fh[i] >= zero else from_right)


@kernel
def _row_states(s: int, past: int, ground: Ground, now: State, band: Band, order: int) -> None:
    """Keep what row `s` shows to the rows before and after it."""
    rows = band.rows
    m = now.depth.shape[1]
    at = _YS + 8 * (s % 2)
    u, v = rows[_U + s % 4, :m], rows[_V + s % 4, :m]
    source = rows[_SY + s % 4, :m]
    if order == 2 and 0 < s < past:
        a, b = (s - 1) % 4, (s + 1) % 4
        bed, h = ground.bed_m, now.depth
        _reconstruct(
            _Side(h[s - 1], rows[_V + a, :m], rows[_U + a, :m], bed[s - 1]),
            _Side(h[s], v, u, bed[s]),
            _Side(h[s + 1], rows[_V + b, :m], rows[_U + b, :m], bed[s + 1]),
            _Side(rows[at, :m], rows[at + 1, :m], rows[at + 2, :m], rows[at + 3, :m]),
            _Side(rows[at + 4, :m], rows[at + 5, :m], rows[at + 6, :m], rows[at + 7, :m]),
            source, rows[_A : _A + 6], band.numbers,
        )  # fmt: skip
    else:
        for side in (at, at + 4):
            _copy(rows[side, :m], now.depth[s])
            _copy(rows[side + 1, :m], v)
            _copy(rows[side + 2, :m], u)
            _copy(rows[side + 3, :m], ground.bed_m[s])
        source[:] = band.numbers[ZERO]


@kernel
def _copy(out: Floats, row: Floats) -> None:
    for i in range(out.size):
        out[i] = row[i]


@kernel
def _row_faces(f: int, past: int, ground: Ground, now: State, band: Band, order: int) -> None:
    """Fluxes through the faces between rows f and f+1."""
    rows = band.rows
    m = now.depth.shape[1]
    k = f + 1
    at = _FY + 4 * (k % 4)
    lo, hi = _YS + 8 * (f % 2) + 4, _YS + 8 * (k % 2)
    _faces(
        rows[at, :m], rows[at + 1, :m], rows[at + 2, :m], rows[at + 3, :m],
        _Side(rows[lo, :m], rows[lo + 1, :m], rows[lo + 2, :m], rows[lo + 3, :m]),
        _Side(rows[hi, :m], rows[hi + 1, :m], rows[hi + 2, :m], rows[hi + 3, :m]),
        rows[_A : _A + 6], band.numbers,
    )  # fmt: skip
    faces = band.faces
    for n in range(faces.first_y[k], faces.first_y[k + 1]):
        i = faces.at_y[n]
        low = (rows[lo, i], rows[lo + 1, i], rows[lo + 2, i], rows[lo + 3, i])
        high = (rows[hi, i], rows[hi + 1, i], rows[hi + 2, i], rows[hi + 3, i])
        _held_back(rows, at, i, low, high, (faces.crest_y[n], faces.share_y[n]), band)
    columns = m - 2
    if k == 1:
        for i in range(columns):
            _at_edge(rows, at, i + 1, i, band)
    if k == past:
        for i in range(columns):
            _at_edge(rows, at, i + 1, columns + i, band)


@kernel
def _column_faces(s: int, ground: Ground, now: State, band: Band, order: int) -> None:
    """Fluxes through the faces between the columns of row `s`; face i lies before column i."""
    rows = band.rows
    m = now.depth.shape[1]
    h, bed = now.depth[s], ground.bed_m[s]
    u, v = rows[_U + s % 4], rows[_V + s % 4]
    at = _FX + 4 * (s % 4)
    source = rows[_SX + s % 4]
    if order == 2:
        x = rows[_XS : _XS + 8]
        for k in (0, m - 1):
            x[0, k] = x[4, k] = h[k]
            x[1, k] = x[5, k] = u[k]
            x[2, k] = x[6, k] = v[k]
            x[3, k] = x[7, k] = bed[k]
        _reconstruct(
            _Side(h[: m - 2], u[: m - 2], v[: m - 2], bed[: m - 2]),
            _Side(h[1 : m - 1], u[1 : m - 1], v[1 : m - 1], bed[1 : m - 1]),
            _Side(h[2:], u[2:m], v[2:m], bed[2:]),
            _Side(x[0, 1 : m - 1], x[1, 1 : m - 1], x[2, 1 : m - 1], x[3, 1 : m - 1]),
            _Side(x[4, 1 : m - 1], x[5, 1 : m - 1], x[6, 1 : m - 1], x[7, 1 : m - 1]),
            source[1 : m - 1], rows[_A : _A + 6], band.numbers,
        )  # fmt: skip
        _faces(
            rows[at, 1:m], rows[at + 1, 1:m], rows[at + 2, 1:m], rows[at + 3, 1:m],
            _Side(x[4, : m - 1], x[5, : m - 1], x[6, : m - 1], x[7, : m - 1]),
            _Side(x[0, 1:m], x[1, 1:m], x[2, 1:m], x[3, 1:m]),
            rows[_A : _A + 6], band.numbers,
        )  # fmt: skip
    else:
        source[:m] = band.numbers[ZERO]
        _faces(
            rows[at, 1:m], rows[at + 1, 1:m], rows[at + 2, 1:m], rows[at + 3, 1:m],
            _Side(h[: m - 1], u[: m - 1], v[: m - 1], bed[: m - 1]),
            _Side(h[1:], u[1:m], v[1:m], bed[1:]),
            rows[_A : _A + 6], band.numbers,
        )  # fmt: skip
    faces, x = band.faces, rows[_XS : _XS + 8]
    for n in range(faces.first_x[s], faces.first_x[s + 1]):
        i = faces.at_x[n]
        if order == 2:
            low = (x[4, i - 1], x[5, i - 1], x[6, i - 1], x[7, i - 1])
            high = (x[0, i], x[1, i], x[2, i], x[3, i])
        else:
            low, high = (h[i - 1], u[i - 1], v[i - 1], bed[i - 1]), (h[i], u[i], v[i], bed[i])
        _held_back(rows, at, i, low, high, (faces.crest_x[n], faces.share_x[n]), band)
    edges = 2 * (m - 2)
    _at_edge(rows, at, 1, edges + s - 1, band)
    _at_edge(rows, at, m - 1, edges + now.depth.shape[0] - 2 + s - 1, band)


@kernel
def _held_back(
    rows: Floats, at: int, i: int, low: tuple[float, float, float, float],
    high: tuple[float, float, float, float], wall: tuple[float, float], band: Band,
) -> None:  # fmt: skip
    """Mix the flux through the open part of a face with that over the wall on the rest.

    What falls over the wall brings along the speed it has along it.
    """
    crest, share = wall
    if not share < 1.0:
        return
    ha, ua, va, za = low
    hb, ub, vb, zb = high
    if share < 0.0:
        up = share == LEAVES_UP
        h, w, v, z = (ha, -ua, va, za) if up else (hb, ub, vb, zb)
        out, push = over_edge(float(h), float(w), max(float(crest) - float(z), 0.0))
        rows[at, i] = out if up else -out
        rows[at + 1, i] = rows[at + 2, i] = push
        rows[at + 3, i] = rows[at, i] * v
        return
    if max(za, zb) > band.numbers[BIG]:
        return
    dx_dt = float(band.numbers[DX_DT])
    over = over_wall(za + ha, zb + hb, max(crest, za, zb), band.faces.weir[0], dx_dt)
    shut = 1.0 - share
    push_a, push_b = against_wall(ha, -ua, -over), against_wall(hb, ub, over)
    rows[at, i] = share * rows[at, i] + shut * over
    rows[at + 1, i] = share * rows[at + 1, i] + shut * push_a
    rows[at + 2, i] = share * rows[at + 2, i] + shut * push_b
    rows[at + 3, i] = share * rows[at + 3, i] + shut * over * (va if over > 0.0 else vb)


@kernel
def _at_edge(rows: Floats, at: int, i: int, edge: int, band: Band) -> None:
    """Put what the edge says in place of a face's flux."""
    rows[at, i] = band.edge_flux[0, edge]
    rows[at + 1, i] = rows[at + 2, i] = band.edge_flux[1, edge]
    rows[at + 3, i] = band.edge_flux[2, edge]


@kernel
def _limits(j: int, now: State, band: Band) -> None:
    """Part of its outflow that each cell of row j can pay for, 0 to 1."""
    rows, numbers = band.rows, band.numbers
    h, c = now.depth[j], now.carry[j]
    m = h.size
    fx, fy, fy_next = (
        rows[_FX + 4 * (j % 4)],
        rows[_FY + 4 * (j % 4)],
        rows[_FY + 4 * ((j + 1) % 4)],
    )
    keep = rows[_KEEP + j % 4]
    dx_dt, one, zero = numbers[DX_DT], numbers[ONE], numbers[ZERO]
    tiny, share = numbers[TINY], numbers[KEEP]
    keep[0] = keep[m - 1] = one
    for i in range(1, m - 1):
        along = max(fx[i + 1], zero) + max(-fx[i], zero)
        across = max(fy_next[i], zero) + max(-fy[i], zero)
        held = max(h[i] + c[i], zero) * share * dx_dt
        keep[i] = min(one, held / max(along + across, tiny))


@kernel
def _pay(out: Floats, mass: Floats, flux: Floats, a: Floats, b: Floats, zero: float) -> None:
    """Cut a flux to the part that the cell which gives the mass can pay for."""
    for i in range(out.size):
        ka, kb = a[i], b[i]
        out[i] = flux[i] * (ka if mass[i] > zero else kb)


@kernel
def _finish_row(
    j: int, ground: Ground, now: State, base: State, then: State, band: Band, half: bool
) -> None:
    """Limit the faces of row j, update its water, add up what left the grid."""
    rows, numbers = band.rows, band.numbers
    past, m = now.depth.shape[0] - 1, now.depth.shape[1]
    zero, one = numbers[ZERO], numbers[ONE]
    at, lo, hi = _FX + 4 * (j % 4), _FY + 4 * (j % 4), _FY + 4 * ((j + 1) % 4)
    keep = rows[_KEEP + j % 4]
    before, after = rows[_KEEP + (j - 1) % 4], rows[_KEEP + (j + 1) % 4]
    if j == 1:
        before[:m] = one
    if j + 1 == past:
        after[:m] = one
    a = rows[_A : _A + 6]
    k, n = keep, m - 1
    _pay(a[0, 1:m], rows[at, 1:m], rows[at, 1:m], k[:n], k[1:m], zero)
    _pay(a[1, 1:m], rows[at, 1:m], rows[at + 3, 1:m], k[:n], k[1:m], zero)
    _pay(a[2, 1:n], rows[lo, 1:n], rows[lo, 1:n], before[1:n], k[1:n], zero)
    _pay(a[3, 1:n], rows[lo, 1:n], rows[lo + 3, 1:n], before[1:n], k[1:n], zero)
    _pay(a[4, 1:n], rows[hi, 1:n], rows[hi, 1:n], k[1:n], after[1:n], zero)
    _pay(a[5, 1:n], rows[hi, 1:n], rows[hi + 3, 1:n], k[1:n], after[1:n], zero)
    sums = band.sums
    paid, edges = band.edge_paid, 2 * (m - 2) + j - 1
    paid[edges], paid[edges + past - 1] = a[0, 1], -a[0, m - 1]
    out = np.float64(a[0, m - 1]) - np.float64(a[0, 1])
    if j == 1:
        for i in range(1, m - 1):
            paid[i - 1] = a[2, i]
            out -= np.float64(a[2, i])
    if j + 1 == past:
        for i in range(1, m - 1):
            paid[m - 3 + i] = -a[4, i]
            out += np.float64(a[4, i])
    sums[j, SUM_OUT] = out
    _update_depth(j, ground, now, base, then, band, half)
    _update_momentum(j, ground, now, base, then, band, half)
    opening = ground.opening
    for k, inner, edge in ((0, 1, 2), (m - 1, m - 2, 3)):
        then.depth[j, k] = opening[edge] * then.depth[j, inner]
        then.flux_x[j, k] = opening[edge] * then.flux_x[j, inner]
        then.flux_y[j, k] = opening[edge] * then.flux_y[j, inner]
    if j == 1:
        _mirror_row(then, 0, 1, opening[0])
    if j + 1 == past:
        _mirror_row(then, past, j, opening[1])


@kernel
def _mirror_row(then: State, to: int, row: int, share: float) -> None:
    for i in range(then.depth.shape[1]):
        then.depth[to, i] = share * then.depth[row, i]
        then.flux_x[to, i] = share * then.flux_x[row, i]
        then.flux_y[to, i] = share * then.flux_y[row, i]


@kernel
def _update_depth(
    j: int, ground: Ground, now: State, base: State, then: State, band: Band, half: bool
) -> None:
    """Continuity, rain and drains; what rounding loses is carried to the next step."""
    m = now.depth.shape[1]
    numbers, a, sums = band.numbers, band.rows[_A : _A + 12], band.sums
    h, c = now.depth[j, 1 : m - 1], now.carry[j, 1 : m - 1]
    h2, c2 = then.depth[j, 1 : m - 1], then.carry[j, 1 : m - 1]
    fx, fx_next = a[0, 1 : m - 1], a[0, 2:m]
    fy, fy_next = a[2, 1 : m - 1], a[4, 1 : m - 1]
    share, drain = ground.rain_share[j, 1 : m - 1], ground.drain_mps[j, 1 : m - 1]
    gain, gone, made = a[6, : m - 2], a[7, : m - 2], a[8, : m - 2]
    full, lost = a[9, : m - 2], a[10, : m - 2]
    dt, dt_dx, rain, zero = numbers[DT], numbers[DT_DX], numbers[RAIN], numbers[ZERO]
    n = m - 2
    for i in range(n):
        water = ((fx[i] - fx_next[i]) + (fy[i] - fy_next[i])) * dt_dx
        gain[i] = (water + c[i]) + rain * share[i]
    sink_row(j, gain, 1, band.faces)
    for i in range(n):
        full[i] = h[i] + gain[i]
    for i in range(n):
        gone[i] = min(drain[i] * dt, max(full[i], zero))
    for i in range(n):
        back = full[i] - h[i]
        kept = (h[i] - (full[i] - back)) + (gain[i] - back)  # TwoSum: exact
        rest = full[i] - gone[i]
        back = rest - full[i]
        lost[i] = kept + ((full[i] - (rest - back)) - (gone[i] + back))
    for i in range(n):
        full[i] = full[i] - gone[i]
    for i in range(n):
        # An empty cell keeps no rounding: it counts as drained, or with what was made up.
        kept = lost[i]  # read first: a choice of loads does not vectorise
        gone[i] = gone[i] + (kept if full[i] == zero else zero)
    for i in range(n):
        kept = lost[i]
        made[i] = max(-full[i], zero) - (kept if full[i] < zero else zero)
    for i in range(n):
        kept = lost[i]
        lost[i] = kept if full[i] > zero else zero
    for i in range(n):
        full[i] = max(full[i], zero)
    sums[j, SUM_DRAINED] = row_sum(gone)
    sums[j, SUM_CLIPPED] = row_sum(made)
    if half:
        _mean(h2, c2, full, lost, base.depth[j, 1 : m - 1], base.carry[j, 1 : m - 1], numbers)
    else:
        _copy(h2, full)
        _copy(c2, lost)


@kernel
def _mean(
    h2: Floats, c2: Floats, full: Floats, lost: Floats, h0: Floats, c0: Floats, numbers: Floats
) -> None:
    """The mean of two depths, its rounding kept."""
    half = numbers[HALF]
    for i in range(h2.size):
        h2[i] = half * (h0[i] + full[i])
    for i in range(h2.size):
        total = h0[i] + full[i]
        back = total - h0[i]
        c2[i] = half * (((h0[i] - (total - back)) + (full[i] - back)) + (lost[i] + c0[i]))


@kernel
def _update_momentum(
    j: int, ground: Ground, now: State, base: State, then: State, band: Band, half: bool
) -> None:
    """Momentum with friction at the stage's new depth: u + k |u| u = u*, solved exactly."""
    m = now.depth.shape[1]
    n = m - 2
    numbers, rows = band.numbers, band.rows
    a, seeds, bits = rows[_A : _A + 12], band.seeds, band.bits
    at, lo, hi = _FX + 4 * (j % 4), _FY + 4 * (j % 4), _FY + 4 * ((j + 1) % 4)
    qx, qy, drag, depth, rough = (
        a[6, :n],
        a[7, :n],
        a[8, :n],
        a[9, :n],
        ground.friction[j, 1 : m - 1],
    )
    dt, dry, g = numbers[DT], numbers[DRY], numbers[G]
    zero, one, two, four, mean = (
        numbers[ZERO], numbers[ONE], numbers[TWO], numbers[FOUR], numbers[HALF],
    )  # fmt: skip
    four_thirds, third = numbers[C43], numbers[C13]
    dx_dt, tiny = numbers[DX_DT], numbers[TINY]
    _pushed(qx, now.flux_x[j, 1 : m - 1], rows[at + 1, 2:m], rows[at + 2, 1 : m - 1],
            rows[_SX + j % 4, 1 : m - 1], a[5, 1 : m - 1], a[3, 1 : m - 1], numbers)  # fmt: skip
    _pushed(qy, now.flux_y[j, 1 : m - 1], rows[hi + 1, 1 : m - 1], rows[lo + 2, 1 : m - 1],
            rows[_SY + j % 4, 1 : m - 1], a[1, 2:m], a[1, 1 : m - 1], numbers)  # fmt: skip
    for i in range(n):
        seeds[i] = max(depth[i], dry)
    for i in range(n):
        bits[i] = _SEED - np.int32(np.float32(bits[i]) * _THIRD)
    for i in range(n):
        deep = max(depth[i], dry)
        # depth^(-1/3) by Newton, y (4 - x y^3) / 3: errors 3e-2, 2e-3, 1e-5, 2e-10.
        y = seeds[i]
        y = y * (_FOUR_THIRDS - _THIRD * np.float32(deep) * (y * y * y))
        root = y * (four_thirds - third * deep * (y * y * y))
        root = root * (four_thirds - third * deep * (root * root * root))
        over = root * root * root
        speed = math.sqrt(qx[i] * qx[i] + qy[i] * qy[i]) * over
        slow = two / (one + math.sqrt(one + four * (dt * rough[i]) * speed * (over * root)))
        # no water crosses more than a cell in a step: what a drained cell keeps of its push
        # would else race on a film that rounding left
        slow = min(slow, dx_dt / max(speed, tiny))
        drag[i] = slow if depth[i] > dry else zero
    hu2, hv2, h2 = then.flux_x[j, 1 : m - 1], then.flux_y[j, 1 : m - 1], then.depth[j, 1 : m - 1]
    _times(qx, drag)
    _times(qy, drag)
    if half:
        hu0, hv0 = base.flux_x[j, 1 : m - 1], base.flux_y[j, 1 : m - 1]
        for i in range(n):
            qx[i] = mean * (hu0[i] + qx[i])
        for i in range(n):
            qy[i] = mean * (hv0[i] + qy[i])
    for i in range(n):
        flow = qx[i]
        hu2[i] = flow if h2[i] > dry else zero
    for i in range(n):
        flow = qy[i]
        hv2[i] = flow if h2[i] > dry else zero
    for i in range(n):
        drag[i] = max(abs(hu2[i]), abs(hv2[i])) / max(h2[i], dry) + math.sqrt(g * h2[i])
    band.sums[j, SUM_FASTEST] = row_max(drag)


@kernel
def _pushed(
    out: Floats, q: Floats, high: Floats, low: Floats, source: Floats, along_high: Floats,
    along_low: Floats, numbers: Floats,
) -> None:  # fmt: skip
    """Momentum after pressure, bed and what the flow carries, before friction."""
    dt_dx = numbers[DT_DX]
    for i in range(out.size):
        push = ((high[i] - low[i]) - source[i]) + (along_high[i] - along_low[i])
        out[i] = q[i] - dt_dx * push
