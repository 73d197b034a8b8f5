"""cim demo: the sketch of Wudadao from files to pictures, in one go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cim import messages
from cim.cli import _show
from cim.cli._app import answer
from cim.cli._keep import keep
from cim.errors import MissingError
from cim.jobs import Job, cpu_clock

__all__ = ["verb"]

DISTRICT = Path(__file__).resolve().parents[2] / "data" / "wudadao" / "district.toml"

# picture, run's question, further options of cim render
PICTURES: tuple[tuple[str, str | None, dict[str, Any]], ...] = (
    ("district", None, {}),
    ("flood", "flood", {}),
    ("traffic", "traffic", {}),
    ("sun", "sun", {}),
)


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
        pictures, missing = _draw(twin, out, runs, size, job)
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


def _ask(twin: Path, view: Any, job: Job) -> dict[str, tuple[str, Any]]:
    from cim.flood import design_storm, flood
    from cim.planning import sun
    from cim.store import save_run
    from cim.traffic import traffic

    storm = design_storm(return_period_a=50.0, duration_min=60.0)
    results = {
        "flood": flood(view, storm=storm, duration_s=7200.0, job=job),
        "traffic": traffic(view, job=job),
        "sun": sun(view, date="2026-12-22", job=job),
    }
    return {name: (save_run(twin, result), result.summary) for name, result in results.items()}


def _draw(
    twin: Path, out: Path, runs: dict[str, tuple[str, Any]], size: str, job: Job
) -> tuple[list[str], MissingError | None]:
    from importlib.metadata import entry_points

    points = [p for p in entry_points(group="cim.verbs") if p.name == "render"]
    pictures: list[str] = []
    try:
        if not points:
            raise MissingError("cli.demo.no_drawer")
        render = points[0].load()
        for done, (name, question, options) in enumerate(PICTURES):
            job.step(done, len(PICTURES), what="cli.demo.drawing")
            png = out / f"{name}.png"
            run = None if question is None else runs[question][0]
            render(twin=twin, out=png, run=run, size=size, **options)
            pictures.append(str(png))
    except MissingError as missing:
        return pictures, missing
    except ImportError as error:
        return pictures, MissingError("cli.demo.no_drawer", given=error)
    job.step(len(PICTURES), len(PICTURES), what="cli.demo.drawing")
    return pictures, None
