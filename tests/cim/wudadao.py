"""The made layers of Wudadao as the tests see them: read from the files, in EPSG:4548."""

from __future__ import annotations

import csv
import json
import random
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.geometry import shape

from cim.crs import transform

FOLDER = Path(__file__).resolve().parents[2] / "data" / "wudadao"
LAYERS = sorted(path.stem for path in FOLDER.glob("*.geojson"))


@cache
def layer(name: str) -> list[tuple[dict[str, Any], Any]]:
    """Return (properties, geometry in EPSG:4548) of a made layer."""
    made = json.loads((FOLDER / f"{name}.geojson").read_text(encoding="utf-8"))
    shapes = [shape(one["geometry"]) for one in made["features"]]
    moved = transform(np.array(shapes, dtype=object), source="EPSG:4490", target="EPSG:4548")
    return [(one["properties"], m) for one, m in zip(made["features"], moved, strict=True)]


@cache
def table(name: str) -> list[dict[str, str]]:
    """Return the rows of a table of facts."""
    with (FOLDER / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def road_lines() -> dict[str, list[Any]]:
    """Return the links of every road."""
    lines: dict[str, list[Any]] = {}
    for properties, line in layer("roads"):
        lines.setdefault(properties["路名"], []).append(line)
    return lines


@cache
def courses() -> dict[str, Any]:
    """Return every road in one line, drawn as its numbers rise."""
    return {
        name: shapely.line_merge(shapely.union_all(lines), directed=True)
        for name, lines in road_lines().items()
    }


@cache
def ground() -> tuple[np.ndarray, Any]:
    """Return the terrain's levels, metres, and the place of its cells."""
    import rasterio

    with rasterio.open(FOLDER / "terrain.tif") as file:
        return file.read(1) * file.scales[0], file.transform


def level_at(x: float, y: float) -> float:
    """Return the level of the cell under a point."""
    levels, place = ground()
    return float(levels[int(place.f - y), int(x - place.c)])


@cache
def readings() -> dict[str, np.ndarray]:
    """Return the day of every sensor."""
    series: dict[str, list[float]] = {}
    with (FOLDER / "readings.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            series.setdefault(row["sensor"], []).append(float(row["value"]))
    return {name: np.array(values) for name, values in series.items()}


def shuffled(source: Path, target: Path, chance: random.Random) -> None:
    """Copy the tables of a district, the rows of each in another order."""
    shutil.copytree(source / "tables", target / "tables")
    shutil.copy(source / "district.toml", target)
    moved = 0
    for path in (target / "tables").glob("*.csv"):
        head, *rows = path.read_text(encoding="utf-8").splitlines()
        mixed = chance.sample(rows, len(rows))
        moved += mixed != rows
        path.write_text("\n".join([head, *mixed]) + "\n", encoding="utf-8")
    assert moved >= 2


def assert_same(new: Path, old: Path) -> None:
    """Assert that two made layers hold the same records with the same ids, cell by cell."""
    import rasterio

    if new.suffix == ".tif":  # deflate differs between libraries, the cells must not
        with rasterio.open(new) as one, rasterio.open(old) as other:
            assert np.array_equal(one.read(1), other.read(1))
            assert (one.profile, one.scales, one.units) == (
                other.profile,
                other.scales,
                other.units,
            )
        return
    records = [path.read_text(encoding="utf-8").splitlines() for path in (new, old)]
    for mine, theirs in zip(*records, strict=True):
        assert mine == theirs, new.name
    assert new.read_bytes() == old.read_bytes(), new.name
