"""A twin becomes drawables: everything is drawn once, and what cannot be is named."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import shapely

from cim.errors import RequestError
from cim.model import (
    Edit,
    FeatureTable,
    Grid,
    GridFrame,
    Instance,
    Material,
    Mesh,
    MeshPool,
    Scheme,
    SchemedView,
    Twin,
)
from cim.model.result import Result, ResultField
from cim.model.twin import Bounds
from scenes import city, palette
from scenes.compose import Picture, compose
from scenes.scene import Scene
from tests.towns import EAST, FRAME, NORTH, box, layer, town

SMALL = Scene(size=(160, 90))
BOX_TRIANGLES = 10  # four walls and a flat roof


def faces_of(picture: Picture, id_: str) -> np.ndarray:
    """Return the corners (k, 3, 3) of all triangles drawn for an object."""
    found = [np.empty((0, 3, 3))]
    for surface in picture.surfaces:
        for who in np.flatnonzero(surface.ids == id_):
            mine = surface.triangles[surface.owner == who]
            found.append(surface.vertices[mine].astype(np.float64))
    return np.concatenate(found)


def colours_of(picture: Picture, id_: str) -> set[tuple[int, ...]]:
    """Return the colours of all corners drawn for an object."""
    found: set[tuple[int, ...]] = set()
    for surface in picture.surfaces:
        for who in np.flatnonzero(surface.ids == id_):
            corners = np.unique(surface.triangles[surface.owner == who])
            found.update(tuple(int(v) for v in c) for c in np.unique(surface.rgb[corners], axis=0))
    return found


def ground_at(picture: Picture, x: float, y: float) -> tuple[int, ...]:
    """Return the colour of the ground at a place, metres from the town's origin."""
    image, points = picture.ground.image, picture.ground.points
    west, north = points[0, 0, 0], points[0, 0, 1]
    east, south = points[-1, -1, 0], points[-1, -1, 1]
    u = (EAST + x - picture.origin.x - west) / (east - west)
    v = (north - (NORTH + y - picture.origin.y)) / (north - south)
    high, wide, _ = image.shape
    return tuple(int(c) for c in image[int(v * high), int(u * wide)])


def with_layers(base: Twin, *tables: FeatureTable, pool: MeshPool | None = None) -> Twin:
    merged = {**base.tables, **{t.layer: t for t in tables}}
    return replace(base, tables=merged, pool=pool or base.pool)


def houses(**columns: list[Any]) -> FeatureTable:
    """Three houses in a row."""
    return layer("building", [box(20 + 40 * i, 60, 14, 10) for i in range(3)], **columns)


def a_shell(owner: str, *, lod: str = "3", broken: float | None = None) -> MeshPool:
    """One tetrahedron of a pool, standing at (30, 30) on 3 m."""
    corners = np.array([(0, 0, 0), (10, 0, 0), (0, 10, 0), (0, 0, 9)], dtype=np.float32)
    if broken is not None:
        corners[3, 2] = broken
    mesh = Mesh(
        vertices=corners,
        triangles=np.array([(0, 2, 1), (0, 1, 3), (1, 2, 3), (2, 0, 3)], dtype=np.int32),
        surface=np.zeros(4, dtype=np.uint8),
        material=np.zeros(4, dtype=np.int32),
    )
    matrix = np.eye(4)
    matrix[:3, 3] = (EAST + 30.0, NORTH + 30.0, 3.0)
    return MeshPool(
        meshes={"msh-1": mesh},
        materials=(Material("red", (1.0, 0.0, 0.0, 1.0)),),
        instances=(Instance(owner, "msh-1", matrix, lod, 3),),
    )


def on_houses(table: FeatureTable, values: list[float]) -> Result:
    field = ResultField(
        "share",
        "1",
        "objects",
        np.array(values),
        {"en": "share", "zh": "份额"},
        table.layer,
        table.ids,
    )
    return Result("example", {"en": "e", "zh": "例"}, (field,), {}, {}, 1, "cim-twin test", True)


def test_every_object_of_a_town_is_drawn_once_and_counted() -> None:
    picture = compose(SMALL, town())
    assert picture.objects == 12 + 4 + 30
    assert picture.failed == {} and picture.without_height == 0
    for id_ in town().table("building").ids:
        assert len(faces_of(picture, id_)) == BOX_TRIANGLES


