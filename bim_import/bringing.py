"""IFC files into a twin that stands: placed, built, and brought in as one changeset."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bim_import.by_footprint import fit_footprint
from bim_import.placement import from_points
from bim_import.reader import local_footprint
from cim.errors import RequestError, SourceError
from cim.jobs import Job

__all__ = ["import_ifc", "read_points"]

At = tuple[float, float, float, float]
_BESIDE = ("road", "building", "water")


def import_ifc(
    twin: Path,
    files: Sequence[Path],
    *,
    at: At | None = None,
    points: Path | None = None,
    by_footprint: bool = False,
    height_datum: str | None = None,
    why: str = "",
    job: Job,
) -> dict[str, Any]:
    """Bring IFC files into a twin.

    Parameters
    ----------
    twin, files
        The twin; the files.
    at
        East, north, height of the model's zero in the twin's frame, and its turn in
        degrees counter-clockwise.
    points
        Table of points known in both systems, see `read_points`.
    by_footprint
        Find the building whose footprint is like the model's.
    height_datum
        What the file's own heights are measured from, where it does not say.
    why
        For the history.
    job
        Progress and cancel.

    Returns
    -------
    ``changeset``, ``added``, ``changed``, ``removed``; ``replaced``: the buildings of the
    city whose detailed form a model became; ``disagreement``: how far they differ.

    Raises
    ------
    RequestError
        More than one way to place the model.
    SourceError, FrameError
        See `reader.read`, `fit_footprint`, `from_points`.
    """
    from cim.sources import build_twin, district_from_files
    from cim.store import open_twin, update

    if sum(x is not None and x is not False for x in (at, points, by_footprint)) > 1:
        raise RequestError("bim.one_way", given="--at, --points, --by-footprint")
    stored = open_twin(twin)
    near = {n: stored.table(n) for n in stored.layers() if n.split("/")[0] in _BESIDE}
    district = district_from_files(files, height_datum=height_datum)
    specs = []
    for spec in district.layers:
        place = at if points is None else read_points(points)
        if by_footprint:
            outline, floor_m = local_footprint(spec, job=job)
            place = fit_footprint(outline, floor_m, near, name=spec.file.name).at
        options = dict(spec.options) if place is None else {**spec.options, "at": list(place)}
        specs.append(replace(spec, options=options))
    built = build_twin(
        replace(district, layers=tuple(specs)), frame=stored.frame, near=near,
        accept_rejects=True, job=job,
    )  # fmt: skip
    changeset = update(twin, built.twin, why=why or ", ".join(f.name for f in files))
    joined = [e for e in built.report.entries if e.reason == "bim.joined"]
    total = built.report.total
    return {
        "changeset": changeset.id, "added": changeset.added, "changed": changeset.changed,
        "removed": changeset.removed,
        "replaced": [e.values["id"] for e in joined],
        "disagreement": [dict(e.values) for e in joined],
        "read": total.read, "kept": total.kept, "repaired": total.repaired,
        "rejected": total.rejected, "entries": [e.record() for e in built.report.entries],
    }  # fmt: skip


def read_points(path: Path) -> At:
    """Return the place of a model's zero from a CSV table of points known in both systems.

    Columns ``x, y, z`` (model metres) and ``east, north, height``; two rows or more.

    Raises
    ------
    SourceError
        Unreadable, a column that is missing, a value that is no number.
    FrameError
        See `placement.from_points`.
    """
    names = ("x", "y", "z", "east", "north", "height")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [[float(row[name]) for name in names] for row in csv.DictReader(file)]
        table = np.array(rows, dtype=np.float64).reshape(-1, 6)
    except (OSError, KeyError, TypeError, ValueError) as error:
        values = {"reason": f"{type(error).__name__} {error}"}
        raise SourceError("bim.points", given=path.name, values=values) from error
    if not np.isfinite(table).all() or len(table) < 2:
        raise SourceError("bim.points", given=path.name, values={"reason": f"{len(table)} rows"})
    east, north, height, turn = from_points(
        [tuple(r) for r in table[:, :3].tolist()], [tuple(r) for r in table[:, 3:].tolist()]
    )
    return east, north, height, turn
