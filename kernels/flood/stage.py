"""One stage of the shallow water equations for a run of columns in a band of rows.

Rows pass through a pipeline: the cells of row r are gathered, what they show at their faces is
found for row r-1, faces and limiters for r-2, new water for r-3. A run works out its neighbours'
faces again instead of sharing them, so a flux is the same number on both its sides whoever
computes it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from kernels._jit import kernel
from kernels._jit import part_of_row as part
from kernels.flood.blocks import COLUMNS, ROWS, Blocks
from kernels.flood.edges import against_wall, over_edge
from kernels.flood.faces import LEAVES_UP, Faces, over_wall, sink_row
from kernels.flood.riemann import BIG, DRY, DX_DT, ONE, ZERO, Fluxes, Side, fluxes
from kernels.flood.rows import row_max, row_sum
from kernels.flood.settling import average, drain, fastest, fill, gather, limit, move, pay
from kernels.flood.slopes import show
from kernels.flood.water import SUM_CLIPPED, SUM_DRAINED, Floats, Ground, State, Sums

__all__ = ["BUFFERS", "WIDEST", "WIDTH", "Border", "Stage", "sweep_run"]

WIDEST = 16
"""Blocks of the longest run: its rows of buffers stay near the CPU."""
_BEFORE = 4  # columns of a buffer before the first of the run
WIDTH = WIDEST * COLUMNS + 2 * _BEFORE

# Buffers, a row each. Four rows of cells (depth, velocity along x, along y, bed) and 1 / depth;
# what two rows of cells show to the rows before and after, and one row to its own columns; fluxes
# through the column faces of two rows and four rows of row faces; limiters of four rows; the
# bed's push of two and of four rows; new water; what is added up by column.
_CELLS, _OVER, _LOW_Y, _HIGH_Y, _LOW_X, _HIGH_X, _FX, _FY = 0, 16, 20, 28, 36, 40, 44, 52
_KEEP, _SX, _SY, _NEW, _MADE, _MOST, _HIGHEST, BUFFERS = 68, 72, 74, 78, 82, 83, 84, 85


_ALL = 0  # column of a row of limiters that is one where all its cells can pay


class Stage(NamedTuple):
    """Which stage of which scheme: rows from `first` to `end`, columns from `a` to `b`, order.

    `mean` takes the mean with what was, `last` ends the step; `drains` tells whether any cell of
    the run has one. `rows`, `columns` of the grid, the ring counted.
    """

    first: int
    end: int
    a: int
    b: int
    order: int
    mean: bool
    last: bool
    drains: bool
    rows: int
    columns: int


class Border(NamedTuple):
    """Faces that are no open ground: what goes through the edges, really went, and thin walls."""

    flux: Floats
    paid: Sums
    walls: Faces


@kernel
def sweep_run(
    stage: Stage, ground: Ground, now: State, then: State, border: Border, numbers: Floats,
    rows: Floats, drained: Sums, blocks: Blocks, quick: Floats,
) -> None:  # fmt: skip
    """One stage for a run: `then` = now + dt L(now), or the mean of that with `then`.

    `rows` (BUFFERS, WIDTH) and `drained` (1, WIDTH) are room; `quick` (bands, blocks) takes the
    fastest wave of each block.
    """
    first, end, order = stage.first, stage.end, stage.order
    past = stage.rows - 1
    a, b = max(stage.a - 3, 0), min(stage.b + 3, stage.columns)
    for r in range(max(0, first - 3), end + 3):
        if r <= min(past, end + 2):
            cells, over = _cells(rows, r, a, b, stage)
            gather(cells, over, part(now.depth, r, a, b), part(now.flux_x, r, a, b),
                   part(now.flux_y, r, a, b), part(ground.bed_m, r, a, b), numbers)  # fmt: skip
        s = r - 1
        if order == 2 and max(1, first - 2) <= s <= min(past - 1, end + 1):
            _shown_to_rows(s, stage, rows, numbers)
        f = r - 2
        if max(0, first - 2) <= f < min(past, end + 1):
            _row_faces(f, stage, rows, border, numbers)
        if max(1, first - 1) <= f <= min(past - 1, end):
            _column_faces(f, stage, rows, border, numbers)
            _limits(f, stage, now, rows, numbers)
        w = r - 3
        if first <= w < end:
            if (w - 1) % ROWS == 0:
                _begin_blocks(rows, drained, numbers)
            _pay_faces(w, stage, rows, border, numbers)
            _new_water(w, stage, ground, now, then, border.walls, rows, drained, numbers)
            if w % ROWS == 0 or w + 1 == end:
                _note_blocks((w - 1) // ROWS, stage, rows, drained, blocks, quick)


@kernel
def _side(rows: Floats, at: int, first: int, end: int, stage: Stage) -> Side:
    """Four buffers that hold the states of some columns."""
    x, y = first + _BEFORE - stage.a, end + _BEFORE - stage.a
    return Side(part(rows, at, x, y), part(rows, at + 1, x, y), part(rows, at + 2, x, y),
                part(rows, at + 3, x, y))  # fmt: skip


@kernel
def _turned(side: Side) -> Side:
    """The same with the velocity along y for that across."""
    return Side(side.h, side.v, side.u, side.z)


@kernel
def _cells(rows: Floats, r: int, first: int, end: int, stage: Stage) -> tuple[Side, Floats]:
    """Buffers that hold the cells of row `r`, and one by their depth."""
    cells = _side(rows, _CELLS + 4 * (r % 4), first, end, stage)
    return cells, _row(rows, _OVER + r % 4, first, end, stage)


@kernel
def _row(rows: Floats, at: int, first: int, end: int, stage: Stage) -> Any:
    """Some columns of one buffer."""
    return part(rows, at, first + _BEFORE - stage.a, end + _BEFORE - stage.a)


@kernel
def _fluxes(rows: Floats, at: int, first: int, end: int, stage: Stage) -> Fluxes:
    """Four buffers that hold the fluxes through some faces."""
    h, u, v, z = _side(rows, at, first, end, stage)
    return Fluxes(h, u, v, z)


@kernel
def _limited(stage: Stage) -> tuple[int, int]:
    """Columns whose limiter is needed: those of the run and one more on each side."""
    return max(stage.a - 1, 1), min(stage.b + 1, stage.columns - 1)


@kernel
def _shown_to_rows(s: int, stage: Stage, rows: Floats, numbers: Floats) -> None:
    """Find what row `s` shows to the rows before and after it; no slopes beside an edge."""
    a, b = _limited(stage)
    low = _turned(_side(rows, _LOW_Y + 4 * (s % 2), a, b, stage))
    high = _turned(_side(rows, _HIGH_Y + 4 * (s % 2), a, b, stage))
    here, over = _cells(rows, s, a, b, stage)
    source = _row(rows, _SY + s % 4, a, b, stage)
    if s in (1, stage.rows - 2):
        _plain(low, high, source, _turned(here), numbers)
    else:
        behind, _ = _cells(rows, s - 1, a, b, stage)
        ahead, _ = _cells(rows, s + 1, a, b, stage)
        show(low, high, source, _turned(behind), _turned(here), _turned(ahead), over, numbers)


@kernel
def _shown_to_columns(f: int, stage: Stage, rows: Floats, numbers: Floats) -> None:
    """Find what the cells of row `f` show to their neighbours in it."""
    a, b = _limited(stage)
    a, b = max(a - 1, 1), min(b + 1, stage.columns - 1)
    low, high = _side(rows, _LOW_X, a, b, stage), _side(rows, _HIGH_X, a, b, stage)
    here, over = _cells(rows, f, a, b, stage)
    behind, _ = _cells(rows, f, a - 1, b - 1, stage)
    ahead, _ = _cells(rows, f, a + 1, b + 1, stage)
    show(low, high, _row(rows, _SX + f % 2, a, b, stage), behind, here, ahead, over, numbers)
    for i in (0, 1, stage.columns - 2, stage.columns - 1):
        if a - 1 <= i <= b:
            cell, _ = _cells(rows, f, i, i + 1, stage)
            _plain(_side(rows, _LOW_X, i, i + 1, stage), _side(rows, _HIGH_X, i, i + 1, stage),
                   _row(rows, _SX + f % 2, i, i + 1, stage), cell, numbers)  # fmt: skip


@kernel
def _plain(low: Side, high: Side, source: Floats, here: Side, numbers: Floats) -> None:
    """Cells without slopes."""
    for i in range(source.size):
        low.h[i], low.u[i], low.v[i], low.z[i] = here.h[i], here.u[i], here.v[i], here.z[i]
        high.h[i], high.u[i], high.v[i], high.z[i] = here.h[i], here.u[i], here.v[i], here.z[i]
        source[i] = numbers[ZERO]


@kernel
def _row_faces(f: int, stage: Stage, rows: Floats, border: Border, numbers: Floats) -> None:
    """Fluxes through the faces between rows f and f+1."""
    a, b = _limited(stage)
    k = f + 1
    out = _fluxes(rows, _FY + 4 * (k % 4), a, b, stage)
    if k in (1, stage.rows - 1):
        edge = a - 1 if k == 1 else stage.columns - 3 + a
        for i in range(b - a):
            _at_edge(out, i, edge + i, border.flux)
        return
    at, beyond = _CELLS + 4 * (f % 4), _CELLS + 4 * (k % 4)
    if stage.order == 2:
        at, beyond = _HIGH_Y + 4 * (f % 2), _LOW_Y + 4 * (k % 2)
    left, right = _side(rows, at, a, b, stage), _side(rows, beyond, a, b, stage)
    fluxes(out, _turned(left), _turned(right), numbers)
    walls = border.walls
    for n in range(walls.first_y[k], walls.first_y[k + 1]):
        i = walls.at_y[n]
        if a <= i < b:
            wall = (walls.crest_y[n], walls.share_y[n], walls.weir[0])
            _held_back(out, i - a, _turned(left), _turned(right), wall, numbers)


@kernel
def _column_faces(f: int, stage: Stage, rows: Floats, border: Border, numbers: Floats) -> None:
    """Fluxes through the faces between the columns of row `f`; face i lies before column i."""
    a, b = _limited(stage)
    at, beyond = _CELLS + 4 * (f % 4), _CELLS + 4 * (f % 4)
    if stage.order == 2:
        _shown_to_columns(f, stage, rows, numbers)
        at, beyond = _HIGH_X, _LOW_X
    left, right = _side(rows, at, a - 1, b, stage), _side(rows, beyond, a, b + 1, stage)
    out = _fluxes(rows, _FX + 4 * (f % 2), a, b + 1, stage)
    fluxes(out, left, right, numbers)
    walls = border.walls
    for n in range(walls.first_x[f], walls.first_x[f + 1]):
        i = walls.at_x[n]
        if a <= i <= b:
            wall = (walls.crest_x[n], walls.share_x[n], walls.weir[0])
            _held_back(out, i - a, left, right, wall, numbers)
    edge = 2 * (stage.columns - 2) + f - 1
    if a == 1:
        _at_edge(out, 0, edge, border.flux)
    if b == stage.columns - 1:
        _at_edge(out, b - a, edge + stage.rows - 2, border.flux)


@kernel
def _held_back(
    out: Fluxes, i: int, left: Side, right: Side, wall: tuple[float, float, float],
    numbers: Floats,
) -> None:  # fmt: skip
    """Mix the flux through the open part of a face with that over the wall on the rest.

    What falls over the wall brings along the speed it has along it.
    """
    crest, share, weir = wall
    za, zb = left.z[i], right.z[i]
    ha, hb = left.h[i], right.h[i]
    if share < 0.0:
        _way_out(out, i, left if share == LEAVES_UP else right, crest, share, numbers)
        return
    if not share < 1.0 or max(za, zb) > numbers[BIG]:
        return
    over = over_wall(za + ha, zb + hb, max(crest, za, zb), weir, float(numbers[DX_DT]))
    shut = 1.0 - share
    out.mass[i] = share * out.mass[i] + shut * over
    out.low[i] = share * out.low[i] + shut * against_wall(ha, -left.u[i], -over)
    out.high[i] = share * out.high[i] + shut * against_wall(hb, right.u[i], over)
    along = left.v[i] if over > 0.0 else right.v[i]
    out.along[i] = share * out.along[i] + shut * over * along


@kernel
def _way_out(
    out: Fluxes, i: int, side: Side, beyond: float, towards: float, numbers: Floats
) -> None:
    """Let the water of one side fall over the end of the area; `beyond` is the ground there."""
    up = towards == LEAVES_UP
    h = float(side.h[i]) if side.h[i] > numbers[DRY] else 0.0
    speed = float(-side.u[i] if up else side.u[i])
    flow, push = over_edge(h, speed, max(beyond - float(side.z[i]), 0.0))
    out.mass[i] = flow if up else -flow
    out.low[i] = out.high[i] = push
    out.along[i] = out.mass[i] * side.v[i]


@kernel
def _at_edge(out: Fluxes, i: int, edge: int, flux: Floats) -> None:
    """Put what the edge says in place of a face's flux."""
    out.mass[i], out.along[i] = flux[0, edge], flux[2, edge]
    out.low[i] = out.high[i] = flux[1, edge]