def test_a_house_stands_where_it_lies_on_its_ground_and_is_as_high_as_it_is() -> None:
    view = town()
    picture = compose(SMALL, view)
    table = view.table("building")
    o = picture.origin
    for i, id_ in enumerate(table.ids):
        corners = faces_of(picture, id_).reshape(-1, 3) + (o.x, o.y, o.z)
        np.testing.assert_allclose(
            [*corners[:, :2].min(axis=0), *corners[:, :2].max(axis=0)],
            table.geometry[i].bounds,
            atol=1e-3,
        )
        middle = shapely.get_coordinates(table.geometry[i].centroid)
        ground = float(view.grid("terrain").sample(middle)[0])
        height = table.numbers("height_m")[i]
        assert corners[:, 2].max() == pytest.approx(ground + height, abs=0.01)
        around = view.grid("terrain").sample(shapely.get_coordinates(table.geometry[i]))
        assert corners[:, 2].min() < around.min()  # no light under its walls


def test_houses_without_height_are_flat_marked_and_counted() -> None:
    table = houses(height_m=[None, 9.0, None], storeys_above=[None, None, 4])
    picture = compose(SMALL, with_layers(town(houses=1), table))
    flat, known, storeys = table.ids
    assert picture.without_height == 1
    assert palette.NO_HEIGHT in colours_of(picture, flat)
    assert palette.NO_HEIGHT not in colours_of(picture, known) | colours_of(picture, storeys)
    assert np.ptp(faces_of(picture, flat)[..., 2]) < 1.5
    assert np.ptp(faces_of(picture, storeys)[..., 2]) > 11.0


def test_a_house_without_height_does_not_sink_into_a_slope() -> None:
    base = town(houses=1)
    frame = GridFrame(EAST - 50, NORTH + 250, 1.0, 300, 300)
    slope = np.tile(np.arange(300, dtype=np.float32) * 0.5, (300, 1))  # one in two, to the east
    table = houses(height_m=[None] * 3)
    view = replace(
        with_layers(base, table), rasters={"terrain": Grid("terrain", frame, slope, "m")}
    )
    picture = compose(SMALL, view)
    for row, one in enumerate(table.ids):
        top = faces_of(picture, one)[..., 2].max() + picture.origin.z
        assert top == pytest.approx(0.5 * (50 + 20 + 40 * row + 14 - 0.5) + 0.3, abs=0.3)


@pytest.mark.parametrize("height_m", [0.0, -4.0])
def test_an_impossible_height_counts_as_none(height_m: float) -> None:
    table = houses(height_m=[height_m, 9.0, 9.0])
    picture = compose(SMALL, with_layers(town(houses=1), table))
    assert picture.without_height == 1
    assert palette.NO_HEIGHT in colours_of(picture, table.ids[0])


def test_a_house_with_a_shell_of_its_own_is_drawn_from_it_alone() -> None:
    table = houses(height_m=[9.0] * 3)
    picture = compose(SMALL, with_layers(town(houses=1), table, pool=a_shell(table.ids[1])))
    assert [len(faces_of(picture, i)) for i in table.ids] == [BOX_TRIANGLES, 4, BOX_TRIANGLES]
    o = picture.origin
    corners = faces_of(picture, table.ids[1]).reshape(-1, 3) + (o.x, o.y, o.z)
    np.testing.assert_allclose(corners.min(axis=0), (EAST + 30, NORTH + 30, 3.0), atol=1e-3)
    np.testing.assert_allclose(corners.max(axis=0), (EAST + 40, NORTH + 40, 12.0), atol=1e-3)
    assert colours_of(picture, table.ids[1]) == {(255, 0, 0)}
    assert picture.objects == compose(SMALL, with_layers(town(houses=1), table)).objects


