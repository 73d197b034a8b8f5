"""Which coordinate system and which height datum a text, WKT or pyproj object means.

Every coordinate reference system of a twin is kept as one short name, ``"EPSG:n"``
where there is one and its WKT where there is none, so that two frames are equal when
their names are. Heights have a reference surface of their own: a *height datum*
(高程基准). PROJ is kept from the network here, for every thread.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from cim.errors import FrameError

if TYPE_CHECKING:
    import pyproj

__all__ = [
    "HEIGHT_DATUMS",
    "PSEUDO_CRS",
    "axis_unit_m",
    "crs_title",
    "datum_note",
    "is_geographic",
    "is_projected",
    "offline_pyproj",
    "parse_crs",
    "parse_height_datum",
    "proj_crs",
    "split_crs",
]

HEIGHT_DATUMS = ("cgvd1985", "yellow1956", "dagu", "ellipsoid", "relative", "unknown")
"""Height datums with a name; any vertical ``"EPSG:n"`` in metres may stand beside them."""

PSEUDO_CRS = ("GCJ-02", "BD-09")
"""Shifted lon-lat of Chinese web maps: a source of points, approximate (近似, 非测绘用)."""

_NAMED_HEIGHTS = {
    "epsg:5737": "cgvd1985",
    "1985国家高程基准": "cgvd1985",
    "1985黄海": "cgvd1985",
    "epsg:5736": "yellow1956",
    "1956黄海": "yellow1956",
    "大沽": "dagu",
    "大沽高程": "dagu",
}
_NAMED_PSEUDO = {
    "gcj-02": "GCJ-02",
    "gcj02": "GCJ-02",
    "火星坐标": "GCJ-02",
    "bd-09": "BD-09",
    "bd09": "BD-09",
    "bd09ll": "BD-09",
}
_ADV = re.compile(r"(?:urn:adv:crs:)(?:DE_)?(\w+?)(?:\*(?:DE_)?(\w+))?", re.IGNORECASE)
_ADV_HEIGHTS = {
    "DHHN2016_NH": "EPSG:7837",
    "DHHN92_NH": "EPSG:5783",
    "DHHN85_NOH": "EPSG:5784",
    "DHHN12_NOH": "EPSG:7699",
    "SNN76_NH": "EPSG:5785",
}
"""Height systems of the German surveys (AdV, GeoInfoDok) by the name after ``DE_``.