@kernel
def _limits(j: int, stage: Stage, now: State, rows: Floats, numbers: Floats) -> None:
    """Part of its outflow that each cell of row j can pay for; what lies beyond an edge can."""
    a, b = _limited(stage)
    row, x = _KEEP + j % 4, _FX + 4 * (j % 2)
    left, right = _row(rows, x, a, b, stage), _row(rows, x, a + 1, b + 1, stage)
    up = _row(rows, _FY + 4 * (j % 4), a, b, stage)
    down = _row(rows, _FY + 4 * ((j + 1) % 4), a, b, stage)
    all_pay = limit(_row(rows, row, a, b, stage), part(now.depth, j, a, b),
                    part(now.carry, j, a, b), left, right, up, down, numbers)  # fmt: skip
    one = numbers[ONE]
    rows[row, _ALL] = one if all_pay else numbers[ZERO]
    if a == 1:
        _fill(_row(rows, row, 0, 1, stage), one)
    if b == stage.columns - 1:
        _fill(_row(rows, row, b, b + 1, stage), one)
    if j == 1:
        _fill(_row(rows, _KEEP, a, b, stage), one)
        rows[_KEEP, _ALL] = one
    if j + 2 == stage.rows:
        _fill(_row(rows, _KEEP + (j + 1) % 4, a, b, stage), one)
        rows[_KEEP + (j + 1) % 4, _ALL] = one


