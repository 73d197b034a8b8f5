"""What edges and thin walls do, alike for both solvers, against algebra and the ledger."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from kernels.flood import godunov, inertial
from kernels.flood.edges import DISCHARGE, NORMAL, RATING, STAGE, WALL, Edges
from kernels.flood.faces import BROAD_CREST, LEAVES_DOWN, LEAVES_UP, Faces, new_faces
from kernels.flood.water import Ground, Water, new_ground, new_water, stored_m3

DRY = np.zeros(0)
SOLVERS = {
    "inertial": (inertial.advance, new_water),
    "godunov 1": (partial(godunov.advance, order=1), godunov.new_moving),
    "godunov 2": (partial(godunov.advance, order=2), godunov.new_moving),
}
both = pytest.mark.parametrize("solver", SOLVERS)


def ends(ground: Ground, first: tuple[int, float], last: tuple[int, float], **more: Any) -> Edges:
    """Say what the first and the last column do; walls beside."""
    rows, columns = (n - 2 for n in ground.bed_m.shape)
    lengths = [columns, columns, rows, rows]
    kind = np.repeat([WALL, WALL, first[0], last[0]], lengths).astype(np.int8)
    value = np.repeat([0.0, 0.0, first[1], last[1]], lengths)
    return Edges(kind, value, value, moved_m3=np.zeros((2, kind.size)), **more)


def run(
    solver: str, ground: Ground, depth_m: Any, until_s: float, *, cell_m: float = 2.0, **more: Any
) -> Water:
    advance, start = SOLVERS[solver]
    water = start(ground, depth_m=depth_m)
    reached, _ = advance(ground, water, cell_m=cell_m, from_s=0.0, until_s=until_s,
                         rain_ends_s=DRY, rain_mps=DRY, **more)  # fmt: skip
    assert reached == until_s
    return water


@both
def test_a_channel_finds_normal_depth_between_a_discharge_and_a_slope(solver: str) -> None:
    q, slope, n = 0.5, 0.002, 0.03
    bed = np.tile(-np.arange(100.0) * 4.0 * slope, (3, 1))
    ground = new_ground(bed, cell_m=4.0, manning=n)
    edges = ends(ground, (DISCHARGE, q), (NORMAL, slope))
    water = run(solver, ground, 0.3, 4000.0, cell_m=4.0, edges=edges)
    normal = (q * n / np.sqrt(slope)) ** 0.6
    assert water.depth_m[1, 20:80] == pytest.approx(normal, rel=0.01)
    came, went = edges.moved_m3.sum(axis=1)
    assert came == pytest.approx(q * 12.0 * 4000.0, rel=1e-12)
    assert water.ledger[2] == pytest.approx(went - came, rel=1e-10)
    assert stored_m3(water, cell_m=4.0) - 0.3 * 4800.0 == pytest.approx(came - went, rel=1e-9)


@both
def test_a_tide_fills_and_empties_a_basin_to_its_level_and_is_counted(solver: str) -> None:
    ground = new_ground(np.zeros((12, 12)), cell_m=5.0, manning=0.05)
    for before, level in ((1.0, 0.4), (0.0, 0.7)):
        edges = ends(ground, (WALL, 0.0), (STAGE, level))
        water = run(solver, ground, before, 4000.0, cell_m=5.0, edges=edges)
        assert water.depth_m == pytest.approx(np.full((12, 12), level), abs=0.01)
        gained = edges.moved_m3[0].sum() - edges.moved_m3[1].sum()
        assert stored_m3(water, cell_m=5.0) - before * 3600.0 == pytest.approx(gained, rel=1e-9)


@both
def test_a_rating_curve_holds_a_pond_where_what_comes_goes(solver: str) -> None:
    ground = new_ground(np.zeros((3, 10)), cell_m=2.0, manning=0.02)
    curve = np.array([[[0.0, 1.0, 2.0], [0.0, 0.2, 1.0]]])
    edges = ends(ground, (DISCHARGE, 0.3), (RATING, 0.0), curves=curve)
    water = run(solver, ground, 0.5, 4000.0, edges=edges)
    assert water.depth_m[1, -1] == pytest.approx(1.0 + 0.1 / 0.8, abs=2e-3)


def wall(shape: tuple[int, int], column: int, crest: float, share: float) -> Faces:
    rows = np.arange(shape[0])
    all_ = [rows, np.full(shape[0], column), np.full(shape[0], crest), np.full(shape[0], share)]
    return new_faces(shape, x=all_, y=[np.empty(0)] * 4)


@both
def test_water_stands_at_two_levels_on_both_sides_of_a_wall(solver: str) -> None:
    bed = np.random.default_rng(2).uniform(0, 0.3, (6, 12))
    level = np.where(np.arange(12) < 6, 1.2, 0.6)
    for turned in (False, True):
        faces = wall((6, 12), 6, 1.5, 0.0)
        depth, ground_ = level - bed, bed
        if turned:
            ground_, depth = bed.T.copy(), depth.T.copy()
            cols = np.arange(6.0)
            one = [np.full(6, 6.0), cols, np.full(6, 1.5), np.zeros(6)]
            faces = new_faces((12, 6), x=[np.empty(0)] * 4, y=one)
        ground = new_ground(ground_, cell_m=2.0, manning=0.03)
        faces.crest_x[:] -= bed.min()
        faces.crest_y[:] -= bed.min()
        water = run(solver, ground, depth, 100.0, faces=faces)
        assert water.depth_m == pytest.approx(depth, abs=1e-12)
        assert max(np.abs(water.now.flux_x).max(), np.abs(water.now.flux_y).max()) <= 1e-12


@both
@pytest.mark.parametrize("tail_m", [0.2, 1.25])
def test_what_runs_over_a_wall_is_what_the_weir_formula_says(solver: str, tail_m: float) -> None:
    ground = new_ground(np.zeros((3, 40)), cell_m=2.0, manning=0.03)
    crest, held = 1.0, 1.5
    edges = ends(ground, (STAGE, held), (STAGE, tail_m))
    start = np.where(np.arange(40) < 20, held, tail_m) * np.ones((3, 1))
    water = run(solver, ground, start, 600.0, edges=edges, faces=wall((3, 40), 20, crest, 0.0))
    up, down = (water.depth_m[1, at] - crest for at in (19, 20))
    drowned = (1 - (max(down, 0) / up) ** 1.5) ** 0.385
    came = edges.moved_m3.copy()
    advance, _ = SOLVERS[solver]
    advance(ground, water, cell_m=2.0, from_s=600.0, until_s=700.0, rain_ends_s=DRY, rain_mps=DRY,
            edges=edges, faces=wall((3, 40), 20, crest, 0.0))  # fmt: skip
    flow = (edges.moved_m3 - came)[0].sum() / 100.0 / 6.0
    assert flow == pytest.approx(BROAD_CREST * up**1.5 * drowned, rel=0.02)
    assert up == pytest.approx(held - crest, abs=0.05)


@both
def test_a_half_open_wall_lets_about_half_through_and_both_sides_become_level(solver: str) -> None:
    ground = new_ground(np.zeros((3, 20)), cell_m=2.0, manning=0.05)
    start = np.where(np.arange(20) < 10, 0.5, 0.3) * np.ones((3, 1))
    passed = []
    for share in (1.0, 0.5):
        water = run(solver, ground, start, 1.0, faces=wall((3, 20), 10, 9.0, share))
        assert stored_m3(water, cell_m=2.0) == pytest.approx(0.4 * 240.0, rel=1e-13)
        passed.append(water.depth_m[:, 10:].sum() - start[:, 10:].sum())
    assert passed[1] == pytest.approx(0.5 * passed[0], rel=0.15)
    water = run(solver, ground, start, 2000.0, faces=wall((3, 20), 10, 9.0, 0.5))
    assert water.depth_m == pytest.approx(np.full((3, 20), 0.4), abs=1e-3)


def ways_out(inside: Any, beyond: Any, *, slope: float = 1e-3) -> Faces:
    """Say where the cells of `inside` end in the middle of a grid: sinks all around them."""
    sinks = np.zeros_like(inside)
    found: list[list[Any]] = []
    for axis in (1, 0):
        a, b = (inside, np.roll(inside, -1, axis)) if axis else (inside, np.roll(inside, -1, 0))
        up, down = np.argwhere(a & ~b), np.argwhere(~a & b)
        step = np.array([0, 1] if axis else [1, 0])
        sinks[tuple((up + step).T)] = sinks[tuple(down.T)] = True
        at = np.concatenate([up, down]) + step
        share = np.repeat([LEAVES_UP, LEAVES_DOWN], [len(up), len(down)])
        over = np.concatenate([up + step, down])
        found.append([at[:, 0], at[:, 1], beyond[tuple(over.T)], share])
    return new_faces(inside.shape, x=found[0], y=found[1], sinks=np.nonzero(sinks),
                     least_slope=slope)  # fmt: skip


def rain_on(solver: str, bed: Any, share: Any, faces: Faces | None, **more: Any) -> Water:
    advance, start = SOLVERS[solver]
    ground = new_ground(bed, cell_m=2.0, manning=0.03, rain_share=share,
                        edge_slope=[more.pop("edge")] * 4)  # fmt: skip
    water = start(ground, depth_m=0.0)
    advance(ground, water, cell_m=2.0, from_s=0.0, until_s=900.0, rain_ends_s=np.array([600.0]),
            rain_mps=np.array([2e-5]), faces=faces, **more)  # fmt: skip
    return water


@both
@pytest.mark.parametrize("tilt", [0.0, 0.004, 0.05])
def test_a_basin_cut_out_of_a_grid_drains_as_the_same_basin_on_a_grid_of_its_own(
    solver: str, tilt: float
) -> None:
    bed = tilt * (np.maximum(np.arange(30.0), 5.0) * -2.0 + np.zeros((20, 1)))
    inside = np.zeros((20, 30), bool)
    inside[3:-4, 5:-3] = True
    faces = ways_out(inside, bed - bed[inside].min())
    cut = np.where(inside, bed, np.nan)
    water = rain_on(solver, cut, inside.astype(float), faces, edge=-1.0)
    alone = rain_on(solver, bed[3:-4, 5:-3], 1.0, None, edge=1e-3)
    mine = water.depth_m[3:-4, 5:-3]
    assert (water.depth_m[~inside] == 0.0).all()
    assert np.abs(mine - alone.depth_m).sum() <= 0.02 * alone.depth_m.sum() + 1e-12
    halves = 0.5 if solver == "godunov 2" else 1.0
    out = faces.sunk_m.sum() * 4.0 * halves
    assert out == pytest.approx(alone.ledger[2], rel=0.02)
    assert water.ledger[0] == pytest.approx(stored_m3(water, cell_m=2.0) + out, rel=1e-12)
    assert out > 0.1 * water.ledger[0]


@both
def test_water_stays_behind_higher_ground_beyond_a_way_out(solver: str) -> None:
    bed = np.zeros((5, 12))
    inside = np.zeros((5, 12), bool)
    inside[1:-1, 1:-1] = True
    faces = ways_out(inside, bed + 0.3)
    for depth, left in ((0.25, 0.25), (0.5, 0.3)):
        ground = new_ground(np.where(inside, bed, np.nan), cell_m=2.0, manning=0.03)
        water = run(solver, ground, np.where(inside, depth, 0.0), 2000.0, faces=faces)
        assert water.depth_m[inside] == pytest.approx(np.full(30, left), abs=6e-3)
        if depth == left:
            assert np.abs(water.depth_m[inside] - depth).max() <= 1e-12
