"""What a user waits for first: import, opening the sketch, one question, as whole processes."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.benchmarks.measure import Row, installed, process_cpu_s

__all__ = ["bench"]

ROOT = Path(__file__).resolve().parents[2]
DISTRICT = ROOT / "data" / "wudadao" / "district.toml"
BAR_S = 0.3


def bench() -> list[Row]:
    """Measure the start of the program; every figure holds the interpreter's own start too."""
    with tempfile.TemporaryDirectory() as folder:
        twin = Path(folder, "wudadao.cim")
        _build(twin)
        east, north = _middle(twin)
        question = [str(twin), "near", "--xy", east, north, "--radius-m", "100"]
        bare = process_cpu_s([sys.executable, "-c", "pass"])
        return [
            Row("import cim", _code("import cim"), peer="bare python", peer_s=bare, bar_s=BAR_S),
            Row(
                "import cim; cim.open(sketch)",
                _code(f"import cim; cim.open({str(twin)!r})"),
                peer="geopandas: import alone",
                peer_s=_code("import geopandas") if installed("geopandas") else None,
                bar_s=BAR_S,
            ),
            Row(
                "cim query near (sketch, 100 m)",
                process_cpu_s([sys.executable, "-c", _CLI, "query", *question]),
                peer="geopandas: read city.gpkg + dwithin",
                peer_s=_code(_PEER.format(file=_database(twin), x=east, y=north))
                if installed("geopandas")
                else None,
                note="the peer reads one layer, ours asks all",
            ),
        ]


_CLI = "from cim.cli import _entry; _entry()"  # what the console script `cim` does
_PEER = (
    "import geopandas, shapely; g = geopandas.read_file({file!r}, layer='building'); "
    "print(g[g.dwithin(shapely.Point({x}, {y}), 100)].to_json())"
)


def _code(code: str) -> float:
    return process_cpu_s([sys.executable, "-c", code])


def _build(path: Path) -> None:
    from cim.cli._keep import keep
    from cim.jobs import QUIET
    from cim.sources import build_twin, read_district

    keep(build_twin(read_district(DISTRICT)), path, replace=False, job=QUIET)


def _middle(path: Path) -> tuple[str, str]:
    from cim.store import open_twin

    box = open_twin(path).table("building").bounds()
    assert box is not None
    return f"{(box[0] + box[2]) / 2:.1f}", f"{(box[1] + box[3]) / 2:.1f}"


def _database(path: Path) -> str:
    from cim.store import open_twin

    return str(open_twin(path).folder / "city.gpkg")
