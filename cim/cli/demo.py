"""cim demo: the sketch of Wudadao from files to pictures, in one go."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from cim import messages
from cim.cli import _show
from cim.cli._app import answer
from cim.cli._keep import keep
from cim.errors import MissingError
from cim.jobs import Job, cpu_clock
from cim.model.twin import Bounds, TwinView, WindowView

__all__ = ["verb"]

DISTRICT = Path(__file__).resolve().parents[2] / "data" / "wudadao" / "district.toml"

CORE_M = (840.0, 600.0)  # the part that is flooded: small enough for a first look


def verb(
    out: Annotated[Path, typer.Option("-o", "--out", help=messages.text("cli.demo.out"))] = Path(
        "out/demo"
    ),
    district: Annotated[
        Path, typer.Option("--district", help=messages.text("cli.demo.district"))
    ] = DISTRICT,
    size: str = "1280x720",
) -> dict[str, Any]:
    """Make the demo."""
    if not district.exists():
        raise MissingError("cli.demo.no_district", given=district)
    twin = out / "wudadao.cim"
    with cpu_clock() as cpu_s, _show.progress() as job:
        stored, report = _build(district, twin, job)
        runs = _ask(twin, stored, job)
        kept = district.parent / "scenes"
        pictures, missing = _draw(twin, out, _pictures(stored, runs, kept), size, job)
        record = {
            "twin": str(twin),
            "layers": stored.layers(),
            "report": str(stored.report_path),
            "read": report.total.read,
            "kept": report.total.kept,
            "rejected": report.total.rejected,
            "runs": {name: run for name, (run, _) in runs.items()},
            "summary": {name: dict(summary) for name, (_, summary) in runs.items()},
            "pictures": pictures,
            "cpu_s": round(cpu_s(), 3),
        }
    if missing is not None:
        _show.error(MissingError("cli.demo.no_pictures", values={"why": missing.message()}))
        record["exit_code"] = missing.exit_code
        record["missing"] = missing.remedy()
    return answer(stored, record)


def _build(district: Path, twin: Path, job: Job) -> tuple[Any, Any]:
    from cim.sources import build_twin, read_district

    twin.parent.mkdir(parents=True, exist_ok=True)
    built = build_twin(read_district(district), job=job)
    return keep(built, twin, replace=twin.exists(), job=job), built.report


def _core(view: TwinView) -> Bounds:
    """Return a box around the middle of the buildings."""
    import shapely

    box = shapely.bounds(view.table("building").geometry)
    x, y = np.nanmedian((box[:, :2] + box[:, 2:]) / 2, axis=0)
    wide, deep = CORE_M[0] / 2, CORE_M[1] / 2
    return (float(x - wide), float(y - deep), float(x + wide), float(y + deep))


def _ask(twin: Path, view: TwinView, job: Job) -> dict[str, tuple[str, Any]]:
    from cim.flood import design_storm, flood
    from cim.planning import sun
    from cim.store import save_run
    from cim.traffic import traffic

    storm = design_storm(return_period_a=50.0, duration_min=60.0)
    core = WindowView(view, _core(view))
    results = {
        "flood": flood(core, storm=storm, duration_s=5400.0, job=job),
        "traffic": traffic(view, job=job),
        "sun": sun(view, date="2026-12-22", job=job),
    }
    return {name: (save_run(twin, result), result.summary) for name, result in results.items()}


def _pictures(
    view: TwinView, runs: dict[str, tuple[str, Any]], kept: Path
) -> dict[str, dict[str, Any]]:
    """Return what each picture shows, as options of cim render.

    Where `kept`, the folder beside the district's file, has a scene of a picture's name, it
    says from where one looks.
    """
    core = _core(view)
    pictures: dict[str, dict[str, Any]] = {
        "district": {"bounds": core},
        "flood": {"bounds": core, "run": runs["flood"][0], "field": "depth_max_m"},
        "traffic": {"run": runs["traffic"][0], "view": "top"},
        "sun": {"bounds": core, "run": runs["sun"][0], "view": "top"},
    }
    detailed = [i.object_id for i in view.meshes().instances if i.lod == "3"]
    if detailed:
        table = view.table("building")
        x0, y0, x1, y1 = table.geometry[table.position()[detailed[0]]].bounds
        near = 28.0  # metres around it: its garden and the houses next to it
        pictures["villa"] = {"bounds": (x0 - near, y0 - near, x1 + near, y1 + near)}
    if "pipe" in view.layers():
        pictures["underground"] = {"bounds": core, "underground": True}
    for name, options in pictures.items():
        scene = kept / f"{name}.json"
        if scene.is_file():
            options["kept"] = scene
            for said in ("bounds", "view"):
                options.pop(said, None)
    return pictures


def _draw(
    twin: Path,
    out: Path,
    pictures: dict[str, dict[str, Any]],
    size: str,
    job: Job,
) -> tuple[list[str], MissingError | None]:
    points = [p for p in entry_points(group="cim.verbs") if p.name == "render"]
    made: list[str] = []
    try:
        if not points:
            raise MissingError("cli.demo.no_drawer")
        render = points[0].load()
        for done, (name, options) in enumerate(pictures.items()):
            job.step(done, len(pictures), what="cli.demo.drawing")
            png = out / f"{name}.png"
            render(twin=twin, out=png, size=size, **options)
            made.append(str(png))
    except MissingError as missing:
        return made, missing
    except ImportError as error:
        return made, MissingError("cli.demo.no_drawer", given=error)
    job.step(len(pictures), len(pictures), what="cli.demo.drawing")
    return made, None
