"""A scene and a twin become drawables: everything a picture holds, before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cim.errors import RequestError
from cim.model.kinds import split_layer
from cim.model.result import Result
from cim.model.twin import Bounds, TwinView
from scenes import blocks as tiles
from scenes import camera, city, ground, links, palette, staging
from scenes.camera import Camera
from scenes.cover import Cover, cover, is_classes
from scenes.drawables import Blocks, Ground, Label, Origin, Segments, Surface
from scenes.drawers import Drawing, draw
from scenes.ground import Painter
from scenes.images import is_image, lay_images
from scenes.measures import measured
from scenes.reading import read_once
from scenes.scene import Point, Scene, check_scene
from scenes.standing import Site, Standing
from scenes.theme import themed
from scenes.tubes import levelled

__all__ = ["Picture", "compose"]

_AROUND = {"top": 0.45, "oblique": 0.6, "street": 2.5}  # of the box, so that nothing ends in air
_FINER = 2.4  # pixels of the painted ground for each of the picture
_ON_GROUND = ("road", "pipe")
_FOR_LEGEND = 0.15
_PICKED_M = 4.0  # width of a street that is picked out
_SEE_THROUGH = 0.42  # the ground over pipes
_GHOST = 0.22  # what stands over pipes
_AIRY = 0.3  # of trees over flows
_FEW = 12  # buildings: fewer make a portrait of the one in the middle
_MOST_POINTS = 100_000  # of a surface, to aim the camera by


@dataclass
class Picture:
    """A scene as drawables.

    Attributes
    ----------
    origin, bounds
        Zero of the scene, and the box looked at (projected metres).
    ground, bodies, blocks, edges
        What is drawn; blocks are bodies in tiles, made when they are seen.
    camera, light
        From where, and the direction light comes from.
    drawing
        The result shown, or None.
    sources
        Where the layers drawn come from.
    keys
        Colours of the city itself that need a word, such as those of pipes.
    without_height
        How many objects are drawn in the marked colour for want of a height.
    missing_images
        Textures the twin names but does not keep, or that cannot be read.
    failed
        Layers that could not be drawn, and why.
    labels
        Texts and where they are pinned.
    hidden
        Blocks left out since they stand inside a house of elements, and which.
    clip
        Cuts, each a point and the direction that stays, scene metres.
    """

    origin: Origin
    bounds: Bounds
    ground: Ground
    bodies: list[Surface]
    blocks: list[Blocks]
    edges: list[Segments]
    camera: Camera
    light: tuple[float, float, float]
    drawing: Drawing | None
    sources: tuple[str, ...] = ()
    keys: tuple[tuple[tuple[int, int, int], str], ...] = ()
    without_height: int = 0
    missing_images: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)
    labels: tuple[Label, ...] = ()
    clip: tuple[tuple[Point, Point], ...] = ()
    hidden: dict[str, str] = field(default_factory=dict)

    @cached_property
    def surfaces(self) -> list[Surface]:
        """All bodies as surfaces, those in tiles with their true outlines."""
        return [*map(tiles.surface, self.blocks), *self.bodies]

    @property
    def objects(self) -> int:
        """How many objects are drawn, painted ones included."""
        ids: set[str] = set()
        drawn: list[Surface | Blocks] = [*self.bodies, *self.blocks]
        for made in drawn:
            if len(made.ids):
                ids.update(made.ids[np.flatnonzero(np.bincount(made.owner))])
        return self.ground.objects + len(ids)

    @property
    def triangles(self) -> int:
        """How many triangles are drawn."""
        rows, cols, _ = self.ground.points.shape
        return int(2 * (rows - 1) * (cols - 1)) + sum(len(s.triangles) for s in self.surfaces)


def compose(scene: Scene, view: TwinView, result: Result | None = None) -> Picture:
    """Return a scene as drawables.

    Parameters
    ----------
    scene
        What to show.
    view
        The twin.
    result
        The run to show over it.

    Raises
    ------
    RequestError
        The twin is empty, a layer is not there, or a part of the scene is none, such as a box
        or a colour of NaN.
    """
    check_scene(scene)
    view = read_once(view)
    layers = _layers(scene, view)
    box = _box(scene, view)
    around = _around(box, scene, view)
    terrain = ground.terrain_of(view, around)
    known = terrain.values[np.isfinite(terrain.values)]
    level = float(np.floor(np.median(known))) if known.size else 0.0
    origin = Origin(
        float(np.floor((box[0] + box[2]) / 2)), float(np.floor((box[1] + box[3]) / 2)), level
    )
    failed: dict[str, str] = {}
    if result is None:
        bare = not _anything(scene, view, layers)
        result = measured(scene, view, around, otherwise_heights=bare)
    if result is not None:
        drawing: Drawing | None = draw(
            result, name=scene.field, time_s=scene.time_s, lang=scene.lang
        )
    else:
        drawing = themed(scene, view, layers)
    turn = camera.turn_of(_middles(view, layers, box), scene.camera)
    light = staging.light(scene, view, origin, drawing, turn)
    painter, laid, sources = _painted(scene, view, layers, around, light, drawing, failed)
    if drawing is not None:
        _paint_result(painter, view, drawing, result, underground=scene.underground)
    if scene.selection:
        _paint_picked(painter, view, layers, scene.selection)
    made = city.bodies(
        view,
        layers,
        Site(
            terrain,
            origin,
            muted=drawing is not None,
            picked=frozenset(scene.selection),
            pixel_m=max(box[2] - box[0], box[3] - box[1]) / max(scene.size),
            underground=scene.underground,
        ),
        bounds=around,
        recolour=_colours(scene, view, layers, drawing),
        opacity=_opacities(scene, layers, drawing),
        failed=lambda name, error: failed.update({name: str(error)}),
    )
    lying = ground.drape(painter, terrain, origin)
    if scene.underground:
        lying = replace(lying, opacity=_SEE_THROUGH)
    points = _looked_at(made, box, origin)
    legend = 0.0 if drawing is None or len(drawing.legend.rgb) < 2 else _FOR_LEGEND
    aimed = camera.fit(points, scene.camera, scene.size, turn_deg=turn, clear_right=legend)
    if scene.eye is not None:
        aimed = staging.free(scene.eye, origin)
    return Picture(
        origin=origin,
        bounds=box,
        ground=lying,
        bodies=[*made.surfaces, *_around_it(lying, painter, made)],
        blocks=made.blocks,
        edges=made.edges,
        camera=aimed,
        light=light,
        drawing=drawing,
        sources=sources,
        keys=(*laid.keys, *(city.pipe_keys(view, layers, scene.lang) if scene.underground else ())),
        without_height=made.without_height,
        missing_images=tuple(made.missing_images),
        failed=failed,
        labels=staging.labels(scene, view, layers, box, terrain, origin),
        clip=staging.cuts(scene, origin),
        hidden=made.hidden,
    )


def _anything(scene: Scene, view: TwinView, layers: list[str]) -> bool:
    """Tell whether any layer has features to draw, or a grid of classes is asked for."""
    counts = view.layers()
    grids = view.grids() if scene.layers is None else scene.layers
    asked = any(is_classes(view, name) for name in scene.layers or ())
    asked = asked or any(is_image(view, name) for name in grids)
    return asked or any(counts[name] for name in layers)


def _layers(scene: Scene, view: TwinView) -> list[str]:
    known = view.layers()
    for name in scene.layers or ():
        if name not in known and name not in view.grids():
            names = ", ".join([*known, *view.grids()])
            raise RequestError("twin.no_layer", given=name, values={"known": names})
    chosen = [n for n in known if scene.layers is None or n in scene.layers]
    return sorted((n for n in chosen if scene.style(n).visible), key=city.order)


def _box(scene: Scene, view: TwinView) -> Bounds:
    box = scene.bounds
    if box is not None:
        if not (np.isfinite(box).all() and box[0] < box[2] and box[1] < box[3]):
            raise RequestError("scenes.bounds", given=" ".join(f"{v:g}" for v in box))
        x0, y0, x1, y1 = map(float, box)  # shapely's are numbers of numpy's, which Pillow minds
        return x0, y0, x1, y1
    whole = city.extent(view, scene.layers)
    if whole is None:
        raise RequestError("scenes.empty", given=view.name)
    return whole


def _around(box: Bounds, scene: Scene, view: TwinView) -> Bounds:
    """Return the ground to draw: more than is looked at, but not past where the twin ends."""
    x0, y0, x1, y1 = box
    more = _AROUND[scene.camera] * max(x1 - x0, y1 - y0)
    everything = city.extent(view, list(view.layers())) or box
    e0, f0, e1, f1 = everything
    return (
        max(x0 - more, min(x0, e0)),
        max(y0 - more, min(y0, f0)),
        min(x1 + more, max(x1, e1)),
        min(y1 + more, max(y1, f1)),
    )


def _painted(
    scene: Scene,
    view: TwinView,
    layers: list[str],
    around: Bounds,
    light: tuple[float, float, float],
    drawing: Drawing | None,
    failed: dict[str, str],
) -> tuple[Painter, Cover, tuple[str, ...]]:
    pale = drawing is not None
    pixels = round(float(np.clip(_FINER * max(scene.size), *_PIXELS)))
    land = tuple(palette.muted(np.array(ground.LAND)).tolist()) if pale else ground.LAND
    painter = Painter(around, pixels, land, pale)
    laid = cover(painter, scene, view, muted=pale)
    sources = dict.fromkeys(laid.sources)
    shaded = drawing is None or drawing.cells is None
    over = [name for name in layers if city.over_pictures(name)]

    def add(names: list[str]) -> None:
        for name in names:
            try:
                table = view.table(name, bounds=around)
                style = scene.style(name)
                city.paint(
                    painter,
                    table,
                    underground=scene.underground,
                    muted=pale,
                    rgb=style.rgb,
                    opacity=style.opacity,
                )
                if shaded:
                    city.paint_shadows(painter, table, light)
                told = dict.fromkeys(table.texts("source"))
                sources.update(dict.fromkeys(t.split(" · ")[0] for t in told if t))
            except Exception as error:  # one layer that cannot be painted must not take the others
                failed[name] = str(error)

    add([name for name in layers if name not in over])
    painter.cast()  # before the pictures: they have shade of their own
    sources.update(dict.fromkeys(lay_images(painter, scene, view, muted=pale)))
    add(over)
    return painter, laid, tuple(sources)


_PIXELS = (ground.LEAST_PIXELS, ground.MOST_PIXELS)


def _paint_result(
    painter: Painter, view: TwinView, drawing: Drawing, result: Result | None, *, underground: bool
) -> None:
    if drawing.cells is not None and result is not None and result.grid is not None:
        painter.cells(drawing.cells, result.grid)
    for layer, by_id in drawing.objects.items():
        if split_layer(layer)[0] in _ON_GROUND:
            table = view.table(layer, bounds=painter.bounds)
            if underground and city.lies_below(layer):  # tubes where their levels are known
                table = table.take(~levelled(table))
            links.paint(painter, table, by_id, drawing.widths.get(layer))


def _paint_picked(
    painter: Painter, view: TwinView, layers: list[str], selection: tuple[str, ...]
) -> None:
    """Paint the objects picked out that lie on the ground."""
    for layer in layers:
        if split_layer(layer)[0] in _ON_GROUND:
            table = view.table(layer, bounds=painter.bounds)
            chosen = table.take(np.isin(table.ids.astype(str), selection))
            if len(chosen):
                wide = max(_PICKED_M, 5.0 * painter.pixel_m)
                painter.lines(chosen.geometry, palette.PICKED, wide)


def _colours(
    scene: Scene, view: TwinView, layers: list[str], drawing: Drawing | None
) -> Mapping[str, palette.Colours]:
    """Return the colours of what stands: of a result or an attribute, else one a layer."""
    given: dict[str, palette.Colours] = {}
    for style in scene.styles:
        if style.rgb is not None and style.layer in layers:
            rgb = style.rgb if drawing is None else city.tone(style.rgb, muted=True)
            given[style.layer] = dict.fromkeys(map(str, view.table(style.layer).ids), rgb)
    return given if drawing is None else {**given, **_not_painted(scene, drawing)}


def _opacities(scene: Scene, layers: list[str], drawing: Drawing | None) -> dict[str, float]:
    """Return how solid layers are; trees along streets whose flows are shown hide them least.

    Over what lies underground everything that stands is see-through.
    """
    shown = () if drawing is None else drawing.objects
    flows = any(split_layer(name)[0] in _ON_GROUND for name in shown)
    airy = [name for name in layers if flows and split_layer(name)[0] == "tree"]
    if scene.underground:
        airy = [name for name in layers if not city.lies_below(name)]
    said = {s.layer: s.opacity for s in scene.styles}
    return {**dict.fromkeys(airy, _GHOST if scene.underground else _AIRY), **said}


def _around_it(lying: Ground, painter: Painter, made: Standing) -> list[Surface]:
    """Return bare land around the ground, and soil under one that is seen through."""
    land = [ground.apron(lying, painter.land)]
    if lying.opacity < 1.0:
        deepest = min((float(s.vertices[:, 2].min()) for s in made.surfaces), default=0.0)
        land.append(ground.soil(lying, deepest))
    return land


def _not_painted(scene: Scene, drawing: Drawing) -> Mapping[str, palette.Colours]:
    """Return the colours of what stands, and of what lies underground where that is shown."""
    return {
        k: v
        for k, v in drawing.objects.items()
        if split_layer(k)[0] not in _ON_GROUND or (scene.underground and city.lies_below(k))
    }


def _middles(view: TwinView, layers: list[str], box: Bounds) -> NDArray[np.float64]:
    """Return the middles (n, 2) of the buildings in a box; of a few, the central one's corners."""
    import shapely

    built = [n for n in layers if split_layer(n)[0] == "building"]
    shapes = np.concatenate([np.empty(0, object), *(_placed(view, n, box) for n in built)])
    corners: NDArray[np.float64] = shapely.bounds(shapes)
    middles = (corners[:, :2] + corners[:, 2:]) / 2
    if not len(shapes) or len(shapes) >= _FEW:
        return middles
    centre = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    nearest = int(np.argmin(np.hypot(*(middles - centre).T)))
    outline: NDArray[np.float64] = shapely.get_coordinates(shapes[nearest])
    return outline


