"""What flows through a row of faces between two rows of states: HLLC on reconstructed depths."""

from __future__ import annotations

import math
from typing import NamedTuple

from kernels._jit import kernel, multiply_add
from kernels.flood.water import Floats

__all__ = [
    "BIG",
    "DRY",
    "DT",
    "DT_DX",
    "DX_DT",
    "HALF",
    "HALF_G",
    "KEEP",
    "NUMBERS",
    "ONE",
    "P0",
    "QUARTER",
    "RAIN",
    "TINY",
    "TWO",
    "ZERO",
    "Fluxes",
    "G",
    "Side",
    "fluxes",
]

# Places in the row of numbers that one stage needs, all of the grid's own type.
DT, DT_DX, DX_DT, RAIN, G, HALF_G, DRY, HALF, ONE, TWO, QUARTER = range(11)
ZERO, TINY, KEEP, BIG, P0 = range(11, 16)
NUMBERS = P0 + 7  # the last are the coefficients of the friction's power of the depth


class Side(NamedTuple):
    """A row of states on one side of a row of faces: depth, velocity across, along, and bed."""

    h: Floats
    u: Floats
    v: Floats
    z: Floats


class Fluxes(NamedTuple):
    """Through a row of faces: mass, momentum across as either side feels it, momentum along."""

    mass: Floats
    low: Floats
    high: Floats
    along: Floats


@kernel(part=True, apart=True)
def fluxes(out: Fluxes, left: Side, right: Side, numbers: Floats) -> None:
    """Work out the fluxes through faces from `left` to `right`.

    *Bed.* The common bed of a face stands no higher than either level, so a thin film on a steep
    slope feels the whole step, not only as much of it as it is deep (Chen & Noelle 2017). Below
    a step that water comes down, depth is no less than what comes: a film on a slope of steps
    runs as one on an even slope (in the manner of Xia et al. 2017), not as over falls. A closed
    cell is the mirror of its neighbour. Nothing goes where both sides are films that do not move.

    *Flux.* HLLC with the speeds of Einfeldt and of a dry bed (Toro 2001). Every difference is
    paired so that a mirrored grid gives the mirrored bits.
    """
    mass, low, high, along = out
    h_a, u_a, v_a, z_a = left
    h_b, u_b, v_b, z_b = right
    zero, half, one, two = numbers[ZERO], numbers[HALF], numbers[ONE], numbers[TWO]
    quarter, half_g, g = numbers[QUARTER], numbers[HALF_G], numbers[G]
    dry, tiny, big = numbers[DRY], numbers[TINY], numbers[BIG]
    for i in range(mass.size):
        # All are read first: a choice of loads does not vectorise.
        ha, ua, va, za = h_a[i], u_a[i], v_a[i], z_a[i]
        hb, ub, vb, zb = h_b[i], u_b[i], v_b[i], z_b[i]
        shut_a, shut_b = za > big, zb > big
        hl, ul = (hb if shut_a else ha), (-ub if shut_a else ua)
        hr, ur = (ha if shut_b else hb), (-ua if shut_b else ub)
        step = zero if shut_a or shut_b else zb - za
        rise_l = min(max(step, zero), hl, hr + step)
        rise_r = min(max(-step, zero), hr, hl - step)
        coming_l, coming_r = (hr if ur <= zero else zero), (hl if ul >= zero else zero)
        a = max(hl - max(rise_l, zero), min(hl, coming_l))
        b = max(hr - max(rise_r, zero), min(hr, coming_r))
        ca, cb = math.sqrt(g * a), math.sqrt(g * b)
        between = multiply_add(half, ul + ur, ca - cb)
        wave = multiply_add(quarter, ul - ur, half * (ca + cb))
        slow, fast = min(ul - ca, between - wave), max(ur + cb, between + wave)
        bare_l, bare_r = multiply_add(-two, cb, ur), multiply_add(two, ca, ul)
        slow = min(slow if a > dry else bare_l, zero)
        fast = max(fast if b > dry else bare_r, zero)
        over = one / max(fast - slow, tiny)
        over = over if max(a, b) > dry else zero
        qa, qb, both = a * ul, b * ur, slow * fast
        flow = multiply_add(both, b - a, fast * qa - slow * qb) * over
        push_a = multiply_add(qa, ul, half_g * a * a)
        push_b = multiply_add(qb, ur, half_g * b * b)
        push = multiply_add(both, qb - qa, fast * push_a - slow * push_b) * over
        mass[i] = flow
        low[i] = multiply_add(half_g * (hl + a), rise_l, push)
        high[i] = multiply_add(half_g * (hr + b), rise_r, push)
        along[i] = flow * (va if flow >= zero else vb)
