"""Good files of further formats, and copies in which one value is spoilt: 示意数据.

A value is one string or number. Where a format packs its values (PBF, bz2, LAZ, XLSX)
the value is spoilt before it is packed, else its bytes are, where they lie.
"""

from __future__ import annotations

import bz2
import random
import re
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import geopandas
import laspy
import numpy as np
import osmium
import pandas
import pyogrio

from cim.sources import Built, build_twin, district_from_files
from tests.cim.sources import files as f
from tests.cim.sources.test_osm import Map

__all__ = ["FURTHER", "VALUES"]

_NAMES = [f"民园{i}号" for i in range(40)]
_HEIGHTS = [3.25 + 0.5 * i for i in range(40)]


def _map() -> Map:
    one = Map()
    for i in range(30):
        tags = {"building": "yes", "height": f"{_HEIGHTS[i]} m", "name": _NAMES[i]}
        one.way(100 + i, one.box(1000 + 10 * i, 30 * (i % 6), 30 * (i // 6)), tags)
    for i in range(6):
        one.node(10 + i, 30 * i - 10, -10)
    one.way(1, list(range(10, 16)), {"highway": "primary", "lanes": "2", "maxspeed": "50"})
    one.way(2, [12, 1000], {"highway": "residential"})
    return one


def _osm(at: Path) -> Path:
    return _map().write(at / "a.osm")


def _osm_bz2(at: Path) -> Path:
    return _map().write(at / "a.osm.bz2")


def _pbf(at: Path) -> Path:
    return _map().write(at / "a.osm.pbf")


def _frame() -> geopandas.GeoDataFrame:
    data = {"name": _NAMES, "height_m": _HEIGHTS}
    return geopandas.GeoDataFrame(data, geometry=f.houses(40), crs="EPSG:4548")


def _fgb(at: Path) -> Path:
    _frame().to_file(at / "buildings.fgb", driver="FlatGeobuf", engine="pyogrio")
    return at / "buildings.fgb"


def _parquet(at: Path) -> Path:
    _frame().to_parquet(at / "buildings.parquet", compression=None)
    return at / "buildings.parquet"


def _csv(at: Path) -> Path:
    rows = [f"{n},{f.EAST + 20 * i},{f.NORTH + 10 * i},{h}"
            for i, (n, h) in enumerate(zip(_NAMES, _HEIGHTS, strict=True))]  # fmt: skip
    path = at / "trees.csv"
    path.write_text("\n".join(["name,x,y,height_m", *rows]), encoding="utf-8")
    return path


def _xlsx(at: Path) -> Path:
    places = {"x": [f.EAST + 20 * i for i in range(40)], "y": [f.NORTH + 10 * i for i in range(40)]}
    data = pandas.DataFrame({"name": _NAMES, **places, "height_m": _HEIGHTS})
    pyogrio.write_dataframe(data, at / "trees.xlsx", driver="XLSX", layer="trees")
    return at / "trees.xlsx"


def _cloud(path: Path, spoil: Callable[[laspy.LasData], None] | None = None) -> Path:
    rng = np.random.default_rng(1)
    n = 4000
    head = laspy.LasHeader(point_format=6, version="1.4")
    head.offsets, head.scales = [f.EAST, f.NORTH, 0], [0.01] * 3
    data = laspy.LasData(head)
    data.x, data.y = f.EAST + rng.uniform(0, 40, n), f.NORTH + rng.uniform(0, 40, n)
    data.z, data.classification = 3.0 + rng.normal(0, 0.05, n), np.full(n, 2, dtype=np.uint8)
    if spoil is not None:
        spoil(data)
    data.write(path)
    return path


def _las(at: Path) -> Path:
    return _cloud(at / "a.las")


def _laz(at: Path) -> Path:
    return _cloud(at / "a.laz")


def _zip(at: Path) -> Path:
    loose = at / "loose"
    loose.mkdir()
    f.write(loose / "buildings.shp", f.houses(), encoding="UTF-8", name=_NAMES[:12])
    path = at / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as out:
        for one in sorted(loose.iterdir()):
            out.write(one, one.name)
    shutil.rmtree(loose)
    return path


def _build(path: Path) -> Built:
    crs = None if path.suffix in (".fgb", ".parquet", ".zip") else "EPSG:4548"
    crs = "EPSG:4326" if ".osm" in path.name else crs
    return build_twin(
        district_from_files([path], crs=crs, height_datum="cgvd1985"), accept_rejects=True
    )


# one value ------------------------------------------------------------------------


def _flipped(value: bytes, dice: random.Random) -> bytes:
    data = bytearray(value)
    for _ in range(dice.choice([1, 1, 3])):
        data[dice.randrange(len(data))] ^= dice.randint(1, 255)
    return bytes(data)


def _in_text(pattern: bytes) -> Callable[[Path, random.Random], str]:
    """Return what flips bytes of one value of a text file: the first group of `pattern`."""

    def spoil(path: Path, dice: random.Random) -> str:
        data = path.read_bytes()
        one = dice.choice([m for m in re.finditer(pattern, data) if m.end(1) > m.start(1)])
        new = _flipped(one[1], dice)
        path.write_bytes(data[: one.start(1)] + new + data[one.end(1) :])
        return f"{one[1][:20]!r} became {new[:20]!r}"

    return spoil


def _in_binary(path: Path, dice: random.Random) -> str:
    """Flip bytes of one name, height or coordinate, wherever it lies."""
    data = path.read_bytes()
    known = [name.encode() for name in _NAMES] + [struct.pack("<d", h) for h in _HEIGHTS]
    known += [struct.pack("<d", f.EAST + 30.0 * i) for i in range(6)]
    value = dice.choice([v for v in known if v in data])
    at = data.index(value)
    path.write_bytes(data[:at] + _flipped(value, dice) + data[at + len(value) :])
    return f"value at {at}"


_XML_VALUE = rb'(?:lat|lon|ref|v)="([^"]*)"'


def _in_bz2(path: Path, dice: random.Random) -> str:
    plain = path.with_suffix("")
    plain.write_bytes(bz2.decompress(path.read_bytes()))
    how = _in_text(_XML_VALUE)(plain, dice)
    path.write_bytes(bz2.compress(plain.read_bytes()))
    plain.unlink()
    return how


def _in_pbf(path: Path, dice: random.Random) -> str:
    """Spoil one tag or place and pack again."""
    objects = list(osmium.FileProcessor(str(path)))
    victim, other = dice.randrange(len(objects)), path.with_name("b.osm.pbf")
    with osmium.SimpleWriter(str(other)) as out:
        for i, one in enumerate(osmium.FileProcessor(str(path))):
            if i != victim:
                out.add(one)
                continue
            tags = {t.k: t.v for t in one.tags}
            if tags:
                key = dice.choice(sorted(tags))
                tags[key] = "".join(chr(ord(c) ^ dice.randint(0, 31) or 63) for c in tags[key])
                out.add(one.replace(tags=tags))
            elif one.is_node():
                out.add(one.replace(location=(dice.uniform(-180, 180), dice.uniform(-90, 90))))
            else:
                out.add(one.replace(nodes=[dice.randint(1, 10**9)]))
    other.replace(path)
    return f"object {victim}"


def _in_xlsx(path: Path, dice: random.Random) -> str:
    with zipfile.ZipFile(path) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    name = dice.choice([n for n in members if "sheet1" in n or "sharedStrings" in n])
    values = list(re.finditer(rb"<(?:v|t)>([^<]+)</", members[name]))
    one = dice.choice(values)
    new = _flipped(one[1], dice)
    members[name] = members[name][: one.start(1)] + new + members[name][one.end(1) :]
    with zipfile.ZipFile(path, "w") as out:
        for member, data in members.items():
            out.writestr(member, data)
    return f"{name}: {one[1][:20]!r} became {new[:20]!r}"


def _in_las(path: Path, dice: random.Random) -> str:
    data = bytearray(path.read_bytes())
    start = struct.unpack("<I", data[96:100])[0]
    at = dice.randrange(start, len(data))
    data[at] ^= dice.randint(1, 255)
    path.write_bytes(bytes(data))
    return f"point byte {at}"


def _in_laz(path: Path, dice: random.Random) -> str:
    victim, field = dice.randrange(4000), dice.choice(["X", "Y", "Z", "classification"])

    def spoil(data: laspy.LasData) -> None:
        values = np.array(data[field])
        values[victim] ^= dice.randint(1, 31 if field == "classification" else 2**30)
        data[field] = values

    _cloud(path, spoil)
    return f"{field} of point {victim}"


def _in_zip(path: Path, dice: random.Random) -> str:
    with zipfile.ZipFile(path) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    table = members["buildings.dbf"]
    name = dice.choice([n.encode() for n in _NAMES[:12]])
    members["buildings.dbf"] = table.replace(name, _flipped(name, dice), 1)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as out:
        for member, data in members.items():
            out.writestr(member, data)
    return f"{name!r}"


def _in_asc(path: Path, dice: random.Random) -> str:
    """Flip bytes of one height; the head says what the file is."""
    data = path.read_bytes()
    start = data.index(b"\n", data.index(b"NODATA")) + 1
    one = dice.choice(list(re.finditer(rb"[^ \n]+", data[start:])))
    new = _flipped(one[0], dice)
    path.write_bytes(data[: start + one.start()] + new + data[start + one.end() :])
    return f"{one[0]!r} became {new!r}"


def _in_tif(path: Path, dice: random.Random) -> str:
    """Flip a byte of one cell."""
    data = bytearray(path.read_bytes())
    start = data.index(f.ground()[0].tobytes())
    at = dice.randrange(start, start + f.ground().nbytes)
    data[at] ^= dice.randint(1, 255)
    path.write_bytes(bytes(data))
    return f"cell byte {at}"


def _in_shp(path: Path, dice: random.Random) -> str:
    """Flip bytes of one value of the table, or of one coordinate."""
    if dice.random() < 0.5:
        table = path.with_suffix(".dbf")
        data = table.read_bytes()
        head, size = struct.unpack("<HH", data[8:12])
        row = dice.randrange((len(data) - head) // size)
        at = head + row * size + 1
        new = _flipped(data[at : at + size - 1], dice)
        table.write_bytes(data[:at] + new + data[at + size - 1 :])
        return f"row {row}"
    data = path.read_bytes()
    at = 100 + 8 + 4 + 32 + 4 + 4 + 4 + 8 * dice.randrange(10)  # the first house's corners
    path.write_bytes(data[:at] + _flipped(data[at : at + 8], dice) + data[at + 8 :])
    return f"corner at {at}"


FURTHER: dict[str, tuple[Callable[[Path], Path], Callable[[Path], Built]]] = {
    "OSM XML": (_osm, _build),
    "OSM bz2": (_osm_bz2, _build),
    "OSM PBF": (_pbf, _build),
    "FlatGeobuf": (_fgb, _build),
    "GeoParquet": (_parquet, _build),
    "CSV": (_csv, _build),
    "XLSX": (_xlsx, _build),
    "LAS": (_las, _build),
    "LAZ": (_laz, _build),
    "ZIP": (_zip, _build),
}
VALUES: dict[str, Callable[[Path, random.Random], str]] = {
    "GeoPackage": _in_binary,
    "Shapefile": _in_shp,
    "GeoTIFF": _in_tif,
    "ASC": _in_asc,
    "OSM XML": _in_text(_XML_VALUE),
    "OSM bz2": _in_bz2,
    "OSM PBF": _in_pbf,
    "FlatGeobuf": _in_binary,
    "GeoParquet": _in_binary,
    "CSV": _in_text(rb"(?:^|[,\n])([^,\n]+)"),
    "XLSX": _in_xlsx,
    "LAS": _in_las,
    "LAZ": _in_laz,
    "ZIP": _in_zip,
}
