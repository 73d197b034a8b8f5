"""Near, within, box and by id against brute force; bad questions against their messages."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cim import crs
from cim.crs import Frame
from cim.errors import CimError, FrameError, RequestError, SourceError
from cim.model.edit import Edit, Scheme
from cim.model.kinds import COMMON, Field, kind
from cim.model.table import FeatureTable, as_column
from cim.model.twin import SchemedView, Twin
from cim.query import area_from_geojson, box, by_id, named, near, within

FRAME = Frame("EPSG:4548", "cgvd1985", (517000, 4330000))
X0, Y0 = FRAME.origin


def table(layer, shapes, *, ids=None, **columns):
    """A layer with the given shapes and attribute values."""
    name = layer.split("/")[0]
    fields = (*COMMON, *kind(name).fields)
    ids = ids or [f"{kind(name).prefix}-{i:03d}" for i in range(len(shapes))]
    return FeatureTable(
        layer=layer,
        ids=np.array(ids, dtype=object),
        geometry=np.array([*shapes, None], dtype=object)[:-1],
        columns={
            f.name: as_column(columns.get(f.name, [None] * len(shapes)), f.type) for f in fields
        },
        fields=fields,
    )


def twin(*tables):
    return Twin("test", FRAME, {each.layer: each for each in tables})


def rectangle(x, y, width, depth):
    return shapely.box(X0 + x, Y0 + y, X0 + x + width, Y0 + y + depth)


METRE = st.floats(-400.0, 400.0, width=32)
SIZE = st.floats(0.5, 60.0, width=32)
RECTANGLES = st.lists(st.tuples(METRE, METRE, SIZE, SIZE), max_size=12)


def distance(rect, place):
    """Plan distance from a point to an axis-parallel rectangle, by arithmetic alone."""
    xmin, ymin, xmax, ymax = rect.bounds
    dx = max(xmin - place[0], 0.0, place[0] - xmax)
    dy = max(ymin - place[1], 0.0, place[1] - ymax)
    return math.hypot(dx, dy)


def nearest_first(rects, ids, place, radius):
    found = [(distance(r, place), i) for r, i in zip(rects, ids, strict=True)]
    return sorted((d, i) for d, i in found if d <= radius)


@given(RECTANGLES, METRE, METRE, st.floats(0.0, 500.0), st.integers(1, 15))
@settings(max_examples=100, deadline=None)
def test_near_is_what_brute_force_finds(rows, x, y, radius, limit):
    rects = [rectangle(*row) for row in rows]
    view = twin(table("building", rects))
    place = (X0 + x, Y0 + y)
    ids = list(view.table("building").ids)
    expected = nearest_first(rects, ids, place, radius)
    # on the very edge of the radius rounding may decide either way
    if any(abs(distance(r, place) - radius) < 1e-9 for r in rects):
        return
    found = near(view, place, radius_m=radius)
    np.testing.assert_allclose(found.distance_m, [d for d, _ in expected], atol=1e-9)
    assert sorted(found.ids) == sorted(i for _, i in expected)
    assert near(view, place, radius_m=radius, limit=limit).ids == found.ids[:limit]


@given(RECTANGLES, METRE, METRE, st.floats(1.0, 500.0))
@settings(max_examples=100, deadline=None)
def test_near_in_degrees_is_near_in_metres(rows, x, y, radius):
    rects = [rectangle(*row) for row in rows]
    view = twin(table("building", rects))
    place = (X0 + x, Y0 + y)
    degrees = tuple(crs.lonlat(FRAME, [place])[0])
    if any(abs(distance(r, place) - radius) < 1e-4 for r in rects):
        return
    expected = nearest_first(rects, list(view.table("building").ids), place, radius)
    found = near(view, degrees, radius_m=radius, crs="EPSG:4326")
    assert sorted(found.ids) == sorted(i for _, i in expected)
    np.testing.assert_allclose(found.distance_m, [d for d, _ in expected], atol=1e-4)


@given(RECTANGLES, METRE, METRE, st.floats(1.0, 400.0), st.floats(1.0, 400.0))
@settings(max_examples=100, deadline=None)
def test_box_and_within_are_what_brute_force_finds(rows, x, y, width, depth):
    rects = [rectangle(*row) for row in rows]
    view = twin(table("building", rects))
    ids = list(view.table("building").ids)
    frame = rectangle(x, y, width, depth)
    xmin, ymin, xmax, ymax = frame.bounds
    boxes = [r.bounds for r in rects]
    touching = [
        i
        for b, i in zip(boxes, ids, strict=True)
        if b[0] <= xmax and b[2] >= xmin and b[1] <= ymax and b[3] >= ymin
    ]
    inside = [
        i
        for b, i in zip(boxes, ids, strict=True)
        if b[0] >= xmin and b[2] <= xmax and b[1] >= ymin and b[3] <= ymax
    ]
    assert list(box(view, frame.bounds).ids) == sorted(touching)
    assert list(within(view, frame).ids) == sorted(inside)


@pytest.fixture()
def city():
    buildings = table(
        "building",
        [rectangle(0, 0, 10, 10), rectangle(20, 0, 10, 10), rectangle(40, 0, 10, 10), None],
        name=["民园", "庆王府", None, "无处"],
        height_m=[12.0, 8.0, None, 50.0],
    )
    trees = table("tree/old", [shapely.Point(X0 + 15, Y0 + 5), shapely.Point(X0 + 5, Y0 + 5)])
    roads = table("road", [shapely.LineString([(X0, Y0 - 5), (X0 + 100, Y0 - 5)])], name=["重庆道"])
    return twin(buildings, trees, roads)


def test_a_point_inside_a_footprint_is_at_distance_zero_and_ties_go_by_id(city):
    found = near(city, (X0 + 5, Y0 + 5), radius_m=20)
    assert found.distance_m == (0.0, 0.0, 10.0, 10.0, 15.0)
    assert found.ids[:2] == tuple(sorted(found.ids[:2]))


def test_the_radius_itself_still_counts_and_zero_is_a_radius(city):
    assert near(city, (X0 - 5, Y0 + 5), radius_m=5, layer="building").ids == ("bld-000",)
    assert near(city, (X0 + 5, Y0 + 5), radius_m=0, layer="building").ids == ("bld-000",)
    assert len(near(city, (X0 - 5, Y0 + 5), radius_m=4.99, layer="building")) == 0


def test_a_layer_is_asked_for_by_its_name_or_its_kind(city):
    place = (X0 + 5, Y0 + 5)
    for name in ("tree", "tree/old"):
        assert len(near(city, place, radius_m=50, layer=name)) == 2
    assert len(near(city, place, radius_m=50, layer="water")) == 0  # a kind, but none here
    for name in ("treee", "tree/new"):
        with pytest.raises(RequestError, match="building"):
            near(city, place, radius_m=50, layer=name)


def test_records_are_plain_and_carry_the_place_in_degrees(city):
    record = near(city, (X0 + 12, Y0 + 5), radius_m=5, layer="building").records()[0]
    assert record["id"] == "bld-000"
    assert record["kind"] == record["layer"] == "building"
    assert record["distance_m"] == 2.0
    assert record["name"] == "民园"
    assert "year" not in record  # missing values are left out
    lon, lat = record["lonlat"]
    back = crs.from_lonlat(FRAME, [(lon, lat)])[0]
    assert rectangle(0, 0, 10, 10).covers(shapely.Point(back))
    assert json.loads(json.dumps(record, ensure_ascii=False)) == record


def test_found_becomes_a_data_frame(city):
    frame = near(city, (X0 + 5, Y0 + 5), radius_m=20).to_pandas()
    assert frame.index.name == "id"
    assert frame.loc["bld-000", "height_m"] == 12.0
    assert len(near(city, (X0 + 3000, Y0), radius_m=1).to_pandas()) == 0


def test_a_condition_over_several_layers_takes_a_missing_column_as_missing(city):
    place = (X0 + 5, Y0 + 5)
    assert near(city, place, radius_m=90, where="height_m > 9").ids == ("bld-000",)
    assert len(near(city, place, radius_m=90, where="height_m IS NULL")) == 4
    with pytest.raises(RequestError, match="height_m") as caught:
        near(city, place, radius_m=90, where="heigth_m > 9")
    assert caught.value.key == "query.no_column"


def test_one_object_is_found_by_its_id_also_without_a_place(city):
    assert by_id(city, "bld-001").records()[0]["name"] == "庆王府"
    nowhere = by_id(city, "bld-003").records()[0]
    assert "lonlat" not in nowhere
    assert "distance_m" not in nowhere
    with pytest.raises(RequestError, match="nobody"):
        by_id(city, "nobody")


def test_a_name_finds_whole_matches_first_whatever_its_width_and_case(city):
    assert named(city, "民园").ids == ("bld-000",)
    assert named(city, "ＢＬＤ-001").ids[0] == "bld-001"
    assert named(city, "庆 府").ids == ("bld-001",)
    assert [r["name"] for r in named(city, "重庆道").records()] == ["重庆道"]
    assert named(city, "bld", limit=2).ids == ("bld-000", "bld-001")
    assert (
        named(city, "bld", where="height_m > 9").ids
        == named(city, "bld", layer="building", where="height_m > 9").ids
    )
    assert named(city, "民园 庆王府").ids == ()  # all words in one text
    assert named(city, "重庆道", layer="building").ids == ()
    assert named(city, "bld").distance_m == ()


def test_an_address_of_the_source_s_own_is_a_name_and_its_use_is_not():
    one = table("building", [rectangle(0, 0, 9, 9)] * 2, use=["office", "shop"])
    own = Field("门牌地址", "text")
    one = FeatureTable(
        one.layer,
        one.ids,
        one.geometry,
        {**one.columns, own.name: np.array(["河北路1号", None], dtype=object)},
        (*one.fields, own),
    )
    assert named(twin(one), "河北路1").ids == ("bld-000",)
    assert named(twin(one), "office").ids == ()


def test_a_scheme_is_asked_like_the_base(city):
    edits = (
        Edit(op="add", layer="building", id="bld-new", values={"height_m": 30.0},
             geometry=rectangle(60, 0, 10, 10)),
        Edit(op="remove", layer="building", id="bld-000"),
    )  # fmt: skip
    view = SchemedView(city, Scheme(name="s", base_version=1, edits=edits))
    assert by_id(view, "bld-new").ids == ("bld-new",)
    assert by_id(view, "bld-001").ids == ("bld-001",)
    tree = str(city.table("tree/old").ids[0])
    assert by_id(view, tree).ids == (tree,)
    with pytest.raises(RequestError):
        by_id(view, "bld-000")
    assert near(view, (X0 + 65, Y0 + 5), radius_m=1).ids == ("bld-new",)


@pytest.mark.parametrize(
    "ask",
    [
        lambda v: near(v, (X0, Y0), radius_m=-1),
        lambda v: near(v, (X0, Y0), radius_m=float("nan")),
        lambda v: near(v, (X0, Y0), radius_m=float("inf")),
        lambda v: near(v, (X0, Y0), radius_m="wide"),
        lambda v: near(v, (float("nan"), Y0), radius_m=1),
        lambda v: near(v, (X0,), radius_m=1),
        lambda v: near(v, (X0, Y0), radius_m=1, limit=0),
        lambda v: near(v, (X0, Y0), radius_m=1, limit=1.5),
        lambda v: near(v, (117.2, 39.1), radius_m=100),
        lambda v: near(v, (X0, Y0), radius_m=1, crs="EPSG:4326"),
        lambda v: near(v, (39.1, 117.2), radius_m=1, crs="EPSG:4326"),
        lambda v: box(v, (X0 + 1, Y0, X0, Y0 + 1)),
        lambda v: box(v, (X0, Y0, X0)),
        lambda v: box(v, (X0, Y0, float("nan"), Y0)),
        lambda v: box(v, (117.1, 39.0, 117.3, 39.2)),
        lambda v: within(v, shapely.Point(X0, Y0)),
        lambda v: within(v, shapely.Polygon()),
        lambda v: within(v, None),
        lambda v: named(v, "  "),
        lambda v: named(v, "民园", layer="treee"),
        lambda v: named(v, "民园", limit=0),
        lambda v: within(
            v, shapely.Polygon([(X0, Y0), (X0 + 9, Y0 + 9), (X0 + 9, Y0), (X0, Y0 + 9)])
        ),
    ],
)
def test_a_question_without_sense_is_refused_with_a_remedy(city, ask):
    with pytest.raises(RequestError) as caught:
        ask(city)
    for lang in ("en", "zh"):
        assert "{" not in caught.value.message(lang) + caught.value.remedy(lang)
        assert caught.value.remedy(lang)


def test_a_place_far_from_the_frame_is_an_error_and_not_an_empty_answer(city):
    with pytest.raises(FrameError):
        near(city, (13.4, 52.5), radius_m=100, crs="EPSG:4326")


def test_a_box_and_an_area_in_degrees_find_the_same(city):
    west, south, east, north = crs.lonlat_box("EPSG:4548", (X0 - 1, Y0 - 10, X0 + 31, Y0 + 11))
    found = box(city, (west, south, east, north), layer="building", crs="EPSG:4490")
    assert found.ids == ("bld-000", "bld-001")
    area = shapely.box(west, south, east, north)
    assert within(city, area, layer="building", crs="EPSG:4490").ids == ("bld-000", "bld-001")


def geojson(path, document):
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def degrees_of(shape):
    ring = crs.lonlat(FRAME, shapely.get_coordinates(shape))
    return {"type": "Polygon", "coordinates": [ring.tolist()]}


def test_an_area_comes_from_geojson_in_degrees(city, tmp_path):
    shape = degrees_of(rectangle(-1, -1, 32, 12))
    feature = {"type": "Feature", "properties": {}, "geometry": shape}
    collection = {"type": "FeatureCollection", "features": [feature, feature]}
    for document in (shape, feature, collection):
        area = area_from_geojson(FRAME, geojson(tmp_path / "a.geojson", document))
        assert area.area == pytest.approx(32 * 12, rel=1e-6)
        assert within(city, area, layer="building").ids == ("bld-000", "bld-001")


def test_an_older_crs_member_is_heeded(tmp_path):
    member = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4548"}}
    ring = shapely.get_coordinates(rectangle(0, 0, 10, 10)).tolist()
    document = {"type": "Polygon", "coordinates": [ring], "crs": member}
    area = area_from_geojson(FRAME, geojson(tmp_path / "a.geojson", document))
    assert area.equals(rectangle(0, 0, 10, 10))


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", '{"a": 1}', "[" * 100_000,
        '{"type": "Point", "coordinates": [117.2, 39.1]}',
        '{"type": "FeatureCollection", "features": []}',
        '{"type": "FeatureCollection", "features": 5}',
        '{"type": "Polygon", "coordinates": [[[117, 39], [117.1, 39]]]}',
        '{"type": "Polygon", "coordinates": 7}',
        '{"type": "Polygon", "coordinates": [[["a", 1], [2, 3], [4, 5], ["a", 1]]]}',
        '{"type": "Polygon"}',
        '{"type": "Polygon", "coordinates": [[[117,39],[118,40],[118,39],[117,40],[117,39]]]}',
        '{"type": "Polygon", "coordinates": [[[5e5,4e6],[6e5,4e6],[6e5,5e6],[5e5,4e6]]]}',
        '{"type": "Polygon", "coordinates": [[[39,117],[39,117.1],[39.1,117.1],[39,117]]]}',
        '{"type": "Polygon", "coordinates": [[[NaN,39],[117,39.1],[117.1,39.1],[NaN,39]]]}',
    ],
)  # fmt: skip
def test_a_file_that_is_no_area_is_refused_and_named(tmp_path, text):
    path = tmp_path / "area.geojson"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CimError, match=r"area\.geojson") as caught:
        area_from_geojson(FRAME, path)
    assert isinstance(caught.value, SourceError)


def test_a_missing_area_file_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"none\.geojson"):
        area_from_geojson(FRAME, tmp_path / "none.geojson")
    with pytest.raises(SourceError):
        area_from_geojson(FRAME, tmp_path)
