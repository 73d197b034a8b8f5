"""A process that spoils copies of small good files and builds from each.

``python -m tests.soak.damage FORMAT FOLDER FIRST LAST`` writes one JSON line per copy:
``{"n", "how", "outcome", "key", "wall_s", "peak_mb", "warned"}``. The process may take
3 GB of addresses; where it falls, the line that is missing names the copy. 示意数据.
"""

from __future__ import annotations

import json
import random
import re
import resource
import shutil
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cim.crs import proj_crs
from cim.errors import CimError
from cim.sources import Built, build_twin, district_from_files, read_district
from tests.cim.sources import files as f
from tests.soak.city_formats import CITY_FORMATS, spoil_value
from tests.soak.values import FURTHER, VALUES

__all__ = ["FORMATS", "LIMIT_BYTES", "good", "spoil"]

LIMIT_BYTES = 3 << 30
_NAMES = ["民园", "庆王府", "张园", "静园", "睦南", "大理"] * 2
_TOML = """# 示意数据
[twin]
name = "small"
title = {{ en = "Small", zh = "小" }}
frame = "EPSG:4548"
frame_height = "cgvd1985"
zone = "Asia/Shanghai"
illustrative = true
source = "test"
date = "2026-11-24"

[[layer]]
file = "{file}"
kind = "building"
id = "oid"
encoding = "utf-8"
accuracy_m = 1.5
[layer.map]
height_m = "高"
name = "名"
[layer.units]
height_m = "cm"
[layer.set]
storeys_above = 3

[[layer]]
file = "dem.tif"
kind = "terrain"
height_datum = "cgvd1985"
"""


def _geojson(at: Path) -> Path:
    heights = [3.0 * (i + 1) for i in range(12)]
    return f.geojson(at / "a.geojson", f.degrees(), name=_NAMES, height_m=heights)


def _gpkg(at: Path) -> Path:
    return f.write(at / "a.gpkg", f.houses(), name=_NAMES, height_m=[6.5] * 12)


def _shp(at: Path) -> Path:
    return f.write(at / "a.shp", f.houses(), encoding="UTF-8", name=_NAMES, height_m=[6.5] * 12)


def _tif(at: Path) -> Path:
    return f.tif(at / "a.tif", f.ground())


def _asc(at: Path) -> Path:
    path = at / "a.asc"
    lines = "\n".join(" ".join(f"{v:.2f}" for v in row) for row in f.ground())
    path.write_text(
        f"ncols 50\nnrows 40\nxllcorner {f.EAST}\nyllcorner {f.NORTH}\ncellsize 5\n"
        f"NODATA_value -9999\n{lines}\n"
    )
    path.with_suffix(".prj").write_text(proj_crs("EPSG:4548").to_wkt("WKT1_ESRI"))
    return path


def _district(at: Path) -> Path:
    cm = [650.0] * 12
    layer = f.geojson(at / "b.geojson", f.degrees(), oid=list(range(12)), 名=_NAMES, 高=cm)
    f.tif(at / "dem.tif", f.ground())
    path = at / "district.toml"
    path.write_text(_TOML.format(file=layer.name), encoding="utf-8")
    return path


def _build_files(path: Path) -> Built:
    return build_twin(district_from_files([path], height_datum="cgvd1985"), accept_rejects=True)


def _build_district(path: Path) -> Built:
    return build_twin(read_district(path), accept_rejects=True)


Make, Build = Callable[[Path], Path], Callable[[Path], Built]
FORMATS: dict[str, tuple[Make, Build]] = {
    "GeoJSON": (_geojson, _build_files),
    "GeoPackage": (_gpkg, _build_files),
    "Shapefile": (_shp, _build_files),
    "GeoTIFF": (_tif, _build_files),
    "ASC": (_asc, _build_files),
    "district.toml": (_district, _build_district),
    **FURTHER,
    **CITY_FORMATS,
}


def good(name: str, folder: Path) -> Path:
    """Write the good files of a format; return the one that is named when building."""
    folder.mkdir(parents=True)
    return FORMATS[name][0](folder)


def spoil(path: Path, dice: random.Random) -> str:
    """Spoil one of the files that belong together; return how."""
    here = sorted(p for p in path.parent.iterdir() if p.stem == path.stem)
    one = path if dice.random() < 0.5 else dice.choice(here)
    data = bytearray(one.read_bytes())
    n = len(data)
    how = dice.choice(["flip 1", "flip 3", "flip 30", "cut", "hole", "lose", "double", "digit"])
    at, size = dice.randrange(n), max(1, int(n * dice.choice([0.002, 0.02, 0.2])))
    if how.startswith("flip"):
        for _ in range(int(how[5:])):
            data[dice.randrange(n)] ^= dice.randint(1, 255)
    elif how == "cut":
        del data[at:]
    elif how == "hole":
        data[at : at + size] = bytes(len(data[at : at + size]))
    elif how == "lose":
        del data[at : at + size]
    elif how == "double":
        data[at:at] = data[at : at + size]
    else:
        digits = [i for i, byte in enumerate(data) if 48 <= byte <= 57] or [at]
        for i in dice.sample(digits, min(len(digits), 3)):
            data[i] = dice.choice(b"0123456789-.eE")
    one.write_bytes(bytes(data))
    return f"{one.suffix or one.name}: {how} at {at}"


def _one(name: str, origin: Path, at: Path, number: int) -> dict[str, Any]:
    shutil.rmtree(at, ignore_errors=True)
    shutil.copytree(origin.parent, at)
    path = at / origin.name
    dice = random.Random(f"{name} {number}")
    values = {**VALUES, **dict.fromkeys(("GeoJSON", *CITY_FORMATS), spoil_value)}
    one_value = name in values and number % 2 == 0
    how = f"value: {values[name](path, dice)}" if one_value else spoil(path, dice)
    start = time.perf_counter()
    key = ""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            report = FORMATS[name][1](path).report
            total = report.total
            outcome = "built in part" if total.rejected else "built"
            if total.read != total.kept + total.rejected:
                outcome, key = "WRONG", f"{total} does not add up"
            for lang in ("en", "zh"):
                json.dumps(report.record(lang), allow_nan=False)
        except CimError as error:
            outcome, key = "refused", error.key
            if re.search(r"{\w+}", error.message("en") + error.message("zh")):
                outcome = "WRONG"
        except Exception:
            outcome, key = "WRONG", traceback.format_exc(limit=-4)
    return {
        "n": number,
        "how": how,
        "outcome": outcome,
        "key": key,
        "wall_s": round(time.perf_counter() - start, 3),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "warned": sorted({f"{w.category.__name__}: {str(w.message)[:120]}" for w in warned}),
    }


def main(name: str, folder: Path, first: int, last: int) -> None:
    """Spoil and build the copies from `first` up to `last`, that one left out."""
    shutil.rmtree(folder / "good", ignore_errors=True)
    path = good(name, folder / "good")
    FORMATS[name][1](path)  # the good one builds
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    for number in range(first, last):
        print(json.dumps(_one(name, path, folder / "copy", number)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
