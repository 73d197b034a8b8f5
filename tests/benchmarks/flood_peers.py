"""Peers of the flood kernels, each in a virtual environment of its own, made at the first run.

Two cases on 1.5 km by 1.5 km in cells of 10 m, walls around, n 0.03, prepared by each program's
own means before its clock starts. *Rain*: 100 mm/h for half an hour on a slope of 1 per mille,
for schemes without the inertia of advection. *Column*: water 2 m deep within 250 m collapses into
0.5 m on flat ground, 60 s. A peer tells its CPU seconds, its steps, and the mean depth of a disc
at the end: in the middle of the column, at the foot of the slope.
"""

from __future__ import annotations

import json
import os
import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ANUGA", "LANDLAB", "Peer", "Told", "ask"]

SIDE, CELL_M, MANNING = 150, 10.0, 0.03
RADIUS_M, INSIDE_M, OUTSIDE_M, COLUMN_S = 250.0, 2.0, 0.5, 60.0
SLOPE, RAIN_MPS, RAIN_S = 0.001, 100.0 / 3.6e6, 1800.0
DISC_M, FOOT_M = 100.0, 150.0  # the depth is averaged within a disc; its place on the slope

_CASE = f"""
import json, time
import numpy as np
side, cell = {SIDE}, {CELL_M}
half = side * cell / 2
def depth(x, y):
    return np.where(np.hypot(x - half, y - half) < {RADIUS_M}, {INSIDE_M}, {OUTSIDE_M})
def tell(cpu_s, updates, x, y, h):
    disc = float(np.mean(h[np.hypot(x, y - half) < {DISC_M}]))
    print("TOLD " + json.dumps({{"cpu_s": cpu_s, "updates": updates, "disc_m": disc}}))
"""

_LANDLAB = (
    _CASE
    + f"""
from landlab import RasterModelGrid
from landlab.components import OverlandFlow
# A ring of closed nodes around: they are the walls, and hold no water that moves.
grid = RasterModelGrid((side + 2, side + 2), xy_spacing=cell, xy_of_lower_left=(-cell / 2,) * 2)
grid.set_closed_boundaries_at_grid_edges(True, True, True, True)
x, y = grid.x_of_node, grid.y_of_node
grid.add_field("topographic__elevation", {SLOPE} * x, at="node")
grid.add_zeros("surface_water__depth", at="node")
flow = OverlandFlow(
    grid, mannings_n={MANNING}, rainfall_intensity={RAIN_MPS}, steep_slopes=True
)
steps, own = [0], flow.calc_time_step
def counted():
    steps[0] += 1
    return own()
flow.calc_time_step = counted
start = time.process_time()
flow.overland_flow(dt={RAIN_S})
cpu_s, h = time.process_time() - start, grid.at_node["surface_water__depth"]
tell(cpu_s, steps[0] * side**2, x - {FOOT_M}, y, h)
"""
)

_ANUGA = (
    _CASE
    + f"""
import anuga
domain = anuga.rectangular_cross_domain(side, side, len1=side * cell, len2=side * cell)
domain.set_store(False)
domain.set_quantity("elevation", 0.0)
domain.set_quantity("friction", {MANNING})
domain.set_quantity("stage", lambda x, y: depth(x, y), location="centroids")
wall = anuga.Reflective_boundary(domain)
domain.set_boundary({{name: wall for name in domain.get_boundary_tags()}})
steps = 0
start = time.process_time()
for _ in domain.evolve(yieldstep={COLUMN_S}, finaltime={COLUMN_S}):
    steps += domain.number_of_steps
cpu_s = time.process_time() - start
x, y = domain.get_centroid_coordinates().T
h = domain.quantities["stage"].centroid_values
tell(cpu_s, steps * len(domain), x - half, y, h)
"""
)


@dataclass(frozen=True)
class Peer:
    """A program, what pip calls it, and the script that runs the case in it."""

    name: str
    wants: tuple[str, ...]
    script: str


@dataclass(frozen=True)
class Told:
    """CPU seconds, cell updates and depth of the disc, or why there are none."""

    cpu_s: float | None = None
    updates: int = 0
    disc_m: float = 0.0
    why: str = ""


LANDLAB = Peer("landlab 2.10.1 (steep_slopes)", ("landlab==2.10.1",), _LANDLAB)
ANUGA = Peer("ANUGA 4.1.0 (DE0, 4 triangles)", ("anuga==4.1.0",), _ANUGA)


def ask(peer: Peer) -> Told:
    """Run the case in a peer, on one thread; the median of three runs by CPU seconds."""
    python, why = _python(peer)
    if python is None:
        return Told(why=why)
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    found = []
    for _ in range(3):
        done = subprocess.run(
            [python, "-c", peer.script],
            capture_output=True, text=True, check=False, env={**os.environ, **one},
        )  # fmt: skip
        lines = [line for line in done.stdout.splitlines() if line.startswith("TOLD ")]
        if done.returncode or not lines:
            return Told(why=(done.stderr.strip().splitlines() or ["no answer"])[-1][:120])
        found.append(Told(**json.loads(lines[-1].removeprefix("TOLD "))))
    return sorted(found, key=lambda told: told.cpu_s or 0.0)[1]


def _python(peer: Peer) -> tuple[str | None, str]:
    """The Python of the peer's own environment, or None and why it cannot be had."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "cim-twin")
    home = cache / peer.wants[0].replace("==", "-")
    python, ready = home / "bin" / "python", home / "ready"
    if not ready.exists():
        venv.create(home, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "-q", *peer.wants]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            return None, (done.stderr.strip().splitlines() or ["pip failed"])[-1][:120]
        ready.touch()
    return str(python), ""
