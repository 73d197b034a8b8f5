"""Solids are judged as val3dity, the validator of ISO 19107, judges its own cases.

The cases are no part of the project: they are read from ``val3dity/*.poly`` in the folder
of real data, as they stand in that program's tests with the codes it expects there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cim.model.body import Body
from cim.model.shells import shell_faults
from tests.cim.model.test_shells import Face, solid

pytestmark = pytest.mark.truths
Find = Callable[[str], Path]


def faces_of(path: Path) -> list[Face]:
    """Read the faces of a POLY file (of TetGen), each a list of rings."""
    rows = iter([line.split() for line in path.read_text().splitlines() if line.strip()])

    def numbers() -> list[str]:
        return next(rows)

    points = {}
    for _ in range(int(numbers()[0])):
        name, *place = numbers()
        points[name] = tuple(float(v) for v in place[:3])
    faces: list[Face] = []
    for _ in range(int(numbers()[0])):
        count, *more = numbers()
        rings = []
        for _ in range(int(count)):
            size, *names = numbers()
            rings.append([points[name] for name in names[: int(size)]])
        for _ in range(int(more[0]) if more else 0):
            numbers()  # a point in each hole
        faces.append(rings)
    return faces


def shells_of(faces: list[Face]) -> Iterator[list[Face]]:
    """Yield faces by the piece they are of: cases with inner shells hold all of them in one."""
    left = list(faces)
    while left:
        piece, places = [left.pop(0)], set[tuple[float, ...]]()
        while True:
            places = {p for face in piece for ring in face for p in ring}
            more = [f for f in left if any(p in places for ring in f for p in ring)]
            if not more:
                break
            piece += more
            left = [f for f in left if f not in more]
        yield piece


def turned(faces: list[Face]) -> list[Face]:
    return [[ring[::-1] for ring in face] for face in faces]


def case(find: Find, *names: str) -> Body:
    """A solid: the outer shell of the first file, then the inner shells of all."""
    shells = [shell for name in names for shell in shells_of(faces_of(find(f"val3dity/{name}")))]
    return solid(*shells)


def codes(body: Body) -> set[int]:
    """The codes but 405: that the cases' inner shells look outwards or inwards differs."""
    return {fault.code for fault in shell_faults([body])} - {405}


CASES: list[tuple[tuple[str, ...], set[int]]] = [
    (("306.poly",), {306}),
    (("401_1.poly",), {401}),
    (("401_2.poly",), {401}),
    (("401_3.poly",), {401}),
    (("basecube.poly", "403.poly"), {403}),
    (("basecube.poly", "403_1.poly"), {403}),
    (("basecube.poly",), set()),
    (("basecube.poly", "inner_shell.poly"), set()),
    (("basecube.poly", "inner_shell_1.poly"), set()),
    (("basecube.poly", "inner_shell_3.poly", "inner_shell.poly"), set()),
]


@pytest.mark.parametrize(("names", "want"), CASES, ids=["+".join(c[0]) for c in CASES])
def test_a_solid_is_judged_as_by_val3dity(
    testdata: Find, names: tuple[str, ...], want: set[int]
) -> None:
    assert codes(case(testdata, *names)) == want


def test_a_shell_that_touches_itself_along_an_edge_is_judged_as_by_val3dity(
    testdata: Find,
) -> None:
    """We name two corners besides (303): there a hole touches the outer ring of its face."""
    assert {306} <= codes(case(testdata, "306_2.poly")) <= {303, 306}


def test_inner_shells_that_share_a_face_are_judged_as_by_val3dity(testdata: Find) -> None:
    faces = faces_of(testdata("val3dity/401_4.poly"))
    assert codes(solid(faces[:6], faces[6:10], faces[10:])) == {401}


def test_inner_shells_that_share_a_corner_are_good_as_by_val3dity(testdata: Find) -> None:
    faces = faces_of(testdata("val3dity/inner_pyramid_3.poly"))
    assert codes(solid(faces[:6], faces[6:10], faces[10:])) == set()
