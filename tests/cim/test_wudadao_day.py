"""The day of readings: rain, water, traffic and air fit each other, the drains and the ground."""

from __future__ import annotations

import math
import tomllib
from functools import cache
from typing import Any

import numpy as np
import pytest
import shapely

from cim.registry import standard
from tests.cim.wudadao import FOLDER, ground, layer, level_at, readings

STEP_H = 0.25


@cache
def day() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "tables" / "day.toml").read_text(encoding="utf-8"))


@cache
def sensors() -> dict[str, tuple[dict[str, Any], Any]]:
    return {p["source_id"]: (p, point) for p, point in layer("sensors")}


@cache
def manhole() -> dict[str, Any]:
    """Return the manhole whose level is read."""
    name = sensors()["level-2"][0]["thing"]
    return next(p for p, _ in layer("pipe_nodes") if p["source_id"] == name)


@cache
def catchment() -> tuple[dict[str, Any], Any]:
    name = day()["water"]["catchment"]
    return next(one for one in layer("catchments") if one[0]["source_id"] == name)


@cache
def drained() -> list[tuple[float, float, float]]:
    """Return (mid invert, diameter, volume) of the storm pipes that drain to the pump."""
    storm = [(p, line) for p, line in layer("pipes") if p["system"] == "storm"]
    after = {p["from_node"]: p["to_node"] for p, _ in storm}
    found = []
    for p, line in storm:
        node = p["to_node"]
        while node in after:
            node = after[node]
        if node == day()["water"]["outfall"]:
            middle = (p["invert_from_m"] + p["invert_to_m"]) / 2
            volume = math.pi * p["diameter_m"] ** 2 / 4 * line.length
            found.append((middle, p["diameter_m"], volume))
    return found


@cache
def cells() -> np.ndarray:
    """Return the levels of the catchment's cells of 1 m²."""
    levels, place = ground()
    rows, cols = np.indices(levels.shape)
    shape = catchment()[1]
    inside = shapely.contains_xy(shape, place.c + cols + 0.5, place.f - rows - 0.5)
    return np.asarray(levels[inside])


def stored_m3(level_m: float) -> float:
    """Return the still water below a level, in the pipes and on the ground of the catchment."""
    pipes = sum(v * min(max((level_m - low) / d, 0.0), 1.0) for low, d, v in drained())
    return float(pipes + np.maximum(level_m - cells(), 0.0).sum())


def test_the_manhole_reads_its_own_dry_drain_until_the_rain_and_after_it() -> None:
    rain, level = readings()["rain-1"], readings()["level-2"]
    first = rain.nonzero()[0][0]
    dry = manhole()["invert_m"] + day()["water"]["dry_m"]
    assert level.min() == pytest.approx(dry, abs=0.0015)
    assert np.all(level[:first] == level.min()) and level[-1] == level.min()
    assert level.max() < manhole()["ground_m"]  # no water out of this manhole


def test_the_street_stands_under_water_when_the_manholes_level_is_above_it() -> None:
    depth, level = readings()["level-1"], readings()["level-2"]
    point = sensors()["level-1"][1]
    gutter = level_at(point.x, point.y)
    assert depth.max() > 0.1
    np.testing.assert_allclose(depth, np.maximum(level - gutter, 0.0), atol=0.0015)


def test_the_water_is_what_the_rain_brought_and_the_pumps_left() -> None:
    rain_mm, level = readings()["rain-1"] * STEP_H, readings()["level-2"]
    area = catchment()[1].area
    pumped = catchment()[0]["drain_mm_h"] * STEP_H / 1000 * area
    runoff = day()["water"]["runoff"]
    wet = np.flatnonzero(level > level.min())
    assert wet.size >= 6 and np.all(np.diff(wet) == 1)
    for step in wet[1:]:
        stored = stored_m3(level[step])
        arrived = stored - stored_m3(level[step - 1]) + pumped
        brought = sorted(runoff * rain_mm[step - 1 : step + 1] / 1000 * area)
        slack = stored_m3(level[step] + 0.001) - stored + 0.05 * pumped  # levels are read to 1 mm
        assert brought[0] - slack <= arrived <= brought[1] + slack, step
    # a runoff coefficient of a built-up quarter
    low, high = 0.4, 0.9
    assert low < runoff < high


def test_the_level_rises_after_the_rain_and_falls_when_it_ends() -> None:
    rain = readings()["rain-1"]
    for name in ("level-1", "level-2"):
        level = readings()[name]
        assert rain.argmax() < level.argmax() <= rain.argmax() + 4  # within an hour
        falling = np.diff(level[level.argmax() :])
        assert np.all(falling <= 0.0)
    assert 20.0 < rain.sum() * STEP_H < 80.0


def test_traffic_peaks_in_the_morning_and_evening_below_what_the_lanes_carry() -> None:
    lanes = {p["路名"]: (p["单向车道数"], p["等级"], p["单行"]) for p, _ in layer("roads")}
    for name in ("traffic-1", "traffic-2", "traffic-3"):
        flow = readings()[name].reshape(24, 4).mean(axis=1)
        morning, night = flow[7:10].max(), flow[0:5].max()
        evening = flow[16:20].max()
        assert {int(flow[:12].argmax())} <= {7, 8, 9} and evening > flow[12:15].mean() > night
        assert morning > 5 * night
        count, label, oneway = lanes[sensors()[name][0]["thing"]]
        ways = 1 if oneway == "yes" else 2
        most = ways * count * standard("traffic.lane_capacity_pcu_h").by_class(label)
        assert readings()[name].max() <= most, name


def test_water_on_the_street_slows_its_traffic_and_no_other() -> None:
    depth = readings()["level-1"]
    deep = depth > day()["traffic"]["slow_from_m"]
    wet = (readings()["rain-1"] > 0) & ~deep
    assert deep.sum() >= 2 and wet.sum() >= 2
    share = readings()["traffic-2"] / readings()["traffic-1"]
    usual = np.median(share[~deep])
    assert np.all(share[deep] < 0.75 * usual)
    assert np.all(np.abs(share[wet] / usual - 1) < 0.15)


def test_rain_cleans_the_air_and_it_recovers() -> None:
    rain = readings()["rain-1"]
    first, last = rain.nonzero()[0][[0, -1]]
    for name in ("air-1", "air-2"):
        air = readings()[name]
        assert first < air.argmin() <= last + 2
        assert air[last] < 0.6 * air[first - 4 : first].mean()
        assert air[-4:].mean() > 1.5 * air[last]
    assert np.corrcoef(readings()["air-1"], readings()["air-2"])[0, 1] > 0.9
