"""A complete engine through the seams alone: how far is each building from the nearest tree."""

from __future__ import annotations

import numpy as np
import shapely

from cim._version import VERSION
from cim.jobs import QUIET, Job
from cim.model import Result, ResultField, TwinView

SLICE = 50


def tree_distance(view: TwinView, *, job: Job = QUIET) -> Result:
    """Return the plan distance of each building's footprint to the nearest tree.

    Parameters
    ----------
    view
        A twin with the layers ``building`` and ``tree``.
    job
        Progress and cancel.

    Raises
    ------
    RequestError
        A layer is missing.
    """
    buildings, trees = view.table("building"), view.table("tree")
    index = shapely.STRtree(trees.geometry)
    distance_m = np.empty(len(buildings))
    for start in range(0, len(buildings), SLICE):
        job.step(start, len(buildings))
        part = buildings.geometry[start : start + SLICE]
        near = index.nearest(part)
        distance_m[start : start + SLICE] = shapely.distance(part, trees.geometry[near])
    job.step(len(buildings), len(buildings))
    field = ResultField(
        name="tree_distance_m",
        unit="m",
        carrier="objects",
        values=distance_m,
        titles={"en": "Distance to the nearest tree", "zh": "到最近树木的距离"},
        layer="building",
        ids=buildings.ids,
    )
    return Result(
        question="tree_distance",
        titles={"en": "Trees near buildings", "zh": "建筑与树木的距离"},
        fields=(field,),
        summary={"mean_m": float(distance_m.mean()), "max_m": float(distance_m.max())},
        parameters={},
        twin_version=view.version,
        scheme=view.scheme,
        kernel_version=VERSION,
        illustrative=buildings.illustrative or trees.illustrative,
    )
