"""cim flood: where water stands after a storm."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from cim import messages
from cim.cli import _show
from cim.cli._app import answer
from cim.cli._ask import BoundsOption, PictureOption, SchemeOption, ask
from cim.errors import RequestError
from cim.model.twin import fitting_cell_m

__all__ = ["verb"]

T = messages.text


def verb(
    twin: Annotated[Path | None, typer.Argument(help=T("cli.option.twin"))] = None,
    return_period_a: Annotated[
        float, typer.Option("--return-period-a", help=T("cli.flood.return_period"))
    ] = 50.0,
    storm_min: Annotated[float, typer.Option("--storm-min", help=T("cli.flood.storm"))] = 60.0,
    after_min: Annotated[float, typer.Option("--after-min", help=T("cli.flood.after"))] = 60.0,
    cell_m: Annotated[float | None, typer.Option("--cell-m", help=T("cli.flood.cell"))] = None,
    drain_mm_h: Annotated[
        float | None, typer.Option("--drain-mm-h", help=T("cli.flood.drain"))
    ] = None,
    drains: Annotated[str, typer.Option("--drains", help=T("cli.flood.drains"))] = "auto",
    infiltration: Annotated[
        str, typer.Option("--infiltration", help=T("cli.flood.infiltration"))
    ] = "none",
    bounds: BoundsOption = None,
    scheme: SchemeOption = None,
    picture: PictureOption = None,
    dem: Annotated[Path | None, typer.Option("--dem", help=T("cli.flood.dem"))] = None,
    depth0: Annotated[Path | None, typer.Option("--depth0", help=T("cli.flood.depth0"))] = None,
    manning: Annotated[str, typer.Option("--manning", help=T("cli.flood.manning"))] = "0.03",
    rain_mm_h: Annotated[
        float | None, typer.Option("--rain-mm-h", help=T("cli.flood.rain_mm_h"))
    ] = None,
    rain: Annotated[Path | None, typer.Option("--rain", help=T("cli.flood.rain"))] = None,
    inflow: Annotated[Path | None, typer.Option("--inflow", help=T("cli.flood.inflow"))] = None,
    boundary: Annotated[str, typer.Option("--boundary", help=T("cli.flood.boundary"))] = "wall",
    solver: Annotated[str, typer.Option("--solver", help=T("cli.flood.solver"))] = "inertial",
    order: Annotated[int, typer.Option("--order", help=T("cli.flood.order"))] = 1,
    precision: Annotated[str, typer.Option("--precision", help=T("cli.flood.precision"))] = "f32",
    duration_s: Annotated[
        float | None, typer.Option("--duration-s", help=T("cli.flood.duration"))
    ] = None,
    gauges: Annotated[Path | None, typer.Option("--gauges", help=T("cli.flood.gauges"))] = None,
    threads: Annotated[int, typer.Option("--threads", help=T("cli.flood.threads"))] = 1,
    out: Annotated[Path | None, typer.Option("--out", "-o", help=T("cli.flood.out"))] = None,
) -> dict[str, Any]:
    """Rain on a twin, or move water over a bare terrain."""
    from cim.flood import design_storm, flood
    from cim.flood.setting import DrainMode, Law

    if (twin is None) == (dem is None):
        raise RequestError("flood.twin_or_dem", given=f"{twin} {dem}")
    if dem is not None:
        from cim.flood import flood_files

        if duration_s is None or out is None:
            raise RequestError("flood.dem_needs", given="--duration-s" if out else "-o")
        with _show.progress() as job:
            record = flood_files(
                dem,
                out,
                duration_s=duration_s,
                depth0=depth0,
                manning=manning,
                rain_mm_h=rain_mm_h,
                rain=rain,
                inflow=inflow,
                boundary=cast(Any, boundary),
                solver=cast(Any, solver),
                order=order,
                precision=cast(Any, precision),
                gauges=gauges,
                threads=threads,
                job=job,
            )
        return answer(None, record)
    assert twin is not None
    storm = design_storm(return_period_a=return_period_a, duration_min=storm_min)
    return ask(
        twin,
        scheme,
        lambda view, job: flood(
            view,
            storm=storm,
            duration_s=(storm_min + after_min) * 60.0,
            cell_m=fitting_cell_m(view, cell_m, least_m=2.0),
            drain_mm_h=drain_mm_h,
            drains=cast(DrainMode, drains),
            infiltration=cast(Law, infiltration),
            job=job,
        ),
        bounds=bounds,
        picture=picture,
    )
