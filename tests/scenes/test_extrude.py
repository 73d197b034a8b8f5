"""Footprints become closed bodies whose volume and faces follow from their plan."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from cim.model.arrays import Rings, rings
from scenes.extrude import FOOT, HEAD, ROOF, Body, caps, loops, prisms, walls
from tests.towns import layer

RECTANGLE = shapely.box(0, 0, 20, 10)
L_SHAPE = shapely.Polygon([(0, 0), (20, 0), (20, 8), (8, 8), (8, 18), (0, 18)])
U_SHAPE = shapely.Polygon([(0, 0), (24, 0), (24, 16), (16, 16), (16, 6), (8, 6), (8, 16), (0, 16)])
COURTYARD = shapely.Polygon(
    shapely.box(0, 0, 30, 20).exterior,
    [shapely.box(8, 6, 14, 14).exterior, shapely.box(18, 6, 24, 14).exterior],
)
TWO_HOUSES = shapely.MultiPolygon([RECTANGLE, affinity.translate(COURTYARD, 40, 0)])
SHAPES = {
    "rectangle": RECTANGLE,
    "L": L_SHAPE,
    "U": U_SHAPE,
    "courtyard": COURTYARD,
    "two houses of one owner": TWO_HOUSES,
}


def flat(*shapes: Any) -> Rings:
    return rings(layer("building", list(shapes)))


def raised(*shapes: Any, low: float = 2.0, high: float = 11.0, floors: bool = True) -> Body:
    plan = flat(*shapes)
    count = len(plan.polygon_start) - 1
    return prisms(plan, np.full(count, low), np.full(count, high), floors=floors)


def volume_m3(body: Body) -> float:
    """Volume by the divergence theorem: a sixth of the sum of a · (b × c) over the faces."""
    a, b, c = (body.vertices[body.triangles[:, i]] for i in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0)


def open_edges(body: Body) -> int:
    """Count edges that are not met by the same edge the other way round."""
    corners = np.round(body.vertices, 6)
    edges: Counter[tuple[Any, ...]] = Counter()
    for triangle in body.triangles:
        points = [tuple(corners[i]) for i in triangle]
        for a, b in zip(points, points[1:] + points[:1], strict=True):
            edges[(a, b) if a < b else (b, a)] += 1 if a < b else -1
    return sum(abs(n) for n in edges.values())


@pytest.mark.parametrize("name", SHAPES)
def test_a_prism_with_a_floor_is_closed(name: str) -> None:
    assert open_edges(raised(SHAPES[name])) == 0


@pytest.mark.parametrize("name", SHAPES)
def test_the_volume_is_area_times_height(name: str) -> None:
    assert volume_m3(raised(SHAPES[name])) == pytest.approx(SHAPES[name].area * 9.0, rel=1e-9)


@pytest.mark.parametrize("name", SHAPES)
def test_the_faces_are_two_a_wall_and_the_triangulation_of_the_roof(name: str) -> None:
    """A polygon of n corners and h holes has n - 2 + 2 h triangles (Euler)."""
    walls_, roof = 0, 0
    for part in shapely.get_parts(SHAPES[name]):
        corners = shapely.get_num_coordinates(part) - 1 - len(part.interiors)
        walls_ += 2 * corners
        roof += corners - 2 + 2 * len(part.interiors)
    assert len(raised(SHAPES[name], floors=False).triangles) == walls_ + roof
    assert len(raised(SHAPES[name]).triangles) == walls_ + 2 * roof


rectangles = st.tuples(*[st.floats(0.5, 200.0)] * 2).map(lambda s: shapely.box(0, 0, *s))


@st.composite
def stars(draw: st.DrawFn) -> shapely.Polygon:
    """Simple polygons around a point, seldom convex, with a hole of the same form or none."""
    radii = draw(st.lists(st.floats(3.0, 40.0), min_size=3, max_size=14))
    turn = np.arange(len(radii)) * 2 * np.pi / len(radii)
    shell = np.column_stack([np.cos(turn), np.sin(turn)]) * np.array(radii)[:, None]
    hole = [shell * 0.4] if draw(st.booleans()) else []
    return shapely.Polygon(shell, hole)


@settings(max_examples=40, deadline=None)
@given(st.one_of(rectangles, stars()), st.floats(-50, 50), st.floats(0.1, 300), st.floats(0, 360))
def test_any_prism_is_closed_and_holds_area_times_height(
    shape: shapely.Polygon, low: float, height: float, turn: float
) -> None:
    shape = affinity.rotate(shape, turn)
    if not shape.is_valid or shape.area < 0.2:
        return
    body = raised(shape, low=low, high=low + height)
    assert volume_m3(body) == pytest.approx(shape.area * height, rel=1e-6)
    assert open_edges(body) == 0


def test_walls_of_a_courtyard_face_into_it() -> None:
    plan = flat(COURTYARD)
    body = walls(loops(plan), np.zeros(1), np.full(1, 9.0))
    a, b, c = (body.vertices[body.triangles[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)[:, :2]
    normal /= np.hypot(*normal.T)[:, None]
    middle = ((a + b + c) / 3.0)[:, :2]
    just_outside = shapely.points(middle + 0.01 * normal)
    just_inside = shapely.points(middle - 0.01 * normal)
    assert not shapely.contains(COURTYARD, just_outside).any()
    assert shapely.contains(COURTYARD, just_inside).all()


def test_roofs_look_up_and_floors_down_whatever_way_the_ring_was_drawn() -> None:
    backwards = shapely.Polygon(list(L_SHAPE.exterior.coords)[::-1])
    for shape in (L_SHAPE, backwards, COURTYARD):
        plan = flat(shape)
        for up in (True, False):
            body = caps(plan, loops(plan), np.full(1, 5.0), up=up)
            a, b, c = (body.vertices[body.triangles[:, i]] for i in range(3))
            area = np.cross(b - a, c - a)[:, 2] / 2.0
            assert ((area > 0) == up).all()
            assert abs(area.sum()) == pytest.approx(shape.area)


def test_vertices_know_their_polygon_and_what_they_are() -> None:
    body = raised(RECTANGLE, TWO_HOUSES, low=1.0, high=4.0, floors=False)
    assert set(body.owner) == {0, 1, 2}
    assert (body.vertices[body.part == FOOT, 2] == 1.0).all()
    assert (body.vertices[body.part != FOOT, 2] == 4.0).all()
    assert {int(p) for p in body.part} == {FOOT, HEAD, ROOF}
    assert (body.owner[body.triangles] == body.owner[body.triangles[:, :1]]).all()


def test_repeated_points_of_a_ring_make_no_wall() -> None:
    doubled = shapely.Polygon([(0, 0), (20, 0), (20, 0), (20, 10), (0, 10), (0, 10)])
    assert len(raised(doubled).triangles) == len(raised(RECTANGLE).triangles)


def test_objects_without_a_polygon_have_no_body() -> None:
    body = raised(None, shapely.Point(1, 1), shapely.Polygon())
    assert len(body.triangles) == 0


def test_the_pattern_over_a_wall_runs_in_metres_along_it_and_from_foot_to_head() -> None:
    body = walls(loops(flat(RECTANGLE)), np.zeros(1), np.full(1, 9.0), uv=True)
    assert body.uv is not None
    assert sorted(set(body.uv[:, 0])) == [0.0, 10.0, 20.0]
    assert (body.uv[body.part == FOOT, 1] == 0).all()
    assert (body.uv[body.part == HEAD, 1] == 1).all()
