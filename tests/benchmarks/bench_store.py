"""A hundred thousand buildings to disk and back: the store beside geopandas and GeoPackage."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cim.model import Edit, Twin
from cim.query import box, by_id
from cim.store import commit, create, open_twin
from tests.benchmarks.measure import Row, installed, median_cpu_s
from tests.benchmarks.metropolis import SIDE_M, metropolis
from tests.towns import EAST, NORTH

__all__ = ["bench"]

PEER = "geopandas+pyogrio"
_SHARE = 0.001  # of the ground that a box asks for
_ASKED = 50


def bench() -> list[Row]:
    """Measure create, open, whole read, box, id and edit, each beside the peer's own way."""
    twin = metropolis()
    with tempfile.TemporaryDirectory() as folder:
        return _rows(twin, Path(folder))


def _rows(twin: Twin, folder: Path) -> list[Row]:
    table = twin.table("building")
    path, turn = folder / "metropolis.cim", itertools.count()
    rng = np.random.default_rng(7)
    side = SIDE_M * np.sqrt(_SHARE)
    corner = rng.uniform(0, SIDE_M - side, (_ASKED, 2)) + (EAST, NORTH)
    boxes = [(float(x), float(y), float(x + side), float(y + side)) for x, y in corner]
    ids = [str(i) for i in rng.choice(table.ids, _ASKED)]

    def build() -> None:
        shutil.rmtree(path, ignore_errors=True)
        create(twin, path)

    def edit() -> None:
        values = {"name": f"改{next(turn)}"}
        commit(path, [Edit("change", "building", i, values) for i in ids], why="bench")

    create_s = median_cpu_s(build)
    stored = open_twin(path)
    ours = {
        "open": median_cpu_s(lambda: open_twin(path)),
        "read": median_cpu_s(lambda: open_twin(path).table("building")),
        "box": median_cpu_s(lambda: [box(stored, b, layer="building") for b in boxes]) / _ASKED,
        "id": median_cpu_s(lambda: [by_id(stored, i) for i in ids]) / _ASKED,
        "edit": median_cpu_s(edit),
    }
    found = {b: set(box(stored, b, layer="building").ids) for b in boxes[:3]}
    theirs = _geopandas(twin, folder / "peer.gpkg", boxes, ids, found) if _here() else {}
    n = f"{len(table):,} buildings"
    return [
        Row(f"create, {n}", create_s, peer=f"{PEER} to_file", peer_s=theirs.get("create"),
            note="ours also indexes ids, watches rows, fsyncs; the peer writes no empty columns"),
        Row("open", ours["open"], peer="pyogrio.read_info", peer_s=theirs.get("open")),
        Row(f"read all, {n}", ours["read"], peer=f"{PEER} read_file", peer_s=theirs.get("read")),
        Row("box of 0.1 % of the ground, one of 50", ours["box"], peer=f"{PEER} bbox=",
            peer_s=theirs.get("box")),
        Row("look up an id, one of 50", ours["id"], peer=f"{PEER} where=", peer_s=theirs.get("id")),
        Row("edit 50 buildings, durable, with history", ours["edit"], peer=f"{PEER} rewrite",
            peer_s=theirs.get("edit"), note="the peer reads all, changes, writes all, no history"),
    ]  # fmt: skip


def _here() -> bool:
    return installed("geopandas") and installed("pyogrio")


def _geopandas(
    twin: Twin, path: Path, boxes: list[Any], ids: list[str], found: dict[Any, set[str]]
) -> dict[str, float]:
    import geopandas
    import pyogrio

    table = twin.table("building")
    data = geopandas.GeoDataFrame(
        {"id": table.ids, **table.columns}, geometry=table.geometry, crs=twin.frame.crs
    )
    data = data.dropna(axis="columns", how="all")

    def write(frame: Any) -> None:
        path.unlink(missing_ok=True)
        frame.to_file(path, layer="building", driver="GPKG", engine="pyogrio")

    def read(**options: Any) -> Any:
        return geopandas.read_file(path, layer="building", engine="pyogrio", **options)

    def edit() -> None:
        frame = read()
        frame.loc[frame["id"].isin(ids), "name"] = "改"
        write(frame)

    work: dict[str, tuple[Callable[[], object], int]] = {
        "create": (lambda: write(data), 1),
        "open": (lambda: pyogrio.read_info(path, layer="building"), 1),
        "read": (read, 1),
        "box": (lambda: [read(bbox=b) for b in boxes], _ASKED),
        "id": (lambda: [read(where=f"id = '{i}'") for i in ids[:5]], 5),
        "edit": (edit, 1),
    }
    times = {name: median_cpu_s(call) / count for name, (call, count) in work.items()}
    for one, answer in found.items():  # the same question, the same answer
        assert set(read(bbox=one)["id"]) == answer, one
    return times
