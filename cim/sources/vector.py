"""From the rows of a vector file to the features of one layer, every object accounted for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.crs import Frame, transform, transform_heights
from cim.errors import CimError, FrameError
from cim.jobs import Job
from cim.model.ids import geometry_marks, marked_ids, own_ids, record_texts
from cim.model.kinds import COMMON, Kind, kind
from cim.model.table import FeatureTable, as_column
from cim.sources.attributes import ID_NAMES, SETTINGS, Attributes, attributes, own_id_column
from cim.sources.place import named
from cim.sources.probe import Probe
from cim.sources.report import Report
from cim.sources.shapes import Checked, check_in_frame
from cim.sources.spec import source_key
from cim.sources.values import to_text

__all__ = ["ABSOLUTE", "Seen", "read_vector"]

ABSOLUTE = frozenset(
    [
        "base_m",
        "floor_level_m",
        "invert_from_m",
        "invert_to_m",
        "invert_m",
        "ground_m",
        "level_m",
        "stage_m",
        "crest_m",
    ]
)
"""Attributes that are heights above a datum, not above ground."""

_NETWORKS = ("road", "pipe")  # kinds whose lines must be single ones

Fault = tuple[str, dict[str, Any]]

_AT_ONCE = 20_000  # objects between two looks at a cancel: a quarter of a second


@dataclass
class Seen:
    """What was kept so far, by kind: to know a duplicate when it comes again."""

    ids: dict[str, dict[str, str]] = field(default_factory=dict)
    contents: dict[str, dict[bytes, str]] = field(default_factory=dict)


def read_vector(
    probe: Probe, *, frame: Frame, report: Report, seen: Seen, job: Job
) -> FeatureTable:
    """Return the features of one file in the twin's frame.

    Parameters
    ----------
    probe
        The file's rows and place; they are let go here.
    frame
        The twin's frame.
    report
        Where objects are counted, and listed when repaired or rejected.
    seen
        What was kept before; duplicates are told by it.
    job
        Progress and cancel.

    Raises
    ------
    SourceError
        A mapped column is missing or cannot be meant.
    UnitError
        An unknown or impossible unit.
    FrameError
        Absolute heights without a datum, or positions that have no place in the frame.
    """
    spec, rows, checked = probe.spec, probe.rows, probe.checked
    assert rows is not None and checked is not None and probe.place is not None
    what, file = kind(str(spec.kind)), spec.file.name
    own = own_id_column(rows, spec)
    if own is not None and spec.id_field is None:
        report.note("source.id_taken", file=file, layer=probe.layer, values={"column": own})
    try:
        found = attributes(rows, spec, what, report=report, layer=probe.layer, own=own)
    except CimError as error:
        raise error if file in str(error.values) else named(error, file) from error
    job.step(1, 4, what="source.reading")
    raw = checked.shapes.copy()
    _into_frame(checked, probe, frame, job)
    check_in_frame(checked)
    for row, fault in found.rejected.items():
        checked.rejected.setdefault(row, fault)
        checked.good[row] = False
    job.step(2, 4, what="source.reading")
    names = _names(rows.columns[own].values if own else None, len(raw))
    ids = _identify(probe, what, raw, found, names if own else None, checked, seen, job)
    _heights(found, checked, probe, frame)
    job.step(3, 4, what="source.reading")
    _account(probe, report, checked, found, names)
    return _table(probe, what, checked, found, ids, names if own else None, report)


def _names(own: NDArray[Any] | None, count: int) -> list[str | None]:
    """Return the objects as their source names them; None where it does not."""
    return to_text(own) if own is not None else [None] * count


def _into_frame(checked: Checked, probe: Probe, frame: Frame, job: Job) -> None:
    assert probe.place is not None
    if probe.place.anchor is not None and checked.good.any():
        import shapely

        some = checked.shapes[checked.good]
        checked.shapes[checked.good] = shapely.transform(some, probe.place.on_map)
    if probe.place.crs == frame.crs or not checked.good.any():
        return
    at = np.flatnonzero(checked.good)
    try:
        for start in range(0, len(at), _AT_ONCE):
            job.step(1 + start / len(at), 4, what="source.reading")
            some = at[start : start + _AT_ONCE]
            checked.shapes[some] = transform(
                checked.shapes[some], source=probe.place.crs, target=frame.crs
            )
    except FrameError as error:
        raise named(error, probe.spec.file.name) from error


def _identify(
    probe: Probe,
    what: Kind,
    raw: NDArray[Any],
    found: Attributes,
    names: list[str | None] | None,
    checked: Checked,
    seen: Seen,
    job: Job,
) -> NDArray[Any]:
    """Return an id for every good row: from its own id, else from what it is.

    What has the same id, or the same geometry and attributes, as one before is rejected.
    Contents are taken as they stand in the file, so the frame does not matter; degrees
    count as 1e5 per degree, which makes a centimetre of them.
    """
    assert probe.place is not None
    scale = 1e5 if probe.place.geographic else 1.0
    ids = np.full(len(raw), None, dtype=object)
    good = np.flatnonzero(checked.good)
    for start in range(0, len(good), _AT_ONCE):
        job.step(2 + start / len(good), 4, what="source.reading")
        at = good[start : start + _AT_ONCE]
        texts = record_texts(_content(found, at), len(at))
        marks = geometry_marks(checked.shapes[at])
        nameless = list(range(len(at)))
        if names is not None:
            nameless = [n for n, i in enumerate(at) if names[i] is None]
            named = [i for i in at.tolist() if names[i] is not None]
            ids[named] = own_ids(what.name, source_key(probe.spec), [names[i] for i in named])
        if nameless:
            there = _marks_there(raw, checked.shapes, at[nameless], scale, marks, nameless)
            ids[at[nameless]] = marked_ids(what.name, there, [texts[n] for n in nameless])
        _reject_duplicates(checked, at, marks, texts, ids, what, seen)
    return ids


def _marks_there(
    raw: NDArray[Any],
    shapes: NDArray[Any],
    rows: NDArray[np.intp],
    scale: float,
    marks: list[bytes],
    which: list[int],
) -> list[bytes]:
    """Return the marks of rows as they stand in their file: often those in the frame."""
    import shapely

    there = [marks[n] for n in which]
    moved = [k for k, row in enumerate(rows) if scale != 1.0 or raw[row] is not shapes[row]]
    if moved:
        own = raw[rows[moved]]
        if scale != 1.0:
            own = shapely.transform(own, lambda xy: xy * scale)
        for k, mark in zip(moved, geometry_marks(own), strict=True):
            there[k] = mark
    return there


def _content(found: Attributes, at: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
    """Return what makes an object what it is: its attributes but numbers given by programs."""
    return {
        name: column[at]
        for name, column in found.columns.items()
        if name not in SETTINGS and name.lower().removesuffix("_own") not in ID_NAMES
    }


def _reject_duplicates(
    checked: Checked,
    at: NDArray[np.intp],
    marks: list[bytes],
    texts: list[str],
    ids: NDArray[Any],
    what: Kind,
    seen: Seen,
) -> None:
    """Reject what has the same id, or the same geometry and attributes, as one before."""
    known = seen.ids.setdefault(what.name, {})
    contents = seen.contents.setdefault(what.name, {})
    for row, mark, text in zip(at.tolist(), marks, texts, strict=True):
        key = hashlib.blake2b(mark + text.encode(), digest_size=12).digest()
        original = ids[row] if ids[row] in known else contents.get(key)
        if original is not None:
            checked.rejected[row] = ("source.object.duplicate", {"original": original})
            checked.good[row] = False
            continue
        known[ids[row]] = ids[row]
        contents[key] = ids[row]


def _heights(found: Attributes, checked: Checked, probe: Probe, frame: Frame) -> None:
    """Bring absolute heights to the twin's datum."""
    given = [
        name
        for name in ABSOLUTE
        if name in found.columns and np.isfinite(found.columns[name][checked.good]).any()
    ]
    if not given:
        return
    assert probe.place is not None
    file, datum = probe.spec.file.name, probe.place.height_datum
    if datum is None:
        raise FrameError(
            "source.no_height_datum", given=file, values={"what": ", ".join(sorted(given))}
        )
    offset = probe.spec.options.get("height_offset_m")
    try:
        for name in given:
            found.columns[name] = transform_heights(
                found.columns[name], source=datum, target=frame.height_datum, offset_m=offset
            )
    except FrameError as error:
        raise named(error, file) from error


