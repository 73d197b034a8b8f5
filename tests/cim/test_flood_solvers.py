"""One step for every solver: the same story, when things are done, cost, memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cim.errors import RequestError
from cim.flood import Border, even_storm, flood, flood_cost, flood_files
from cim.flood.cost import memory_mb
from cim.flood.engine import Engine, Numerics
from tests.cim.floods import HARD, SOLVERS, bare
from tests.towns import town


@SOLVERS
@pytest.mark.parametrize("precision", ["f32", "f64"])
def test_a_twin_floods_with_every_solver_and_its_balance_closes(
    solver: Any, order: int, precision: Any
) -> None:
    view = town(size_m=60, houses=2)
    found = flood(view, storm=HARD, duration_s=600.0, solver=solver, order=order,
                  precision=precision)  # fmt: skip
    assert found.balance["error_rel"] < {"f32": 1e-6, "f64": 1e-12}[precision]
    assert found.balance["clipped_m3"] == 0.0
    assert found.balance["rain_m3"] == pytest.approx(360.0, rel=1e-6)
    assert found.summary["max_depth_m"] > 0.03
    scheme = "local inertial" if solver == "inertial" else solver
    assert found.parameters["solver"]["scheme"] == scheme


def test_both_solvers_tell_the_same_story_of_a_pond() -> None:
    x = np.linspace(-1, 1, 30)
    bowl = bare(3.0 + np.add.outer(x**2, x**2))
    options: dict[str, Any] = {"storm": HARD, "duration_s": 1200.0, "cell_m": 1.0,
                               "drain_mm_h": 0.0}  # fmt: skip
    one = flood(bowl, **options)
    two = flood(bowl, solver="godunov", order=2, **options)
    difference = one.field("depth_m").values[-1] - two.field("depth_m").values[-1]
    assert np.abs(difference).max() < 0.02
    assert one.field("depth_m").values[-1].max() > 0.1


def test_a_steep_street_is_outside_the_range_of_the_inertial_solver_and_says_so() -> None:
    slope = np.tile(3.0 + 0.5 * np.arange(40.0)[::-1], (6, 1))
    storm = even_storm(depth_mm=400, duration_min=5)
    options: dict[str, Any] = {"storm": storm, "cell_m": 1.0, "duration_s": 300.0,
                               "manning": 0.012, "drain_mm_h": 0.0}  # fmt: skip
    steep = flood(bare(slope), borders=[Border("wall"), Border("free", "east")], **options)
    right = flood(bare(slope), solver="godunov", order=2, **options)
    # 400 mm in 5 min on 40 m: a film of 5 cm and more where it leaves, far above Froude 1.
    assert steep.summary["wet_area_outside_range_m2"] > 0.0
    assert (steep.field("valid").values == 0).any()
    assert (right.field("valid").values == 1).all()


def test_there_is_no_third_solver() -> None:
    for wrong in ({"solver": "magic"}, {"order": 3}, {"precision": "f16"}):
        with pytest.raises(RequestError):
            flood(town(size_m=40, houses=1), storm=HARD, **wrong)


def test_what_is_due_is_done_at_the_end_of_a_run_of_any_length() -> None:
    steep = bare(np.tile(3.0 + 0.3 * np.arange(20.0), (20, 1)))
    storm = even_storm(depth_mm=600, duration_min=1)
    short = flood(steep, storm=storm, cell_m=1.0, duration_s=29.0, borders=[Border("wall")])
    assert short.field("speed_max_mps").values.max() > 1.0
    zones = (np.zeros((20, 20), np.int64), [storm])
    even, zoned = (
        flood(steep, storm=storm, cell_m=1.0, duration_s=25.0, borders=[Border("wall")], **more)
        for more in ({}, {"zones": zones})
    )
    assert zoned.balance["rain_m3"] == pytest.approx(even.balance["rain_m3"], rel=1e-6)


@SOLVERS
@pytest.mark.parametrize("ground", ["bowl", "plane"])
def test_the_steps_of_a_run_are_told_within_a_factor_of_two(
    solver: Any, order: int, ground: str
) -> None:
    x = np.linspace(-1, 1, 80)
    bed = np.add.outer(x**2, x**2) if ground == "bowl" else np.add.outer(0 * x, 3 * x)
    view = bare(3.0 + bed, cell_m=2.0)
    options: dict[str, Any] = {"storm": HARD, "cell_m": 2.0, "duration_s": 900.0,
                               "solver": solver, "order": order}  # fmt: skip
    told = flood_cost(view, **options)
    steps = flood(view, **options).summary["time_steps"]
    assert told.cells == 80 * 80
    assert steps / 2 < told.steps < steps * 2


def test_a_terrain_larger_than_the_machine_is_refused_before_the_start(tmp_path: Path) -> None:
    # 2,000,000 by 2,000,000 cells in a file of a few bytes: never read.
    path = tmp_path / "huge.vrt"
    path.write_text(
        '<VRTDataset rasterXSize="2000000" rasterYSize="2000000"><SRS>EPSG:4548</SRS>'
        "<GeoTransform>500000,2,0,4300000,0,-2</GeoTransform>"
        '<VRTRasterBand dataType="Float32" band="1"/></VRTDataset>',
        encoding="utf-8",
    )
    with pytest.raises(RequestError) as caught:
        flood_files(path, tmp_path / "o", duration_s=10.0, rain_mm_h=10.0)
    assert caught.value.key == "flood.memory"
    assert memory_mb(10**6, Numerics()) < memory_mb(10**6, Numerics("godunov", 2, "f64"))


def test_a_spring_puts_in_what_it_says_and_the_engine_says_where_it_is_deepest() -> None:
    engine = Engine(np.zeros((4, 5)), cell_m=2.0, numerics=Numerics(), manning=0.03)
    assert engine.pour(1, 3, 2.0) == pytest.approx(2.0, rel=1e-12)
    assert engine.ran_away_at() == (1, 3)
    assert engine.stored_m3() == pytest.approx(2.0, rel=1e-12)
