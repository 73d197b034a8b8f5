"""The ground of Wudadao, probed: crown, strips, kerbs, courtyards, bowls, doors and floors."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Any

import numpy as np
import pytest
import shapely

from tests.cim.wudadao import FOLDER, courses, ground, layer, level_at, table

FRAME = tomllib.loads((FOLDER / "tables" / "area.toml").read_text(encoding="utf-8"))
TERRAIN = FRAME["terrain"]


@cache
def widest() -> list[tuple[dict[str, Any], Any]]:
    """Return the longest link of every road."""
    found: dict[str, tuple[dict[str, Any], Any]] = {}
    for p, line in layer("roads"):
        if p["路名"] not in found or line.length > found[p["路名"]][1].length:
            found[p["路名"]] = (p, line)
    return list(found.values())


def across(line: Any, offset_m: float, fall: float) -> float:
    """Return the mean level along the middle of a link, so far left of its course.

    A cell's own centre lies up to 0.7 m off the place asked for: its level is taken to that
    place with the `fall` per metre away from the crown.
    """
    _, place = ground()
    levels = []
    for share in np.linspace(0.35, 0.65, 31):
        at, ahead = (line.interpolate(share * line.length + step) for step in (0.0, 0.5))
        east, north = 2 * (ahead.x - at.x), 2 * (ahead.y - at.y)
        x, y = at.x - offset_m * north, at.y + offset_m * east
        centre = shapely.Point(
            place.c + int(x - place.c) + 0.5, place.f - int(place.f - y) - 0.5
        )  # fmt: skip
        levels.append(level_at(x, y) + fall * (line.distance(centre) - abs(offset_m)))
    return float(np.mean(levels))


@pytest.mark.parametrize("side", [-1, 1])
def test_every_street_falls_strip_by_strip_from_its_crown_and_steps_up_at_the_kerb(
    side: int,
) -> None:
    assert len(widest()) == 23
    for p, line in widest():
        half, wall = p["车行道宽_m"] / 2, p["宽度_m"] / 2
        camber, path = TERRAIN["camber"], TERRAIN["footway_slope"]
        strips = np.arange(0.5, half - 0.9, 1.0)
        levels = [across(line, side * off, camber) for off in strips]
        assert np.all(np.diff(levels) < 0), p["路名"]  # each strip below the one before
        mean = (levels[0] - levels[-1]) / (strips[-1] - strips[0])
        assert mean == pytest.approx(camber, abs=0.003), p["路名"]
        gutter, kerb = (
            across(line, side * (half - 0.75), camber), across(line, side * (half + 0.75), -path)
        )  # fmt: skip
        # both fall towards the kerb's foot over the 0.75 m to where they are read
        step = kerb - gutter + 0.75 * (camber - path)
        assert step == pytest.approx(TERRAIN["kerb_m"], abs=0.01), p["路名"]
        if wall - half > 2.0:  # the footway falls to the kerb
            assert across(line, side * (wall - 0.75), -path) > kerb


def test_courtyards_are_level_and_lie_above_the_gutter_of_their_street() -> None:
    levels, place = ground()
    streets = shapely.union_all([line.buffer(p["宽度_m"] / 2 + 1.5) for p, line in layer("roads")])
    shapely.prepare(streets)
    seen = 0
    for p, plot in layer("parcels"):
        inner = plot.buffer(-1.5).difference(streets)
        if inner.is_empty:
            continue
        west, south, east, north = inner.bounds
        cols = np.arange(int(west - place.c), int(east - place.c) + 1)
        rows = np.arange(int(place.f - north), int(place.f - south) + 1)
        x, y = np.meshgrid(place.c + cols + 0.5, place.f - rows - 0.5)
        inside = shapely.contains_xy(inner, x, y)
        mine = levels[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1][inside]
        if mine.size:
            seen += 1
            assert np.ptp(mine) < 0.0015, p["source_id"]
    assert seen > 1800
    line_of = {p["路名"]: p["车行道宽_m"] / 2 for p, _ in layer("roads")}
    bases = {p["source_id"]: p["base_m"] for p, _ in layer("buildings")}
    for p, gate in layer("addresses"):
        course = courses()[p["road"]]
        at = course.project(gate)
        near, ahead = course.interpolate(at), course.interpolate(at + 0.5)
        if ahead.equals(near):
            continue
        way = np.array([gate.x - near.x, gate.y - near.y])
        x, y = np.array([near.x, near.y]) + way / np.hypot(*way) * (line_of[p["road"]] - 0.8)
        assert bases[p["building"]] > level_at(x, y), p


def test_a_bowl_lies_at_every_known_ponding_point_and_keeps_its_water() -> None:
    """Going out from a bowl's middle along its street, the gutter rises on both sides."""
    from cim.authoring.frame import StreetFrame
    from cim.crs import transform

    frame = FRAME["frame"]
    origin = [[frame["origin_lon"], frame["origin_lat"]]]
    east, north = transform(origin, source="EPSG:4490", target="EPSG:4548")[0]
    street = StreetFrame(east, north, frame["bearing_deg"], "EPSG:4548", "EPSG:4490", "cgvd1985")
    rows = table("bowls")
    assert any("马场道" in row["name"] and row["tag"] == "fact" for row in rows)
    for row in rows:
        middle = shapely.Point(street.to_xy([[float(row["u_m"]), float(row["v_m"])]])[0])
        name = min(courses(), key=lambda road: courses()[road].distance(middle))
        course, radius = courses()[name], float(row["radius_m"])
        assert course.distance(middle) < 8.0, row["name"]
        at = course.project(middle)
        deep = level_at(*course.interpolate(at).coords[0])
        for way in (-1, 1):
            out = [level_at(*course.interpolate(at + way * radius * r).coords[0]) for r in (1, 2)]
            # 1 - exp(-1) and 1 - exp(-4) of the depth, less what the plain and its waves do
            assert out[0] - deep > 0.4 * float(row["depth_m"]), row["name"]
            assert out[1] - deep > 0.7 * float(row["depth_m"]), row["name"]


def test_doors_stand_at_the_floor_a_few_steps_above_the_courtyard() -> None:
    floors = {p["source_id"]: p for p, _ in layer("buildings")}
    doors = [(p, point) for p, point in layer("entrances") if "building" in p]
    assert len(doors) == len(floors)
    for p, point in doors:
        house = floors[p["building"]]
        assert p["level_m"] == house["floor_level_m"]
        assert 0.2 <= p["level_m"] - level_at(point.x, point.y) <= 0.8, p
        assert 0.2 <= house["floor_level_m"] - house["base_m"] <= 0.8


def test_the_ground_falls_to_the_southeast_as_the_facts_say() -> None:
    levels, _ = ground()
    rows, cols = np.mgrid[20 : levels.shape[0] : 40, 20 : levels.shape[1] : 40]
    design = np.column_stack([np.ones(rows.size), cols.ravel(), -rows.ravel()])
    _, east, north = np.linalg.lstsq(design, levels[rows, cols].ravel(), rcond=None)[0]
    assert 1 / 10_000 < np.hypot(east, north) < 1 / 5_000  # public range of the plain's slope
    assert east < 0 < north  # downhill is towards east and south
