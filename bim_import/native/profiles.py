"""Profiles of extrusions: an outer ring and its holes, in the profile's own plane."""

from __future__ import annotations

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bim_import.native.bulk import Unsupported, triangulate, turned
from bim_import.native.curves import Curves, arc_steps
from bim_import.step import Ref

__all__ = ["Profile", "fan", "profile_of", "profiles_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rings = list[Floats]

_FILLETS = {"IFCRECTANGLEHOLLOWPROFILEDEF": (6, 7), "IFCISHAPEPROFILEDEF": (7, 8, 9),
            "IFCUSHAPEPROFILEDEF": (7, 8, 9), "IFCTSHAPEPROFILEDEF": (7, 8, 9, 10, 11)}  # fmt: skip


class Profile(NamedTuple):
    """One part of a profile: corners (n, 2) metres, triangles of its face, sizes of its rings."""

    corners: Floats
    cap: Ints
    sizes: tuple[int, ...]


def profiles_of(curves: Curves, number: Any) -> list[Profile]:
    """Return the parts of a profile, outer rings counter-clockwise, holes clockwise.

    Raises
    ------
    Unsupported
        A profile of another sort, with fillets, or spoilt.
    """
    return [profile_of(rings) for rings in _rings(curves, number, 3)]


def profile_of(rings: Rings) -> Profile:
    """Return a profile of its outer ring and holes, (n, 2) metres each, any way around."""
    rings = [_turning(r, left=i == 0) for i, r in enumerate(rings)]
    sizes = tuple(len(r) for r in rings)
    if len(rings) == 1 and (sizes[0] == 3 or _is_convex(rings[0])):
        cap = fan(sizes[0])
    else:
        cap = triangulate(rings)
    return Profile(rings[0] if len(rings) == 1 else np.concatenate(rings), cap, sizes)


@cache
def fan(n: int) -> Ints:
    """Return the triangles of a convex ring of n corners from its first."""
    return np.stack([np.zeros(n - 2, int), np.arange(1, n - 1), np.arange(2, n)], axis=1)


def _is_convex(ring: Floats) -> bool:
    x, y = ring.T.tolist()
    n, turned = len(x), 0.0
    for i in range(n):
        ax, ay = x[i] - x[i - 1], y[i] - y[i - 1]
        bx, by = x[(i + 1) % n] - x[i], y[(i + 1) % n] - y[i]
        cross = ax * by - ay * bx
        if cross < 0:
            return False
        turned += math.atan2(cross, ax * bx + ay * by)
    return abs(turned - 2 * math.pi) < 1e-6


def _rings(curves: Curves, number: Any, depth: int) -> list[Rings]:
    step = curves.step
    name = step.name(number) if isinstance(number, Ref) else ""
    args = step.args(number) if name else []
    if name == "IFCCOMPOSITEPROFILEDEF" and depth:
        return [part for one in args[2] for part in _rings(curves, one, depth - 1)]
    if args and args[0] == "CURVE":
        raise Unsupported("open profile")
    if name == "IFCARBITRARYCLOSEDPROFILEDEF":
        rings = [curves.ring(args[2])[:, :2]]
    elif name == "IFCARBITRARYPROFILEDEFWITHVOIDS":
        rings = [curves.ring(one)[:, :2] for one in (args[2], *args[3])]
    else:
        rings = _standard(curves, name, args)
    return [rings]


def _standard(curves: Curves, name: str, args: list[Any]) -> Rings:
    unit = curves.bulk.unit_m
    for place in _FILLETS.get(name, ()):
        if len(args) > place and isinstance(args[place], (int, float)) and args[place]:
            raise Unsupported("fillet or slope")
    size = [float(v) * unit if isinstance(v, (int, float)) else math.nan for v in args[3:]]
    if name == "IFCRECTANGLEPROFILEDEF":
        rings = [_box(size[0], size[1])]
    elif name == "IFCRECTANGLEHOLLOWPROFILEDEF":
        x, y, wall = size[:3]
        rings = [_box(x, y), _box(x - 2 * wall, y - 2 * wall)]
    elif name == "IFCCIRCLEPROFILEDEF":
        rings = [_circle(size[0])]
    elif name == "IFCCIRCLEHOLLOWPROFILEDEF":
        rings = [_circle(size[0]), _circle(size[0] - size[1])]
    elif name == "IFCELLIPSEPROFILEDEF":
        rings = [_circle(size[0], size[1])]
    elif name == "IFCISHAPEPROFILEDEF":
        rings = [_i_shape(*size[:4])]
    elif name == "IFCTSHAPEPROFILEDEF":
        rings = [_t_shape(*size[:4])]
    elif name == "IFCUSHAPEPROFILEDEF":
        rings = [_u_shape(*size[:4])]
    else:
        raise Unsupported(name or "profile")
    if not all(np.isfinite(r).all() for r in rings):
        raise Unsupported("profile")
    frame = curves.places.axes(args[2])
    return [r @ frame[:2, :2].T + frame[:2, 3] for r in rings]


def _box(x: float, y: float) -> Floats:
    if not (x > 0 and y > 0):
        raise Unsupported("profile")
    return np.array([[-x, -y], [x, -y], [x, y], [-x, y]]) / 2


def _circle(a: float, b: float | None = None) -> Floats:
    other = a if b is None else b
    if not (a > 0 and other > 0):
        raise Unsupported("profile")
    n = max(12, arc_steps(max(a, other), 2 * math.pi))
    at = np.arange(n) * (2 * math.pi / n)
    return np.column_stack([a * np.cos(at), other * np.sin(at)])


def _i_shape(width: float, depth: float, web: float, flange: float) -> Floats:
    x, y, w, f = width / 2, depth / 2, web / 2, depth / 2 - flange
    if not (0 < w <= x and 0 < f < y):
        raise Unsupported("profile")
    right = [[x, -y], [x, -f], [w, -f], [w, f], [x, f], [x, y]]
    return np.array([*right, *[[-px, py] for px, py in reversed(right)]])


def _t_shape(depth: float, width: float, web: float, flange: float) -> Floats:
    x, y, w = width / 2, depth / 2, web / 2
    if not (0 < w <= x and 0 < flange < depth):
        raise Unsupported("profile")
    right = [[w, -y], [w, y - flange], [x, y - flange], [x, y]]
    return np.array([*right, *[[-px, py] for px, py in reversed(right)]])


def _u_shape(depth: float, width: float, web: float, flange: float) -> Floats:
    x, y = width / 2, depth / 2
    if not (0 < web < width and 0 < flange < y):
        raise Unsupported("profile")
    inner = -x + web
    return np.array([[-x, -y], [x, -y], [x, -y + flange], [inner, -y + flange],
                     [inner, y - flange], [x, y - flange], [x, y], [-x, y]])  # fmt: skip


def _turning(ring: Floats, *, left: bool) -> Floats:
    x, y = ring[:, 0], ring[:, 1]
    area = float(x @ turned(y) - y @ turned(x))
    if abs(area) < 1e-14:
        raise Unsupported("profile without area")
    return ring if (area > 0) == left else ring[::-1]
