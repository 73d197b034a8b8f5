"""Soaking in: published worked examples, bounds, and independence of the step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from kernels.flood.infiltration import constant, curve_number, green_ampt, horton

CM_H = 0.01 / 3600.0
Law = Callable[[float, float, float], float]  # lying, soaked, dt -> soaks in now


def soak(law: Law, *, rain_mps: float, hours: float, step_s: float, ponded: bool = False) -> float:
    """Rain for `hours` and return what has soaked in; what does not soak in runs off."""
    soaked = 0.0
    for _ in range(round(hours * 3600.0 / step_s)):
        lying = 1e3 if ponded else rain_mps * step_s
        soaked += law(lying, soaked, step_s)
    return soaked


def one(value: float) -> np.ndarray:
    return np.array([value])


def green(conductivity: float, storage: float) -> Law:
    def law(lying: float, soaked: float, dt: float) -> float:
        out = np.zeros(1)
        green_ampt(one(lying), one(soaked), one(conductivity), one(storage), dt, out)
        return float(out[0])

    return law


def hortonian(f0: float, fc: float, k: float) -> Law:
    def law(lying: float, soaked: float, dt: float) -> float:
        out = np.zeros(1)
        horton(one(lying), one(soaked), one(f0), one(fc), one(k), dt, out)
        return float(out[0])

    return law


# Chow, Maidment & Mays (1988), Applied Hydrology: silt loam, K = 0.65 cm/h, ψ Δθ = 5.68 cm.
SILT_LOAM = (0.65 * CM_H, 5.68e-2)


@pytest.mark.parametrize("step_s", [10.0, 3600.0])
def test_green_ampt_example_4_3_1_continuously_ponded(step_s: float) -> None:
    soaked = soak(green(*SILT_LOAM), rain_mps=0.0, hours=1.0, step_s=step_s, ponded=True)
    assert soaked * 100 == pytest.approx(3.17, abs=0.005)  # cm after 1 h
    rate = SILT_LOAM[0] * (SILT_LOAM[1] / soaked + 1.0)
    assert rate / CM_H == pytest.approx(1.81, abs=0.01)


def test_green_ampt_example_4_4_2_ponding_under_rain_of_5_cm_an_hour() -> None:
    soaked = soak(green(*SILT_LOAM), rain_mps=5 * CM_H, hours=1.0, step_s=2.0)
    assert soaked * 100 == pytest.approx(3.02, abs=0.01)  # cm after 1 h
    until_ponding = soak(green(*SILT_LOAM), rain_mps=5 * CM_H, hours=0.17, step_s=2.0)
    assert until_ponding * 100 == pytest.approx(0.85, abs=0.005)  # all of it went in


def test_horton_worked_example() -> None:
    # f0 = 8.0, fc = 0.5 cm/h, k = 0.4 1/h, always ponded: 7.387 cm from the 2nd to the 5th
    # hour, and 3.870 and 1.515 cm/h at their ends (AtmosSci-Bench, question 1).
    law = hortonian(8.0 * CM_H, 0.5 * CM_H, 0.4 / 3600.0)
    at = [soak(law, rain_mps=0.0, hours=h, step_s=60.0, ponded=True) for h in (2.0, 5.0)]
    assert (at[1] - at[0]) * 100 == pytest.approx(7.387, abs=0.0006)
    for soaked, rate in zip(at, (3.870, 1.515), strict=True):
        assert law(1e3, soaked, 0.01) / 0.01 / CM_H == pytest.approx(rate, abs=0.0006)


def test_horton_tires_by_what_it_took_not_by_the_clock() -> None:
    law = hortonian(8.0 * CM_H, 0.5 * CM_H, 0.4 / 3600.0)
    drizzle = soak(law, rain_mps=0.1 * CM_H, hours=5.0, step_s=60.0)
    assert drizzle == pytest.approx(0.5e-2, rel=1e-9)  # all of it
    assert law(1e3, drizzle, 1.0) > 7.0 * CM_H  # and the ground is still thirsty


def runoff(fallen_m: float, cn: float) -> float:
    out = np.zeros(1)
    retention = one(0.0254 * (1000.0 / cn - 10.0))
    curve_number(one(1e3), one(0.0), one(fallen_m), retention, out)
    return fallen_m - float(out[0])


@pytest.mark.parametrize(
    ("rain_in", "cn", "runs_off_in"),
    [
        (6.0, 70.0, 2.81),  # TR-55 example 2-1
        (5.0, 83.8, 3.25),  # Applied Hydrology, example 5.5.1
        (5.0, 92.3, 4.13),  # the same for wet ground (AMC III)
    ],
)
def test_curve_number_worked_examples(rain_in: float, cn: float, runs_off_in: float) -> None:
    assert runoff(rain_in * 0.0254, cn) / 0.0254 == pytest.approx(runs_off_in, abs=0.012)


def test_curve_number_is_the_same_in_one_step_or_many() -> None:
    retention, out, kept = one(0.05), np.zeros(1), 0.0
    marks = np.linspace(0.0, 0.12, 49)
    for before, after in zip(marks[:-1], marks[1:], strict=True):
        curve_number(one(after - before), one(before), one(after), retention, out)
        kept += float(out[0])
    curve_number(one(0.12), one(0.0), one(0.12), retention, out)
    assert kept == pytest.approx(float(out[0]), rel=1e-12)


def test_a_constant_capacity_takes_that_much_or_what_lies_there() -> None:
    out = np.zeros(3)
    constant(np.array([0.1, 1e-5, -1.0]), np.full(3, 1e-5), 10.0, out)
    np.testing.assert_array_equal(out, [1e-4, 1e-5, 0.0])


reals = st.floats(0.0, 0.3)
rates = st.floats(1e-9, 1e-3)


@settings(max_examples=200, deadline=None)
@given(soaked=reals, k=rates, storage=st.floats(1e-6, 0.5), dt=st.floats(0.1, 3600.0))
def test_green_ampt_agrees_with_a_root_finder(
    soaked: float, k: float, storage: float, dt: float
) -> None:
    def residual(after: float) -> float:
        gain = after - soaked
        return gain - storage * np.log1p(gain / (soaked + storage)) - k * dt

    want = brentq(residual, soaked, soaked + 50.0 + 10 * k * dt, xtol=1e-14, rtol=1e-14) - soaked
    assert green(k, storage)(1e6, soaked, dt) == pytest.approx(want, rel=1e-7, abs=1e-12)


@settings(max_examples=200, deadline=None)
@given(lying=reals, soaked=reals, f0=rates, ratio=st.floats(0, 1), k=rates, dt=st.floats(0.1, 600))
def test_no_law_takes_more_than_lies_there_or_gives_back(
    lying: float, soaked: float, f0: float, ratio: float, k: float, dt: float
) -> None:
    for law in (green(f0, ratio), hortonian(f0, ratio * f0, k)):
        took = law(lying, soaked, dt)
        assert 0.0 <= took <= lying
