"""A hand turns, pushes and zooms a camera; what it holds stays where it should."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scenes import handling
from scenes.camera import Camera, fit
from scenes.drawables import Origin
from scenes.staging import free

SIZE = (640, 360)
CORNERS = np.array([[x, y, z] for x in (-100.0, 100) for y in (-60.0, 60) for z in (0.0, 30)])
PX = st.floats(-300, 300)


def seen(camera: Camera, point: np.ndarray) -> np.ndarray:
    return camera.project(np.asarray([point], dtype=np.float64), SIZE)[0]


@given(PX, PX, st.sampled_from(["oblique", "top", "street"]))
def test_turning_keeps_the_aim_and_the_distance_and_stays_upright(
    dx: float, dy: float, kind: str
) -> None:
    before = fit(CORNERS, kind, SIZE, turn_deg=-16.0)
    after = handling.turned(before, dx, dy)
    np.testing.assert_allclose(after.focus, before.focus)
    far = np.linalg.norm(before.position - before.focus)
    np.testing.assert_allclose(np.linalg.norm(after.position - after.focus), far)
    ahead = after.focus - after.position
    assert abs(after.up @ ahead) < 1e-6 * far and after.up[2] > 0.0
    assert after.position[2] > after.focus[2]
    np.testing.assert_allclose(seen(after, after.focus), (SIZE[0] / 2, SIZE[1] / 2), atol=1e-6)


def test_a_drag_to_the_right_turns_the_city_to_the_right() -> None:
    before = fit(CORNERS, "oblique", SIZE, turn_deg=0.0)
    near = before.focus + (0.0, -40.0, 0.0)
    assert seen(handling.turned(before, 20, 0), near)[0] > seen(before, near)[0]
    there_and_back = handling.turned(handling.turned(before, 50, 20), -50, -20)
    np.testing.assert_allclose(there_and_back.position, before.position, atol=1e-9)


def test_pushing_takes_the_middle_of_the_picture_along() -> None:
    before = fit(CORNERS, "top", SIZE, turn_deg=0.0)
    after = handling.pushed(before, 30.0, -12.0, SIZE[1])
    moved = seen(after, before.focus) - seen(before, before.focus)
    np.testing.assert_allclose(moved, (30.0, -12.0), atol=1e-6)


@given(st.floats(0.2, 3.0))
def test_zooming_keeps_what_lies_under_the_pointer(factor: float) -> None:
    before = fit(CORNERS, "oblique", SIZE, turn_deg=-16.0)
    place = np.array([35.0, -20.0, 4.0])
    after = handling.zoomed(before, factor, place, 1e4)
    np.testing.assert_allclose(seen(after, place), seen(before, place), atol=1e-6)


def test_zooming_ends_before_the_thing_and_before_the_sky() -> None:
    camera = fit(CORNERS, "oblique", SIZE, turn_deg=-16.0)
    for factor, distance_m in ((1e-9, 5.0), (1e9, 2000.0)):
        after = handling.zoomed(camera, factor, None, 2000.0)
        np.testing.assert_allclose(np.linalg.norm(after.position - after.focus), distance_m)


def test_the_eye_of_a_camera_is_that_camera_again() -> None:
    origin = Origin(517_000.0, 4_330_000.0, 3.0)
    camera = handling.turned(fit(CORNERS, "oblique", SIZE, turn_deg=-16.0), 80, 15)
    again = free(handling.eye_of(camera, origin), origin)
    for name in ("position", "focus", "up"):
        np.testing.assert_allclose(getattr(again, name), getattr(camera, name), atol=1e-6)
