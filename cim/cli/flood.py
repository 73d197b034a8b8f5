"""cim flood: where water stands after a storm."""

from __future__ import annotations

from collections.abc import Mapping
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
) -> dict[str, Any]:
    """Rain on a twin, or move water over a bare terrain."""
    from cim.flood import design_storm, flood
    from cim.flood.setting import DrainMode, Law

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
        "--scheme": scheme,
        "--picture": picture,
    }
    of_dem = {
        "--depth0": depth0,
        "--manning": manning,
        "--rain-mm-h": rain_mm_h,
        "--rain": rain,
        "--inflow": inflow,
        "--boundary": boundary,
        "--solver": solver,
        "--order": order,
        "--precision": precision,
        "--duration-s": duration_s,
        "--gauges": gauges,
        "--threads": threads,
        "--out": out,
    }
    if dem is not None:
        from cim.flood import flood_files

        _refuse(of_twin, "flood.not_of_dem")
        if duration_s is None or out is None:
            raise RequestError("flood.dem_needs", given="--duration-s" if out else "-o")
        with _show.progress() as job:
            record = flood_files(
                dem,
                out,
                duration_s=duration_s,
                depth0=depth0,
                manning="0.03" if manning is None else manning,
                rain_mm_h=rain_mm_h,
                rain=rain,
                inflow=inflow,
                boundary=cast(Any, boundary or "wall"),
                solver=cast(Any, solver or "inertial"),
                order=1 if order is None else order,
                precision=cast(Any, precision or "f32"),
                gauges=gauges,
                threads=1 if threads is None else threads,
                job=job,
            )
        return answer(None, record)
    assert twin is not None
    _refuse(of_dem, "flood.not_of_twin")
    storm_min = 60.0 if storm_min is None else storm_min
    after_min = 60.0 if after_min is None else after_min
    storm = design_storm(
        return_period_a=50.0 if return_period_a is None else return_period_a,
        duration_min=storm_min,
    )
    return ask(
        twin,
        scheme,
        lambda view, job: flood(
            view,
            storm=storm,
            duration_s=(storm_min + after_min) * 60.0,
            cell_m=fitting_cell_m(view, cell_m, least_m=2.0),
            drain_mm_h=drain_mm_h,
            drains=cast(DrainMode, drains or "auto"),
            infiltration=cast(Law, infiltration or "none"),
            job=job,
        ),
        bounds=bounds,
        picture=picture,
    )


def _refuse(options: Mapping[str, object], key: str) -> None:
    """Refuse options that the other of the two commands would have to ignore."""
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise RequestError(key, given=", ".join(given))