def test_parts_of_a_house_drawn_from_meshes_are_not_drawn_again() -> None:
    table = houses(height_m=[9.0] * 3)
    parts = layer(
        "building_part",
        [box(20, 60, 7, 10), box(27, 60, 7, 10), box(60, 60, 7, 10)],
        parent=[table.ids[0], table.ids[0], table.ids[1]],
        height_m=[9.0] * 3,
    )
    view = with_layers(town(houses=1), table, parts, pool=a_shell(table.ids[0]))
    picture = compose(SMALL, view)
    assert [len(faces_of(picture, i)) for i in parts.ids] == [0, 0, BOX_TRIANGLES]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_broken_coordinates_in_a_mesh_spoil_nothing_else(value: float) -> None:
    table = houses(height_m=[9.0] * 3)
    pool = a_shell(table.ids[1], broken=value)
    picture = compose(SMALL, with_layers(town(houses=1), table, pool=pool))
    assert picture.failed == {}
    for surface in picture.surfaces:
        assert np.isfinite(surface.vertices).all()
    assert len(faces_of(picture, table.ids[0])) == BOX_TRIANGLES
    assert 0 < len(faces_of(picture, table.ids[1])) < 4
    assert np.isfinite(picture.camera.position).all()


@dataclass(frozen=True)
class Leaky(Twin):
    """A twin whose trees cannot be read."""

    def table(self, layer: str, *, bounds: Bounds | None = None) -> FeatureTable:
        if layer == "tree":
            raise RuntimeError("the trees are gone")
        return super().table(layer, bounds=bounds)


def test_a_layer_that_fails_is_named_and_the_others_stay() -> None:
    base = town()
    view = Leaky(base.name, base.frame, base.tables, base.rasters)
    picture = compose(SMALL, view)
    assert list(picture.failed) == ["tree"]
    assert "the trees are gone" in picture.failed["tree"]
    assert picture.objects == 12 + 4


def test_the_picture_is_of_the_buildings_not_of_a_far_district_border() -> None:
    far = layer("admin_unit", [box(-9000, -9000, 20000, 20000)])
    x0, y0, x1, y1 = city.extent(with_layers(town(), far)) or (0.0,) * 4
    assert EAST - 50 < x0 < EAST + 20.0 and NORTH - 50 < y0 < NORTH + 20.0
    assert x1 < EAST + 250 and y1 < NORTH + 250


def test_an_empty_twin_says_what_to_do() -> None:
    with pytest.raises(RequestError) as caught:
        compose(SMALL, Twin(name="nothing", frame=FRAME))
    assert caught.value.key == "scenes.empty"
    assert city.extent(Twin(name="nothing", frame=FRAME)) is None


def test_a_twin_of_empty_layers_is_empty_too() -> None:
    view = Twin(name="hollow", frame=FRAME, tables={"building": layer("building", [])})
    with pytest.raises(RequestError) as caught:
        compose(SMALL, view)
    assert caught.value.key == "scenes.empty"


def test_objects_without_a_place_are_passed_over() -> None:
    tables = [
        layer("building", [box(20, 20, 14, 10), None, shapely.Polygon()], height_m=[9.0] * 3),
        layer("tree", [None, shapely.Point(), shapely.Point(EAST + 5, NORTH + 5)]),
        layer(
            "road",
            [None, shapely.LineString(), shapely.LineString([(EAST, NORTH), (EAST + 90, NORTH)])],
        ),
        layer("water", [None, shapely.Polygon(), box(50, 50, 10, 10)]),
        layer("sensor", [None, shapely.Point(), shapely.Point(EAST + 9, NORTH + 9)]),
        layer(
            "wall",
            [None, shapely.LineString(), shapely.LineString([(EAST, NORTH), (EAST, NORTH + 9)])],
        ),
    ]
    picture = compose(SMALL, with_layers(town(), *tables))
    assert picture.failed == {}
    assert all(np.isfinite(s.vertices).all() for s in picture.surfaces)


@pytest.mark.parametrize("layers", [None, ("terrain",)])
def test_a_twin_of_ground_alone_has_a_picture(layers: tuple[str, ...] | None) -> None:
    view = Twin(name="dem", frame=FRAME, rasters=town().rasters)
    picture = compose(replace(SMALL, layers=layers), view)
    assert picture.objects == 0 and picture.failed == {}
    assert np.ptp(picture.ground.points[..., 2]) > 0.3


