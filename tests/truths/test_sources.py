"""Real files come in whole: every object accounted for, answers beside other programs'."""

from __future__ import annotations

import bz2
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import laspy
import numpy as np
import pyogrio
import pytest
import shapely

from cim.model.arrays import network
from cim.sources import Built, build_twin
from cim.sources.district import District
from cim.sources.spec import LayerSpec
from tests.cim.sources import files as f

pytestmark = pytest.mark.truths

Data = Callable[[str], Path]
OSM = [
    "city3d/osm_pbf/baltimore.osm.pbf",
    "city3d/osm_pbf/harrisburg.osm.pbf",
    "city3d/osm_pbf/nyc.osm.pbf",
    "city3d/oakland_osm/West-Oakland.osm.bz2",
    "city3d/oakland_osm/planet_10.068,48.135_10.071,48.137.osm",
]


def told(built: Built, name: str) -> None:
    """Print what became of every object, and demand that the sums are right."""
    total = built.report.total
    reasons = Counter((e.action, e.reason) for e in built.report.entries if e.action != "note")
    print(f"\n{name}: read {total.read} = kept {total.kept} + rejected {total.rejected}; {reasons}")
    for count in built.report.counts.values():
        assert count.read == count.kept + count.rejected
    listed = Counter(e.layer for e in built.report.entries if e.action == "rejected")
    for layer, count in built.report.counts.items():
        assert layer == "points" or listed[layer] == count.rejected, layer


def gdal(path: Path, layer: str, key: str) -> Any:
    """Return what GDAL's own OpenStreetMap driver makes of a file."""
    with warnings.catch_warnings(), TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        source = path
        if path.suffix == ".bz2":
            source = Path(folder) / path.stem
            source.write_bytes(bz2.decompress(path.read_bytes()))
        frame = pyogrio.read_dataframe(source, layer=layer)
    return frame[frame[key].notna()]


@pytest.mark.parametrize("name", OSM)
def test_an_openstreetmap_file_is_accounted_for_to_the_last_object(
    testdata: Data, name: str
) -> None:
    path = testdata(name)
    built = f.build(path)
    told(built, path.name)
    (account,) = [e.values for e in built.report.entries if e.reason == "source.osm.account"]
    read = account["nodes"] + account["ways"] + account["relations"]
    assert read == account["used"] + account["left_count"]
    for entry in built.report.entries:
        if entry.action == "rejected":
            print(f"  {entry.object} {entry.layer}: {entry.record()['reason']}")


@pytest.mark.parametrize("name", OSM)
def test_buildings_and_streets_are_those_that_gdal_finds(testdata: Data, name: str) -> None:
    path = testdata(name)
    built = f.build(path)
    theirs = gdal(path, "multipolygons", "building")
    table = built.twin.table("building")
    way = {f"way/{i}" for i in theirs["osm_way_id"].dropna()}
    relation = {f"relation/{i}" for i in theirs["osm_id"].dropna()}
    mine = set(table.texts("source_id"))
    rejected = {e.object for e in built.report.entries if e.action == "rejected"}
    lost = (way | relation) - mine - rejected
    parts = {i for i in lost if i in set(_texts(built, "building_part"))}
    assert not lost - parts, sorted(lost - parts)[:5]
    print(f"\n{path.name}: ours {len(mine)}, GDAL {len(way | relation)}, "
          f"only ours {sorted(mine - way - relation)[:5]}")  # fmt: skip
    lines = gdal(path, "lines", "highway")
    total = shapely.length(lines.geometry.to_crs(built.twin.frame.crs).array).sum()
    ours = sum(
        shapely.length(built.twin.table(layer).geometry).sum()
        for layer in ("road", "road/path")
        if layer in built.twin.layers()
    )
    left = lines[~lines["highway"].str.removesuffix("_link").isin(_TAKEN)]
    total -= shapely.length(left.geometry.to_crs(built.twin.frame.crs).array).sum()
    print(f"  streets {ours / 1e3:.3f} km, GDAL {total / 1e3:.3f} km; "
          f"not taken: {sorted(set(left['highway']))}")  # fmt: skip
    assert ours == pytest.approx(total, rel=2e-3)


_TAKEN = ("motorway trunk primary secondary tertiary unclassified residential living_street "
          "service road footway cycleway path pedestrian steps track bridleway corridor busway "
          "bus_guideway").split()  # fmt: skip


def _texts(built: Built, layer: str) -> list[str]:
    return built.twin.table(layer).texts("source_id") if layer in built.twin.layers() else []


