"""What a map on paper shows inside its frame: layers as vectors, results over them, names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from cim.model.kinds import split_layer
from cim.model.result import Result
from cim.model.table import FeatureTable
from cim.model.twin import Bounds, TwinView
from scenes import palette
from scenes.drawers import Drawing

__all__ = ["ROUND", "Chart", "draw_chart", "keys_of"]

Rgb = tuple[int, int, int]

_AREAS: dict[str, tuple[Rgb, Rgb | None]] = {
    "land_use": ((242, 240, 232), None),
    "parcel": ((246, 243, 234), (206, 198, 180)),
    "green": ((205, 224, 184), None),
    "water": ((176, 209, 230), (120, 168, 204)),
    "building": ((206, 198, 188), (120, 112, 104)),
    "building_part": ((206, 198, 188), (120, 112, 104)),
}
_SIGNS = {kind: face for kind, (face, _) in _AREAS.items() if kind != "building_part"}
_PIPES: dict[str, Rgb] = {
    "storm": (40, 100, 180),
    "sewage": (120, 80, 40),
    "water": (0, 150, 200),
    "gas": (220, 160, 0),
    "power": (200, 40, 40),
    "telecom": (60, 140, 60),
}
_ROAD, _KERB = (255, 255, 255), (150, 146, 140)
_TREE, _WALL, _LAND = (122, 164, 104), (150, 130, 110), (248, 246, 241)
_SPOTS: dict[str, Rgb] = {
    "sensor": (122, 60, 160),
    "transit_stop": (40, 90, 170),
    "entrance": (200, 90, 40),
    "pipe_node": (70, 76, 84),
}
ROUND = (*_SPOTS, "tree")
"""Kinds that are dots on the map."""
_ORDER = (
    "land_use", "parcel", "green", "water", "road", "pipe",
    "wall", "tree", "building_part", "building", *_SPOTS,
)  # fmt: skip
_UNDER = ("pipe", "pipe_node")
_INK = (0.25, 0.25, 0.28)
_MOST_VECTORS = 20_000  # more features than this are drawn as pixels: no reader opens them
_POINT = 72.0 / 25.4  # points a millimetre


@dataclass
class Chart:
    """What was drawn.

    Attributes
    ----------
    objects
        How many features of each layer lie in the frame.
    sources
        Where they come from.
    rasterised
        Layers with so many features that they are pixels, not vectors.
    systems
        Systems of the pipes shown.
    coloured
        Layers with colours of a result or an attribute instead of their own.
    pale
        Whether the others step back.
    """

    objects: dict[str, int] = field(default_factory=dict)
    sources: dict[str, None] = field(default_factory=dict)
    rasterised: list[str] = field(default_factory=list)
    systems: list[str] = field(default_factory=list)
    coloured: set[str] = field(default_factory=set)
    pale: bool = False


def draw_chart(
    axes: Any,
    view: TwinView,
    layers: Iterable[str],
    box: Bounds,
    *,
    scale: float,
    drawing: Drawing | None,
    result: Result | None,
    font: Any,
    writable: Callable[[str], str],
    underground: bool = False,
) -> Chart:
    """Draw layers and a result into axes that show `box` at 1 : `scale`.

    Parameters
    ----------
    axes
        matplotlib axes in projected metres.
    view, layers, box
        What to draw: layers the map has no sign for are passed over.
    scale
        Denominator of the scale: how wide a metre is on paper.
    drawing, result
        A result or attribute as colours, and the run it is of.
    font, writable
        matplotlib font of names, and what replaces characters it lacks.
    underground
        Whether pipes and manholes are shown.
    """
    chart = Chart(pale=drawing is not None)
    axes.set_facecolor(_share(_LAND, False))
    kinds = {name: split_layer(name)[0] for name in layers}
    shown = [n for n, k in kinds.items() if k in _ORDER and (underground or k not in _UNDER)]
    coloured = {} if drawing is None else drawing.objects
    for level, name in enumerate(sorted(shown, key=lambda n: _ORDER.index(kinds[n]))):
        table = view.table(name, bounds=box)
        placed = ~(shapely.is_missing(table.geometry) | shapely.is_empty(table.geometry))
        table = table.take(placed)
        if not len(table):
            continue
        chart.objects[name] = len(table)
        told = (t.split(" · ")[0] for t in table.texts("source") if t)
        chart.sources.update(dict.fromkeys(told))
        pixels = len(table) > _MOST_VECTORS
        if pixels:
            chart.rasterised.append(name)
        pen = _Pen(axes, scale, 10.0 + level, pixels)
        if kinds[name] == "pipe":
            told_systems = table.texts("system")
            chart.systems += [s for s in _PIPES if s in told_systems and s not in chart.systems]
        if name in coloured:
            chart.coloured.add(name)
        _layer(pen, table, drawing, coloured.get(name))
    if drawing is not None and drawing.cells is not None and result is not None:
        x0, y0, x1, y1 = result.grid.bounds if result.grid is not None else box
        above_streets = 10.0 + sum(_ORDER.index(kinds[n]) <= _ORDER.index("pipe") for n in shown)
        axes.imshow(
            drawing.cells,
            extent=(x0, x1, y0, y1),
            interpolation="nearest",
            zorder=above_streets - 0.5,
            aspect="auto",
        )
    for name in shown:
        if kinds[name] == "road":
            over = drawing is not None and drawing.cells is not None
            table = view.table(name, bounds=box)
            _street_names(axes, table, box, scale, font, writable, plates=over)
    return chart


def keys_of(chart: Chart) -> list[tuple[Rgb, str]]:
    """Return colour and message key of what is on the map, for its legend."""
    keys: dict[Rgb, str] = {}
    for name in chart.objects:
        kind = split_layer(name)[0]
        if name not in chart.coloured and kind in (signs := {**_SIGNS, **_SPOTS, "tree": _TREE}):
            r, g, b = (_share(signs[kind], chart.pale) * 255).round().astype(int).tolist()
            keys.setdefault((r, g, b), kind)
    for system in chart.systems if "pipe" not in chart.coloured else ():
        keys[_PIPES[system]] = f"scenes.pipe.{system}"
    return list(keys.items())


@dataclass(frozen=True)
class _Pen:
    """Draws shapes of one layer at one level of one map."""

    axes: Any
    scale: float
    level: float
    pixels: bool

    def areas(self, shapes: NDArray[Any], face: Any, edge: Any, width_pt: float = 0.3) -> None:
        from matplotlib.collections import PathCollection

        parts, owner = shapely.get_parts(shapes, return_index=True)
        flat = shapely.get_type_id(parts) == 3
        colours = face if np.ndim(face) == 1 else np.asarray(face)[owner[flat]]
        self.axes.add_collection(
            PathCollection(
                [_path(p) for p in parts[flat]],
                facecolors=colours,
                edgecolors="none" if edge is None else edge,
                linewidths=0 if edge is None else width_pt,
                zorder=self.level,
                rasterized=self.pixels,
            )
        )

    def lines(self, shapes: NDArray[Any], colour: Any, width_pt: Any, lift: float = 0.0) -> None:
        from matplotlib.collections import LineCollection

        parts, owner = shapely.get_parts(shapes, return_index=True)
        along = shapely.get_type_id(parts) == 1
        xy, of = shapely.get_coordinates(parts[along], return_index=True)
        pieces = np.split(xy, np.flatnonzero(np.diff(of)) + 1) if len(xy) else []
        colours = colour if np.ndim(colour) == 1 else np.asarray(colour)[owner[along]]
        wide = width_pt if np.ndim(width_pt) == 0 else np.asarray(width_pt)[owner[along]]
        self.axes.add_collection(
            LineCollection(
                pieces,
                colors=colours,
                linewidths=wide,
                capstyle="round",
                joinstyle="round",
                zorder=self.level + lift,
                rasterized=self.pixels,
            )
        )

    def points_wide(self, metres: Any, least_pt: float) -> Any:
        """Return lengths on earth as points on paper, at least so many."""
        return np.maximum(np.asarray(metres) * 1000.0 / self.scale * _POINT, least_pt)

    def spots(self, shapes: NDArray[Any], face: Any, across_pt: Any, edge: Any) -> None:
        xy = shapely.get_coordinates(shapely.centroid(shapes))
        self.axes.scatter(
            xy[:, 0],
            xy[:, 1],
            s=np.asarray(across_pt) ** 2,
            color=face if np.ndim(face) == 2 else [face],
            edgecolors=edge,
            linewidths=0.3,
            zorder=self.level,
            rasterized=self.pixels,
        )


def _layer(
    pen: _Pen, table: FeatureTable, drawing: Drawing | None, coloured: palette.Colours | None
) -> None:
    kind = table.kind
    pale = drawing is not None and coloured is None
    face: Any
    if coloured is not None:
        face = palette.flat_colour(table.ids, palette.NO_VALUE, False, coloured) / 255
    if kind in _AREAS:
        plain, edge = _AREAS[kind]
        face = face if coloured is not None else _share(plain, pale)
        pen.areas(table.geometry, face, None if edge is None else _share(edge, pale))
    elif kind == "road":
        wide = pen.points_wide(palette.known(table.numbers("carriageway_m"), 7.0), 0.8)
        if coloured is None:
            pen.lines(table.geometry, _share(_KERB, pale), wide + 0.5)
            pen.lines(table.geometry, _share(_ROAD, False), wide, lift=0.1)
        else:
            shares = None if drawing is None else drawing.widths.get(table.layer)
            if shares is not None:
                part = np.array([shares.get(str(i), 0.0) for i in table.ids])
                wide = np.maximum(wide * (0.4 + 1.0 * part), 0.8)
            pen.lines(table.geometry, face, wide)
    elif kind == "pipe":
        if coloured is None:
            face = np.array([_PIPES.get(s, (90, 90, 90)) for s in table.texts("system")]) / 255
        pen.lines(table.geometry, face.reshape(-1, 3), 1.1)
    elif kind == "wall":
        lines = np.where(
            shapely.get_dimensions(table.geometry) == 2,
            shapely.boundary(table.geometry),
            table.geometry,
        )
        pen.lines(lines, _share(_WALL, pale), 0.35)
    elif kind == "tree":
        crown = pen.points_wide(palette.known(table.numbers("crown_m"), 5.0), 0.8)
        pen.spots(
            table.geometry, face if coloured is not None else _share(_TREE, pale), crown, "none"
        )
    else:
        pen.spots(
            table.geometry,
            face if coloured is not None else _share(_SPOTS[kind], pale),
            3.0,
            "white",
        )


def _share(rgb: Rgb, pale: bool) -> NDArray[np.float64]:
    colour = np.asarray(rgb, dtype=np.float64) / 255
    return colour + (1.0 - colour) * 0.5 if pale else colour


def _path(polygon: Any) -> Any:
    """Return a polygon with its holes as one path: outside one way, holes the other."""
    from matplotlib.path import Path

    whole = shapely.get_rings(shapely.normalize(polygon))
    xy, of = shapely.get_coordinates(whole, return_index=True)
    codes = np.full(len(xy), Path.LINETO, dtype=np.uint8)
    first = np.flatnonzero(np.diff(of, prepend=-1))
    codes[first] = Path.MOVETO
    codes[np.append(first[1:], len(xy)) - 1] = Path.CLOSEPOLY
    return Path(xy, codes)


def _street_names(
    axes: Any,
    table: FeatureTable,
    box: Bounds,
    scale: float,
    font: Any,
    writable: Callable[[str], str],
    *,
    plates: bool,
) -> None:
    """Write each street's name once, along the middle of its longest stretch in the frame.

    Over the colours of a run, which may be dark, a name stands on a plate.
    """
    plate = {"boxstyle": "round,pad=0.2", "facecolor": "white", "alpha": 0.85, "edgecolor": "none"}
    size_pt, frame = 5.5, shapely.box(*box)
    per_pt = scale / 1000.0 / _POINT  # metres a point
    names = np.array(table.texts("name"), dtype=object)
    taken: list[Any] = []
    for name in sorted({n for n in names if n}):
        mine = table.geometry[names == name]
        joined = shapely.line_merge(shapely.union_all(shapely.intersection(mine, frame)))
        parts = [p for p in shapely.get_parts(joined) if p.geom_type == "LineString"]
        if not parts:
            continue
        line = max(parts, key=lambda p: float(p.length))
        wide = per_pt * size_pt * sum(1.0 if ord(c) > 0x2000 else 0.55 for c in name)
        if line.length < wide * 1.15:
            continue
        a, b = (line.interpolate(line.length / 2 + s * wide / 2) for s in (-1, 1))
        angle = float(np.degrees(np.arctan2(b.y - a.y, b.x - a.x)))
        angle = (angle + 90.0) % 180.0 - 90.0
        place = shapely.LineString([a, b]).buffer(per_pt * size_pt * 0.6, cap_style="flat")
        if any(place.intersects(t) for t in taken):
            continue
        taken.append(place)
        middle = line.interpolate(line.length / 2)
        for halo in (
            (False,) if plates else (True, False)
        ):  # a halo turns letters into outlines: the word comes again
            axes.text(
                middle.x, middle.y, writable(name), fontproperties=font, fontsize=size_pt,
                rotation=angle, rotation_mode="anchor", ha="center", va="center",
                color=_INK, zorder=60.0, clip_on=True, path_effects=_halo() if halo else None,
                bbox=plate if plates else None,
            )  # fmt: skip


def _halo() -> list[Any]:
    from matplotlib import patheffects

    return [patheffects.Stroke(linewidth=1.4, foreground="white")]
