"""Files out: what geopandas, rasterio and GDAL read back, and what is said to be left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyogrio
import pytest

from cim.errors import RequestError
from cim.export import Exported, left_out, to_geojson, to_geotiff, to_gpkg, to_parquet
from tests.towns import EAST, NORTH, town


def keys(done: Exported) -> set[str]:
    return {line["key"] for line in done.record()}


def test_geoparquet_is_read_back_by_geopandas_in_the_twins_system(tmp_path: Path) -> None:
    import geopandas

    twin = town()
    done = to_parquet(twin, tmp_path / "out")
    assert done.layers == {"building": 12, "road": 4, "tree": 30}
    back = geopandas.read_parquet(tmp_path / "out" / "building.parquet")
    assert back.crs.to_epsg() == 4548 and list(back["id"]) == list(twin.tables["building"].ids)
    assert back.geometry.area.sum() == pytest.approx(12 * 140.0)
    near = geopandas.read_parquet(
        tmp_path / "out" / "building.parquet", bbox=(EAST, NORTH, EAST + 40, NORTH + 40)
    )
    assert 0 < len(near) < 12
    assert {"export.left.layers", "export.left.height_datum"} <= keys(done)


def test_a_grid_goes_out_as_geotiff_and_comes_back_the_same(tmp_path: Path) -> None:
    import rasterio

    twin = town()
    done = to_geotiff(twin, tmp_path / "grids")
    with rasterio.open(tmp_path / "grids" / "terrain.tif") as back:
        assert back.crs.to_epsg() == 4548 and back.res == (1.0, 1.0)
        assert np.array_equal(back.read(1), twin.rasters["terrain"].values)
    (line,) = [one for one in done.record("zh") if one["key"] == "export.left.layers"]
    assert line["count"] == 3 and "building" in line["text"]


def test_geopackage_carries_gdals_index_and_geojson_degrees(tmp_path: Path) -> None:
    twin = town()
    written = to_gpkg(twin, tmp_path / "a.gpkg")
    info = pyogrio.read_info(tmp_path / "a.gpkg", layer="building")
    assert info["features"] == 12 and info["crs"] == "EPSG:4548"
    assert info["capabilities"]["fast_spatial_filter"]
    assert "export.left.layers" in keys(left_out(twin, written))
    to_geojson(twin, tmp_path / "b")
    found = json.loads((tmp_path / "b" / "tree.geojson").read_text(encoding="utf-8"))
    assert "crs" not in found  # RFC 7946: WGS 84, never named
    lon, lat = found["features"][0]["geometry"]["coordinates"]
    assert 117.1 < lon < 117.3 and 39.0 < lat < 39.2


def test_what_is_there_is_not_written_over_and_nothing_is_not_written(tmp_path: Path) -> None:
    twin = town()
    to_parquet(twin, tmp_path / "out")
    with pytest.raises(RequestError, match="already there"):
        to_parquet(twin, tmp_path / "out")
    with pytest.raises(RequestError) as caught:
        to_geotiff(twin, tmp_path / "g", layers=["nothing"])
    assert caught.value.key == "twin.no_layer"
