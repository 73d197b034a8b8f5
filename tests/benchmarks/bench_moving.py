"""Scenes that move: a hundred thousand buildings orbited, dragged, picked, recoloured."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.measure import REPEATS, Row, installed
from tests.benchmarks.metropolis import BUILDINGS, metropolis, outlines
from tests.towns import EAST, NORTH

__all__ = ["bench"]

SIZE = (1280, 720)
_FRAMES = 5
_PICKS = 2000
_SIDE = 1000  # cells of the flood along one side


def bench() -> list[Row]:
    """Measure frames, each from another side, without the pixels' way back: as in a window."""
    if not installed("pyvista"):
        raise SystemExit("pyvista is not installed: nothing to draw with")
    from kernels.warm import warm_all
    from scenes.backend import Canvas
    from scenes.compose import compose
    from scenes.pick import Picker
    from scenes.probe import require_opengl
    from scenes.scene import Scene

    require_opengl()
    warm_all()
    scene = Scene(size=SIZE, layers=("building",))
    with Canvas(compose(scene, metropolis(1000)), SIZE) as canvas:  # what VTK sets up once
        canvas.frame(compose(scene, metropolis(1000)).camera)
    twin = metropolis()
    before = _resident_kb()
    picture = compose(scene, twin)
    with Canvas(picture, SIZE) as canvas:
        canvas.frame(picture.camera)
        memory = (_resident_kb() - before) / BUILDINGS
        tiles = [tile for tile in canvas.tiles if tile.objects and tile.triangles]
        assert len(tiles) == len(canvas.tiles) and sum(t.objects for t in tiles) == BUILDINGS
        note = (f"{len(tiles)} tiles in view, {canvas.triangles:,} triangles; "
                f"{memory:.2f} kB a building in memory, promised 4")  # fmt: skip
        plotter, mesh = _merged()
        peer = {"peer": "PyVista, one merged add_mesh"}
        rest = _frames(lambda i: canvas.frame(_turned(picture.camera, i), read=False))
        peer_rest = _frames(lambda i: _peer_frame(plotter, _turned(picture.camera, i)))
        rows = [Row("orbit frame at rest, city in view", rest, bar_s=0.25, **peer,
                    peer_s=peer_rest, note=note, drawn=True)]  # fmt: skip
        drag = _frames(
            lambda i: canvas.frame(_turned(picture.camera, i), dragging=True, read=False)
        )
        rows.append(Row("orbit frame while dragging", drag, bar_s=0.12, **peer, peer_s=peer_rest,
                        note="the peer knows no coarser way", drawn=True))  # fmt: skip
        street = _street(picture)
        canvas.frame(street)
        walk = _frames(lambda i: canvas.frame(_turned(street, i), read=False))
        peer_walk = _frames(lambda i: _peer_frame(plotter, _turned(street, i)))
        rows.append(Row("street view frame", walk, bar_s=0.1, **peer, peer_s=peer_walk,
                        note="with windows and roof edges nearby", drawn=True))  # fmt: skip
        rows += _recolour(canvas, picture, plotter, mesh)
        rows.append(_pick(Picker(picture), picture, plotter))
        plotter.close()
    rows.append(_flood())
    return rows


def _resident_kb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1024


def _frames(draw: Callable[[int], object]) -> float:
    """Return the median CPU seconds of frames after the first two."""
    took = []
    for i in range(_FRAMES + 2):
        start = time.process_time()
        draw(i)
        took.append(time.process_time() - start)
    return float(np.median(took[2:]))


def _turned(camera: Any, i: int) -> Any:
    from dataclasses import replace

    turn = np.radians(0.4 * i)
    spin = np.array([(np.cos(turn), -np.sin(turn), 0), (np.sin(turn), np.cos(turn), 0), (0, 0, 1)])
    position = camera.focus + spin @ (camera.position - camera.focus)
    return replace(camera, position=position, up=spin @ camera.up)


def _street(picture: Any) -> Any:
    """Return a camera at eye level before the densest tile."""
    from scenes.camera import Camera

    (blocks,) = picture.blocks
    tile = int(np.argmax(np.diff(blocks.tile_start)))
    first = blocks.order[blocks.tile_start[tile]]
    focus = np.r_[blocks.box[first].mean(axis=0), 8.0]
    return Camera(focus + (-20.0, -60.0, 4.0), focus, np.array([0.0, 0.0, 1.0]), 0.0)


def _merged() -> tuple[Any, Any]:
    """Return a plotter with the same walls and roofs in one mesh, colours per face."""
    import pyvista as pv

    corners, height_m = outlines()
    n, k, _ = corners.shape
    flat = corners - (EAST, NORTH)
    shift = np.floor((flat.reshape(-1, 2).min(axis=0) + flat.reshape(-1, 2).max(axis=0)) / 2)
    flat = flat - shift
    floor = np.concatenate([flat, np.zeros((n, k, 1))], axis=2)
    roof = np.concatenate([flat, np.broadcast_to(height_m[:, None, None], (n, k, 1))], axis=2)
    points = np.concatenate([floor, roof], axis=1).reshape(-1, 3).astype(np.float32)
    at = (2 * k * np.arange(n))[:, None]
    here, after = np.arange(k), np.roll(np.arange(k), -1)
    wall = np.stack([np.full(k, 4), here, after, after + k, here + k], axis=1)
    walls = at[:, :, None] + wall[None]
    walls[..., 0] = 4
    fan = np.array([(3, 4, 5), (3, 5, 0), (3, 0, 1), (3, 1, 2)]) + k
    lids = np.insert(at[:, :, None] + fan[None], 0, 3, axis=2)
    mesh = pv.PolyData(points, np.concatenate([walls.ravel(), lids.ravel()]))
    mesh.point_data["rgb"] = np.full((len(points), 3), 180, np.uint8)
    plotter: Any = pv.Plotter(off_screen=True, window_size=list(SIZE))
    plotter.add_mesh(mesh, scalars="rgb", rgb=True, copy_mesh=False)
    plotter.render_window.Render()
    return plotter, mesh