@kernel
def _fill(row: Floats, value: float) -> None:
    for i in range(row.size):
        row[i] = value


@kernel
def _pay_faces(j: int, stage: Stage, rows: Floats, border: Border, numbers: Floats) -> None:
    """Limit the faces of row j, and remember what really goes through the edges, inwards."""
    a, b = stage.a, stage.b
    x, keep = _fluxes(rows, _FX + 4 * (j % 2), a, b + 1, stage), _KEEP + j % 4
    if rows[keep, _ALL] < numbers[ONE]:
        pay(x.mass, x.along, _row(rows, keep, a - 1, b, stage), _row(rows, keep, a, b + 1, stage),
            numbers)  # fmt: skip
    for k in range(j if j == stage.first else j + 1, j + 2):
        y = _fluxes(rows, _FY + 4 * (k % 4), a, b, stage)
        low, high = _KEEP + (k - 1) % 4, _KEEP + k % 4
        if min(rows[low, _ALL], rows[high, _ALL]) < numbers[ONE]:
            pay(y.mass, y.along, _row(rows, low, a, b, stage), _row(rows, high, a, b, stage),
                numbers)  # fmt: skip
        if k in (1, stage.rows - 1):
            edge, inwards = (a - 1, 1.0) if k == 1 else (stage.columns - 3 + a, -1.0)
            for i in range(b - a):
                border.paid[edge + i] = inwards * y.mass[i]
    edge = 2 * (stage.columns - 2) + j - 1
    if a == 1:
        border.paid[edge] = x.mass[0]
    if b == stage.columns - 1:
        border.paid[edge + stage.rows - 2] = -x.mass[b - a]


