"""Buildings: named ones from their table, others drawn from the fabric of their plot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cim.authoring.dice import choose, roll, spread
from cim.authoring.frame import StreetFrame
from cim.authoring.layers import Feature
from cim.authoring.plots import Plot
from cim.authoring.shapes import place, plan
from cim.authoring.tables import Row
from cim.crs import transform
from cim.errors import SourceError

__all__ = [
    "Building", "building_features", "check_clear", "first_number", "name_houses",
    "named_buildings", "street_buildings",
]  # fmt: skip

Rules = Mapping[str, Any]
"""``[buildings]`` of ``area.toml``: plinth_m, styles, modern_style, m2_per_resident, m2_per_job."""


@dataclass(frozen=True)
class Building:
    """A house: its footprint (projected metres), the plot it stands on, its attributes.

    Attributes
    ----------
    fronts
        Whether its plot lies on the street, not in a lane behind it.
    number_tag
        Where its number comes from: fact or invented.
    """

    source_id: str
    footprint: Any
    road: str
    at_m: float
    even: bool
    number: str | None
    properties: Mapping[str, Any]
    fronts: bool = True
    number_tag: str = "invented"


def named_buildings(
    rows: Sequence[Row],
    plots: Sequence[Plot],
    models: Mapping[str, Mapping[str, Any]],
    rules: Rules,
    frame: StreetFrame,
) -> list[Building]:
    """Return the buildings of ``landmarks.csv``; `models` say where one has an IFC model.

    Parameters
    ----------
    models
        Building -> its table: centre in degrees, bearing, length, width, ground floor.
    """
    by_plot = {plot.source_id: plot for plot in plots}
    made = []
    for row in rows:
        name = row.text("source_id")
        plot = by_plot[row.text("plot") or name]
        model = models.get(name)
        footprint = _model_plan(model, frame) if model else _named_plan(row, frame)
        properties = _named_properties(row, float(footprint.area), rules)
        if model:
            properties["floor_level_m"] = float(model["ground_floor_m"])
        made.append(
            Building(
                name,
                footprint,
                row.text("road"),
                plot.at_m,
                plot.even,
                row.text_or_none("number"),
                properties,
                True,
                row.text("number_tag") or "invented",
            )
        )
    return made


def street_buildings(plots: Sequence[Plot], rules: Rules) -> list[Building]:
    """Return one building for every plot, drawn from the row of its fabric."""
    made = []
    for plot in plots:
        fabric, name = plot.fabric, plot.source_id
        shape = choose(name + "/shape", fabric.words("shapes"))
        length_m, width_m = _size(plot)
        setback = min(fabric.real("setback_m"), plot.depth_m - width_m - fabric.real("back_m") / 2)
        y = -plot.depth_m / 2 + setback + width_m / 2
        figure = plan(shape, length_m, width_m)
        if roll(name + "/mirror", 2):
            figure = _mirrored(figure)
        east, north = plot.along
        centre = np.array([plot.centre[0] - y * north, plot.centre[1] + y * east])
        footprint = place(figure, centre, plot.along)
        made.append(
            Building(
                name, footprint, plot.road, plot.at_m, plot.even, None,
                _drawn_properties(plot, float(footprint.area), rules), plot.fronts,
            )
        )  # fmt: skip
    return made


def name_houses(
    buildings: Sequence[Building],
    rows: Sequence[Row],
    expected: Mapping[str, float],
    rules: Rules,
) -> list[Building]:
    """Give the houses of ``named.csv``, known by their number only, to buildings on the street.

    Each takes the free unnamed building of its side whose front lies nearest to where the
    number falls, between the named neighbours in the order of numbers.

    Parameters
    ----------
    expected
        Metres along the road of each row's ``source_id``.

    Raises
    ------
    SourceError
        No building is free on that side.
    """
    made = list(buildings)
    for row in rows:
        name, road = row.text("source_id"), row.text("road")
        number = int(row.text("number").split("-")[0])
        even = number % 2 == 0
        side = [(i, one) for i, one in enumerate(made) if (one.road, one.even) == (road, even)]
        fixed = [(first_number(one.number), one.at_m) for _, one in side if one.number]
        low = max((at for n, at in fixed if n < number), default=-1.0)
        high = min((at for n, at in fixed if n > number), default=1e9)
        free = [
            (abs(one.at_m - expected[name]), i)
            for i, one in side
            if low < one.at_m < high and one.fronts and "name" not in one.properties
            and one.properties["use"] in ("residential", "hotel", "office")
        ]  # fmt: skip
        if not free:
            raise SourceError("authoring.no_house", given=row.where)
        index = min(free)[1]
        old = made[index]
        made[index] = Building(
            name, old.footprint, road, old.at_m, even, row.text("number"),
            _renamed(row, old, rules), True, "fact",
        )  # fmt: skip
    return made


def first_number(number: str) -> int:
    """Return the first of "24-26", the plain part of "31增2"."""
    return int(number.split("-", maxsplit=1)[0].split("增", maxsplit=1)[0])


def _renamed(row: Row, old: Building, rules: Rules) -> dict[str, Any]:
    values = dict(old.properties)
    storeys = row.whole_or_none("storeys") or values["storeys_above"]
    storey_m = (values["height_m"] - rules["plinth_m"]) / values["storeys_above"]
    rise = values["ridge_m"] - values["height_m"] if values["ridge_m"] else None
    height = round(storeys * storey_m + rules["plinth_m"], 2)
    floor_area = row.real_or_none("floor_area_m2") or round(float(old.footprint.area) * storeys, 1)
    use = row.text_or_none("use") or values["use"]
    return {
        "name": row.text("name"),
        **values,
        "height_m": height,
        "ridge_m": None if rise is None else round(height + rise, 2),
        "storeys_above": storeys,
        "year": row.whole_or_none("year"),
        "style": row.text_or_none("style"),
        "protection": row.text_or_none("protection"),
        "use": use,
        "floor_area_m2": floor_area,
        **_people(use, floor_area, rules),
        "basis": row.text("source"),
    }


def check_clear(buildings: Sequence[Building], streets: Mapping[str, Any]) -> None:
    """Raise `SourceError` when two footprints overlap or one stands in a street.

    Parameters
    ----------
    streets
        Name of a road -> its ground between the walls.
    """
    import shapely

    shapes = [one.footprint for one in buildings]
    tree = shapely.STRtree(shapes)
    for first, second in tree.query(shapes, predicate="intersects").T:
        if first < second:
            raise SourceError(
                "authoring.overlap",
                given=buildings[first].source_id,
                values={"other": buildings[second].source_id},
            )
    for road, ground in streets.items():
        for hit in tree.query(ground, predicate="intersects"):
            raise SourceError(
                "authoring.overlap", given=buildings[hit].source_id, values={"other": road}
            )


def building_features(
    buildings: Sequence[Building],
    ground_m: Sequence[float],
    addresses: Mapping[str, str],
    rules: Rules,
) -> list[Feature]:
    """Return buildings as features with their ground level and the text of their address."""
    features = []
    for one, level in zip(buildings, ground_m, strict=True):
        base = round(level, 3)
        floor = one.properties.get("floor_level_m") or round(base + rules["plinth_m"], 3)
        levels = {"base_m": base, "floor_level_m": floor, "address": addresses[one.source_id]}
        features.append(Feature(one.source_id, one.footprint, {**one.properties, **levels}))
    return features


def _model_plan(model: Mapping[str, Any], frame: StreetFrame) -> Any:
    centre = transform([[model["lon"], model["lat"]]], source=frame.lonlat, target=frame.crs)[0]
    turn = math.radians(model["bearing_deg"])
    figure = plan("rect", model["length_m"], model["width_m"])
    return place(figure, centre, (math.sin(turn), math.cos(turn)))


def _named_plan(row: Row, frame: StreetFrame) -> Any:
    turn = math.radians(frame.bearing_deg + row.real("turn_deg"))
    centre = frame.to_xy([[row.real("u_m"), row.real("v_m")]])[0]
    figure = plan(row.text("shape"), row.real("length_m"), row.real("width_m"), where=row.where)
    return place(figure, centre, (math.sin(turn), math.cos(turn)))


def _named_properties(row: Row, area_m2: float, rules: Rules) -> dict[str, Any]:
    storeys = row.whole("storeys")
    floor_area = row.real_or_none("floor_area_m2") or round(area_m2 * storeys, 1)
    return {
        "name": row.text("name"),
        "height_m": row.real("height_m"),
        "ridge_m": row.real_or_none("ridge_m"),
        "storeys_above": storeys,
        "storeys_below": row.whole("storeys_below"),
        "year": row.whole_or_none("year"),
        "use": row.text("use"),
        "style": row.text_or_none("style"),
        "protection": row.text_or_none("protection"),
        "roof_type": row.text_or_none("roof"),
        "floor_area_m2": floor_area,
        **_people(row.text("use"), floor_area, rules),
        "basis": row.text("source"),
    }


def _drawn_properties(plot: Plot, area_m2: float, rules: Rules) -> dict[str, Any]:
    fabric, name = plot.fabric, plot.source_id
    storeys = int(choose(name + "/storeys", fabric.words("storeys")))
    storey_m = spread(name + "/storey", fabric.real("storey_min_m"), fabric.real("storey_max_m"))
    height = round(storeys * storey_m + rules["plinth_m"], 2)
    roof = choose(name + "/roof", fabric.words("roofs"))
    floor_area = round(area_m2 * storeys, 1)
    years = fabric.whole("year_to") - fabric.whole("year_from") + 1
    is_old = fabric.whole("year_to") < 1949
    rise = 2.4 + roll(name + "/rise", 13) / 10
    return {
        "height_m": height,
        "ridge_m": None if roof == "flat" else round(height + rise, 2),
        "storeys_above": storeys,
        "storeys_below": int(is_old and roll(name + "/cellar", 2)),
        "year": fabric.whole("year_from") + roll(name + "/year", years),
        "use": fabric.text("use"),
        "style": choose(name + "/style", _styles(rules)) if is_old else rules["modern_style"],
        "protection": "一般" if is_old and roll(name + "/listed", 4) == 0 else None,
        "roof_type": roof,
        "floor_area_m2": floor_area,
        **_people(fabric.text("use"), floor_area, rules),
    }  # fmt: skip


def _styles(rules: Rules) -> list[str]:
    return [style for style, count in rules["styles"].items() for _ in range(count)]


def _people(use: str, floor_area_m2: float, rules: Rules) -> dict[str, int]:
    per_resident = rules["m2_per_resident"].get(use)
    residents = round(floor_area_m2 / per_resident) if per_resident else 0
    jobs = max(1, round(floor_area_m2 / rules["m2_per_job"][use]))
    return {"population": residents, "jobs": jobs}


def _size(plot: Plot) -> tuple[float, float]:
    fabric, name = plot.fabric, plot.source_id
    most = (
        plot.length_m - 2 * fabric.real("side_m"),
        plot.depth_m - min(fabric.real("setback_m"), plot.depth_m / 4) - fabric.real("back_m"),
    )
    cover = spread(name + "/cover", fabric.real("cover_min"), fabric.real("cover_max"), step=0.01)
    length = min(most[0], fabric.real("longest_m") - roll(name + "/long", 30) / 10)
    width = cover * plot.length_m * plot.depth_m / length
    return round(length, 1), round(min(max(width, 7.0), most[1], fabric.real("deepest_m")), 1)


def _mirrored(figure: Any) -> Any:
    import shapely

    return shapely.transform(figure, lambda points: points * np.array([-1.0, 1.0])).reverse()
