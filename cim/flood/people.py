"""Who is hit: people living and working where water gets in or stands at the wall (受影响人口)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Exposed", "exposed"]


@dataclass(frozen=True)
class Exposed:
    """Counts of people, and of buildings whose people are not known.

    Attributes
    ----------
    residents_inside, jobs_inside
        Residents and jobs of buildings that water enters.
    residents_at_wall, jobs_at_wall
        Of buildings with at least `deep_m` of water at a wall, those entered included.
    unknown_population
        Buildings so hit whose residents and jobs are both unknown.
    by_use
        Residents of entered buildings, by use.
    """

    residents_inside: float
    jobs_inside: float
    residents_at_wall: float
    jobs_at_wall: float
    unknown_population: int
    by_use: dict[str, float]


def exposed(
    *,
    residents: NDArray[np.float64],
    jobs: NDArray[np.float64],
    uses: Sequence[str],
    entered: NDArray[np.bool_],
    wall_depth_m: NDArray[np.float64],
    deep_m: float,
) -> Exposed:
    """Count people; all arrays (n,), NaN unknown.

    Parameters
    ----------
    residents, jobs, uses
        Of each building.
    entered
        Whether water gets in.
    wall_depth_m
        Deepest water at its walls.
    deep_m
        Depth at the wall from which people count as hit.
    """
    near = entered | (np.nan_to_num(wall_depth_m) >= deep_m)
    people, work = np.nan_to_num(residents), np.nan_to_num(jobs)
    by_use: dict[str, float] = {}
    for at in np.flatnonzero(entered):
        by_use[uses[int(at)]] = by_use.get(uses[int(at)], 0.0) + float(people[at])
    return Exposed(
        residents_inside=float(people[entered].sum()),
        jobs_inside=float(work[entered].sum()),
        residents_at_wall=float(people[near].sum()),
        jobs_at_wall=float(work[near].sum()),
        unknown_population=int((near & np.isnan(residents) & np.isnan(jobs)).sum()),
        by_use=dict(sorted(by_use.items())),
    )
