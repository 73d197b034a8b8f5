"""A hundred thousand buildings to a first and a second frame, beside PyVista by hand."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.measure import REPEATS, Row, installed, process_cpu_s
from tests.benchmarks.metropolis import BUILDINGS, metropolis, outlines
from tests.towns import EAST, NORTH

__all__ = ["bench", "merged_frames"]

SIZE = (1280, 720)
_ACTORS = 1000
_FIRST_S = 1.5


def bench() -> list[Row]:
    """Measure from data in memory to pixels; `first` holds VTK's own start."""
    if not installed("pyvista"):
        raise SystemExit("pyvista is not installed: nothing to draw with")
    # each way in turn, three times: what VTK sets up once falls to the very first of all
    _merged()
    ours, merged, actors = ([shoot() for _ in range(REPEATS)] for shoot in (_ours, _merged, _naive))
    first, second = np.median(ours, axis=0)
    merged_first, merged_second = np.median(merged, axis=0)
    naive_first, naive_second = np.median(actors, axis=0) * BUILDINGS / _ACTORS
    n = f"{BUILDINGS:,} buildings"
    scaled = f"{_ACTORS:,} actors measured, times {BUILDINGS // _ACTORS}: scaled, not run"
    note = "ours adds ground, painted shade, roof edges, texts, ids; the peers only walls and roofs"
    one, each = "PyVista, one merged add_mesh", "PyVista, an actor a building"
    return [
        Row(f"data to first frame, {n}", first, peer=one, peer_s=merged_first, bar_s=_FIRST_S,
            note=note, drawn=True),
        Row("second frame", second, peer=one, peer_s=merged_second, drawn=True),
        Row(f"data to first frame, {n}", first, peer=each, peer_s=naive_first, bar_s=_FIRST_S,
            note=scaled, drawn=True),
        Row("second frame", second, peer=each, peer_s=naive_second, note=scaled, drawn=True),
        _new_process(),
    ]  # fmt: skip


def _new_process() -> Row:
    """Start the interpreter, import, open the stored city, draw it into a PNG."""
    from cim.store import create

    with tempfile.TemporaryDirectory() as folder:
        twin, corners = Path(folder, "city.cim"), Path(folder, "city.npz")
        create(_twin(), twin)
        xy, height_m = outlines()
        np.savez(corners, xy=xy, height_m=height_m)
        code, peer = (text.format(twin=str(twin), corners=str(corners), folder=folder)
                      for text in (_OURS, _PEER))  # fmt: skip
        return Row(
            f"new process to first frame, {BUILDINGS:,} stored",
            process_cpu_s([sys.executable, "-c", code]),
            peer="PyVista, one merged add_mesh",
            peer_s=process_cpu_s([sys.executable, "-c", peer]),
            bar_s=_FIRST_S,
            note="imports, opening and a PNG in both; the peer finds its corners as plain arrays",
            drawn=True,
        )


_OURS = """
from pathlib import Path
from cim.store import open_twin
from scenes.render import render_scene
from scenes.scene import Scene
scene = Scene(size=(1280, 720), layers=("building",))
report = render_scene(scene, open_twin({twin!r}), path=Path({folder!r}, "ours.png"))
assert report.objects == 100_000 and not report.failed, report
"""
_PEER = """
import numpy as np
from tests.benchmarks.bench_scenes import merged_frames
with np.load({corners!r}) as kept:
    merged_frames(kept["xy"], kept["height_m"], png={folder!r} + "/peer.png")
"""


def _ours() -> tuple[float, float]:
    from scenes.render import render_scene
    from scenes.scene import Scene

    twin = _twin()
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(size=SIZE, layers=("building",))
        report = render_scene(scene, twin, path=Path(folder, "city.png"))
    assert report.objects >= BUILDINGS and not report.failed, report
    return report.first_frame_cpu_s, report.frame_cpu_s


_kept: list[Any] = []


def _twin() -> Any:
    if not _kept:
        _kept.append(metropolis())
    return _kept[0]


def _merged() -> tuple[float, float]:
    return merged_frames(*outlines())


def merged_frames(corners: Any, height_m: Any, *, png: str | None = None) -> tuple[float, float]:
    """Extrude all footprints into one PolyData by numpy and draw it in one call, twice."""
    import pyvista as pv

    start = time.process_time()
    n, k, _ = corners.shape
    flat = corners - (EAST, NORTH)
    floor = np.concatenate([flat, np.zeros((n, k, 1))], axis=2)
    roof = np.concatenate([flat, np.broadcast_to(height_m[:, None, None], (n, k, 1))], axis=2)
    points = np.concatenate([floor, roof], axis=1).reshape(-1, 3).astype(np.float32)
    at = (2 * k * np.arange(n))[:, None]
    here = np.arange(k)
    after = np.roll(here, -1)
    wall = np.stack([np.full(k, 4), here, after, after + k, here + k], axis=1)
    wall = at[:, :, None] + wall[None]
    wall[..., 0] = 4
    # an L is a fan from its inner corner, number 3; so is a box
    fan = np.array([(3, 4, 5), (3, 5, 0), (3, 0, 1), (3, 1, 2)]) + k
    lid = np.insert(at[:, :, None] + fan[None], 0, 3, axis=2)
    mesh = pv.PolyData(points, np.concatenate([wall.ravel(), lid.ravel()]))
    return _frames(start, [mesh], png=png)


def _naive() -> tuple[float, float]:
    import pyvista as pv

    corners, height_m = outlines()
    start = time.process_time()
    meshes = []
    for ring, height in zip(corners[:_ACTORS] - (EAST, NORTH), height_m, strict=False):
        face = np.column_stack([ring, np.zeros(len(ring))]).astype(np.float32)
        base = pv.PolyData(face, [len(face), *range(len(face))])
        meshes.append(base.extrude((0, 0, float(height)), capping=True))
    return _frames(start, meshes)


def _frames(start: float, meshes: list[Any], *, png: str | None = None) -> tuple[float, float]:
    import pyvista as pv

    plotter: Any = pv.Plotter(off_screen=True, window_size=list(SIZE))
    for mesh in meshes:
        plotter.add_mesh(mesh, color="tan", copy_mesh=False)
    plotter.enable_anti_aliasing("msaa", multi_samples=4)
    plotter.render()
    plotter.screenshot(png, return_img=True)
    first = time.process_time() - start
    start = time.process_time()
    plotter.render()
    second = time.process_time() - start
    plotter.close()
    return first, second
