"""`cim flood --dem`: files of a bare grid to a run in a folder."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cim._version import VERSION
from cim.crs import looks_like_lonlat
from cim.errors import FrameError, RequestError, SourceError, StoreError
from cim.flood.water_run import Boundary, Inflow, Solver, WaterRun, run_water
from cim.jobs import QUIET, Job
from cim.model.grid import GridFrame
from cim.store.raster import writing_raster

__all__ = ["RASTERS", "flood_files"]

Array = NDArray[Any]

RASTERS: Mapping[str, str] = {
    "depth": "depth_m",
    "depth_max": "depth_max_m",
    "time_of_max": "time_of_max_s",
    "arrival": "arrival_s",
    "duration_15cm": "duration_15cm_s",
    "speed_max": "speed_max_mps",
    "hazard_max": "hazard_max_m2_s",
    "valid": "valid",
}
"""Files of a run, and the attribute of `WaterRun` that each holds."""

_BYTES_A_CELL = 220  # f32, measured roughly: solver, copies of a step, results; twice that in f64


@dataclass(frozen=True)
class _Raster:
    values: Array
    frame: GridFrame
    crs: Any


def flood_files(
    dem: Path,
    out: Path,
    *,
    duration_s: float,
    depth0: Path | None = None,
    manning: str = "0.03",
    rain_mm_h: float | None = None,
    rain: Path | None = None,
    inflow: Path | None = None,
    boundary: Boundary = "wall",
    solver: Solver = "inertial",
    order: int = 1,
    precision: Literal["f32", "f64"] = "f32",
    gauges: Path | None = None,
    threads: int = 1,
    job: Job = QUIET,
) -> dict[str, Any]:
    """Run water over a terrain file and write what it did.

    Parameters
    ----------
    dem
        GeoTIFF or ASC in projected metres; cells without a height are closed.
    out
        Folder for the rasters, ``gauges.csv`` and ``run.json``.
    duration_s
        How long, s.
    depth0, manning
        Still water at the start; Manning's n as a number or a raster on the same cells.
    rain_mm_h, rain
        Even rain throughout, or a CSV ``time_s,rain_mm_h``: each intensity holds from its time to
        the next one's, the last until the end.
    inflow
        CSV ``x,y,time_s,flow_m3s``; rows of one place make one series.
    boundary, solver, order, precision, threads
        See `cim.flood.run_water`; threads of the kernels.
    gauges
        CSV ``name,x,y``.
    job
        Progress and cancel.

    Raises
    ------
    SourceError
        A file that cannot be read or trusted.
    FrameError
        Degrees, or a raster that does not lie on the terrain's cells.
    RequestError
        No water at all; impossible numbers; places outside or on closed cells; more memory
        than there is.
    """
    ground = _raster(dem)
    frame = ground.frame
    if (ground.crs is not None and ground.crs.is_geographic) or (
        ground.crs is None and looks_like_lonlat(np.array([frame.bounds[:2], frame.bounds[2:]]))
    ):
        raise FrameError("flood.dem_degrees", given=dem.name)
    _enough_memory(ground.values.size, precision)
    if rain is not None and rain_mm_h is not None:
        raise RequestError("flood.rain_twice", given=rain.name)
    ends, rates = _rain(rain, rain_mm_h, duration_s)
    places = _gauges(gauges, frame)
    if rain is None and rain_mm_h is None and inflow is None and depth0 is None:
        raise RequestError("flood.dry", given=dem.name)
    from kernels._jit import set_threads

    before = set_threads(max(1, threads))
    try:
        run = run_water(
            ground.values,
            cell_m=frame.cell_m,
            duration_s=duration_s,
            manning=_manning(manning, frame),
            depth0_m=0.0 if depth0 is None else np.nan_to_num(_fitting(depth0, frame)),
            rain_ends_s=ends,
            rain_mm_h=rates,
            inflows=_inflows(inflow, frame),
            boundary=boundary,
            solver=solver,
            order=order,
            precision=precision,
            gauges=places,
            job=job,
        )
    finally:
        set_threads(before)
    asked = {
        "dem": str(dem), "depth0": None if depth0 is None else str(depth0), "manning": manning,
        "rain_mm_h": rain_mm_h, "rain": None if rain is None else str(rain),
        "inflow": None if inflow is None else str(inflow), "boundary": boundary, "solver": solver,
        "order": order, "precision": precision, "duration_s": duration_s, "threads": threads,
    }  # fmt: skip
    closed = int(np.isnan(ground.values).sum())
    record = {**run.summary, "closed_cells": closed}
    _write(run, record, asked, ground, out)
    return record


def _enough_memory(cells: int, precision: str) -> None:
    need = cells * _BYTES_A_CELL * (2 if precision == "f64" else 1)
    have = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if need > have:
        values = {"need": f"{need / 1e9:.1f}", "have": f"{have / 1e9:.1f}"}
        raise RequestError("flood.memory", given=cells, values=values)


def _raster(path: Path) -> _Raster:
    import warnings

    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as data:
                move = data.transform
                square = move.a > 0 and abs(move.a + move.e) <= 1e-6 * move.a
                if not square or move.b or move.d:
                    raise SourceError("flood.raster_cells", given=path.name)
                values = data.read(1, masked=True).astype(np.float64).filled(np.nan)
                frame = GridFrame(move.c, move.f, float(move.a), data.height, data.width)
                return _Raster(np.where(np.isfinite(values), values, np.nan), frame, data.crs)
    except (RasterioError, OSError) as error:
        values_ = {"why": str(error)}
        raise SourceError("source.unreadable", given=path.name, values=values_) from error


def _fitting(path: Path, frame: GridFrame) -> Array:
    found = _raster(path)
    mine = (*frame.bounds, frame.rows, frame.cols)
    theirs = (*found.frame.bounds, found.frame.rows, found.frame.cols)
    if not np.allclose(mine, theirs, rtol=0, atol=1e-3 * frame.cell_m):
        raise FrameError("flood.other_cells", given=path.name)
    return found.values


def _manning(text: str, frame: GridFrame) -> Array | float:
    try:
        return float(text)
    except ValueError:
        return _fitting(Path(text), frame)


def _table(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            found = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = found
            rows = list(reader)
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            "source.unreadable", given=path.name, values={"why": str(error)}
        ) from error
    if not set(columns) <= set(found) or not rows:
        values = {"columns": ", ".join(columns)}
        raise SourceError("flood.table", given=path.name, values=values)
    return rows


def _number(row: Mapping[str, str], column: str, path: Path) -> float:
    try:
        value = float(row[column])
    except (TypeError, ValueError) as error:
        values = {"column": column, "value": row[column]}
        raise SourceError("flood.table_number", given=path.name, values=values) from error
    if not np.isfinite(value):
        values = {"column": column, "value": row[column]}
        raise SourceError("flood.table_number", given=path.name, values=values)
    return value


def _rain(
    path: Path | None, rain_mm_h: float | None, duration_s: float
) -> tuple[list[float], list[float]]:
    if path is None:
        return ([], []) if rain_mm_h is None else ([duration_s], [rain_mm_h])
    rows = _table(path, ("time_s", "rain_mm_h"))
    times = [_number(row, "time_s", path) for row in rows]
    rates = [_number(row, "rain_mm_h", path) for row in rows]
    if times[0] > 0.0:  # dry before the first
        times, rates = [0.0, *times], [0.0, *rates]
    return [*times[1:], max(duration_s, np.nextafter(times[-1], np.inf))], rates


def _cell(x: float, y: float, frame: GridFrame, name: str) -> tuple[int, int]:
    row, col, inside = frame.cell_of(np.array([x]), np.array([y]))
    if not inside[0]:
        raise RequestError("flood.not_on_ground", given=name)
    return int(row[0]), int(col[0])


def _inflows(path: Path | None, frame: GridFrame) -> list[Inflow]:
    if path is None:
        return []
    series: dict[tuple[float, float], list[tuple[float, float]]] = {}
    for row in _table(path, ("x", "y", "time_s", "flow_m3s")):
        x, y, t, q = (_number(row, name, path) for name in ("x", "y", "time_s", "flow_m3s"))
        series.setdefault((x, y), []).append((t, q))
    out = []
    for (x, y), pairs in series.items():
        times, flows = np.array(pairs, np.float64).T
        if not (np.diff(times) > 0).all():
            raise RequestError("flood.inflow_times", given=f"{x:g}, {y:g}")
        row_at, col_at = _cell(x, y, frame, f"{x:g}, {y:g}")
        out.append(Inflow(row_at, col_at, times, flows))
    return out


def _gauges(path: Path | None, frame: GridFrame) -> dict[str, tuple[int, int]]:
    if path is None:
        return {}
    return {
        row["name"]: _cell(_number(row, "x", path), _number(row, "y", path), frame, row["name"])
        for row in _table(path, ("name", "x", "y"))
    }


def _write(
    run: WaterRun, record: Mapping[str, Any], asked: Mapping[str, Any], ground: _Raster, out: Path
) -> None:
    import rasterio
    from rasterio.transform import Affine

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError("store.cannot_write", given=out, values={"why": str(error)}) from error
    for name, attribute in RASTERS.items():
        values = getattr(run, attribute)
        path = out / f"{name}.tif"
        with (
            writing_raster(path),
            rasterio.open(
                path, "w", driver="GTiff", height=ground.frame.rows, width=ground.frame.cols,
                count=1, dtype=str(values.dtype), crs=ground.crs, compress="DEFLATE",
                transform=Affine(*ground.frame.geotransform),
                nodata=np.nan if values.dtype.kind == "f" else None,
            ) as file,
        ):  # fmt: skip
            file.write(values, 1)
    with (out / "gauges.csv").open("w", encoding="utf-8", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(("name", "time_s", "depth_m", "level_m", "speed_mps"))
        for name, told in run.gauges.items():
            row, col = run.gauge_cells[name]
            bed = float(ground.values[row, col])
            for t_s, depth_m, speed_mps in told:
                writer.writerow((name, f"{t_s:.3f}", f"{depth_m:.6g}", f"{bed + depth_m:.6f}",
                                 f"{speed_mps:.6g}"))  # fmt: skip
    made = {**record, "asked": dict(asked), "program": f"cim-twin {VERSION}"}
    (out / "run.json").write_text(json.dumps(made, ensure_ascii=False, indent=1), encoding="utf-8")
