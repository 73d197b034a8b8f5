"""GCJ-02 and BD-09 against values published elsewhere, and their way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cim import crs

CHINA_LON, CHINA_LAT = st.floats(74.0, 134.0), st.floats(18.0, 53.0)
METRES_PER_DEGREE = 111_320.0


def shift_m(forward, lon, lat):
    """East and north of the model's shift on the map of Tianjin, metres."""
    frame = crs.Frame("EPSG:4548", "unknown", (0, 0))
    return (crs.from_lonlat(frame, forward([(lon, lat)])) - crs.from_lonlat(frame, [(lon, lat)]))[0]


def test_the_shifts_at_tianjin_are_the_published_ones():
    # standards.md 4.4: GCJ-02 +544, +114 m; BD-09 +1106, +771 m at 117.2°E 39.1°N
    np.testing.assert_allclose(shift_m(crs.wgs84_to_gcj02, 117.2, 39.1), (544, 114), atol=1.0)
    np.testing.assert_allclose(shift_m(crs.wgs84_to_bd09, 117.2, 39.1), (1106, 771), atol=3.0)


def test_the_pair_of_the_natural_history_museum_differs_by_the_gcj_shift():
    # control_points.md 1: 117.209, 39.085 (GCJ-02) and 117.2028, 39.0842 (WGS 84), ±60 m
    there = crs.gcj02_to_wgs84([(117.209, 39.085)])
    miss_m = (there - (117.2028, 39.0842)) * METRES_PER_DEGREE * (np.cos(np.radians(39.1)), 1.0)
    assert np.hypot(*miss_m[0]) < 60.0


@given(CHINA_LON, CHINA_LAT)
@settings(max_examples=200, deadline=None)
def test_every_way_back_closes_below_a_millimetre(lon, lat):
    point = np.array([(lon, lat)])
    for forward, back in (
        (crs.wgs84_to_gcj02, crs.gcj02_to_wgs84),
        (crs.gcj02_to_bd09, crs.bd09_to_gcj02),
        (crs.wgs84_to_bd09, crs.bd09_to_wgs84),
    ):
        np.testing.assert_allclose(back(forward(point)), point, atol=0.001 / METRES_PER_DEGREE)


@given(CHINA_LON, CHINA_LAT)
@settings(max_examples=100, deadline=None)
def test_the_shift_is_some_hundred_metres_everywhere_in_china(lon, lat):
    degrees = crs.wgs84_to_gcj02([(lon, lat)])[0] - (lon, lat)
    metres = np.hypot(*(degrees * METRES_PER_DEGREE * (np.cos(np.radians(lat)), 1.0)))
    assert 1.0 < metres < 1000.0


def test_outside_the_model_nothing_moves():
    for place in ((13.4, 52.5), (139.7, 35.7), (117.0, -10.0)):
        assert crs.wgs84_to_gcj02([place])[0] == pytest.approx(place, abs=0.0)


def test_many_points_and_none_are_taken_alike():
    assert crs.wgs84_to_bd09(np.empty((0, 2))).shape == (0, 2)
    assert crs.bd09_to_wgs84(np.empty((0, 2))).shape == (0, 2)
    many = np.full((5, 2), (117.2, 39.1))
    np.testing.assert_array_equal(crs.wgs84_to_bd09(many)[0], crs.wgs84_to_bd09(many[:1])[0])
