"""One polygon of ten million vertices: taken or refused in words, within bounds of memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.soak

_CODE = """
import json, resource, sys, time
from pathlib import Path
import geopandas, numpy as np, shapely
from cim.sources import build_twin, district_from_files

path, vertices = Path(sys.argv[1]), int(sys.argv[2])
angle = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
far = 900 + 5 * np.sin(400 * angle)
xy = np.column_stack([517000 + far * np.cos(angle), 4330000 + far * np.sin(angle)])
small = shapely.box(518500, 4330000, 518510, 4330010)
frame = geopandas.GeoDataFrame(geometry=[shapely.Polygon(xy), small], crs="EPSG:4548")
frame.to_file(path, layer="building", driver="GPKG", engine="pyogrio")
del frame, xy, far, angle
start = time.process_time()
report = build_twin(district_from_files([path])).report
print(json.dumps({"read": report.total.read, "kept": report.total.kept,
                  "rejected": report.total.rejected, "cpu_s": time.process_time() - start,
                  "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6}))
"""


def test_a_polygon_of_ten_million_vertices_is_accounted_for(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CODE, str(tmp_path / "large.gpkg"), "10000000"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    print(f"\nten million vertices: {told}")
    assert told["read"] == told["kept"] + told["rejected"] == 2
    assert told["peak_gb"] < 8.0
