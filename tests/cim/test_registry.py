"""Every threshold is data: value, unit, source, status; verified ones name a document."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from cim.errors import CimError, RequestError
from cim.registry import STATUSES, cite, standard, standards

UNITS = {
    "", "1", "a", "deg", "h", "s", "m", "mm", "mm/h", "m/s", "m2", "m2/s", "1/m2", "1/h", "km/h",
    "pcu", "pcu/h", "veh/h", "km/km2", "s/m^(1/3)", "L/(s·hm2)",
}  # fmt: skip
SUFFIXES = {"_m": "m", "_mm": "mm", "_h": "h", "_s": "s", "_deg": "deg", "_mm_h": "mm/h",
            "_a": "a", "_m2": "m2", "_mps": "m/s", "_km_h": "km/h"}  # fmt: skip
# here the end of the key is the lower half of a compound unit
COMPOUND = ("_pcu_h", "_veh_h", "_person_h", "_m2_s", "_area_m2")


def numbers(value):
    if isinstance(value, int | float):
        yield float(value)
    elif not isinstance(value, str):
        parts = value.values() if hasattr(value, "values") else value
        for part in parts:
            yield from numbers(part)


@pytest.mark.parametrize("key", standards())
def test_every_entry_has_value_unit_source_status_and_both_titles(key):
    entry = standard(key)
    assert entry.key == key
    assert entry.value not in (None, "", (), {})
    assert all(math.isfinite(number) for number in numbers(entry.value))
    assert entry.unit in UNITS
    assert (entry.unit == "") == (not list(numbers(entry.value)))
    assert len(entry.source) > 3
    assert entry.status in STATUSES
    assert entry.title("en") != entry.title("zh")
    assert any("一" <= sign <= "鿿" or sign.isdigit() for sign in entry.title("zh"))


@pytest.mark.parametrize("key", standards())
def test_a_verified_entry_names_a_source_outside_and_a_choice_never_a_clause(key):
    entry = standard(key)
    words = entry.source.lower()
    if entry.status == "verified":
        for weak in ("remember", "memory", "ours", "not seen", "not found", "assumed"):
            assert weak not in words
    if "remember" in words or "not found" in words.split(";")[0]:
        assert entry.status == "unverified"
    if words.startswith("ours"):
        assert entry.status == "project choice"


@pytest.mark.parametrize("key", [key for key in standards() if not key.endswith(COMPOUND)])
def test_a_unit_in_the_key_is_the_unit_of_the_value(key):
    suffix = max((s for s in SUFFIXES if key.endswith(s)), key=len, default=None)
    if suffix is not None:
        assert standard(key).unit == SUFFIXES[suffix]


# verified_sun_rain.md 2.2, 3.10, 3.13, 3.9, 1.6; verified_traffic_codes.md 1 and 2
@pytest.mark.parametrize(
    ("key", "value", "status"),
    [
        ("sun.tianjin.reference_lonlat", (117 + 10 / 60, 39 + 8 / 60), "verified"),
        ("sun.tianjin.min_altitude_deg", 8.0, "verified"),
        ("sun.tianjin.min_wall_angle_deg", 15.0, "verified"),
        ("sun.tianjin.reading_height_m", 0.9, "verified"),
        ("sun.tianjin.housing_band_h", (8.0, 16.0), "verified"),
        ("sun.tianjin.grid_step_existing_m", 0.5, "verified"),
        ("sun.tianjin.housing_hours_h", 2.0, "verified"),
        ("sun.tianjin.renewal_hours_h", 1.0, "verified"),
        ("flood.lane_depth_m", 0.15, "verified"),
        ("flood.lowest_point_depth_m", 0.30, "verified"),
        ("flood.drain_time_h", 2.0, "verified"),
        ("flood.drain_time_hub_h", 0.5, "verified"),
        ("flood.depth_classes_m", (0.15, 0.30, 0.50), "project choice"),
        ("flood.hazard_classes", (0.75, 1.25, 2.5), "unverified"),
        ("flood.drain_mm_h", 6.0, "project choice"),
        ("flood.kerb_height_m", 0.15, "project choice"),
        ("rain.peak_position", 0.35, "project choice"),
        ("access.close_depth_m", 0.27, "verified"),
        ("traffic.bpr_alpha", 0.15, "verified"),
        ("traffic.bpr_beta", 4.0, "verified"),
        ("building.storey_height_m", (2.6, 6.0), "project choice"),
        ("quality.rejected_share", 0.10, "project choice"),
    ],
)
def test_the_second_reading_is_what_stands_here(key, value, status):
    entry = standard(key)
    assert entry.value == pytest.approx(value)
    assert entry.status == status


@pytest.mark.parametrize(
    "key",
    ["flood.manning", "traffic.lane_capacity_pcu_h", "rain.formula_2016", "rain.formula_old",
     "height.dagu_offsets_m", "traffic.pcu"],
)  # fmt: skip
def test_what_was_never_seen_is_never_called_verified(key):
    assert standard(key).status == "unverified"


def test_the_old_rain_formula_stays_near_the_verified_depths_of_tianjin():
    # verified_sun_rain.md 1.9: mean +1.8 %, range −2.7 … +5.1 %, over P 2 … 50
    formula, depths = standard("rain.formula_old").value, standard("rain.tianjin.depth_mm").value
    misses = []
    for minutes, row in depths.items():
        for years, depth in zip(standard("rain.return_periods_a").value, row, strict=True):
            if years < 2:
                continue
            q = formula["a"] * (1 + formula["c"] * math.log10(years))
            q /= (float(minutes) + formula["b"]) ** formula["n"]
            misses.append(q / 166.7 * float(minutes) / depth - 1)
    assert len(misses) == 18
    assert min(misses) == pytest.approx(-0.027, abs=0.003)
    assert max(misses) == pytest.approx(0.051, abs=0.003)
    assert sum(misses) / 18 == pytest.approx(0.018, abs=0.003)


def test_rain_tables_have_a_column_for_every_return_period_and_grow():
    periods = standard("rain.return_periods_a").value
    for station in ("tianjin", "tanggu"):
        rows = list(standard(f"rain.{station}.depth_mm").value.values())
        assert [len(row) for row in rows] == [len(periods)] * 3
        for row in rows:
            assert list(row) == sorted(row)
        for shorter, longer in pairwise(rows):
            assert all(a < b for a, b in zip(shorter, longer, strict=True))


def test_the_rain_depths_are_those_of_the_printed_table():
    # 李明财等 2012, table 1, annual maxima; P = 2 and 50 as in verified_sun_rain.md 1.6
    for station, p2, p50 in (
        ("tianjin", (31.26, 41.78, 54.13), (61.11, 81.69, 105.81)),
        ("tanggu", (38.73, 51.68, 64.71), (68.92, 91.96, 115.15)),
    ):
        rows = standard(f"rain.{station}.depth_mm").value
        assert tuple(rows[minutes][1] for minutes in ("30", "60", "120")) == p2
        assert tuple(rows[minutes][6] for minutes in ("30", "60", "120")) == p50


def test_a_citation_carries_value_source_and_status_in_both_languages():
    line = cite("flood.lane_depth_m", "en")
    assert "0.15 m" in line
    assert "GB 50014" in line
    assert "verified" in line
    assert "已核实" in cite("flood.lane_depth_m", "zh")
    assert "待核" in cite("flood.manning", "zh")
    assert "项目自定" in cite("rain.peak_position", "zh")


def test_an_unknown_key_is_an_error_that_names_the_nearest():
    with pytest.raises(KeyError) as caught:
        standard("flood.lane_depth")
    assert isinstance(caught.value, CimError)
    assert "flood.lane_depth_m" in str(caught.value)


def test_numbers_and_classes_are_asked_for_by_name():
    assert standard("traffic.bpr_beta").number() == 4.0
    assert standard("flood.manning").by_class("road") == 0.016
    with pytest.raises(RequestError):
        standard("flood.manning").number()
    with pytest.raises(RequestError, match="road"):
        standard("flood.manning").by_class("marble")


def test_the_table_cannot_be_changed_by_who_reads_it():
    with pytest.raises(TypeError):
        standard("flood.manning").value["road"] = 0.0
    with pytest.raises(TypeError):
        standards()["x"] = None
