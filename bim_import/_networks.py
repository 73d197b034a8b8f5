"""What a file draws of networks: axes and bores of pipes, chambers, ports, centre lines."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bim_import.native.bulk import Unsupported
from bim_import.native.solids import Solids
from bim_import.step import Ref, StepFile
from bim_import.units import Units

if TYPE_CHECKING:
    from bim_import.native.alignment import Gradient, Stretch

__all__ = ["read_networks"]

Floats = NDArray[np.float64]
_SPOILT = (Unsupported, IndexError, TypeError, ValueError, KeyError)
_CHAMBER = "IFCDISTRIBUTIONCHAMBERELEMENT"
_PLAN_KINDS = {"LINE", "CIRCULARARC", "CLOTHOID"}
_PROFILE_KINDS = {"CONSTANTGRADIENT", "CIRCULARARC", "PARABOLICARC"}


def read_networks(step: StepFile, units: Units, solids: Solids) -> dict[str, Any]:
    """Return lines, bores, points and what could not be read, by product number (JSON).

    ``lines``: corners in model metres of pipes (from start to end) and of alignments;
    ``bore_m``: inner diameters; ``points``: where chambers and ports stand; ``untold``:
    why a line is missing.
    """
    found = _Found(step, units, solids)
    for number in _pipes(step):
        found.attempt(number, found.pipe)
    for number in step.of("IFCALIGNMENT"):
        found.attempt(number, found.alignment)
    if found.lines or step.of(_CHAMBER):
        for number in step.of(_CHAMBER, "IFCDISTRIBUTIONPORT"):
            found.attempt(number, found.point)
    return {"lines": found.lines, "bore_m": found.bores, "points": found.points,
            "untold": found.untold}  # fmt: skip


class _Found:
    def __init__(self, step: StepFile, units: Units, solids: Solids) -> None:
        self.step, self.units, self.solids = step, units, solids
        self.lines: dict[str, list[list[float]]] = {}
        self.bores: dict[str, float] = {}
        self.points: dict[str, list[float]] = {}
        self.untold: dict[str, str] = {}

    def attempt(self, number: int, read: Any) -> None:
        try:
            read(number, self.step.args(number))
        except _SPOILT as error:
            self.untold[str(number)] = str(error) or type(error).__name__

    def point(self, number: int, args: list[Any]) -> None:
        self.points[str(number)] = self.solids.places.product(args[5])[:3, 3].tolist()

    def pipe(self, number: int, args: list[Any]) -> None:
        matrix = self.solids.places.product(args[5])
        reps = dict(self._representations(args))
        body = [i for i in reps.get("Body", ()) if self.step.name(i) == "IFCEXTRUDEDAREASOLID"]
        if body:
            bore = self._bore(self.step.args(body[0])[0])
            if bore:
                self.bores[str(number)] = bore
        if reps.get("Axis"):
            local = self.solids.curves.points(reps["Axis"][0])
        elif body:
            profile, place, along, depth = self.step.args(body[0])[:4]
            del profile
            own = self.solids.places.axes(place)
            way = np.array(self.solids.places.direction(along) or (0.0, 0.0, 1.0))
            end = own[:3, 3] + own[:3, :3] @ way * float(depth) * (self.units.length_m or 1.0)
            local = np.array([own[:3, 3], end])
        else:
            raise Unsupported("no axis")
        self._keep(number, local, matrix)

    def alignment(self, number: int, args: list[Any]) -> None:
        from bim_import.native.alignment import centre_line  # it loads quadratures: few need it

        parts = _nested(self.step, number)
        plan = [s for n in parts if self.step.name(n) == "IFCALIGNMENTHORIZONTAL"
                for s in self._stretches(n)]  # fmt: skip
        profile = [s for n in parts if self.step.name(n) == "IFCALIGNMENTVERTICAL"
                   for s in self._gradients(n)]  # fmt: skip
        matrix = np.eye(4) if args[5] is None else self.solids.places.product(args[5])
        self._keep(number, centre_line(plan, profile), matrix)

    def _keep(self, number: int, local: Floats, matrix: Floats) -> None:
        line = local @ matrix[:3, :3].T + matrix[:3, 3]
        if len(line) < 2 or not np.isfinite(line).all():
            raise Unsupported("no line")
        self.lines[str(number)] = line.tolist()

    def _representations(self, args: list[Any]) -> Iterator[tuple[str, list[Ref]]]:
        held = self.step.args(args[6]) if isinstance(args[6], Ref) else []
        for rep in held[2] if len(held) > 2 and isinstance(held[2], list) else []:
            own = self.step.args(rep)
            if len(own) > 3 and isinstance(own[3], list):
                yield str(own[1]), [i for i in own[3] if isinstance(i, Ref)]

    def _bore(self, profile: Any) -> float | None:
        name, args = self.step.name(profile), self.step.args(profile)
        unit = self.units.length_m or 1.0
        if name == "IFCCIRCLEHOLLOWPROFILEDEF":
            return 2.0 * (float(args[3]) - float(args[4])) * unit
        return 2.0 * float(args[3]) * unit if name == "IFCCIRCLEPROFILEDEF" else None

    def _stretches(self, number: int) -> Iterator[Stretch]:
        from bim_import.native.alignment import Stretch

        unit = self.units.length_m or 1.0
        for kind, args in self._segments(number, _PLAN_KINDS):
            x, y = self.solids.bulk.point(args[2])[:2]
            bends = [0.0 if not r else 1.0 / (float(r) * unit) for r in args[4:6]]
            if kind == "LINE":
                bends = [0.0, 0.0]
            angle = float(args[3]) * self.units.angle_rad
            yield Stretch(x, y, angle, bends[0], bends[1], float(args[6]) * unit)

    def _gradients(self, number: int) -> Iterator[Gradient]:
        from bim_import.native.alignment import Gradient

        unit = self.units.length_m or 1.0
        for kind, args in self._segments(number, _PROFILE_KINDS):
            start, length, height, first, last = (float(v) for v in args[2:7])
            if kind == "CONSTANTGRADIENT":
                last = first
            yield Gradient(start * unit, length * unit, height * unit, first, last,
                           kind == "CIRCULARARC")  # fmt: skip

    def _segments(self, number: int, known: set[str]) -> Iterator[tuple[str, list[Any]]]:
        for one in _nested(self.step, number):
            design = self.step.args(one)[7]
            args = self.step.args(design) if isinstance(design, Ref) else []
            if not args or float(args[6 if known is _PLAN_KINDS else 3] or 0.0) == 0.0:
                continue
            if str(args[8]) not in known:
                raise Unsupported(f"segment {args[8]}".lower())
            if not all(v is None or not isinstance(v, float) or math.isfinite(v) for v in args):
                raise Unsupported("segment")
            yield str(args[8]), args


def _pipes(step: StepFile) -> list[int]:
    """Return the pipe segments; IFC2X3 tells them from ducts by their type alone."""
    found = dict.fromkeys(step.of("IFCPIPESEGMENT"))
    if step.of("IFCFLOWSEGMENT"):
        for _, args in step.each("IFCRELDEFINESBYTYPE"):
            if len(args) > 5 and step.name(args[5] or -1) == "IFCPIPESEGMENTTYPE":
                found |= {n: None for n in args[4] or () if step.name(n) == "IFCFLOWSEGMENT"}
    return list(found)


def _nested(step: StepFile, number: int) -> list[Ref]:
    return [
        part
        for _, args in step.each("IFCRELNESTS", "IFCRELAGGREGATES")
        if len(args) > 5 and args[4] == number and isinstance(args[5], list)
        for part in args[5]
        if isinstance(part, Ref)
    ]
