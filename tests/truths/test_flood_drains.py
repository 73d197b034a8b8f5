"""Drains in a whole storm: what the street says it gave is what SWMM says it got."""

from __future__ import annotations

from pathlib import Path

import pytest

import cim
from cim.flood import design_storm, flood
from cim.model import WindowView

pytestmark = pytest.mark.truths

DISTRICT = Path(__file__).resolve().parents[2] / "data" / "wudadao" / "district.toml"


def test_a_storm_over_the_sketchs_drains_is_counted_alike_by_street_and_swmm() -> None:
    pytest.importorskip("swmm.toolkit")
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
    print(
        f"drains: {told['entered_m3']:.0f} m3 down, {told['returned_m3']:.0f} m3 back; "
        f"street against SWMM {told['exchange_error_rel']:.1e}, SWMM's own continuity "
        f"{told['continuity_error']:+.2%}, surface ledger {balance['error_rel']:.1e}"
    )
    assert told["entered_m3"] > 1000.0 and told["returned_m3"] > 0.0
    assert told["exchange_error_rel"] <= 1e-9
    assert -balance["to_drains_m3"] == pytest.approx(told["entered_m3"], rel=1e-9)
    assert balance["from_drains_m3"] == pytest.approx(told["returned_m3"], rel=1e-9)
    assert abs(told["continuity_error"]) <= 0.01
    assert told["lost_m3"] == 0.0
    assert balance["error_rel"] <= 1e-12 and balance["clipped_m3"] == 0.0
