"""A file that cannot be trusted stops the build with what, given, do; its good twin builds."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine

from cim.crs import transform, wgs84_to_gcj02
from cim.errors import CimError, FrameError, SourceError, UnitError
from cim.sources import build_twin, read_district
from tests.cim.sources import files as f

Case = tuple[Callable[[Path], Path], Callable[[Path], Path], type[CimError], str]


def moved(shapes: list[object], change: Callable[[np.ndarray], np.ndarray]) -> list[object]:
    return [shapely.transform(shape, change) for shape in shapes]


def good_gpkg(at: Path) -> Path:
    return f.write(at / "buildings.gpkg", f.houses(), height_m=[6.0] * 12)


def good_json(at: Path) -> Path:
    return f.geojson(at / "buildings.geojson", f.degrees(), height_m=[6.0] * 12)


def good_shp(at: Path) -> Path:
    return f.write(at / "buildings.shp", f.houses(), encoding="UTF-8", name=["天津五大道"] * 12)


def metres_json(at: Path) -> Path:
    return f.geojson(at / "buildings.geojson", f.houses(), height_m=[6.0] * 12)


def cut(path: Path, share: float) -> Path:
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    return path


def without(path: Path, suffix: str) -> Path:
    path.with_suffix(suffix).unlink()
    return path


def renamed(path: Path, name: str) -> Path:
    return path.rename(path.with_name(name))


def vrt(at: Path) -> Path:
    path = at / "dem.tif"
    path.write_text(
        '<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand dataType="Byte" band="1">'
        "<SimpleSource><SourceFilename>/etc/passwd</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )
    return path


def wrong_cpg(at: Path) -> Path:
    path = good_shp(at)
    path.with_suffix(".cpg").write_text("GBK")
    return path


def gbk_called_utf8(at: Path) -> Path:
    path = f.write(at / "buildings.shp", f.houses(), encoding="GBK", name=["天津五大道"] * 12)
    path.with_suffix(".cpg").write_text("UTF-8")
    return path


def gbk_json(at: Path) -> Path:
    path = f.geojson(at / "buildings.geojson", f.degrees(), name=["天津五大道"] * 12)
    path.write_bytes(path.read_text(encoding="utf-8").encode("gbk"))
    return path


def mojibake(at: Path) -> Path:
    text = "天津五大道".encode().decode("latin-1")
    return f.geojson(at / "buildings.geojson", f.degrees(), name=[text] * 12)


def escaping_zip(at: Path) -> Path:
    inner = good_gpkg(at)
    with zipfile.ZipFile(at / "city.zip", "w") as archive:
        archive.write(inner, "buildings.gpkg")
        archive.writestr("../../evil.gpkg", b"x")
    return at / "city.zip"


def good_zip(at: Path) -> Path:
    inner = good_gpkg(at)
    with zipfile.ZipFile(at / "city.zip", "w") as archive:
        archive.write(inner, "folder/buildings.gpkg")
    return at / "city.zip"


def swelling_zip(at: Path) -> Path:
    with zipfile.ZipFile(at / "city.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dem.asc", b"0" * 30_000_000)
    return at / "city.zip"


def escaping_tar(at: Path) -> Path:
    with tarfile.open(at / "city.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("buildings.geojson")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    return at / "city.tar.gz"


def good_tar(at: Path) -> Path:
    raw = good_json(at).read_bytes()
    with tarfile.open(at / "city.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("in/buildings.geojson")
        member.size = len(raw)
        archive.addfile(member, io.BytesIO(raw))
    return at / "city.tar.gz"


def no_rows(at: Path) -> Path:
    return f.geojson(at / "buildings.geojson", [])


def empty(at: Path) -> Path:
    (at / "buildings.geojson").write_bytes(b"")
    return at / "buildings.geojson"


def short_dbf(at: Path) -> Path:
    path = good_shp(at)
    cut(path.with_suffix(".dbf"), 0.5)
    return path


def other_dbf(at: Path) -> Path:
    path = good_shp(at)
    dbf = path.with_suffix(".dbf")
    raw = bytearray(dbf.read_bytes())
    raw[4:8] = struct.pack("<I", 5)
    dbf.write_bytes(bytes(raw))
    return path


def millimetres(at: Path) -> Path:
    return f.write(at / "buildings.gpkg", moved(f.houses(), lambda xy: xy * 1000.0))


def swapped_metres(at: Path) -> Path:
    return f.write(at / "buildings.gpkg", moved(f.houses(), lambda xy: xy[:, ::-1]))


def swapped_degrees(at: Path) -> Path:
    return f.geojson(at / "buildings.geojson", moved(f.degrees(), lambda xy: xy[:, ::-1]))


def degrees_as_metres(at: Path) -> Path:
    return f.write(at / "buildings.gpkg", f.degrees(), "EPSG:4548")


def elsewhere(at: Path) -> Path:
    return f.write(at / "buildings.gpkg", moved(f.houses(), lambda xy: xy - [0.0, 4_000_000.0]))


def no_prj(at: Path) -> Path:
    return without(good_shp(at), ".prj")


def tall(at: Path) -> Path:
    return f.write(at / "buildings.gpkg", f.houses(), height_m=[6000.0] * 12)


def words_for_heights(at: Path) -> Path:
    return f.write(at / "buildings.gpkg", f.houses(), height_m=["高"] * 12)


CASES: list[Case] = [
    (lambda at: cut(good_json(at), 0.6), good_json, SourceError, "source.unreadable"),
    (lambda at: cut(good_gpkg(at), 0.6), good_gpkg, SourceError, "source.truncated"),
    (lambda at: cut(good_shp(at), 0.6), good_shp, SourceError, "source.truncated"),
    (short_dbf, good_shp, SourceError, "source.truncated"),
    (other_dbf, good_shp, SourceError, "source.sidecar_rows"),
    (lambda at: without(good_shp(at), ".shx"), good_shp, SourceError, "source.sidecar"),
    (lambda at: without(good_shp(at), ".dbf"), good_shp, SourceError, "source.sidecar"),
    (no_prj, good_shp, FrameError, "source.no_crs"),
    (empty, good_json, SourceError, "source.empty_file"),
    (no_rows, good_json, SourceError, "source.no_features"),
    (wrong_cpg, good_shp, SourceError, "source.encoding_wrong"),
    (gbk_called_utf8, good_shp, SourceError, "source.encoding_wrong"),
    (gbk_json, good_json, SourceError, "source.encoding_wrong"),
    (mojibake, good_json, SourceError, "source.mojibake"),
    (metres_json, good_json, FrameError, "source.metres_as_degrees"),
    (degrees_as_metres, good_gpkg, FrameError, "source.degrees_as_metres"),
    (millimetres, good_gpkg, FrameError, "source.millimetres"),
    (swapped_metres, good_gpkg, FrameError, "source.swapped_axes"),
    (swapped_degrees, good_json, FrameError, "source.swapped_axes"),
    (elsewhere, good_gpkg, FrameError, "crs.outside_area"),
    (tall, good_gpkg, UnitError, "source.heights_absurd"),
    (words_for_heights, good_gpkg, SourceError, "source.column_type"),
    (lambda at: renamed(good_gpkg(at), "b.shp"), good_gpkg, SourceError, "source.not_what_it_says"),
    (lambda at: renamed(good_gpkg(at), "b.xyz"), good_gpkg, SourceError, "source.unknown_format"),
    (lambda at: at / "none.gpkg", good_gpkg, SourceError, "source.missing"),
    (lambda at: at, good_gpkg, SourceError, "source.not_a_file"),
    (lambda at: Path("/vsicurl/http:/x/b.tif"), good_gpkg, SourceError, "source.remote"),
    (escaping_zip, good_zip, SourceError, "source.archive_escapes"),
    (swelling_zip, good_zip, SourceError, "source.archive_too_large"),
    (escaping_tar, good_tar, SourceError, "source.archive_escapes"),
    (lambda at: cut(good_zip(at), 0.5), good_zip, SourceError, "source.unreadable"),
]


@pytest.mark.parametrize(("bad", "good", "error", "key"), CASES, ids=lambda v: str(v)[:40])
def test_a_bad_file_is_refused_and_its_good_twin_builds(
    bad: Callable[[Path], Path],
    good: Callable[[Path], Path],
    error: type[CimError],
    key: str,
    tmp_path: Path,
) -> None:
    for name in ("bad", "good"):
        (tmp_path / name).mkdir()
    path = bad(tmp_path / "bad")
    with pytest.raises(error) as caught:
        f.build(path)
    assert caught.value.key == key
    assert caught.value.remedy("en") and caught.value.remedy("zh")
    assert "{" not in caught.value.message("en") + caught.value.remedy("en")
    built = f.build(good(tmp_path / "good"))
    assert built.report.total.kept == built.report.total.read == 12
    assert built.twin.layers() == {"building": 12}


def dem(at: Path, **options: object) -> Path:
    return f.tif(at / "dem.tif", options.pop("values", f.ground()), **options)  # type: ignore[arg-type]


TURNED = Affine(4.7, -1.7, f.EAST, -1.7, -4.7, f.NORTH)
OBLONG = Affine(5.0, 0.0, f.EAST, 0.0, -7.0, f.NORTH)
UPWARDS = Affine(5.0, 0.0, f.EAST, 0.0, 5.0, f.NORTH)


def asc(at: Path, *, prj: bool = True, rows: int = 40) -> Path:
    path = at / "dem.asc"
    lines = "\n".join(" ".join(f"{v:.2f}" for v in row) for row in f.ground()[:rows])
    path.write_text(
        f"ncols 50\nnrows 40\nxllcorner {f.EAST}\nyllcorner {f.NORTH}\ncellsize 5\n"
        f"NODATA_value -9999\n{lines}\n"
    )
    if prj:
        from cim.crs import proj_crs

        path.with_suffix(".prj").write_text(proj_crs("EPSG:4548").to_wkt("WKT1_ESRI"))
    return path


RASTERS = [
    (lambda at: f.bomb(at / "dem.tif"), SourceError, "source.raster_too_large"),
    (vrt, SourceError, "source.not_what_it_says"),
    (lambda at: dem(at, crs=None), FrameError, "source.no_crs"),
    (lambda at: cut(dem(at), 0.5), SourceError, "source.unreadable"),
    (lambda at: dem(at, transform=TURNED), SourceError, "source.raster_turned"),
    (lambda at: dem(at, transform=OBLONG), SourceError, "source.raster_not_square"),
    (lambda at: dem(at, transform=UPWARDS), SourceError, "source.raster_upside_down"),
    (lambda at: dem(at, values=f.ground() * 1000), SourceError, "source.heights_too_steep"),
    (lambda at: dem(at, values=f.ground() + 9000), SourceError, "source.heights_of_no_ground"),
    (lambda at: dem(at, values=f.ground() * np.nan), SourceError, "source.raster_no_values"),
    (lambda at: dem(at, unit="furlong"), UnitError, "source.unit_unknown"),
    (lambda at: asc(at, prj=False), FrameError, "source.no_crs"),
    (lambda at: asc(at, rows=20), SourceError, "source.ascii_grid_count"),
]


@pytest.mark.parametrize(("bad", "error", "key"), RASTERS, ids=lambda v: str(v)[:40])
def test_a_bad_raster_is_refused(
    bad: Callable[[Path], Path], error: type[CimError], key: str, tmp_path: Path
) -> None:
    with pytest.raises(error) as caught:
        f.build(bad(tmp_path), height_datum="cgvd1985")
    assert caught.value.key == key
    assert caught.value.remedy("en") and caught.value.remedy("zh")


@pytest.mark.parametrize("good", [dem, asc])
def test_the_good_twin_of_a_bad_raster_builds(good: Callable[[Path], Path], tmp_path: Path) -> None:
    built = f.build(good(tmp_path), height_datum="cgvd1985")
    grid = built.twin.grid("terrain")
    assert grid.frame.shape == (40, 50) and grid.frame.cell_m == 5.0
    assert np.allclose(grid.values, f.ground(), atol=0.006)


def test_terrain_without_a_height_datum_is_refused_and_unknown_may_be_said(tmp_path: Path) -> None:
    with pytest.raises(FrameError) as caught:
        f.build(dem(tmp_path))
    assert caught.value.key == "source.no_height_datum"
    assert f.build(dem(tmp_path), height_datum="unknown").twin.frame.height_datum == "unknown"


def shifted(at: Path) -> tuple[Path, Path, Path]:
    """Write good roads, buildings beside them, and the same buildings in GCJ-02."""
    rng = np.random.default_rng(4)
    spots = [(120.0 * i + 25.0, 90.0 * j + 20.0) for i in range(8) for j in range(9)]
    shapes = [
        shapely.box(f.EAST + x + dx, f.NORTH + y + dy, f.EAST + x + dx + 14, f.NORTH + y + dy + 11)
        for (x, y), (dx, dy) in zip(spots, rng.uniform(0, 40, (len(spots), 2)), strict=True)
    ]
    right = list(transform(np.array(shapes, dtype=object), source="EPSG:4548", target="EPSG:4326"))
    moved_on = moved(right, wgs84_to_gcj02)
    return (
        f.geojson(at / "buildings.geojson", right),
        f.geojson(at / "new_buildings.geojson", moved_on),
        f.write(at / "first.gpkg", shapes, layer="first"),
    )


def test_a_second_file_of_the_same_layer_in_gcj02_is_named(tmp_path: Path) -> None:
    right, wrong, _ = shifted(tmp_path)
    with pytest.raises(FrameError) as caught:
        f.build(right, wrong)
    assert caught.value.key == "source.shifted" and caught.value.remedy()
    assert f.build(right).report.total.kept == 72


def test_a_layer_in_gcj02_is_named_and_builds_when_declared(tmp_path: Path) -> None:
    right, wrong, _ = shifted(tmp_path)
    district = tmp_path / "district.toml"
    text = (
        '[[layer]]\nfile = "first.gpkg"\nkind = "building"\nname = "first"\n'
        '[[layer]]\nfile = "{file}"\nkind = "building"\nname = "second"\n{crs}\n'
    )
    district.write_text(text.format(file=wrong.name, crs=""))
    with pytest.raises(FrameError) as caught:
        build_twin(read_district(district), accept_rejects=True)
    assert caught.value.key == "source.shifted" and "GCJ-02" in str(caught.value)
    assert wrong.name in str(caught.value)
    district.write_text(text.format(file=wrong.name, crs='crs = "GCJ-02"'))
    declared = build_twin(read_district(district), accept_rejects=True)
    district.write_text(text.format(file=right.name, crs=""))
    unshifted = build_twin(read_district(district), accept_rejects=True)
    # declared or unshifted, every house lies on one of the first layer: duplicates of it
    assert declared.report.layer("building/second").rejected == 72
    assert unshifted.report.layer("building/second").rejected == 72
