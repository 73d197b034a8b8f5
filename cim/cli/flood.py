"""cim flood: where water stands after a storm."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import numpy as np
import typer

from cim import messages
from cim.cli import _show
from cim.cli._app import answer, stopping_whole
from cim.cli._ask import BoundsOption, PictureOption, SchemeOption, ask
from cim.errors import RequestError
from cim.model.twin import WindowView, fitting_cell_m

if TYPE_CHECKING:
    from cim.flood.area import Area
    from cim.flood.borders import Border
    from cim.flood.checkpoint import Checkpoint
    from cim.flood.rain import Storm
    from cim.jobs import Job
    from cim.model.result import Result
    from cim.model.twin import TwinView

__all__ = ["verb"]

T = messages.text

_LONG_CELL_S = 3e8  # cells times seconds: about ten CPU seconds


def verb(
    twin: Annotated[Path | None, typer.Argument(help=T("cli.option.twin"))] = None,
    return_period_a: Annotated[
        float | None,
        typer.Option("--return-period-a", help=T("cli.flood.return_period"), show_default="50"),
    ] = None,
    storm_min: Annotated[
        float | None, typer.Option("--storm-min", help=T("cli.flood.storm"), show_default="60")
    ] = None,
    after_min: Annotated[
        float | None, typer.Option("--after-min", help=T("cli.flood.after"), show_default="60")
    ] = None,
    cell_m: Annotated[float | None, typer.Option("--cell-m", help=T("cli.flood.cell"))] = None,
    drain_mm_h: Annotated[
        float | None, typer.Option("--drain-mm-h", help=T("cli.flood.drain"))
    ] = None,
    drains: Annotated[
        str | None, typer.Option("--drains", help=T("cli.flood.drains"), show_default="auto")
    ] = None,
    infiltration: Annotated[
        str | None,
        typer.Option("--infiltration", help=T("cli.flood.infiltration"), show_default="none"),
    ] = None,
    bounds: BoundsOption = None,
    within: Annotated[str | None, typer.Option("--within", help=T("cli.flood.within"))] = None,
    scheme: SchemeOption = None,
    picture: PictureOption = None,
    dem: Annotated[Path | None, typer.Option("--dem", help=T("cli.flood.dem"))] = None,
    depth0: Annotated[Path | None, typer.Option("--depth0", help=T("cli.flood.depth0"))] = None,
    manning: Annotated[
        str | None, typer.Option("--manning", help=T("cli.flood.manning"), show_default="0.03")
    ] = None,
    rain_mm_h: Annotated[
        float | None, typer.Option("--rain-mm-h", help=T("cli.flood.rain_mm_h"))
    ] = None,
    rain: Annotated[Path | None, typer.Option("--rain", help=T("cli.flood.rain"))] = None,
    inflow: Annotated[Path | None, typer.Option("--inflow", help=T("cli.flood.inflow"))] = None,
    boundary: Annotated[
        str | None, typer.Option("--boundary", help=T("cli.flood.boundary"), show_default="wall")
    ] = None,
    solver: Annotated[
        str | None, typer.Option("--solver", help=T("cli.flood.solver"), show_default="inertial")
    ] = None,
    order: Annotated[
        int | None, typer.Option("--order", help=T("cli.flood.order"), show_default="1")
    ] = None,
    precision: Annotated[
        str | None, typer.Option("--precision", help=T("cli.flood.precision"), show_default="f32")
    ] = None,
    duration_s: Annotated[
        float | None, typer.Option("--duration-s", help=T("cli.flood.duration"))
    ] = None,
    gauges: Annotated[Path | None, typer.Option("--gauges", help=T("cli.flood.gauges"))] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", help=T("cli.flood.threads"), show_default="1")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help=T("cli.flood.out"))] = None,
    replace: Annotated[bool, typer.Option("--replace", help=T("cli.flood.replace"))] = False,
    buildings: Annotated[
        str | None, typer.Option("--buildings", help=T("cli.flood.buildings"), show_default="holes")
    ] = None,
    walls: Annotated[
        bool | None, typer.Option("--walls/--no-walls", help=T("cli.flood.walls"))
    ] = None,
    against: Annotated[str | None, typer.Option("--against", help=T("cli.flood.against"))] = None,
    crs: Annotated[str | None, typer.Option("--crs", help=T("cli.flood.crs"))] = None,
    height_datum: Annotated[
        str | None, typer.Option("--height-datum", help=T("cli.flood.height_datum"))
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help=T("cli.flood.checkpoint"))
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help=T("cli.flood.resume"))] = False,
    cost: Annotated[bool, typer.Option("--cost", help=T("cli.flood.cost"))] = False,
) -> dict[str, Any]:
    """Rain on a twin, or move water over a bare terrain."""
    from cim.flood import AreaView, flood, flood_cost, flood_files, worth
    from cim.flood.checkpoint import Checkpoint

    if (twin is None) == (dem is None):
        raise RequestError("flood.twin_or_dem", given=f"{twin} {dem}")
    of_twin = {
        "--return-period-a": return_period_a,
        "--storm-min": storm_min,
        "--after-min": after_min,
        "--cell-m": cell_m,
        "--drain-mm-h": drain_mm_h,
        "--drains": drains,
        "--infiltration": infiltration,
        "--bounds": bounds,
        "--within": within,
        "--scheme": scheme,
        "--picture": picture,
        "--buildings": buildings,
        "--walls": walls,
        "--against": against,
    }
    of_dem = {
        "--depth0": depth0,
        "--inflow": inflow,
        "--duration-s": duration_s,
        "--gauges": gauges,
        "--threads": threads,
        "--out": out,
        "--replace": replace or None,
        "--crs": crs,
        "--height-datum": height_datum,
    }
    _refuse(of_twin if dem is not None else of_dem,
            "flood.not_of_dem" if dem is not None else "flood.not_of_twin")  # fmt: skip
    if resume and checkpoint is None:
        raise RequestError("flood.resume_what", given="--resume")
    kept = None if checkpoint is None else Checkpoint(checkpoint, resume=resume)
    numerics = (
        cast(Any, solver or "inertial"),
        1 if order is None else order,
        cast(Any, precision or "f32"),
    )
    if dem is not None:
        if duration_s is None or (out is None and not cost):
            raise RequestError("flood.dem_needs", given="-o" if duration_s else "--duration-s")
        with _show.progress() as job, nullcontext() if kept is None else stopping_whole(job):
            record = flood_files(
                dem,
                out or Path(),
                duration_s=duration_s,
                depth0=depth0,
                manning="0.03" if manning is None else manning,
                rain_mm_h=rain_mm_h,
                rain=rain,
                inflow=inflow,
                boundary=boundary or "wall",
                solver=numerics[0],
                order=numerics[1],
                precision=numerics[2],
                gauges=gauges,
                threads=1 if threads is None else threads,
                crs=crs,
                height_datum=height_datum,
                checkpoint=kept,
                cost_only=cost,
                replace=replace,
                job=job,
            )
        _tell_removed(record, None if cost else kept)
        return answer(None, record)
    assert twin is not None
    storm, lasts_s = _storm(rain, rain_mm_h, return_period_a, storm_min, after_min)
    least_m = 2.0
    if cost:
        from cim.store import open_scheme, open_twin

        view = open_twin(twin) if scheme is None else open_scheme(twin, scheme)
        foreseen = flood_cost(
            view if bounds is None else WindowView(view, bounds),
            storm=storm, duration_s=lasts_s, cell_m=fitting_cell_m(view, cell_m, least_m=least_m),
            solver=numerics[0], order=numerics[1], precision=numerics[2],
            within=_within(within, view), drains=cast(Any, drains or "auto"),
        )  # fmt: skip
        return answer(view, {"cost": foreseen.told})
    base = None if against is None else _base(twin, against)

    told: dict[str, float] = {}

    def question(view: TwinView, job: Job) -> Result:
        size_m = fitting_cell_m(view, cell_m, least_m=least_m)
        area = _within(within, view)
        seen = view if area is None else AreaView(view, area, size_m)
        told.update(_foretold(view, storm, lasts_s, size_m, numerics, area, drains or "auto"))
        with nullcontext() if kept is None else stopping_whole(job):
            return flood(
                view,
                storm=storm,
                duration_s=lasts_s,
                cell_m=size_m,
                solver=numerics[0],
                order=numerics[1],
                precision=numerics[2],
                manning=_one_number(manning),
                drain_mm_h=drain_mm_h,
                drains=cast(Any, drains or "auto"),
                infiltration=cast(Any, infiltration or "none"),
                borders=_borders(boundary, seen, size_m),
                buildings=cast(Any, buildings or "holes"),
                walls=walls is not False,
                within=area,
                against=base,
                checkpoint=kept,
                job=job,
            )

    record = ask(twin, scheme, question, bounds=bounds, picture=picture)
    if told:
        record["cost"] = told
    _tell_removed(record, kept)
    if base is not None:
        from cim.store import open_run

        record["worth"] = worth(base, open_run(twin, record["run"]))
    return record


def _storm(
    rain: Path | None,
    rain_mm_h: float | None,
    period_a: float | None,
    storm_min: float | None,
    after_min: float | None,
) -> tuple[Storm, float]:
    """The storm, and how long to follow it: as designed, even, or as a file says."""
    from cim.flood import design_storm, even_storm, recorded_storm
    from cim.flood.tables import read_rain

    after_s = (60.0 if after_min is None else after_min) * 60.0
    if rain is not None and rain_mm_h is not None:
        raise RequestError("flood.rain_twice", given=rain.name)
    minutes = 60.0 if storm_min is None else storm_min
    if rain_mm_h is not None:
        _refuse({"--return-period-a": period_a}, "flood.not_of_even_rain")
        storm = even_storm(depth_mm=rain_mm_h * minutes / 60.0, duration_min=minutes)
        return storm, minutes * 60.0 + after_s
    if rain is None:
        period = 50.0 if period_a is None else period_a
        return design_storm(return_period_a=period, duration_min=minutes), minutes * 60.0 + after_s
    _refuse({"--return-period-a": period_a, "--storm-min": storm_min}, "flood.not_of_rain")
    ends, rates = read_rain(rain, until_s=None)
    lasts = np.diff(np.array(ends), prepend=0.0)
    storm = recorded_storm(ends_s=ends, depths_mm=(np.array(rates) * lasts / 3600.0).tolist())
    return storm, storm.duration_s + after_s


def _foretold(
    view: TwinView, storm: Storm, lasts_s: float, cell_m: float, numerics: tuple[Any, int, Any],
    area: Area | None, drains: str,
) -> dict[str, float]:  # fmt: skip
    """Tell on standard error what a long run will take, before it begins; short ones are silent."""
    from cim.flood import AreaView, flood_cost
    from cim.flood.ground import site_frame

    frame = site_frame(view if area is None else AreaView(view, area, cell_m), cell_m=cell_m)
    if frame.rows * frame.cols * lasts_s < _LONG_CELL_S:
        return {}
    foreseen = flood_cost(
        view, storm=storm, duration_s=lasts_s, cell_m=cell_m,
        solver=numerics[0], order=numerics[1], precision=numerics[2], within=area,
        drains=cast(Any, drains),
    ).told  # fmt: skip
    _show.foretold("flood.cost", foreseen)
    return foreseen


def _within(said: str | None, view: TwinView) -> Area | None:
    """The area that is meant: one of the twin's, or the polygon of a GeoJSON file."""
    from cim.flood.area import Area, find_area
    from cim.query import area_from_geojson

    if said is None:
        return None
    if said.lower().endswith((".geojson", ".json")):
        return Area(area_from_geojson(view.frame, said), Path(said).stem)
    return find_area(view, said)


def _one_number(manning: str | None) -> float | None:
    if manning is None:
        return None
    try:
        return float(manning)
    except ValueError as error:
        raise RequestError("flood.manning", given=manning) from error


def _borders(boundary: str | None, view: TwinView, cell_m: float) -> list[Border]:
    from cim.flood.border_files import read_borders
    from cim.flood.borders import Border
    from cim.flood.ground import site_frame

    if boundary is None:
        return []
    if boundary in {"wall", "free"}:
        return [Border(cast(Any, boundary))]
    frame = site_frame(view, cell_m=cell_m)
    return read_borders(Path(boundary), frame, height_datum=view.frame.height_datum)


def _base(twin: Path, run: str) -> Result:
    from cim.store import open_run

    return open_run(twin, run)


def _tell_removed(record: dict[str, Any], kept: Checkpoint | None) -> None:
    """Say that a run that is over no longer needs its checkpoint."""
    if kept is not None:
        record["notes"] = [*record["notes"], T("flood.note.checkpoint_over", {"given": kept.path})]


def _refuse(options: Mapping[str, object], key: str) -> None:
    """Refuse options that the other of the two commands would have to ignore."""
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise RequestError(key, given=", ".join(given))
