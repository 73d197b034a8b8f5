"""How a twin looks: its layers as a painted ground and bodies standing on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from cim import messages
from cim.model.arrays import rings
from cim.model.kinds import split_layer
from cim.model.table import FeatureTable
from cim.model.twin import Bounds, TwinView
from scenes import furniture, meshes, overbuilt, palette, standing, tubes
from scenes.ground import MOST_CORNERS, Painter
from scenes.standing import Site, Standing

__all__ = [
    "bodies",
    "extent",
    "lies_below",
    "order",
    "over_pictures",
    "paint",
    "paint_shadows",
    "pipe_keys",
    "tone",
]

Failed = Callable[[str, Exception], None]

_GROUND: dict[str, tuple[int, int, int]] = {
    "land_use": (222, 219, 207),
    "parcel": (226, 223, 210),
    "green": (172, 196, 148),
    "water": (142, 184, 210),
}
_SPOTS = {
    "sensor": ((122, 60, 160), 2.2),
    "entrance": ((150, 136, 118), 0.5),
    "pipe_node": ((70, 76, 84), 1.6),
}
_UNDERGROUND = ("pipe", "pipe_node")
_PAVEMENT, _KERB, _ASPHALT, _CLOSED = (
    (206, 202, 194),
    (232, 230, 224),
    (152, 155, 160),
    (190, 90, 80),
)
_ORDER = {"land_use": 0, "parcel": 1, "green": 2, "water": 3, "road": 4, "pipe": 5}
_FAR_AREAS = ("admin_unit", "grid_unit", "catchment", "control_zone")


def order(layer: str) -> int:
    """Return when a layer is painted: what lies below first."""
    return _ORDER.get(split_layer(layer)[0], 9)


def over_pictures(layer: str) -> bool:
    """Tell whether a layer is painted over an aerial picture: what a picture cannot show."""
    return split_layer(layer)[0] in (*_UNDERGROUND, *_SPOTS)


def lies_below(layer: str) -> bool:
    """Tell whether a layer lies underground."""
    return split_layer(layer)[0] in _UNDERGROUND


def extent(view: TwinView, layers: Sequence[str] | None = None) -> Bounds | None:
    """Return the box of the buildings, of everything where there are none, None where nothing."""
    counts = {n: c for n, c in view.layers().items() if c and split_layer(n)[0] not in _FAR_AREAS}
    built = [n for n in counts if split_layer(n)[0] == "building"]
    for chosen in (built if layers is None else [], list(counts)):
        names = [n for n in chosen if layers is None or n in layers]
        boxes = _boxes(view, names)
        if boxes:
            break
    if not boxes:
        boxes = [view.grid(g).frame.bounds for g in view.grids()]
    if not boxes:
        return None
    array = np.array(boxes)
    (x0, y0), (x1, y1) = array[:, :2].min(axis=0), array[:, 2:].max(axis=0)
    pad = max(10.0, 0.02 * max(x1 - x0, y1 - y0))
    return (float(x0 - pad), float(y0 - pad), float(x1 + pad), float(y1 + pad))


def _boxes(view: TwinView, layers: Sequence[str]) -> list[Bounds]:
    """Return the boxes of layers, an unreadable one left out: what draws it names it as failed."""
    boxes, failed = [], None
    for name in layers:
        try:
            box = view.table(name).bounds()
        except Exception as error:
            failed = error
        else:
            boxes += [] if box is None else [box]
    if failed is not None and not boxes:
        raise failed
    return boxes


def paint(
    painter: Painter,
    table: FeatureTable,
    *,
    underground: bool,
    muted: bool,
    rgb: palette.Rgb3 | None = None,
    opacity: float = 1.0,
) -> None:
    """Paint a layer that lies on the ground; layers that stand on it are not painted.

    Parameters
    ----------
    painter, table
        The ground, and the layer.
    underground
        Whether pipes and their nodes are shown: painted those that do not say how deep they lie.
    muted
        Whether colours step back.
    rgb
        One colour instead of the layer's own.
    opacity
        How much of what lies below it hides, 0..1.
    """
    if opacity == 0.0:
        return
    with painter.fading(opacity):
        _paint(painter, table, underground=underground, muted=muted, own=rgb)


def _paint(
    painter: Painter,
    table: FeatureTable,
    *,
    underground: bool,
    muted: bool,
    own: palette.Rgb3 | None,
) -> None:
    kind = table.kind
    if kind in _UNDERGROUND:
        if not underground:
            return
        table = table.take(~tubes.levelled(table))  # the others lie where they are, as tubes
    if kind in _GROUND:
        rgb = tone(own or _GROUND[kind], muted)
        edge = tone((196, 190, 174), muted) if kind == "parcel" else None
        painter.polygons(table.geometry, rgb, edge=edge)
    elif kind == "road":
        _roads(painter, table, muted, own)
    elif kind == "pipe":
        colour = np.array([own or tubes.PIPES.get(s, (90, 90, 90)) for s in table.texts("system")])
        wide = np.maximum(2.5, palette.known(table.numbers("diameter_m"), 0.3) * 3)
        painter.lines(table.geometry, colour.reshape(-1, 3), wide)
    elif kind in _SPOTS:
        rgb, radius = _SPOTS[kind]
        painter.spots(table.geometry, own or rgb, radius, grow=kind != "entrance")
    else:
        return
    painter.count(table)


def pipe_keys(
    view: TwinView, layers: Sequence[str], lang: str | None
) -> tuple[tuple[tuple[int, int, int], str], ...]:
    """Return colour and name of each system of pipes there is."""
    pipes = [name for name in layers if split_layer(name)[0] == "pipe"]
    systems = {s for name in pipes for s in view.table(name).texts("system")}
    known = [s for s in tubes.PIPES if s in systems]
    return tuple((tubes.PIPES[s], messages.text(f"scenes.pipe.{s}", lang=lang)) for s in known)


def _roads(painter: Painter, table: FeatureTable, muted: bool, own: palette.Rgb3 | None) -> None:
    carriageway = palette.known(table.numbers("carriageway_m"), 7.0)
    between = np.maximum(palette.known(table.numbers("width_m"), 0.0), carriageway + 3.0)
    painter.lines(table.geometry, tone(_PAVEMENT, muted), between)
    closed = np.array([bool(v) for v in table.column("closed")], dtype=bool)
    street = tone(own or _ASPHALT, muted)
    painter.lines(table.geometry, tone(_KERB, muted), carriageway + 0.7)
    painter.lines(table.geometry, np.where(closed[:, None], _CLOSED, street), carriageway)


def tone(rgb: palette.Rgb3, muted: bool) -> palette.Rgb3:
    """Return a colour, stepped back towards white where asked."""
    if not muted:
        return rgb
    r, g, b = palette.muted(np.array(rgb)).tolist()
    return (r, g, b)


def paint_shadows(painter: Painter, table: FeatureTable, light: tuple[float, float, float]) -> None:
    """Note the shade of buildings or trees under the light of the picture."""
    away = np.array([-light[0], -light[1]]) / max(light[2], 0.1)
    if table.kind in ("building", "building_part", "wall"):
        import shapely

        shapes = table.geometry
        if shapely.get_num_coordinates(shapes).sum() > MOST_CORNERS:
            return
        if table.kind == "wall":
            shapes = shapely.buffer(shapes, 0.15, cap_style="flat", join_style="mitre")
        flat = rings(replace(table, geometry=shapes))
        storeys = table.numbers("storeys_above") * 3.0
        height = palette.known(table.numbers("height_m"), 0.0)
        height = np.where(height > 0, height, palette.known(storeys, 0.3))
        painter.shadows(flat, height[flat.feature], away)
    elif table.kind == "tree":
        height = palette.known(table.numbers("height_m"), 8.0)
        crown = palette.known(table.numbers("crown_m"), 5.0)
        painter.crown_shadows(table.geometry, crown, height * 0.55, away)


def bodies(
    view: TwinView,
    layers: Sequence[str],
    site: Site,
    *,
    bounds: Bounds | None = None,
    recolour: Mapping[str, palette.Colours] | None = None,
    opacity: Mapping[str, float] | None = None,
    failed: Failed | None = None,
) -> Standing:
    """Return what stands on the ground, one surface a layer and way of drawing.

    Parameters
    ----------
    view, layers
        The twin, and which of its layers.
    site
        Where they stand.
    bounds
        Only what touches this box.
    recolour
        ``{layer: {id: colour}}``: colours of a result instead of the layer's own.
    opacity
        ``{layer: 0..1}`` of those that are not solid.
    failed
        Told of a layer that cannot be drawn; the others are drawn all the same.
    """
    made = Standing()
    for name in layers:
        one, share = _STANDING.get(split_layer(name)[0]), (opacity or {}).get(name, 1.0)
        if one is None or share == 0.0:
            continue
        mine = Standing()
        try:
            table = view.table(name, bounds=bounds)
            if len(table):
                colours = (recolour or {}).get(name)
                one(mine, view, table, replace(site, recolour=colours, bounds=bounds))
        except Exception as error:
            if failed is None:
                raise
            failed(name, error)
        made.surfaces += [replace(s, opacity=share) for s in mine.surfaces]
        made.blocks += [replace(b, opacity=share) for b in mine.blocks]
        made.edges += [replace(e, opacity=share) for e in mine.edges]
        made.hidden |= mine.hidden
        made.without_height += mine.without_height
        made.missing_images += [n for n in mine.missing_images if n not in made.missing_images]
    return made


def _buildings(made: Standing, view: TwinView, table: FeatureTable, site: Site) -> None:
    pool = view.meshes()
    shown = meshes.owners(view, pool, table)
    whole = meshes.hidden_by(view, pool, table)
    if shown or whole:
        parents = table.column("parent")
        hidden = [i in shown or p in whole for i, p in zip(table.ids, parents, strict=True)]
        table = table.take(~np.array(hidden, dtype=bool))
    houses = overbuilt.detailed(view, pool, site.bounds) if site.recolour is None else ()
    if houses:  # under a result every block shows its own answer
        base, height, _ = standing.stand(table, site)
        made.hidden |= overbuilt.overbuilt(houses, table, base, height)
        table = table.take(~np.isin(table.ids.astype(str), list(made.hidden)))
    if len(table):
        standing.prisms(made, table, site)
    if shown:
        images, missing = meshes.textures(view, pool)
        made.missing_images += missing
        made.surfaces += meshes.surfaces(
            pool,
            shown,
            site.origin,
            images=images,
            muted=site.muted,
            recolour=site.recolour,
            picked=site.picked,
        )


def _alone(
    draw: Callable[[Standing, FeatureTable, Site], None],
) -> Callable[[Standing, TwinView, FeatureTable, Site], None]:
    """Let what needs its own layer alone be called as what needs the twin as well."""
    return lambda made, _, table, site: draw(made, table, site)


def _below(
    draw: Callable[[Standing, FeatureTable, Site], None],
) -> Callable[[Standing, TwinView, FeatureTable, Site], None]:
    """Let what lies underground be drawn only where the scene shows it."""

    def asked(made: Standing, _: TwinView, table: FeatureTable, site: Site) -> None:
        if site.underground:
            draw(made, table, site)

    return asked


_STANDING: dict[str, Callable[[Standing, TwinView, FeatureTable, Site], None]] = {
    "building": _buildings,
    "building_part": _buildings,
    "tree": _alone(furniture.trees),
    "wall": _alone(standing.garden_walls),
    "pipe": _below(tubes.pipes),
    "pipe_node": _below(tubes.nodes),
    "furniture": _alone(furniture.furniture),
    "transit_stop": _alone(furniture.stops),
}
