"""Traffic on a small town: conservation, closures, schemes, and what is told of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely

from cim.errors import CancelledError, RequestError
from cim.jobs import Job, Progress
from cim.model import Edit, FeatureTable, Result, Scheme, SchemedView, Twin
from cim.traffic import streets_of, traffic, trips_between
from tests.towns import EAST, FRAME, NORTH, box, layer, town


def ring_town(*, people: float = 400.0) -> Twin:
    """A square of streets with one exit to the east: homes north-west, jobs south-east."""
    at = {"nw": (0, 200), "ne": (300, 200), "sw": (0, 0), "se": (300, 0), "out": (700, 0)}
    pairs = [("nw", "ne"), ("ne", "se"), ("nw", "sw"), ("sw", "se"), ("se", "out")]
    lines = [
        shapely.LineString([(EAST + at[e][0], NORTH + at[e][1]) for e in pair]) for pair in pairs
    ]
    road = layer(
        "road", lines,
        name=["北路", "东路", "西路", "南路", "出口路"],
        **{"class": ["residential"] * 4 + ["secondary"]},
        oneway=["no"] * 5,
    )  # fmt: skip
    building = layer(
        "building", [box(5, 185, 10, 10), box(285, 5, 10, 10)],
        population=[people, 0.0], jobs=[0.0, 100.0], height_m=[9.0, 9.0],
    )  # fmt: skip
    return Twin(name="ring", frame=FRAME, tables={"road": road, "building": building})


def closing(view: Twin, *names: str) -> SchemedView:
    road = view.table("road")
    ids = [str(i) for i, name in zip(road.ids, road.texts("name"), strict=True) if name in names]
    edits = tuple(Edit(op="change", layer="road", id=i, values={"closed": True}) for i in ids)
    return SchemedView(view, Scheme(name="closed", base_version=view.version, edits=edits))


def on(result: Result, field: str, name: str, view: Twin) -> float:
    row = view.table("road").texts("name").index(name)
    return float(result.field(field).values[row])


def test_trips_in_are_served_plus_unserved_and_every_corner_conserves() -> None:
    balance = traffic(town()).balance
    assert balance["trips_vps"] == pytest.approx(balance["served_vps"] + balance["unserved_vps"])
    assert balance["unserved_vps"] == 0.0
    assert balance["error_rel"] < 1e-9


def test_trips_follow_from_people_and_the_registry_rate() -> None:
    # 400 residents at 0.12 car trips an hour each, no through traffic
    result = traffic(ring_town(), through_share=0.0)
    assert result.summary["trips_veh_h"] == pytest.approx(400 * 0.12, abs=0.1)
    assert result.summary["settled"]


def test_two_equal_ways_share_the_traffic() -> None:
    view = ring_town(people=20_000.0)
    result = traffic(view, through_share=0.0, gap=1e-10)
    north, west = (on(result, "flow_vps", name, view) for name in ("北路", "西路"))
    assert north == pytest.approx(west, rel=1e-4)
    assert north + west == pytest.approx(20_000 * 0.12 / 3600, rel=1e-6)


def test_directions_add_up_and_the_fuller_one_is_the_ratio() -> None:
    result = traffic(town())
    both = result.field("flow_vps").values
    ways = [result.field(f"flow_{way}_vps").values for way in ("forward", "backward")]
    np.testing.assert_allclose(both, ways[0] + ways[1], rtol=1e-12)
    assert (result.field("delay_s").values >= -1e-9).all()


def test_a_closed_street_sends_its_traffic_round_the_other_way() -> None:
    view = ring_town()
    scheme = closing(view, "北路")
    before, after = traffic(view), traffic(scheme)
    assert on(after, "flow_vps", "西路", view) > on(before, "flow_vps", "西路", view)
    assert np.isnan(on(after, "flow_vps", "北路", view))
    assert after.scheme == "closed"
    assert after.summary["closed_roads"] == 1
    assert after.summary["unserved_veh_h"] == 0.0
    again = traffic(view)
    np.testing.assert_array_equal(again.fields[0].values, before.fields[0].values)


def test_a_closure_makes_no_new_edge_street_and_changes_no_demand() -> None:
    view = ring_town()
    road = view.table("road").column("class").copy()
    road[:] = "secondary"
    columns = {**view.table("road").columns, "class": road}
    main = Twin(
        "main", FRAME, {**view.tables, "road": replace(view.table("road"), columns=columns)}
    )
    open_ = trips_between(streets_of(main.table("road")), main.table("building"))
    cut = trips_between(
        streets_of(closing(main, "北路", "南路").table("road")), main.table("building")
    )
    assert len(open_.gateways) == len(cut.gateways) == 1
    assert cut.trips_vps.sum() == pytest.approx(open_.trips_vps.sum())
    np.testing.assert_allclose(cut.trips_vps, open_.trips_vps)


def test_trips_that_a_closure_cuts_off_are_told_as_unserved() -> None:
    view = ring_town()
    result = traffic(closing(view, "北路", "西路"))
    lone = traffic(closing(view, "北路", "南路"))
    assert result.balance["error_rel"] < 1e-9
    # homes stand at the cut-off corner's nearest open street; both halves stay apart
    assert lone.summary["unserved_veh_h"] > 0.0
    assert lone.balance["trips_vps"] == pytest.approx(
        lone.balance["served_vps"] + lone.balance["unserved_vps"]
    )


def test_a_given_demand_is_assigned_as_it_is() -> None:
    view = ring_town()
    trips = trips_between(streets_of(view.table("road")), view.table("building"), through_share=0.0)
    double = replace(trips, trips_vps=2.0 * trips.trips_vps)
    result = traffic(view, demand=double)
    assert result.balance["trips_vps"] == pytest.approx(2.0 * trips.trips_vps.sum())
    assert result.parameters["demand"] == "given"


def test_what_was_assumed_is_told() -> None:
    view = ring_town()
    assert streets_of(view.table("road")).assumed["speed_mps"] == 5
    texts = " ".join(note["en"] for note in traffic(view).notes)
    assert "modelled, not counted" in texts
    assert "speed_mps 5" in texts
    assert any("project choice" in rule for rule in traffic(view).summary["rules"])


def test_speed_and_capacity_of_the_road_itself_count_before_the_registry() -> None:
    view = ring_town()
    road = view.table("road")
    given = {"speed_mps": np.full(5, 10.0), "capacity_vps": np.full(5, 0.5)}
    streets = streets_of(replace(road, columns={**road.columns, **given}))
    np.testing.assert_allclose(streets.free_s, streets.net.length_m / 10.0)
    np.testing.assert_allclose(streets.capacity_vps, 0.5)


def test_a_one_way_street_carries_nothing_against_its_direction() -> None:
    view = ring_town()
    road: FeatureTable = view.table("road")
    oneway = road.column("oneway").copy()
    oneway[0] = "reverse"  # the north road runs from east to west only
    one = Twin("one", FRAME, {**view.tables, "road": replace(
        road, columns={**road.columns, "oneway": oneway})})  # fmt: skip
    result = traffic(one, through_share=0.0)
    assert on(result, "flow_forward_vps", "北路", view) == 0.0
    assert on(result, "flow_vps", "西路", view) == pytest.approx(400 * 0.12 / 3600)


@pytest.mark.parametrize("gap", [0.0, 1.0, -1e-6, float("nan")])
def test_a_gap_outside_its_range_is_refused(gap: float) -> None:
    with pytest.raises(RequestError, match="between 0 and 1"):
        traffic(town(), gap=gap)


def test_a_twin_without_people_or_edge_streets_is_refused_with_what_to_do() -> None:
    with pytest.raises(RequestError, match="population and jobs"):
        traffic(ring_town(people=0.0), through_share=0.0)


def test_a_twin_without_roads_is_refused() -> None:
    with pytest.raises(RequestError, match="road"):
        traffic(Twin("empty", FRAME, {}))


def test_it_tells_progress_and_can_be_cancelled() -> None:
    heard: list[Progress] = []
    traffic(town(), job=Job(listen=heard.append))
    assert [h.done for h in heard] == sorted(h.done for h in heard)
    assert heard[-1].share == 1.0
    job = Job()
    job.listen = lambda _: job.cancel()
    with pytest.raises(CancelledError):
        traffic(town(), job=job)