def test_the_ground_alone_can_be_asked_for() -> None:
    picture = compose(replace(SMALL, layers=("terrain",)), town())
    assert picture.objects == 0
    assert all(len(faces_of(picture, i)) == 0 for i in town().table("building").ids)


def test_only_the_layers_asked_for_are_drawn() -> None:
    assert compose(replace(SMALL, layers=("building",)), town()).objects == 12
    assert compose(replace(SMALL, layers=("road", "tree")), town()).objects == 34


def test_a_layer_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(RequestError) as caught:
        compose(replace(SMALL, layers=("castle",)), town())
    assert "castle" in str(caught.value) and "building" in str(caught.value)


@pytest.mark.parametrize(
    "bounds", [(10.0, 10.0, 0.0, 20.0), (0.0, 0.0, np.nan, 1.0), (5.0, 5.0, 5.0, 9.0)]
)
def test_a_box_that_is_none_is_refused(bounds: Bounds) -> None:
    with pytest.raises(RequestError):
        compose(replace(SMALL, bounds=bounds), town())


def test_a_box_far_from_the_town_shows_level_ground() -> None:
    picture = compose(
        replace(SMALL, bounds=(EAST + 5e4, NORTH, EAST + 5e4 + 100, NORTH + 100)), town()
    )
    assert picture.objects == 0
    assert np.isfinite(picture.camera.position).all()


def test_a_result_recolours_houses_by_id() -> None:
    view = town(houses=3)
    table = view.table("building")
    result = on_houses(table, [0.0, 1.0, 0.0])
    picture = compose(SMALL, view, result)
    assert picture.drawing is not None
    wanted = picture.drawing.objects["building"]
    for id_ in table.ids:
        assert wanted[id_] in colours_of(picture, id_)
    first, second, third = (colours_of(picture, i) for i in table.ids)
    assert first == third != second


def test_houses_a_result_says_nothing_of_are_grey() -> None:
    view = town(houses=3)
    table = view.table("building")
    two = on_houses(table.take(np.array([0, 1])), [0.0, 1.0])
    picture = compose(SMALL, view, two)
    assert palette.NO_VALUE in colours_of(picture, table.ids[2])


def test_a_result_recolours_a_shell_too() -> None:
    table = houses(height_m=[9.0] * 3)
    view = with_layers(town(houses=1), table, pool=a_shell(table.ids[1]))
    picture = compose(SMALL, view, on_houses(table, [0.0, 1.0, 0.0]))
    assert picture.drawing is not None
    assert picture.drawing.objects["building"][table.ids[1]] in colours_of(picture, table.ids[1])


def test_a_result_on_streets_is_painted_on_them() -> None:
    view = town()
    road = view.table("road")
    field = ResultField(
        "load", "1", "links", np.array([0.0, 1.0, 0.0, 0.0]), {"en": "load"}, "road", road.ids
    )
    result = Result("example", {"en": "e"}, (field,), {}, {}, 1, "test", True)
    picture = compose(replace(SMALL, layers=("road",)), view, result)
    assert picture.drawing is not None
    wanted = picture.drawing.objects["road"]
    assert ground_at(picture, 40, 105) == wanted[road.ids[0]]
    assert ground_at(picture, 160, 105) == wanted[road.ids[1]] != wanted[road.ids[0]]


def test_a_result_on_a_grid_is_painted_where_its_cells_lie() -> None:
    view = town()
    frame = GridFrame(west=EAST, north=NORTH + 200.0, cell_m=50.0, rows=4, cols=4)
    values = np.full((4, 4), np.nan)
    values[0, 3] = 1.0
    field = ResultField("x", "m", "grid", values, {"en": "x"})
    result = Result("example", {"en": "e"}, (field,), {}, {}, 1, "test", True, grid=frame)
    picture = compose(replace(SMALL, layers=("terrain",)), view, result)
    assert picture.drawing is not None and picture.drawing.cells is not None
    wanted = picture.drawing.cells[0, 3, :3].astype(float)
    shown = np.array(ground_at(picture, 175, 175), dtype=float)
    bare = np.array(ground_at(picture, 25, 25), dtype=float)
    assert np.abs(shown - wanted).max() < np.abs(bare - wanted).max() / 3
    assert ground_at(picture, 25, 175) == ground_at(picture, 175, 25) == tuple(bare.astype(int))