@pytest.mark.parametrize("name", OSM[:3])
def test_the_streets_make_a_network_whose_nodes_are_the_map_s_own(
    testdata: Data, name: str
) -> None:
    roads = f.build(testdata(name)).twin.table("road")
    net = network(roads)
    named = {*roads.texts("from_node"), *roads.texts("to_node")}
    assert len(net.node_xy) == len(named)  # an end is one place exactly where it is one node
    both = [name == "no" for name in roads.texts("oneway")]
    closed = [bool(v) for v in roads.column("closed")]
    links = sum((1 + two) for two, shut in zip(both, closed, strict=True) if not shut)
    assert len(net.tail) == links


def test_gothenburg_heights_come_from_its_surface_and_terrain(testdata: Data) -> None:
    folder = testdata("city3d/gothenburg/buildings.shp").parent
    layers = [
        LayerSpec(folder / "buildings.shp", kind="building", options={"guess": True}),
        LayerSpec(folder / "DEM_KRbig.tif", kind="terrain", height_datum="unknown"),
        LayerSpec(folder / "DSM_KRbig.tif", kind="surface", height_datum="unknown"),
        LayerSpec(folder / "landcover.tif", kind="land_cover"),
    ]
    built = build_twin(District(name="gothenburg", layers=tuple(layers)))
    told(built, "Gothenburg")
    table = built.twin.table("building")
    surface, terrain = built.twin.grid("surface"), built.twin.grid("terrain")
    inside = shapely.box(*surface.frame.bounds)
    whole = shapely.covers(inside, table.geometry)
    quality = np.array(table.texts("height_quality"))
    print(f"  {whole.sum()} of {len(table)} footprints wholly on the grids; {Counter(quality)}")
    assert (quality[~shapely.intersects(inside, table.geometry)] == "none").all()
    height = table.numbers("height_m")
    good = whole & (quality == "good")
    assert good.sum() >= 20
    x, y = surface.frame.centres()
    xx, yy = np.meshgrid(x, y)
    for i in np.flatnonzero(good)[:20]:  # the long way, cell by cell
        mask = shapely.contains_xy(table.geometry[i].buffer(-0.5, join_style="mitre"), xx, yy)
        top, ground = surface.values[mask], terrain.values[mask]
        want = np.percentile(top.astype(np.float64), 90) - np.median(ground)
        assert height[i] == pytest.approx(want, abs=0.02)


def test_the_minimal_cloud_of_another_platform_gives_its_published_heights(
    testdata: Data, tmp_path: Path
) -> None:
    source = testdata("city3d/minimal_dtcc/pointcloud.las").parent
    shapes = pyogrio.read_dataframe(source / "PropertyMap.shp")
    cloud = laspy.read(source / "pointcloud.las")
    x, y, z = (np.asarray(v) for v in (cloud.x, cloud.y, cloud.z))
    east, north = 517_000.0, 4_330_000.0  # it lies at 0, 0: no place on earth, so it is moved
    head = laspy.LasHeader(point_format=6, version="1.4")
    head.offsets, head.scales = [east, north, 0], [0.001] * 3
    moved = laspy.LasData(head)
    moved.x, moved.y, moved.z = x + east, y + north, z
    moved.classification = cloud.classification
    moved.write(tmp_path / "cloud.laz")
    geometry = shapely.transform(shapes.geometry.array, lambda xy: xy + (east, north))
    f.write(tmp_path / "houses.gpkg", list(geometry), name=[str(v) for v in shapes["height"]])
    layers = (
        LayerSpec(tmp_path / "houses.gpkg", kind="building"),
        LayerSpec(tmp_path / "cloud.laz", crs="EPSG:4548", height_datum="cgvd1985"),
    )
    built = build_twin(District(name="minimal", layers=layers))
    told(built, "minimal case")
    table = built.twin.table("building")
    print("  given, measured, quality:", [
        (n, round(float(h), 2), q) for n, h, q in zip(
            table.texts("name"), table.numbers("height_m"), table.texts("height_quality"),
            strict=True)
    ])  # fmt: skip
    ground = float(np.median(z[np.asarray(cloud.classification) == 2]))
    for given, found in zip(table.texts("name"), table.numbers("height_m"), strict=True):
        assert found == pytest.approx(float(given), abs=0.5), ground


@pytest.mark.parametrize(
    ("name", "layer", "count"),
    [
        ("city3d/suzhou/bd_demo_2.json", "building", 3076),
        ("city3d/waterloo_iowa/waterloo_buildings.geojson", "building", 1105),
        ("city3d/waterloo_iowa/roads_0yr_flood.geojson", "road", 33),
        ("city3d/waterloo_iowa/flood_100yr.geojson", "water", None),
    ],
)
def test_plain_files_come_in_whole(
    testdata: Data, name: str, layer: str, count: int | None
) -> None:
    path = testdata(name)
    built = f.build(path, kind=layer, accept_rejects=True)
    told(built, path.name)
    read = built.report.counts[layer].read
    assert read == (count or len(pyogrio.read_dataframe(path)))