@kernel
def _new_water(
    j: int, stage: Stage, ground: Ground, now: State, then: State, walls: Faces, rows: Floats,
    drained: Sums, numbers: Floats,
) -> None:  # fmt: skip
    """Make the new water of row j."""
    a, b = stage.a, stage.b
    left = _fluxes(rows, _FX + 4 * (j % 2), a, b, stage)
    right = _fluxes(rows, _FX + 4 * (j % 2), a + 1, b + 1, stage)
    up = _fluxes(rows, _FY + 4 * (j % 4), a, b, stage)
    down = _fluxes(rows, _FY + 4 * ((j + 1) % 4), a, b, stage)
    h, c = part(then.depth, j, a, b), part(then.carry, j, a, b)
    qx, qy = part(then.flux_x, j, a, b), part(then.flux_y, j, a, b)
    full, lost, x, y = h, c, qx, qy
    if stage.mean:
        full, lost, x, y = _side(rows, _NEW, a, b, stage)
    fill(full, lost, _row(rows, _MADE, a, b, stage), part(now.depth, j, a, b),
         part(now.carry, j, a, b), part(ground.rain_share, j, a, b), left.mass, right.mass,
         up.mass, down.mass, numbers)  # fmt: skip
    sink_row(j, full, a, walls)
    if stage.drains:
        drain(full, lost, _row(drained, 0, a, b, stage), part(ground.drain_mps, j, a, b), numbers)
    move(x, y, part(now.flux_x, j, a, b), part(now.flux_y, j, a, b), full,
         part(ground.friction, j, a, b), left, right, up, down,
         _row(rows, _SX + j % 2, a, b, stage), _row(rows, _SY + j % 4, a, b, stage),
         numbers)  # fmt: skip
    if stage.mean:
        average(h, c, qx, qy, full, lost, x, y, numbers)
    if stage.last:
        fastest(_row(rows, _MOST, a, b, stage), _row(rows, _HIGHEST, a, b, stage), h, qx, qy,
                numbers)  # fmt: skip


