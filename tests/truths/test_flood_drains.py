"""Drains against hand and SWMM alone, and in a whole storm: both sides count the same water."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import cim
from cim.flood import design_storm, flood
from cim.flood.drains import DrainBalance, Drains
from cim.flood.sewer import Sewer, find_sewer, swmm_text
from cim.model import WindowView
from tests.cim.test_flood_drains import street_drain

pytest.importorskip("swmm.toolkit")
pytestmark = pytest.mark.truths

DISTRICT = Path(__file__).resolve().parents[2] / "data" / "wudadao" / "district.toml"
WEIR, ORIFICE, RIM_M, CLEAR_M2, MANNING = 1.66, 0.67, 1.65, 0.135, 0.013  # HEC-22; the registry's
Floats = NDArray[np.float64]


def sewer_of(*, stage_m: float = np.nan, **changes: Any) -> Sewer:
    """Three grates on a drain of 300 m, and the water level outside its outfall."""
    sewer = find_sewer(street_drain(type=["inlet"] * 3 + ["outfall"], **changes))
    assert sewer is not None
    return replace(sewer, stage_m=np.where(sewer.outfall, stage_m, np.nan))


def basins(
    sewer: Sewer,
    *,
    crest_m: Floats,
    level_m: Floats,
    area_m2: Floats,
    inflow_m3_s: Floats,
    seconds: float,
    dt_s: float = 4.0,
) -> tuple[Floats, Floats, Floats, DrainBalance]:
    """A walled basin with a flat water level over each node: levels, flows and heads over time."""
    levels, flows, heads = [], [], []
    level = level_m.copy()
    with Drains(sewer, crest_m=crest_m, duration_s=seconds + 60.0) as drains:
        for _ in range(round(seconds / dt_s)):
            level += inflow_m3_s * dt_s / area_m2
            there = np.maximum(np.nan_to_num(level - crest_m), 0.0) * area_m2
            volume = drains.settle_m3(level, most_m3=there, street_m2=area_m2, dt_s=dt_s)
            drains.take(volume, dt_s=dt_s)
            level -= volume / area_m2
            levels.append(level.copy())
            flows.append(volume / dt_s)
            heads.append(drains.head_m)
        told = drains.balance()
    return np.array(levels), np.array(flows), np.array(heads), told


def test_a_gully_that_falls_freely_stands_as_deep_as_its_weir_says() -> None:
    inflow = np.array([0.03, 0.0, 0.0, 0.0])
    levels, flows, _, told = basins(
        sewer_of(), crest_m=np.full(4, 3.5), level_m=np.full(4, 3.5),
        area_m2=np.full(4, 100.0), inflow_m3_s=inflow, seconds=1200.0,
    )  # fmt: skip
    want = (0.03 / (WEIR * RIM_M)) ** (2.0 / 3.0)
    depth = levels[-1, 0] - 3.5 + 0.5 * 0.03 * 4.0 / 100.0  # in the middle of a step
    print(f"gully, 0.03 m3/s: {depth:.5f} m deep, by hand {want:.5f} m")
    assert depth == pytest.approx(want, rel=2e-3)
    assert (np.diff(flows[:, 0]) > 0.0).all() and told.returned_m3 == 0.0  # never swings


def test_full_pipes_hold_the_street_as_high_as_friction_and_grate_ask() -> None:
    """0.15 m³/s through 300 m of pipe of 0.5 m under a stage: Manning's line and an orifice.

    SWMM carries part of the flow in the slot that it cuts into a full pipe (1 % of its width),
    so its line may lie a few per cent below Manning's.
    """
    q, stage = 0.15, 2.6
    inflow = np.array([q, 0.0, 0.0, 0.0])
    levels, flows, heads, told = basins(
        sewer_of(stage_m=stage), crest_m=np.array([2.7, 20.0, 20.0, np.nan]),
        level_m=np.full(4, 2.7), area_m2=np.full(4, 100.0), inflow_m3_s=inflow, seconds=7200.0,
    )  # fmt: skip
    area, radius = np.pi * 0.5**2 / 4, 0.5 / 4
    friction = 300.0 * (q * MANNING / (area * radius ** (2 / 3))) ** 2
    grate = (q / (ORIFICE * CLEAR_M2)) ** 2 / (2 * 9.81)
    head, level = heads[-1, 0], levels[-1, 0]
    print(f"full pipes, {q} m3/s: {head - stage:.3f} m over the stage, by hand {friction:.3f}; "
          f"street {level - head:.4f} m over the pipe, by hand {grate:.4f}")  # fmt: skip
    assert head - stage == pytest.approx(friction, rel=0.05)
    assert level - head == pytest.approx(grate, rel=0.005)
    assert np.abs(np.diff(flows[:, 0], n=2)[-900:]).max() < 1e-5 * q  # never to and fro
    assert told.returned_m3 == 0.0
    assert told.exchange_error_rel <= 1e-9 and abs(told.continuity_error) <= 0.01


CRESTS = np.array([3.5, 2.6, 3.5, np.nan])
LEVELS = np.array([5.0, 3.2, 3.8, 0.0])
AREAS = np.array([400.0, 300.0, 200.0, 1.0])
SECONDS, EVERY_S = 1200.0, 20.0


def by_swmm_alone(sewer: Sewer, *, step_s: float = 0.25) -> Floats:
    """Levels of the same three basins every 20 s: storages and outlets within one SWMM run."""
    import tempfile

    from swmm.toolkit import solver
    from swmm.toolkit.shared_enum import NodeResult, ObjectType

    lines = [swmm_text(sewer, step_s=step_s, duration_s=SECONDS, manning=MANNING), "[STORAGE]"]
    for i in range(3):
        lines.append(f"S{i} {CRESTS[i]} 10 {LEVELS[i] - CRESTS[i]} FUNCTIONAL 0 0 {AREAS[i]} 0 0")
    lines.append("[OUTLETS]")
    through = ORIFICE * CLEAR_M2 * np.sqrt(2 * 9.81)
    for i in range(3):
        lines.append(f"O{i} S{i} N{i} {CRESTS[i]} FUNCTIONAL/HEAD {through:.8f} 0.5 NO")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        name = Path(folder) / "alone"
        name.with_suffix(".inp").write_text("\n".join(lines) + "\n")
        solver.swmm_open(*(str(name.with_suffix(end)) for end in (".inp", ".rpt", ".out")))
        try:
            solver.swmm_start(0)
            index = [solver.project_get_index(ObjectType.NODE, f"S{i}") for i in range(3)]
            for step in range(1, round(SECONDS / step_s) + 1):
                solver.swmm_step()
                if step % round(EVERY_S / step_s) == 0:
                    found.append([solver.node_get_result(i, NodeResult.HEAD) for i in index])
            solver.swmm_end()
        finally:
            solver.swmm_close()
    return np.array(found)


def test_three_streets_over_one_full_drain_move_as_swmm_alone_moves_them() -> None:
    """A high basin presses its water up into a low one; grates as SWMM's own outlets."""
    sewer = sewer_of(stage_m=2.3, diameter_m=[0.5, 0.5, 0.3])
    levels, flows, _, told = basins(
        sewer, crest_m=CRESTS, level_m=LEVELS, area_m2=AREAS,
        inflow_m3_s=np.zeros(4), seconds=SECONDS,
    )  # fmt: skip
    alone = by_swmm_alone(sewer)
    ours = levels[round(EVERY_S / 4.0) - 1 :: round(EVERY_S / 4.0), :3]
    apart = np.abs(ours - alone).max()
    fall = LEVELS[0] - alone[-1, 0]
    print(
        f"three basins: {told.entered_m3:.0f} m3 down, {told.returned_m3:.0f} m3 back up; "
        f"levels within {apart * 1000:.1f} mm of SWMM alone over a fall of {fall:.2f} m; "
        f"SWMM's continuity {told.continuity_error:+.2%}"
    )
    assert told.returned_m3 > 100.0  # the low basin is filled through its grate
    assert alone.shape == ours.shape and apart < 0.01
    swing = np.abs(np.diff(flows[60:, :3], n=2, axis=0)).sum()
    assert swing < 0.01 * np.abs(flows[60:, :3]).sum()
    assert told.exchange_error_rel <= 1e-9 and abs(told.continuity_error) <= 0.01


