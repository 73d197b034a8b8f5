"""Local systems from control points: parameters found again, residuals told, nonsense refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cim.crs import (
    Helmert2D,
    Helmert3D,
    LocalSystem,
    fit_helmert_2d,
    fit_helmert_3d,
    from_geocentric,
    to_geocentric,
    transform,
)
from cim.errors import FrameError

POINTS = np.array([(0.0, 0.0), (900.0, 40.0), (850.0, 700.0), (-30.0, 650.0)])


@given(st.floats(-180.0, 180.0), st.floats(0.9, 1.1), st.floats(-1e6, 1e6), st.floats(-5e6, 5e6))
@settings(max_examples=100, deadline=None)
def test_four_parameters_are_found_again(rotation_deg, scale, east_m, north_m):
    true = Helmert2D(scale, rotation_deg, (east_m, north_m))
    fit = fit_helmert_2d(POINTS, true.apply(POINTS))
    assert fit.rms_m < 1e-6
    assert fit.redundancy == 4
    np.testing.assert_allclose(fit.apply(POINTS), true.apply(POINTS), atol=1e-6)
    np.testing.assert_allclose(fit.invert(fit.apply(POINTS)), POINTS, atol=1e-6)
    assert fit.scale == pytest.approx(scale, rel=1e-9)


def test_residuals_name_the_bad_control_point():
    true = Helmert2D(1.00002, 1.5, (517000.0, 4330000.0))
    target = true.apply(POINTS)
    target[2] += (0.30, 0.0)
    fit = fit_helmert_2d(POINTS, target)
    lengths = np.hypot(*np.array(fit.residuals_m).T)
    assert len(fit.residuals_m) == 4
    assert np.argmax(lengths) == 2
    assert fit.rms_m == pytest.approx(np.sqrt((lengths**2).mean()))
    assert np.abs(np.sum(fit.residuals_m, axis=0)).max() < 1e-6  # least squares about the centroid


def test_two_points_fit_exactly_and_leave_no_redundancy():
    true = Helmert2D(1.0, 30.0, (10.0, 20.0))
    fit = fit_helmert_2d(POINTS[:2], true.apply(POINTS[:2]))
    assert fit.redundancy == 0
    np.testing.assert_allclose(fit.apply(POINTS), true.apply(POINTS), atol=1e-6)


def test_a_quarter_turn_is_counter_clockwise():
    np.testing.assert_allclose(Helmert2D(2.0, 90.0, (1.0, 0.0)).apply([(1.0, 0.0)]), [(1.0, 2.0)])


def test_seven_parameters_are_found_again_on_the_earth():
    place = np.array(
        [(117.0, 39.0, 5.0), (117.4, 39.0, 9.0), (117.2, 39.3, 3.0), (117.1, 39.2, 60)]
    )
    xyz = to_geocentric(place, crs="EPSG:4490")
    true = Helmert3D.from_parameters(
        shift_m=(-15.0, 120.0, 60.0), rotation_arcsec=(0.8, -1.2, 2.5), scale_ppm=-3.5
    )
    fit = fit_helmert_3d(xyz, true.apply(xyz))
    assert fit.rms_m < 1e-5
    assert fit.scale == pytest.approx(true.scale, abs=1e-10)
    assert fit.redundancy == 5
    np.testing.assert_allclose(fit.apply(xyz), true.apply(xyz), atol=1e-5)
    back = from_geocentric(fit.invert(true.apply(xyz)), crs="EPSG:4490")
    np.testing.assert_allclose(back, place, atol=1e-4)


def test_published_seven_parameters_are_a_position_vector_transformation():
    # IOGP guidance note 7-2, EPSG method 1033, WGS 72 to WGS 84:
    # (3657660.66, 255768.55, 5201382.11) → (3657660.78, 255778.43, 5201387.75)
    known = Helmert3D.from_parameters(
        shift_m=(0.0, 0.0, 4.5), rotation_arcsec=(0.0, 0.0, 0.554), scale_ppm=0.2263
    )
    there = known.apply([(3657660.66, 255768.55, 5201382.11)])
    np.testing.assert_allclose(there, [(3657660.78, 255778.43, 5201387.75)], atol=0.01)


def test_a_mirror_is_never_a_rotation():
    points = np.array([(0.0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)])
    fit = fit_helmert_3d(points, points * (1, 1, -1))
    assert np.linalg.det(np.array(fit.rotation)) == pytest.approx(1.0)
    assert fit.rms_m > 0.1


@pytest.mark.parametrize(
    ("local", "target", "key"),
    [
        ([(0, 0)], [(1, 1)], "crs.control_too_few"),
        ([(0, 0), (1, 1)], [(1, 1)], "crs.control_unequal"),
        ([(5, 5), (5, 5)], [(1, 1), (2, 2)], "crs.control_degenerate"),
        ([(0, 0), (1, 1)], [(2, 2), (2, 2)], "crs.control_degenerate"),
        ([(0, 0), (1, float("nan"))], [(2, 2), (2, 3)], "crs.control_not_finite"),
        ([0, 1, 2], [0, 1, 2], "crs.not_points"),
    ],
)
def test_control_points_that_fix_nothing_are_refused(local, target, key):
    with pytest.raises(FrameError) as caught:
        fit_helmert_2d(local, target)
    assert caught.value.key == key


def test_space_points_on_one_line_are_refused():
    line = np.outer(np.arange(4.0), (1.0, 2.0, 3.0)) + 1e6
    with pytest.raises(FrameError) as caught:
        fit_helmert_3d(line, line)
    assert caught.value.key == "crs.control_degenerate"
    with pytest.raises(FrameError):
        fit_helmert_3d(line[:2], line[:2])


def test_a_local_drawing_comes_to_the_frame_through_its_system():
    system = LocalSystem("site", "EPSG:4548", Helmert2D(1.0, 10.0, (517000.0, 4330000.0)))
    there = transform(POINTS, source=system, target="EPSG:4548")
    np.testing.assert_allclose(there, system.to_projected(POINTS))
    np.testing.assert_allclose(system.to_local(there), POINTS, atol=1e-6)
    degrees = transform(POINTS, source=system, target="EPSG:4490")
    np.testing.assert_allclose(
        transform(degrees, source="EPSG:4490", target="EPSG:4548"), there, atol=1e-4
    )
