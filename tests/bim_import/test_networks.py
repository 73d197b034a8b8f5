"""Networks of IFC files: drains as pipes and nodes, what ports connect, alignments as lines."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ifcopenshell")

from bim_import.native.alignment import Gradient, Stretch, centre_line, plan_end
from bim_import.native.bulk import Unsupported
from bim_import.page import report_page
from bim_import.reporting import ifc_report
from cim import messages
from cim.crs import Frame
from cim.jobs import QUIET
from tests.bim_import.small import Small
from tests.bim_import.test_reader import run

Find = Callable[[str], Path]
EAST, NORTH, UP = 517000.0, 4330000.0, 3.0
AT = {"at": [EAST, NORTH, UP, 0.0]}


class Drains(Small):
    """Two chambers and a pipe between them, joined by ports."""

    def __init__(self, *, inside: bool) -> None:
        super().__init__(schema="IFC4X3_ADD2")
        self.chambers = [
            self.product(self.box(1, 1, 2), kind="IFCDISTRIBUTIONCHAMBERELEMENT", at=place,
                         name=name, rest="$,.MANHOLE.")
            for name, place in (("A", self.place(0, 0, -2)), ("B", self.place(30, 0, -2.3)))
        ]  # fmt: skip
        profile = self.add("IFCCIRCLEHOLLOWPROFILEDEF(.AREA.,$,$,0.2,0.05)")
        along = self.add("IFCDIRECTION((1.,0.,-0.01))")
        at = self.add(f"IFCAXIS2PLACEMENT3D(#{self.point(0, 0, -1.85)},#{along},$)")
        place = self.add(f"IFCLOCALPLACEMENT(#8,#{at})")
        self.length = 30.0 * math.hypot(1.0, 0.01)
        self.pipe = self.product(self.extrusion(profile, self.length), kind="IFCPIPESEGMENT",
                                 at=place, name="P", rest="$,$")  # fmt: skip
        ends = [self.port(self.pipe, place, z) for z in (self.length, 0.0)]  # the end comes first
        other = [self.port(c, self.place(), 0.0) for c in reversed(self.chambers)]
        for one, two in zip(ends, other, strict=True):
            self.relate("IFCRELCONNECTSPORTS", f"#{one},#{two},$")
        system = self.add(
            f"IFCDISTRIBUTIONSYSTEM('{self.next + 1:022d}',$,'雨水 1',$,$,$,.STORMWATER.)"
        )
        listed = ",".join(f"#{n}" for n in (*self.chambers, self.pipe))
        self.relate("IFCRELASSIGNSTOGROUP", f"({listed}),$,#{system}")
        if not inside:
            listed = ",".join(f"#{p}" for p in self.products)
            self.relate("IFCRELCONTAINEDINSPATIALSTRUCTURE", f"({listed}),#9")
            self.products = []

    def relate(self, kind: str, rest: str) -> None:
        self.add(f"{kind}('{self.next + 1:022d}',$,$,$,{rest})")

    def port(self, owner: int, place: int, z: float) -> int:
        at = self.add(f"IFCLOCALPLACEMENT(#{place},#{self.axes(0, 0, z)})")
        number = self.add(f"IFCDISTRIBUTIONPORT('{self.next + 1:022d}',$,$,$,$,#{at},$,$,$,$)")
        self.relate("IFCRELNESTS", f"#{owner},(#{number})")
        return number


def test_a_pipe_between_two_chambers_is_a_drain_with_its_nodes_and_inverts(tmp_path: Path) -> None:
    s = Drains(inside=False)
    path = s.write(tmp_path / "drains.ifc")
    done = run(path, options=AT)
    pipe, nodes = done.table("pipe").row(0), done.table("pipe_node")
    guid = dict(zip(nodes.texts("name"), nodes.texts("source_id"), strict=True))
    assert (pipe["from_node"], pipe["to_node"]) == (guid["A"], guid["B"])
    assert (pipe["system"], pipe["network"]) == ("storm", "雨水 1")
    assert pipe["diameter_m"] == pytest.approx(0.3)
    # The axis begins 1.85 m under the model's zero and falls by 1 %; inverts lie half a bore lower.
    assert pipe["invert_from_m"] == pytest.approx(UP - 2.0, abs=1e-6)
    assert pipe["invert_to_m"] == pytest.approx(UP - 2.3, abs=1e-6)
    line = np.array(done.table("pipe").geometry[0].coords)
    assert line == pytest.approx(np.array([[EAST, NORTH], [EAST + 30, NORTH]]), abs=1e-6)
    assert set(nodes.texts("type")) == {"manhole"}
    assert nodes.numbers("invert_m").tolist() == pytest.approx([UP - 2.0, UP - 2.3])
    assert nodes.numbers("ground_m").tolist() == pytest.approx([UP, UP - 0.3])
    note = next(e for e in done.report.entries if e.reason == "bim.networks")
    assert note.values == {"systems": 1, "members": 3, "ports": 4, "links": 2, "pipes": 1,
                           "nodes": 2, "alignments": 0}  # fmt: skip
    record = ifc_report(path, job=QUIET, shells=True)
    assert (record["networks"]["connections"], record["networks"]["pipe_axes"]) == (2, 1)
    page = report_page(record, name="drains")
    assert all(messages.text("bim.page.connections", lang=lang) in page for lang in ("en", "zh"))


def test_pipes_in_a_building_stay_elements_that_name_what_they_are_joined_to(
    tmp_path: Path,
) -> None:
    done = run(Drains(inside=True).write(tmp_path / "inside.ifc"), options=AT)
    assert not {"pipe", "pipe_node"} & {t.layer for t in done.loaded.tables}
    table = done.table("building_element")
    row = {name: table.row(i) for i, name in enumerate(table.texts("name")) if name in "ABP"}
    assert set(json.loads(row["P"]["connected"])) == {row["A"]["source_id"], row["B"]["source_id"]}
    assert json.loads(row["A"]["connected"]) == [row["P"]["source_id"]]
    assert {one["network"] for one in row.values()} == {"雨水 1"}


def test_a_clothoid_is_the_integral_of_fresnel() -> None:
    from scipy.special import fresnel

    length, radius = 120.0, 300.0
    one = Stretch(100.0, 50.0, 0.3, 0.0, 1.0 / radius, length)
    a = math.sqrt(math.pi * radius * length)
    s, c = fresnel(length / a)
    x, y = a * c, a * s
    turned = [
        100 + x * math.cos(0.3) - y * math.sin(0.3),
        50 + x * math.sin(0.3) + y * math.cos(0.3),
    ]
    assert plan_end(one) == pytest.approx(turned, abs=1e-9)


def test_arcs_of_plan_and_profile_are_circles_within_a_millimetre() -> None:
    arc = Stretch(0.0, 0.0, 0.0, 1 / 200.0, 1 / 200.0, 200.0)
    crest = Gradient(0.0, 100.0, 5.0, 0.02, -0.02, round=True)
    line = centre_line([arc], [crest, Gradient(100.0, 100.0, 5.0, -0.02, -0.02, round=False)])
    assert np.hypot(line[:, 0], line[:, 1] - 200.0) == pytest.approx(np.full(len(line), 200.0))
    middle = (line[1:, :2] + line[:-1, :2]) / 2
    assert (200.0 - np.hypot(middle[:, 0], middle[:, 1] - 200.0)).max() <= 1.001e-3
    # R = L / (sin a1 - sin a0): the crest stands R (1 - cos a) over both its ends.
    radius = 100.0 / (2 * math.sin(math.atan(0.02)))
    top = 5.0 + radius * (1.0 - math.cos(math.atan(0.02)))
    assert line[:, 2].max() == pytest.approx(top, abs=1e-3)
    assert line[-1, 2] == pytest.approx(3.0)


def test_an_alignment_of_an_unknown_curve_is_told_and_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(Unsupported):
        centre_line([], [])
    for kind, told in (("LINE", 0), ("BLOSSCURVE", 1)):
        s = Small(schema="IFC4X3_ADD2")
        point = s.add("IFCCARTESIANPOINT((5.,7.))")
        design = s.add(f"IFCALIGNMENTHORIZONTALSEGMENT($,$,#{point},0.,0.,0.,40.,$,.{kind}.)")
        part = s.add(f"IFCALIGNMENTSEGMENT('{s.next + 1:022d}',$,$,$,$,$,$,#{design})")
        plan = s.add(f"IFCALIGNMENTHORIZONTAL('{s.next + 1:022d}',$,$,$,$,$,$)")
        line = s.add(f"IFCALIGNMENT('{s.next + 1:022d}',$,'K1',$,$,#{s.place()},$,$)")
        for whole, inner in ((line, plan), (plan, part)):
            s.add(f"IFCRELNESTS('{s.next + 1:022d}',$,$,$,#{whole},(#{inner}))")
        s.product(s.box(1, 1, 1))
        done = run(s.write(tmp_path / f"{kind}.ifc"), options=AT)
        entries = [e for e in done.report.entries if e.reason == "bim.line_untold"]
        assert len(entries) == told
        table = done.table("generic")
        i = table.texts("ifc_class").index("IfcAlignment")
        row, shape = table.row(i), table.geometry[i]
        if told:
            assert shape is None and "blosscurve" in entries[0].values["why"]
        else:
            assert row["length_m"] == pytest.approx(40.0)
            assert np.array(shape.coords)[-1] == pytest.approx([EAST + 45, NORTH + 7])


@pytest.mark.truths
def test_inverts_of_a_real_drainage_are_those_its_ports_write(testdata: Find) -> None:
    path = testdata("ifc/drainage_1.ifc")
    # ETRS89 / GK24FIN: the file's eastings of 24.5 million carry the zone 24.
    done = run_in(path, Frame("EPSG:3878", "unknown", (24525000.0, 6876000.0)))
    pipes, nodes = done.table("pipe"), done.table("pipe_node")
    assert (len(pipes), len(nodes)) == (6, 7)
    assert set(pipes.texts("system")) == {"storm"}
    known = set(nodes.texts("source_id"))
    assert set(pipes.texts("from_node")) | set(pipes.texts("to_node")) <= known
    ports = done.table("generic")
    written = {json.loads(p)["imPset_DistributionPortCommon"]["InvertElevation"]
               for p in ports.texts("properties") if p and "InvertElevation" in p}  # fmt: skip
    ours = [*pipes.numbers("invert_from_m"), *pipes.numbers("invert_to_m")]
    off = [min(abs(z - w) for w in written) for z in ours]
    print(f"\ndrainage: {len(written)} inverts written, ours off by at most {max(off):.4f} m")
    assert max(off) < 1e-3


@pytest.mark.truths
def test_every_stretch_of_a_real_track_ends_where_the_next_begins(testdata: Find) -> None:
    import ifcopenshell

    file = ifcopenshell.open(str(testdata("ifc/bsi_linear_signal.ifc")))
    plan = [s.DesignParameters for s in file.by_type("IfcAlignmentSegment")
            if s.DesignParameters.is_a("IfcAlignmentHorizontalSegment")]  # fmt: skip
    off = []
    for one, after in pairwise(plan):
        bends = [
            1 / r if r else 0.0 for r in (one.StartRadiusOfCurvature, one.EndRadiusOfCurvature)
        ]
        x, y = one.StartPoint.Coordinates
        end = plan_end(Stretch(x, y, one.StartDirection, *bends, one.SegmentLength))
        off.append(float(np.abs(end - np.array(after.StartPoint.Coordinates)).max()))
    print(f"\ntrack: {len(plan)} segments, the next begins within {max(off):.6f} m")
    assert len(off) == 9 and max(off) < 1e-3


def run_in(path: Path, frame: Frame):
    from bim_import.reader import read
    from cim.sources.report import Report
    from cim.sources.spec import LayerSpec
    from tests.bim_import.test_reader import Done

    report = Report()
    spec = LayerSpec(file=path, kind="bim", crs=frame.crs, height_datum="unknown")
    return Done(read(spec, frame=frame, report=report, near={}, job=QUIET), report)
