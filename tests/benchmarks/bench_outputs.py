"""A scene as GLB and as page, a map as PDF, beside what one would write by hand."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.measure import Row, installed, median_cpu_s
from tests.benchmarks.metropolis import metropolis

__all__ = ["bench"]

_COUNT = 10_000


def bench() -> list[Row]:
    """Measure from a twin in memory to the finished file."""
    from scenes.glb import write_glb
    from scenes.paper import Sheet, write_map
    from scenes.scene import Scene
    from scenes.web import write_html

    twin, scene = metropolis(_COUNT), Scene(layers=("building",))
    n = f"{_COUNT:,} buildings"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        glb = median_cpu_s(lambda: write_glb(scene, twin, path=folder / "a.glb"))
        page = median_cpu_s(lambda: write_html(scene, twin, path=folder / "a.html"))
        map_s = median_cpu_s(lambda: write_map(Sheet(by="height_m"), twin, path=folder / "a.pdf"))
        plain = median_cpu_s(lambda: _geopandas(twin, folder / "b.pdf"))
        bare = median_cpu_s(lambda: _trimesh(twin, folder / "b.glb"))
        vtk = median_cpu_s(lambda: _pyvista(twin, folder / "c.gltf")) if _has_pyvista() else None
        sizes = [round((folder / f).stat().st_size / 1e6, 1) for f in ("a.glb", "a.html")]
    held = f"{sizes[0]} MB with ids, attributes, ground; the peer writes shape alone"
    return [
        Row(f"GLB, {n}", glb, peer="trimesh, a body each, one scene", peer_s=bare, note=held),
        Row(f"GLB, {n}", glb, peer="PyVista export_gltf, merged", peer_s=vtk, note=held),
        Row(f"page, {n}", page, note=f"{sizes[1]} MB; no peer with ids and no network is known"),
        Row(f"map PDF by height, {n}", map_s, peer="geopandas.plot, savefig", peer_s=plain,
            note="ours adds true scale, frame, legend, scale bar, north, source"),
    ]  # fmt: skip


def _has_pyvista() -> bool:
    return installed("pyvista")


def _footprints(twin: Any) -> tuple[Any, Any]:
    table = twin.table("building")
    x, y = twin.frame.origin
    import shapely

    moved = shapely.transform(table.geometry, lambda xy: xy - (x, y))
    return moved, table.numbers("height_m")


def _trimesh(twin: Any, path: Path) -> None:
    """Extrude every footprint with trimesh and export them as one scene of named meshes."""
    import trimesh

    shapes, height_m = _footprints(twin)
    ids = twin.table("building").ids
    made = trimesh.Scene()
    for shape, height, id_ in zip(shapes, np.nan_to_num(height_m, nan=3.0), ids, strict=True):
        body = trimesh.creation.extrude_polygon(shape, float(height), engine="earcut")
        made.add_geometry(body, node_name=str(id_), geom_name=str(id_))
    made.export(path)


def _pyvista(twin: Any, path: Path) -> None:
    """Extrude every footprint with PyVista, merge, export by VTK."""
    import pyvista as pv
    import shapely

    shapes, height_m = _footprints(twin)
    bodies = []
    for shape, height in zip(shapes, np.nan_to_num(height_m, nan=3.0), strict=True):
        ring = shapely.get_coordinates(shape.exterior)[:-1]
        face = np.column_stack([ring, np.zeros(len(ring))]).astype(np.float32)
        base = pv.PolyData(face, [len(face), *range(len(face))])
        bodies.append(base.extrude((0, 0, float(height)), capping=True))
    plotter: Any = pv.Plotter(off_screen=True)
    plotter.add_mesh(pv.merge(bodies).triangulate())
    plotter.export_gltf(str(path))
    plotter.close()


def _geopandas(twin: Any, path: Path) -> None:
    import geopandas
    from matplotlib.figure import Figure

    table = twin.table("building")
    frame = geopandas.GeoDataFrame(
        {"height_m": table.numbers("height_m")}, geometry=table.geometry, crs=twin.frame.crs
    )
    figure = Figure(figsize=(11.7, 8.3))
    frame.plot(column="height_m", ax=figure.add_subplot(), legend=True)
    figure.savefig(path)
