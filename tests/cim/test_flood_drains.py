"""Drains: the network found in a twin, and SWMM fed to the last drop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from cim.errors import FrameError, RequestError, SimulationError
from cim.flood.drains import Drains
from cim.flood.sewer import Sewer, find_sewer, openings
from cim.model import Twin
from kernels.flood.exchange import GRATE, LID, SHAFT
from tests.cim.sources import files
from tests.towns import EAST, FRAME, NORTH, layer

pytest.importorskip("swmm.toolkit")


def at(x: float, y: float = 0.0) -> Any:
    return shapely.Point(EAST + x, NORTH + y)


def street_drain(**changes: Any) -> Twin:
    """Three nodes and an outfall, 100 m apart, falling 2 per mille."""
    nodes: dict[str, list[Any]] = {
        "source_id": ["A", "B", "C", "OUT"],
        "system": ["storm"] * 4,
        "type": ["inlet", "manhole", "manhole", "outfall"],
        "ground_m": [3.5] * 4,
        "invert_m": [2.0, 1.8, 1.6, 1.4],
    }
    pipes: dict[str, list[Any]] = {
        "system": ["storm"] * 3,
        "diameter_m": [0.5] * 3,
        "invert_from_m": [2.0, 1.8, 1.6],
        "invert_to_m": [1.8, 1.6, 1.4],
        "from_node": ["A", "B", "C"],
        "to_node": ["B", "C", "OUT"],
    }
    for name, values in changes.items():
        (nodes if name in nodes and name != "system" else pipes)[name] = values
    lines = [shapely.LineString([at(100 * i), at(100 * i + 100)]) for i in range(3)]
    return Twin(
        name="drains",
        frame=FRAME,
        tables={
            "pipe": layer("pipe", lines, **pipes),
            "pipe_node": layer("pipe_node", [at(100 * i) for i in range(4)], **nodes),
        },
    )


def found(twin: Twin) -> Sewer:
    sewer = find_sewer(twin)
    assert sewer is not None
    return sewer


def test_a_network_is_found_by_the_names_of_its_nodes() -> None:
    sewer = found(street_drain())
    assert list(sewer.outfall) == [False, False, False, True]
    assert list(sewer.inlet) == [True, False, False, False]
    assert list(zip(sewer.start, sewer.end, strict=True)) == [(0, 1), (1, 2), (2, 3)]
    assert sewer.left_out == () and sewer.illustrative


def test_pipes_without_names_are_joined_by_their_ends_and_the_rest_is_listed() -> None:
    sewer = found(street_drain(from_node=[None, "B", "nowhere"], to_node=["B", None, "OUT"]))
    assert list(zip(sewer.start, sewer.end, strict=True)) == [(0, 1), (1, 2), (2, 3)]
    short = found(street_drain(diameter_m=[None, 0.5, 0.5]))
    assert [reason for _, reason in short.left_out] == [
        "flood.left_out.no_diameter",
        "flood.left_out.lonely",
    ]
    assert len(short.pipe_ids) == 2


def test_other_pipes_are_not_drains_and_a_network_needs_an_outfall() -> None:
    assert find_sewer(street_drain(system=["water", "gas", "power"])) is None
    with pytest.raises(RequestError) as caught:
        find_sewer(street_drain(type=["inlet", "manhole", "manhole", "manhole"]))
    assert caught.value.key == "flood.no_outfall"


def test_every_pipe_at_an_outfall_gets_one_of_its_own() -> None:
    sewer = found(street_drain(to_node=["B", "OUT", "OUT"], from_node=["A", "B", "C"]))
    assert sewer.outfall.sum() == 2
    assert len({int(e) for e in sewer.end if sewer.outfall[e]}) == 2


def test_street_and_swmm_count_the_same_water() -> None:
    sewer = found(street_drain())
    rng = np.random.default_rng(20261125)
    given = np.zeros(4)
    with Drains(sewer, crest_m=np.full(4, 3.5), duration_s=1800.0) as drains:
        for window in range(300):
            gush = np.where(np.arange(4) < 3, rng.uniform(-0.02, 0.12, 4), 0.0)
            volume = gush * 4.0 if window % 7 else np.zeros(4)
            drains.take(volume, dt_s=4.0)
            given += volume
        told = drains.balance()
    assert told.entered_m3 - told.returned_m3 == pytest.approx(given.sum(), rel=1e-12)
    assert told.exchange_error_rel < 1e-9
    assert told.lost_m3 == 0.0
    closed = told.swmm_received_m3 - told.outfall_m3 - told.stored_m3
    assert abs(closed) / told.entered_m3 < 0.01
    assert abs(told.continuity_error) < 0.01


def test_drops_that_swmm_would_ignore_arrive_all_the_same() -> None:
    sewer = found(street_drain())
    rng = np.random.default_rng(5)
    with Drains(sewer, crest_m=np.full(4, 3.5), duration_s=7200.0) as drains:
        for window in range(900):
            drop = np.where(np.arange(4) < 3, 10.0 ** rng.uniform(-9, -3, 4), 0.0)
            drains.take(drop if window % 5 else np.zeros(4), dt_s=4.0)
        told = drains.balance()
    assert told.swmm_received_m3 == pytest.approx(told.entered_m3, rel=1e-9)
    assert told.exchange_error_rel < 1e-9


def test_a_pipe_that_fills_up_gives_its_water_back() -> None:
    sewer = found(street_drain())
    crest = np.array([3.5, 2.2, 3.5, np.nan])  # the second node's street lies low
    street = np.full(4, 50.0)
    flows = []
    with Drains(sewer, crest_m=crest, duration_s=1800.0) as drains:
        for _ in range(200):  # the streets keep their levels, whatever goes down or comes up
            level = np.array([3.9, 2.2, 3.0, 0.0])
            most = np.array([20.0, 0.0, 0.0, 0.0])
            volume = drains.settle_m3(level, most_m3=most, street_m2=street, dt_s=4.0)
            flows.append(volume / 4.0)
            drains.take(volume, dt_s=4.0)
        told = drains.balance()
    first, last = flows[0], flows[-1]
    assert first[0] > 0.1 and first[1] == 0.0 and (np.array(flows)[:, 3] == 0).all()
    assert last[1] < -0.01 and told.returned_m3 > 0.0  # a low manhole lets it out
    swing = np.abs(np.diff(flows, n=2, axis=0))[-20:].max()
    assert swing < 1e-4  # and neither goes to and fro
    assert told.exchange_error_rel < 1e-9 and abs(told.continuity_error) < 0.01


def test_manholes_keep_their_lids_where_there_are_grates() -> None:
    grates, none = found(street_drain()), found(street_drain(type=["manhole"] * 3 + ["outfall"]))
    assert openings(grates).kind[:3].tolist() == [GRATE, LID, LID]
    assert openings(none).kind[:3].tolist() == [SHAFT] * 3
    taken = []
    for sewer in (grates, none):
        with Drains(sewer, crest_m=np.full(4, 3.5), duration_s=60.0) as drains:
            full = np.full(4, 3.6)
            taken.append(drains.settle_m3(full, most_m3=full, street_m2=np.full(4, 36.0), dt_s=4.0))
    assert 0.0 < taken[0][1] < 0.1 * taken[1][1]


def test_one_network_at_a_time_and_a_broken_one_says_why() -> None:
    sewer = found(street_drain())
    with Drains(sewer, crest_m=np.full(4, 3.5), duration_s=60.0):
        with pytest.raises(SimulationError) as caught:
            Drains(sewer, crest_m=np.full(4, 3.5), duration_s=60.0).__enter__()
        assert caught.value.key == "flood.swmm_busy"
    ring = found(street_drain(to_node=["B", "C", "OUT"]))
    with Drains(ring, crest_m=np.full(4, 3.5), duration_s=60.0) as again:
        assert again.head_m == pytest.approx([2.0, 1.8, 1.6, 1.4], abs=0.01)


def test_the_stage_of_an_outfall_is_brought_to_the_twins_datum_or_refused(tmp_path: Path) -> None:
    spots = [shapely.Point(517_000.0 + 100 * i, 4_330_000.0) for i in range(2)]
    numbers = {"stage_m": [2.0, 2.5], "invert_m": [1.0, 1.5]}
    file = files.write(tmp_path / "nodes.gpkg", spots, type=["outfall", "outfall"], **numbers)
    asked = {"kind": "pipe_node", "frame_height": "cgvd1985"}
    with pytest.raises(FrameError) as caught:
        files.build(file, **asked)
    assert caught.value.key == "source.no_height_datum"
    built = files.build(file, height_datum="yellow1956", **asked)
    stage = built.twin.table("pipe_node").numbers("stage_m")
    np.testing.assert_allclose(stage, [1.971, 2.471])  # 0.029 m between the two datums
