"""The closed shell of a building, against houses whose volume is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bim_import.shell import build_shell
from cim.model.mesh import Surface
from tests.kernels.spatial.test_enclosure import CORNERS, SIDES


def box(low, high):
    corners = np.asarray(low, float) + CORNERS * (np.asarray(high, float) - np.asarray(low, float))
    return corners, SIDES


def slab(a, b, c, d, thickness):
    """A plate with an upper face a, b, c, d, counter-clockwise from above."""
    top = np.array([a, b, c, d], float)
    points = np.concatenate([top, top - [0, 0, thickness]])
    sides = [[i, 4 + i, 4 + (i + 1) % 4] for i in range(4)]
    sides += [[i, 4 + (i + 1) % 4, (i + 1) % 4] for i in range(4)]
    return points, np.array([[0, 1, 2], [0, 2, 3], [4, 6, 5], [4, 7, 6], *sides])


def walls(length, width, height, thick=0.3):
    return [
        box([0, 0, 0], [length, thick, height]),
        box([0, width - thick, 0], [length, width, height]),
        box([0, 0, 0], [thick, width, height]),
        box([length - thick, 0, 0], [length, width, height]),
        box([0, 0, -0.3], [length, width, 0]),
    ]


def gable_house(length=10.0, width=6.0, height=3.0, rise=3.0, eaves=0.5, plate=0.25):
    """Walls, floor and two roof plates whose upper faces meet at the ridge; gables of boxes."""
    slope = rise / (width / 2)
    low = height - eaves * slope
    ridge = height + rise
    roof = [
        slab((0, -eaves, low), (length, -eaves, low), (length, width / 2, ridge),
             (0, width / 2, ridge), plate),
        slab((0, width / 2, ridge), (length, width / 2, ridge), (length, width + eaves, low),
             (0, width + eaves, low), plate),
    ]  # fmt: skip
    gables = []
    for x in (0.0, length - 0.3):
        tri = np.array([[x, 0, height], [x, width, height], [x, width / 2, ridge]])
        points = np.concatenate([tri, tri + [0.3, 0, 0]])
        gables.append((points, np.array([
            [0, 2, 1], [3, 4, 5], [0, 1, 4], [0, 4, 3], [1, 2, 5], [1, 5, 4], [2, 0, 3], [2, 3, 5],
        ])))  # fmt: skip
    # The roof's upper face stands at the wall's height over the wall's outer face.
    volume = length * width * (height + 0.3) + length * width * rise / 2
    return [*walls(length, width, height), *gables, *roof], volume


def moved(parts, angle_deg, offset):
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return [(v @ turn.T + offset, t) for v, t in parts]


def is_outward_and_closed(shell):
    edges = np.concatenate([shell.triangles[:, [i, (i + 1) % 3]] for i in range(3)])
    forth, times = np.unique(edges, axis=0, return_counts=True)
    back, times_back = np.unique(edges[:, ::-1], axis=0, return_counts=True)
    return (
        len(forth) == len(back)
        and (forth == back).all()
        and (times == times_back).all()
        and shell.volume_m3 > 0
    )


@pytest.mark.parametrize("angle_deg", [0.0, 17.3, 45.0, 120.0])
def test_a_gable_house_has_its_volume_and_its_footprint_wherever_it_stands(angle_deg):
    parts, volume = gable_house()
    shell = build_shell(moved(parts, angle_deg, [517_321.7, 4_331_002.3, 3.1]))
    assert shell.closed and is_outward_and_closed(shell)
    assert shell.flags == ()
    assert shell.volume_m3 == pytest.approx(volume, rel=0.02)
    assert shell.enclosed_m3 == pytest.approx(volume, rel=0.03)
    assert shell.footprint.area == pytest.approx(60.0, rel=0.01)


def test_the_roof_is_two_planes_of_the_right_slope_and_walls_stand_upright():
    parts, _ = gable_house()
    shell = build_shell(parts)
    v = shell.vertices[shell.triangles]
    normal = np.cross(v[:, 1] - v[:, 0], v[:, 2] - v[:, 0])
    area = 0.5 * np.linalg.norm(normal, axis=1)
    unit = normal / (2 * area)[:, None]
    roof = shell.surface == Surface.ROOF
    slope = np.degrees(np.arccos(np.average(unit[roof, 2], weights=area[roof])))
    assert slope == pytest.approx(45.0, abs=2.0)
    assert area[roof].sum() == pytest.approx(60.0 * np.sqrt(2.0), rel=0.03)
    assert np.abs(unit[shell.surface == Surface.WALL, 2]).max() < 1e-9
    assert (unit[shell.surface == Surface.GROUND, 2] < -0.999).all()


def test_a_flat_roof_keeps_its_parapet():
    parts = [*walls(12, 8, 4.0), box([0, 0, 3.0], [12, 8, 3.3])]
    shell = build_shell(parts)
    body = 12 * 8 * (3.3 + 0.3)
    parapet = (12 * 8 - 11.4 * 7.4) * 0.7
    assert shell.closed
    assert shell.volume_m3 == pytest.approx(body + parapet, rel=0.01)
    assert shell.vertices[:, 2].max() == pytest.approx(4.0, abs=0.05)


def test_an_upper_floor_that_hangs_over_leaves_the_air_below_free():
    parts = [
        *walls(8, 8, 3.0), box([0, 0, 3.0], [14, 8, 3.3]),
        *moved(walls(14, 8, 3.0), 0, [0, 0, 3.3]), box([0, 0, 6.3], [14, 8, 6.6]),
    ]  # fmt: skip
    shell = build_shell(parts)
    truth = 8 * 8 * 6.9 + 6 * 8 * 3.6
    assert shell.closed
    assert shell.volume_m3 == pytest.approx(truth, rel=0.03)


def test_a_missing_window_is_closed_and_said():
    thick = 0.3
    parts = [
        box([0, 0, 0], [10, thick, 3]), box([0, 7.7, 0], [10, 8, 3]),
        box([9.7, 0, 0], [10, 8, 3]), box([0, 0, -0.3], [10, 8, 0]), box([0, 0, 3], [10, 8, 3.3]),
        box([0, 0, 0], [thick, 3.5, 3]), box([0, 4.5, 0], [thick, 8, 3]),  # 1 m left open
    ]  # fmt: skip
    shell = build_shell(parts)
    assert "leaks" in shell.flags
    assert shell.closed
    assert shell.volume_m3 == pytest.approx(10 * 8 * 3.6, rel=0.02)


def test_nothing_encloses_nothing():
    assert build_shell([]) is None
    sheet = (np.array([[0.0, 0, 0], [9, 0, 0], [0, 9, 0]]), np.array([[0, 1, 2]]))
    assert build_shell([sheet]) is None


@settings(max_examples=12, deadline=None)
@given(
    st.floats(6, 20), st.floats(6, 14), st.floats(2.5, 6), st.floats(0, 4), st.floats(0, 90),
    st.floats(0, 0.7),
)  # fmt: skip
def test_any_gable_house_is_closed_and_within_three_percent(
    length, width, height, rise, angle, eaves
):
    parts, volume = gable_house(length, width, height, rise, eaves)
    shell = build_shell(moved(parts, angle, [1000.0, -2000.0, 5.0]))
    assert shell.closed and is_outward_and_closed(shell)
    assert shell.volume_m3 == pytest.approx(volume, rel=0.03)
