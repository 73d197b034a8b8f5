"""The camera holds what it is told to hold, tight, and stands before the long side."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scenes.camera import NEAREST_M, Camera, fit, sun_of, turn_of

SIZE = (1280, 720)
SPOTS = arrays(
    np.float64,
    st.tuples(st.integers(3, 30), st.just(3)),
    elements=st.floats(-900.0, 900.0, allow_subnormal=False),
)


def on_screen(camera: Camera, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return points as -1..1 across and up, by the textbook pinhole."""
    ahead = camera.focus - camera.position
    ahead = ahead / np.linalg.norm(ahead)
    right = np.cross(ahead, camera.up)
    right /= np.linalg.norm(right)
    up = np.cross(right, ahead)
    from_eye = points - camera.position
    half = np.tan(np.radians(camera.view_angle_deg) / 2)
    depth = from_eye @ ahead
    assert (depth > 0).all()
    across = from_eye @ right / depth / (half * size[0] / size[1])
    return np.c_[across, from_eye @ up / depth / half]


@settings(max_examples=60, deadline=None)
@given(SPOTS, st.sampled_from(["oblique", "top", "street"]), st.floats(-50.0, 50.0))
def test_every_point_is_in_the_picture_and_the_nearest_camera_is_taken(
    points: np.ndarray, kind: str, turn: float
) -> None:
    points = points * [1.0, 1.0, 0.05]
    points[0], points[1] = (-10.0, -10.0, 0.0), (10.0, 10.0, 0.0)
    camera = fit(points, kind, SIZE, turn_deg=turn)
    seen = on_screen(camera, points, SIZE)
    assert np.abs(seen[:, 0]).max() <= 0.951 and np.abs(seen[:, 1]).max() <= 0.901
    ahead = (camera.focus - camera.position) / np.linalg.norm(camera.focus - camera.position)
    depth = (points - camera.position) @ ahead
    least = max(NEAREST_M, 0.05 * float(np.ptp(depth)))
    at_rim = np.abs(seen[:, 0]).max() >= 0.949 or np.abs(seen[:, 1]).max() >= 0.899
    assert at_rim or depth.min() <= least * 1.001
    assert depth.min() >= least * 0.999


def test_room_for_a_legend_is_left_on_the_right() -> None:
    points = np.array([(x, y, 0.0) for x in (-400.0, 400.0) for y in (-100.0, 100.0)])
    seen = on_screen(fit(points, "top", SIZE, turn_deg=0.0, clear_right=0.15), points, SIZE)
    assert seen[:, 0].max() <= 0.95 * (1 - 2 * 0.15) + 1e-9
    assert seen[:, 0].min() == pytest.approx(-0.95)


def test_seen_from_the_top_north_is_up_and_a_metre_is_a_metre() -> None:
    points = np.array([(x, y, 0.0) for x in (-100.0, 100.0) for y in (-100.0, 100.0)])
    camera = fit(points, "top", SIZE, turn_deg=0.0)
    np.testing.assert_allclose(camera.up, (0.0, 1.0, 0.0), atol=1e-12)
    # 200 m fill 90 % of 720 pixels
    assert camera.metres_per_pixel(SIZE[1]) == pytest.approx(200.0 / (0.9 * 720))


def test_a_long_town_is_seen_from_its_long_southern_side() -> None:
    bearing = np.radians(72.6)  # of the long streets of Wudadao, clockwise from north
    along = np.linspace(-800.0, 800.0, 60)[:, None] * [np.sin(bearing), np.cos(bearing)]
    turn = turn_of(along, "oblique")
    assert turn == pytest.approx(90.0 - 72.6 - 9.0)  # 9 degrees off the exact side view
    assert turn_of(along[::-1], "oblique") == pytest.approx(turn)


def test_a_round_town_and_a_town_along_the_line_of_sight_get_the_plain_view() -> None:
    turn = np.arange(36) * np.pi / 18
    round_town = np.c_[np.cos(turn), np.sin(turn)] * 300.0
    northward = np.c_[np.zeros(30), np.linspace(0.0, 900.0, 30)]
    assert turn_of(round_town, "oblique") == turn_of(northward, "oblique") == -16.0
    assert turn_of(round_town, "top") == 0.0
    assert turn_of(np.empty((0, 2)), "oblique") == -16.0


@pytest.mark.parametrize("turn", [-50.0, 0.0, 30.0])
def test_light_comes_over_the_left_shoulder_from_above(turn: float) -> None:
    x, y, z = sun_of(turn)
    assert x * x + y * y + z * z == pytest.approx(1.0) and z > 0.5
    back = np.array([np.sin(np.radians(turn)), -np.cos(np.radians(turn))])  # towards the viewer
    left = np.array([back[1], -back[0]])
    assert (np.array([x, y]) @ back) > 0 and (np.array([x, y]) @ left) > 0
