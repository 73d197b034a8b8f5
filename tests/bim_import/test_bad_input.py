"""What is wrong with a file gets an answer: an error with a remedy, or a line in the report."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

pytest.importorskip("ifcopenshell")

from bim_import.bringing import import_ifc
from bim_import.meshing import Budget, Meshed, read_and_mesh
from bim_import.reporting import ifc_report
from cim.errors import CimError, FrameError, MissingError, SourceError, UnitError
from cim.jobs import QUIET
from cim.model.kinds import COMMON, kind
from cim.model.table import FeatureTable, as_column
from tests.bim_import.small import Small
from tests.bim_import.test_reader import run
from tests.bim_import.test_shapes import _revolved

AT: dict[str, Any] = {"at": [517000.0, 4330000.0, 3.0, 0.0]}


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIM_CACHE", "off")


def text() -> str:
    s = Small()
    s.product(s.box(4, 5, 3))
    return s.text()


REFUSED: dict[str, tuple[Callable[[str], str], type[CimError], str]] = {
    "not IFC": (lambda t: "a,b\n1,2\n", SourceError, "bim.not_ifc"),
    "empty": (lambda t: "", SourceError, "bim.not_ifc"),
    "truncated": (lambda t: t[:-40], SourceError, "bim.cut_short"),
    "unknown schema": (lambda t: t.replace("'IFC4'", "'IFC9'"), SourceError, "bim.unknown_schema"),
    "no units": (lambda t: t.replace("(#1,#2)", "(#2)"), UnitError, "bim.no_unit"),
    "no product": (lambda t: re.sub(r"#\d+=IFC(WALL|SITE|BUILDING\w*)\(.*\n", "", t), SourceError,
                   "bim.no_products"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_used_is_refused_with_a_remedy(tmp_path: Path, name: str) -> None:
    change, error, key = REFUSED[name]
    path = tmp_path / "a.ifc"
    path.write_text(change(text()), encoding="utf-8")
    with pytest.raises(error) as caught:
        run(path, options=AT)
    assert caught.value.key == key
    for language in ("en", "zh"):
        assert "a.ifc" in caught.value.message(language)
        assert caught.value.remedy(language)


@pytest.mark.parametrize(
    ("lost", "parents"),
    [("IFCPROJECT", {"IfcBuilding"}), ("IFCSITE", {"IfcBuilding"}), ("IFCBUILDING", set())],
)
def test_a_file_without_its_spatial_root_keeps_its_products(
    tmp_path: Path, lost: str, parents: set[str]
) -> None:
    path = tmp_path / "a.ifc"
    path.write_text(re.sub(rf"#\d+={lost}\(.*\n", "", text()), encoding="utf-8")
    done = run(path, options=AT)
    wall = done.table("building_element").row(0)
    assert (wall["outcome"], wall["top_m"] - wall["bottom_m"]) == ("exact", pytest.approx(3.0))
    assert done.report.total.kept == done.report.total.read
    assert ({"building"} if parents else set()) == {
        t.layer for t in done.loaded.tables if t.layer == "building"
    }
    if not parents:
        assert [e.reason for e in done.report.entries].count("bim.no_building") == 1


def spoilt(tmp_path: Path, make: Callable[[Small], int], budget: Budget) -> tuple[Meshed, int, int]:
    s = Small()
    good, bad = s.product(s.box(1, 1, 1)), make(s)
    return read_and_mesh(s.write(tmp_path / "a.ifc"), job=QUIET, budget=budget), good, bad


def cyclic(s: Small) -> int:
    axes, other = s.axes(), s.next + 2
    one = s.add(f"IFCLOCALPLACEMENT(#{other},#{axes})")
    assert s.add(f"IFCLOCALPLACEMENT(#{one},#5)") == other
    return s.product(s.box(1, 1, 1), at=one)


def flat(s: Small) -> int:
    points = s.add("IFCCARTESIANPOINTLIST3D(((0.,0.,0.),(1.,0.,0.),(2.,0.,0.)))")
    return s.product(s.add(f"IFCTRIANGULATEDFACESET(#{points},$,$,((1,2,2)),$)"))


def nested(s: Small) -> int:
    return s.product(s.box(1, 1, 1), at=s.add(f"IFCLOCALPLACEMENT(#8,(#{s.axes()}))"))


BAD: dict[str, tuple[Callable[[Small], int], str, str]] = {
    "cyclic placement": (cyclic, "missing", "cyclic"),
    "point at 1e12": (lambda s: s.product(s.box(1, 1, 1, (1e12, 0, 0))), "missing", "beyond"),
    "placed at 1e12": (lambda s: s.product(s.box(1, 1, 1), at=s.place(1e12)), "missing", "beyond"),
    "placement in brackets": (nested, "missing", ""),
    "faces without area": (flat, "box", ""),
    "body that is not there": (lambda s: s.product(s.add("IFCFACETEDBREP(#99999)")), "missing", ""),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_product_has_its_outcome_and_its_reason_and_spares_the_others(
    tmp_path: Path, name: str
) -> None:
    make, outcome, why = BAD[name]
    done, good, bad = spoilt(tmp_path, make, Budget(product_s=2.0))
    assert done.outcome[good] == "exact" and good not in done.why
    assert done.outcome[bad] == outcome
    assert done.why[bad] and why in done.why[bad]


def test_one_product_at_the_end_of_the_world_does_not_move_the_house(tmp_path: Path) -> None:
    s = Small()
    s.product(s.box(4, 5, 3))
    s.product(s.box(1, 1, 1), at=s.place(1e12, 0, 0), name="lost")
    done = run(s.write(tmp_path / "a.ifc"), options=AT)
    (entry,) = [e for e in done.report.entries if e.reason == "bim.geometry_missing"]
    assert entry.values["name"] == "lost"
    assert done.table("building").geometry[0].area == pytest.approx(20.0)


def test_two_products_of_one_global_id_are_told(tmp_path: Path) -> None:
    s = Small()
    s.product(s.box(1, 1, 1), guid="0" * 21 + "9")
    s.product(s.box(2, 2, 2), guid="0" * 21 + "9")
    path = s.write(tmp_path / "a.ifc")
    assert ifc_report(path, job=QUIET)["duplicated_guids"] == 1
    done = run(path, options=AT)
    (entry,) = [e for e in done.report.entries if e.reason == "bim.duplicate"]
    assert entry.action == "rejected"
    assert done.report.total.rejected == 1


@pytest.mark.parametrize("name", ["manifold3d", "mapbox_earcut", "ifcopenshell"])
def test_a_library_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    found = importlib.util.find_spec

    def without(wanted: str, *rest: Any) -> Any:
        return None if wanted == name else found(wanted, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    with pytest.raises(MissingError, match=name) as caught:
        read_and_mesh(Small().write(tmp_path / "a.ifc"), job=QUIET)
    assert "cim-twin[bim]" in (caught.value.remedy("en") or "")


SLOW = """
import sys

