"""What happens at the edges of a grid of moving water: walls, free ends, discharges and levels."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel
from kernels.flood.water import GRAVITY, WALL_M, Floats, Ground, State, Sums

__all__ = [
    "DISCHARGE",
    "FREE",
    "NORMAL",
    "RATING",
    "STAGE",
    "WALL",
    "Edges",
    "add_moved",
    "against_wall",
    "beyond_m",
    "fill_edges",
    "hold_edges",
    "new_edges",
    "over_edge",
    "ready",
]

WALL, FREE, DISCHARGE, STAGE, NORMAL, RATING = range(6)
"""What an edge cell does: shut; let water out; take q m²/s in; hold a level; let out at normal
depth on a given slope; let out by a curve of its level."""


_NO_CURVES, _NOTHING = np.zeros((1, 2, 1)), np.zeros((2, 0))


class Edges(NamedTuple):
    """The edge cells, in the order first row, last row, first column, last column.

    `kind` (2 columns + 2 rows) int8; `start`, `end` the same length: q into the grid in m²/s,
    level in metres of the ground's own zero, slope, or number of the curve, when a call begins
    and when it ends; between them it is linear. `curves` (n, 2, k): ascending levels and the
    outflow there, m²/s. `moved_m3` (2, the same length): what came in and what went out through
    each, added to by every call.
    """

    kind: NDArray[np.int8]
    start: Sums
    end: Sums
    curves: Sums = _NO_CURVES
    moved_m3: Sums = _NOTHING


def new_edges(ground: Ground) -> Edges:
    """Return edges that are walls or free, as the ground says."""
    rows, columns = (n - 2 for n in ground.bed_m.shape)
    lengths = (columns, columns, rows, rows)
    kind = np.repeat(np.where(ground.opening > 0, FREE, WALL), lengths).astype(np.int8)
    return Edges(kind, np.zeros(kind.size), np.zeros(kind.size))


def ready(edges: Edges | None, ground: Ground) -> Edges:
    """Return edges with room to count what they move; None is what the ground says."""
    edges = new_edges(ground) if edges is None else edges
    if edges.moved_m3.shape[1] != edges.kind.size:
        edges = edges._replace(moved_m3=np.zeros((2, edges.kind.size)))
    return edges


def beyond_m(edges: Edges, ground: Ground) -> float:
    """Return the largest depth that comes in over an edge, m: a first step must not outrun it."""
    inside = ground.bed_m[1:-1, 1:-1].astype(np.float64)
    bed = np.concatenate([inside[0], inside[-1], inside[:, 0], inside[:, -1]])
    most = np.maximum(edges.start, edges.end)
    held = (edges.kind == STAGE) & (bed < WALL_M / 2)
    level = np.max(most - bed, where=held, initial=0.0)
    poured = np.max(most, where=edges.kind == DISCHARGE, initial=0.0)
    return float(max(level, (poured**2 / GRAVITY) ** (1.0 / 3.0)))


@kernel
def _place(e: int, rows: int, columns: int) -> tuple[int, int, float, bool]:
    """Row and column of an edge cell, with the ring; which way is inwards; whether along y."""
    if e < 2 * columns:
        first = e < columns
        return (1 if first else rows), e % columns + 1, (1.0 if first else -1.0), True
    k = e - 2 * columns
    return k % rows + 1, (1 if k < rows else columns), (1.0 if k < rows else -1.0), False


@kernel
def _on_curve(curves: Sums, number: int, level: float) -> float:
    """Outflow of a curve at a level, m²/s: straight between its points, level beyond them."""
    levels, flows = curves[number, 0], curves[number, 1]
    last = levels.size - 1
    if level <= levels[0]:
        return float(flows[0])
    for k in range(last):
        if level <= levels[k + 1]:
            share = (level - levels[k]) / (levels[k + 1] - levels[k])
            return float(flows[k] + share * (flows[k + 1] - flows[k]))
    return float(flows[last])


@kernel
def _leaving(kind: int, value: float, curves: Sums, h: float, z: float, friction: float) -> float:
    """Outflow at normal depth on a slope, or by a curve, at most critical, m²/s."""
    if kind == NORMAL:
        flow = h ** (5.0 / 3.0) * math.sqrt(value * GRAVITY / friction)
    else:
        flow = max(_on_curve(curves, int(value), z + h), 0.0)
    return float(min(flow, h * math.sqrt(GRAVITY * h)))


@kernel
def hold_edges(
    kind: NDArray[np.int8], value: Sums, curves: Sums, ground: Ground, now: State,
    step: tuple[float, float, float, float], out: Floats,
) -> None:  # fmt: skip
    """Work out the flux through every edge cell that is not free, for the local inertial solver.

    A level is held by a cell of the same bed beyond the edge; a discharge comes as it is. `step`
    is the time step, its ratio to the width of a cell, the dry depth and the largest Froude
    number; `out` (edges,) is positive towards higher indices.
    """
    rows, columns = now.depth.shape[0] - 2, now.depth.shape[1] - 2
    g = GRAVITY
    dt, dt_dx, dry, froude = step
    for e in range(kind.size):
        out[e] = 0.0
        if kind[e] == WALL or kind[e] == FREE:
            continue
        j, i, inwards, along_y = _place(e, rows, columns)
        z, h = float(ground.bed_m[j, i]), float(now.depth[j, i])
        if z > WALL_M / 2:
            continue
        rough = float(ground.friction[j, i])
        if kind[e] == DISCHARGE:
            q = float(value[e])
        elif kind[e] == STAGE:
            held = max(float(value[e]) - z, 0.0)
            depth, q = max(held, h), 0.0
            if depth > dry:
                old = float(now.flux_y[j if inwards > 0 else j + 1, i] if along_y
                            else now.flux_x[j, i if inwards > 0 else i + 1])  # fmt: skip
                old = inwards * old
                drag = 1.0 + dt * rough * abs(old) * depth ** (-7.0 / 3.0)
                most = froude * depth * math.sqrt(g * depth)
                q = max(min((old - g * dt_dx * depth * (h - held)) / drag, most), -most)
        else:
            q = -_leaving(kind[e], value[e], curves, h, z, rough) if h > dry else 0.0
        out[e] = inwards * q


@kernel
def add_moved(moved_m3: Sums, e: int, inwards_m3: float) -> None:
    """Count what an edge cell let in, or out."""
    if inwards_m3 > 0.0:
        moved_m3[0, e] += inwards_m3
    else:
        moved_m3[1, e] -= inwards_m3


@kernel
def fill_edges(
    kind: NDArray[np.int8], value: Sums, curves: Sums, ground: Ground, now: State, dry_m: float,
    out: Floats,
) -> None:  # fmt: skip
    """Work out the flux through every edge cell, for the shock-capturing solver.

    Boundary states come from what the water carries outwards, w - 2 c with w the velocity
    inwards: a discharge finds its depth, a level its velocity, both at most critical inwards;
    water that leaves faster than its waves goes as it is. A free edge is an overfall: what comes
    slowly leaves at critical depth, and nothing comes in.
    """
    rows, columns = now.depth.shape[0] - 2, now.depth.shape[1] - 2
    g = GRAVITY
    for e in range(kind.size):
        j, i, inwards, along_y = _place(e, rows, columns)
        across, along = float(now.flux_x[j, i]), float(now.flux_y[j, i])
        if along_y:
            across, along = along, across
        h = float(now.depth[j, i])
        wet = h > dry_m
        w = inwards * across / h if wet else 0.0
        v = along / h if wet else 0.0
        c = math.sqrt(g * h)
        q, depth = 0.0, h
        if ground.bed_m[j, i] > WALL_M / 2:
            depth = 0.0
        elif kind[e] == DISCHARGE and value[e] != 0.0:
            q = float(value[e])
            depth = _depth_of(q, w, c) if q > 0.0 else h
        elif kind[e] == FREE:
            depth, q = _flow_at(-1.0, h, w, c)
        elif kind[e] == STAGE:
            depth, q = _flow_at(float(value[e]) - float(ground.bed_m[j, i]), h, w, c)
        elif kind[e] == NORMAL or kind[e] == RATING:
            bed, rough = float(ground.bed_m[j, i]), float(ground.friction[j, i])
            q = -_leaving(kind[e], value[e], curves, h, bed, rough) if wet else 0.0
        else:  # a wall
            out[0, e] = out[2, e] = 0.0
            out[1, e] = against_wall(h, w, 0.0)
            continue
        out[0, e] = inwards * q
        out[1, e] = (q * q / depth if depth > 0.0 else 0.0) + 0.5 * g * depth * depth
        out[2, e] = inwards * q * v if q < 0.0 else 0.0


@kernel
def over_edge(h: float, w: float, sill: float) -> tuple[float, float]:
    """Outflow and push of water of depth h, speed w inwards, that falls over an edge.

    Over a `sill` m above the bed only what stands above it leaves; the rest pushes as still.
    """
    over = h - sill
    if not over > 0.0:
        return 0.0, against_wall(h, w, 0.0)
    depth, q = _flow_at(-1.0, over, w, math.sqrt(GRAVITY * over))
    push = (q * q / depth if depth > 0.0 else 0.0) + 0.5 * GRAVITY * depth * depth
    return max(-q, 0.0), push + 0.5 * GRAVITY * (h * h - over * over)


@kernel
def against_wall(h: float, w: float, through: float) -> float:
    """Push of water against a wall from which it moves at speed w, and `through` m²/s comes.

    That of its mirrored state where nothing comes through; where as much comes as flows away,
    that of the flow itself.
    """
    c = math.sqrt(GRAVITY * h)
    return h * w * w + 0.5 * GRAVITY * h * h - max(c + w, c - 0.5 * w) * (h * w - through)


@kernel
def _depth_of(q: float, w: float, c: float) -> float:
    """Depth of an inflow q whose outward invariant is w - 2 c; never below critical."""
    g = GRAVITY
    critical = (q * g) ** (1.0 / 3.0)
    x = max(c, critical)
    for _ in range(30):
        f = q * g / (x * x) - 2.0 * x - (w - 2.0 * c)
        step = f / (2.0 * q * g / (x * x * x) + 2.0)
        x = max(x + step, 1e-6)
        if abs(step) < 1e-12 * x:
            break
    x = max(x, critical)
    return float(x * x / g)


@kernel
def _flow_at(depth: float, h: float, w: float, c: float) -> tuple[float, float]:
    """Depth and inflow at an edge held at `depth` above its bed."""
    g = GRAVITY
    if w < -c:
        return h, h * w
    x = math.sqrt(g * max(depth, 0.0))
    critical = (2.0 * c - w) / 3.0
    wb = min(w - 2.0 * c + 2.0 * x, x)
    if wb < -x:  # it would leave faster than its waves: critical outflow
        x = max(critical, 0.0)
        wb = -x
    return x * x / g, x * x / g * wb
