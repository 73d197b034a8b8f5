"""The model: kinds, tables, grids, ids, edits, schemes, networks, meshes, results."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cim.errors import RequestError, ShapeError
from cim.model import (
    Derived,
    Edit,
    Grid,
    GridFrame,
    Instance,
    Material,
    Mesh,
    MeshPool,
    Result,
    ResultField,
    Scheme,
    SchemedView,
    apply_to_grid,
    as_column,
    concat,
    content_ids,
    empty_table,
    kind,
    kinds,
    mesh_id,
    network,
    own_ids,
    rings,
)
from cim.model.twin import fitting_cell_m
from tests.towns import EAST, NORTH, box, layer, town

# the types of CityJSON 2.0, chapter "City Objects"
CITYJSON = set(
    """Bridge Building BuildingPart BuildingStorey BuildingRoom BuildingUnit
    BuildingConstructiveElement CityFurniture GenericCityObject LandUse PlantCover Road
    SolitaryVegetationObject TINRelief Tunnel WaterBody""".split()
)


def test_every_kind_has_both_names_a_prefix_of_its_own_and_a_known_cityjson_type() -> None:
    table = kinds()
    assert len({k.prefix for k in table.values()}) == len(table)
    for one in table.values():
        assert (
            one.en and one.zh and one.carrier in ("polygon", "line", "point", "grid", "any", "none")
        )
        assert one.cityjson in CITYJSON or one.cityjson.startswith("+"), one.name
        for field in one.fields:
            assert field.en and field.zh
            assert field.unit or field.type not in ("real", "integer"), field.name


def test_an_unknown_kind_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(RequestError, match=r"castle.*building"):
        kind("castle")


def test_ids_are_equal_for_equal_sources_in_any_order() -> None:
    a = own_ids("building", "survey", ["7", "8"])
    b = own_ids("building", "survey", ["8", "7"])
    assert a == b[::-1] and len(set(a)) == 2
    assert own_ids("building", "other", ["7"]) != a[:1]
    assert all(i.startswith("bld-") for i in a)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 3), st.floats(-0.004, 0.004))
def test_content_ids_ignore_where_a_ring_starts_and_millimetres(turn: int, shift_m: float) -> None:
    corners = [(0.0, 0.0), (9.0, 0.0), (9.0, 5.0), (0.0, 5.0)]
    one = shapely.Polygon(corners)
    turned = shapely.Polygon([(x + shift_m, y) for x, y in corners[turn:] + corners[:turn]])
    record = {"name": ["甲"], "height_m": [3.0], "use": [None], "year": [float("nan")]}
    want = content_ids("building", [one], {"height_m": [3.0], "name": ["甲"]})
    assert content_ids("building", [turned], record) == want


def test_columns_keep_missing_values_apart_from_zero_and_empty() -> None:
    numbers = as_column([0, None, "", "2.5"], "real")
    assert numbers[0] == 0 and np.isnan(numbers[1:3]).all() and numbers[3] == 2.5
    assert list(as_column(["", None, 3], "text")) == ["", None, "3"]
    with pytest.raises(ShapeError, match="3层"):
        as_column(["3层"], "integer")


def test_a_table_refuses_columns_of_another_length() -> None:
    table = town().table("building")
    with pytest.raises(ShapeError):
        type(table)("building", table.ids, table.geometry[:-1], table.columns, table.fields)


def test_tables_of_one_layer_join_and_lacking_columns_are_missing() -> None:
    houses = town(houses=4).table("building")
    more = layer("building", [box(0, 0, 5, 5)], source_id=["x"])
    both = concat([houses, more])
    assert len(both) == 5 and both.row(4).get("height_m") is None
    with pytest.raises(ShapeError):
        concat([houses, town().table("tree")])


def test_a_grid_is_sampled_between_cell_centres() -> None:
    values = np.array([[1.0, 2.0], [3.0, np.nan]], dtype=np.float32)
    grid = Grid("terrain", GridFrame(0.0, 2.0, 1.0, 2, 2), values, "m")
    got = grid.sample(np.array([[0.5, 1.5], [1.0, 1.5], [0.5, 1.0], [5.0, 5.0], [1.4, 0.4]]))
    assert got[0] == 1.0
    assert np.isnan(got[3]) and np.isnan(got[4])
    # beside a missing cell the cell's own value counts
    assert got[1] in (1.0, 2.0) and got[2] in (1.0, 3.0)
    clean = Grid("terrain", grid.frame, np.array([[1, 2], [3, 4]], dtype=np.float32), "m")
    assert clean.sample(np.array([[1.0, 1.0]]))[0] == pytest.approx(2.5)


def test_coarser_cells_are_means_of_the_valid_ones_and_keep_their_corner() -> None:
    values = np.arange(16, dtype=np.float32).reshape(4, 4)
    values[0, 0] = np.nan
    grid = Grid("terrain", GridFrame(10.0, 20.0, 1.0, 4, 4), values, "m").coarsened(2)
    assert grid.frame == GridFrame(10.0, 20.0, 2.0, 2, 2)
    assert grid.values[0, 0] == pytest.approx((1 + 4 + 5) / 3)
    assert grid.values[1, 1] == pytest.approx((10 + 11 + 14 + 15) / 4)


def test_a_window_keeps_cells_that_touch_and_refuses_what_lies_outside() -> None:
    grid = town().grid("terrain")
    part = grid.window((EAST + 10.5, NORTH + 20.5, EAST + 12.5, NORTH + 21.5))
    assert part.frame.shape == (2, 3)
    with pytest.raises(RequestError):
        grid.window((0, 0, 1, 1))


def test_a_scheme_changes_what_it_names_and_leaves_the_base_alone() -> None:
    base = town()
    houses = base.table("building")
    first, second, third = (str(i) for i in houses.ids[:3])
    plan = Scheme(
        "plan",
        base.version,
        (
            Edit("remove", "building", first),
            Edit("change", "building", second, {"height_m": 99.0, "colour": "红"}),
            Edit("move", "building", third, {"dx_m": 5.0}),
            Edit("add", "building", "bld-new", {"height_m": 30.0}, box(150, 150, 9, 9)),
            Edit("terrain", "terrain", values={"delta_m": -1.0}, geometry=box(0, 0, 10, 10)),
        ),
    )
    view = SchemedView(base, plan)
    table = view.table("building")
    rows = {r["id"]: r for r in (table.row(i) for i in range(len(table)))}
    assert first not in rows and rows[second]["height_m"] == 99.0 and rows[second]["colour"] == "红"
    assert rows["bld-new"]["height_m"] == 30.0
    assert view.layers()["building"] == len(table) == len(houses)
    before = houses.geometry[2].bounds[0]
    assert table.geometry[table.position()[third]].bounds[0] == pytest.approx(before + 5.0)
    dug = view.grid("terrain").values - base.grid("terrain").values
    assert (dug != 0).sum() == 100 and dug.min() == pytest.approx(-1.0, abs=1e-5)
    assert first in base.table("building").ids


@pytest.mark.parametrize(
    "edit",
    [
        Edit("remove", "building", "bld-none"),
        Edit("change", "building", "bld-none", {"height_m": 1.0}),
        Edit("terrain", "terrain", values={"height_m": 1.0}),
    ],
)
def test_an_edit_of_what_is_not_there_is_an_error(edit: Edit) -> None:
    base = town()
    with pytest.raises(RequestError):
        if edit.op == "terrain":
            apply_to_grid(base.grid("terrain"), [edit])
        else:
            SchemedView(base, Scheme("s", 1, (edit,))).table("building")


def test_a_network_has_both_ways_one_ways_and_no_closed_links() -> None:
    lines = [
        shapely.LineString([(0, 0), (10, 0)]),
        shapely.LineString([(10, 0.004), (10, 5)]),
        shapely.LineString([(0, 0), (10, 5)]),
        shapely.LineString([(10, 5), (20, 5)]),
    ]
    roads = layer(
        "road", lines, oneway=["no", "yes", "reverse", "no"], closed=[False, False, False, True]
    )
    net = network(roads)
    assert len(net.node_xy) == 4  # the closed link's far end stays a node
    links = {(int(f), bool(d)) for f, d in zip(net.feature, net.forward, strict=True)}
    assert links == {(0, True), (0, False), (1, True), (2, False)}
    assert net.length_m[0] == 10.0


def test_a_line_in_two_parts_is_no_link() -> None:
    broken = shapely.MultiLineString([[(0, 0), (1, 0)], [(5, 5), (6, 5)]])
    with pytest.raises(RequestError, match="single line"):
        network(layer("road", [broken]))


def test_rings_are_closed_and_turn_the_right_way() -> None:
    holed = shapely.Polygon([(0, 0), (0, 9), (9, 9), (9, 0)], [[(2, 2), (4, 2), (4, 4), (2, 4)]])
    flat = rings(
        layer("building", [holed, None, shapely.MultiPolygon([box(0, 0, 1, 1), box(5, 5, 1, 1)])])
    )
    assert flat.feature.tolist() == [0, 2, 2]
    areas = []
    for start, end in zip(flat.ring_start[:-1], flat.ring_start[1:], strict=True):
        x, y = flat.xy[start:end].T
        assert (x[0], y[0]) == (x[-1], y[-1])
        areas.append(0.5 * np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))
    assert areas[0] == pytest.approx(81) and areas[1] == pytest.approx(-4)


def test_derived_arrays_are_made_anew_when_their_version_moves_on() -> None:
    kept, made = Derived(), []
    for stamp in (1, 1, 2):
        kept.get("rings", stamp, lambda: made.append(0) or len(made))
    assert len(made) == 2


def triangle(material: int) -> Mesh:
    return Mesh(
        vertices=np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], dtype=np.float32),
        triangles=np.array([[0, 1, 2]], dtype=np.int32),
        surface=np.array([2], dtype=np.uint8),
        material=np.array([material], dtype=np.int32),
    )


def test_a_mesh_id_is_its_content_and_appearance() -> None:
    red, blue = Material("red", (1, 0, 0, 1)), Material("blue", (0, 0, 1, 1))
    assert mesh_id(triangle(0), [red]) == mesh_id(triangle(1), [blue, red])
    assert mesh_id(triangle(0), [red]) != mesh_id(triangle(0), [blue])


def test_pools_join_with_materials_renumbered_and_place_in_double_precision() -> None:
    red, blue = Material("red", (1, 0, 0, 1)), Material("blue", (0, 0, 1, 1))
    matrix = np.eye(4)
    matrix[:3, 3] = (39_517_000.125, 4_330_000.5, 3.0)
    one = MeshPool({"a": triangle(0)}, (red,), (Instance("bld-1", "a", matrix, "3", 4),))
    both = one.merged(MeshPool({"b": triangle(0)}, (blue,), ()))
    assert both.materials[both.meshes["b"].material[0]].name == "blue"
    assert both.placed(both.instances[0])[0].tolist() == [39_517_000.125, 4_330_000.5, 3.0]


def test_a_mesh_that_names_a_vertex_it_lacks_is_refused() -> None:
    with pytest.raises(ShapeError):
        Mesh(
            np.zeros((2, 3), np.float32),
            np.array([[0, 1, 2]], np.int32),
            np.zeros(1, np.uint8),
            np.zeros(1, np.int32),
        )


def test_a_result_refuses_values_that_do_not_fit_their_carrier() -> None:
    def result(values: np.ndarray, *, over_time: bool = False) -> Result:
        field = ResultField(
            "d_m", "m", "grid", values, {"en": "d", "zh": "深"}, over_time=over_time
        )
        frame = GridFrame(0.0, 2.0, 1.0, 2, 3)
        return Result("q", {"en": "q"}, (field,), {}, {}, 1, "0", True, grid=frame)

    assert result(np.zeros((2, 3))).field("d_m").unit == "m"
    with pytest.raises(ShapeError):
        result(np.zeros((3, 2)))
    with pytest.raises(ShapeError):
        result(np.zeros((4, 2, 3)), over_time=True)
    with pytest.raises(RequestError, match="d_m"):
        result(np.zeros((2, 3))).field("speed")


def test_an_empty_layer_has_all_columns_of_its_kind() -> None:
    assert {"height_m", "parent", "illustrative"} <= set(empty_table("building").columns)


def test_cells_follow_the_terrain_unless_a_size_is_asked_for() -> None:
    fine = town()
    coarse = replace(fine, rasters={"terrain": fine.grid("terrain").coarsened(5)})
    bare = replace(fine, rasters={})
    assert fitting_cell_m(fine, None, least_m=2.0) == 2.0
    assert fitting_cell_m(coarse, None, least_m=2.0) == 5.0
    assert fitting_cell_m(bare, None, least_m=2.0) == 2.0
    assert fitting_cell_m(coarse, 10.0, least_m=2.0) == 10.0