def burn():
    while True:
        sum(range(1000))

if "bim_import._mesher" in sys.orig_argv:
    import ifcopenshell.geom as geom
    create, Iterator = geom.create_shape, geom.iterator

    def create_shape(settings, product, *rest, **words):
        return burn() if product.Name == "slow" else create(settings, product, *rest, **words)

    class iterator(Iterator):
        def __init__(self, settings, file, *rest, **words):
            super().__init__(settings, file, *rest, **words)
            self.slow = any(p.Name == "slow" for p in words["include"])

        def initialize(self):
            return burn() if self.slow else super().initialize()

    geom.create_shape, geom.iterator = create_shape, iterator
"""


def slow_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, int, int, int]:
    """Write a product whose kernel never ends, and the kernel: it runs in the workers alone."""
    folder = tmp_path / "first"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SLOW)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    s = Small()
    slow = s.product(_revolved(s), name="slow")
    other, plain = s.product(_revolved(s), name="ring"), s.product(s.box(1, 1, 1))
    return s.write(tmp_path / "a.ifc"), slow, other, plain


def test_a_product_that_never_ends_is_left_within_its_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, slow, other, plain = slow_file(tmp_path, monkeypatch)
    done = read_and_mesh(path, job=QUIET, budget=Budget(stall_s=0.5, product_s=0.5))
    assert (done.outcome[other], done.outcome[plain]) == ("exact", "exact")
    assert (done.outcome[slow], done.why[slow]) == ("box", "budget")
    # Rungs: all at once, the hybrid kernel, OpenCASCADE, without openings; limits of the
    # system are whole seconds, and every rung starts a process (0.5 to 1 CPU s here).
    assert done.cpu_s < 4 * (0.5 + 1.0) + 6.0


def test_the_default_budget_lets_no_product_block_for_thirty_seconds() -> None:
    budget = Budget()
    # Limits of the system are whole seconds; a kernel's process takes up to a second to start.
    assert budget.stall_s + 3 * budget.product_s + 4 * (1.0 + 1.0) < 30.0


@pytest.mark.soak
def test_a_product_that_never_ends_blocks_less_than_thirty_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, slow, other, plain = slow_file(tmp_path, monkeypatch)
    done = read_and_mesh(path, job=QUIET)
    assert (done.outcome[other], done.outcome[plain], done.outcome[slow]) == (
        "exact", "exact", "box",
    )  # fmt: skip
    print(f"\na product that never ends: {done.cpu_s:.1f} CPU s with all else")
    assert done.cpu_s < 30.0


def layer(name: str, *shapes: Any) -> FeatureTable:
    fields = (*COMMON, *kind(name).fields)
    geometry = np.empty(len(shapes), dtype=object)
    geometry[:] = shapes
    rows: list[dict[str, Any]] = [{"name": "海河"} for _ in shapes]
    return FeatureTable(
        layer=name, ids=np.array([f"{name}-{i}" for i in range(len(shapes))], dtype=object),
        geometry=geometry,
        columns={f.name: as_column([r.get(f.name) for r in rows], f.type) for f in fields},
        fields=fields,
    )  # fmt: skip


@pytest.mark.parametrize(("east", "far", "wet"), [(0.0, False, False), (100.0, False, True),
                                                  (9000.0, True, False)])  # fmt: skip
def test_a_house_far_from_the_city_or_in_its_river_is_told(
    tmp_path: Path, east: float, far: bool, wet: bool
) -> None:
    s = Small()
    s.product(s.box(10, 8, 3))
    x, y = 517000.0, 4330000.0
    near = {
        "road": layer("road", shapely.LineString([(x - 50, y - 20), (x + 300, y - 20)])),
        "water": layer("water", shapely.box(x + 90, y - 100, x + 200, y + 100)),
    }
    options = {"at": [x + east, y, 3.0, 0.0]}
    done = run(s.write(tmp_path / "a.ifc"), near=near, options=options)
    notes = {e.reason: e.values for e in done.report.entries}
    assert ("bim.far_from_city" in notes, "bim.on_water" in notes) == (far, wet)
    if wet:
        assert notes["bim.on_water"] == {"name": "楼", "share": "100", "water": "海河"}
    if far:
        assert notes["bim.far_from_city"]["distance"] == "8.7"


def test_a_model_in_another_country_is_not_brought_in(tmp_path: Path) -> None:
    s = Small()
    s.product(s.box(10, 8, 3))
    with pytest.raises(FrameError) as caught:
        run(s.write(tmp_path / "a.ifc"), options={"at": [517000.0, 9_330_000.0, 3.0, 0.0]})
    assert caught.value.key == "bim.outside_area"


def test_a_twin_that_is_not_there_is_named(tmp_path: Path) -> None:
    s = Small()
    s.product(s.box(1, 1, 1))
    with pytest.raises(CimError, match="nowhere"):
        import_ifc(tmp_path / "nowhere.cim", [s.write(tmp_path / "a.ifc")], at=(0, 0, 0, 0),
                   job=QUIET)  # fmt: skip
