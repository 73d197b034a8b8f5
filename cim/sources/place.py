"""Where the coordinates of a file lie: its own word, the user's, and what the numbers say.

A file's own word counts; the user's counts where the file says nothing, where its word
contradicts its numbers, and for GCJ-02 and BD-09, which no file ever declares. Neither is
believed against the numbers. Metres from a point of the file's own need that point: the
option ``at``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.crs import (
    PSEUDO_CRS,
    Box,
    check_area_of_use,
    crs_title,
    datum_note,
    is_geographic,
    is_projected,
    looks_like_lonlat,
    looks_like_millimetres,
    looks_like_swapped_axes,
    parse_crs,
    split_crs,
)
from cim.errors import CimError, FrameError, SourceError
from cim.sources.opening import format_of
from cim.sources.report import Report
from cim.sources.spec import LayerSpec

__all__ = ["Place", "check_numbers", "middle_box", "named", "place_of", "settled_place"]

_LONLAT = "EPSG:4326"


@dataclass(frozen=True)
class Place:
    """The coordinate system and height datum of one file."""

    crs: str
    height_datum: str | None = None
    anchor: tuple[float, float, float, float] | None = None
    """East, north, height of the file's zero in `crs` and the turn of its axes, degrees
    counter-clockwise; None where its coordinates are those of `crs`."""

    @property
    def geographic(self) -> bool:
        """Tell whether coordinates are degrees."""
        return self.crs in PSEUDO_CRS or is_geographic(self.crs)

    @property
    def lift_m(self) -> float:
        """Height of the file's zero, metres."""
        return 0.0 if self.anchor is None else self.anchor[2]

    def on_map(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the file's (n, 2) coordinates as coordinates of `crs`."""
        if self.anchor is None:
            return xy
        east, north, _, turn = self.anchor
        cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        return np.asarray(xy @ np.array([[cos, sin], [-sin, cos]]) + (east, north))

    def box(self, box: Box) -> Box:
        """Return the box in `crs` of a box in the file's coordinates."""
        if self.anchor is None:
            return box
        xmin, ymin, xmax, ymax = box
        four = np.array([[xmin, ymin], [xmax, ymin], [xmax, ymax], [xmin, ymax]])
        moved = self.on_map(four)
        (low_x, low_y), (high_x, high_y) = moved.min(axis=0), moved.max(axis=0)
        return (float(low_x), float(low_y), float(high_x), float(high_y))


def named(error: CimError, file: str) -> CimError:
    """Return `error` as one that names the file it is about."""
    values = {name: value for name, value in error.values.items() if name != "given"}
    given = f"{error.given} ({file})" if file not in error.given else error.given
    return type(error)(error.key, given=given, values=values)


def place_of(
    spec: LayerSpec, own: str | None, stated: bool, *, report: Report, layer: str
) -> Place:
    """Return what a file is in.

    Parameters
    ----------
    spec
        What the user says.
    own
        What the file, or the definition of its format, says; None for nothing.
    stated
        Whether the file itself says it.
    report, layer
        Where choices are said aloud.

    Raises
    ------
    FrameError
        Nobody says it, it is unknown, or GCJ-02 is claimed of projected metres.
    """
    file = spec.file.name
    if "at" in spec.options and not _is_mesh(spec):
        return _anchored(spec, own if stated else None, report, layer)
    said: tuple[str, str | None] | None = None
    if own is not None:
        try:
            said = split_crs(own)
        except FrameError as error:
            if spec.crs is None:
                raise named(error, file) from error
            values = {"own": error.given or own[:60], "given": spec.crs}
            report.note("source.crs_not_known", file=file, layer=layer, values=values)
    wanted = split_crs(spec.crs) if spec.crs is not None else None
    if wanted is not None and wanted[0] in PSEUDO_CRS:
        if said is not None and is_projected(said[0]):
            values = {"own": crs_title(said[0]), "file": file}
            raise FrameError("source.pseudo_of_metres", given=wanted[0], values=values)
        chosen = wanted
    elif said is not None and (stated or wanted is None):
        chosen = said
        if wanted is not None and wanted[0] != said[0]:
            values = {"own": crs_title(said[0]), "given": crs_title(wanted[0])}
            report.note("source.crs_not_used", file=file, layer=layer, values=values)
    elif wanted is not None:
        chosen = wanted
    else:
        raise FrameError("source.no_crs", given=file)
    note = datum_note(chosen[0])
    if note is not None:
        report.note(note, file=file, layer=layer, values={"given": crs_title(chosen[0])})
    return Place(chosen[0], spec.height_datum or chosen[1])


def _is_mesh(spec: LayerSpec) -> bool:
    found = format_of(spec.file)  # meshes turn and place their axes themselves
    return found is not None and found.reader == "mesh_files"


def _anchored(spec: LayerSpec, own: str | None, report: Report, layer: str) -> Place:
    """Return the place of a file whose coordinates are metres from a point of its own."""
    file, given = spec.file.name, spec.options["at"]
    numbers = list(given) if isinstance(given, (list, tuple)) else []
    good = len(numbers) in (2, 3, 4) and all(type(v) in (int, float) for v in numbers)
    if not good or not np.isfinite(np.array(numbers, dtype=float)).all():
        raise SourceError("source.at", given=f"at = {given!r}", values={"file": file})
    if spec.crs is None or not is_projected(split_crs(spec.crs)[0]):
        raise FrameError("source.at_crs", given=spec.crs or "-", values={"file": file})
    crs, datum = split_crs(spec.crs)
    east, north, height, turn = [float(v) for v in [*numbers, 0.0, 0.0][:4]]
    values = {"at": ", ".join(f"{v:g}" if abs(v) < 1e5 else f"{v:.2f}" for v in numbers),
              "crs": crs_title(crs), "own": own[:60] if own else "-"}  # fmt: skip
    report.note("source.placed_at", file=file, layer=layer, values=values)
    return Place(crs, spec.height_datum or datum, (east, north, height, turn))


def settled_place(box: Box, place: Place, spec: LayerSpec, *, report: Report, layer: str) -> Place:
    """Return the place that the numbers agree with: the file's, else the one passed.

    Parameters
    ----------
    box
        The middle of the data, in the file's coordinates.
    place
        What the file, or else the user, says.

    Raises
    ------
    FrameError
        As `check_numbers`.
    """
    file = spec.file.name
    try:
        check_numbers(place.box(box), place, file)
    except FrameError as error:
        passed = split_crs(spec.crs) if spec.crs is not None else (place.crs, None)
        if error.key != "source.degrees_as_metres" or not is_geographic(passed[0]):
            raise
        other = Place(passed[0], spec.height_datum or passed[1] or place.height_datum)
        check_numbers(box, other, file)
        values = {"own": crs_title(place.crs), "given": crs_title(other.crs)}
        report.note("source.crs_overruled", file=file, layer=layer, values=values)
        return other
    return place


def middle_box(boxes: NDArray[np.float64]) -> Box:
    """Return the box that holds the middle of nearly all objects: the 2nd to 98th percentile.

    Parameters
    ----------
    boxes
        (n, 4) xmin, ymin, xmax, ymax of the objects, n ≥ 1, none NaN.
    """
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2.0
    low, high = np.percentile(centres, 2, axis=0), np.percentile(centres, 98, axis=0)
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def check_numbers(box: Box, place: Place, file: str) -> None:
    """Refuse coordinates that contradict the system they are said to be in.

    Raises
    ------
    FrameError
        Degrees declared as metres or the reverse, axes exchanged, millimetres, or
        outside the area of use; the message says which.
    """
    values: dict[str, Any] = {
        "file": file,
        "crs": crs_title(place.crs),
        "x": f"{box[0]:.8g}",
        "y": f"{box[1]:.8g}",
    }
    base = _LONLAT if place.crs in PSEUDO_CRS else place.crs
    if place.geographic:
        if not looks_like_lonlat(box):
            swapped = (
                abs(box[1]) <= 180 and abs(box[3]) <= 180 and max(abs(box[0]), abs(box[2])) <= 90
            )
            key = "source.swapped_axes" if swapped else "source.metres_as_degrees"
            raise FrameError(key, given=file, values=values)
    elif looks_like_lonlat(box):
        raise FrameError("source.degrees_as_metres", given=file, values=values)
    if looks_like_swapped_axes(box, base):
        raise FrameError("source.swapped_axes", given=file, values=values)
    if not place.geographic and looks_like_millimetres(box, base):
        raise FrameError("source.millimetres", given=file, values=values)
    try:
        check_area_of_use(parse_crs(base), box)
    except FrameError as error:
        raise named(error, file) from error
