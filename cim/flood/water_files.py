"""`cim flood --dem`: files of a bare grid to a run in a folder."""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cim import messages
from cim._version import VERSION
from cim.crs import (
    axis_unit_m,
    is_projected,
    looks_like_lonlat,
    parse_crs,
    parse_height_datum,
    split_crs,
)
from cim.errors import FrameError, RequestError, SourceError, StoreError
from cim.flood.border_files import read_borders
from cim.flood.borders import Border
from cim.flood.checkpoint import Checkpoint
from cim.flood.cost import enough_memory, foresee, memory_mb
from cim.flood.engine import Numerics, Precision, Solver
from cim.flood.tables import number, read_rain, read_table
from cim.flood.water_run import Inflow, WaterRun, run_water
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


_LEAST_M, _MOST_M = -500.0, 9000.0  # the Dead Sea's shore lies at -430 m
_DEGREE_CELLS = 0.05  # smaller ones may be degrees where coordinates could be


@dataclass(frozen=True)
class _Raster:
    values: Array
    frame: GridFrame
    crs: Any
    notes: tuple[str, ...]
    bands: int = 1


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
    boundary: str = "wall",
    solver: Solver = "inertial",
    order: int = 1,
    precision: Precision = "f32",
    gauges: Path | None = None,
    threads: int = 1,
    crs: str | None = None,
    height_datum: str | None = None,
    checkpoint: Checkpoint | None = None,
    cost_only: bool = False,
    replace: bool = False,
    job: Job = QUIET,
) -> dict[str, Any]:
    """Run water over a terrain file and write what it did.

    Parameters
    ----------
    dem
        GeoTIFF or ASC in projected metres; cells without a height are closed.
    out
        Folder for the rasters, ``gauges.csv`` and ``run.json``; one without ``run.json`` is not
        whole.
    duration_s
        How long, s.
    depth0, manning
        Still water at the start; Manning's n as a number or a raster on the same cells.
    rain_mm_h, rain
        Even rain throughout, or a CSV ``time_s,rain_mm_h``: each intensity holds from its time to
        the next one's, the last until the end.
    inflow
        CSV ``x,y,time_s,flow_m3s``; rows of one place make one series.
    boundary
        ``wall``, ``free``, or a CSV of what each side does: see `read_borders`.
    solver, order, precision, threads
        See `cim.flood.run_water`; threads of the kernels.
    gauges
        CSV ``name,x,y``.
    crs
        What the terrain is in where its file does not say: a projected system in metres, or
        ``local`` for metres without a place.
    height_datum
        Of the terrain, where its file does not say; compared with that of levels at the edges.
    checkpoint
        Where to keep the run now and then, and whether to go on with one.
    cost_only
        Only tell what the run would take.
    replace
        Whether the files of a run that is in `out` may be replaced.
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
        than there is; a checkpoint of another question; results in `out` already.
    """
    numerics = Numerics(solver, order, precision)
    if threads < 1:
        raise RequestError("flood.threads", given=threads)
    enough_memory(memory_mb(_cells(dem), numerics), cells=_cells(dem))
    ground = _raster(dem, heights=True)
    frame = ground.frame
    datum, notes = _trusted(ground, dem, crs, height_datum)
    _heights(ground.values, dem)
    notes += [*ground.notes, *_passed_over(ground, dem, numerics)]
    if rain is not None and rain_mm_h is not None:
        raise RequestError("flood.rain_twice", given=rain.name)
    ends, rates = ([], []) if rain_mm_h is None else ([duration_s], [rain_mm_h])
    if rain is not None:
        ends, rates = read_rain(rain, until_s=duration_s)
    places = _gauges(gauges, ground)
    edges: Any = boundary
    if boundary not in {"wall", "free"}:
        if Path(boundary).suffix.lower() != ".csv":
            raise RequestError("flood.boundary", given=boundary)
        edges = read_borders(Path(boundary), frame, height_datum=datum)
    brings = {"stage", "discharge"}
    comes = not isinstance(edges, str) and any(one.kind in brings for one in edges)
    if not comes and all(given is None for given in (rain, rain_mm_h, inflow, depth0)):
        raise RequestError("flood.dry", given=dem.name)
    n = _manning(manning, frame)
    still = _still(depth0, ground, notes)
    springs = _inflows(inflow, ground, duration_s)
    if cost_only:
        foreseen = foresee(
            ground.values, cell_m=frame.cell_m, numerics=numerics, duration_s=duration_s,
            manning=n, depth0_m=still, rain_ends_s=ends, rain_mps=np.array(rates) / 3.6e6,
            borders=[Border(cast(Any, edges))] if isinstance(edges, str) else edges,
            springs_m3_s=sum(one.volume_m3(0.0, duration_s) for one in springs) / duration_s,
        )  # fmt: skip
        return {"cost": foreseen.told, "notes": notes}
    if not replace:
        _refuse_taken(out)
    from kernels._jit import set_threads

    before = set_threads(max(1, threads))
    try:
        run = run_water(
            ground.values,
            cell_m=frame.cell_m,
            duration_s=duration_s,
            manning=n,
            depth0_m=still,
            rain_ends_s=ends,
            rain_mm_h=rates,
            inflows=springs,
            boundary=edges,
            solver=solver,
            order=order,
            precision=precision,
            gauges=places,
            checkpoint=checkpoint,
            job=job,
        )
    finally:
        set_threads(before)
    asked = {
        "dem": str(dem), "depth0": None if depth0 is None else str(depth0), "manning": manning,
        "rain_mm_h": rain_mm_h, "rain": None if rain is None else str(rain),
        "inflow": None if inflow is None else str(inflow), "boundary": boundary, "solver": solver,
        "order": order, "precision": precision, "duration_s": duration_s, "threads": threads,
        "height_datum": datum,
    }  # fmt: skip
    closed = int(np.isnan(ground.values).sum())
    outside = int(((run.valid == 0) & (run.depth_max_m > 0)).sum())
    record = {**run.summary, "closed_cells": closed, "cells_outside_range": outside, "notes": notes}
    _write(run, record, asked, ground, out)
    return record


