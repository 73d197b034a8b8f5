"""Inlets, manholes, weirs, culverts and pumps on cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cim.flood.laws import culvert_m3_s, pump_m3_s, weir_m3_s
from cim.registry import standard
from kernels.flood.exchange import grate_m3_s, lid_m3_s, shaft_m3_s


def one(value: float) -> np.ndarray:
    return np.array([value])


def grate(level: float, head: float) -> float:
    return grate_m3_s(level, head, 3.0, 1.65, 0.135, 1.66, 0.67)


def shaft(level: float, head: float) -> float:
    return shaft_m3_s(level, head, 3.0, 2.2, 0.385, 0.54, 0.056, 0.167)


def lid(level: float, head: float) -> float:
    return lid_m3_s(level, head, 3.0, 2.2, 0.385, 0.004, 1.66, 0.67, 0.167)


def test_a_grate_is_a_weir_in_shallow_and_an_orifice_in_deep_water() -> None:
    # 5 cm: 1.66 · 1.65 · 0.05^1.5; 50 cm: 0.67 · 0.135 · √(2 · 9.81 · 0.5).
    assert grate(3.05, 2.0) == pytest.approx(0.030624, rel=1e-4)
    assert grate(3.50, 2.0) == pytest.approx(0.283296, rel=1e-4)


def test_a_full_pipe_takes_less_and_an_overfull_one_gives_back() -> None:
    assert 0.0 < grate(3.5, 3.4) < grate(3.5, 2.9)
    # 0.67 · 0.135 · √(2 · 9.81 · 0.2) upwards.
    assert grate(3.0, 3.2) == pytest.approx(-0.179173, rel=1e-4)
    assert grate(3.0, 2.9) == grate(2.9, 2.9) == 0.0
    assert grate(3.3, 3.3) == 0.0


def test_a_manhole_follows_its_three_laws() -> None:
    # Free weir: 0.54 · 2/3 · 2.2 · √(2 · 9.81) · 0.1^1.5.
    assert shaft(3.1, 2.0) == pytest.approx(0.110936, rel=1e-4)
    # Drowned weir (over < A/P = 0.175): 0.056 · 2.2 · 0.1 · √(2 · 9.81 · 0.05).
    assert shaft(3.1, 3.05) == pytest.approx(0.012202, rel=1e-3)
    # Orifice: 0.167 · 0.385 · √(2 · 9.81 · 0.3), both ways.
    assert shaft(3.5, 3.2) == pytest.approx(0.155989, rel=1e-4)
    assert shaft(3.2, 3.5) == pytest.approx(-0.155989, rel=1e-4)
    assert shaft(3.0, 2.5) == 0.0


def test_a_lid_lets_little_down_and_all_up() -> None:
    # Holes: 0.67 · 0.004 · √(2 · 9.81 · 0.1); up: 0.167 · 0.385 · √(2 · 9.81 · 0.3).
    assert lid(3.1, 2.0) == pytest.approx(0.003754, rel=1e-3)
    assert lid(3.2, 3.5) == pytest.approx(-0.155989, rel=1e-4)
    assert lid(3.0, 2.0) == lid(3.2, 3.2) == 0.0


def test_a_weir_is_critical_flow_and_dies_as_it_drowns() -> None:
    number = standard("flood.broad_crest").number()
    assert number == pytest.approx((2.0 / 3.0) ** 1.5 * np.sqrt(9.81), rel=1e-3)

    def flow(up: float, down: float) -> float:
        crest, width = one(1.0), one(4.0)
        return float(
            weir_m3_s(one(up), one(down), crest_m=crest, width_m=width, coefficient=1.705)[0]
        )

    assert flow(1.25, 0.5) == pytest.approx(1.705 * 4 * 0.125)
    # Villemonte at h2/h1 = 0.64: (1 - 0.512)^0.385 = 0.75865.
    assert flow(1.25, 1.16) == pytest.approx(1.705 * 4 * 0.125 * 0.75865, rel=1e-3)
    assert flow(1.25, 1.25) == 0.0 and flow(0.9, 0.5) == 0.0
    assert flow(0.5, 1.25) == -flow(1.25, 0.5)


def culvert(up: float, down: float, length: float = 20.0) -> float:
    numbers = dict(standard("flood.culvert").value)
    flow = culvert_m3_s(
        one(up), one(down),
        invert_up_m=one(1.0), invert_down_m=one(0.9), height_m=one(1.0), width_m=one(2.0),
        length_m=one(length), manning=numbers["manning"], coefficients=numbers,
    )  # fmt: skip
    return float(flow[0])


def test_a_culvert_is_ruled_by_its_inlet_or_its_barrel() -> None:
    # Full barrel, 0.4 m between the levels: A = 2, R = 1/3, friction 2 g n² L / R^(4/3).
    friction = 2 * 9.81 * 0.013**2 * 20 / (1 / 3) ** (4 / 3)
    want = 2.0 * np.sqrt(2 * 9.81 * 0.4 / (1.5 + friction))
    assert culvert(2.8, 2.4) == pytest.approx(want, rel=1e-9)
    # Free below: the inlet rules, an orifice on 0.5 m over its middle… of 2 m².
    assert culvert(2.0, 0.0) <= 1.705 * 2.0
    assert culvert(4.0, 0.0) == pytest.approx(0.6 * 2 * np.sqrt(2 * 9.81 * 2.5), rel=1e-9)
    assert culvert(2.8, 2.4, length=200.0) < culvert(2.8, 2.4)
    assert culvert(2.4, 2.8) == -culvert(2.8, 2.4)
    assert culvert(0.95, 0.0) == 0.0 and culvert(2.5, 2.5) == 0.0


def test_a_pump_starts_high_and_stops_low() -> None:
    capacity, on, off = one(0.5), one(0.3), one(0.1)
    running = np.array([False])
    flows = []
    for depth in (0.2, 0.3, 0.2, 0.1, 0.2):
        flow, running = pump_m3_s(one(depth), running, capacity_m3_s=capacity, on_m=on, off_m=off)
        flows.append(float(flow[0]))
    assert flows == [0.0, 0.5, 0.5, 0.0, 0.0]
