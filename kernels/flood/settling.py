"""What a row of cells becomes: velocities, the limiter of outflow, depth, momentum, the mean."""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import kernel, multiply_add
from kernels.flood.riemann import (
    DRY,
    DT,
    DT_DX,
    DX_DT,
    HALF,
    KEEP,
    ONE,
    P0,
    RAIN,
    TINY,
    TWO,
    ZERO,
    Fluxes,
    G,
    Side,
)
from kernels.flood.rows import MINUS_THIRD, SEED
from kernels.flood.water import Floats, Sums

__all__ = ["average", "drain", "fastest", "fill", "gather", "limit", "move", "pay"]


@kernel(part=True, apart=True)
def gather(
    out: Side, over: Floats, h: Floats, hu: Floats, hv: Floats, bed: Floats, numbers: Floats
) -> None:
    """Lay out a row of cells: depth, velocities (none in a film), bed; and one by the depth."""
    depth, u, v, z = out
    dry, one, zero = numbers[DRY], numbers[ONE], numbers[ZERO]
    for i in range(h.size):
        water, along_x, along_y = h[i], hu[i], hv[i]
        inverse = one / max(water, dry)
        part = inverse if water > dry else zero
        depth[i], u[i], v[i], z[i] = water, along_x * part, along_y * part, bed[i]
        over[i] = inverse


@kernel(part=True, apart=True)
def limit(
    keep: Floats, h: Floats, c: Floats, left: Floats, right: Floats, up: Floats, down: Floats,
    numbers: Floats,
) -> bool:  # fmt: skip
    """Part of its outflow that each cell of a row can pay for, 0 to 1; whether all can pay all."""
    one, zero, tiny = numbers[ONE], numbers[ZERO], numbers[TINY]
    share = numbers[KEEP] * numbers[DX_DT]
    short = np.int32(0)
    for i in range(keep.size):
        along = max(right[i], zero) + max(-left[i], zero)
        across = max(down[i], zero) + max(-up[i], zero)
        held = max(h[i] + c[i], zero) * share
        part = min(one, held / max(along + across, tiny))
        short |= np.int32(1) if part < one else np.int32(0)
        keep[i] = part
    return bool(short == 0)


@kernel(part=True, apart=True)
def pay(mass: Floats, along: Floats, keep_low: Floats, keep_high: Floats, numbers: Floats) -> None:
    """Cut fluxes to the part that the cell which gives the mass can pay for, in place."""
    zero = numbers[ZERO]
    for i in range(mass.size):
        flow, a, b = mass[i], keep_low[i], keep_high[i]
        part = a if flow > zero else b
        mass[i] = flow * part
        along[i] *= part


@kernel(inline=True)
def _exact_sum(a: float, b: float) -> tuple[float, float]:
    """A sum, and what rounding lost of it (TwoSum)."""
    total = a + b
    back = total - a
    return total, (a - (total - back)) + (b - back)


@kernel(part=True, apart=True)
def fill(
    full: Floats, lost: Floats, made: Floats, h: Floats, c: Floats, share: Floats, left: Floats,
    right: Floats, up: Floats, down: Floats, numbers: Floats,
) -> None:  # fmt: skip
    """Depth after what came, went and rained, and what rounding kept of it.

    `made` adds up, by column, the metres that lift a depth to zero: not a number where it is none.
    """
    dt_dx, rain, zero = numbers[DT_DX], numbers[RAIN], numbers[ZERO]
    for i in range(full.size):
        net = (left[i] - right[i]) + (up[i] - down[i])
        gain = multiply_add(rain, share[i], multiply_add(net, dt_dx, c[i]))
        total, kept = _exact_sum(h[i], gain)
        lost[i] = kept if total > zero else zero
        water = zero if total < zero else total
        full[i] = water
        made[i] += water - total


@kernel(part=True, apart=True)
def drain(full: Floats, lost: Floats, drained: Sums, capacity: Floats, numbers: Floats) -> None:
    """Take what the drains of a row can from what stands; an emptied cell keeps no rounding."""
    dt, zero = numbers[DT], numbers[ZERO]
    for i in range(full.size):
        water = full[i]
        taken = min(capacity[i] * dt, water)
        rest, kept = _exact_sum(water, -taken)
        kept += lost[i]
        full[i] = rest
        lost[i] = kept if rest > zero else zero
        drained[i] += taken + (zero if rest > zero else kept)