def _cells(path: Path) -> int:
    import rasterio
    from rasterio.errors import RasterioError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with rasterio.open(path) as data:
                return int(data.width * data.height)
        except (RasterioError, OSError) as error:
            why = {"why": str(error)}
            raise SourceError("source.unreadable", given=path.name, values=why) from error


def _trusted(
    ground: _Raster, dem: Path, crs: str | None, height_datum: str | None
) -> tuple[str | None, list[str]]:
    """Make sure that cells are metres; the terrain's height datum, and what to know of both."""
    found, datum = (None, None) if ground.crs is None else split_crs(ground.crs)
    if height_datum is not None:
        said = parse_height_datum(height_datum)
        if datum is not None and said != datum:
            values = {"levels": said, "terrain": datum}
            raise FrameError("flood.datum_mismatch", given=dem.name, values=values)
        datum = said
    name = found
    if crs is not None and crs != "local":
        name = parse_crs(crs)
        if found is not None and name != found:
            values = {"said": name, "found": found}
            raise FrameError("flood.dem_crs", given=dem.name, values=values)
    if name is not None:
        if not is_projected(name):
            raise FrameError("flood.dem_degrees", given=dem.name)
        if abs(axis_unit_m(name) - 1.0) > 1e-9:
            raise FrameError("flood.dem_unit", given=dem.name, values={"unit": axis_unit_m(name)})
        return datum, []
    corners = np.array([ground.frame.bounds[:2], ground.frame.bounds[2:]])
    if crs is None and ground.frame.cell_m < _DEGREE_CELLS and looks_like_lonlat(corners):
        raise FrameError("flood.dem_degrees", given=dem.name)
    return datum, [] if crs else [messages.text("flood.note.no_crs", {"given": dem.name})]


def _refuse_taken(out: Path) -> None:
    if any((out / name).exists() for name in _written()):
        raise RequestError("flood.out_taken", given=out)


def _written() -> list[str]:
    """Files of a run, the one that says it is whole first."""
    return ["run.json", "gauges.csv", *(f"{name}.tif" for name in RASTERS)]


