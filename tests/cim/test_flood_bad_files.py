"""Files of a bare grid that cannot be trusted are told by what is wrong; others are noted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from cim.errors import CimError
from cim.flood import flood_files

WEST, NORTH, CELL_M = 500000.0, 4300100.0, 2.0
GROUND = np.random.default_rng(0).uniform(0, 1, (12, 16))


def raster(path: Path, values: Any, **more: Any) -> Path:
    z = np.asarray(values, np.float32).reshape(-1, *np.shape(values)[-2:])
    given = {"transform": Affine(CELL_M, 0, WEST, 0, -CELL_M, NORTH), "crs": "EPSG:4548", **more}
    with rasterio.open(path, "w", driver="GTiff", height=z.shape[1], width=z.shape[2],
                       count=len(z), dtype="float32", **given) as file:  # fmt: skip
        file.write(z)
    return path


def table(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def asked(folder: Path, dem: Any = GROUND, **options: Any) -> dict[str, Any]:
    terrain = raster(folder / "d.tif", dem) if not isinstance(dem, Path) else dem
    given: dict[str, Any] = {"duration_s": 20.0, "rain_mm_h": 60.0, **options}
    return flood_files(terrain, folder / "o", replace=True, **given)


def refusal(folder: Path, dem: Any = GROUND, **options: Any) -> CimError:
    with pytest.raises(CimError) as caught:
        asked(folder, dem, **options)
    for lang in ("en", "zh"):
        assert "{" not in caught.value.message(lang) + caught.value.remedy(lang)
    return caught.value


@pytest.mark.parametrize("value", [-1234.0, 1e5, 2e9])
def test_heights_that_no_ground_has_are_refused_until_they_are_named_as_missing(
    tmp_path: Path, value: float
) -> None:
    z = GROUND.copy()
    z[3:5, 4:7] = value
    error = refusal(tmp_path, z)
    assert error.key == "flood.heights"
    assert "6 cells" in error.message("en")
    named = raster(tmp_path / "n.tif", z, nodata=value)
    assert asked(tmp_path, named)["closed_cells"] == 6


@pytest.mark.parametrize("value", [-9999.0, -32768.0, -3.4e38])
def test_a_usual_mark_for_missing_that_is_not_declared_is_left_out_and_noted(
    tmp_path: Path, value: float
) -> None:
    z = GROUND.copy()
    z[3:5, 4:7] = value
    found = asked(tmp_path, z)
    assert found["closed_cells"] == 6
    assert len(found["notes"]) == 1 and "6 cells" in found["notes"][0]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("time_s,rain_mm_h\n30,10\n0,5\n", "flood.rain_times"),
        ("time_s,rain_mm_h\n-20,10\n40,0\n", "flood.rain_times"),
        ("time_s,rain_mm_h\n0,10\n0,5\n", "flood.rain_times"),
        ("time_s,rain_mm_h\n0,10\n10,\n20,0\n", "flood.table_number"),
        ("0,10\n60,0\n", "flood.table"),
        ("time_s,rain_mm_h\n0,-10\n20,0\n", "rain.depth"),
    ],
)
def test_rain_out_of_order_or_with_gaps_is_told(tmp_path: Path, text: str, key: str) -> None:
    assert refusal(tmp_path, rain=table(tmp_path / "r.csv", text), rain_mm_h=None).key == key


@pytest.mark.parametrize(
    ("rows", "key"),
    [
        (f"{WEST + 5},{NORTH - 5},0,1\n", "flood.inflow_never"),  # one row: nothing around it
        (f"{WEST + 5},{NORTH - 5},50,1\n{WEST + 5},{NORTH - 5},90,1\n", "flood.inflow_never"),
        (f"{WEST - 5},{NORTH - 5},0,1\n{WEST - 5},{NORTH - 5},20,1\n", "flood.not_on_ground"),
        (f"{WEST + 32},{NORTH - 5},0,1\n{WEST + 32},{NORTH - 5},20,1\n", "flood.not_on_ground"),
        (f"{WEST + 5},{NORTH - 5},0,-1\n{WEST + 5},{NORTH - 5},20,1\n", "flood.inflow"),
    ],
)
def test_an_inflow_that_brings_nothing_or_stands_nowhere_is_told(
    tmp_path: Path, rows: str, key: str
) -> None:
    file = table(tmp_path / "q.csv", "x,y,time_s,flow_m3s\n" + rows)
    assert refusal(tmp_path, inflow=file).key == key


def test_a_place_in_a_hole_is_named_by_its_coordinates(tmp_path: Path) -> None:
    z = GROUND.copy()
    z[2, 2] = np.nan
    x, y = WEST + 5.0, NORTH - 5.0
    file = table(tmp_path / "q.csv", f"x,y,time_s,flow_m3s\n{x},{y},0,1\n{x},{y},20,1\n")
    error = refusal(tmp_path, z, inflow=file)
    assert error.key == "flood.not_on_ground"
    assert "500005, 4300095" in error.message("en")


@pytest.mark.parametrize("names", [("a", "a"), ("a", "")])
def test_gauges_have_names_of_their_own(tmp_path: Path, names: tuple[str, str]) -> None:
    rows = "".join(f"{n},{WEST + 5},{NORTH - 5 - 4 * i}\n" for i, n in enumerate(names))
    file = table(tmp_path / "g.csv", "name,x,y\n" + rows)
    assert refusal(tmp_path, gauges=file).key == "flood.gauge_name"


def test_a_misnamed_datum_of_levels_is_not_passed_over(tmp_path: Path) -> None:
    text = "side,kind,value,{}\neast,stage,0.5,yellow1956\n"
    odd = str(table(tmp_path / "odd.csv", text.format("height_datum")))
    other = str(table(tmp_path / "other.csv", text.format("datum")))
    assert refusal(tmp_path, boundary=odd).key == "flood.border_columns"
    assert refusal(tmp_path, boundary=other).key == "flood.datum_unknown"
    said = refusal(tmp_path, boundary=other, height_datum="cgvd1985")
    assert said.key == "flood.datum_mismatch"


def test_no_threads_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, threads=0).key == "flood.threads"


def test_what_is_passed_over_is_noted(tmp_path: Path) -> None:
    depth = np.full(GROUND.shape, 0.1)
    depth[0, :5] = np.nan
    dem = raster(tmp_path / "three.tif", np.stack([GROUND] * 3))
    still = raster(tmp_path / "h.tif", depth)
    notes = asked(tmp_path, dem, depth0=still, order=2)["notes"]
    assert [any(word in note for note in notes) for word in ("3 bands", "5 open cells", "--order")]
    assert sum("three.tif" in note or "h.tif" in note or "--order 2" in note for note in notes) == 3
    assert asked(tmp_path)["notes"] == []


def test_compressed_tiles_scaled_integers_and_centred_corners_are_the_same_ground(
    tmp_path: Path,
) -> None:
    z = np.round(np.random.default_rng(1).uniform(0, 3, (32, 48)), 2)
    plain = asked(tmp_path, z)
    tiled = raster(tmp_path / "t.tif", z, compress="lzw", tiled=True, blockxsize=16, blockysize=16)
    path = tmp_path / "s.tif"
    with rasterio.open(path, "w", driver="GTiff", height=32, width=48, count=1, dtype="int16",
                       crs="EPSG:4548",
                       transform=Affine(CELL_M, 0, WEST, 0, -CELL_M, NORTH)) as file:  # fmt: skip
        file.write(np.round(z * 100).astype(np.int16), 1)
        file.scales = (0.01,)
    rows = "\n".join(" ".join(f"{v:.2f}" for v in row) for row in z)
    south = NORTH - 32 * CELL_M
    ascii_ = table(tmp_path / "a.asc", f"ncols 48\nnrows 32\nxllcenter {WEST + 1}\n"
                   f"yllcenter {south + 1}\ncellsize 2\nNODATA_value -9999\n{rows}\n")  # fmt: skip
    for other in (tiled, path, ascii_):
        found = asked(tmp_path, other, crs=None)
        assert found["max_depth_m"] == pytest.approx(plain["max_depth_m"], rel=1e-5)
        assert found["ledger"]["rain_m3"] == pytest.approx(plain["ledger"]["rain_m3"], rel=1e-12)
