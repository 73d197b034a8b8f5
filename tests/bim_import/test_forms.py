"""A building's forms from LoD0 to LoD2, on import: what they measure, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ifcopenshell")

from bim_import._shell_faces import closed, volume_of
from bim_import.authoring import read_model
from bim_import.meshing import read_and_mesh
from bim_import.reader import local_groups
from cim.jobs import QUIET
from cim.model.mesh import Instance, Surface
from cim.sources.spec import LayerSpec
from tests.bim_import.small import Small
from tests.bim_import.test_reader import DATA, VILLA, Done, city, run

AT = [517000.0, 4330000.0, 3.0, 30.0]


@pytest.fixture(scope="module")
def villa() -> Done:
    return run(VILLA, near={"building": city()})


def forms(done: Done, lod: str) -> list[Instance]:
    return [i for i in done.loaded.meshes.instances if i.lod == lod]


def area(done: Done, one: Instance) -> float:
    corners = done.loaded.meshes.placed(one)[done.loaded.meshes.meshes[one.mesh_id].triangles]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return float(np.linalg.norm(cross, axis=1).sum() / 2)


def test_footprint_and_roof_outline_are_two_things(villa: Done) -> None:
    facts = read_model(DATA / "tables" / "models" / "villa.toml").facts
    surface = {}
    for one in forms(villa, "0"):
        mesh = villa.loaded.meshes.meshes[one.mesh_id]
        (kind,) = set(mesh.surface.tolist())
        surface[kind] = one
        assert np.ptp(villa.loaded.meshes.placed(one)[:, 2]) == 0.0
    plan, roof = surface[Surface.GROUND], surface[Surface.ROOF]
    # 450 m2 less the court of 9.0 x 3.5 m; the eaves stand out by 0.85 m, gutters 0.1 m.
    assert area(villa, plan) == pytest.approx(418.5, rel=1e-3)
    assert area(villa, roof) > area(villa, plan) + 80.0
    assert plan.matrix[2, 3] == pytest.approx(facts.ground_floor_m)
    assert roof.matrix[2, 3] == pytest.approx(facts.ground_floor_m + 7.2)
    part = villa.table("building_part").row(0)
    assert part["footprint_m2"] == pytest.approx(area(villa, plan), abs=0.01)
    assert part["roof_outline_m2"] == pytest.approx(area(villa, roof), abs=0.01)


def test_the_block_and_the_shell_are_closed_and_measure_what_the_row_says(villa: Done) -> None:
    pool, part = villa.loaded.meshes, villa.table("building_part").row(0)
    found = {}
    for lod in ("1", "2"):
        (one,) = forms(villa, lod)
        mesh = pool.meshes[one.mesh_id]
        assert closed(mesh.triangles)
        assert set(mesh.surface.tolist()) == {Surface.GROUND, Surface.WALL, Surface.ROOF}
        found[lod] = volume_of(pool.placed(one), mesh.triangles)
    assert found["1"] == pytest.approx(418.5 * 7.2, rel=1e-3)
    assert found["2"] == pytest.approx(part["volume_m3"], rel=1e-4)
    note = next(e for e in villa.report.entries if e.reason == "bim.shell")
    assert found["2"] == pytest.approx(float(note.values["enclosed"]), rel=0.03)
    assert "shell_flags" not in part


def open_yard(tmp_path: Path) -> Path:
    """Write four walls without floor or roof: they enclose nothing but themselves."""
    s = Small()
    for (x, y), (long, wide) in {
        (0, 0): (20, 0.3), (0, 19.7): (20, 0.3), (0, 0.3): (0.3, 19.4), (19.7, 0.3): (0.3, 19.4),
    }.items():  # fmt: skip
        s.product(s.box(long, wide, 3), at=s.place(x, y, 0))
    return s.write(tmp_path / "yard.ifc")


def test_a_shell_that_is_not_the_building_is_not_kept_and_the_report_says_why(
    tmp_path: Path,
) -> None:
    done = run(open_yard(tmp_path), options={"at": AT})
    assert not forms(done, "2")
    row = done.table("building").row(0)
    assert "volume_m3" not in row
    flags = row["shell_flags"].split()
    assert "part" in flags
    for flag in flags:
        entry = next(e for e in done.report.entries if e.reason == f"bim.shell_{flag}")
        assert entry.record("zh")["reason"] != entry.record("en")["reason"]


def test_no_shell_is_made_where_none_is_wanted(tmp_path: Path) -> None:
    done = run(VILLA, options={"shells": False})
    assert not forms(done, "2")
    assert len(forms(done, "0")) == 2
    assert "bim.shell_not_asked" in [e.reason for e in done.report.entries]


HOUSES = ["ifcopenhouse_4", "duplex_arch_2x3", "tested_sample", "testmodel_4add2", "bimwhale_large"]


def enclosed_m3(parts: list[tuple[np.ndarray, np.ndarray]], cell_m: float = 0.1) -> float:
    """Count what the outside does not reach, by points on the faces and another flood fill."""
    from scipy import ndimage

    found = []
    for vertices, triangles in parts:
        for a, b, c in vertices[triangles]:
            longest = max(np.linalg.norm(b - a), np.linalg.norm(c - b), np.linalg.norm(a - c))
            n = int(np.ceil(longest / (0.45 * cell_m))) + 1
            u, v = np.meshgrid(np.linspace(0, 1, n + 1), np.linspace(0, 1, n + 1))
            kept = u + v <= 1 + 1e-9
            found.append(a + u[kept][:, None] * (b - a) + v[kept][:, None] * (c - a))
    points = np.concatenate(found)
    cells = np.floor((points - points.min(axis=0)) / cell_m + [2.31, 2.37, 2.43]).astype(int)
    solid = np.zeros(cells.max(axis=0) + 3, bool)
    solid[tuple(cells.T)] = True
    pieces, _ = ndimage.label(~solid)
    wet = pieces == pieces[0, 0, 0]
    skin = solid & ndimage.binary_dilation(wet)
    return float(((~wet).sum() - 0.5 * skin.sum()) * cell_m**3)


def uncut(path: Path, guids: list[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Mesh products by the library's own kernel, no opening cut out: every one is plugged."""
    import ifcopenshell
    import ifcopenshell.geom

    settings = ifcopenshell.geom.settings()
    settings.set("disable-opening-subtractions", True)
    settings.set("use-world-coords", True)
    file = ifcopenshell.open(str(path))
    found = []
    for guid in guids:
        shape = ifcopenshell.geom.create_shape(settings, file.by_guid(guid)).geometry
        found.append((np.array(shape.verts).reshape(-1, 3), np.array(shape.faces).reshape(-1, 3)))
    return found


