"""The worst of moving water at every cell: speed, hazard, duration, lost hold, and where the
solver was out of its range.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cim.flood.engine import Numerics
from cim.flood.hazard import hold_limits
from cim.registry import standard

if TYPE_CHECKING:
    from kernels.flood.water import Water

__all__ = ["Watcher"]

Array = NDArray[Any]


class Watcher:
    """Looks at the whole water now and then.

    `speed_mps`, `hazard_m2_s`, `long_s` (time over the lane depth) are (rows, cols) float32;
    `least_m` the least depth of any look.
    """

    every_s = 30.0

    def __init__(self, shape: tuple[int, int]) -> None:
        from kernels.flood.danger import new_seen

        self._who, self._moving, self._deep = hold_limits()
        keys = ("arrival_depth_m", "debris_factor", "lane_depth_m", "inertial_froude")
        self._limits = np.array([standard(f"flood.{key}").number() for key in keys])
        self._seen = new_seen(shape)
        self._clock = np.array([0.0, np.inf])  # last look, least depth
        self.speed_mps, self.hazard_m2_s, self.long_s, self._bits = self._seen

    @property
    def least_m(self) -> float:
        """Return the least depth of any look."""
        return float(self._clock[1])

    def look(self, water: Water, *, t_s: float) -> None:
        """Keep the largest speed and hazard rating, and where somebody loses hold."""
        from kernels.flood.danger import look

        since_s = t_s - self._clock[0]
        least = look(water.now, self._seen, self._limits, self._moving, self._deep, since_s)
        self._clock[:] = t_s, min(self._clock[1], least)

    @property
    def unsafe(self) -> dict[str, NDArray[np.bool_]]:
        """(rows, cols) where each lost hold at any look."""
        return {who: (self._bits >> k & 1).astype(bool) for k, who in enumerate(self._who)}

    def valid(self, numerics: Numerics) -> NDArray[np.bool_]:
        """Tell where the solver was inside its range, (rows, cols).

        The local inertial equations are out of it above the registry's
        ``flood.inertial_froude``; the shock-capturing schemes are inside everywhere.
        """
        from kernels.flood.danger import FAST

        if numerics.solver != "inertial":
            return np.ones(self._bits.shape, bool)
        slow: NDArray[np.bool_] = (self._bits >> FAST & 1) == 0
        return slow

    def state(self) -> dict[str, Array]:
        """Return everything a run needs to go on."""
        return {**self._seen._asdict(), "clock": self._clock}

    def restore(self, state: dict[str, Array]) -> None:
        """Go back to a state."""
        for name, mine in self.state().items():
            mine[...] = state[name]
