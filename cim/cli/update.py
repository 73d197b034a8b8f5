"""cim update: newer files become a changeset of an existing twin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cim import messages
from cim.cli import _show
from cim.cli._app import answer
from cim.cli._keep import point
from cim.jobs import cpu_clock

if TYPE_CHECKING:
    from cim.model.twin import Twin
    from cim.store import StoredTwin

__all__ = ["verb"]

T = messages.text


def verb(
    twin: Annotated[Path, typer.Argument(help=T("cli.option.twin"))],
    files: Annotated[list[Path], typer.Argument(help=T("cli.build.files"))],
    crs: Annotated[str | None, typer.Option(help=T("cli.build.crs"))] = None,
    height_datum: Annotated[
        str | None, typer.Option("--height-datum", help=T("cli.build.height_datum"))
    ] = None,
    kind: Annotated[str | None, typer.Option(help=T("cli.build.kind"))] = None,
    at: Annotated[str | None, typer.Option(help=T("cli.build.at"))] = None,
    why: Annotated[str, typer.Option(help=T("cli.option.why"))] = "",
    strict: Annotated[bool, typer.Option("--strict", help=T("cli.build.strict"))] = False,
    accept_rejects: Annotated[
        bool, typer.Option("--accept-rejects", help=T("cli.build.accept_rejects"))
    ] = False,
) -> dict[str, Any]:
    """Bring newer files in."""
    from cim.model.layers import Standing
    from cim.sources import Parts, build_twin, district_from_files, laid_onto, read_district
    from cim.store import open_twin, update

    with cpu_clock() as cpu_s, _show.progress() as job:
        stored = open_twin(twin)
        files = [f / "district.toml" if (f / "district.toml").is_file() else f for f in files]
        if files[0].suffix == ".toml":
            district = read_district(files[0])
        else:
            district = district_from_files(
                files, crs=crs, height_datum=height_datum, kind=kind, at=point(at)
            )
        parts = Parts(twin.with_name(twin.name + ".update.work"))
        built = build_twin(
            district,
            frame=stored.frame,
            near=Standing([n for n in ("road", "building") if n in stored.layers()], stored.table),
            strict=strict,
            accept_rejects=accept_rejects,
            parts=parts,
            job=job,
        )
        said = _of_sources(stored, built.twin)
        fresh = laid_onto(built.twin, stored, report=built.report)
        changeset = update(twin, fresh, why=why or ", ".join(f.name for f in files))
        parts.end()
        total = built.report.total
        return answer(
            open_twin(twin),
            {
                "changeset": changeset.id,
                "added": changeset.added,
                "changed": changeset.changed,
                "removed": changeset.removed,
                "read": total.read,
                "kept": total.kept,
                "repaired": total.repaired,
                "rejected": total.rejected,
                "resumed": {"files": parts.taken, "pieces": parts.pieces, "changed": parts.changed},
                "notes": said,
                "entries": [entry.record() for entry in built.report.entries],
                "cpu_s": round(cpu_s(), 3),
            },
        )


def _of_sources(stored: StoredTwin, fresh: Twin) -> list[str]:
    """Return what a reader must know of sources that have nothing in these layers yet.

    Their objects stand beside the others, or take over those with the same ids.
    """
    known, found = stored.layers(), []
    for layer, table in fresh.tables.items():
        before = stored.sources(layer) if layer in known else set()
        of = table.texts("source")
        for source in dict.fromkeys(of):
            if not before or source in before:
                continue
            ids = {i for i, one in zip(table.ids, of, strict=True) if one == source}
            old = stored.table(layer)
            whose = zip(old.ids, old.texts("source"), strict=True)
            taken = [one for i, one in whose if i in ids]
            if taken:
                theirs = ", ".join(dict.fromkeys(taken))
                values = {"source": source, "count": len(taken), "before": theirs}
                found.append(T("cli.update.took_over", values))
            else:
                found.append(T("cli.update.new_source", {"source": source}))
    return list(dict.fromkeys(found))