def _account(
    probe: Probe, report: Report, checked: Checked, found: Attributes, names: list[str | None]
) -> None:
    """Count and list every object."""
    file, layer = probe.spec.file.name, probe.layer
    count = report.layer(layer)
    for row in sorted(checked.rejected):
        key, values = checked.rejected[row]
        report.reject(key, file=file, layer=layer, object=names[row] or str(row + 1), values=values)
    repaired = sorted({*checked.repaired, *found.repaired} - set(checked.rejected))
    for row in repaired:
        for fault in (checked.repaired.get(row), found.repaired.get(row)):
            if fault is not None:
                report.repair(
                    fault[0],
                    file=file,
                    layer=layer,
                    object=names[row] or str(row + 1),
                    values=fault[1],
                )
    for key, says in checked.notes.items():
        report.note(key, file=file, layer=layer, values=says)
    assert probe.rows is not None
    if probe.rows.dropped:
        says = {"columns": ", ".join(probe.rows.dropped)}
        report.note("source.columns_dropped", file=file, layer=layer, values=says)
    kept = int(checked.good.sum())
    count.read += len(checked.good)
    count.kept += kept
    count.rejected += len(checked.good) - kept
    count.repaired += len(repaired)


def _table(
    probe: Probe,
    what: Kind,
    checked: Checked,
    found: Attributes,
    ids: NDArray[Any],
    names: list[str | None] | None,
    report: Report,
) -> FeatureTable:
    import shapely

    at = np.flatnonzero(checked.good)
    shapes = _single(checked.shapes[at])
    if what.carrier == "polygon":
        shapes = np.asarray(shapely.orient_polygons(shapes))
    spec, n = probe.spec, len(at)
    columns = {name: column[at] for name, column in found.columns.items()}
    settings: Mapping[str, list[Any]] = {
        "source": [spec.source_key] * n,
        "source_id": [names[i] for i in at] if names is not None else [None] * n,
        "illustrative": [spec.illustrative] * n,
    }
    fields = {f.name: f for f in found.fields}
    for common in COMMON:
        if common.name in settings and common.name not in columns:
            columns[common.name] = as_column(settings[common.name], common.type)
            fields[common.name] = common
    order = [f.name for f in (*COMMON, *what.fields)]
    order += [name for name in columns if name not in order]
    table = FeatureTable(
        layer=probe.layer,
        ids=ids[at],
        geometry=shapes,
        columns={name: columns[name] for name in order},
        fields=tuple(fields[name] for name in order),
    )
    return _split(table, spec.file.name, report) if what.name in _NETWORKS else table


def _single(shapes: NDArray[Any]) -> NDArray[Any]:
    """Return collections of one part as that part."""
    import shapely

    one = (shapely.get_type_id(shapes) >= 4) & (shapely.get_num_geometries(shapes) == 1)
    out = shapes.copy()
    out[one] = shapely.get_geometry(shapes[one], 0)
    return out


def _split(table: FeatureTable, file: str, report: Report) -> FeatureTable:
    """Return a network layer with lines of several parts as single lines, said aloud."""
    import shapely

    many = shapely.get_type_id(table.geometry) == 5
    if not many.any():
        return table
    merged = table.geometry.copy()
    merged[many] = shapely.line_merge(merged[many])
    parts, owner = shapely.get_parts(merged, return_index=True)
    whole = table.take(owner)
    ids, turn = whole.ids.copy(), 0
    for i in range(len(owner)):
        turn = turn + 1 if i and owner[i] == owner[i - 1] else 1
        if turn > 1:
            ids[i] = f"{ids[i]}-{turn}"
    says = {"count": int(many.sum()), "parts": int(many[owner].sum())}
    report.note("source.lines_split", file=file, layer=table.layer, values=says)
    return FeatureTable(table.layer, ids, parts, whole.columns, table.fields)
