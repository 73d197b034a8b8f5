"""How water gets into the drains and back: the twin's pipes in SWMM, coupled to the street.

The street asks what each inlet and manhole lets through within a step (`Drains.settle_m3`),
moves that much water, and hands the volumes over (`Drains.take`), which SWMM then routes.
SWMM counts a lateral inflow as the mean of its rates at both ends of a routing step; the rate
is chosen so that exactly the volume handed over arrives, and SWMM's own count is kept beside
ours.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import MissingError, SimulationError
from cim.flood.sewer import NODE_M2, Sewer, openings, swmm_text
from cim.registry import standard

__all__ = ["DrainBalance", "Drains"]

Floats = NDArray[np.float64]

ROUTING_STEP_S = 1.0
_STIFF_M2 = NODE_M2 / 2.0  # twice as stiff as a chamber alone: the pipes at it swing too
_LEAST_M3_S = 4e-7  # SWMM takes less for nothing (1e-5 ft³/s): it is owed until there is more
_running = False


@dataclass(frozen=True)
class DrainBalance:
    """What became of the water that went down.

    Attributes
    ----------
    entered_m3, returned_m3
        What the street gave to the pipes, and got back, as the street counts it.
    swmm_received_m3
        Their difference as SWMM counts it.
    exchange_error_rel
        How far the two counts are apart, of the larger of `entered_m3` and 1 m³.
    outfall_m3, stored_m3, lost_m3
        What left at the outfalls, what is still in the pipes, what SWMM lost at its nodes.
    continuity_error
        SWMM's own routing continuity error, a share.
    """

    entered_m3: float
    returned_m3: float
    swmm_received_m3: float
    exchange_error_rel: float
    outfall_m3: float
    stored_m3: float
    lost_m3: float
    continuity_error: float


class Drains:
    """A running SWMM network, to be used as a context; one per process.

    Parameters
    ----------
    sewer
        From `find_sewer`.
    crest_m
        (n,) level of the street at each node, NaN where it has none: such a node exchanges
        nothing.
    duration_s
        The longest it will be asked to run.
    remember
        Whether to keep all that is handed over, for a checkpoint: 8 bytes a node in every exchange.

    Raises
    ------
    MissingError
        The extra ``drains`` is not installed.
    SimulationError
        SWMM refuses the network, or another one runs in this process.
    """

    def __init__(
        self, sewer: Sewer, *, crest_m: Floats, duration_s: float, remember: bool = True
    ) -> None:
        lid = np.where(np.isfinite(sewer.ground_m), sewer.ground_m, crest_m)
        lowest = sewer.invert_m + standard("pipe.min_diameter_m").number()
        self.sewer = replace(sewer, ground_m=np.where(np.isfinite(lid), lid, lowest))
        self.open = np.isfinite(crest_m) & ~sewer.outfall
        self.crest_m = np.where(self.open, crest_m, 0.0)
        self.taken_m3 = np.zeros(len(crest_m))  # net, by node
        self.worst: tuple[str, ...] = ()  # nodes where SWMM's count closes least, once it is over
        self._openings = openings(sewer)
        self._duration_s = duration_s
        self._rate = np.zeros(len(crest_m))
        self._owed_m3 = np.zeros(len(crest_m))
        self._entered_m3 = self._returned_m3 = 0.0
        self._remember = remember
        self.history: list[tuple[float, Floats]] = []  # what was taken: SWMM itself keeps no state
        self._swmm: Any = None
        self._head = self._node_volume = self._link_volume = 0
        self._index: list[int] = []
        self._head_m = np.zeros(len(crest_m))
        self._away_m3_s = np.zeros(len(crest_m))
        self._counts: list[int] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Drains:
        global _running
        try:
            from swmm.toolkit import solver
            from swmm.toolkit.shared_enum import LinkResult, NodeResult, ObjectType
        except ImportError as error:
            raise MissingError("flood.no_swmm", given="swmm-toolkit") from error
        if _running:
            raise SimulationError("flood.swmm_busy")
        self._folder = tempfile.TemporaryDirectory(prefix="cim-swmm-")
        name = Path(self._folder.name) / "drains"
        text = swmm_text(
            self.sewer,
            step_s=ROUTING_STEP_S,
            duration_s=self._duration_s,
            manning=standard("pipe.manning").number(),
        )
        name.with_suffix(".inp").write_text(text)
        files = [str(name.with_suffix(end)) for end in (".inp", ".rpt", ".out")]
        try:
            solver.swmm_open(*files)
            solver.swmm_start(0)
        except Exception as error:
            solver.swmm_close()
            self._folder.cleanup()
            raise SimulationError("flood.swmm_refused", given=str(error).strip()) from error
        _running, self._swmm = True, solver
        # Plain numbers: an enum's member costs more than the call it goes into.
        self._head, self._node_volume = int(NodeResult.HEAD.value), int(NodeResult.VOLUME.value)
        self._link_volume = int(LinkResult.VOLUME.value)
        names = (f"N{i}" for i in range(len(self.sewer.node_ids)))
        self._index = [solver.project_get_index(ObjectType.NODE, name) for name in names]
        self._counts = [
            solver.project_get_count(what) for what in (ObjectType.NODE, ObjectType.LINK)
        ]
        self._head_m = self._heads()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        global _running
        if self._swmm is not None:
            self._swmm.swmm_end()
            self._swmm.swmm_close()
            self._swmm, _running = None, False
            self.worst = self._least_closed()
        if self._folder is not None:
            self._folder.cleanup()

    def _least_closed(self) -> tuple[str, ...]:
        """Read SWMM's list of its highest errors by node; a piece of a pipe counts to its start."""
        assert self._folder is not None
        report = Path(self._folder.name) / "drains.rpt"
        _, _, after = report.read_text(errors="replace").partition("Highest Continuity Errors")
        listed, _, _ = after.partition("Highest Flow Instability")
        numbers = (int(found) for found in re.findall(r"Node N(\d+)\S* \(", listed))
        return tuple(dict.fromkeys(self.sewer.node_ids[i] for i in numbers))

    @property
    def head_m(self) -> Floats:
        """(n,) water level in each node."""
        return self._head_m.copy()

    def _heads(self) -> Floats:
        get, what = self._swmm.node_get_result, self._head
        return np.array([get(i, what) for i in self._index])

    def settle_m3(
        self, level_m: Floats, *, most_m3: Floats, street_m2: Floats, dt_s: float
    ) -> Floats:
        """What goes down within `dt_s` (negative: comes up), (n,), see `kernels.flood.exchange`.

        Parameters
        ----------
        level_m
            (n,) water level of the street at each node.
        most_m3, street_m2
            (n,) water there, and its surface: each node's share where several drain one place.
        dt_s
            Length of the step.
        """
        from kernels.flood.exchange import settle

        what, out = self._openings, np.zeros(len(level_m))
        settle(
            what.kind, np.where(self.open, level_m, -np.inf), most_m3, street_m2,
            np.where(self.open, self._head_m, -np.inf), self._away_m3_s, _STIFF_M2,
            self.crest_m, what.perimeter_m, what.area_m2, what.holes_m2,
            what.inlet_law, what.manhole_law, dt_s, out,
        )  # fmt: skip
        return out

    def take(self, volume_m3: Floats, *, dt_s: float) -> None:
        """Hand over what went down (negative: came up) within `dt_s`, and route it.

        Parameters
        ----------
        volume_m3
            (n,) by node.
        dt_s
            A whole number of at least two routing steps.

        Raises
        ------
        SimulationError
            SWMM gave up.
        """
        steps = round(dt_s / ROUTING_STEP_S)
        # A step counts (old + new) / 2, so n steps of a new rate bring (n - 1/2) new + old / 2.
        due = volume_m3 + self._owed_m3
        rate = (due / ROUTING_STEP_S - 0.5 * self._rate) / (steps - 0.5)
        rate = np.where(np.abs(rate) < _LEAST_M3_S, 0.0, rate)
        self._owed_m3 = due - (rate * (steps - 0.5) + 0.5 * self._rate) * ROUTING_STEP_S
        before_m = self._head_m
        self._route(rate, steps)
        self._head_m = self._heads()
        # What the pipes carried off: what came less what stayed, in a node that is full.
        stayed = (self._head_m - before_m) * _STIFF_M2
        self._away_m3_s = (volume_m3 - stayed) / dt_s
        self.taken_m3 += volume_m3
        self._entered_m3 += float(volume_m3[volume_m3 > 0].sum())
        self._returned_m3 -= float(volume_m3[volume_m3 < 0].sum())
        if self._remember:
            self.history.append((dt_s, volume_m3.copy()))

    def _route(self, rate: Floats, steps: int) -> None:
        for i, node in enumerate(self._index):
            if rate[i] != 0.0 or self._rate[i] != 0.0:
                self._swmm.node_set_total_inflow(node, rate[i])
        try:
            for _ in range(steps):
                self._swmm.swmm_step()
        except Exception as error:
            raise SimulationError("flood.swmm_refused", given=str(error).strip()) from error
        self._rate = rate

    def balance(self) -> DrainBalance:
        """Return both counts after the last `take`, with the last drops handed over."""
        if self._owed_m3.any():
            first = np.where(self._owed_m3 != 0.0, 1e-4, 0.0)
            last = 2.0 * (self._owed_m3 / ROUTING_STEP_S - first) - self._rate
            for rate in (first, np.where(self._owed_m3 != 0.0, last, -self._rate)):
                self._route(rate, 1)
            self._owed_m3[:] = 0.0
        swmm, (node_count, link_count) = self._swmm, self._counts
        nodes = [swmm.node_get_stats(i) for i in range(node_count)]
        stored = [swmm.node_get_result(i, self._node_volume) for i in range(node_count)]
        stored += [swmm.link_get_result(i, self._link_volume) for i in range(link_count)]
        falls = np.array(self._index)[self.sewer.outfall]
        outfalls = [swmm.outfall_get_stats(int(i)) for i in falls]
        received = float(sum(node.totLatFlow for node in nodes))
        given = self._entered_m3 - self._returned_m3
        continuity = self._swmm.system_get_routing_totals().pctError / 100.0
        return DrainBalance(
            entered_m3=self._entered_m3,
            returned_m3=self._returned_m3,
            swmm_received_m3=received,
            exchange_error_rel=abs(received - given) / max(self._entered_m3, 1.0),
            outfall_m3=float(sum(f.avgFlow * f.totalPeriods for f in outfalls)) * ROUTING_STEP_S,
            stored_m3=float(sum(stored)),
            lost_m3=float(sum(node.volFlooded for node in nodes)),
            continuity_error=float(continuity),
        )
