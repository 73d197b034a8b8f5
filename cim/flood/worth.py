"""What a scheme is worth in a flood: one run against another (方案对比).

Both runs must have had the same rain on the same cells; then every difference is the scheme's:
a tank, a pump, a wall, another drain.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from cim import messages
from cim.errors import RequestError
from cim.model.grid import GridFrame
from cim.model.result import Result

__all__ = ["comparable", "worth"]

_SAME = ("storm", "cell_m", "duration_s", "rain_zones", "solver", "precision", "borders",
         "buildings", "walls", "within")  # fmt: skip
_FEW, _LONGEST = 6, 60  # values of a list, letters of a text told in an error
_DEEPER_M = 0.01  # depths closer than this count as equal


def worth(base: Result, scheme: Result) -> dict[str, Any]:
    """Return what the scheme changes against the base.

    Parameters
    ----------
    base, scheme
        Two floods of one twin by the same storm, on the same cells and for the same time.

    Returns
    -------
    dict
        ``differences``: number -> [base, scheme, scheme - base]; ``buildings`` and ``links``: ids
        that became ``better`` (now dry, now passing) or ``worse``; ``area_m2``: where the largest
        depth fell or rose by more than a centimetre; ``volume_m3``: what went down or out more.

    Raises
    ------
    RequestError
        The two were not asked the same.
    """
    comparable(base, scheme.parameters, scheme.grid)
    assert base.grid is not None
    change = scheme.field("depth_max_m").values - base.field("depth_max_m").values
    cell_m2 = base.grid.cell_m**2
    causes = sorted({*base.balance, *scheme.balance} - {"error_rel"})
    return {
        "differences": _differences(base.summary, scheme.summary),
        "buildings": _turned(base, scheme, "floor_water_m", limit=0.0),
        "links": _turned(base, scheme, "road_fails", limit=0.5),
        "area_m2": {
            "shallower": float((change < -_DEEPER_M).sum() * cell_m2),
            "deeper": float((change > _DEEPER_M).sum() * cell_m2),
        },
        "volume_m3": {
            name: round(scheme.balance.get(name, 0.0) - base.balance.get(name, 0.0), 3)
            for name in causes
        },
    }


def comparable(base: Result, asked: Mapping[str, Any], grid: GridFrame | None) -> None:
    """Make sure that a flood, run or only asked, can be held against `base`.

    Parameters
    ----------
    base
        A flood that was run.
    asked, grid
        Parameters and cells of the other one.

    Raises
    ------
    RequestError
        `base` is no flood, or the two are not asked the same: it says in what they differ.
    """
    if base.question != "flood":
        raise RequestError("flood.worth_question", given=base.question)
    kept = json.loads(json.dumps([dict(base.parameters), dict(asked)]))  # as a run is kept
    for name in _SAME:
        mine, other = (one.get(name) for one in kept)
        if mine != other:
            raise _differ(name, mine, other)
    if base.grid is None or base.grid != grid:
        raise _differ("grid", base.grid, grid)


def _differ(name: str, base: Any, other: Any) -> RequestError:
    if isinstance(base, Mapping) and isinstance(other, Mapping):  # only in what they differ
        names = [key for key in {**base, **other} if base.get(key) != other.get(key)]
        base, other = ({key: one.get(key) for key in names} for one in (base, other))
    what = messages.text(f"flood.worth_what.{name}")
    values = {"name": what, "base": _told(base), "scheme": _told(other)}
    return RequestError("flood.worth", given=what, values=values)


def _told(value: Any) -> str:
    """Return a parameter as words of one line."""
    if isinstance(value, GridFrame):
        west, south, east, north = value.bounds
        box = f"{west:.1f}, {south:.1f}, {east:.1f}, {north:.1f}"
        return f"{value.cols} × {value.rows} × {value.cell_m:g} m ({box})"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_told(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        few = "; ".join(_told(one) for one in value[:_FEW])
        return f"{few}; … ({len(value)})" if len(value) > _FEW else few or "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "-" if value is None else str(value)[:_LONGEST]


def _differences(base: Mapping[str, Any], scheme: Mapping[str, Any]) -> dict[str, list[float]]:
    """Numbers that both summaries have, one level deep."""
    out: dict[str, list[float]] = {}
    for group in ("streets", "floors", "people", "ponding", "underground"):
        for name, before in base.get(group, {}).items():
            after = scheme.get(group, {}).get(name)
            if _number(before) and _number(after):
                out[f"{group}.{name}"] = [before, after, after - before]
    for name in ("max_depth_m", "wet_area_m2", "area_over_lane_depth_m2", "volume_at_end_m3"):
        if name in base and name in scheme:
            out[name] = [base[name], scheme[name], scheme[name] - base[name]]
    return out


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _turned(base: Result, scheme: Result, field: str, *, limit: float) -> dict[str, list[str]]:
    """Ids on which a field fell to its limit, or rose above it; only those both runs know."""
    if not all(any(f.name == field for f in one.fields) for one in (base, scheme)):
        return {"better": [], "worse": []}
    bad = []
    for one in (base, scheme):
        found = one.field(field)
        ids = [] if found.ids is None else [str(id_) for id_ in found.ids]
        bad.append(dict(zip(ids, np.nan_to_num(found.values) > limit, strict=True)))
    both = [id_ for id_ in bad[0] if id_ in bad[1]]
    return {
        "better": [id_ for id_ in both if bad[0][id_] and not bad[1][id_]],
        "worse": [id_ for id_ in both if bad[1][id_] and not bad[0][id_]],
    }
