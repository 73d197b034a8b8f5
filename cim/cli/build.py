"""cim build: files or a district.toml become a twin."""

from __future__ import annotations

from dataclasses import replace as replaced
from pathlib import Path
from typing import Annotated, Any

import typer

from cim import messages
from cim.cli import _show
from cim.cli._app import answer
from cim.cli._keep import keep, point
from cim.errors import RequestError
from cim.jobs import cpu_clock

__all__ = ["verb"]


def verb(
    files: Annotated[list[Path], typer.Argument(help=messages.text("cli.build.files"))],
    out: Annotated[Path, typer.Option("-o", "--out", help=messages.text("cli.build.out"))],
    crs: Annotated[str | None, typer.Option(help=messages.text("cli.build.crs"))] = None,
    height_datum: Annotated[
        str | None, typer.Option("--height-datum", help=messages.text("cli.build.height_datum"))
    ] = None,
    kind: Annotated[str | None, typer.Option(help=messages.text("cli.build.kind"))] = None,
    at: Annotated[str | None, typer.Option(help=messages.text("cli.build.at"))] = None,
    frame: Annotated[str | None, typer.Option(help=messages.text("cli.build.frame"))] = None,
    frame_height: Annotated[
        str | None, typer.Option("--frame-height", help=messages.text("cli.build.frame_height"))
    ] = None,
    zone: Annotated[str | None, typer.Option(help=messages.text("cli.build.zone"))] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help=messages.text("cli.build.strict"))
    ] = False,
    accept_rejects: Annotated[
        bool, typer.Option("--accept-rejects", help=messages.text("cli.build.accept_rejects"))
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help=messages.text("cli.build.replace"))
    ] = False,
) -> dict[str, Any]:
    """Build a twin."""
    from cim.sources import Parts, build_twin, district_from_files, read_district
    from cim.sources.district import is_zone
    from cim.store import begun_rows, check_target

    with cpu_clock() as cpu_s, _show.progress() as job:
        check_target(out, replace=replace)
        files = [f / "district.toml" if (f / "district.toml").is_file() else f for f in files]
        tomls = [f for f in files if f.suffix == ".toml"]
        if tomls and (len(files) > 1 or crs or height_datum or kind or at):
            raise RequestError("cli.build.toml_alone", given=tomls[0])
        if tomls:
            district = read_district(tomls[0])
        else:
            district = district_from_files(
                files, crs=crs, height_datum=height_datum, kind=kind, at=point(at)
            )
        if zone is not None:
            if not is_zone(zone):
                raise RequestError("source.zone", given=zone)
            district = replaced(district, zone=zone)
        parts = Parts(out.with_name(out.name + ".work"))
        built = build_twin(
            district,
            frame=frame,
            frame_height=frame_height,
            strict=strict,
            accept_rejects=accept_rejects,
            parts=parts,
            job=job,
        )
        begun = begun_rows(out, built.name)
        stored = keep(built, out, replace=replace, job=job, resumable=True)
        parts.end()
        total = built.report.total
        return answer(
            stored,
            {
                "twin": str(stored.path),
                "read": total.read,
                "kept": total.kept,
                "repaired": total.repaired,
                "rejected": total.rejected,
                "report": str(stored.report_path),
                "layers": {**stored.layers(), **dict.fromkeys(stored.grids(), 1)},
                "crs": stored.frame.crs,
                "height_datum": stored.frame.height_datum,
                "resumed": {
                    "files": parts.taken,
                    "pieces": parts.pieces,
                    "changed": parts.changed,
                    "rows": begun,
                },
                "notes": _said(parts.taken, parts.changed, begun),
                "cpu_s": round(cpu_s(), 3),
            },
        )


def _said(taken: list[str], changed: list[str], rows: int) -> list[str]:
    """Return what a reader must know of a build that a stopped one came before."""
    said = []
    if taken or rows:
        values = {"files": ", ".join(taken) or "-", "rows": rows}
        said.append(messages.text("cli.build.resumed", values))
    if changed:
        said.append(messages.text("cli.build.changed", {"files": ", ".join(changed)}))
    return said
