"""The sky has its haze at the horizon and its blue above, wherever the camera looks."""

from __future__ import annotations

import numpy as np

from scenes.camera import Camera
from scenes.ground import HAZE
from scenes.sky import sky


def looking(tilt_deg: float) -> Camera:
    down = np.radians(tilt_deg)
    ahead = np.array([0.0, np.cos(down), -np.sin(down)])
    up = np.array([0.0, np.sin(down), np.cos(down)])
    return Camera(np.zeros(3), ahead, up, 0.0, 30.0)


def test_half_of_a_level_view_is_haze_and_the_rest_turns_blue_upwards() -> None:
    rows = sky(looking(0.0))[:, 0].astype(int)
    assert (rows[128:] == HAZE).all()
    blue = rows[:128, 2] - rows[:128, 0]
    assert (np.diff(blue) <= 1).all() and blue[0] > 40 and blue[127] < 6  # to a rounding


def test_a_view_downwards_shows_no_sky_and_one_upwards_no_haze() -> None:
    assert (sky(looking(30.0)) == HAZE).all() and (sky(looking(90.0)) == HAZE).all()
    assert (sky(looking(-40.0))[:, 0, 0] < 150).all()
