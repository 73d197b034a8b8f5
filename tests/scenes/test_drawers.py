"""Any result has a picture: colours by carrier, a legend, the time asked for."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest

from cim import messages
from cim.errors import RequestError
from cim.model import GridFrame
from cim.model.result import Result, ResultField
from cim.registry import standard
from scenes import drawers
from scenes.drawables import Legend
from scenes.drawers import Asked, Drawing, draw, generic
from scenes.palette import NO_VALUE
from tests.towns import EAST, NORTH

FRAME = GridFrame(west=EAST, north=NORTH + 20.0, cell_m=10.0, rows=2, cols=3)
TITLES = {"en": "water depth", "zh": "水深"}


def result(
    values: Any,
    *,
    question: str = "example",
    carrier: Any = "grid",
    unit: str = "m",
    name: str = "depth_m",
    times: list[float] | None = None,
) -> Result:
    array = np.asarray(values, dtype=np.float32)
    ids = None
    if carrier != "grid":
        ids = np.array([f"obj-{i}" for i in range(array.shape[-1])], dtype=object)
    field = ResultField(
        name=name,
        unit=unit,
        carrier=carrier,
        values=array,
        titles=TITLES,
        layer={"objects": "building", "links": "road"}.get(carrier, ""),
        ids=ids,
        over_time=times is not None,
    )
    return Result(
        question=question,
        titles={"en": "example", "zh": "示例"},
        fields=(field,),
        summary={},
        parameters={},
        twin_version=1,
        kernel_version="cim-twin test",
        illustrative=True,
        times_s=None if times is None else np.array(times),
        grid=FRAME if carrier == "grid" else None,
    )


def alpha(drawing: Drawing) -> Any:
    assert drawing.cells is not None
    return drawing.cells[..., 3]


@pytest.mark.parametrize(("carrier", "layer"), [("objects", "building"), ("links", "road")])
def test_values_by_id_become_colours_by_id_ordered_as_the_values(carrier: str, layer: str) -> None:
    drawing = draw(result([0.0, 10.0, 5.0, 0.0], carrier=carrier))
    colours = drawing.objects[layer]
    assert list(colours) == ["obj-0", "obj-1", "obj-2", "obj-3"]
    assert colours["obj-0"] == colours["obj-3"] == tuple(drawing.legend.rgb[0])
    assert colours["obj-1"] == tuple(drawing.legend.rgb[-1])
    assert len(set(colours.values())) == 3
    assert drawing.cells is None


def test_a_grid_becomes_cells_in_its_own_order() -> None:
    drawing = draw(result([[0, 1, 2], [3, 4, 5]]))
    assert drawing.cells is not None and drawing.cells.shape == (2, 3, 4)
    assert tuple(drawing.cells[0, 0, :3]) == tuple(drawing.legend.rgb[0])
    assert tuple(drawing.cells[1, 2, :3]) == tuple(drawing.legend.rgb[-1])
    assert (alpha(drawing) > 0).all()


def test_missing_cells_are_transparent_and_missing_objects_a_grey_of_their_own() -> None:
    assert (alpha(draw(result([[np.nan, 1, 2], [3, np.inf, 5]]))) == 0).tolist() == [
        [True, False, False],
        [False, True, False],
    ]
    drawing = draw(result([1.0, np.nan, 5.0], carrier="objects"))
    grey = drawing.objects["building"]["obj-1"]
    assert max(grey) - min(grey) < 12
    assert grey not in {tuple(c) for c in drawing.legend.rgb}


@pytest.mark.parametrize("values", [[np.nan] * 3, [2.5] * 3, [0.0] * 3], ids=str)
@pytest.mark.parametrize("question", ["example", "flood", "traffic", "sun"])
def test_a_result_without_a_range_is_drawn_all_the_same(question: str, values: Any) -> None:
    drawing = draw(result(values, carrier="links", question=question))
    assert len(drawing.objects["road"]) == 3
    draw(result([values, values], question=question))


def test_ground_that_is_all_but_dry_shows_through_a_flood() -> None:
    drawing = draw(result([[0.0, 0.049, 0.06], [0.3, 2.0, np.nan]], question="flood"))
    shown = alpha(drawing) > 0
    assert shown.tolist() == [[False, False, True], [True, True, False]]


@pytest.mark.parametrize("name", ["hazard_max_m2_s", "speed_max_mps", "duration_15cm_s"])
def test_danger_is_not_painted_where_no_water_was(name: str) -> None:
    values = [[np.nan, 0.0, 0.6], [0.9, 2.0, 4.0]]
    drawing = draw(result(values, question="flood", name=name, unit="m2/s"))
    assert (alpha(drawing) > 0).tolist() == [[False, False, True], [True, True, True]]


def test_the_legend_of_danger_has_the_limits_of_its_classes() -> None:
    values = [[0.0, 0.6, 0.9], [1.0, 2.0, 4.0]]
    drawing = draw(result(values, question="flood", name="hazard_max_m2_s", unit="m2/s"))
    limits = standard("flood.hazard_classes").value
    texts = [text.removeprefix("≥ ") for _, text in drawing.legend.marks]
    assert [float(text) for text in texts] == [0.0, *np.asarray(limits)]
    assert [share * float(texts[-1]) for share, _ in drawing.legend.marks] == pytest.approx(
        [float(text) for text in texts]
    )
    assert drawing.legend.marks[-1][1].startswith("≥")


@pytest.mark.parametrize(
    ("unit", "printed"),
    [("m2/s", "m²/s"), ("m3/s", "m³/s"), ("m2", "m²"), ("kWh/m2", "kWh/m²"), ("degrees", "°"),
     ("m", "m"), ("1", ""), ("1/s", "1/s")],
)  # fmt: skip
def test_units_are_written_as_they_are_printed(unit: str, printed: str) -> None:
    assert draw(result([0.0, 1.0], carrier="objects", unit=unit)).legend.unit == printed


def test_depths_beyond_the_ramp_say_so_in_the_legend() -> None:
    street = np.linspace(0.0, 0.38, 1000)
    pit = np.r_[street, [9.0] * 5]
    deep = draw(result(pit, carrier="links", question="flood")).legend
    shallow = draw(result(street, carrier="links", question="flood")).legend
    assert deep.marks[-1] == (1.0, "≥ 0.4")
    assert shallow.marks[-1] == (1.0, "0.4")
    assert [text for _, text in deep.marks[:-1]] == [text for _, text in shallow.marks[:-1]]


@pytest.mark.parametrize(("metres", "last"), [(0.06, "0.1"), (0.7, "0.8"), (2.6, "3"), (31, "40")])
def test_the_ramp_of_a_flood_ends_where_its_water_does(metres: float, last: str) -> None:
    depth = np.linspace(0.0, metres, 400)
    legend = draw(result(depth, carrier="links", question="flood")).legend
    assert legend.marks[-1][1].endswith(last)


def peaked() -> Result:
    """A flood that rises and falls."""
    over = result([[[0.0] * 3] * 2, [[1.0] * 3] * 2, [[0.2] * 3] * 2], times=[0.0, 600.0, 1200.0])
    peak = replace(
        over.fields[0],
        name="depth_max_m",
        values=np.full((2, 3), 1.0, np.float32),
        titles={"en": "greatest depth", "zh": "最大水深"},
        over_time=False,
    )
    return replace(over, question="flood", fields=(*over.fields, peak))


def test_a_flood_shows_its_greatest_depth_and_says_so_unless_a_moment_is_asked_for() -> None:
    drawing = draw(peaked())
    assert (drawing.legend.title, drawing.time_s) == ("greatest depth", None)
    then = draw(peaked(), time_s=1200.0)
    assert (then.legend.title, then.time_s) == ("water depth", 1200.0)
    assert then.legend.marks == drawing.legend.marks  # one colour is one depth
    named = draw(peaked(), name="depth_m")
    assert (named.legend.title, named.time_s) == ("water depth", 1200.0)


def test_a_moment_of_what_does_not_change_is_an_error() -> None:
    for asked in (lambda: draw(peaked(), name="depth_max_m", time_s=600.0),
                  lambda: draw(result([[0, 1, 2], [3, 4, 5]]), time_s=0.0)):  # fmt: skip
        with pytest.raises(RequestError) as caught:
            asked()
        assert caught.value.key == "scenes.no_moment"


def test_shade_is_drawn_where_it_falls() -> None:
    drawing = draw(result([[0, 1, 0], [1, 0, 0]], question="sun", unit="1", name="shaded"))
    assert (alpha(drawing) > 0).tolist() == [[False, True, False], [True, False, False]]


@pytest.mark.parametrize(("lang", "title"), [("en", "water depth"), ("zh", "水深")])
def test_the_legend_speaks_the_language_asked_for_else_the_one_in_force(
    lang: str, title: str
) -> None:
    assert draw(result([[0, 1, 2], [3, 4, 5]]), lang=lang).legend.title == title
    messages.set_language(lang)
    legend = draw(result([[0, 1, 2], [3, 4, 5]])).legend
    assert (legend.title, legend.unit) == (title, "m")
    assert [m[0] for m in legend.marks] == sorted(m[0] for m in legend.marks)
    assert legend.marks[0][1] == "0" and legend.marks[-1][1] == "5"


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (-3.0, 8.0), (0.0013, 0.0017), (-7e5, -2e5), (12.0, 12.4)]
)
def test_the_marks_of_a_legend_are_round_and_span_the_values(low: float, high: float) -> None:
    legend = draw(result([[low, high, low], [high, low, high]])).legend
    numbers = [float(text) for _, text in legend.marks]
    assert 3 <= len(numbers) <= 8
    steps = np.diff(numbers)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-3)
    assert numbers[0] <= np.float32(low) * (1 + 1e-6 * np.sign(low)) + 1e-9
    assert numbers[-1] >= np.float32(high) - 1e-6 * abs(high)
    assert all(text != "-0" for _, text in legend.marks)
    assert max(len(f"{n:.6g}") for n in numbers) <= 7


def test_missing_values_of_objects_stand_in_the_legend() -> None:
    keys = draw(result([1.0, np.nan, 5.0], carrier="objects")).legend.keys
    assert len(keys) == 1 and keys[0][1]
    assert not draw(result([1.0, 2.0, 5.0], carrier="objects")).legend.keys


def test_a_pure_number_has_no_unit_in_the_legend() -> None:
    assert draw(result([[0, 1, 2], [3, 4, 5]], unit="1")).legend.unit == ""


def test_the_nearest_kept_time_is_shown_and_the_last_where_none_is_asked() -> None:
    over = result([[[0] * 3] * 2, [[5] * 3] * 2, [[9] * 3] * 2], times=[0.0, 600.0, 1200.0])
    assert draw(over).time_s == 1200.0
    assert draw(over, time_s=550.0).time_s == 600.0
    assert draw(over, time_s=0.0).time_s == 0.0
    assert draw(result([[0, 1, 2], [3, 4, 5]])).time_s is None


@pytest.mark.parametrize("time_s", [-1.0, 1200.5, float("nan"), float("inf")])
def test_a_time_outside_the_run_names_the_times_there_are(time_s: float) -> None:
    over = result([[[0] * 3] * 2, [[9] * 3] * 2], times=[0.0, 1200.0])
    with pytest.raises(RequestError) as caught:
        draw(over, time_s=time_s)
    assert caught.value.key == "scenes.no_time"
    assert "0.0" in caught.value.message("en") and "1200.0" in caught.value.message("zh")


def test_one_ramp_serves_all_times_of_a_run() -> None:
    """Else the same colour would mean another depth in the next picture."""
    over = result([[[0, 1, 2]] * 2, [[0, 4, 8]] * 2], times=[0.0, 600.0])
    first, last = draw(over, time_s=0.0), draw(over, time_s=600.0)
    assert [m[1] for m in first.legend.marks] == [m[1] for m in last.legend.marks]


def test_an_unknown_field_names_those_there_are() -> None:
    with pytest.raises(RequestError) as caught:
        draw(result([[0, 1, 2], [3, 4, 5]]), name="speed_mps")
    assert "depth_m" in str(caught.value)


def _purple(asked: Asked) -> Drawing:
    assert asked.field.name == "depth_m"
    return Drawing(legend=Legend("purple", "", np.array([[128, 0, 128]], dtype=np.uint8)))


def test_a_drawer_of_another_package_goes_before_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("flood", "tests.scenes.test_drawers:_purple", "cim.drawers")
    asked: list[str] = []

    def points(*, group: str) -> list[EntryPoint]:
        asked.append(group)
        return [point]

    monkeypatch.setattr(drawers, "entry_points", points)
    assert draw(result([[0, 1, 2], [3, 4, 5]], question="flood")).legend.title == "purple"
    assert draw(result([[0, 1, 2], [3, 4, 5]], question="other")).legend.title == "water depth"
    assert set(asked) == {"cim.drawers"}


def test_the_generic_drawer_can_be_called_by_a_drawer_of_another_package() -> None:
    one = result([[0, 1, 2], [3, 4, 5]])
    assert generic(Asked(one, one.fields[0], None)).legend.title == "water depth"


def test_a_closed_street_has_a_colour_that_the_legend_names() -> None:
    base = result([0.2, np.nan, 1.1], carrier="links", question="traffic", name="volume_capacity")
    flow = replace(base.fields[0], name="flow_vps", unit="1/s")
    run = replace(base, fields=(base.fields[0], flow))
    drawing = draw(run, name="volume_capacity", lang="en")
    keys = {text: rgb for rgb, text in drawing.legend.keys}
    assert drawing.objects["road"]["obj-1"] == keys["closed to cars"] != NO_VALUE
    assert messages.text("scenes.no_value", lang="en") not in keys
    speed = replace(flow, name="speed_mps", unit="m/s", values=np.float32([np.nan, np.nan, 9.0]))
    drawing = draw(replace(run, fields=(*run.fields, speed)), name="speed_mps", lang="en")
    assert drawing.objects["road"]["obj-0"] == NO_VALUE  # open, but without a value
    assert {text for _, text in drawing.legend.keys} >= {"no value", "closed to cars"}


def test_verdicts_of_a_flood_are_coloured_by_class() -> None:
    state = draw(
        result(
            [0.0, 1.0, 2.0, np.nan], question="flood", carrier="links", unit="1", name="road_state"
        ),
        lang="zh",
    )
    assert [text for _, text in state.legend.keys] == ["畅通", "缓行", "封闭", "无数值"]
    told = [colour for colour, _ in state.legend.keys]
    assert [state.objects["road"][f"obj-{i}"] for i in range(4)] == told
    floors = result([0.0, 0.2], question="flood", carrier="objects", name="floor_water_m")
    dry, wet = (draw(floors).objects["building"][f"obj-{i}"] for i in range(2))
    assert (dry, wet) == (told[0], told[2])
