"""Where the sun stands, against published positions and plain geometry."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.sun.position import (
    declination_of,
    equation_of_time,
    hour_angle_of,
    instant_of,
    sun_direction,
    sun_direction_at,
    true_solar_time_of,
)

DAY_S = 86_400.0


def instant(text):
    return datetime.fromisoformat(text).timestamp()


def days(text):
    return datetime.fromisoformat(text + "T00:00+00:00").timestamp() / DAY_S


def plain_direction(latitude, declination, hour):
    """Rotate the sun's unit vector from the equator's frame into the horizon's."""
    phi, delta, h = np.radians([latitude, declination, hour])
    x, y, z = np.cos(delta) * np.cos(h), -np.cos(delta) * np.sin(h), np.sin(delta)
    south, up = x * np.sin(phi) - z * np.cos(phi), x * np.cos(phi) + z * np.sin(phi)
    return np.degrees(np.arcsin(up)), np.degrees(np.arctan2(y, -south)) % 360.0


@given(st.floats(-66, 66), st.floats(-23.4, 23.4), st.floats(-179, 179))
def test_direction_equals_a_rotation_of_the_sky(latitude, declination, hour):
    altitude, azimuth = plain_direction(latitude, declination, hour)
    found = sun_direction(latitude, declination, hour)
    assert found.altitude_deg == pytest.approx(altitude, abs=1e-6)
    if abs(altitude) < 89.9:
        apart = (found.azimuth_deg - azimuth + 180.0) % 360.0 - 180.0
        assert apart * np.cos(np.radians(altitude)) == pytest.approx(0.0, abs=1e-6)


@given(st.floats(-66, 66), st.floats(-23.4, 23.4), st.floats(0, 179))
def test_morning_and_afternoon_mirror_each_other(latitude, declination, hour):
    morning = sun_direction(latitude, declination, -hour)
    evening = sun_direction(latitude, declination, hour)
    assert morning.altitude_deg == evening.altitude_deg
    apart = (morning.azimuth_deg + evening.azimuth_deg + 180.0) % 360.0 - 180.0
    assert apart == pytest.approx(0.0, abs=1e-9)


def test_noon_altitude_is_the_colatitude_plus_the_declination():
    south = sun_direction(39.1, -20.0, 0.0)
    assert south.altitude_deg == pytest.approx(90.0 - 39.1 - 20.0, abs=1e-12)
    assert south.azimuth_deg == pytest.approx(180.0)
    assert sun_direction(10.0, 23.0, 0.0).azimuth_deg % 360.0 == pytest.approx(0.0, abs=1e-9)


def test_solstices_and_equinoxes_have_the_declination_the_almanac_gives():
    # Times to the minute from the US Naval Observatory's table of the seasons for 2026.
    june, december = instant("2026-06-21T08:25+00:00"), instant("2026-12-21T20:50+00:00")
    march = instant("2026-03-20T14:46+00:00")
    assert declination_of(june) == pytest.approx(23.44, abs=0.01)
    assert declination_of(december) == pytest.approx(-23.44, abs=0.01)
    assert declination_of(march) == pytest.approx(0.0, abs=0.01)


def test_the_equation_of_time_swings_between_its_known_extremes():
    # Meeus ch. 28: about -14 min 15 s on 11 February, +16 min 25 s on 3 November.
    year = instant("2026-01-01T00:00+00:00") + DAY_S * np.arange(365)
    minutes = equation_of_time(year) / 60.0
    assert minutes.min() == pytest.approx(-14.23, abs=0.05)
    assert minutes.max() == pytest.approx(16.43, abs=0.05)
    assert np.abs(np.diff(minutes)).max() < 0.6


@given(st.integers(-10_000, 30_000), st.floats(0, 86_399), st.floats(-179, 179))
def test_an_instant_shows_the_true_solar_time_it_was_made_for(day, time_s, longitude):
    found = true_solar_time_of(instant_of(day, time_s, longitude), longitude)
    apart = (found - time_s + DAY_S / 2) % DAY_S - DAY_S / 2
    assert apart == pytest.approx(0.0, abs=0.02)


def test_many_instants_are_answered_at_once():
    noon = instant_of(days("2026-01-20"), 12 * 3600.0, [100.0, 117.2])
    assert hour_angle_of(noon, [100.0, 117.2]) == pytest.approx([0.0, 0.0], abs=1e-3)
    found = sun_direction_at(noon, [100.0, 117.2], 39.13)
    assert found.altitude_deg.shape == (2,)
    assert noon[0] - noon[1] == pytest.approx(17.2 * 240.0, abs=2.0)
