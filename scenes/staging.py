"""What a scene document says of eye, sun, cuts and texts, as the picture needs it."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from cim.crs import grid_convergence_deg, lonlat
from cim.errors import RequestError
from cim.model.grid import Grid
from cim.model.table import FeatureTable
from cim.model.twin import Bounds, TwinView
from scenes import camera, ground, palette
from scenes.camera import Camera
from scenes.drawables import Label, Origin
from scenes.drawers import Drawing
from scenes.scene import Eye, Point, Scene

__all__ = ["cuts", "free", "labels", "light"]


def light(
    scene: Scene, view: TwinView, origin: Origin, drawing: Drawing | None, turn: float
) -> tuple[float, float, float]:
    """Return where light comes from: of the result, the scene's instant, or over the shoulder.

    Raises
    ------
    RequestError
        The sun of the scene's instant is below the horizon.
    """
    if drawing is not None and drawing.light is not None:
        return drawing.light
    if scene.sun is None:
        return camera.sun_of(turn)
    from kernels.sun.position import sun_direction_at

    lon, lat = lonlat(view.frame, np.array([[origin.x, origin.y]]))[0].tolist()
    altitude, azimuth = sun_direction_at(datetime.fromisoformat(scene.sun).timestamp(), lon, lat)
    if float(altitude) <= 0.0:
        raise RequestError(
            "scenes.night", given=scene.sun, values={"altitude": round(float(altitude), 1)}
        )
    high = np.radians(float(altitude))
    way = np.radians(float(azimuth) - grid_convergence_deg(view.frame.crs, lon, lat))
    flat = float(np.cos(high))
    return (flat * float(np.sin(way)), flat * float(np.cos(way)), float(np.sin(high)))


def free(eye: Eye, origin: Origin) -> Camera:
    """Return the camera of an eye put where one likes."""
    zero = np.array([origin.x, origin.y, origin.z])
    position, focus = np.array(eye.position) - zero, np.array(eye.focus) - zero
    ahead = focus - position
    upright = np.hypot(ahead[0], ahead[1]) > 1e-6 * np.linalg.norm(ahead)
    up = np.array([0.0, 0.0, 1.0]) if upright else np.array([0.0, 1.0, 0.0])
    right = np.cross(ahead, up)
    right, turn = right / np.linalg.norm(right), 0.0
    if upright:
        turn = float(np.degrees(np.arctan2(-ahead[0], ahead[1])))
    up = np.cross(right, ahead)
    return Camera(position, focus, up / np.linalg.norm(up), turn, eye.view_angle_deg)


def cuts(scene: Scene, origin: Origin) -> tuple[tuple[Point, Point], ...]:
    """Return the cuts of a scene in scene metres: a point, and the way that stays."""
    zero = (origin.x, origin.y, origin.z)
    return tuple(
        ((p.at[0] - zero[0], p.at[1] - zero[1], p.at[2] - zero[2]), p.normal) for p in scene.clip
    )


def labels(
    scene: Scene, view: TwinView, layers: list[str], box: Bounds, terrain: Grid, origin: Origin
) -> tuple[Label, ...]:
    """Return the scene's annotations, then the labels of layers that are styled so."""
    made = [
        Label(a.text, (a.at[0] - origin.x, a.at[1] - origin.y, a.at[2] - origin.z), pinned=True)
        for a in scene.annotations
    ]
    for style in scene.styles:
        if style.label is None or style.layer not in layers:
            continue
        table = view.table(style.layer, bounds=box)
        if style.label not in table.columns:
            known = ", ".join(table.columns)
            raise RequestError("scenes.no_attribute", given=style.label, values={"known": known})
        made += _written(table, style.label, terrain, origin)
    return tuple(made)


def _written(table: FeatureTable, name: str, terrain: Grid, origin: Origin) -> list[Label]:
    import shapely

    placed = ~shapely.is_missing(table.geometry) & ~shapely.is_empty(table.geometry)
    table = table.take(placed)
    if not len(table):
        return []
    xy = shapely.get_coordinates(shapely.point_on_surface(table.geometry))
    z = ground.levels(terrain, xy, origin.z) - origin.z
    if "height_m" in table.columns:
        z = z + palette.known(table.numbers("height_m"), 0.0)
    first = np.argsort(-shapely.area(table.geometry), kind="stable")  # large ones before small
    column = table.column(name)
    texts = [
        "" if v is None or v != v else f"{v:g}" if isinstance(v, float) else str(v) for v in column
    ]
    places = np.c_[xy - (origin.x, origin.y), z].tolist()
    return [Label(texts[i], tuple(places[i])) for i in first.tolist() if texts[i]]
