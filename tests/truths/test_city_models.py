"""Real city models against what their files say when counted by other means."""

from __future__ import annotations

import json
import subprocess
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import shapely

from cim.export import to_cityjson, to_cityjsonseq
from cim.model.facets import facets, joined
from cim.sources import Built, build_twin, district_from_files
from cim.store import create, open_twin

pytestmark = pytest.mark.truths
Find = Callable[[str], Path]

ROTTERDAM = "city3d/rotterdam_delfshaven_lod2.city.json"
MUNICH = "city3d/munich_LOD2_4424_5482.gml"
GEORES = "city3d/geoRES_testdata.zip"


def build(path: Path, height_datum: str | None) -> Built:
    return build_twin(district_from_files([path], height_datum=height_datum))


def points_of(document: dict[str, Any]) -> np.ndarray:
    scale, shift = (np.array(document["transform"][k]) for k in ("scale", "translate"))
    return np.array(document["vertices"]) * scale + shift


def test_rotterdam_comes_in_whole_and_goes_out_the_same(testdata: Find, tmp_path: Path) -> None:
    source = testdata(ROTTERDAM)
    before = json.loads(source.read_text())
    built = build(source, "EPSG:5709")
    total = built.report.total
    assert total.read == total.kept == len(before["CityObjects"]) == 853 and not total.rejected
    create(built.twin, tmp_path / "r.cim")
    to_cityjson(open_twin(tmp_path / "r.cim"), tmp_path / "r.city.json")
    after = json.loads((tmp_path / "r.city.json").read_text())
    assert set(after["CityObjects"]) == set(before["CityObjects"])
    old, new = points_of(before), points_of(after)
    worst, rings, textured = 0.0, 0, 0
    for name, one in before["CityObjects"].items():
        two = after["CityObjects"][name]
        assert two["attributes"] == one["attributes"]
        for a, b in zip(one["geometry"], two["geometry"], strict=True):
            assert (a["type"], float(a["lod"])) == (b["type"], float(b["lod"]))
            assert [
                None if v is None else a["semantics"]["surfaces"][v]["type"]
                for v in a["semantics"]["values"]
            ] == [
                None if v is None else b["semantics"]["surfaces"][v]["type"]
                for v in b["semantics"]["values"]
            ]
            for f, g in zip(a["boundaries"], b["boundaries"], strict=True):
                for r, s in zip(f, g, strict=True):
                    open_ring = r[:-1] if len(r) > 3 and r[0] == r[-1] else r
                    worst = max(worst, float(np.abs(old[open_ring] - new[s]).max()))
                    rings += 1
            textured += _same_textures(before, after, a, b)
    print(f"\nRotterdam: {rings} rings, {textured} textured, worst vertex {worst * 1000:.4f} mm")
    assert worst < 1e-3 and rings == 15482 and textured > 10_000


def _same_textures(
    before: dict[str, Any], after: dict[str, Any], a: dict[str, Any], b: dict[str, Any]
) -> int:
    count = 0
    for theme, given in a.get("texture", {}).items():
        for f, g in zip(given["values"], b["texture"][theme]["values"], strict=True):
            for r, s in zip(f, g, strict=True):
                if r[0] is None:
                    assert s == [None]
                    continue
                one = before["appearance"]["textures"][r[0]]
                assert one == after["appearance"]["textures"][s[0]]
                uv = [before["appearance"]["vertices-texture"][i] for i in r[1:]]
                back = [after["appearance"]["vertices-texture"][i] for i in s[1:]]
                assert back == uv[: len(back)] and len(uv) - len(back) <= 1
                count += 1
    return count


def test_no_valid_face_of_rotterdam_is_lost(testdata: Find) -> None:
    """GEOS judges each face in a plane of its own choice, by the face's largest axis."""
    built = build(testdata(ROTTERDAM), "EPSG:5709")
    points, rings, faces, _ = joined(list(built.twin.body_pool.bodies))
    found = facets(points, rings, faces)
    corners = points[found.triangles]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    made = np.bincount(
        found.face, weights=np.linalg.norm(cross, axis=1) / 2, minlength=len(faces) - 1
    )
    lost, wrong, valid = [], [], 0
    for f in range(len(faces) - 1):
        ring = [points[rings[r] : rings[r + 1]] for r in range(faces[f], faces[f + 1])]
        normal = sum(
            np.cross(p, q)
            for p, q in zip(ring[0] - ring[0][0], np.roll(ring[0] - ring[0][0], -1, 0), strict=True)
        )
        size = float(np.linalg.norm(normal))
        if size == 0:
            continue
        drop = int(np.abs(normal).argmax())
        flat = [np.delete(r, drop, axis=1) for r in ring]
        shape = shapely.Polygon(flat[0], flat[1:])
        if not shape.is_valid:
            continue
        valid += 1
        area = shape.area * size / abs(normal[drop])
        if not found.drawn[f]:
            lost.append(f)
        elif abs(made[f] - area) > 1e-6 + 1e-4 * area:
            wrong.append((f, made[f], area))
    print(f"\nRotterdam: {valid} valid faces of {len(faces) - 1}, {len(lost)} lost")
    assert valid > 14_000 and not lost
    assert len(wrong) <= 5, wrong[:5]  # bent faces: the triangles' area is a little larger


