"""From the rows of a vector file to the features of one layer, every object accounted for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.crs import Frame, transform, transform_heights
from cim.errors import CimError, FrameError
from cim.jobs import Job
from cim.model.ids import geometry_marks, marked_ids, own_ids, record_texts
from cim.model.kinds import COMMON, Kind, kind
from cim.model.table import FeatureTable, missing
from cim.sources.attributes import attributes
from cim.sources.feeding import ID_NAMES, SETTINGS
from cim.sources.numeric import Attributes
from cim.sources.place import named
from cim.sources.probe import Probe
from cim.sources.report import Report
from cim.sources.seen import Seen, content_keys
from cim.sources.shapes import Checked, check_in_frame
from cim.sources.spec import source_key
from cim.sources.survey import Piece
from cim.sources.values import to_text

__all__ = ["ABSOLUTE", "Read", "read_piece", "told_as_one"]

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

_AT_ONCE = 20_000  # objects between two looks at a cancel: a quarter of a second
_TAIL = "source.lines_split"  # a note with counts, one of a file


@dataclass
class Read:
    """What one piece of a file gave.

    Attributes
    ----------
    table
        Its features in the twin's frame.
    report
        The account of its rows; with what is said of the file as a whole.
    ids, contents
        What was kept, to know a duplicate when it comes again; see `Seen`.
    """

    table: FeatureTable
    report: Report
    ids: list[str]
    contents: NDArray[np.uint64]


def read_piece(
    probe: Probe, piece: Piece, start: int, *, frame: Frame, seen: Seen, job: Job
) -> Read:
    """Return the features of one piece of a file in the twin's frame.

    Parameters
    ----------
    probe
        The file and its place.
    piece
        Gives its rows.
    start
        How many rows come before.
    frame
        The twin's frame.
    seen
        What was kept before, of this file too; what is kept of this piece comes to it.
    job
        Progress and cancel; a piece counts as 1.

    Raises
    ------
    SourceError
        A mapped column is missing or cannot be meant.
    UnitError
        An unknown or impossible unit.
    FrameError
        Absolute heights without a datum, or positions that have no place in the frame.
    """
    assert probe.survey is not None
    rows, checked = piece()
    checked = checked.copy()
    spec, whole, report = probe.spec, probe.survey.whole, Report()
    what, file, own = kind(str(spec.kind)), spec.file.name, probe.survey.whole.own
    if own is not None and spec.id_field is None:
        report.note("source.id_taken", file=file, layer=probe.layer, values={"column": own})
    try:
        found = attributes(rows, spec, what, whole=whole, report=report, layer=probe.layer)
    except CimError as error:
        raise error if file in str(error.values) else named(error, file) from error
    raw = checked.shapes.copy()
    _into_frame(checked, probe, frame, job)
    check_in_frame(checked)
    for row, fault in found.rejected.items():
        checked.rejected.setdefault(row, fault)
        checked.good[row] = False
    names = _names(rows.columns[own].values if own else None, len(raw))
    ids, contents = _identify(probe, what, raw, found, names if own else None, checked, seen, job)
    _heights(found, checked, probe, frame)
    _account(probe, report, checked, found, names, start)
    table = _table(probe, what, checked, found, ids, names if own else None, report)
    return Read(table, report, ids[checked.good].tolist(), contents)


def told_as_one(probe: Probe, parts: Sequence[Report]) -> Report:
    """Return the account of a file from those of its pieces, as if it were one."""
    assert probe.survey is not None
    out, file = Report(), probe.spec.file.name
    heads = [e for e in parts[0].entries if e.action == "note" and e.reason != _TAIL]
    out.entries += heads
    for action in ("rejected", "repaired"):
        out.entries += [e for part in parts for e in part.entries if e.action == action]
    for key, says in probe.survey.notes.items():
        out.note(key, file=file, layer=probe.layer, values=says)
    if probe.survey.dropped:
        says = {"columns": ", ".join(probe.survey.dropped)}
        out.note("source.columns_dropped", file=file, layer=probe.layer, values=says)
    split = [e.values for part in parts for e in part.entries if e.reason == _TAIL]
    if split:
        says = {name: sum(one[name] for one in split) for name in ("count", "parts")}
        out.note(_TAIL, file=file, layer=probe.layer, values=says)
    for part in parts:
        out.merge(Report(counts=part.counts))
    return out


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
            job.step(0.5 * start / len(at), 1, what="source.reading")
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
) -> tuple[NDArray[Any], NDArray[np.uint64]]:
    """Return an id for every row kept, from its own id, else from what it is; and their contents.

    What has the same id, or the same geometry and attributes, as one before is rejected.
    Contents are taken as they stand in the file, so the frame does not matter; degrees
    count as 1e5 per degree, which makes a centimetre of them.
    """
    assert probe.place is not None
    scale = 1e5 if probe.place.geographic else 1.0
    ids = np.full(len(raw), None, dtype=object)
    good = np.flatnonzero(checked.good)
    kept = [np.empty(0, dtype=np.uint64)]
    for start in range(0, len(good), _AT_ONCE):
        job.step(0.5 + 0.5 * start / len(good), 1, what="source.reading")
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
        contents = content_keys(marks, texts)
        _reject_duplicates(checked, at, contents, ids, what.name, seen)
        kept.append(contents[checked.good[at]])
    return ids, np.concatenate(kept)


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
    contents: NDArray[np.uint64],
    ids: NDArray[Any],
    kind_name: str,
    seen: Seen,
) -> None:
    """Reject what has the same id, or the same geometry and attributes, as one before."""
    names: list[str] = ids[at].tolist()
    known = seen.known(kind_name, names)
    originals = seen.originals(kind_name, contents)
    here: dict[str, None] = {}
    said: dict[int, str] = {}
    for n, (name, content) in enumerate(zip(names, contents.tolist(), strict=True)):
        original = name if known[n] or name in here else originals[n] or said.get(content)
        if original is not None:
            checked.rejected[int(at[n])] = ("source.object.duplicate", {"original": original})
            checked.good[at[n]] = False
            continue
        here[name] = None
        said[content] = name
    good = checked.good[at]
    seen.add(kind_name, ids[at[good]].tolist(), contents[good])


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
    probe: Probe,
    report: Report,
    checked: Checked,
    found: Attributes,
    names: list[str | None],
    start: int,
) -> None:
    """Count and list every object."""
    file, layer = probe.spec.file.name, probe.layer
    count = report.layer(layer)
    for row in sorted(checked.rejected):
        key, values = checked.rejected[row]
        object_ = names[row] or str(start + row + 1)
        report.reject(key, file=file, layer=layer, object=object_, values=values)
    repaired = sorted({*checked.repaired, *found.repaired} - set(checked.rejected))
    for row in repaired:
        for fault in (checked.repaired.get(row), found.repaired.get(row)):
            if fault is not None:
                report.repair(
                    fault[0],
                    file=file,
                    layer=layer,
                    object=names[row] or str(start + row + 1),
                    values=fault[1],
                )
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
    settings: Mapping[str, NDArray[Any]] = {
        "source": np.full(n, spec.source_key, dtype=object),
        "source_id": missing(n, "text") if names is None else np.array(names, dtype=object)[at],
        "illustrative": np.full(n, spec.illustrative, dtype=object),
    }
    fields = {f.name: f for f in found.fields}
    for common in COMMON:
        if common.name in settings and common.name not in columns:
            columns[common.name] = settings[common.name]
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
    report.note(_TAIL, file=file, layer=table.layer, values=says)
    return FeatureTable(table.layer, ids, parts, whole.columns, table.fields)