def test_a_house_added_by_a_scheme_stands_in_the_picture() -> None:
    base = town()
    new = Edit(
        op="add",
        layer="building",
        id="bld-new",
        values={"height_m": 30.0},
        geometry=box(120, 120, 20, 20),
    )
    gone = Edit(op="remove", layer="building", id=base.table("building").ids[0])
    picture = compose(SMALL, SchemedView(base, Scheme("s", base.version, (new, gone))))
    assert len(faces_of(picture, "bld-new")) == BOX_TRIANGLES
    assert len(faces_of(picture, gone.id)) == 0
    assert picture.objects == compose(SMALL, base).objects


def test_a_street_closed_by_a_scheme_shows() -> None:
    base = town()
    road = base.table("road")
    closed = Edit(op="change", layer="road", id=road.ids[0], values={"closed": True})
    plain = compose(replace(SMALL, layers=("road",)), base)
    picture = compose(
        replace(SMALL, layers=("road",)), SchemedView(base, Scheme("s", base.version, (closed,)))
    )
    assert ground_at(picture, 40, 105) != ground_at(plain, 40, 105)
    assert ground_at(picture, 160, 105) == ground_at(plain, 160, 105)


def test_ground_dug_by_a_scheme_shows() -> None:
    base = town()
    dug = Edit(
        op="terrain", layer="terrain", values={"delta_m": -5.0}, geometry=box(80, 80, 40, 40)
    )
    points = [
        compose(replace(SMALL, layers=("terrain",)), view).ground.points[..., 2]
        for view in (base, SchemedView(base, Scheme("s", base.version, (dug,))))
    ]
    assert np.ptp(points[1]) > np.ptp(points[0]) + 4.0


def test_trees_stand_on_the_ground_at_their_own_height() -> None:
    view = town()
    picture = compose(SMALL, view)
    table = view.table("tree")
    ground = view.grid("terrain").sample(shapely.get_coordinates(table.geometry))
    for i, id_ in enumerate(table.ids[:8]):
        corners = faces_of(picture, id_).reshape(-1, 3)
        assert corners[:, 2].max() + picture.origin.z == pytest.approx(ground[i] + 7.0, abs=0.02)
        assert corners[:, 2].min() + picture.origin.z == pytest.approx(ground[i], abs=0.35)
        assert np.ptp(corners[:, 0]) == pytest.approx(5.0, rel=0.1)


def test_layers_are_painted_from_below_up() -> None:
    names = ["road", "pipe", "water", "parcel", "green", "land_use"]
    ordered = sorted(names, key=city.order)
    assert ordered == ["land_use", "parcel", "green", "water", "road", "pipe"]


def test_pipes_are_painted_only_when_the_underground_is_asked_for() -> None:
    line = shapely.LineString([(EAST + 10, NORTH + 20), (EAST + 190, NORTH + 20)])
    view = with_layers(town(), layer("pipe", [line], system=["storm"], diameter_m=[1.2]))
    plain, deep = (
        compose(replace(SMALL, layers=("pipe",), underground=u), view) for u in (False, True)
    )
    assert (plain.objects, deep.objects) == (0, 1)
    assert ground_at(plain, 100, 20) != ground_at(deep, 100, 20)


def test_several_layers_of_one_kind_are_all_drawn() -> None:
    more = layer("building/towers", [box(150, 150, 10, 10)], height_m=[60.0], source_id=["tower"])
    picture = compose(SMALL, with_layers(town(), more))
    assert len(faces_of(picture, more.ids[0])) == BOX_TRIANGLES
    assert picture.objects == 12 + 1 + 4 + 30


def test_a_terrain_full_of_holes_carries_its_houses_all_the_same() -> None:
    base = town()
    values = base.grid("terrain").values.copy()
    values[::2] = np.nan
    holes = Grid("terrain", base.grid("terrain").frame, values, "m")
    picture = compose(SMALL, replace(base, rasters={"terrain": holes}))
    assert picture.failed == {}
    assert all(np.isfinite(s.vertices).all() for s in picture.surfaces)
