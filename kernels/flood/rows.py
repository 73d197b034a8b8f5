"""What one row of cells or faces does in a time step of the local inertial equations.

Each loop here is a leaf: it reads rows, writes others, and the CPU's widest vectors do it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel, multiply_add
from kernels.flood.water import Floats

__all__ = [
    "MINUS_THIRD",
    "POWER",
    "SEED",
    "Bits",
    "Cells",
    "Fluxes",
    "Limited",
    "copy_row",
    "faces",
    "fill",
    "fill_and_drain",
    "limit_row",
    "limited",
    "limits",
    "row_max",
    "row_sum",
    "watch_bits",
]

Bits = NDArray[np.unsignedinteger[Any]]

# x^(-1/3) from the bits of a float32, off by 3.5 % at most: exponent divided by -3.
SEED = np.float32(0x54A1F480)
MINUS_THIRD = np.float32(-1.0 / 3.0)
POWER = (1.0000000029266207, 2.3333350803521005, 3.8888859409728402, 5.6159413878402,
         7.489402366136407, 9.743381892810875, 11.815160843173569)  # fmt: skip
"""(1 - e)^(-7/3) as a polynomial of e, off by 2.6e-8 at most for |e| < 0.1022 (minimax)."""
_P0, _P1, _P2, _P3, _P4, _P5, _P6 = POWER

# Places in the row of numbers that one step needs, all of the grid's own type.
DT, DT_DX, DX_DT, G2_DT_DX, THETA2, SIDE2, FROUDE, DRY, RAIN, CAP, TINY, KEEP, NUMBERS = range(13)


class Cells(NamedTuple):
    """A row of cells on one side of a row of faces."""

    depth: Floats
    bed: Floats
    friction: Floats


class Fluxes(NamedTuple):
    """A row of faces one step ago: they, those before and after, and four across."""

    here: Floats
    before: Floats
    after: Floats
    across_0: Floats
    across_1: Floats
    across_2: Floats
    across_3: Floats


class Limited(NamedTuple):
    """Raw fluxes around a row of cells and what limits them.

    `along` and `keep` begin one cell before: of the faces before the cells and the one after
    them, and of the cells and one more on either side. `after`, `keep_after`: the faces and
    cells of the next row. `up`: the faces before the row, limited already.
    """

    along: Floats
    keep: Floats
    after: Floats
    keep_after: Floats
    up: Floats


@kernel
def row_max(row: Floats) -> float:
    """Largest of a row of numbers >= 0: four chains, so that the CPU need not wait."""
    n = row.size
    a = b = c = d = row[0]
    for i in range(n // 4):
        k = 4 * i
        a = max(a, row[k])
        b = max(b, row[k + 1])
        c = max(c, row[k + 2])
        d = max(d, row[k + 3])
    for i in range(n - n % 4, n):
        a = max(a, row[i])
    return float(max(a, b, c, d))


@kernel
def row_sum(row: Floats) -> float:
    """Sum of a row in float64, in an order that nothing but its length decides."""
    n = row.size
    a = b = c = d = 0.0
    for i in range(n // 4):
        k = 4 * i
        a += row[k]
        b += row[k + 1]
        c += row[k + 2]
        d += row[k + 3]
    for i in range(n - n % 4, n):
        a += row[i]
    return (a + b) + (c + d)


@kernel(part=True, apart=True)
def faces(out: Floats, a: Cells, b: Cells, old: Fluxes, numbers: Floats) -> None:
    """Flux from cells a to cells b: the momentum equation, the only place it stands.

    Differences of depth and of bed are taken apart, which keeps still water still in float32,
    and every sum is paired so that a mirrored grid gives the mirrored bits. `rub` and `push`
    are twice those of the formula in `kernels.flood.inertial`. Numbers that never change are
    written out: what does not fit into the CPU's registers is read again for every vector.
    """
    h_a, z_a, n_a = a
    h_b, z_b, n_b = b
    q, q_before, q_after, c0, c1, c2, c3 = old
    number = out.dtype.type
    one, zero, half, eighth = number(1.0), number(0.0), number(0.5), number(0.125)
    p0, p1, p2, p3 = number(_P0), number(_P1), number(_P2), number(_P3)
    p4, p5, p6 = number(_P4), number(_P5), number(_P6)
    theta2, side2, g2_dt_dx = numbers[THETA2], numbers[SIDE2], numbers[G2_DT_DX]
    dry, cap, dt = numbers[DRY], numbers[CAP], numbers[DT]
    for i in range(out.size):
        step = z_b[i] - z_a[i]
        wet = max(h_a[i] - max(step, zero), h_b[i] + min(step, zero))
        depth = max(wet, dry)
        # depth^(-7/3) = y^7 (1 - e)^(-7/3), where y is near depth^(-1/3) and e = 1 - depth y^3.
        bits = np.float32(np.int32(np.float32(depth).view(np.int32)))
        y = number(np.int32(multiply_add(bits, MINUS_THIRD, SEED)).view(np.float32))
        square = y * y
        e = multiply_add(-(depth * y), square, one)
        e2 = e * e
        high = multiply_add(p6, e2, multiply_add(p5, e, p4))
        high = multiply_add(high, e2, multiply_add(p3, e, p2))
        power = multiply_add(high, e2, multiply_add(p1, e, p0))
        rub = (dt * (n_a[i] + n_b[i])) * ((square * square) * (square * y)) * power
        # Half the size of the flux vector a step ago beyond that of its part along the face.
        here, across = half * q[i], eighth * ((c0[i] + c1[i]) + (c2[i] + c3[i]))
        beyond = math.sqrt(multiply_add(here, here, across * across)) - abs(here)
        push = multiply_add(theta2, q[i], side2 * (q_before[i] + q_after[i]))
        push = multiply_add(-(g2_dt_dx * depth), (h_b[i] - h_a[i]) + step, push)
        drag = multiply_add(rub, beyond, one)
        flux = push / (drag + math.sqrt(multiply_add(rub, abs(push), drag * drag)))
        most = (cap * depth) * math.sqrt(depth)
        flux = max(min(flux, most), -most)
        out[i] = flux if wet > dry else zero


@kernel(part=True, apart=True)
def limits(
    keep: Floats, h: Floats, c: Floats, along: Floats, up: Floats, down: Floats, numbers: Floats
) -> None:
    """Part of its outflow that each cell of a row can pay for, 0 to 1.

    `along` holds the fluxes before the cells and the one after them.
    """
    one, zero = keep.dtype.type(1.0), keep.dtype.type(0.0)
    tiny, share = numbers[TINY], numbers[KEEP] * numbers[DX_DT]
    for i in range(keep.size):
        out_x = max(along[i + 1], zero) + max(-along[i], zero)
        out_y = max(down[i], zero) + max(-up[i], zero)
        held = max(h[i] + c[i], zero) * share
        keep[i] = min(one, held / max(out_x + out_y, tiny))


@kernel(part=True)
def limited(raw: float, keep_a: float, keep_b: float) -> float:
    """A flux that the cell it comes from can pay for: a where it is positive, else b."""
    return raw * (keep_a if raw > 0.0 else keep_b)


@kernel(part=True, apart=True)
def limit_row(out: Floats, raw: Floats, keep_a: Floats, keep_b: Floats) -> None:
    """Limit the faces between two rows of cells."""
    for i in range(out.size):
        a, b = keep_a[i], keep_b[i]  # both read first: a choice of loads does not vectorise
        out[i] = limited(raw[i], a, b)


@kernel(part=True)
def _net(raw: Limited, i: int) -> tuple[float, float, float]:
    """Limited fluxes of cell i of a row: from before, to the next row, and what all four bring."""
    keep = raw.keep
    before, here, behind, below = keep[i], keep[i + 1], keep[i + 2], raw.keep_after[i]
    left, right = limited(raw.along[i], before, here), limited(raw.along[i + 1], here, behind)
    down = limited(raw.after[i], here, below)
    return left, down, (left - right) + (raw.up[i] - down)


@kernel(part=True)
def _two_sum(a: float, b: float) -> tuple[float, float]:
    """a + b, and what its rounding lost: together they are a + b exactly (Knuth)."""
    total = a + b
    back = total - a
    return total, (a - (total - back)) + (b - back)


@kernel(part=True, apart=True)
def fill(
    h: Floats, c: Floats, out_x: Floats, out_y: Floats, raw: Limited, share: Floats,
    numbers: Floats,
) -> None:  # fmt: skip
    """Limit the fluxes of a row of cells, add to the depth what they and the rain bring.

    `out_x`, `out_y` get the faces before the cells and those after the row. What rounding keeps
    from the depth is carried.
    """
    dt_dx, rain, zero = numbers[DT_DX], numbers[RAIN], h.dtype.type(0.0)
    for i in range(h.size):
        out_x[i], out_y[i], net = _net(raw, i)
        gain = multiply_add(rain, share[i], multiply_add(net, dt_dx, c[i]))
        full, lost = _two_sum(h[i], gain)
        c[i] = lost if full > zero else zero
        h[i] = full


@kernel(part=True, apart=True)
def fill_and_drain(
    h: Floats, c: Floats, out_x: Floats, out_y: Floats, raw: Limited, share: Floats,
    drain: Floats, drained: Floats, missed: Floats, numbers: Floats,
) -> None:  # fmt: skip
    """As `fill`, and take what the drains can; what rounding loses is carried, or goes along.

    `drained` adds up what was taken, `missed` what its rounding lost.
    """
    dt_dx, rain, dt, zero = numbers[DT_DX], numbers[RAIN], numbers[DT], h.dtype.type(0.0)
    for i in range(h.size):
        out_x[i], out_y[i], net = _net(raw, i)
        gain = multiply_add(rain, share[i], multiply_add(net, dt_dx, c[i]))
        full, lost = _two_sum(h[i], gain)
        taken = min(drain[i] * dt, max(full, zero))
        rest, more = _two_sum(full, -taken)
        lost += more
        c[i] = lost if rest > zero else zero
        h[i] = rest
        total, more = _two_sum(drained[i], taken + (zero if rest > zero else lost))
        missed[i] += more
        drained[i] = total


@kernel(part=True, apart=True)
def watch_bits(bits: Bits, highest: Bits) -> None:
    """Keep the largest bits: numbers >= 0 are ordered as they are, one below beats them all."""
    for i in range(bits.size):
        highest[i] = max(highest[i], bits[i])


@kernel(part=True)
def copy_row(out: Floats, row: Floats) -> None:
    """Copy a row."""
    for i in range(out.size):
        out[i] = row[i]