def _made(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError("store.cannot_write", given=out, values={"why": str(error)}) from error


def _raster(path: Path, *, heights: bool = False) -> _Raster:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    from cim.sources.ascii_grid import leave_out, words_among
    from cim.sources.raster import leave_out_undeclared

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as data:
                move = data.transform
                square = move.a > 0 and abs(move.a + move.e) <= 1e-6 * move.a
                if not square or move.b or move.d:
                    raise SourceError("flood.raster_cells", given=path.name)
                grid = data.driver == "AAIGrid"
                words = words_among(path, data.width * data.height) if grid else []
                values = data.read(1, masked=True).astype(np.float64).filled(np.nan)
                told = leave_out(words, values) if words else None
                marks = leave_out_undeclared(values, heights=heights)
                values = values * data.scales[0] + data.offsets[0]
                frame = GridFrame(move.c, move.f, float(move.a), data.height, data.width)
                notes = [messages.text("source.nodata_undeclared", one) for one in marks]
                if told is not None:
                    notes.append(messages.text("source.ascii_grid_words", told))
                return _Raster(values, frame, data.crs, tuple(notes), data.count)
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


def _passed_over(ground: _Raster, dem: Path, numerics: Numerics) -> list[str]:
    """Say what was given and does not count."""
    notes = []
    if ground.bands > 1:
        notes.append(messages.text("flood.note.bands", {"given": dem.name, "bands": ground.bands}))
    if numerics.solver == "inertial" and numerics.order == 2:
        notes.append(messages.text("flood.note.order", {"given": numerics.order}))
    return notes


def _still(path: Path | None, ground: _Raster, notes: list[str]) -> Array | float:
    """Water at the start; cells without a depth begin dry, and a note says how many."""
    if path is None:
        return 0.0
    depth = _fitting(path, ground.frame)
    unknown = int((np.isnan(depth) & np.isfinite(ground.values)).sum())
    if unknown:
        said = {"given": path.name, "cells": unknown}
        notes.append(messages.text("flood.note.depth0_holes", said))
    return np.nan_to_num(depth)


def _heights(values: Array, dem: Path) -> None:
    """Refuse heights that no ground has: a mark for missing that the file does not name as such.

    Raises
    ------
    SourceError
        Some are such.
    """
    odd = (values < _LEAST_M) | (values > _MOST_M)
    if odd.any():
        told = {"cells": int(odd.sum()), "value": f"{float(values[odd][0]):g}"}
        raise SourceError("flood.heights", given=dem.name, values=told)


def _cell(x: float, y: float, ground: _Raster, name: str) -> tuple[int, int]:
    row, col, inside = ground.frame.cell_of(np.array([x]), np.array([y]))
    if not inside[0] or np.isnan(ground.values[row[0], col[0]]):
        raise RequestError("flood.not_on_ground", given=name)
    return int(row[0]), int(col[0])


def _inflows(path: Path | None, ground: _Raster, duration_s: float) -> list[Inflow]:
    if path is None:
        return []
    series: dict[tuple[float, float], list[tuple[float, float]]] = {}
    for row in read_table(path, ("x", "y", "time_s", "flow_m3s")):
        x, y, t, q = (number(row, name, path) for name in ("x", "y", "time_s", "flow_m3s"))
        series.setdefault((x, y), []).append((t, q))
    out = []
    for (x, y), pairs in series.items():
        times, flows = np.array(pairs, np.float64).T
        if not (np.diff(times) > 0).all():
            raise RequestError("flood.inflow_times", given=f"{x:.10g}, {y:.10g}")
        one = Inflow(*_cell(x, y, ground, f"{x:.10g}, {y:.10g}"), times, flows)
        if (flows >= 0).all() and (flows > 0).any() and not one.volume_m3(0.0, duration_s) > 0.0:
            until = {"until": f"{duration_s:g}"}
            raise RequestError("flood.inflow_never", given=f"{x:.10g}, {y:.10g}", values=until)
        out.append(one)
    return out


def _gauges(path: Path | None, ground: _Raster) -> dict[str, tuple[int, int]]:
    out: dict[str, tuple[int, int]] = {}
    for row in [] if path is None else read_table(path, ("name", "x", "y")):
        name = str(row["name"] or "").strip()
        if not name or name in out:
            raise RequestError("flood.gauge_name", given=name or "-")
        assert path is not None
        out[name] = _cell(number(row, "x", path), number(row, "y", path), ground, name)
    return out


def _write(
    run: WaterRun, record: Mapping[str, Any], asked: Mapping[str, Any], ground: _Raster, out: Path
) -> None:
    import rasterio
    from rasterio.transform import Affine

    _made(out)
    for old in _written():  # a run stopped among its files is not taken for a whole one
        (out / old).unlink(missing_ok=True)
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