def _peer_frame(plotter: Any, camera: Any) -> None:
    plotter.camera.position, plotter.camera.focal_point = camera.position, camera.focus
    plotter.camera.up, plotter.camera.view_angle = camera.up, camera.view_angle_deg
    plotter.renderer.ResetCameraClippingRange()
    plotter.render_window.Render()
    plotter.render_window.WaitForCompletion()


def _recolour(canvas: Any, picture: Any, plotter: Any, mesh: Any) -> list[Row]:
    rng = np.random.default_rng(3)
    canvas.frame(picture.camera, read=False)
    colours = [rng.integers(60, 250, (BUILDINGS, 3)).astype(np.uint8) for _ in range(3)]
    own = _frames(lambda i: canvas.recolour("building", colours[i % 3], colours[i % 3]))
    whole = _frames(
        lambda i: (
            canvas.recolour("building", colours[i % 3], colours[i % 3]),
            canvas.frame(picture.camera, read=False),
        )
    )

    def peer(i: int) -> None:
        mesh.point_data["rgb"] = np.repeat(colours[i % 3], 12, axis=0)

    theirs = _frames(peer)

    def peer_whole(i: int) -> None:
        peer(i)
        _peer_frame(plotter, picture.camera)

    name = "PyVista, colours per point"
    return [
        Row("recolour 100,000 buildings", own, bar_s=0.03, peer=name, peer_s=theirs,
            note="the peer's colours are not yet shaded or sent"),
        Row("recolour and draw", whole, peer=name, peer_s=_frames(peer_whole), drawn=True),
    ]  # fmt: skip


def _pick(picker: Any, picture: Any, plotter: Any) -> Row:
    from vtkmodules.vtkRenderingCore import vtkCellPicker

    rng = np.random.default_rng(11)
    at = rng.uniform((300, 150), (980, 600), (_PICKS, 2))
    start = time.process_time()
    met = sum(
        (hit := picker.pixel(picture.camera, SIZE, x, y)) is not None and hit.id is not None
        for x, y in at
    )
    own = (time.process_time() - start) / _PICKS
    _peer_frame(plotter, picture.camera)
    theirs = vtkCellPicker()
    start = time.process_time()
    for x, y in at[:REPEATS]:
        theirs.Pick(x, SIZE[1] - y, 0, plotter.renderer)
    peer = (time.process_time() - start) / REPEATS
    note = f"{met} of {_PICKS} pixels show a building; brute force agrees on all (make truths)"
    return Row("pick a pixel, exactly", own, bar_s=0.001, peer="vtkCellPicker, merged mesh",
               peer_s=peer, note=note)  # fmt: skip


def _flood() -> Row:
    """A million cells of new depths over a terrain of as many: colours and frame."""
    import pyvista as pv

    from cim.model import Grid, GridFrame, Twin
    from kernels.spatial.tint import tint
    from scenes.backend import Canvas
    from scenes.compose import compose
    from scenes.ramps import BLUES
    from scenes.ramps import colours as ramp_colours
    from scenes.scene import Scene
    from tests.towns import FRAME

    row, col = np.mgrid[0:_SIDE, 0:_SIDE]
    ground = (3 + np.sin(row / 60.0) + np.cos(col / 45.0)).astype(np.float32)
    frame = GridFrame(west=EAST, north=NORTH + _SIDE, cell_m=1.0, rows=_SIDE, cols=_SIDE)
    twin = Twin(name="flood", frame=FRAME, rasters={"terrain": Grid("terrain", frame, ground, "m")})
    depths = [np.maximum(3.2 + 0.1 * i - ground, 0.0).astype(np.float32) for i in range(3)]
    table = np.empty((256, 4), np.uint8)
    table[:, :3], table[:, 3] = ramp_colours(np.linspace(0, 1, 256), BLUES, 0.0, 1.0), 220
    picture = compose(Scene(size=SIZE), twin)
    rgba = np.empty((_SIDE, _SIDE, 4), np.uint8)
    with Canvas(picture, SIZE) as canvas:

        def ours(i: int) -> None:
            tint(depths[i % 3], table, 0.0, 0.6, 0.02, rgba)
            canvas.cells(rgba, frame.bounds)
            canvas.frame(picture.camera, dragging=True, read=False)

        own = _frames(ours)
    x, y = np.meshgrid(np.arange(_SIDE, dtype=np.float32), np.arange(_SIDE, dtype=np.float32))
    mesh = pv.StructuredGrid(x, y, ground)
    mesh.point_data["depth"] = depths[0].ravel(order="F")
    plotter: Any = pv.Plotter(off_screen=True, window_size=list(SIZE))
    plotter.add_mesh(mesh, scalars="depth", cmap="Blues", copy_mesh=False, show_scalar_bar=False)

    def theirs(i: int) -> None:
        mesh.point_data["depth"][:] = depths[i % 3].ravel(order="F")
        mesh.point_data.GetScalars().Modified()
        plotter.render_window.Render()
        plotter.render_window.WaitForCompletion()

    peer = _frames(theirs)
    plotter.close()
    return Row("flood frame, 1,000,000 cells, new depths", own, bar_s=0.08,
               peer="PyVista, StructuredGrid, new scalars", peer_s=peer,
               note="colours by table, sent and drawn, as while playing", drawn=True)  # fmt: skip
