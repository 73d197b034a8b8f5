"""What a building shows (LoD3) and how its levels go out: surfaces, solids, the finest shell."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ifcopenshell")

from bim_import.facade import facade_mesh
from bim_import.semantics import Product
from cim.export import to_cityjson
from cim.model.mesh import Instance, Mesh, MeshPool, Surface
from cim.model.twin import Twin
from scenes.meshes import owners
from tests.bim_import.small import Small
from tests.bim_import.test_reader import FRAME, VILLA, Done, city, run

AT = {"at": [517000.0, 4330000.0, 3.0, 30.0]}
# CityJSON 2.0, 3.3: semantic surfaces a building may have.
ALLOWED = {
    "RoofSurface", "GroundSurface", "WallSurface", "ClosureSurface", "OuterCeilingSurface",
    "OuterFloorSurface", "Window", "Door", "InteriorWallSurface", "CeilingSurface", "FloorSurface",
}  # fmt: skip


@pytest.fixture(scope="module")
def villa() -> Done:
    return run(VILLA, near={"building": city()})


def twin_of(done: Done, *more: object) -> Twin:
    tables = {t.layer: t for t in [*done.loaded.tables, *more]}  # type: ignore[attr-defined]
    return Twin(frame=FRAME, tables=tables, pool=done.loaded.meshes, name="t")


def lod3(done: Done) -> list[tuple[Mesh, np.ndarray]]:
    pool = done.loaded.meshes
    own = [i for i in pool.instances if i.lod == "3"]
    return [(pool.meshes[i.mesh_id], pool.placed(i)) for i in own]


def hall(tmp_path: Path) -> Path:
    """Write a hall with a wall across it, all of it said to be inside, and a balcony."""
    s = Small()
    walls = {(0, 0): (12, 0.3), (0, 7.7): (12, 0.3), (0, 0.3): (0.3, 7.4), (11.7, 0.3): (0.3, 7.4)}
    for n, ((x, y), (long, wide)) in enumerate(walls.items()):
        wall = s.product(s.box(long, wide, 3), at=s.place(x, y, 0), name=f"outer {n}")
        if n == 0:
            hole = s.opening(wall, s.box(1.2, 1.0, 1.0, at=(5, -0.3, 1)))
            pane = s.product(s.box(1.2, 0.05, 1.0), kind="IFCWINDOW", at=s.place(5, 0.12, 1),
                             name="pane", rest="$,1.,1.2,$,$,$")  # fmt: skip
            s.add(f"IFCRELFILLSELEMENT('{s.next + 1:022d}',$,$,$,#{hole},#{pane})")
    s.product(s.box(0.2, 7.4, 3), at=s.place(6, 0.3, 0), name="inner")
    for z, name in ((-0.2, "floor"), (3.0, "top")):
        s.product(s.box(12, 8, 0.2), kind="IFCSLAB", at=s.place(0, 0, z), name=name)
    s.product(s.box(3, 1.5, 0.2), kind="IFCSLAB", at=s.place(4, -1.5, 2.0), name="balcony")
    said = s.add("IFCPROPERTYSINGLEVALUE('IsExternal',$,IFCBOOLEAN(.F.),$)")
    held = s.add(f"IFCPROPERTYSET('{s.next + 1:022d}',$,'Pset_Common',$,(#{said}))")
    listed = ",".join(f"#{p}" for p in s.products)
    s.add(f"IFCRELDEFINESBYPROPERTIES('{s.next + 1:022d}',$,$,$,({listed}),#{held})")
    return s.write(tmp_path / "hall.ifc")


def area(corners: np.ndarray) -> np.ndarray:
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return np.linalg.norm(cross, axis=1) / 2


def test_what_is_outside_is_seen_not_said_and_every_face_has_its_surface(tmp_path: Path) -> None:
    done = run(hall(tmp_path), options=AT)
    elements = done.table("building_element")
    assert "shell_flags" not in done.table("building").row(0)
    found: Counter[int] = Counter()
    for mesh, placed in lod3(done):
        for surface, size in zip(mesh.surface.tolist(), area(placed[mesh.triangles]), strict=True):
            found[surface] += float(size)
    assert len(lod3(done)) == len(elements) - 2  # the opening and the inner wall
    assert found[Surface.WINDOW] == pytest.approx(2 * 1.2 + 2 * 2.2 * 0.05)
    # Four sides of 3 m and the edges of two slabs, less the hole, and its reveal before the pane
    # and behind it as deep as cells see; the balcony hides part of a wall and shows its edges.
    assert found[Surface.WALL] == pytest.approx(40 * 3.4 - 1.2 + 4.4 * 0.15 + 9 * 0.2, rel=0.03)
    assert found[Surface.ROOF] == pytest.approx(96.0, rel=0.02)
    assert found[Surface.OUTER_FLOOR] == pytest.approx(4.5, rel=0.02)
    assert found[Surface.OUTER_CEILING] == pytest.approx(4.5, rel=0.02)
    assert found[Surface.GROUND] == pytest.approx(96.0, rel=0.02)
    assert not found[Surface.INTERIOR]


def test_a_door_stays_whole_and_a_roof_looks_down_with_its_eaves() -> None:
    corners = np.array([[[0, 0, 9], [4, 0, 9], [0, 4, 9]], [[0, 0, 8.9], [0, 4, 8.9], [4, 0, 8.9]],
                        [[0, 0, 9], [0, 0, 8.9], [4, 0, 8.9]]], float)  # fmt: skip
    mesh = Mesh(
        corners.reshape(-1, 3).astype(np.float32), np.arange(9, dtype=np.int32).reshape(3, 3),
        np.zeros(3, np.uint8), np.full(3, -1, np.int32),
    )  # fmt: skip
    seen = (np.array([1.0, 0.5, 0.0], np.float32), np.array([1.0, 0.5, 0.0], np.float32))

    def product(kind: str, predefined: str | None) -> Product:
        return Product(1, "g", kind, "building_element", None, None, None, predefined, None, None,
                       None, None, None, None, True, False)  # fmt: skip

    def surfaces(kind: str, predefined: str | None = None) -> list[int]:
        made = facade_mesh(product(kind, predefined), None, mesh, corners, seen, foot_m=0.0)
        assert len(made.vertices) == 3 * len(made.triangles)
        return made.surface.tolist()

    assert facade_mesh(product("IfcDoor", None), None, mesh, corners, seen, foot_m=0.0) is mesh
    assert surfaces("IfcSlab", "ROOF") == [Surface.ROOF, Surface.OUTER_CEILING]
    assert surfaces("IfcSlab") == [Surface.OUTER_FLOOR, Surface.OUTER_CEILING]
    assert surfaces("IfcWall") == [Surface.WALL, Surface.WALL]
    assert surfaces("IfcFurniture") == [Surface.UNKNOWN, Surface.UNKNOWN]


def is_solid(shell: list, vertices: np.ndarray) -> float:
    """Return the volume of a CityJSON shell after what val3dity asks of one.

    Rings of three corners or more, none twice in a row, every edge shared by two faces and
    run once each way, one connected piece per shell, faces turned outwards.
    """
    edges: Counter[tuple[int, int]] = Counter()
    volume = 0.0
    for face in shell:
        (ring,) = face
        assert len(ring) == len(set(ring)) == 3
        edges.update(pairwise([*ring, ring[0]]))
        a, b, c = vertices[ring] - vertices[0]
        volume += float(np.dot(a, np.cross(b, c))) / 6.0
    assert set(edges.values()) == {1}
    assert all((b, a) in edges for a, b in edges)
    return volume


def test_every_level_goes_out_as_cityjson_with_its_surfaces_and_closed_solids(
    villa: Done, tmp_path: Path
) -> None:
    done = run(VILLA)
    to_cityjson(twin_of(done), tmp_path / "v.city.json")
    found = json.loads((tmp_path / "v.city.json").read_text(encoding="utf-8"))
    scale, shift = (np.array(found["transform"][k]) for k in ("scale", "translate"))
    vertices = np.array(found["vertices"]) * scale + shift
    row = done.table("building").row(0)
    (house,) = [o for o in found["CityObjects"].values() if o["type"] == "Building"]
    levels = Counter(g["lod"] for g in house["geometry"])
    assert set(levels) == {"0", "1", "2", "3"} and max(levels.values()) == 1
    kinds = {}
    for geometry in house["geometry"]:
        flat = np.array(_numbers(geometry["boundaries"]))
        assert flat.min() >= 0 and flat.max() < len(vertices)
        if "semantics" in geometry:
            types = {s["type"] for s in geometry["semantics"]["surfaces"]}
            assert types <= ALLOWED
            kinds[geometry["lod"]] = types
        if geometry["lod"] in "12":
            assert geometry["type"] == "Solid"
            (shell,) = geometry["boundaries"]
            volume = is_solid(shell, vertices)
            if geometry["lod"] == "2":
                assert volume == pytest.approx(row["volume_m3"], rel=1e-3)
    assert kinds["1"] == kinds["2"] == {"GroundSurface", "WallSurface", "RoofSurface"}
    assert kinds["3"] >= {"WallSurface", "RoofSurface", "Window", "Door", "OuterFloorSurface"}


def test_bodies_that_touch_in_an_edge_are_no_one_solid(tmp_path: Path) -> None:
    town = city()
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    sides = np.array([
        [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
        [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
    ])  # fmt: skip
    both = np.concatenate([corners, corners + [1.0, 1.0, 0.0]])  # they share an upright edge
    points, number = np.unique(both, axis=0, return_inverse=True)
    triangles = number.reshape(-1)[np.concatenate([sides, sides + 8])].astype(np.int32)
    # A building may have no MultiSolid (CityJSON 2.0): two bodies go out as their faces.
    for name, faces, kind, bodies in (("two", triangles, "MultiSurface", 0),
                                      ("one", triangles[:12], "Solid", 1),
                                      ("open", triangles[:-1], "MultiSurface", 0)):  # fmt: skip
        mesh = Mesh(points.astype(np.float32), faces, np.full(len(faces), Surface.WALL, np.uint8),
                    np.full(len(faces), -1, np.int32))  # fmt: skip
        place = np.eye(4)
        place[:3, 3] = (517400.0, 4330700.0, 3.0)
        pool = MeshPool({"m": mesh}, (), (Instance("bld-a", "m", place, "2", 3),))
        out = tmp_path / f"{name}.city.json"
        to_cityjson(Twin(frame=FRAME, tables={"building": town}, pool=pool, name="t"), out)
        found = json.loads(out.read_text(encoding="utf-8"))
        scale, shift = (np.array(found["transform"][k]) for k in ("scale", "translate"))
        vertices = np.array(found["vertices"]) * scale + shift
        (one,) = [g for o in found["CityObjects"].values() for g in o.get("geometry", ())
                  if g["lod"] == "2"]  # fmt: skip
        assert one["type"] == kind
        assert len(one["semantics"]["surfaces"]) == 1
        if bodies:
            (shell,) = one["boundaries"]
            assert is_solid(shell, vertices) == pytest.approx(1.0)


def _numbers(value: object) -> list[int]:
    if isinstance(value, list):
        return [n for one in value for n in _numbers(one)]
    assert isinstance(value, int)
    return [value]


def test_only_the_finest_shell_is_drawn(villa: Done) -> None:
    town = city()
    view = twin_of(villa, town)
    pool = villa.loaded.meshes
    shown = owners(view, pool, town)
    assert set(shown) == {"bld-a"}
    assert {pool.instances[n].lod for n in shown["bld-a"]} == {"3"}
    coarse = [i for i in pool.instances if i.lod < "3"]
    fewer = type(pool)(pool.meshes, pool.materials, tuple(coarse))
    drawn = owners(view, fewer, town)
    assert {fewer.instances[n].lod for n in drawn["bld-a"]} == {"2"}
