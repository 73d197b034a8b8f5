"""Weirs, culverts and pumps between two ponds, against closed solutions of how ponds empty."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely

from cim.flood.coupling import Meeting, Works
from cim.flood.engine import Engine, Numerics
from cim.flood.ground import lay_out
from cim.flood.structures import find_structures
from cim.registry import standard
from tests.cim.test_flood_solvers import bare
from tests.towns import EAST, NORTH, layer

CELL_M, SIDE = 5.0, 8
AREA_M2 = (CELL_M * SIDE) ** 2
SOLVERS = pytest.mark.parametrize("numerics", [Numerics("inertial", 1, "f64"),
                                               Numerics("godunov", 2, "f64")])  # fmt: skip


class Ponds:
    """Two flat ponds behind walls that nothing crosses but one structure, followed in time."""

    def __init__(
        self, kind: str, west_m: float, east_m: float, numerics: Numerics, **numbers: float
    ) -> None:
        ground = np.full((SIDE, 2 * SIDE + 1), 3.0)
        ground[:, SIDE] = np.nan
        x = EAST + CELL_M * np.array([SIDE - 0.5, SIDE + 1.5])
        line = shapely.LineString([(at, NORTH + CELL_M * 4.5) for at in x])
        columns = {name: [value] for name, value in numbers.items()}
        table = layer("hydraulic_structure", [line], type=[kind], **columns)
        view = bare(ground, cell_m=CELL_M, hydraulic_structure=table)
        site = lay_out(view, cell_m=CELL_M, drain_mm_h=0.0)
        self.works = Works(find_structures(view, site), bed_m=site.bed_m.ravel(), cell_m=CELL_M)
        self.length_m = float(line.length)
        self.meeting = Meeting([self.works])
        start = np.where(np.arange(2 * SIDE + 1) < SIDE, west_m, east_m)
        self.engine = Engine(site.bed_m, cell_m=CELL_M, numerics=numerics, manning=0.02,
                             depth0_m=np.broadcast_to(start, site.bed_m.shape))  # fmt: skip
        self.t_s = 0.0

    def depths_at(self, until_s: float) -> tuple[float, float]:
        while self.t_s < until_s:
            self.t_s, _ = self.engine.step(
                self.t_s, min(until_s, self.meeting.next_s()), most_steps=10**6
            )
            self.meeting.act(self.engine.water, t_s=self.t_s, cell_m=CELL_M)
        depth = self.engine.depth_m
        return float(depth[:, :SIDE].mean()), float(depth[:, SIDE + 1 :].mean())

    def closed(self) -> float:
        """What the water on both sides and the account do not explain, m³."""
        lost = self.engine.initial_m3 - self.engine.stored_m3()
        return lost + sum(self.meeting.account.values())


@SOLVERS
def test_a_pond_empties_over_a_weir_as_the_closed_solution_says(numerics: Numerics) -> None:
    # A dh/dt = -C b h^1.5, so h = (h0^-0.5 + C b t / (2 A))^-2 above the crest.
    b, crest, h0 = 1.2, 0.5, 0.6
    ponds = Ponds("weir", crest + h0, 0.0, numerics, crest_m=3.0 + crest, width_m=b)
    c = standard("flood.broad_crest").number()
    for t in (120.0, 300.0, 600.0):
        west, east = ponds.depths_at(t)
        assert east < crest  # never drowned
        want = (h0**-0.5 + c * b * t / (2 * AREA_M2)) ** -2
        assert west - crest == pytest.approx(want, rel=0.03)  # water swings in the pond
    assert ponds.closed() == pytest.approx(0.0, abs=1e-9)


@SOLVERS
def test_two_ponds_become_level_through_a_drowned_culvert_as_the_closed_solution_says(
    numerics: Numerics,
) -> None:
    # Full barrel: Q = k √Δh with k = A √(2g / (Ke + Ko + 2 g n² L / R^4/3)); √Δh falls by k t / A.
    wide, high = 0.8, 0.5
    ponds = Ponds("culvert", 2.0, 1.2, numerics, invert_from_m=3.0, invert_to_m=3.0,
                  width_m=wide, height_m=high)  # fmt: skip
    told = standard("flood.culvert").value
    radius = wide * high / (2 * (wide + high))
    friction = 2 * 9.81 * told["manning"] ** 2 * ponds.length_m / radius ** (4 / 3)
    k = wide * high * np.sqrt(2 * 9.81 / (told["entrance_loss"] + told["exit_loss"] + friction))
    for t in (200.0, 500.0, 900.0):
        west, east = ponds.depths_at(t)
        root = np.sqrt(2.0 - 1.2) - k * t / AREA_M2
        assert west - east == pytest.approx(root**2, abs=0.02)  # of 0.8 m
        assert west + east == pytest.approx(3.2, rel=1e-12)
    assert ponds.closed() == pytest.approx(0.0, abs=1e-9)


@SOLVERS
def test_a_pump_moves_its_capacity_until_it_sucks_air(numerics: Numerics) -> None:
    numbers: dict[str, Any] = {"capacity_m3_s": 0.4, "on_m": 0.3, "off_m": 0.2}
    ponds = Ponds("pump", 0.5, 0.0, numerics, **numbers)
    west, _ = ponds.depths_at(600.0)
    assert west == pytest.approx(0.5 - 0.4 * 600.0 / AREA_M2, abs=1e-9)
    west, _ = ponds.depths_at(3000.0)
    # It stops when its own cell falls to 0.2 m, a little under the pond around it.
    assert west == pytest.approx(0.2, abs=0.02)
    assert ponds.works.structures.moved_m3[0] == pytest.approx((0.5 - west) * AREA_M2, rel=1e-9)
    assert ponds.closed() == pytest.approx(0.0, abs=1e-9)
