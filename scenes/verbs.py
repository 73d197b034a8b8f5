"""The verbs of this package: cim render and cim map."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cim import messages
from cim.cli import _show
from cim.cli._app import answer
from cim.errors import RequestError

if TYPE_CHECKING:
    from scenes.scene import Scene

__all__ = ["paper_map", "render"]

T = messages.text


def render(
    twin: Annotated[Path, typer.Argument(help=T("cli.option.twin"))],
    out: Annotated[Path, typer.Option("-o", "--out", help=T("scenes.option.out"))],
    layers: Annotated[str | None, typer.Option("--layers", help=T("scenes.option.layers"))] = None,
    run: Annotated[str | None, typer.Option("--run", help=T("scenes.option.run"))] = None,
    field: Annotated[str | None, typer.Option("--field", help=T("scenes.option.field"))] = None,
    time: Annotated[float | None, typer.Option("--time", help=T("scenes.option.time"))] = None,
    scheme: Annotated[str | None, typer.Option("--scheme", help=T("cli.option.scheme"))] = None,
    size: Annotated[str | None, typer.Option("--size", help=T("scenes.option.size"))] = None,
    bounds: Annotated[
        tuple[float, float, float, float] | None,
        typer.Option("--bounds", help=T("cli.query.bounds")),
    ] = None,
    view: Annotated[str | None, typer.Option("--view", help=T("scenes.option.view"))] = None,
    underground: Annotated[
        bool, typer.Option("--underground", help=T("scenes.option.underground"))
    ] = False,
    kept: Annotated[Path | None, typer.Option("--scene", help=T("scenes.option.scene"))] = None,
    path: Annotated[str | None, typer.Option("--path", help=T("scenes.option.path"))] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", help=T("scenes.option.seconds"))
    ] = None,
) -> dict[str, Any]:
    """Draw a twin or a run of it."""
    from cim.store import open_run, open_scheme, open_twin
    from scenes.render import sizes
    from scenes.scene import CAMERAS, Scene
    from scenes.write import check, write

    if view is not None and view not in CAMERAS:
        raise RequestError("scenes.view", given=view)
    check(out, path=path, seconds=seconds)
    scene = Scene() if kept is None else _kept(kept)
    said = {
        "layers": None if layers is None else tuple(x.strip() for x in layers.split(",")),
        "bounds": bounds,
        "camera": view,
        "run": run,
        "field": field,
        "time_s": time,
        "scheme": scheme,
        "size": None if size is None else sizes(size),
        "underground": underground or None,
    }
    asked: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    if view is not None:
        asked["eye"] = None
    scene = replace(scene, **asked)
    result = None if scene.run is None else open_run(twin, scene.run)
    laid = scene.scheme if scene.scheme is not None or result is None else result.scheme
    scene = replace(scene, scheme=laid)
    shown: Any = open_twin(twin) if laid is None else open_scheme(twin, laid)
    with _show.progress() as job:
        report = write(scene, shown, result, path=out, way=path, seconds=seconds, job=job)
    return answer(shown, asdict(report))


def _kept(path: Path) -> Scene:
    from scenes.scene import scene_from_json

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError("scenes.no_scene", given=f"{path}: {error}") from error
    return scene_from_json(text)


def paper_map(
    twin: Annotated[Path, typer.Argument(help=T("cli.option.twin"))],
    out: Annotated[Path, typer.Option("-o", "--out", help=T("scenes.option.map"))],
    scale: Annotated[float | None, typer.Option("--scale", help=T("scenes.option.scale"))] = None,
    paper: Annotated[str, typer.Option("--paper", help=T("scenes.option.paper"))] = "A4",
    portrait: Annotated[bool, typer.Option("--portrait", help=T("scenes.option.portrait"))] = False,
    by: Annotated[str | None, typer.Option("--by", help=T("scenes.option.by"))] = None,
    layers: Annotated[str | None, typer.Option("--layers", help=T("scenes.option.layers"))] = None,
    run: Annotated[str | None, typer.Option("--run", help=T("scenes.option.run"))] = None,
    field: Annotated[str | None, typer.Option("--field", help=T("scenes.option.field"))] = None,
    time: Annotated[float | None, typer.Option("--time", help=T("scenes.option.time"))] = None,
    scheme: Annotated[str | None, typer.Option("--scheme", help=T("cli.option.scheme"))] = None,
    bounds: Annotated[
        tuple[float, float, float, float] | None,
        typer.Option("--bounds", help=T("cli.query.bounds")),
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help=T("scenes.option.title"))] = None,
    source: Annotated[str | None, typer.Option("--source", help=T("scenes.option.source"))] = None,
    underground: Annotated[
        bool, typer.Option("--underground", help=T("scenes.option.underground"))
    ] = False,
) -> dict[str, Any]:
    """Draw a map on paper at true scale."""
    from cim.store import open_run, open_scheme, open_twin
    from scenes.paper import Sheet, write_map

    if not out.parent.is_dir():
        raise RequestError("export.no_folder", given=out.parent)
    result = None if run is None else open_run(twin, run)
    laid = scheme if scheme is not None or result is None else result.scheme
    shown: Any = open_twin(twin) if laid is None else open_scheme(twin, laid)
    sheet = Sheet(
        paper=paper,
        portrait=portrait,
        scale=scale,
        bounds=bounds,
        layers=None if layers is None else tuple(x.strip() for x in layers.split(",")),
        by=by,
        field=field,
        time_s=time,
        title=title,
        source=source,
        underground=underground,
    )
    with _show.progress() as job:
        report = write_map(sheet, shown, result, path=out, job=job)
    return answer(shown, asdict(report))
