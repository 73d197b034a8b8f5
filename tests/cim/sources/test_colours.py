"""Pictures with bands of colour, alpha or a colour table come in, and back out as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from rasterio.transform import Affine

import cim
from cim.errors import SourceError
from cim.model import Grid
from cim.model.colour import unpacked
from cim.sources import build_twin, district_from_files, read_district
from tests.towns import EAST, NORTH

RED, BLUE = (200, 30, 40), (20, 60, 210)


def write(path: Path, bands: npt.NDArray[Any], **how: Any) -> Path:
    """Write a GeoTIFF of two-metre cells in the town's system."""
    count, rows, cols = bands.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=rows, width=cols, count=count, dtype=bands.dtype,
        crs="EPSG:4548", transform=Affine(2, 0, EAST, 0, -2, NORTH + 2 * rows),
        **{k: v for k, v in how.items() if k != "table"},
    ) as file:  # fmt: skip
        file.write(bands)
        if "table" in how:
            file.write_colormap(1, how["table"])
    return path


def stored(path: Path, folder: Path, kind: str | None = None) -> Grid:
    built = build_twin(district_from_files([path], kind=kind))
    cim.create(built.twin, folder / "x.cim")
    view = cim.open(folder / "x.cim").view
    assert view.grids() == ["image"]
    return view.grid("image")


def test_red_green_blue_and_alpha_come_back_to_the_bit(tmp_path: Path) -> None:
    bands = np.random.default_rng(5).integers(0, 256, (4, 30, 40)).astype(np.uint8)
    bands[3] = 255
    bands[3, :4] = 0
    grid = stored(write(tmp_path / "town.tif", bands, photometric="RGB", alpha="YES"), tmp_path)
    seen = np.moveaxis(unpacked(grid.values), -1, 0)
    np.testing.assert_array_equal(seen[:3, 4:], bands[:3, 4:])
    assert np.isnan(grid.values[:4]).all() and np.isfinite(grid.values[4:]).all()
    (file,) = (tmp_path / "x.cim").glob("g*/grids/*.tif")
    with rasterio.open(file) as data:  # a picture to every other program as well
        assert [c.name for c in data.colorinterp] == ["red", "green", "blue", "alpha"]


def test_a_colour_table_and_declared_nodata_become_colours(tmp_path: Path) -> None:
    numbers = np.array([[[0, 1], [2, 2]]], np.uint8)
    table = {0: (0, 0, 0, 255), 1: (*RED, 255), 2: (*BLUE, 255)}
    path = write(tmp_path / "ortho.tif", numbers, nodata=0, photometric="PALETTE", table=table)
    seen = unpacked(stored(path, tmp_path).values)
    assert seen[0, 1].tolist() == [*RED, 255] and seen[1, 0].tolist() == [*BLUE, 255]
    assert seen[0, 0, 3] == 0


@pytest.mark.parametrize("how", [{"photometric": "RGB"}, {}], ids=["says so", "is told so"])
def test_sixteen_bits_are_stretched_linearly_and_the_report_says_between_what(
    tmp_path: Path, how: dict[str, str]
) -> None:
    bands = np.random.default_rng(7).integers(300, 2301, (3, 60, 80)).astype(np.uint16)
    bands[:, 0, 0], bands[:, 0, 1] = 0, 65535  # two cells of glint and shadow stretch nothing
    path = write(tmp_path / "ortho.tif", bands, **how)
    kind = None if how else "image"
    report = build_twin(district_from_files([path], kind=kind)).report
    (note,) = [e for e in report.entries if e.reason == "source.colours_stretched"]
    low, high = float(note.values["low"]), float(note.values["high"])
    assert low == pytest.approx(340, abs=8) and high == pytest.approx(2260, abs=8)
    assert 3.0 < float(note.values["beyond"]) < 5.0
    seen = np.moveaxis(unpacked(stored(path, tmp_path, kind).values), -1, 0)[:3]
    wanted = np.clip((bands.astype(float) - low) / (high - low), 0, 1) * 255
    assert np.abs(seen - wanted).max() <= 0.5 + 1e-9


def test_the_limits_of_a_stretch_can_be_said(tmp_path: Path) -> None:
    bands = np.array([[[100, 200]], [[150, 250]], [[100, 300]]], np.uint16)
    write(tmp_path / "ortho.tif", bands)

    def built(stretch: Any) -> Any:
        text = f"""[twin]\nname = "d"\n[[layer]]\nkind = "image"\nfile = "ortho.tif"
            options = {{ stretch = {stretch} }}"""
        (tmp_path / "district.toml").write_text(text, encoding="utf-8")
        return build_twin(read_district(tmp_path / "district.toml"))

    made = built("[100, 200]")
    assert unpacked(made.twin.grid("image").values)[0, :, :3].tolist() == [[0, 128, 0], [255] * 3]
    (note,) = [e for e in made.report.entries if e.reason == "source.colours_stretched_as_said"]
    assert note.values["beyond"] == "33.3"
    for wrong in ("[200, 100]", "[1]", "7"):
        with pytest.raises(SourceError) as caught:
            built(wrong)
        assert caught.value.key == "source.stretch" and "ortho.tif" in str(caught.value)


def test_what_is_no_picture_is_refused_with_the_line_that_helps(tmp_path: Path) -> None:
    wide = np.ones((3, 4, 4), np.float32)
    with pytest.raises(SourceError, match=r"gdal_translate .* ortho\.tif OUT"):
        stored(write(tmp_path / "ortho.tif", wide), tmp_path, "image")
