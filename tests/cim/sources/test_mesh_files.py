"""Meshes without a place: put where they are told, turned, in metres, with their look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from cim.errors import CimError
from cim.sources import Built, District, build_twin
from cim.sources.spec import LayerSpec

EAST, NORTH = 517000.0, 4330600.0


def build(path: Path, **options: Any) -> Built:
    spec = LayerSpec(
        path, kind=options.pop("kind", "building"), crs="EPSG:4548", height_datum="cgvd1985",
        options=options,
    )  # fmt: skip
    return build_twin(District(name="m", layers=(spec,)))


def box(path: Path, size: tuple[float, float, float]) -> Path:
    """Write a box whose corner is its zero, z up (y up in glTF)."""
    mesh = trimesh.creation.box(extents=size)
    mesh.apply_translation(np.array(size) / 2)
    if path.suffix in (".glb", ".gltf"):
        mesh.vertices = mesh.vertices[:, [0, 2, 1]] * [1, 1, -1]
    mesh.export(path)
    return path


@pytest.mark.parametrize("ending", ["obj", "ply", "stl", "glb"])
def test_a_mesh_stands_where_it_is_put_and_turned(tmp_path: Path, ending: str) -> None:
    path = box(tmp_path / f"villa.{ending}", (10.0, 6.0, 8.0))
    built = build(path, at=[EAST, NORTH, 3.0, 90.0])
    table = built.twin.table("building")
    assert len(table) == 1 and built.report.total.kept == 1
    footprint = table.geometry[0]
    # east 10, north 6, turned by 90° counter-clockwise: west 6, north 10
    assert footprint.bounds == pytest.approx((EAST - 6, NORTH, EAST, NORTH + 10), abs=1e-3)
    row = table.row(0)
    assert row["base_m"] == pytest.approx(3.0) and row["height_m"] == pytest.approx(8.0)
    (instance,) = built.twin.pool.instances
    placed = built.twin.pool.placed(instance)
    assert placed[:, 2].max() == pytest.approx(11.0, abs=1e-4) and instance.lod == "3"


def test_centimetres_are_said_and_map_coordinates_need_no_place(tmp_path: Path) -> None:
    path = box(tmp_path / "a.stl", (1000.0, 600.0, 800.0))
    built = build(path, at=[EAST, NORTH, 0.0], unit_m=0.01)
    assert built.twin.table("building").geometry[0].area == pytest.approx(60, rel=1e-4)
    mesh = trimesh.creation.box(extents=(10, 6, 8))
    mesh.apply_translation([EAST, NORTH, 7.0])
    mesh.export(tmp_path / "map.ply", vertex_normal=False)
    there = build(tmp_path / "map.ply")
    assert there.twin.table("building").geometry[0].centroid.x == pytest.approx(EAST, abs=0.1)
    assert "source.mesh.metres" in {e.reason for e in there.report.entries}


def test_colours_and_nodes_of_gltf_are_kept(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    for name, rgba, x in (("red", [200, 10, 10, 255], 0.0), ("glass", [10, 10, 200, 51], 20.0)):
        mesh = trimesh.creation.box(extents=(4, 3, 4))
        look = trimesh.visual.material.PBRMaterial(name=name, baseColorFactor=rgba)
        mesh.visual = trimesh.visual.TextureVisuals(uv=np.zeros((8, 2)), material=look)
        mesh.apply_translation([x, 1.5, 0])
        scene.add_geometry(mesh, node_name=name, geom_name=name)
    scene.export(tmp_path / "two.glb")
    twin = build(tmp_path / "two.glb", at=[EAST, NORTH, 0.0]).twin
    assert sorted(twin.table("building").texts("source_id")) == ["glass", "red"]
    found = {m.name: m.rgba for m in twin.pool.materials}
    assert found["glass"][3] == pytest.approx(0.2, abs=0.01)
    assert found["red"][0] == pytest.approx(200 / 255, abs=0.01)


@pytest.mark.parametrize(
    ("ending", "options", "key"),
    [
        ("glb", {}, "source.mesh.no_place"),
        ("stl", {}, "source.mesh.no_place"),
        ("stl", {"at": [1, 2]}, "source.mesh.option"),
        ("stl", {"at": [EAST, NORTH, 0.0], "unit_m": -1}, "source.mesh.option"),
        ("stl", {"at": [EAST, NORTH, 0.0], "up": "x"}, "source.mesh.option"),
        ("stl", {"at": [0.0, 0.0, 0.0]}, "source.degrees_as_metres"),
    ],
)
def test_what_is_not_said_is_asked_for(
    tmp_path: Path, ending: str, options: dict[str, Any], key: str
) -> None:
    path = box(tmp_path / f"a.{ending}", (1.0, 1.0, 1.0))
    with pytest.raises(CimError) as caught:
        build(path, **options)
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("name", "data", "key"),
    [
        ("a.ply", b"ply\nformat ascii 1.0\nelement vertex 999999999999\nend_header\n",
         "source.truncated"),
        ("a.stl", bytes(80) + b"\xff\xff\xff\x7f" + bytes(50), "source.truncated"),
        ("a.glb", b"glTF" + bytes(40), "source.unreadable"),
        ("a.obj", b"v 0 0 0\nf 1 2 3\n", "source.unreadable"),
    ],
)  # fmt: skip
def test_a_mesh_that_cannot_be_read_is_refused(
    tmp_path: Path, name: str, data: bytes, key: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(CimError) as caught:
        build(path, at=[EAST, NORTH, 0.0])
    assert caught.value.key in (key, "source.mesh.no_triangle")


def test_a_file_outside_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.mtl").write_text("newmtl a\nKd 1 0 0\n")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.obj").write_text(
        "mtllib ../secret.mtl\nusemtl a\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\n"
        "f 1 3 2\nf 1 2 4\nf 2 3 4\nf 3 1 4\n"
    )
    twin = build(folder / "a.obj", at=[EAST, NORTH, 0.0]).twin
    assert all(m.rgba[:2] != (1.0, 0.0) for m in twin.pool.materials)


def test_a_broken_line_of_an_obj_costs_only_itself(tmp_path: Path) -> None:
    path = box(tmp_path / "a.obj", (10.0, 6.0, 8.0))
    lines = path.read_text().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("v "))
    lines[first] = "v 1.2.3 x 0"
    path.write_text("\n".join(lines))
    built = build(path, at=[EAST, NORTH, 3.0])
    assert built.report.total.kept == 1
    assert "source.mesh.lines" in {e.reason for e in built.report.entries}
    assert 0 < len(next(iter(built.twin.pool.meshes.values())).triangles) < 12