@kernel
def _begin_blocks(rows: Floats, drained: Sums, numbers: Floats) -> None:
    """Clear what is added up by column over the rows of a band of blocks."""
    for i in range(drained.shape[1]):
        rows[_MADE, i] = rows[_MOST, i] = rows[_HIGHEST, i] = numbers[ZERO]
        drained[0, i] = 0.0


@kernel
def _note_blocks(
    b: int, stage: Stage, rows: Floats, drained: Sums, blocks: Blocks, quick: Floats
) -> None:
    """Note of each block of the run what left it, its deepest water and its fastest wave."""
    for k in range((stage.a - 1) // COLUMNS, (stage.b + COLUMNS - 2) // COLUMNS):
        x, end = 1 + k * COLUMNS, min(1 + k * COLUMNS + COLUMNS, stage.b)
        made = row_sum(_row(rows, _MADE, x, end, stage))
        blocks.sums[b, k, SUM_CLIPPED] = made
        blocks.sums[b, k, SUM_DRAINED] = row_sum(_row(drained, 0, x, end, stage))
        if stage.last:
            blocks.deepest[b, k] = row_max(_row(rows, _HIGHEST, x, end, stage))
            quick[b, k] = row_max(_row(rows, _MOST, x, end, stage))
        if np.isnan(made):
            blocks.deepest[b, k] = np.inf
