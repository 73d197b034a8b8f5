"""Own reading of shapes against volumes known by arithmetic, and every product accounted for."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ifcopenshell")

from bim_import.meshing import Budget, Meshed, read_and_mesh
from cim.errors import SourceError
from cim.jobs import QUIET
from tests.bim_import.small import Small


def mesh(path: Path, **budget: float) -> Meshed:
    done = read_and_mesh(path, job=QUIET, budget=Budget(**budget))
    products = done.said["columns"]["products"]["step_id"]
    assert sorted(done.outcome) == products
    assert sum(done.outcomes().values()) == len(products)
    return done


def volume(done: Meshed, number: int) -> float:
    key, matrix = done.places[number]
    shape = done.shapes[key]
    corners = (shape.vertices @ matrix[:3, :3].T + matrix[:3, 3])[shape.triangles]
    corners = corners - corners.reshape(-1, 3).mean(axis=0)
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def box(done: Meshed, number: int) -> np.ndarray:
    key, matrix = done.places[number]
    points = done.shapes[key].vertices @ matrix[:3, :3].T + matrix[:3, 3]
    return np.array([points.min(axis=0), points.max(axis=0)])


def closed(done: Meshed, number: int) -> bool:
    triangles = done.shapes[done.places[number][0]].triangles
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    there = {tuple(e) for e in edges.tolist()}
    return len(there) == len(edges) and all((b, a) in there for a, b in there)


def _circle(s: Small) -> int:
    at = s.add(f"IFCAXIS2PLACEMENT2D(#{s.point(0, 0)},$)")
    return s.add(f"IFCCIRCLEPROFILEDEF(.AREA.,$,#{at},0.5)")


def _pipe(s: Small) -> int:
    at = s.add(f"IFCAXIS2PLACEMENT2D(#{s.point(0, 0)},$)")
    return s.add(f"IFCCIRCLEHOLLOWPROFILEDEF(.AREA.,$,#{at},0.5,0.1)")


def _beam(s: Small) -> int:
    return s.add("IFCISHAPEPROFILEDEF(.AREA.,$,$,0.2,0.3,0.01,0.02,$,$,$)")


def _l(s: Small) -> int:
    return s.polygon([(0, 0), (3, 0), (3, 1), (1, 1), (1, 3), (0, 3)])


def _frame(s: Small) -> int:
    outer, inner = (s.polygon(r) for r in (
        [(0, 0), (2, 0), (2, 2), (0, 2)], [(0.5, 0.5), (1.5, 0.5), (1.5, 1.5), (0.5, 1.5)],
    ))  # fmt: skip
    rings = [line.rsplit("#", 1)[1][:-2] for line in s.lines if "CLOSEDPROFILEDEF" in line]
    del outer, inner
    return s.add(f"IFCARBITRARYPROFILEDEFWITHVOIDS(.AREA.,$,#{rings[0]},(#{rings[1]}))")


def _arched(s: Small) -> int:
    points = s.add("IFCCARTESIANPOINTLIST2D(((0.,0.),(2.,0.),(2.,1.),(1.,2.),(0.,1.)))")
    line = s.add(
        f"IFCINDEXEDPOLYCURVE(#{points},(IFCLINEINDEX((1,2,3)),IFCARCINDEX((3,4,5)),"
        "IFCLINEINDEX((5,1))),.F.)"
    )
    return s.add(f"IFCARBITRARYCLOSEDPROFILEDEF(.AREA.,$,#{line})")


def _half_round(s: Small) -> int:
    at = s.add(f"IFCAXIS2PLACEMENT2D(#{s.point(0, 0)},$)")
    circle = s.add(f"IFCCIRCLE(#{at},1.)")
    arc = s.add(
        f"IFCTRIMMEDCURVE(#{circle},(IFCPARAMETERVALUE(0.)),"
        f"(IFCPARAMETERVALUE({math.pi!r})),.T.,.PARAMETER.)"
    )
    line = s.add(f"IFCPOLYLINE((#{s.point(-1, 0)},#{s.point(1, 0)}))")
    parts = [s.add(f"IFCCOMPOSITECURVESEGMENT(.CONTINUOUS.,.T.,#{c})") for c in (arc, line)]
    curve = s.add(f"IFCCOMPOSITECURVE((#{parts[0]},#{parts[1]}),.F.)")
    return s.add(f"IFCARBITRARYCLOSEDPROFILEDEF(.AREA.,$,#{curve})")


@pytest.mark.parametrize(
    ("profile", "area", "within"),
    [
        (lambda s: s.rectangle(2.0, 3.0), 6.0, 1e-9),
        (_l, 5.0, 1e-9),
        (_frame, 3.0, 1e-9),
        (_beam, 0.2 * 0.02 * 2 + 0.26 * 0.01, 1e-9),
        (_circle, math.pi * 0.25, 0.01),
        (_pipe, math.pi * (0.25 - 0.16), 0.01),
        (_arched, 2.0 + math.pi / 2, 0.01),
        (_half_round, math.pi / 2, 0.01),
    ],
)
def test_straight_extrusions_have_the_volume_of_their_profile(
    tmp_path: Path, profile: Callable[[Small], int], area: float, within: float
) -> None:
    s = Small()
    wall = s.product(s.extrusion(profile(s), 2.0))
    done = mesh(s.write(tmp_path / "a.ifc"))
    assert done.outcome[wall] == "exact"
    assert volume(done, wall) == pytest.approx(2.0 * area, rel=within)
    assert closed(done, wall)


def _faces(s: Small, *, turned: bool = False) -> list[int]:
    corner = [s.point(x, y, z) for z in (0, 1) for y in (0, 1) for x in (0, 1)]
    faces = []
    for ring in (
        (0, 2, 3, 1),
        (4, 5, 7, 6),
        (0, 1, 5, 4),
        (2, 6, 7, 3),
        (0, 4, 6, 2),
        (1, 3, 7, 5),
    ):
        listed = ring[::-1] if turned else ring
        loop = s.add("IFCPOLYLOOP((" + ",".join(f"#{corner[i]}" for i in listed) + "))")
        bound = s.add(f"IFCFACEOUTERBOUND(#{loop},.{'F' if turned else 'T'}.)")
        faces.append(s.add(f"IFCFACE((#{bound}))"))
    return faces


def _brep(s: Small, *, turned: bool = False) -> int:
    listed = ",".join(f"#{f}" for f in _faces(s, turned=turned))
    return s.add(f"IFCFACETEDBREP(#{s.add(f'IFCCLOSEDSHELL(({listed}))')})")


def _unoriented(s: Small) -> int:
    """Write a cube whose faces look in and out as they come, and no shell that says so."""
    faces = _faces(s)
    for i in (1, 4):
        at = next(k for k, line in enumerate(s.lines) if line.startswith(f"#{faces[i] - 1}="))
        s.lines[at] = s.lines[at].replace(".T.", ".F.")
    listed = ",".join(f"#{f}" for f in faces)
    return s.add(f"IFCFACEBASEDSURFACEMODEL((#{s.add(f'IFCCONNECTEDFACESET(({listed}))')}))")


def _triangulated(s: Small) -> int:
    points = s.add("IFCCARTESIANPOINTLIST3D(((0.,0.,0.),(1.,0.,0.),(0.,1.,0.),(0.,0.,6.)))")
    return s.add(f"IFCTRIANGULATEDFACESET(#{points},$,.T.,((1,3,2),(1,2,4),(2,3,4),(3,1,4)),$)")


def _polygonal(s: Small) -> int:
    points = s.add("IFCCARTESIANPOINTLIST3D(((0.,0.,0.),(1.,0.,0.),(0.,1.,0.),(0.,0.,6.)))")
    faces = [s.add(f"IFCINDEXEDPOLYGONALFACE({r})") for r in
             ("(1,3,2)", "(1,2,4)", "(2,3,4)", "(3,1,4)")]  # fmt: skip
    return s.add(f"IFCPOLYGONALFACESET(#{points},.T.,(" + ",".join(f"#{f}" for f in faces) + "),$)")


@pytest.mark.parametrize(
    "body", [_brep, lambda s: _brep(s, turned=True), _unoriented, _triangulated, _polygonal]
)
def test_faces_and_tessellations_keep_their_volume(
    tmp_path: Path, body: Callable[[Small], int]
) -> None:
    s = Small()
    wall = s.product(body(s), kind="IFCBUILDINGELEMENTPROXY")
    done = mesh(s.write(tmp_path / "a.ifc"))
    assert (done.outcome[wall], closed(done, wall)) == ("exact", True)
    assert volume(done, wall) == pytest.approx(1.0)


def test_a_bent_bar_is_its_length_times_its_section(tmp_path: Path) -> None:
    s = Small()
    path = [s.point(0, 0, 0), s.point(3, 0, 0), s.point(3, 4, 0)]
    line = s.add("IFCPOLYLINE((" + ",".join(f"#{p}" for p in path) + "))")
    bar = s.product(s.add(f"IFCSWEPTDISKSOLID(#{line},0.05,$,$,$)"), kind="IFCMEMBER")
    tube = s.product(s.add(f"IFCSWEPTDISKSOLID(#{line},0.05,0.03,0.,2.)"), kind="IFCMEMBER")
    done = mesh(s.write(tmp_path / "a.ifc"))
    assert {done.outcome[bar], done.outcome[tube]} == {"exact"}
    assert volume(done, bar) == pytest.approx(7 * math.pi * 0.05**2, rel=0.05)
    # Same chords inside and outside: the ratio of the two is exact.
    assert volume(done, tube) / volume(done, bar) == pytest.approx(1 - 0.36, rel=1e-6)
    assert closed(done, bar) and closed(done, tube)


@pytest.mark.parametrize("off", [0.0, 1e-16, 3e-15, 1e-10, 5e-5])
def test_an_opening_as_deep_as_its_wall_leaves_no_skin(tmp_path: Path, off: float) -> None:
    s = Small()
    wall = s.product(s.box(4, 0.2, 3))
    s.opening(wall, s.extrusion(s.rectangle(1.0, 0.2 - 2 * off), 2.0, (1, off, 0)))
    done = mesh(s.write(tmp_path / "a.ifc"))
    assert (done.outcome[wall], closed(done, wall)) == ("exact", True)
    assert volume(done, wall) == pytest.approx((12 - 2) * 0.2, rel=1e-3)
    corners = done.shapes[done.places[wall][0]]
    a, b, c = (corners.vertices[corners.triangles[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    assert area == pytest.approx(2 * 10 + 0.2 * (4 + 3 + 2 + 3 + 2 + 1 + 3), rel=1e-3)


def test_an_opening_stands_where_its_own_placement_says(tmp_path: Path) -> None:
    s = Small("mm")
    at = s.place(1000, 2000, 0)
    wall = s.product(s.box(4000, 200, 3000), at=at)
    hole = s.product(
        s.box(1000, 100, 1000), kind="IFCOPENINGELEMENT", at=s.place(500, 0, 1000, within=at)
    )
    s.add(f"IFCRELVOIDSELEMENT('{0:022d}',$,$,$,#{wall},#{hole})")
    done = mesh(s.write(tmp_path / "a.ifc"))
    assert volume(done, wall) == pytest.approx(4 * 0.2 * 3 - 0.1, rel=1e-3)
    assert done.outcome[hole] == "none_by_design"


def test_a_clipped_wall_keeps_the_side_the_standard_says(tmp_path: Path) -> None:
    s = Small()
    plane = s.add(f"IFCPLANE(#{s.axes(0, 0, 2)})")
    walls = []
    for flag in ("F", "T"):
        half = s.add(f"IFCHALFSPACESOLID(#{plane},.{flag}.)")
        walls.append(s.product(s.add(
            f"IFCBOOLEANCLIPPINGRESULT(.DIFFERENCE.,#{s.box(1, 1, 3)},#{half})")))  # fmt: skip
    done = mesh(s.write(tmp_path / "a.ifc"))
    # The half space lies below the plane where the flag is true, above where it is false.
    assert volume(done, walls[0]) == pytest.approx(2.0)
    assert volume(done, walls[1]) == pytest.approx(1.0)
    assert box(done, walls[1])[0, 2] == pytest.approx(2.0)


def test_repeated_shapes_are_one_mesh_and_mirrored_ones_turn_their_faces(tmp_path: Path) -> None:
    s = Small()
    rep = s.add(f"IFCSHAPEREPRESENTATION(#6,'Body','SweptSolid',(#{s.extrusion(_l(s), 2.0)}))")
    source = s.add(f"IFCREPRESENTATIONMAP(#{s.axes()},#{rep})")
    zero = s.point(0, 0, 0)
    mirror = s.add("IFCDIRECTION((0.,-1.,0.))")
    plain = s.add(f"IFCCARTESIANTRANSFORMATIONOPERATOR3D($,$,#{zero},1.,$)")
    turned = s.add(f"IFCCARTESIANTRANSFORMATIONOPERATOR3D($,#{mirror},#{zero},2.,$)")
    chairs = [
        s.product(s.add(f"IFCMAPPEDITEM(#{source},#{how})"), kind="IFCFURNITURE", at=s.place(x))
        for x, how in ((0, plain), (5, plain), (10, turned))
    ]
    done = mesh(s.write(tmp_path / "a.ifc"))
    assert done.places[chairs[0]][0] == done.places[chairs[1]][0]
    assert volume(done, chairs[0]) == pytest.approx(10.0)
    assert volume(done, chairs[2]) == pytest.approx(80.0)
    assert box(done, chairs[2])[:, 1] == pytest.approx([-6.0, 0.0])


def _revolved(s: Small) -> int:
    axis = s.add(f"IFCAXIS1PLACEMENT(#{s.point(0, 0, 0)},#{s.add('IFCDIRECTION((0.,1.,0.))')})")
    at = s.add(f"IFCAXIS2PLACEMENT2D(#{s.point(1.5, 0.5)},$)")
    profile = s.add(f"IFCRECTANGLEPROFILEDEF(.AREA.,$,#{at},1.,1.)")
    return s.add(f"IFCREVOLVEDAREASOLID(#{profile},#{s.axes()},#{axis},{2 * math.pi!r})")


def test_what_is_not_read_here_comes_from_a_kernel(tmp_path: Path) -> None:
    s = Small()
    ring, wall = s.product(_revolved(s)), s.product(s.box(1, 1, 1))
    done = mesh(s.write(tmp_path / "a.ifc"))
    assert done.outcome[ring] == done.outcome[wall] == "exact"
    assert abs(volume(done, ring)) == pytest.approx(math.pi * 3, rel=0.02)


def test_without_time_for_kernels_a_rough_form_is_left_and_said(tmp_path: Path) -> None:
    s = Small()
    ring = s.product(_revolved(s))
    cut = s.product(s.box(1, 1, 2))
    s.opening(cut, _revolved(s))
    nothing = s.product(s.add("IFCSECTIONEDSPINE($,(),())"))
    done = mesh(s.write(tmp_path / "a.ifc"), total_s=0.0)
    assert [done.outcome[n] for n in (ring, cut, nothing)] == ["box", "fallback", "missing"]
    assert volume(done, cut) == pytest.approx(2.0)
    assert done.why[cut]


@pytest.mark.parametrize("schema", ["IFC2X3", "IFC4", "IFC4X3_ADD2", "IFC4X3_RC2", "IFC4X3"])
def test_every_schema_reads_the_same(tmp_path: Path, schema: str) -> None:
    s = Small(schema=schema)
    wall = s.product(s.box(1, 2, 3))
    s.product(_revolved(s))
    done = mesh(s.write(tmp_path / "a.ifc"))
    assert volume(done, wall) == pytest.approx(6.0)
    assert done.outcomes()["exact"] == 2


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_zipped_file_with_chinese_names_is_read(tmp_path: Path, encoding: str) -> None:
    s = Small()
    s.product(s.box(1, 2, 3), name="外墙")
    plain = s.write(tmp_path / "a.ifc", encoding)
    zipped = tmp_path / "a.ifczip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(plain, "模型.ifc")
    for path in (plain, zipped):
        assert "外墙" in mesh(path).said["columns"]["products"]["name"]
    with zipfile.ZipFile(zipped, "a") as archive:
        archive.write(plain, "b.ifc")
    with pytest.raises(SourceError) as caught:
        mesh(zipped)
    assert caught.value.key == "bim.zip"


def test_bad_products_get_an_outcome_and_spare_the_good_ones(tmp_path: Path) -> None:
    s = Small()
    good = s.product(s.box(1, 1, 1))
    first = s.next + 2
    circle = s.add(f"IFCLOCALPLACEMENT(#{first},#{s.axes()})")
    again = s.add(f"IFCLOCALPLACEMENT(#{circle},#5)")
    s.lines[-2] = s.lines[-2].replace(f"#{first},", f"#{again},")
    round_ = s.product(s.box(1, 1, 1), at=circle)
    far = s.product(s.box(1, 1, 1, (1e12, 0, 0)))
    points = s.add("IFCCARTESIANPOINTLIST3D(((0.,0.,0.),(1.,0.,0.),(2.,0.,0.)))")
    flat = s.product(s.add(f"IFCTRIANGULATEDFACESET(#{points},$,$,((1,2,2)),$)"))
    twin = s.product(s.box(1, 1, 1), guid=f"{good:022d}")
    lost = s.product(s.add("IFCFACETEDBREP(#99999)"))
    path = s.write(tmp_path / "a.ifc")
    done = mesh(path, product_s=3.0)
    assert done.outcome[good] == done.outcome[twin] == "exact"
    assert [done.outcome[n] for n in (round_, far, lost, flat)] == [*["missing"] * 3, "box"]
    assert all(done.why.get(n) for n in (lost, flat) if done.outcome[n] != "exact")