def test_a_storm_over_the_sketchs_drains_is_counted_alike_by_street_and_swmm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moved: list[Floats] = []
    take = Drains.take

    def noted(self: Drains, volume_m3: Floats, *, dt_s: float) -> None:
        moved.append(volume_m3.copy())
        take(self, volume_m3, dt_s=dt_s)

    monkeypatch.setattr(Drains, "take", noted)
    twin = cim.build_twin(cim.read_district(DISTRICT)).twin
    pipes = twin.table("pipe").bounds()
    assert pipes is not None
    result = flood(
        WindowView(twin, pipes),
        storm=design_storm(return_period_a=50, duration_min=60),
        cell_m=6.0,
        duration_s=7200.0,
        precision="f64",
        drains="pipes",
    )
    told, balance = result.summary["drains"], result.balance
    gross = np.abs(moved).sum()
    minutes = np.abs(np.array(moved).reshape(-1, 15, moved[0].size).sum(axis=1)).sum()
    print(
        f"drains: {told['entered_m3']:.0f} m3 down, {told['returned_m3']:.0f} m3 back, "
        f"{1 - minutes / gross:.2%} of it to and fro within a minute; "
        f"street against SWMM {told['exchange_error_rel']:.1e}, SWMM's own continuity "
        f"{told['continuity_error']:+.2%}, surface ledger {balance['error_rel']:.1e}"
    )
    assert told["entered_m3"] > 1000.0 and told["returned_m3"] > 0.0
    assert 1.0 - minutes / gross <= 0.01
    assert told["exchange_error_rel"] <= 1e-9
    assert -balance["to_drains_m3"] == pytest.approx(told["entered_m3"], rel=1e-9)
    assert balance["from_drains_m3"] == pytest.approx(told["returned_m3"], rel=1e-9)
    assert abs(told["continuity_error"]) <= 0.01
    assert told["lost_m3"] == 0.0
    assert balance["error_rel"] <= 1e-12 and balance["clipped_m3"] == 0.0