def _placed(view: TwinView, layer: str, box: Bounds) -> NDArray[np.object_]:
    """Return the shapes of a layer in a box, those without a place left out."""
    import shapely

    shapes = view.table(layer, bounds=box).geometry
    placed: NDArray[np.object_] = shapes[~shapely.is_missing(shapes) & ~shapely.is_empty(shapes)]
    return placed


def _looked_at(made: Standing, box: Bounds, origin: Origin) -> NDArray[np.float64]:
    """Return the points the camera must hold: what stands in the box, else its corners."""
    x0, y0, x1, y1 = box[0] - origin.x, box[1] - origin.y, box[2] - origin.x, box[3] - origin.y
    inside = []
    clouds = [s.vertices for s in made.surfaces]
    clouds += [np.c_[b.box.mean(axis=1), b.high].astype(np.float32) for b in made.blocks]
    for cloud in clouds:
        v = cloud[:: 1 + len(cloud) // _MOST_POINTS]
        held = (v[:, 0] >= x0) & (v[:, 0] <= x1) & (v[:, 1] >= y0) & (v[:, 1] <= y1)
        inside.append(v[held].astype(np.float64))
    points = np.concatenate(inside) if inside else np.empty((0, 3))
    if len(points) >= 3 and np.ptp(points[:, :2], axis=0).min() > 0.3 * min(x1 - x0, y1 - y0):
        return points
    corners = np.array([(x, y, 0.0) for x in (x0, x1) for y in (y0, y1)])
    return np.concatenate([points, corners])
