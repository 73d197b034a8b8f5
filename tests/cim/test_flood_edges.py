"""What edges of a flood bring and let out, from twins, grids and tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cim.cli._app import run as cim
from cim.errors import RequestError, SourceError
from cim.flood import Border, even_storm, flood, flood_files, run_water
from tests.cim.floods import SOLVERS, bare, dem, rough, write


@SOLVERS
def test_each_edge_has_its_own_line_in_the_ledger(solver: Any, order: int) -> None:
    tide = Border("stage", "west", times_s=np.array([0.0, 300.0]), values=np.array([1.2, 0.3]),
                  name="tide")  # fmt: skip
    inflow = Border("discharge", "north", start=2, stop=6, values=np.array([0.8]))
    away = Border("normal", "east", values=np.array([0.01]))
    found = run_water(rough(), cell_m=2.0, duration_s=300.0, depth0_m=0.3, precision="f64",
                      boundary=[tide, inflow, away], solver=solver, order=order)  # fmt: skip
    assert found.mass_error_rel <= 1e-12
    assert found.edges["discharge north"]["in_m3"] == pytest.approx(0.8 * 300.0, rel=1e-9)
    assert found.edges["tide"]["in_m3"] > 0.0
    assert found.edges["tide"]["out_m3"] > 0.0
    assert found.edges["normal east"]["out_m3"] > 0.0
    came = sum(one["in_m3"] for one in found.edges.values())
    went = sum(one["out_m3"] for one in found.edges.values())
    assert found.ledger["edge_in_m3"] == pytest.approx(came, rel=1e-12)
    assert found.ledger["outflow_m3"] == pytest.approx(went, rel=1e-9)


def test_a_river_at_the_edge_floods_a_twin_to_its_level() -> None:
    river = [Border("wall"), Border("stage", "south", values=np.array([3.6]))]
    dry = even_storm(depth_mm=0.001, duration_min=1)
    found = flood(bare(np.full((20, 20), 3.0)), storm=dry, cell_m=1.0, duration_s=1800.0,
                  borders=river, drain_mm_h=0.0, manning=0.05)  # fmt: skip
    assert found.field("depth_m").values[-1] == pytest.approx(np.full((20, 20), 0.6), abs=0.01)
    assert found.balance["error_rel"] < 1e-6
    crossed = found.summary["edges"]["stage south"]
    assert crossed["in_m3"] - crossed["out_m3"] == pytest.approx(0.6 * 400, rel=0.01)


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        (lambda: Border("lake"), "flood.border_kind"),
        (lambda: Border("wall", "up"), "flood.border_side"),
        (lambda: Border("stage", "west"), "flood.border_values"),
        (lambda: Border("stage", "west", values=np.array([np.nan])), "flood.border_values"),
        (lambda: Border("stage", "west", times_s=np.array([5.0, 1.0]), values=np.ones(2)),
         "flood.border_values"),
        (lambda: Border("normal", "west", values=np.array([-1.0])), "flood.border_slope"),
        (lambda: Border("rating", "west", times_s=np.arange(2.0), values=np.array([2.0, 1.0])),
         "flood.border_rating"),
    ],
)  # fmt: skip
def test_a_border_that_cannot_be_is_refused(wrong: Any, key: str) -> None:
    with pytest.raises(RequestError) as caught:
        wrong()
    assert caught.value.key == key


def test_a_border_without_an_open_cell_is_refused() -> None:
    bed = np.zeros((4, 4))
    bed[:, 0] = np.nan
    with pytest.raises(RequestError) as caught:
        run_water(bed, cell_m=1.0, duration_s=1.0,
                  boundary=[Border("discharge", "west", values=np.ones(1))])  # fmt: skip
    assert caught.value.key == "flood.border_nowhere"


def test_a_boundary_file_brings_a_tide_a_discharge_and_a_curve(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terrain = dem(tmp_path / "d.tif", np.zeros((20, 20)))
    write(tmp_path / "tide.csv", ("time_s", "level_m"), (0, 0.2), (600, 0.5))
    write(tmp_path / "curve.csv", ("level_m", "flow_m3s"), (0, 0), (1, 3))
    edges = write(
        tmp_path / "edges.csv",
        ("side", "kind", "value", "series", "from", "to", "name", "datum"),
        ("west", "stage", "", "tide.csv", "", "", "sea", "EPSG:5737"),
        ("north", "discharge", 0.4, "", 500010, 500020, "", ""),
        ("east", "rating", "", "curve.csv", "", "", "", ""),
    )
    words = ["flood", "--dem", str(terrain), "--boundary", str(edges), "--duration-s", "600",
             "-o", str(tmp_path / "o"), "--json", "--precision", "f64"]  # fmt: skip
    assert cim([*words, "--height-datum", "cgvd1985"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["edges"]["discharge north"]["in_m3"] == pytest.approx(240.0, rel=1e-9)
    assert record["edges"]["sea"]["in_m3"] > 0.0
    assert record["edges"]["rating east"]["out_m3"] > 0.0
    assert record["mass_error_rel"] <= 1e-12
    assert cim([*words, "--height-datum", "dagu"]) != 0
    assert "dagu" in capsys.readouterr().err
    assert cim(words) != 0
    assert "not known" in capsys.readouterr().err


def test_a_table_that_lacks_a_number_is_named(tmp_path: Path) -> None:
    terrain = dem(tmp_path / "d.tif", np.zeros((4, 4)))
    edges = write(tmp_path / "e.csv", ("side", "kind", "value"), ("west", "stage", "high"))
    with pytest.raises(SourceError, match="high"):
        flood_files(terrain, tmp_path / "o", duration_s=10.0, boundary=str(edges))
