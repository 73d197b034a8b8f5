"""Shells that are open, branch, fall apart or look inwards are told by their codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from cim.model.body import Body
from cim.model.shells import shell_faults

QUADS = [(3, 2, 1, 0), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)]
Face = list[list[tuple[float, float, float]]]


def cube(
    at: Sequence[float] = (0, 0, 0), side: float = 4.0, *, inwards: bool = False
) -> list[Face]:
    corners = [
        (at[0] + x * side, at[1] + y * side, at[2] + z * side)
        for z in (0, 1)
        for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))
    ]
    faces = [[[corners[i] for i in quad]] for quad in QUADS]
    return [[ring[::-1] for ring in face] for face in faces] if inwards else faces


def solid(*shells: list[Face], solids: Sequence[int] | None = None) -> Body:
    """A body with own corners for every ring, as a file without shared ones has them."""
    points = [p for shell in shells for face in shell for ring in face for p in ring]
    rings = np.cumsum([0, *(len(r) for s in shells for f in s for r in f)])
    faces = np.cumsum([0, *(len(f) for s in shells for f in s)])
    starts = np.cumsum([0, *(len(s) for s in shells)])
    of = [0, len(shells)] if solids is None else list(solids)
    return Body(
        object_id="a", type="Solid" if len(of) == 2 else "MultiSolid", lod="2", cim_level=3,
        vertices=np.array(points), index=np.arange(len(points), dtype=np.int32),
        rings=rings.astype(np.int32), faces=faces.astype(np.int32),
        shells=starts.astype(np.int32), solids=np.array(of, dtype=np.int32),
    )  # fmt: skip


def codes(body: Body) -> dict[int, int]:
    return {fault.code: fault.count for fault in shell_faults([body])}


def framed() -> list[Face]:
    """A cube with a square passage through it: two faces with holes, and four walls inside."""
    outer, inner = cube(), cube((1, 1, 0), 2.0, inwards=True)
    inner = [[[(x, y, z * 2) for x, y, z in ring] for ring in face] for face in inner]
    bottom, top = [outer[0][0], inner[0][0]], [outer[1][0], inner[1][0]]
    return [bottom, top, *outer[2:], *inner[2:]]


def ell() -> list[Face]:
    """An L in plan, 4 by 4 and 4 high, its upper right quarter missing."""
    plan = [(0, 0), (4, 0), (4, 2), (2, 2), (2, 4), (0, 4)]
    low, high = [(x, y, 0.0) for x, y in plan], [(x, y, 4.0) for x, y in plan]
    n = len(plan)
    sides = [[[low[i], low[(i + 1) % n], high[(i + 1) % n], high[i]]] for i in range(n)]
    return [[low[::-1]], [high], *sides]


def spike(foot: Sequence[float], tip: Sequence[float]) -> list[list[Face]]:
    """A pyramid over a square of 1 around `foot`, looking inwards."""
    x, y, z = foot
    ring = [(x - 0.5, y - 0.5, z), (x + 0.5, y - 0.5, z), (x + 0.5, y + 0.5, z),
            (x - 0.5, y + 0.5, z)]  # fmt: skip
    top = (float(tip[0]), float(tip[1]), float(tip[2]))
    return [[[ring], *[[[ring[(i + 1) % 4], ring[i], top]] for i in range(4)]]]


def dented(depth: float) -> Body:
    """A cube whose roof is drawn down to a point at a height of `depth`."""
    faces = cube()
    roof = faces.pop(1)[0]
    tip = (2.0, 1.0, depth)
    return solid([*faces, *[[[roof[i], roof[(i + 1) % 4], tip]] for i in range(4)]])


CASES: list[tuple[str, Body, dict[int, int]]] = [
    ("a cube", solid(cube()), {}),
    ("far from zero", solid(cube((517_000.0, 4_330_000.0, 3.0))), {}),
    ("a hollow cube", solid(cube(), cube((1, 1, 1), 2.0, inwards=True)), {}),
    ("a passage", solid(framed()), {}),
    ("two solids", solid(cube(), cube((9, 0, 0)), solids=(0, 1, 2)), {}),
    ("no roof", solid([f for i, f in enumerate(cube()) if i != 1]), {302: 4}),
    ("three faces", solid(cube()[:3]), {301: 3, 302: 8}),
    ("a wall twice", solid([*cube(), cube()[2]]), {303: 4, 306: 1}),
    ("two cubes on an edge", solid([*cube(), *cube((4, 4, 0))]), {303: 1}),
    ("two cubes at a corner", solid([*cube(), *cube((4, 4, 4))]), {305: 2}),
    ("two cubes apart", solid([*cube(), *cube((9, 0, 0))]), {305: 2}),
    ("a wall turned", solid([*cube()[:5], [cube()[5][0][::-1]]]), {307: 4}),
    ("inside out", solid(cube(inwards=True)), {405: 1}),
    ("an inner shell outwards", solid(cube(), cube((1, 1, 1), 2.0)), {405: 1}),
    ("a shell twice", solid(cube(), cube(inwards=True)), {402: 1}),
    ("an inner shell outside", solid(cube(), cube((9, 9, 9), 2.0, inwards=True)), {403: 1}),
    ("beside, its box within", solid(ell(), cube((3, 3, 1), 1.0, inwards=True)), {403: 1}),
    ("an inner shell sticks out", solid(cube(), cube((3, 1, 1), 2.0, inwards=True)), {401: 1}),
    ("out along whole planes", solid(cube(), cube((2, 0, 0), inwards=True)), {401: 1}),
    ("an inner shell on a wall", solid(cube(), cube((0, 1, 1), 2.0, inwards=True)), {401: 1}),
    ("inner shells in one another",
     solid(cube(), cube((0.5, 0.5, 0.5), 3.0, inwards=True), cube((1, 1, 1), 1.0, inwards=True)),
     {401: 1}),
    ("inner shells apart",
     solid(cube(), cube((0.5, 1, 1), 1.0, inwards=True), cube((2.5, 1, 1), 1.0, inwards=True)),
     {}),
    ("an inner shell on a corner", solid(cube(), spike((2, 2, 1), (2, 2, 4))[0]), {}),
    ("a spike through the floor", dented(-1.0), {306: 4}),
    ("a spike onto the floor", dented(0.0), {306: 4}),
    ("a spike above the floor", dented(0.001), {}),
    ("bodies through one another", solid([*cube(), *cube((2, 2, 2))]), {305: 2, 306: 6}),
    ("bodies on one another", solid([*cube(), *cube((1, 1, 4), 2.0)]), {305: 2, 306: 5}),
    ("two solids through one another",
     solid(cube(), cube((2, 2, 2)), solids=(0, 1, 2)), {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "body", "want"), CASES, ids=[c[0] for c in CASES])
def test_a_shell_is_judged(name: str, body: Body, want: dict[int, int]) -> None:
    assert codes(body) == want


def test_two_fans_in_one_corner_are_no_manifold() -> None:
    """Two pyramids tip to tip, joined by a tube of faces around: one piece, one bad corner."""
    rng = np.array([(0, 0, 0), (4, 0, 0), (4, 4, 0), (0, 4, 0)], dtype=float)
    ring = [tuple(p) for p in rng]
    top = [(x, y, 8.0) for x, y, _ in ring]
    tip = (2.0, 2.0, 4.0)
    low = [[[ring[i], ring[(i + 1) % 4], tip]] for i in range(4)]
    high = [[[top[(i + 1) % 4], top[i], tip]] for i in range(4)]
    out = [[[ring[(i + 1) % 4], ring[i], top[i], top[(i + 1) % 4]]] for i in range(4)]
    assert codes(solid([*low, *high, *out])) in ({303: 1}, {303: 1, 405: 1})


def test_corners_nearly_in_a_row_make_no_shell_meet_itself() -> None:
    """A wall and a floor share three corners, the middle one 0.3 mm off: cut, they overlap."""
    ring = [(0.0, 0.0), (4.0, 0.0), (4.0, 8.0), (0.0, 8.0), (0.0003, 4.0)]
    low, high = [(x, y, 0.0) for x, y in ring], [(x, y, 3.0) for x, y in ring]
    high[4] = (0.0003, 4.0, 6.0)
    west: Face = [[high[0], high[4], high[3], low[3], low[4], low[0]]]
    roof: list[Face] = [[[high[0], high[1], high[4]]], [[high[1], high[2], high[4]]],
                        [[high[2], high[3], high[4]]]]  # fmt: skip
    walls = [[[low[i], low[i + 1], high[i + 1], high[i]]] for i in range(3)]
    assert codes(solid([[low[::-1]], west, *roof, *walls])) == {}


def test_many_bodies_are_judged_as_each_alone_and_others_are_passed_over() -> None:
    bodies = [body for _, body, _ in CASES]
    flat = replace(CASES[0][1], type="MultiSurface")
    found = shell_faults([flat, *bodies])
    for number, body in enumerate(bodies, 1):
        mine = {f.code: f.count for f in found if f.body == number}
        assert mine == codes(body)
    assert all(f.body for f in found)
    assert shell_faults([flat]) == shell_faults([]) == []
