"""How the corners of a city model come into the twin's frame, and which files it wears."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.crs import Box, Frame, transform, transform_heights
from cim.errors import FrameError, SourceError
from cim.sources.place import Place, check_numbers, named
from cim.sources.report import Report
from cim.sources.shapes import FARTHEST_DEG, FARTHEST_M
from cim.sources.spec import LayerSpec

__all__ = ["checked_box", "into_frame", "read_images", "turned"]

Floats = NDArray[np.float64]
_IMAGES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".gif", ".webp")
_MOST_BYTES = 64 << 20  # of one image
_MOST_IN_ALL = 2 << 30


def checked_box(points: Floats, place: Place, file: str) -> Box:
    """Return the box of the middle of a model's corners, checked against its system.

    Raises
    ------
    SourceError
        No corner that could be read.
    FrameError
        The numbers contradict the system.
    """
    good = points[np.isfinite(points).all(axis=1)]
    if not len(good):
        raise SourceError("source.model.no_vertex", given=file)
    low, high = np.percentile(good[:, :2], 2, axis=0), np.percentile(good[:, :2], 98, axis=0)
    box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    box = place.box(box)
    check_numbers(box, place, file)
    return box


def into_frame(points: Floats, place: Place, frame: Frame, spec: LayerSpec) -> Floats:
    """Return corners in projected metres and heights above the frame's datum.

    A corner far from all others, whose position is damaged, becomes NaN, as does one that
    was NaN before.

    Parameters
    ----------
    points
        (n, 3) in the file's system: x east or longitude first.
    place, frame
        What the file is in, where it goes.
    spec
        Its option ``height_offset_m`` counts where two datums have no fixed relation.

    Raises
    ------
    FrameError
        Nobody says above which datum the heights are, or there is no way to the frame's.
    """
    out = np.full(points.shape, np.nan)
    good = np.isfinite(points).all(axis=1)
    if not good.any():
        return out
    file = spec.file.name
    if place.height_datum is None:
        raise FrameError("source.no_height_datum", given=file, values={"what": "z"})
    middle = np.median(points[good], axis=0)
    limit = FARTHEST_DEG if place.geographic else FARTHEST_M
    good &= (np.abs(points[:, :2] - middle[:2]) < limit).all(axis=1)
    good &= np.abs(points[:, 2] - middle[2]) < 20_000.0
    try:
        offset = spec.options.get("height_offset_m")
        xy = place.on_map(points[good, :2])
        if place.crs != frame.crs:
            xy = transform(xy, source=place.crs, target=frame.crs)
        out[good, :2] = xy
        out[good, 2] = transform_heights(
            points[good, 2] + place.lift_m,
            source=place.height_datum,
            target=frame.height_datum,
            offset_m=offset,
        )
    except FrameError as error:
        raise error if file in error.given else named(error, file) from error
    return out


def turned(matrix: Floats, at: Floats, place: Place, frame: Frame, spec: LayerSpec) -> Floats:
    """Return a template's matrix in the frame: turned and stretched as the map is there.

    Parameters
    ----------
    matrix
        (4, 4) of the file, its translation relative to `at`.
    at
        (3,) the reference point in the file's system.
    """
    step = 1e-5 if place.geographic else 1.0
    around = at + np.array([[0, 0, 0], [step, 0, 0], [0, step, 0]])
    moved = into_frame(around, place, frame, spec)
    if (place.crs == frame.crs and place.anchor is None) or place.geographic:
        # a template stands in metres along east and north; degrees have no such axes
        plane = np.eye(2)
    else:
        plane = (moved[1:, :2] - moved[0, :2]).T / step
    out = np.eye(4)
    out[:3, :3] = matrix[:3, :3]
    out[:3, 3] = matrix[:3, 3]
    lift = np.eye(4)
    lift[:2, :2] = plane
    out = lift @ out
    out[:3, 3] += moved[0]
    return out


def read_images(
    textures: Sequence[Mapping[str, Any]], spec: LayerSpec, *, report: Report, layer: str
) -> tuple[dict[str, bytes], list[Mapping[str, Any]]]:
    """Return the files of textures that lie beside a model, and the records that name them.

    Only plain relative paths inside the model's folder are followed; every other one is
    counted in the report, as is each that is not there.
    """
    folder = spec.file.parent.resolve()
    images: dict[str, bytes] = {}
    out: list[Mapping[str, Any]] = []
    total = 0
    lost: list[str] = []
    refused: list[str] = []
    for record in textures:
        name = record.get("image")
        path = _inside(folder, name)
        if not isinstance(name, str) or path is None:
            refused.append(str(name)[:80])
        elif not path.is_file() or path.stat().st_size > _MOST_BYTES:
            lost.append(name)
        else:
            key = f"{spec.source_key}:{name}"
            if key not in images:
                total += path.stat().st_size
                if total > _MOST_IN_ALL:
                    raise SourceError("source.model.images_large", given=spec.file.name)
                images[key] = path.read_bytes()
            out.append({**record, "+cim-image": key})
            continue
        out.append(record)
    for key, names in (("source.model.image_missing", lost), ("source.model.image_path", refused)):
        if names:
            values = {"count": len(names), "first": names[0]}
            report.note(key, file=spec.file.name, layer=layer, values=values)
    return images, out


def _inside(folder: Path, name: object) -> Path | None:
    """Return the file a plain relative path means inside `folder`; None for any other."""
    if not isinstance(name, str) or not name or "://" in name or "\\" in name or "\0" in name:
        return None
    plain = PurePosixPath(name)
    if plain.is_absolute() or ".." in plain.parts or ":" in name or len(name) > 500:
        return None
    if plain.suffix.lower() not in _IMAGES:
        return None
    try:
        found = (folder / plain).resolve()
    except OSError:
        return None
    return found if found.is_relative_to(folder) else None


def note_dropped(
    names: Iterable[str], *, key: str, spec: LayerSpec, report: Report, layer: str
) -> None:
    """Say which members of a file are not kept."""
    listed = list(names)
    if listed:
        values = {"count": len(listed), "names": ", ".join(sorted(set(listed))[:8])}
        report.note(key, file=spec.file.name, layer=layer, values=values)
