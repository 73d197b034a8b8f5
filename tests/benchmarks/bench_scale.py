"""A hundred thousand and a million buildings from a file to a twin, and questions to it.

The peer does the same work in the same run: reads the file, checks and mends polygons,
drops duplicates, writes a GeoPackage with its index; then box and id from that file.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import shapely

from cim.cli._keep import keep
from cim.jobs import QUIET
from cim.query import box, by_id
from cim.sources import Parts, build_twin, district_from_files
from cim.store import open_twin, update
from tests.benchmarks.measure import Row
from tests.benchmarks.metropolis import outlines

__all__ = ["bench"]

PEER = "geopandas+pyogrio"
SIZES = {100_000: (30.0, 2.0, 0.005, 0.0001), 1_000_000: (300.0, 0.7, 0.025, 0.0001)}
_SHARE = 0.001  # of the ground that a box asks for
_ASKED = 50


def bench() -> list[Row]:
    """Measure both sizes, ours and the peer each in processes of their own for their memory."""
    rows = []
    for count, bars in SIZES.items():
        with tempfile.TemporaryDirectory() as folder:
            told = {who: _child(who, count, Path(folder)) for who in ("make", "ours", "peer")}
        rows += _rows(count, bars, told["ours"], told["peer"])
    return rows


def _rows(
    count: int, bars: tuple[float, ...], ours: dict[str, Any], peer: dict[str, Any]
) -> list[Row]:
    assert ours["kept"] == count and ours["found"] == peer["found"], "not the same answer"
    n, held = f"{count:,} buildings", f"{ours['peak_gb']:.1f} GB, the peer {peer['peak_gb']:.1f}"
    memory = "kept" if ours["peak_gb"] <= bars[1] else "MISSED"
    return [
        Row(f"file to twin, {n}", ours["build"], peer=PEER, peer_s=peer["build"], bar_s=bars[0],
            note=f"one run; {held}: bar {bars[1]:g} GB {memory}. Ours also makes ids, a report, "
                 "an index of ids, triggers, a history"),
        Row(f"box of 0.1 % of {n}, one of {_ASKED}", ours["box"], peer=PEER, peer_s=peer["box"],
            bar_s=bars[2], note=f"median of 5 rounds, {ours['per_box']:.0f} buildings a box"),
        Row(f"id among {n}, one of {_ASKED}", ours["id"], peer=PEER, peer_s=peer["id"],
            bar_s=bars[3], note="the peer has no index of ids: where=\"id = …\""),
        Row(f"update with the same {n}", ours["update"], note="reads, compares, changes nothing"),
    ]  # fmt: skip


def _child(who: str, count: int, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_scale", who, str(count), str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _make(count: int, folder: Path) -> dict[str, Any]:
    corners, height_m = outlines(count)
    data = {"name": [f"房屋{i}" for i in range(count)], "height_m": height_m,
            "storeys_above": height_m / 3.0}  # fmt: skip
    frame = geopandas.GeoDataFrame(data, geometry=shapely.polygons(corners), crs="EPSG:4548")
    frame.to_file(folder / "city.gpkg", layer="building", driver="GPKG", engine="pyogrio")
    return {}


def _boxes(bounds: Any) -> list[tuple[float, float, float, float]]:
    xmin, ymin, xmax, ymax = bounds
    width, height = np.sqrt(_SHARE) * np.array([xmax - xmin, ymax - ymin])
    rng = np.random.default_rng(7)
    x, y = rng.uniform(xmin, xmax - width, _ASKED), rng.uniform(ymin, ymax - height, _ASKED)
    return [
        (float(a), float(b), float(a + width), float(b + height)) for a, b in zip(x, y, strict=True)
    ]


def _ours(count: int, folder: Path) -> dict[str, Any]:
    start = time.process_time()
    parts = Parts(folder / "city.cim.work")  # as the verb does
    built = build_twin(district_from_files([folder / "city.gpkg"]), parts=parts)
    keep(built, folder / "city.cim", replace=False, job=QUIET, resumable=True)
    told: dict[str, Any] = {"build": time.process_time() - start,
                            "kept": built.report.total.kept, "peak_gb": _peak_gb()}  # fmt: skip
    table = built.twin.table("building")
    boxes = _boxes(table.bounds())
    ids = [str(i) for i in np.random.default_rng(7).choice(table.ids, _ASKED)]
    del table, built
    parts.end()
    stored = open_twin(folder / "city.cim")
    told["box"] = _median(lambda: [box(stored, b, layer="building") for b in boxes])
    told["id"] = _median(lambda: [by_id(stored, i) for i in ids])
    told["found"] = [len(box(stored, b, layer="building")) for b in boxes]
    told["per_box"] = float(np.mean(told["found"]))
    start = time.process_time()
    again = build_twin(district_from_files([folder / "city.gpkg"]), frame=stored.frame)
    assert update(folder / "city.cim", again.twin, why="again").id is None
    return {**told, "update": time.process_time() - start}


def _peer(count: int, folder: Path) -> dict[str, Any]:
    start = time.process_time()
    frame = geopandas.read_file(folder / "city.gpkg", layer="building", engine="pyogrio")
    bad = ~frame.geometry.is_valid
    frame.loc[bad, "geometry"] = frame.geometry[bad].make_valid()
    keys = frame.drop(columns="geometry").assign(wkb=frame.geometry.normalize().to_wkb())
    frame = frame[~keys.duplicated()]
    frame["id"] = [f"b{i}" for i in range(len(frame))]
    frame.to_file(folder / "peer.gpkg", layer="building", driver="GPKG", engine="pyogrio")
    told: dict[str, Any] = {"build": time.process_time() - start, "peak_gb": _peak_gb()}
    boxes = _boxes(frame.total_bounds)
    ids = [f"b{i}" for i in np.random.default_rng(7).integers(0, len(frame), 5)]
    del frame, keys

    def read(**options: Any) -> Any:
        return geopandas.read_file(folder / "peer.gpkg", layer="building", engine="pyogrio",
                                   **options)  # fmt: skip

    told["box"] = _median(lambda: [read(bbox=b) for b in boxes])
    told["id"] = _median(lambda: [read(where=f"id = '{i}'") for i in ids], asked=len(ids), rounds=1)
    told["found"] = [len(read(bbox=b)) for b in boxes]
    return told


def _median(work: Any, *, asked: int = _ASKED, rounds: int = 5) -> float:
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append((time.process_time() - start) / asked)
    return float(np.median(times))


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    work = {"make": _make, "ours": _ours, "peer": _peer}[sys.argv[1]]
    print(json.dumps(work(int(sys.argv[2]), Path(sys.argv[3]))))
