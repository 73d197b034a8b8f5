"""Sun positions against published algorithms and tables, and shadows against solid geometry."""

from __future__ import annotations

from datetime import datetime

import pytest

from kernels.sun.position import (
    declination_of,
    equation_of_time,
    instant_of,
    sun_direction,
    sun_direction_at,
)

pytestmark = pytest.mark.truths


def test_the_published_case_of_the_nrel_algorithm() -> None:
    # Reda and Andreas (2004), NREL/TP-560-34302, appendix A.5: 2003-10-17 12:30:30 -07:00 at
    # 39.742476 N, 105.1786 W: altitude without refraction 39.872046, azimuth 194.340241.
    when = datetime.fromisoformat("2003-10-17T12:30:30-07:00").timestamp()
    found = sun_direction_at(when, -105.1786, 39.742476)
    assert found.altitude_deg == pytest.approx(39.872046, abs=0.01)
    assert found.azimuth_deg == pytest.approx(194.340241, abs=0.015)


# Altitude and azimuth from south at 39.1 N by spherical trigonometry, to 0.01 degrees:
# declination, hour of true solar time, altitude, azimuth (None: not tabulated).
TABLE = [
    (-20.0, 8, 8.56, -55.38), (-20.0, 9, 17.45, -44.15), (-20.0, 10, 24.57, -31.11),
    (-20.0, 11, 29.25, -16.19), (-20.0, 12, 30.90, 0.0), (-20.0, 13, 29.25, 16.19),
    (-20.0, 14, 24.57, 31.11), (-20.0, 15, 17.45, 44.15), (-20.0, 16, 8.56, 55.38),
    (-23.45, 8, 6.03, -53.03), (-23.45, 10, 21.44, -29.53), (-23.45, 12, 27.45, 0.0),
]  # fmt: skip


@pytest.mark.parametrize(("declination", "hour", "altitude", "azimuth"), TABLE)
def test_the_table_for_great_cold_and_winter_solstice_at_39_1_north(
    declination: float, hour: int, altitude: float, azimuth: float
) -> None:
    found = sun_direction(39.1, declination, 15.0 * (hour - 12))
    assert found.altitude_deg == pytest.approx(altitude, abs=0.01)
    assert found.azimuth_deg - 180.0 == pytest.approx(azimuth, abs=0.01)


# Tianjin, 39.13 N 117.2 E, geometric, by the NREL algorithm (pvlib): day, noon by the clock,
# declination, equation of time in minutes, and altitude and azimuth by true solar hour.
DAYS = [
    ("2001-01-20", "12:22:10", -20.115, -10.97,
     {8: (8.4435, 124.731), 9: (17.3214, 135.948), 10: (24.4286, 148.967), 12: (30.7552, 180.0),
      14: (24.4613, 211.050), 15: (17.3657, 224.084), 16: (8.4965, 235.319)}),
    ("2026-01-20", "12:22:06", -20.128, -10.91,
     {8: (8.4338, 124.740), 9: (17.3106, 135.956), 10: (24.4166, 148.974), 12: (30.7420, 180.0),
      14: (24.4492, 211.043), 15: (17.3549, 224.076), 16: (8.4867, 235.310)}),
    ("2001-12-22", "12:09:41", -23.441, 1.52,
     {8: (6.0275, 126.983), 9: (14.6150, 137.911), 10: (21.4296, 150.484), 12: (27.4292, 180.0),
      14: (21.4301, 209.516), 15: (14.6156, 222.089), 16: (6.0283, 233.018)}),
    ("2025-12-22", "12:09:43", -23.439, 1.48,
     {8: (6.0286, 126.982), 9: (14.6162, 137.911), 10: (21.4310, 150.483), 12: (27.4307, 180.0),
      14: (21.4316, 209.517), 15: (14.6171, 222.090), 16: (6.0296, 233.019)}),
]  # fmt: skip


@pytest.mark.parametrize("row", DAYS, ids=[row[0] for row in DAYS])
def test_tianjin_on_great_cold_and_winter_solstice(
    row: tuple[str, str, float, float, dict[int, tuple[float, float]]],
) -> None:
    day, noon_text, declination, eot_min, hours = row
    noon = datetime.fromisoformat(f"{day}T{noon_text}+08:00").timestamp()
    number = datetime.fromisoformat(f"{day}T00:00+00:00").timestamp() / 86_400.0
    assert instant_of(number, 12 * 3600.0, 117.2) == pytest.approx(noon, abs=4.0)
    assert declination_of(noon) == pytest.approx(declination, abs=0.01)
    assert equation_of_time(noon) / 60.0 == pytest.approx(eot_min, abs=0.05)
    for hour, (altitude, azimuth) in hours.items():
        # the table counts its hours from the transit by the clock
        found = sun_direction_at(noon + (hour - 12) * 3600.0, 117.2, 39.13)
        assert found.altitude_deg == pytest.approx(altitude, abs=0.01)
        assert found.azimuth_deg == pytest.approx(azimuth, abs=0.02)
