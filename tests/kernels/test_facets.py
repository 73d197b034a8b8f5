"""Faces to triangles: area kept, holes left open, nothing lost; checked against GEOS."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cim.model.facets import facets, faults
from kernels.spatial.facets import DEGENERATE, FAILED, GOOD, TOO_FEW


def ints(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int32)


def face_of(polygon: shapely.Polygon, basis: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
    """Return a polygon as one face, in a plane in space."""
    rings = [shapely.get_coordinates(r)[:-1] for r in shapely.get_rings(polygon)]
    xy = np.concatenate(rings)
    points = np.column_stack([xy, np.zeros(len(xy))])
    if basis is not None:
        points = points @ basis.T + [1000.0, -500.0, 30.0]
    starts = np.cumsum([0, *(len(r) for r in rings)])
    return points, starts.astype(np.int32), ints([0, len(rings)])


def area_of(points: np.ndarray, triangles: np.ndarray) -> float:
    corners = points[triangles]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return float(np.linalg.norm(cross, axis=1).sum() / 2)


def star(rng: np.random.Generator, n: int, middle: tuple[float, float], size: float) -> np.ndarray:
    angle = (np.arange(n) + rng.uniform(0.1, 0.9, n)) * 2 * np.pi / n
    far = rng.uniform(0.3, 1.0, n) * size
    return np.column_stack([middle[0] + far * np.cos(angle), middle[1] + far * np.sin(angle)])


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), corners=st.integers(5, 60), holes=st.integers(0, 6))
def test_any_valid_polygon_is_cut_into_triangles_of_its_area(
    seed: int, corners: int, holes: int
) -> None:
    rng = np.random.default_rng(seed)
    polygon = shapely.Polygon(np.round(star(rng, corners, (0, 0), 50.0), 3))
    for _ in range(holes):
        x, y = rng.uniform(-30, 30, 2)
        polygon = polygon.difference(shapely.Polygon(np.round(star(rng, 5, (x, y), 6.0), 3)))
    polygon = max(shapely.get_parts(polygon), key=shapely.area)
    polygon = shapely.set_precision(polygon, 0.001)
    if polygon.geom_type != "Polygon" or polygon.area < 1.0 or not polygon.is_valid:
        return
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    points, rings, faces = face_of(polygon, turn)
    found = facets(points, rings, faces)
    assert found.drawn.all()
    assert area_of(points, found.triangles) == pytest.approx(polygon.area, rel=1e-6)
    assert found.off_plane_m.max() < 1e-9
    # all triangles lie inside and face one way
    flat = found.flat[found.triangles]
    one, two = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    assert (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0] > 0).all()


def test_a_square_with_a_square_hole_and_a_touching_notch() -> None:
    outer = [(0, 0), (10, 0), (10, 10), (6, 10), (6, 6), (4, 6), (4, 10), (0, 10)]
    polygon = shapely.Polygon(outer, [[(1, 1), (3, 1), (3, 3), (1, 3)], [(6, 1), (9, 1), (9, 4)]])
    points, rings, faces = face_of(polygon)
    found = facets(points, rings, faces)
    assert area_of(points, found.triangles) == pytest.approx(polygon.area, rel=1e-12)


@pytest.mark.parametrize("turn", range(4))
def test_a_dart_is_split_along_the_diagonal_inside_it(turn: int) -> None:
    dart = np.roll([[0, 0, 0], [4, 0, 0], [1, 1, 0], [0, 4, 0]], turn, axis=0).astype(float)
    found = facets(dart, ints([0, 4]), ints([0, 1]))
    assert area_of(dart, found.triangles) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("ring", "status", "code"),
    [
        ([[0, 0, 0], [1, 0, 0]], TOO_FEW, 101),
        ([[0, 0, 0], [1, 0, 0], [2, 0, 0]], DEGENERATE, 101),
        ([[0, 0, 0], [4, 4, 0], [4, 0, 0], [0, 4, 0]], DEGENERATE, 104),
        ([[0, 0, 0], [4, 4, 0], [4, 0, 0], [0, 5, 0]], FAILED, 104),
    ],
)
def test_a_face_that_cannot_be_cut_says_why(
    ring: list[list[float]], status: int, code: int
) -> None:
    points = np.array(ring, dtype=float)
    rings, faces = ints([0, len(ring)]), ints([0, 1])
    found = facets(points, rings, faces)
    assert found.status[0] == status and not found.drawn[0] and not len(found.triangles)
    assert [f.code for f in faults(points, rings, faces, found, plane_m=0.01)] == [code]


def test_a_face_of_ten_thousand_corners_is_cut_by_geos() -> None:
    angle = np.linspace(0, 2 * np.pi, 10_000, endpoint=False)
    far = 50 + 5 * np.cos(40 * angle)
    polygon = shapely.Polygon(np.column_stack([far * np.cos(angle), far * np.sin(angle)]))
    points, rings, faces = face_of(polygon)
    found = facets(points, rings, faces)
    assert found.status[0] == GOOD
    assert area_of(points, found.triangles) == pytest.approx(polygon.area, rel=1e-9)


def test_faces_at_map_coordinates_lose_nothing() -> None:
    square = np.array([[0, 0, 0], [0.02, 0, 0], [0.02, 0, 0.02], [0, 0, 0.02]])
    points = square + [517000.123, 4330600.456, 3.2]
    found = facets(points, ints([0, 4]), ints([0, 1]))
    assert area_of(points, found.triangles) == pytest.approx(4e-4, rel=1e-6)


def test_a_bent_face_says_how_far_it_bends() -> None:
    points = np.array([[0, 0, 0], [4, 0, 0], [4, 4, 0.4], [0, 4, 0]], dtype=float)
    rings, faces = ints([0, 4]), ints([0, 1])
    found = facets(points, rings, faces)
    (fault,) = faults(points, rings, faces, found, plane_m=0.01)
    assert fault.code == 203 and fault.drawn and fault.distance_m == pytest.approx(0.1, abs=0.02)