@kernel(part=True, apart=True)
def move(
    qx: Floats, qy: Floats, hu: Floats, hv: Floats, full: Floats, friction: Floats,
    left: Fluxes, right: Fluxes, up: Fluxes, down: Fluxes, source_x: Floats, source_y: Floats,
    numbers: Floats,
) -> None:  # fmt: skip
    """Momentum with friction at the new depth: u + k |u| u = u*, solved exactly.

    k is g n² Δt depth^(-4/3), whose power with that of 1 / depth is the one of
    `kernels.flood.sweep`. No water crosses more than a cell in a step: what a drained cell keeps
    of its push would else race on a film that rounding left.
    """
    dt_dx, dry = numbers[DT_DX], numbers[DRY]
    zero, one, two = numbers[ZERO], numbers[ONE], numbers[TWO]
    p0, p1, p2, p3 = numbers[P0], numbers[P0 + 1], numbers[P0 + 2], numbers[P0 + 3]
    p4, p5, p6 = numbers[P0 + 4], numbers[P0 + 5], numbers[P0 + 6]
    push_left, push_right = left.high, right.low
    push_up, push_down = up.high, down.low
    along_left, along_right = left.along, right.along
    along_up, along_down = up.along, down.along
    for i in range(full.size):
        push_x = ((push_right[i] - push_left[i]) - source_x[i]) + (along_down[i] - along_up[i])
        push_y = ((push_down[i] - push_up[i]) - source_y[i]) + (along_right[i] - along_left[i])
        x, y = hu[i] - dt_dx * push_x, hv[i] - dt_dx * push_y
        water, rough = full[i], friction[i]
        depth = max(water, dry)
        # depth^(-7/3) = root^7 (1 - e)^(-7/3), root near depth^(-1/3) and e = 1 - depth root^3.
        bits = np.float32(np.int32(np.float32(depth).view(np.int32)))
        root = qx.dtype.type(np.int32(multiply_add(bits, MINUS_THIRD, SEED)).view(np.float32))
        square = root * root
        cube = square * root
        e = multiply_add(-depth, cube, one)
        power = multiply_add(multiply_add(multiply_add(p6, e, p5), e, p4), e, p3)
        power = multiply_add(multiply_add(multiply_add(power, e, p2), e, p1), e, p0)
        size = math.sqrt(x * x + y * y)
        rub = rough * (cube * (square * square)) * power
        inverse = multiply_add(multiply_add(multiply_add(e, e, e), e, e), cube, cube)
        slow = max(one + math.sqrt(multiply_add(rub, size, one)), size * inverse * (two * dt_dx))
        part = two / slow
        part = part if water > dry else zero
        qx[i], qy[i] = x * part, y * part


@kernel(part=True, apart=True)
def average(
    h: Floats, c: Floats, hu: Floats, hv: Floats, full: Floats, lost: Floats, qx: Floats,
    qy: Floats, numbers: Floats,
) -> None:  # fmt: skip
    """Make of what was, in place, its mean with what came of two stages; its rounding kept."""
    half, dry, zero = numbers[HALF], numbers[DRY], numbers[ZERO]
    for i in range(h.size):
        total, kept = _exact_sum(h[i], full[i])
        kept += lost[i] + c[i]
        depth = half * total
        x, y = half * (hu[i] + qx[i]), half * (hv[i] + qy[i])
        h[i], c[i] = depth, half * kept
        hu[i] = x if depth > dry else zero
        hv[i] = y if depth > dry else zero


@kernel(part=True, apart=True)
def fastest(
    most: Floats, highest: Floats, h: Floats, hu: Floats, hv: Floats, numbers: Floats
) -> None:
    """Raise, by column, the largest speed of water and wave along an axis, and the depth."""
    dry, g = numbers[DRY], numbers[G]
    for i in range(h.size):
        depth = h[i]
        speed = max(abs(hu[i]), abs(hv[i])) / max(depth, dry) + math.sqrt(g * depth)
        most[i] = max(most[i], speed)
        highest[i] = max(highest[i], depth)