Each is the system of that name in the EPSG register (the suite asks PROJ's copy of it);
SNN76 is also in the list of the Bundesamt für Kartographie und Geodäsie, as DE_KRON / NH.
"""
_URN_PARTS = re.compile(
    r"urn:ogc:def:crs,crs:EPSG:(?:[\d.]*:)?(\d{4,6})(?:,crs:EPSG:(?:[\d.]*:)?(\d{4,6}))?",
    re.IGNORECASE,
)
_OLD_DATUMS = ("Beijing 1954", "Xian 1980", "New Beijing")
_LONGEST_TEXT = 20_000


def offline_pyproj() -> ModuleType:
    """Return pyproj with its network access switched off in the calling thread.

    pyproj keeps one PROJ context per thread and takes its default from
    ``PROJ_NETWORK``; a program that reads a city must not depend on a download.
    """
    import pyproj
    import pyproj.network

    network: Any = pyproj.network  # it does not list what it offers
    network.set_network_enabled(False)
    return pyproj


def parse_crs(given: object) -> str:
    """Return the name of the horizontal coordinate system that `given` means.

    Parameters
    ----------
    given
        ``"EPSG:4548"``, an EPSG number, WKT, PROJJSON, an OGC URN or URL, a pyproj
        CRS, a compound system (its horizontal part), ``"GCJ-02"`` or ``"BD-09"``.

    Returns
    -------
    str
        ``"EPSG:n"`` where the system has a number, else ``"AUTHORITY:code"``, else WKT.

    Raises
    ------
    FrameError
        Nothing given, unknown, or not a horizontal system (a height datum alone,
        geocentric, a drawing without a place on earth).

    Examples
    --------
    >>> parse_crs("EPSG:4548+5737")
    'EPSG:4548'
    """
    return split_crs(given)[0]


def split_crs(given: object) -> tuple[str, str | None]:
    """Return the horizontal name and the height datum of `given`, None where it names none.

    ``EPSG:4548+5737`` gives ``("EPSG:4548", "cgvd1985")``; a geographic 3D system
    counts heights from the ellipsoid. Raises as `parse_crs`.
    """
    if isinstance(given, str):
        return _split_text(given.strip())
    if isinstance(given, int) and not isinstance(given, bool):
        return _split_text(f"EPSG:{given}")
    return _split(_from_object(given), str(given))


@lru_cache(maxsize=256)
def _split_text(text: str) -> tuple[str, str | None]:
    if not text:
        raise FrameError("crs.empty", given=repr(text))
    if text.lower() in _NAMED_PSEUDO:
        return _NAMED_PSEUDO[text.lower()], None
    survey = _ADV.fullmatch(text)
    if survey is not None:
        return _split_survey(survey, text)
    parts = _URN_PARTS.fullmatch(text)
    if parts is not None:
        height = None if parts[2] is None else parse_height_datum(f"EPSG:{parts[2]}")
        crs, own = _split(_from_object(f"EPSG:{parts[1]}"), text)
        return crs, height or own
    return _split(_from_object(text), text)


def _split_survey(found: re.Match[str], given: str) -> tuple[str, str | None]:
    """Return what the German surveys' names mean; a height they do not list is not guessed."""
    plane = found[1].upper()
    # a state's own net (_NI100, _RP180) is a realisation of the same system, some dm apart
    gauss, utm = (
        re.fullmatch(r"DHDN_3GK([2-5])(?:_[A-Z]{2}\w*)?", plane),
        re.fullmatch(r"ETRS89_UTM(3[1-3])", plane),
    )
    if gauss is not None:
        crs = f"EPSG:{31464 + int(gauss[1])}"
    elif utm is not None:
        crs = f"EPSG:{25800 + int(utm[1])}"
    else:
        raise FrameError("crs.unknown", given=_short(given))
    return crs, _ADV_HEIGHTS.get((found[2] or "").upper())


def _from_object(given: object) -> pyproj.CRS:
    proj: Any = offline_pyproj()
    if given is None:
        raise FrameError("crs.empty", given="None")
    if isinstance(given, str) and len(given) > _LONGEST_TEXT:
        raise FrameError("crs.unknown", given=f"{given[:60]}…")
    try:
        if isinstance(given, Mapping) and "type" in given:
            found: pyproj.CRS = proj.CRS.from_json_dict(dict(given))
        else:
            found = proj.CRS.from_user_input(given)
    except (proj.exceptions.CRSError, TypeError, ValueError) as error:
        raise FrameError("crs.unknown", given=_short(given)) from error
    return found


def _split(crs: pyproj.CRS, given: str) -> tuple[str, str | None]:
    if crs.is_compound:
        parts = crs.sub_crs_list
        return _split(parts[0], given)[0], _height_of(parts[1])
    if crs.is_vertical:
        raise FrameError("crs.height_only", given=_short(given))
    if not (crs.is_projected or crs.is_geographic):
        raise FrameError("crs.not_on_earth", given=_short(given), values={"type": crs.type_name})
    height = "ellipsoid" if len(crs.axis_info) == 3 else None
    return _name(crs.to_2d() if height else crs), height


def _name(crs: pyproj.CRS) -> str:
    number = crs.to_epsg()
    if number is not None:
        return f"EPSG:{number}"
    authority = crs.to_authority()
    if authority == ("OGC", "CRS84"):  # EPSG:4326 with x = longitude, as everywhere in this house
        return "EPSG:4326"
    return ":".join(authority) if authority else crs.to_wkt()


def _height_of(crs: pyproj.CRS) -> str:
    number = crs.to_epsg()
    return parse_height_datum(f"EPSG:{number}") if number is not None else "unknown"


def parse_height_datum(given: str) -> str:
    """Return the name of a height datum (高程基准).

    Parameters
    ----------
    given
        A name of `HEIGHT_DATUMS`, a vertical ``"EPSG:n"`` in metres, or a usual
        Chinese name such as 1985国家高程基准.

    Raises
    ------
    FrameError
        Unknown name, not a vertical system, or heights that are not in metres.
    """
    text = str(given).strip()
    name = _NAMED_HEIGHTS.get(text.lower(), text.lower())
    if name in HEIGHT_DATUMS:
        return name
    if not name.startswith("epsg:"):
        values = {"names": ", ".join(HEIGHT_DATUMS)}
        raise FrameError("crs.unknown_height_datum", given=text or "''", values=values)
    crs = _from_object(text)
    if not crs.is_vertical:
        raise FrameError("crs.not_a_height_datum", given=text)
    if crs.axis_info[0].unit_conversion_factor != 1.0:
        raise FrameError("crs.height_not_metres", given=text)
    return f"EPSG:{crs.to_epsg()}"


@lru_cache(maxsize=128)
def proj_crs(name: str) -> pyproj.CRS:
    """Return the pyproj CRS of a name made by `parse_crs` (GCJ-02 and BD-09: WGS 84)."""
    return _from_object("EPSG:4326" if name in PSEUDO_CRS else name)


def is_geographic(crs: str) -> bool:
    """Return True for longitude and latitude, also the shifted ones of `PSEUDO_CRS`."""
    return bool(proj_crs(parse_crs(crs)).is_geographic)


def is_projected(crs: str) -> bool:
    """Return True for a map plane (x east, y north)."""
    return bool(proj_crs(parse_crs(crs)).is_projected)


def axis_unit_m(crs: str) -> float:
    """Return how many metres one unit of a projected system is (1.0 for metres)."""
    return float(proj_crs(parse_crs(crs)).axis_info[0].unit_conversion_factor)


def crs_title(crs: str) -> str:
    """Return what a person reads: name and code, ``CGCS2000 / … CM 117E (EPSG:4548)``."""
    name = parse_crs(crs)
    if name in PSEUDO_CRS:
        return f"{name} (近似, 非测绘用)"
    title = str(proj_crs(name).name)
    return f"{title} ({name})" if ":" in name[:12] else title


def datum_note(crs: str) -> str | None:
    """Return a message key when points of `crs` come over only roughly, else None.

    GCJ-02 and BD-09 are re-engineered models (metres at best); Beijing 1954 and
    Xi'an 1980 need parameters of the city that PROJ does not have (tens of metres).
    """
    name = parse_crs(crs)
    if name in PSEUDO_CRS:
        return "crs.note_pseudo"
    geodetic = proj_crs(name).geodetic_crs
    old = geodetic is not None and any(word in geodetic.name for word in _OLD_DATUMS)
    return "crs.note_old_datum" if old else None


def _short(given: object) -> str:
    text = " ".join(str(given).split())
    return text if len(text) <= 120 else f"{text[:119]}…"
