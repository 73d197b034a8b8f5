"""Second order in space: what a row of cells shows at its faces, by limited slopes."""

from __future__ import annotations

from kernels._jit import kernel
from kernels.flood.riemann import BIG, DRY, HALF, HALF_G, ONE, QUARTER, ZERO, Side
from kernels.flood.water import Floats

__all__ = ["show"]


@kernel(inline=True)
def _limited(x: float, y: float, quarter: float, zero: float) -> float:
    """Half of the monotonised central slope (van Leer 1977) between two differences.

    The smallest in size of both and of a quarter of their sum; 0 where they differ in sign.
    """
    mean = quarter * (x + y)
    return max(min(x, y, mean), zero) + min(max(x, y, mean), zero)


@kernel(part=True, apart=True)
def show(
    low: Side, high: Side, source: Floats, behind: Side, here: Side, ahead: Side, over: Floats,
    numbers: Floats,
) -> None:  # fmt: skip
    """State at both sides of each cell, and the bed's push between them; `over` is 1 / depth.

    *Share* of its slopes that a cell takes: all; half beside a dry cell, whose level says little
    (with all of it a lake among rocks starts to swing by itself); none where it is dry itself or
    beside a closed one.

    *Bed.* Its slope, level less depth, leaves no face above both its beds: without that the film
    on a sill tilts with the pond behind, and dams it. The depth's slope gives way as far as the
    level then asks, never grows: still water beside a wall with less behind it keeps its level.

    *Velocities* are such that the cell's momentum is the mean of theirs.
    """
    h_low, u_low, v_low, z_low = low
    h_high, u_high, v_high, z_high = high
    h_a, u_a, v_a, z_a = behind
    h_m, u_m, v_m, z_m = here
    h_b, u_b, v_b, z_b = ahead
    zero, half, one, quarter = numbers[ZERO], numbers[HALF], numbers[ONE], numbers[QUARTER]
    dry, big, half_g = numbers[DRY], numbers[BIG], numbers[HALF_G]
    for i in range(source.size):
        ha, h, hb, za, z, zb = h_a[i], h_m[i], h_b[i], z_a[i], z_m[i], z_b[i]
        share = one if min(ha, hb) > dry else half
        share = share if h > dry and not max(za, zb) > big else zero
        lower, higher, up, down = h - ha, hb - h, z - za, zb - z
        # Differences of depth and bed apart, for float32's sake.
        level = _limited(lower + up, higher + down, quarter, zero) * share
        slope = _limited(lower, higher, quarter, zero) * share
        least = max(min(up, zero), min(down, zero))
        most = min(max(up, zero), max(down, zero))
        tilt = min(max(level - slope, least), most)
        size = abs(slope)
        slope = min(max(level - tilt, -size), size)
        hm, hp, zm, zp = h - slope, h + slope, z - tilt, z + tilt
        h_low[i], h_high[i], z_low[i], z_high[i] = hm, hp, zm, zp
        source[i] = half_g * (hm + hp) * (zm - zp)
        share = share * over[i]
        below, above = hp * share, hm * share
        u, v = u_m[i], v_m[i]
        turn = _limited(u - u_a[i], u_b[i] - u, quarter, zero)
        u_low[i], u_high[i] = u - turn * below, u + turn * above
        turn = _limited(v - v_a[i], v_b[i] - v, quarter, zero)
        v_low[i], v_high[i] = v - turn * below, v + turn * above
