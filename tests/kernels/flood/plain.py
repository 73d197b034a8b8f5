"""The local inertial step again, slowly: whole arrays, float64, ordinary powers, no ring."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.float64]
G = 9.81


@dataclass
class PlainFlood:
    """Walls all around; NaN in `bed` is closed; Bates et al. (2010), de Almeida & Bates (2013)."""

    bed: Grid
    depth: Grid
    manning: Grid
    cell_m: float
    theta: float = 0.9
    dry_m: float = 1e-4
    share: Grid | float = 1.0
    drain_mps: Grid | float = 0.0
    qx: Grid = field(init=False)
    qy: Grid = field(init=False)
    drained_m: float = 0.0

    def __post_init__(self) -> None:
        rows, columns = self.bed.shape
        self.qx = np.zeros((rows, columns + 1))
        self.qy = np.zeros((rows + 1, columns))
        self.depth = np.where(np.isnan(self.bed), 0.0, self.depth)

    def step(self, dt_s: float, rain_mps: float = 0.0) -> None:
        """Move on by `dt_s`."""
        around = np.pad(self.qy, ((0, 0), (1, 1)), mode="edge")
        across = (around[:-1, :-1] + around[1:, :-1] + around[:-1, 1:] + around[1:, 1:]) / 4
        qx = self._faces(self.bed, self.depth, self.qx, across, self.manning, dt_s)
        around = np.pad(self.qx, ((1, 1), (0, 0)), mode="edge")
        across = (around[:-1, :-1] + around[1:, :-1] + around[:-1, 1:] + around[1:, 1:]) / 4
        qy = self._faces(
            self.bed.T, self.depth.T, self.qy.T, across.T, self.manning.T, dt_s
        ).T.copy()
        given = np.maximum(qx[:, 1:], 0) - np.minimum(qx[:, :-1], 0)
        given += np.maximum(qy[1:], 0) - np.minimum(qy[:-1], 0)
        held = self.depth * self.cell_m / dt_s
        keep = np.minimum(1.0, held / np.where(given > 0, given, 1e-300))
        wide = np.pad(keep, 1, mode="edge")
        self.qx = qx * np.where(qx > 0, wide[1:-1, :-1], wide[1:-1, 1:])
        self.qy = qy * np.where(qy > 0, wide[:-1, 1:-1], wide[1:, 1:-1])
        net = self.qx[:, :-1] - self.qx[:, 1:] + self.qy[:-1] - self.qy[1:]
        open_ = ~np.isnan(self.bed)
        full = np.maximum(self.depth + net * dt_s / self.cell_m, 0.0)
        full += np.where(open_, rain_mps * dt_s * self.share, 0.0)
        taken = np.minimum(np.where(open_, self.drain_mps, 0.0) * dt_s, full)
        self.depth = full - taken
        self.drained_m += float(taken.sum())

    def _faces(
        self, bed: Grid, depth: Grid, q: Grid, across: Grid, manning: Grid, dt_s: float
    ) -> Grid:
        """Flux through the faces between columns; the outermost ones are walls."""
        out = np.zeros_like(q)
        left, right = (slice(None), slice(None, -1)), (slice(None), slice(1, None))
        level = bed + depth
        flow_depth = np.fmax(level[left], level[right]) - np.fmax(bed[left], bed[right])
        closed = np.isnan(bed[left]) | np.isnan(bed[right])
        flows = ~closed & (flow_depth > self.dry_m)
        hf = np.where(flows, flow_depth, 1.0)
        inner = q[:, 1:-1]
        centred = self.theta * inner + (1 - self.theta) / 2 * (q[:, :-2] + q[:, 2:])
        rise = np.where(flows, level[right] - level[left], 0.0)
        square = (manning[left] ** 2 + manning[right] ** 2) / 2
        size = np.hypot(inner, across[:, 1:-1])
        push = centred - G * hf * dt_s * rise / self.cell_m
        rub = G * dt_s * square * hf ** (-7 / 3)
        # q' (1 + rub (|q'| + size - |q|)) = push: the root with the sign of push.
        linear = 1 + rub * (size - np.abs(inner))
        flux = 2 * push / (linear + np.sqrt(linear**2 + 4 * rub * np.abs(push)))
        most = hf * np.sqrt(G * hf)
        out[:, 1:-1] = np.where(flows, np.clip(flux, -most, most), 0.0)
        return out
