"""What triangles enclose, against plain arithmetic and bodies of known volume."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.spatial.enclosure import (
    FREE,
    OUTSIDE,
    TOUCHED,
    column_runs,
    enclose,
    exposure,
    grown,
    top_faces,
)

CORNERS = np.array(list(product((0.0, 1.0), repeat=3)))
SIDES = np.array([
    [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
    [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
])  # fmt: skip


def box(low, high):
    """Triangles (12, 3, 3) of a box."""
    corners = np.asarray(low) + CORNERS * (np.asarray(high) - np.asarray(low))
    return corners[SIDES]


def shares_a_point(triangle, low):
    """Whether a triangle and the unit cube at `low` overlap: clip the triangle by six planes."""
    polygon = [np.asarray(p, float) for p in triangle]
    for axis in range(3):
        for sign, bound in ((1.0, low[axis] + 1.0), (-1.0, -low[axis])):
            kept = []
            for a, b in zip(polygon, polygon[1:] + polygon[:1], strict=True):
                da, db = bound - sign * a[axis], bound - sign * b[axis]
                if da >= 0:
                    kept.append(a)
                if (da < 0) != (db < 0):
                    kept.append(a + (b - a) * da / (da - db))
            polygon = kept
            if not polygon:
                return False
    return True


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(1.1, 5.9), min_size=9, max_size=9))
def test_a_cell_is_touched_when_clipping_leaves_something_of_the_triangle(numbers):
    triangle = np.array(numbers).reshape(1, 3, 3)
    touched = enclose(triangle, shape=(7, 7, 7)) == TOUCHED
    truth = np.array([
        shares_a_point(triangle[0], low) for low in product(range(7), repeat=3)
    ]).reshape(7, 7, 7)  # fmt: skip
    # Touching within rounding of a plane may go either way.
    for low in np.argwhere(touched != truth):
        grown_box = [shares_a_point(triangle[0] + d, low) for d in (CORNERS - 0.5) * 2e-9]
        assert len(set(grown_box)) == 2


def test_a_box_encloses_its_inside_and_nothing_else():
    cells = enclose(box([2.5, 2.5, 2.5], [6.5, 5.5, 4.5]), shape=(9, 9, 9))
    inside = np.zeros((9, 9, 9), bool)
    inside[2:7, 2:6, 2:5] = True
    assert ((cells != OUTSIDE) == inside).all()
    assert (cells == FREE).sum() == 3 * 2 * 1


def test_the_volume_of_a_ball_comes_out_when_its_skin_counts_by_half():
    trimesh = pytest.importorskip("trimesh")
    ball = trimesh.creation.icosphere(4, radius=30.3)
    cells = enclose(ball.triangles + 40.12, shape=(80, 80, 80))
    volume = (cells == FREE).sum() + 0.5 * (cells == TOUCHED).sum()
    assert volume == pytest.approx(ball.volume, rel=0.01)


def test_a_gap_lets_the_outside_in_unless_it_is_closed():
    room = box([6.5, 6.5, 6.5], [25.5, 25.5, 25.5])
    door = room[2:]  # one side is missing altogether: no closing helps
    slit = np.concatenate([
        door, box([6.4, 6.5, 6.5], [6.6, 14.5, 25.5]), box([6.4, 18.5, 6.5], [6.6, 25.5, 25.5])
    ])  # fmt: skip
    middle = (16, 16, 16)
    assert enclose(room, shape=(32, 32, 32))[middle] == FREE
    assert enclose(door, shape=(32, 32, 32), close=4)[middle] == OUTSIDE
    assert enclose(slit, shape=(32, 32, 32))[middle] == OUTSIDE
    assert enclose(slit, shape=(32, 32, 32), close=2)[middle] == FREE


def test_growing_is_the_maximum_over_a_box():
    rng = np.random.default_rng(5)
    mask = rng.random((9, 8, 7)) < 0.05
    padded = np.pad(mask, 2)
    truth = np.zeros_like(mask)
    for i, j, k in product(range(5), repeat=3):
        truth |= padded[i : i + 9, j : j + 8, k : k + 7]
    assert (grown(mask, 2) == truth).all()


def test_a_column_has_its_longest_run_with_small_gaps_bridged():
    cells = np.full((1, 3, 12), OUTSIDE, np.uint8)
    cells[0, 0, [0, 1, 3, 4, 5, 9]] = TOUCHED  # a gap of one, then one of three
    cells[0, 0, 4] = FREE
    cells[0, 1, [2, 3]] = TOUCHED
    low, high, free = column_runs(cells, least=3, bridge=2)
    assert (low.tolist(), high.tolist(), free.tolist()) == (
        [[0, -1, -1]], [[6, -1, -1]], [[5, -1, -1]],
    )  # fmt: skip


def test_the_top_face_is_the_highest_under_the_ceiling():
    slope = np.array([[[0.0, 0.0, 1.0], [8.0, 0.0, 5.0], [0.0, 8.0, 1.0]]])
    flat = slope * [1, 1, 0] + [0, 0, 9.0]
    z, face = top_faces(np.concatenate([slope, flat]), ceiling=np.full((4, 4), 8.0))
    assert z[2, 1] == pytest.approx(1.0 + 0.5 * 2.5)
    assert face[2, 1] == 0
    z, face = top_faces(np.concatenate([slope, flat]), ceiling=np.full((4, 4), 9.5))
    assert (z[2, 1], face[2, 1]) == (9.0, 1)
    z, face = top_faces(flat, ceiling=np.full((4, 4), 8.0))
    assert np.isnan(z).all() and (face == -1).all()


def test_faces_of_a_room_look_in_and_faces_of_the_house_look_out():
    outer = box([4.3, 4.3, 4.3], [24.3, 20.3, 16.3])
    room = box([7.3, 7.3, 7.3], [21.3, 17.3, 13.3])[:, ::-1]  # seen from inside
    cells = enclose(np.concatenate([outer, room]), shape=(30, 26, 22))
    shares, plate = exposure(outer, cells)
    assert (shares == 1.0).all() and (plate == 0.0).all()
    assert (exposure(room, cells)[0] == 0.0).all()
    assert (exposure(outer[:, ::-1], cells)[0] == 0.0).all()


def test_a_plate_with_air_on_both_sides_is_thin_and_half_a_face_is_half_outside():
    plate = box([5.3, 5.3, 10.3], [25.3, 25.3, 11.3])
    cells = enclose(plate, shape=(32, 32, 32))
    outer, both = exposure(plate, cells, thin=4)
    level = np.abs(np.cross(plate[:, 1] - plate[:, 0], plate[:, 2] - plate[:, 0])[:, 2]) > 1.0
    assert (outer[level] == 1.0).all() and (both[level] == 1.0).all()
    beside = box([5.3, 5.3, 11.3], [15.3, 25.3, 30.3])  # stands on half of it
    cells = enclose(np.concatenate([plate, beside]), shape=(32, 32, 36))
    outer, _ = exposure(plate, cells, thin=4)
    up = np.cross(plate[:, 1] - plate[:, 0], plate[:, 2] - plate[:, 0])[:, 2] > 1.0
    assert outer[up].mean() == pytest.approx(0.5, abs=0.1)
