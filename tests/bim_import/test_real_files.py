"""IFC files of others: what their data sheet says is what the reader finds, and none hangs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ifcopenshell")

from bim_import.reader import read
from cim.crs import Frame, transform
from cim.errors import FrameError
from cim.jobs import QUIET
from cim.sources.report import Report
from cim.sources.spec import LayerSpec, Loaded

Find = Callable[[str], Path]
AT = {"at": [517000.0, 4330000.0, 3.0, 0.0]}
TIANJIN = Frame("EPSG:4548", "cgvd1985", (517000.0, 4330000.0))

pytestmark = pytest.mark.truths


def run(
    path: Path,
    frame: Frame,
    *,
    height_datum: str | None = None,
    options: dict[str, object] = {},  # noqa: B006
) -> tuple[Loaded, Report]:
    report = Report()
    spec = LayerSpec(file=path, kind="bim", height_datum=height_datum, options=options)
    loaded = read(spec, frame=frame, report=report, near={}, job=QUIET)
    total = report.total
    assert total.read == total.kept + total.rejected
    assert sum(len(t) for t in loaded.tables) == total.kept
    outcomes = [o for t in loaded.tables for o in t.columns["outcome"]]
    assert set(outcomes) <= {"exact", "fallback", "box", "none_by_design", "missing"}
    listed = [e for e in report.entries if e.reason == "bim.geometry_missing"]
    assert outcomes.count("missing") == len(listed)
    return loaded, report


def points(loaded: Loaded) -> np.ndarray:
    return np.concatenate([loaded.meshes.placed(i) for i in loaded.meshes.instances])


def rows(loaded: Loaded, layer: str) -> int:
    return sum(len(t) for t in loaded.tables if t.layer == layer)


def test_map_coordinates_and_map_conversion_give_one_position(testdata: Find) -> None:
    frame = Frame("EPSG:7856", "EPSG:5711", (256000.0, 7011000.0))
    first, report = run(testdata("ifc/georef_tin_1_mapcoords.ifc"), frame)
    second, _ = run(testdata("ifc/georef_tin_2_mapconv.ifc"), frame)
    assert report.entries[0].reason == "bim.patched"
    assert points(first) == pytest.approx(points(second), abs=1e-3)
    # First point of the second file plus its eastings and northings.
    there = np.array([256400 + 104.4738889937, 7011600 - 73.7638478707522, 33.25])
    assert np.abs(points(second) - there).max(axis=1).min() < 1e-3


@pytest.mark.parametrize("crs", ["EPSG:25832", "EPSG:31467"])
def test_scale_1000_of_a_millimetre_model_is_not_a_kilometre(testdata: Find, crs: str) -> None:
    path = testdata("ifc/bsi_georef_utm.ifc")
    frame = Frame(crs, "unknown", (0.0, 0.0))
    loaded, report = run(path, frame, height_datum="unknown")
    note = next(e for e in report.entries if e.reason == "bim.placed_converted")
    assert note.values["reading"] == "inverse"
    found = points(loaded)
    # The lowest vertex is the model's zero: eastings, northings, height of the file.
    lowest = found[found[:, 2].argmin()]
    there = transform([[458657.30, 5438232.25]], source="EPSG:25832", target=crs)[0]
    assert lowest == pytest.approx([*there, 113.7], abs=1e-3)
    assert np.ptp(found[:, 2]) == pytest.approx(4.0, abs=1e-3)


def test_the_duplex_has_its_rooms_storeys_and_every_shape(testdata: Find) -> None:
    loaded, report = run(testdata("ifc/duplex_arch_2x3.ifc"), TIANJIN, options=AT)
    # 21 IfcSpace, 4 storeys; 215 shapes by the library's own iterator, rooms apart.
    assert (rows(loaded, "room"), rows(loaded, "storey"), rows(loaded, "building")) == (21, 4, 1)
    note = next(e for e in report.entries if e.reason == "bim.outcomes")
    assert (note.values["exact"], note.values["missing"]) == (215 + 21, 0)
    assert note.values["meshes"] < 215
    storeys = next(t for t in loaded.tables if t.layer == "storey")
    assert sorted(storeys.numbers("elevation_m")) == pytest.approx([-1.25, 0.0, 3.1, 6.0])


def test_a_house_in_millimetres_comes_out_in_metres(testdata: Find) -> None:
    loaded, report = run(testdata("ifc/ifcopenhouse_4.ifc"), TIANJIN, options=AT)
    assert report.total.read == 47
    building = next(t for t in loaded.tables if t.layer == "building").row(0)
    assert 3.0 < building["height_m"] < 8.0


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("duplex_arch_2x3", "bim.only_lonlat"),
        ("ifcopenhouse_4", "bim.nowhere"),
        ("large_offset", "bim.map_without_crs"),
        ("bsi_georef_rigid", "bim.no_height_datum"),
        ("bsi_georef_utm", "bim.no_height_datum"),
    ],
)
def test_a_file_that_does_not_say_where_it_stands_is_refused(
    testdata: Find, name: str, key: str
) -> None:
    with pytest.raises(FrameError) as caught:
        run(testdata(f"ifc/{name}.ifc"), TIANJIN)
    assert caught.value.key == key


def test_a_file_that_hangs_the_kernels_ends_at_once(testdata: Find) -> None:
    loaded, report = run(testdata("ifc/broken_455_infloop.ifc"), TIANJIN, options=AT)
    note = next(e for e in report.entries if e.reason == "bim.outcomes")
    assert (note.values["exact"], note.values["missing"]) == (1, 0)
    assert rows(loaded, "building_element") == 3


def test_long_bent_bars_are_all_there(testdata: Find) -> None:
    _, report = run(testdata("ifc/reinforcing_bar.ifc"), TIANJIN, options=AT)
    note = next(e for e in report.entries if e.reason == "bim.outcomes")
    assert (note.values["products"], note.values["exact"]) == (541, 18)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("name", "shapes"), [("great_court_roof", 5178), ("revit2012_janesville_restaurant", 1514)]
)
def test_large_files_come_through_whole(testdata: Find, name: str, shapes: int) -> None:
    loaded, report = run(testdata(f"ifc/{name}.ifc"), TIANJIN, options=AT)
    note = next(e for e in report.entries if e.reason == "bim.outcomes")
    # Shapes the library's own iterator gives without rooms.
    assert note.values["exact"] - rows(loaded, "room") >= shapes - 2
    assert note.values["missing"] <= 2