def test_munich_is_read_with_every_object_and_face(testdata: Find) -> None:
    source = testdata(MUNICH)
    root = ElementTree.parse(source).getroot()
    names = Counter(e.tag.rpartition("}")[2] for e in root.iter())
    built = build(source, "EPSG:5783")
    total = built.report.total
    assert total.read == total.kept == names["Building"] == 111 and not total.repaired
    bodies = built.twin.body_pool.bodies
    assert sum(b.face_count for b in bodies) == names["Polygon"] == 1056
    kinds = Counter(
        b.surfaces[k]["type"] for b in bodies if b.surfaces for k in b.semantic if k >= 0
    )
    for name in ("WallSurface", "RoofSurface", "GroundSurface"):
        assert kinds[name] == names[name]
    # the survey's own measured heights stand beside its geometry
    table = built.twin.table("building")
    by_shape = np.array([float(np.ptp(b.vertices[:, 2])) for b in bodies])
    assert np.nanmax(np.abs(table.numbers("height_m") - by_shape)) < 0.5
    with pytest.raises(Exception, match="absolute heights"):
        build(source, None)  # DE_DHN92_NH is no name of a height system we know


def test_geores_is_read_with_looks_and_templates(testdata: Find, tmp_path: Path) -> None:
    with zipfile.ZipFile(testdata(GEORES)) as archive:
        archive.extractall(tmp_path)
    source = next(tmp_path.rglob("*.xml"))
    root = ElementTree.parse(source).getroot()
    names = Counter(e.tag.rpartition("}")[2] for e in root.iter())
    built = build(source, "unknown")
    objects = sum(
        names[n]
        for n in ("Building", "BuildingInstallation", "SolitaryVegetationObject", "CityFurniture",
                  "LandUse", "TINRelief", "Road")
    )  # fmt: skip
    total = built.report.total
    assert total.read == total.kept == objects == 40
    pool = built.twin.body_pool
    placed = [b for b in pool.bodies if b.template is not None]
    assert len(placed) == names["ImplicitGeometry"] == 66
    assert len(pool.textures) == names["ParameterizedTexture"]
    assert len(pool.materials) == names["X3DMaterial"]
    assert len(pool.images) >= 25
    faces = sum(b.face_count for b in (*pool.bodies, *pool.templates))
    print(
        f"\ngeoRES: {faces} faces of {names['Polygon']} polygons and {names['Triangle']} triangles"
    )
    assert faces == names["Polygon"] + names["Triangle"]
    holes = sum(len(b.rings) - 1 - b.face_count for b in (*pool.bodies, *pool.templates))
    assert holes == names["interior"]


def test_cjio_opens_what_goes_out(testdata: Find, tmp_path: Path) -> None:
    from tests.benchmarks.bench_city_models import _cjio_python

    python = _cjio_python()
    if python is None:
        pytest.skip("cjio cannot be installed here")
    built = build(testdata(ROTTERDAM), "EPSG:5709")
    to_cityjson(built.twin, tmp_path / "r.city.json")
    to_cityjsonseq(built.twin, tmp_path / "r.city.jsonl")
    cjio = str(Path(python).parent / "cjio")
    done = subprocess.run(
        [cjio, "r.city.json", "info"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "Building (853)" in done.stdout, done.stdout + done.stderr
    assert "textures = True" in done.stdout and "EPSG = 28992" in done.stdout
    with (tmp_path / "r.city.jsonl").open() as lines:
        piped = subprocess.run(
            [cjio, "stdin", "info"], stdin=lines, capture_output=True, text=True, check=False
        )
    assert piped.returncode == 0 and "Building (853)" in piped.stdout, piped.stderr
