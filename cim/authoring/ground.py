"""Ground: a gentle plain, streets with crown, kerb and footways, level courtyards, bowls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.authoring.dice import roll
from cim.authoring.frame import StreetFrame
from cim.authoring.plots import Plot
from cim.authoring.streets import Network
from cim.authoring.tables import Row

__all__ = ["Ground", "make_ground"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ground:
    """Levels (rows, cols) in metres, north row first, cells of 1 m; outer west and north edge."""

    level_m: Array
    west: float
    north: float

    def at(self, x: float, y: float) -> float:
        """Return the level of the cell under a point."""
        return float(self.level_m[int(self.north - y), int(x - self.west)])


def make_ground(
    table: Mapping[str, Any],
    frame: StreetFrame,
    network: Network,
    plots: Sequence[Plot],
    bowls: Sequence[Row],
) -> Ground:
    """Return the ground of an ``area.toml`` ``[terrain]``.

    Streets win over plots; where two carriageways meet the higher crown counts, and a
    carriageway wins over the footway of another street.
    """
    west, north = (
        (math.floor(frame.east_m) + table["west_m"]),
        (math.floor(frame.north_m) + table["north_m"]),
    )
    x = west + np.arange(table["east_m"] - table["west_m"]) + 0.5
    y = north - np.arange(table["north_m"] - table["south_m"]) - 0.5
    plain = _plain(table, frame, x, y)
    for bowl in bowls:
        _sink(plain, x, y, frame, bowl)
    level = plain.copy()
    for plot in plots:
        _flatten(level, plain, x, y, plot, table)
    _pave(level, plain, x, y, network, table)
    return Ground(level, float(west), float(north))


def _plain(table: Mapping[str, Any], frame: StreetFrame, x: Array, y: Array) -> Array:
    east, north = x - frame.east_m, y - frame.north_m
    fall, angle = table["fall"], math.radians(table["fall_bearing_deg"])
    sine, cosine = frame.axis
    wave, height = 2.0 * math.pi / table["relief_length_m"], table["relief_m"]
    column = table["level_m"] - fall * math.sin(angle) * east
    row = -fall * math.cos(angle) * north
    u = wave * (east[None, :] * sine + north[:, None] * cosine)
    v = wave * (east[None, :] * cosine - north[:, None] * sine)
    relief = 0.6 * np.cos(0.83 * u + 0.47 * v) + 0.4 * np.cos(1.31 * v - 0.59 * u)
    return np.asarray(column[None, :] + row[:, None] + height * relief)


def _window(
    x: Array, y: Array, box: tuple[float, float, float, float]
) -> tuple[slice, slice] | None:
    """Return the rows and columns of the cells in (xmin, ymin, xmax, ymax)."""
    cols = slice(max(int(box[0] - x[0]), 0), max(int(box[2] - x[0]) + 2, 0))
    rows = slice(max(int(y[0] - box[3]), 0), max(int(y[0] - box[1]) + 2, 0))
    if x[cols].size == 0 or y[rows].size == 0:
        return None
    return rows, cols


def _sink(plain: Array, x: Array, y: Array, frame: StreetFrame, bowl: Row) -> None:
    centre = frame.to_xy([[bowl.real("u_m"), bowl.real("v_m")]])[0]
    radius, reach = bowl.real("radius_m"), 3.0 * bowl.real("radius_m")
    window = _window(
        x, y, (centre[0] - reach, centre[1] - reach, centre[0] + reach, centre[1] + reach)
    )
    if window is None:
        return
    rows, cols = window
    square = (x[cols] - centre[0])[None, :] ** 2 + (y[rows] - centre[1])[:, None] ** 2
    plain[rows, cols] -= bowl.real("depth_m") * np.exp(-square / radius**2)


def _flatten(
    level: Array, plain: Array, x: Array, y: Array, plot: Plot, table: Mapping[str, Any]
) -> None:
    window = _window(x, y, plot.polygon.bounds)
    if window is None:
        return
    rows, cols = window
    dx, dy = x[cols][None, :] - plot.centre[0], y[rows][:, None] - plot.centre[1]
    east, north = plot.along
    inside = (np.abs(dx * east + dy * north) <= plot.length_m / 2) & (
        np.abs(dy * east - dx * north) <= plot.depth_m / 2
    )
    spread_mm = round(table["plot_spread_m"] * 1000)
    above = table["plot_above_m"] + roll(plot.source_id + "/level", spread_mm + 1) / 1000.0
    middle = plain[int(y[0] + 0.5 - plot.centre[1]), int(plot.centre[0] - x[0] + 0.5)]
    level[rows, cols][inside] = middle + above


def _pave(
    level: Array, plain: Array, x: Array, y: Array, network: Network, table: Mapping[str, Any]
) -> None:
    carriage = np.full(level.shape, -np.inf, dtype=np.float32)
    footway = np.full(level.shape, -np.inf, dtype=np.float32)
    nearest = np.full(level.shape, np.inf)  # metres to the course of one road at a time
    for road in network.roads.values():
        half, wall = road.carriageway_m / 2.0, road.width_m / 2.0
        windows = []
        for start, end in pairwise(np.asarray(road.line.coords)):
            low, high = np.minimum(start, end) - wall, np.maximum(start, end) + wall
            window = _window(x, y, (low[0], low[1], high[0], high[1]))
            if window is not None:
                rows, cols = window
                away = _distance(x[cols], y[rows], start, end)
                np.minimum(nearest[window], away, out=nearest[window])
                windows.append(window)
        kerb_top = table["kerb_m"] - table["crown_below_m"] - table["camber"] * half
        for window in windows:
            away = nearest[window]
            crown = -table["crown_below_m"] - table["camber"] * away
            path = kerb_top + table["footway_slope"] * (away - half)
            _raise(carriage[window], np.where(away <= half, crown, -np.inf))
            _raise(footway[window], np.where((away > half) & (away <= wall), path, -np.inf))
        for window in windows:
            nearest[window] = np.inf
    street = np.where(np.isfinite(carriage), carriage, footway)
    paved = np.isfinite(street)
    level[paved] = plain[paved] + street[paved]


def _raise(target: NDArray[np.float32], values: Array) -> None:
    np.maximum(target, values.astype(np.float32), out=target)


def _distance(x: Array, y: Array, start: Array, end: Array) -> Array:
    run = end - start
    square = float(run[0] * run[0] + run[1] * run[1])
    dx, dy = x[None, :] - start[0], y[:, None] - start[1]
    share = np.clip((dx * run[0] + dy * run[1]) / square, 0.0, 1.0)
    return np.asarray(np.sqrt((dx - share * run[0]) ** 2 + (dy - share * run[1]) ** 2))
