"""Shadows on the ground at a moment: terrain and buildings swept once along the sun's rays.

True solar time counts, never the clock: at 117.2°E on 20 January the sun stands in
the south at 12:22 Beijing time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from cim._version import VERSION
from cim.crs import grid_convergence_deg, lonlat
from cim.errors import RequestError
from cim.jobs import QUIET, Job
from cim.model.grid import Grid, GridFrame
from cim.model.result import Result, ResultField
from cim.model.table import FeatureTable
from cim.model.twin import TwinView
from cim.registry import cite, standard

__all__ = ["sun"]

Floats = NDArray[np.float64]
_MOST_CELLS = 200_000_000


def sun(
    view: TwinView,
    *,
    date: str,
    time: str = "noon",
    cell_m: float = 1.0,
    job: Job = QUIET,
) -> Result:
    """Return what lies in shadow at a moment.

    Parameters
    ----------
    view
        A twin with buildings; without a terrain the ground is taken as level.
    date
        ``YYYY-MM-DD`` at the place.
    time
        ``noon`` for true solar noon, or ``HH:MM`` with its offset from UTC (``10:30+08:00``).
    cell_m
        Cell size; a whole multiple of the terrain's.
    job
        Progress and cancel.

    Returns
    -------
    Result
        ``shade_m`` on the grid: how far the shade reaches above ground or roof, 0 in
        the sun; ``shaded_share`` of the ground along each building's outline.

    Raises
    ------
    RequestError
        No buildings, a date or time that cannot be read, the sun below the horizon,
        or too many cells.
    CancelledError
        The job was cancelled.
    """
    from kernels.sun.position import sun_direction_at
    from kernels.sun.shadow import shadow_height

    if "building" not in view.layers():
        raise RequestError("sun.no_buildings", given=view.name)
    table = view.table("building")
    ground = _ground(view, table, cell_m)
    place = _place(view, ground.frame)
    instant_s = _instant_s(date, time, place.lon)
    stands = sun_direction_at(instant_s, place.lon, place.lat)
    altitude, azimuth = float(stands.altitude_deg), float(stands.azimuth_deg)
    if altitude <= 0.0:
        raise RequestError(
            "sun.below_horizon", given=f"{date} {time}", values={"altitude": round(altitude, 2)}
        )
    job.step(1, 4, what="sun.casting")
    heights, covered, assumed = _with_buildings(view, ground, table)
    flat = _without_height(table)
    if len(table) and flat == len(table):
        raise RequestError("sun.no_heights", given=len(table))
    job.step(2, 4, what="sun.casting")
    shade = shadow_height(
        heights, cell_m=cell_m, altitude_deg=altitude, azimuth_deg=azimuth - place.convergence
    )
    job.step(3, 4, what="sun.casting")
    shares = _shares(table, ground.frame, shade, covered)
    job.step(4, 4, what="sun.casting")
    local = datetime.fromtimestamp(instant_s, UTC).astimezone(ZoneInfo(view.zone))
    offset = local.strftime("%z")
    clock = f"UTC{offset[:3]}:{offset[3:5]}"
    open_ground = ~covered & np.isfinite(shade)
    shaded = float((shade[open_ground] > 0).mean()) if open_ground.any() else 0.0
    cell_area = cell_m * cell_m
    return Result(
        question="sun",
        titles={
            "en": f"Shadows, {local:%Y-%m-%d %H:%M} {clock}",
            "zh": f"日影，{local:%Y-%m-%d %H:%M} {clock}",
        },
        fields=(
            ResultField("shade_m", "m", "grid", shade, {"en": "In the shade", "zh": "阴影"}),
            ResultField(
                "shaded_share",
                "1",
                "objects",
                shares,
                {"en": "Share of outline in the shade", "zh": "轮廓处于阴影的比例"},
                "building",
                table.ids,
            ),
        ),
        summary={
            "instant": local.isoformat(timespec="seconds"),
            "true_solar_time": _true_time(instant_s, place.lon),
            "sun_altitude_deg": round(altitude, 3),
            "sun_azimuth_deg": round(azimuth, 3),
            "ground_m2": round(float(open_ground.sum()) * cell_area, 1),
            "shaded_m2": round(float((shade[open_ground] > 0).sum()) * cell_area, 1),
            "shaded_share": round(shaded, 4),
            "buildings": len(table),
            "heights_assumed": assumed,
            "without_height": flat,
            "rules": [cite("sun.tianjin.housing_band_h"), cite("sun.tianjin.min_altitude_deg")],
        },
        parameters={"date": date, "time": time, "cell_m": cell_m},
        twin_version=view.version,
        scheme=view.scheme,
        kernel_version=VERSION,
        illustrative=table.illustrative or ground.illustrative,
        start=local,
        grid=ground.frame,
        notes=_notes(view, assumed, flat),
    )


@dataclass(frozen=True)
class _Place:
    lon: float
    lat: float
    convergence: float


def _place(view: TwinView, frame: GridFrame) -> _Place:
    x0, y0, x1, y1 = frame.bounds
    lon, lat = lonlat(view.frame, np.array([[(x0 + x1) / 2, (y0 + y1) / 2]]))[0]
    turn = float(grid_convergence_deg(view.frame.crs, lon, lat))
    return _Place(float(lon), float(lat), turn)


def _instant_s(day: str, clock: str, lon: float) -> float:
    from kernels.sun.position import instant_of

    try:
        parsed = date.fromisoformat(day)
    except ValueError as error:
        raise RequestError("sun.date", given=day) from error
    if clock == "noon":
        return float(instant_of((parsed - date(1970, 1, 1)).days, 43200.0, lon))
    try:
        at = time.fromisoformat(clock)
    except ValueError as error:
        raise RequestError("sun.time", given=clock) from error
    if at.tzinfo is None:
        raise RequestError("sun.time", given=clock)
    return datetime.combine(parsed, at).timestamp()


def _true_time(instant_s: float, lon: float) -> str:
    from kernels.sun.position import true_solar_time_of

    seconds = round(float(true_solar_time_of(instant_s, lon))) % 86400
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _ground(view: TwinView, table: FeatureTable, cell_m: float) -> Grid:
    """Return the terrain at the cell size, or level ground around the buildings."""
    if not (np.isfinite(cell_m) and cell_m > 0):
        raise RequestError("sun.cell", given=cell_m, values={"terrain": "-"})
    if "terrain" in view.grids():
        grid = view.grid("terrain")
        factor = round(cell_m / grid.frame.cell_m)
        if factor < 1 or abs(factor * grid.frame.cell_m - cell_m) > 1e-9:
            raise RequestError("sun.cell", given=cell_m, values={"terrain": grid.frame.cell_m})
        return grid.coarsened(factor)
    box = table.bounds()
    if box is None:
        raise RequestError("sun.no_buildings", given=view.name)
    pad = 150.0
    cols = int(np.ceil((box[2] - box[0] + 2 * pad) / cell_m))
    rows = int(np.ceil((box[3] - box[1] + 2 * pad) / cell_m))
    if rows * cols > _MOST_CELLS:
        raise RequestError("sun.too_large", given=rows * cols, values={"most": _MOST_CELLS})
    frame = GridFrame(box[0] - pad, box[3] + pad, cell_m, rows, cols)
    return Grid("terrain", frame, np.zeros(frame.shape, dtype=np.float32), "m")


def _with_buildings(
    view: TwinView, ground: Grid, table: FeatureTable
) -> tuple[NDArray[np.float32], NDArray[np.bool_], int]:
    """Return ground and roofs, which cells are roofs, and how many heights were assumed."""
    import shapely
    from rasterio.features import rasterize
    from rasterio.transform import Affine

    height = table.numbers("height_m")
    storeys = table.numbers("storeys_above") * standard("building.default_storey_height_m").number()
    assumed = int((~(height > 0) & (storeys > 0)).sum())
    height = np.where(height > 0, height, storeys)
    there = ~shapely.is_missing(table.geometry) & ~shapely.is_empty(table.geometry)
    standing = there & (height > 0)
    foot = table.numbers("base_m")
    middle = shapely.get_coordinates(shapely.point_on_surface(table.geometry[there]))
    sampled = np.full(len(table), np.nan)
    sampled[there] = ground.sample(middle)
    # where the ground is level at zero for want of a terrain, so is the foot of a building
    known = np.isfinite(foot) & ("terrain" in view.grids())
    foot = np.where(known, foot, sampled)
    foot = np.where(np.isfinite(foot), foot, np.nanmedian(ground.values))
    top = foot + np.where(standing, height, 0.0)
    order = [int(i) for i in np.argsort(top) if standing[i]]  # the higher of two wins
    values = ground.values.copy()
    if not order:
        return values, np.zeros(values.shape, dtype=bool), assumed
    roofs = rasterize(
        [(table.geometry[i], float(top[i])) for i in order],
        out_shape=values.shape,
        transform=Affine(*ground.frame.geotransform),
        fill=np.nan,
        dtype="float32",
    )
    covered = np.isfinite(roofs)
    values[covered] = np.fmax(roofs[covered], values[covered])
    return values, covered, assumed


def _without_height(table: FeatureTable) -> int:
    """Return how many buildings cast no shade because nobody knows how high they are."""
    known = (table.numbers("height_m") > 0) | (table.numbers("storeys_above") > 0)
    return int((~known).sum())


def _shares(
    table: FeatureTable, frame: GridFrame, shade: NDArray[np.float32], covered: NDArray[np.bool_]
) -> Floats:
    """Return the share of points one and a half cells outside each outline that lie in shade."""
    import shapely

    # square corners: round ones would put most of the points at the corners
    around = shapely.buffer(table.geometry, 1.5 * frame.cell_m, join_style="mitre")
    rings = shapely.segmentize(shapely.boundary(around), frame.cell_m)
    xy, owner = shapely.get_coordinates(rings, return_index=True)
    row, col, inside = frame.cell_of(xy[:, 0], xy[:, 1])
    open_ = inside & ~covered[row, col] & np.isfinite(shade[row, col])
    dark = (shade[row, col] > 0) & open_
    n = len(table)
    seen = np.bincount(owner[open_], minlength=n).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.bincount(owner[dark], minlength=n) / np.where(seen > 0, seen, np.nan))


def _notes(view: TwinView, assumed: int, flat: int) -> tuple[dict[str, str], ...]:
    notes = [
        {
            "en": "Buildings cast shade as blocks of their height; roofs, trees and meshes do not.",
            "zh": "建筑按其高度以体块投影；坡屋顶、树木与精细模型不计入。",
        }
    ]
    if "terrain" not in view.grids():
        notes.append({"en": "No terrain: level ground.", "zh": "无地形：按平地计算。"})
    if flat:
        notes.append(
            {
                "en": f"{flat} buildings have neither height nor storeys and cast no shade.",
                "zh": f"{flat} 栋建筑既无高度也无层数，不投射阴影。",
            }
        )
    if assumed:
        notes.append(
            {
                "en": f"{assumed} heights were taken from the number of storeys.",
                "zh": f"{assumed} 栋建筑的高度由层数推算。",
            }
        )
    return tuple(notes)
