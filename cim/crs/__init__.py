"""Frames and coordinates: where a twin stands and how positions come there.

The only package that imports pyproj, and only when a system is really needed. What to
call: `parse_crs` at the door, `choose_frame` once for a twin, `transform` for points and
geometries, `transform_heights` for heights, the ``looks_like_…`` detectors for input
that claims one thing and is another.
"""

from typing import TYPE_CHECKING, Any

from cim.crs.frame import (
    Box,
    ChosenFrame,
    Frame,
    LonLatBox,
    check_area_of_use,
    choose_frame,
    from_lonlat,
    in_china,
    lonlat,
    lonlat_box,
)
from cim.crs.names import (
    HEIGHT_DATUMS,
    PSEUDO_CRS,
    axis_unit_m,
    crs_title,
    datum_note,
    is_geographic,
    is_projected,
    parse_crs,
    parse_height_datum,
    proj_crs,
    split_crs,
)
from cim.crs.transform import (
    from_geocentric,
    grid_convergence_deg,
    scale_factor,
    to_geocentric,
    transform,
    transform_heights,
)

if TYPE_CHECKING:
    from cim.crs.china import (
        bd09_to_gcj02,
        bd09_to_wgs84,
        gcj02_to_bd09,
        gcj02_to_wgs84,
        wgs84_to_bd09,
        wgs84_to_gcj02,
    )
    from cim.crs.detect import (
        Verdict,
        looks_like_bd09,
        looks_like_gcj02,
        looks_like_lonlat,
        looks_like_millimetres,
        looks_like_swapped_axes,
    )
    from cim.crs.local import Helmert2D, Helmert3D, LocalSystem, fit_helmert_2d, fit_helmert_3d

__all__ = [
    "HEIGHT_DATUMS",
    "PSEUDO_CRS",
    "Box",
    "ChosenFrame",
    "Frame",
    "Helmert2D",
    "Helmert3D",
    "LocalSystem",
    "LonLatBox",
    "Verdict",
    "axis_unit_m",
    "bd09_to_gcj02",
    "bd09_to_wgs84",
    "check_area_of_use",
    "choose_frame",
    "crs_title",
    "datum_note",
    "fit_helmert_2d",
    "fit_helmert_3d",
    "from_geocentric",
    "from_lonlat",
    "gcj02_to_bd09",
    "gcj02_to_wgs84",
    "grid_convergence_deg",
    "in_china",
    "is_geographic",
    "is_projected",
    "lonlat",
    "lonlat_box",
    "looks_like_bd09",
    "looks_like_gcj02",
    "looks_like_lonlat",
    "looks_like_millimetres",
    "looks_like_swapped_axes",
    "parse_crs",
    "parse_height_datum",
    "proj_crs",
    "scale_factor",
    "split_crs",
    "to_geocentric",
    "transform",
    "transform_heights",
    "wgs84_to_bd09",
    "wgs84_to_gcj02",
]

# name -> module; loaded when first asked for: opening a twin needs none of them
_LATER = {
    "Helmert2D": "local",
    "Helmert3D": "local",
    "LocalSystem": "local",
    "Verdict": "detect",
    "bd09_to_gcj02": "china",
    "bd09_to_wgs84": "china",
    "fit_helmert_2d": "local",
    "fit_helmert_3d": "local",
    "gcj02_to_bd09": "china",
    "gcj02_to_wgs84": "china",
    "looks_like_bd09": "detect",
    "looks_like_gcj02": "detect",
    "looks_like_lonlat": "detect",
    "looks_like_millimetres": "detect",
    "looks_like_swapped_axes": "detect",
    "wgs84_to_bd09": "china",
    "wgs84_to_gcj02": "china",
}


def __getattr__(name: str) -> Any:
    """Load a detector, a Chinese offset or a local system when it is first asked for."""
    if name not in _LATER:
        raise AttributeError(f"module 'cim.crs' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"cim.crs.{_LATER[name]}"), name)
