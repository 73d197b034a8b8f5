"""What happens at the edges of a grid of moving water: walls, free ends, discharges and levels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel
from kernels.flood.water import GRAVITY, WALL_M, Floats, Ground, State, Sums

__all__ = ["DISCHARGE", "FREE", "STAGE", "WALL", "fill_edges"]

WALL, FREE, DISCHARGE, STAGE = 0, 1, 2, 3
"""What an edge cell does: shut; let water out; take q m²/s in; hold a level above the datum."""


@kernel
def fill_edges(
    kind: NDArray[np.int8], value: Sums, ground: Ground, now: State, dry_m: float, out: Floats
) -> None:
    """Work out the flux through every edge cell.

    Boundary states come from what the water carries outwards, w - 2 c with w the velocity
    inwards: a discharge finds its depth, a level its velocity, both at most critical inwards;
    water that leaves faster than its waves goes as it is. A free edge is an overfall: what comes
    slowly leaves at critical depth, and nothing comes in.
    """
    rows, columns = now.depth.shape[0] - 2, now.depth.shape[1] - 2
    g = GRAVITY
    for e in range(kind.size):
        if e < 2 * columns:
            i = e % columns + 1
            j = 1 if e < columns else rows
            inwards = 1.0 if e < columns else -1.0
            across, along = float(now.flux_y[j, i]), float(now.flux_x[j, i])
        else:
            k = e - 2 * columns
            j = k % rows + 1
            i = 1 if k < rows else columns
            inwards = 1.0 if k < rows else -1.0
            across, along = float(now.flux_x[j, i]), float(now.flux_y[j, i])
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
        else:  # a wall: the mirrored state
            fast = max(c + w, c - 0.5 * w)
            out[0, e] = out[2, e] = 0.0
            out[1, e] = h * w * w + 0.5 * g * h * h - fast * h * w
            continue
        out[0, e] = inwards * q
        out[1, e] = (q * q / depth if depth > 0.0 else 0.0) + 0.5 * g * depth * depth
        out[2, e] = inwards * q * v if q < 0.0 else 0.0


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
