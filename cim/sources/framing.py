"""The one frame of a twin from many files: whose system, whose heights, which origin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cim import messages
from cim.crs import (
    PSEUDO_CRS,
    Frame,
    check_area_of_use,
    choose_frame,
    in_china,
    lonlat,
    parse_crs,
    parse_height_datum,
    transform,
)
from cim.errors import FrameError, SourceError
from cim.registry import standard
from cim.sources.district import District
from cim.sources.place import Place, named
from cim.sources.probe import Probe
from cim.sources.raster import HEIGHT_KINDS
from cim.sources.readers import look_at
from cim.sources.report import Report

__all__ = ["common_frame", "zone_there"]


def common_frame(
    district: District,
    probes: list[Probe],
    *,
    frame: str | Frame | None,
    frame_height: str | None,
    report: Report,
) -> Frame:
    """Return the twin's frame: as asked, else chosen from the files and said aloud.

    Parameters
    ----------
    district, probes
        What is built, and the first look at each of its files.
    frame, frame_height
        What is asked for; it counts over what the district says.
    report
        Where the choice is said.

    Raises
    ------
    SourceError
        No file says where it lies.
    FrameError
        A system that cannot be a frame, or a file outside its area of use.
    """
    if isinstance(frame, Frame):
        for one in probes:
            _check_inside(one, frame)
        return frame
    placed = [one for one in probes if one.place is not None and one.bounds is not None]
    if not placed:
        placed = _outer_placed(probes)
    if not placed:
        _none_good(probes)
        raise SourceError("source.nothing_placed", given=district.name)
    first = placed[0]
    assert first.place is not None and first.bounds is not None
    try:
        choice = choose_frame(
            first.place.crs,
            first.bounds,
            frame=frame or district.frame,
            frame_height=frame_height or district.frame_height or _height_of([*probes, *placed]),
        )
    except FrameError as error:
        raise named(error, first.spec.file.name) from error
    for one in placed:
        _check_inside(one, choice.frame)
    origin = _origin(placed, choice.frame)
    report.note(choice.key, file=first.spec.file.name, layer="", values=choice.values)
    return replace(choice.frame, origin=origin)


def _outer_placed(probes: list[Probe]) -> list[Probe]:
    """Return the files of outer readers with the place they say; asked only when no other does."""
    found = []
    for one in probes:
        look = look_at(one.spec) if one.format is None else None
        if look is not None:
            place = Place(look.crs, look.height_datum)
            found.append(replace(one, place=place, bounds=look.bounds))
    return found


def _none_good(probes: list[Probe]) -> None:
    """Name the fault of a file that has objects, but not one that can be placed."""
    for one in probes:
        if one.survey is None or one.survey.first is None:
            continue
        row, (key, values) = one.survey.first
        raise SourceError(
            "source.too_many_rejected",
            given=one.layer,
            values={
                "rejected": one.survey.rejected,
                "read": one.survey.count,
                "limit": f"{standard('quality.rejected_share').number():.0%}",
                "first": f"{row + 1}: {messages.text(key, values)}",
            },
        )


def _check_inside(one: Probe, frame: Frame) -> None:
    """Refuse a file outside the area of use of the twin's system."""
    if one.place is None or one.bounds is None:
        return
    try:
        source = "EPSG:4326" if one.place.crs in PSEUDO_CRS else one.place.crs
        check_area_of_use(parse_crs(frame.crs), one.bounds, bounds_crs=source)
    except FrameError as error:
        raise named(error, one.spec.file.name) from error


def _origin(placed: list[Probe], frame: Frame) -> tuple[float, float]:
    """Return the middle of all files in whole hundreds of metres, whatever their order."""
    corners = []
    for one in placed:
        assert one.place is not None and one.bounds is not None
        xmin, ymin, xmax, ymax = one.bounds
        box = np.array([[xmin, ymin], [xmax, ymax], [xmin, ymax], [xmax, ymin]])
        corners.append(transform(box, source=one.place.crs, target=frame.crs))
    points = np.concatenate(corners)
    middle = np.round((points.min(axis=0) + points.max(axis=0)) / 200.0) * 100.0
    return (float(middle[0]), float(middle[1]))


def _height_of(probes: list[Probe]) -> str | None:
    """Return the height datum of the ground, else of the first file that names one."""
    said = [
        (one.layer.partition("/")[0] not in HEIGHT_KINDS, one.order, one.place.height_datum)
        for one in probes
        if one.place is not None and one.place.height_datum is not None
    ]
    if said:
        return parse_height_datum(str(min(said)[2]))
    declared = [one.spec.height_datum for one in probes if one.spec.height_datum]
    return declared[0] if declared else None


def zone_there(frame: Frame, *, report: Report) -> str:
    """Return the time zone a frame lies in: that of China there, else that of the meridian, told.

    China has one zone. Elsewhere it is the nautical one, 15 degrees an hour; what the clocks
    of the place show may be another, and one hour more in summer.
    """
    lon, lat = (float(part) for part in lonlat(frame, np.array([frame.origin]))[0])
    if in_china(lon, lat):
        return "Asia/Shanghai"
    hours = round(lon / 15.0)
    values = {"zone": f"UTC{hours:+d}", "lon": f"{lon:.2f}"}
    report.note("source.zone_assumed", file="-", layer="-", values=values)
    return f"Etc/GMT{-hours:+d}"  # POSIX counts westward
