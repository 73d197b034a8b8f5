"""Two triangles meet as exact fractions say, and a sweep finds every pair."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.spatial.crossing import (
    APART,
    CROSSING,
    MOST_STEPS,
    OVERLAPPING,
    TOUCHING,
    meetings,
)

Point = tuple[int, int, int]


def found(triangles: list[list[Point]]) -> dict[tuple[int, int], int]:
    """Ask the kernel of triangles that are each a face of its own and share no corners."""
    points = np.array([p for t in triangles for p in t], dtype=np.int64)
    _, corner = np.unique(points, axis=0, return_inverse=True)
    rows = np.arange(len(points)).reshape(-1, 3)
    wide = np.ptp(points, axis=0)
    axis = int(np.argmax(wide))
    order = np.argsort(points[rows, axis].min(axis=1), kind="stable")
    room = len(rows) ** 2
    pairs, how = np.empty((room, 2), dtype=np.int64), np.empty(room, dtype=np.uint8)
    count = meetings(
        points, corner.reshape(-1).astype(np.int64), rows[order], np.ones((len(rows), 3), np.uint8),
        np.arange(len(rows))[order], np.array([0, len(rows)]), np.array([axis]), pairs, how,
    )  # fmt: skip
    named = np.sort(order[pairs[:count]], axis=1).tolist()
    return {(a, b): int(h) for (a, b), h in zip(named, how[:count], strict=True)}


def cross(a: list[Fraction], b: list[Fraction]) -> list[Fraction]:
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]


def less(a: object, b: object) -> list[Fraction]:
    return [Fraction(x) - Fraction(y) for x, y in zip(a, b, strict=True)]  # type: ignore[call-overload]


def dot(a: list[Fraction], b: list[Fraction]) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def reference(one: list[Point], other: list[Point]) -> int:
    """Return how triangles without a common corner meet, by cutting edges with planes."""
    normal = [cross(less(t[1], t[0]), less(t[2], t[0])) for t in (one, other)]
    if all(dot(normal[0], less(p, one[0])) == 0 for p in other):
        keep = [k for k in range(3) if k != int(np.argmax([abs(float(v)) for v in normal[0]]))]
        a, b = (shapely.Polygon([[p[k] for k in keep] for p in t]) for t in (one, other))
        if a.intersection(b).area > 0:
            return OVERLAPPING
        return TOUCHING if a.intersects(b) else APART
    met = APART
    for t, n, o in ((one, normal[0], other), (other, normal[1], one)):
        for p, q in combinations(o, 2):
            s, u = dot(n, less(p, t[0])), dot(n, less(q, t[0]))
            if s * u > 0 or (s == 0 and u == 0):
                continue  # an edge within the plane crosses edges: found from the other side
            part = s / (s - u)
            at = [Fraction(x) + part * (y - x) for x, y in zip(p, q, strict=True)]
            turns = [dot(n, cross(less(t[(k + 1) % 3], t[k]), less(at, t[k]))) for k in range(3)]
            if min(turns) > 0 and s * u < 0:
                met = max(met, CROSSING)
            elif min(turns) >= 0:
                met = max(met, TOUCHING)
    return met


def flat(t: list[Point]) -> bool:
    return not any(cross(less(t[1], t[0]), less(t[2], t[0])))


small = st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=3, max_size=3)
large = st.lists(st.tuples(*[st.integers(0, MOST_STEPS)] * 3), min_size=3, max_size=3)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.tuples(small, small), st.tuples(large, large)))
def test_two_triangles_meet_as_exact_fractions_say(pair: tuple[list[Point], list[Point]]) -> None:
    one, other = pair
    if flat(one) or flat(other) or set(one) & set(other):
        return
    assert found([one, other]).get((0, 1), APART) == reference(one, other)


def test_all_small_configurations_of_an_upright_triangle_are_right() -> None:
    floor: list[Point] = [(0, 0, 1), (4, 0, 1), (0, 4, 1)]
    wrong = []
    for x, y, top, low in product(range(-1, 5), range(-1, 5), (1, 2), (0, 1, 2)):
        other: list[Point] = [(x, y, low), (x + 1, y + 1, top), (x, y + 1, top)]
        apart = not flat(other) and not set(other) & set(floor)
        if apart and found([floor, other]).get((0, 1), APART) != reference(floor, other):
            wrong.append(other)
    assert wrong == []


def test_a_sweep_finds_every_pair_and_tells_how_many_where_room_is_short() -> None:
    rng = np.random.default_rng(5)
    at = rng.integers(0, 120, (100, 1, 3))
    triangles = [[tuple(p) for p in t] for t in (at + rng.integers(0, 60, (100, 3, 3))).tolist()]
    want = {
        (i, j): how
        for i, j in combinations(range(100), 2)
        if not flat(triangles[i]) and not flat(triangles[j])
        and not set(triangles[i]) & set(triangles[j])
        and (how := reference(triangles[i], triangles[j])) != APART
    }  # fmt: skip
    got = found(triangles)
    assert len(want) > 50 and {k: v for k, v in got.items() if k in want} == want
    assert all(set(triangles[i]) & set(triangles[j]) for i, j in got if (i, j) not in want)


def test_triangles_at_a_common_edge_meet_only_where_they_fold_onto_each_other() -> None:
    one: list[Point] = [(0, 0, 0), (9, 0, 0), (0, 9, 0)]
    assert found([one, [(9, 0, 0), (0, 0, 0), (0, -9, 0)]]) == {}
    assert found([one, [(9, 0, 0), (0, 0, 0), (3, 3, 5)]]) == {}
    assert found([one, [(9, 0, 0), (0, 0, 0), (2, 4, 0)]]) == {(0, 1): OVERLAPPING}
    assert found([one, [(0, 0, 0), (2, 3, 4), (3, 2, 4)]]) == {}
    assert found([one, [(0, 0, 0), (2, 3, 4), (9, 9, -4)]]) == {(0, 1): CROSSING}
    assert found([one, one[::-1]]) == {(0, 1): OVERLAPPING}
