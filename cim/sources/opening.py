"""Which files may be opened at all, and with which driver.

The driver follows from the suffix and the first bytes, never from what GDAL would
guess: a virtual raster named ``.tif`` can point anywhere, and a name that begins
with ``/vsicurl`` is a download. Sizes are checked before anything is decoded.
"""

from __future__ import annotations

import mmap
import re
import struct
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Literal

from cim.errors import SourceError

__all__ = ["FORMATS", "Format", "check_file", "format_of", "gdal_reason", "sidecar", "suffixes"]

Carrier = Literal["vector", "raster", "points", "archive", "model"]


@dataclass(frozen=True)
class Format:
    """One accepted file format.

    Attributes
    ----------
    name
        As a person calls it.
    driver
        GDAL's name of the driver; empty where GDAL does not read it.
    carrier
        What is inside.
    magic
        First bytes, any of them; empty where the format has none.
    reader
        Module of this package that reads it whole, layers, bodies and meshes; empty where
        it is a table or a grid.
    """

    name: str
    driver: str
    carrier: Carrier
    magic: tuple[bytes, ...] = ()
    reader: str = ""


_TIFF = Format(
    "GeoTIFF", "GTiff", "raster", (b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0")
)
_ASC = Format("ASCII grid", "AAIGrid", "raster")
_JSON = Format("GeoJSON", "GeoJSON", "vector")

_CITYJSON = Format("CityJSON", "", "model", reader="cityjson")
_CITYGML = Format("CityGML", "", "model", reader="citygml")
_MESH = Format("mesh", "", "model", reader="mesh_files")

FORMATS: dict[str, Format] = {
    ".gpkg": Format("GeoPackage", "GPKG", "vector", (b"SQLite format 3\0",)),
    ".geojson": _JSON,
    ".json": _JSON,
    ".shp": Format("Shapefile", "ESRI Shapefile", "vector", (b"\0\0\x27\x0a",)),
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".asc": _ASC,
    ".fgb": Format("FlatGeobuf", "FlatGeobuf", "vector", (b"fgb\x03fgb",)),
    ".parquet": Format("GeoParquet", "Parquet", "vector", (b"PAR1",)),
    ".csv": Format("CSV table", "CSV", "vector"),
    ".xlsx": Format("Excel table", "XLSX", "vector", (b"PK\x03\x04",)),
    ".osm": Format("OpenStreetMap", "OSM", "vector", (b"<?xml", b"\xef\xbb\xbf<?xml", b"<osm")),
    ".pbf": Format("OpenStreetMap", "OSM", "vector"),
    ".bz2": Format("OpenStreetMap", "OSM", "vector", (b"BZh",)),
    ".las": Format("LAS point cloud", "LAS", "points", (b"LASF",)),
    ".laz": Format("LAZ point cloud", "LAS", "points", (b"LASF",)),
    ".jsonl": _CITYJSON,
    ".gml": _CITYGML,
    ".citygml": _CITYGML,
    ".xml": _CITYGML,
    ".obj": _MESH,
    ".ply": _MESH,
    ".stl": _MESH,
    ".glb": _MESH,
    ".gltf": _MESH,
    ".zip": Format("ZIP archive", "", "archive", (b"PK\x03\x04", b"PK\x05\x06")),
    ".tar": Format("tar archive", "", "archive"),
    ".tgz": Format("tar archive", "", "archive", (b"\x1f\x8b",)),
    ".gz": Format("tar archive", "", "archive", (b"\x1f\x8b",)),
}

_OSM_GZ = Format("OpenStreetMap", "OSM", "vector", (b"\x1f\x8b",))

_ASC_WORDS = (b"ncols", b"nrows", b"xllcorner", b"xllcenter", b"yllcorner", b"yllcenter")


def suffixes() -> str:
    """Return the accepted suffixes as one readable line, those of other packages last."""
    long = {".bz2": ".osm.bz2", ".gz": ".osm.gz .tar.gz"}
    others = sorted({f".{point.name.lower()}" for point in entry_points(group="cim.readers")})
    return " ".join([*(long.get(s, s) for s in FORMATS), *others])


def format_of(path: Path) -> Format | None:
    """Return the format that the suffix of `path` promises, or None."""
    suffix, inner = path.suffix.lower(), Path(path.stem).suffix.lower()
    if suffix == ".gz" and inner != ".tar":
        return _OSM_GZ if inner == ".osm" else None
    if suffix == ".bz2" and inner != ".osm":
        return None
    return FORMATS.get(suffix)


def check_file(path: Path) -> Format:
    """Return the format of a file after looking at its name, size and first bytes.

    Raises
    ------
    SourceError
        A remote or virtual name, no such file, not a regular file, an unknown suffix,
        an empty file, other contents than the suffix promises, or a file shorter than
        its own header says.
    """
    text = str(path)
    if "://" in text or "/vsi" in text.lower() or text.lower().startswith(("http:/", "ftp:/")):
        raise SourceError("source.remote", given=text)
    if not path.exists():
        raise SourceError("source.missing", given=text)
    if not path.is_file():
        raise SourceError("source.not_a_file", given=text)
    found = format_of(path)
    if found is _JSON and _is_cityjson(path):
        found = _CITYJSON
    if found is None:
        raise SourceError("source.unknown_format", given=path.name, values={"known": suffixes()})
    size = path.stat().st_size
    if size == 0:
        raise SourceError("source.empty_file", given=path.name)
    with path.open("rb") as file:
        head = file.read(4096)
    if not _begins_right(found, head):
        raise SourceError(
            "source.not_what_it_says",
            given=path.name,
            values={"format": found.name, "begins": _shown(head)},
        )
    _check_length(path, found, head, size)
    return found


def gdal_reason(error: BaseException) -> str:
    """Return GDAL's reason in one line without the path of the file."""
    text = re.sub(r"'?/vsimem/\S+'?", "the file", " ".join(str(error).split()))
    text = text.split("; It might help")[0].replace("the file not rec", "the file is not rec")
    return text if len(text) <= 200 else f"{text[:199]}…"


def _is_cityjson(path: Path) -> bool:
    """Tell CityJSON from GeoJSON, which share an ending; members may come in any order."""
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return False
        head = file.read(4096)
        if re.search(rb'"type"\s*:\s*"CityJSON"', head):
            return True
        if re.search(rb'"type"\s*:\s*"Feature', head):
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return data.find(b'"CityObjects"') >= 0


def _begins_right(found: Format, head: bytes) -> bool:
    if found.magic:
        return head.startswith(found.magic)
    words = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if found is _CITYJSON:
        return words.removeprefix(b"\x1e")[:1] == b"{"
    if found is _CITYGML:
        return words[:1] == b"<" or head[:2] in (b"\xff\xfe", b"\xfe\xff")
    if found is _MESH:
        return True  # trimesh tells
    if found is _JSON:
        return words[:1] == b"{" or head[:2] in (b"\xff\xfe", b"\xfe\xff")
    if found.driver == "OSM":
        return head[4:15] == b"\n\tOSMHeader"
    if found.driver == "CSV":
        return b"\0" not in head or head[:2] in (b"\xff\xfe", b"\xfe\xff")
    if found is _ASC:
        return words.lower().startswith(_ASC_WORDS)
    return len(head) >= 512 and head[257:262] == b"ustar"


def _check_length(path: Path, found: Format, head: bytes, size: int) -> None:
    """Compare the size with what the header declares (GeoPackage, Shapefile)."""
    declared = size
    if found.driver == "GPKG" and len(head) >= 32:
        page = struct.unpack(">H", head[16:18])[0]
        pages = struct.unpack(">I", head[28:32])[0]
        same_change = head[24:28] == head[92:96]  # else the page count is stale, SQLite says
        declared = (65536 if page == 1 else page) * pages if same_change else size
    elif found.driver == "ESRI Shapefile":
        declared = 2 * struct.unpack(">i", head[24:28])[0] if len(head) >= 100 else 100
        _check_sidecars(path)
    if size < declared:
        raise SourceError(
            "source.truncated", given=path.name, values={"size": size, "declared": declared}
        )


def sidecar(path: Path, suffix: str) -> Path | None:
    """Return the companion of a Shapefile with `suffix`, in either case, or None."""
    for name in (path.with_suffix(suffix), path.with_suffix(suffix.upper())):
        if name.is_file():
            return name
    return None


def _check_sidecars(path: Path) -> None:
    lacking = [suffix for suffix in (".shx", ".dbf") if sidecar(path, suffix) is None]
    if lacking:
        raise SourceError("source.sidecar", given=path.name, values={"lacking": ", ".join(lacking)})
    dbf, shx = sidecar(path, ".dbf"), sidecar(path, ".shx")
    assert dbf is not None and shx is not None
    with dbf.open("rb") as file:
        head = file.read(32)
    if len(head) < 32:
        raise SourceError("source.empty_file", given=dbf.name)
    rows, header, width = struct.unpack("<IHH", head[4:12])
    if dbf.stat().st_size < header + rows * width:
        raise SourceError(
            "source.truncated",
            given=dbf.name,
            values={"size": dbf.stat().st_size, "declared": header + rows * width},
        )
    shapes = (shx.stat().st_size - 100) // 8
    if shapes != rows:
        raise SourceError(
            "source.sidecar_rows", given=path.name, values={"shapes": shapes, "rows": rows}
        )


def _shown(head: bytes) -> str:
    text = head[:24].decode("ascii", errors="replace")
    return repr("".join(c if c.isprintable() else "?" for c in text))
