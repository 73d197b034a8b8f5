"""The parts of authoring: tables, choices, the street frame, networks, ground plans."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cim.authoring.__main__ import main
from cim.authoring.dice import choose, roll, spread
from cim.authoring.frame import StreetFrame
from cim.authoring.shapes import SHAPES, place, plan
from cim.authoring.streets import make_network, node_name
from cim.authoring.tables import Row, read_rows, read_toml
from cim.errors import SourceError

FOLDER = Path(__file__).resolve().parents[2] / "data" / "wudadao"
FRAME = StreetFrame(517190.389, 4330858.841, 72.6, "EPSG:4548", "EPSG:4490", "cgvd1985")


def road(name: str, **values: str) -> Row:
    return Row(name, {"name": name, "starts_at": "", "ends_at": "", "width_m": "10", **values})


def course(name: str, *points: tuple[float, float]) -> list[Row]:
    return [Row(name, {"road": name, "u_m": str(u), "v_m": str(v)}) for u, v in points]


def test_rolls_are_the_same_on_every_machine() -> None:
    # SplitMix64 over the bytes in exact integers; these must never change, or every layer does
    assert [roll(name, 1000) for name in ("a", "munan-50", "睦南道")] == ROLLS


ROLLS = [505, 652, 942]


@given(st.text(max_size=12), st.integers(1, 50))
def test_rolls_stay_inside_and_depend_on_the_name_alone(name: str, sides: int) -> None:
    assert 0 <= roll(name, sides) < sides
    assert roll(name, sides) == roll(name, sides)
    assert 2.0 <= spread(name, 2.0, 4.5) <= 4.5
    assert choose(name, "abc") in "abc"


def test_rolls_are_even() -> None:
    counts = np.bincount([roll(f"house {i}", 6) for i in range(6000)], minlength=6)
    # chi-square with 5 degrees of freedom, 99.9 % point 20.5
    assert (((counts - 1000) ** 2) / 1000).sum() < 20.5


@given(st.floats(-2000, 2000), st.floats(-2000, 2000))
def test_street_coordinates_come_back_to_a_millimetre(u: float, v: float) -> None:
    assert FRAME.to_uv(FRAME.to_xy([[u, v]]))[0] == pytest.approx([u, v], abs=0.001)


def test_u_points_along_the_bearing_and_v_to_its_right() -> None:
    zero, along, across = FRAME.to_xy([[0, 0], [100, 0], [0, 100]])
    # bearing 72.6: sin 0.95424, cos 0.29904
    assert along - zero == pytest.approx([95.424, 29.904], abs=0.002)
    assert across - zero == pytest.approx([29.904, -95.424], abs=0.002)


def test_crossing_roads_share_one_node_and_are_split_there() -> None:
    rows = [road("A"), road("B", starts_at="A")]
    courses = course("A", (-50, 0), (50, 0)) + course("B", (10, -20), (10, 80))
    network = make_network(rows, courses, FRAME)
    assert [(one.road, one.order) for one in network.links] == [("A", 1), ("A", 2), ("B", 1)]
    node = network.nodes[node_name("B", "A")]
    ends = [one.line.coords[end] for one in network.links for end in (0, -1)]
    assert ends.count(node) == 3
    assert network.roads["B"].line.length == pytest.approx(80.0, abs=0.002)
    assert network.along("A", "B") == pytest.approx(60.0, abs=0.002)


def test_a_road_that_does_not_reach_its_end_is_an_error_that_names_both() -> None:
    rows = [road("A"), road("B", ends_at="A")]
    courses = course("A", (-50, 0), (50, 0)) + course("B", (10, 20), (10, 80))
    with pytest.raises(SourceError, match="B: the road is said to end at A"):
        make_network(rows, courses, FRAME)


@settings(max_examples=40)
@given(st.sampled_from(SHAPES), st.floats(22, 60), st.floats(0.5, 0.95))
def test_ground_plans_are_sound_and_fill_their_box(kind: str, length: float, ratio: float) -> None:
    length = length + 80.0 if kind == "oval" else length
    width = length * ratio if kind != "oval" else length * 0.6
    figure = plan(kind, length, width)
    assert figure.is_valid and figure.geom_type == "Polygon"
    x, y = length / 2, width / 2
    open_m = 0.6 if kind == "oval" else 1e-6  # the oval's gaps reach into its curves
    assert figure.bounds == pytest.approx((-x, -y, x, y), abs=open_m)


def test_a_placed_plan_has_its_back_to_the_left_of_its_front() -> None:
    square = place(shapely.box(-1, 5, 1, 6), np.array([100.0, 200.0]), (1.0, 0.0))
    assert square.centroid.coords[0] == pytest.approx((100.0, 205.5))
    turned = place(shapely.box(-1, 5, 1, 6), np.array([100.0, 200.0]), (0.0, 1.0))
    assert turned.centroid.coords[0] == pytest.approx((94.5, 200.0))


def test_an_unknown_plan_is_named() -> None:
    with pytest.raises(SourceError, match="'star'"):
        plan("star", 10, 10, where="landmarks.csv:3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1\n", r"t\.csv:2 has 1 values, its header 2"),
        ("a,b\n1,x\n", r"t\.csv:2: b is 'x'"),
        ("a\n1\n", r"t\.csv:2 has no column b"),
    ],
)
def test_a_bad_table_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=message):
        read_rows(path)[0].real("b")
    path.write_text("a,b\n1,2.5\n", encoding="utf-8")
    assert read_rows(path)[0].real("b") == 2.5


def test_a_missing_or_broken_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"The table day\.toml is missing"):
        read_toml(tmp_path / "day.toml")
    (tmp_path / "day.toml").write_text("a = [", encoding="utf-8")
    with pytest.raises(SourceError, match=r"day\.toml is not TOML"):
        read_toml(tmp_path / "day.toml")


def test_a_house_moved_into_a_street_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "district"
    shutil.copytree(FOLDER / "tables", folder / "tables")
    shutil.copy(FOLDER / "district.toml", folder)
    path = folder / "tables" / "landmarks.csv"
    text = path.read_text(encoding="utf-8")
    assert ",137,270,91," in text
    path.write_text(text.replace(",137,270,91,", ",117,270,91,"), encoding="utf-8")
    with pytest.raises(SourceError, match="gedalou overlaps"):
        from cim.authoring import author

        author(folder)
    assert sorted(one.name for one in folder.iterdir()) == ["district.toml", "tables"]


def test_the_command_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "python -m cim.authoring data/wudadao" in capsys.readouterr().err
    assert main(["nowhere"]) == 2
    assert "area.toml" in capsys.readouterr().err
