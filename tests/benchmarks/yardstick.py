"""How fast this machine rasterises in software: a plain scene, drawn by others, CPU s a frame.

Memory speed says little of it: the core the bars are scaled to, with a triad of 15.6 GB/s,
drew this scene in 0.675 CPU s (Mesa's llvmpipe through EGL, two threads); a core with a
triad of 29 GB/s takes as long. The scene is rebuilt from its description: 100,000 prisms
over octagons, 28 triangles each, colours a face, as one mesh of PyVista's, over a terrain of
130,000 triangles; 1280 x 720, no multisampling, all of it in view.

``python -m tests.benchmarks.yardstick`` prints the seconds.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

__all__ = ["DRAWING", "REFERENCE_S", "yardstick_s"]

REFERENCE_S = 0.675
DRAWING = ("moving", "scenes")  # benches whose bars it scales

_BODIES, _STEP_M, _FRAMES = 100_000, 30.0, 7
_SIDE = 256  # points of the terrain along a side: 130,050 triangles
_FAN = np.array([(0, i, i + 1) for i in range(1, 7)])


def yardstick_s() -> float:
    """Return the median CPU seconds of a frame, each from another side."""
    import pyvista as pv

    plotter: Any = pv.Plotter(off_screen=True, window_size=[1280, 720])
    plotter.render_window.SetMultiSamples(0)
    side = round(np.sqrt(_BODIES)) * _STEP_M
    prisms, terrain = _prisms(), _terrain(side)
    plotter.add_mesh(terrain, color="tan", copy_mesh=False)
    plotter.add_mesh(prisms, scalars="height", copy_mesh=False, show_scalar_bar=False)
    took = []
    for i in range(_FRAMES + 2):
        turn = np.radians(30 + 0.4 * i)
        away = np.array([np.sin(turn), -np.cos(turn), 0.75]) * 1.25 * side
        plotter.camera.position, plotter.camera.focal_point = away, (0.0, 0.0, 0.0)
        plotter.camera.up = (0.0, 0.0, 1.0)
        plotter.renderer.ResetCameraClippingRange()
        start = time.process_time()
        plotter.render_window.Render()
        plotter.render_window.WaitForCompletion()
        took.append(time.process_time() - start)
    plotter.close()
    return float(np.median(took[2:]))


def _prisms() -> Any:
    import pyvista as pv

    rng = np.random.default_rng(7)
    wide = int(np.ceil(np.sqrt(_BODIES)))
    place = np.arange(_BODIES)
    middle = np.c_[place % wide, place // wide] * _STEP_M - wide * _STEP_M / 2
    height = rng.uniform(6, 60, _BODIES)
    turn = np.arange(8) * np.pi / 4
    ring = middle[:, None, :] + 9.0 * np.c_[np.cos(turn), np.sin(turn)]
    foot = np.concatenate([ring, np.zeros((_BODIES, 8, 1))], axis=2)
    head = np.concatenate([ring, np.broadcast_to(height[:, None, None], (_BODIES, 8, 1))], axis=2)
    points = np.concatenate([foot, head], axis=1).reshape(-1, 3).astype(np.float32)
    a = np.arange(8)
    b = (a + 1) % 8
    one = np.concatenate([np.c_[a, b, b + 8], np.c_[a, b + 8, a + 8], _FAN + 8, _FAN[:, ::-1]])
    faces = (one[None] + 16 * place[:, None, None]).reshape(-1, 3)
    mesh = pv.PolyData(points, np.c_[np.full(len(faces), 3), faces].ravel())
    mesh.cell_data["height"] = np.repeat(height, len(one)).astype(np.float32)
    return mesh


def _terrain(side: float) -> Any:
    import pyvista as pv

    at = np.linspace(-side * 0.55, side * 0.55, _SIDE)
    x, y = np.meshgrid(at, at)
    points = np.c_[x.ravel(), y.ravel(), (5 * np.sin(x / 700) - 6).ravel()].astype(np.float32)
    corner = (np.arange(_SIDE - 1)[:, None] * _SIDE + np.arange(_SIDE - 1)).ravel()
    faces = np.concatenate([np.c_[corner, corner + 1, corner + _SIDE],
                            np.c_[corner + 1, corner + _SIDE + 1, corner + _SIDE]])  # fmt: skip
    return pv.PolyData(points, np.c_[np.full(len(faces), 3), faces].ravel())


if __name__ == "__main__":
    print(f"{yardstick_s():.4f}")