@pytest.mark.truths
@pytest.mark.parametrize("name", HOUSES)
def test_the_shell_of_a_real_house_holds_what_its_elements_enclose(
    testdata: Callable[[str], Path], name: str
) -> None:
    path = testdata(f"ifc/{name}.ifc")
    groups = local_groups(read_and_mesh(path, job=QUIET), LayerSpec(file=path), job=QUIET)
    (group,) = [g for g in groups if g.enclosing]
    body = group.body
    assert body.shell is not None and body.shell.closed and body.sound
    truth = enclosed_m3(uncut(path, group.enclosing))
    off = body.shell.volume_m3 / truth - 1
    print(f"{name}: shell {body.shell.volume_m3:.1f} m3, flood fill {truth:.1f} m3 ({off:+.2%}), "
          f"kernel {body.shell.enclosed_m3:.1f} m3, flags {body.flags}")  # fmt: skip
    assert body.flags == ()
    assert body.shell.volume_m3 == pytest.approx(truth, rel=0.03)


@pytest.mark.truths
@pytest.mark.parametrize(
    ("name", "kept", "flag"),
    [("office_a_2x3", False, "uncovered"), ("acad2010_objects", False, "apart"),
     ("revit2012_janesville_restaurant", True, "coarse")],
)  # fmt: skip
def test_what_is_no_whole_house_is_told_why_and_a_large_one_has_its_shell(
    testdata: Callable[[str], Path], name: str, kept: bool, flag: str
) -> None:
    path = testdata(f"ifc/{name}.ifc")
    groups = local_groups(read_and_mesh(path, job=QUIET), LayerSpec(file=path), job=QUIET)
    (group,) = [g for g in groups if g.enclosing]
    body = group.body
    assert body.shell is not None
    print(f"{name}: shell {body.shell.volume_m3:.0f} m3, enclosed {body.shell.enclosed_m3:.0f} m3, "
          f"thin {body.shell.thin_m3:.0f} m3, flags {body.flags}")  # fmt: skip
    assert (body.sound, flag in body.flags) == (kept, True)
    if kept:
        assert body.shell.closed
        within = body.shell.enclosed_m3 - body.shell.thin_m3
        assert body.shell.volume_m3 == pytest.approx(within, rel=0.03)
