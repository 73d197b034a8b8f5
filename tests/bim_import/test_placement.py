"""Where a model stands: the table of cases that files in the wild present."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bim_import.placement import (
    Evidence,
    MapConversion,
    Placement,
    from_points,
    resolve,
)
from cim.errors import FrameError

CONVERSION = MapConversion(
    crs="EPSG:4548", eastings=517410.0, northings=4330746.0, height=3.6, vertical="EPSG:5737"
)
MODEL = Evidence(unit_m=1.0, centre=(5.0, 0.0, 3.0), conversion=CONVERSION)


def inside(crs: str, east_m: float, north_m: float) -> bool:
    return 300_000 < east_m < 700_000 and 4_000_000 < north_m < 5_000_000


def place(evidence: Evidence, **options: object) -> Placement:
    return resolve(evidence, name="a.ifc", inside=inside, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("unit_m", "scale", "map_unit_m", "reading", "factor"),
    [
        (1.0, None, None, "units", 1.0),
        (1.0, 1.0, 1.0, "units", 1.0),
        (0.001, 0.001, 1.0, "units", 1.0),  # the text of the standard
        (0.001, None, 1.0, "factor", 1.0),  # Revit leaves it out
        (0.001, 1.0, 1.0, "factor", 1.0),
        (0.001, 1000.0, 1.0, "inverse", 1.0),  # buildingSMART's own samples
        (1.0, 0.9996, 1.0, "units", 0.9996),  # the UTM scale at the central meridian
        (0.001, 0.9996, 1.0, "factor", 0.9996),
        (0.3048, 0.3048, 1.0, "units", 1.0),
        (0.3048, 1.0, 0.3048, "units", 1.0),
    ],
)
def test_scale_is_read_so_that_a_metre_stays_a_metre(
    unit_m: float, scale: float | None, map_unit_m: float | None, reading: str, factor: float
) -> None:
    metres = map_unit_m or 1.0
    conversion = replace(
        CONVERSION, scale=scale, map_unit_m=map_unit_m,
        eastings=517410.0 / metres, northings=4330746.0 / metres,
    )  # fmt: skip
    found = place(replace(MODEL, unit_m=unit_m, conversion=conversion))
    assert found.values["reading"] == reading
    assert np.hypot(*found.matrix[:2, 0]) == pytest.approx(factor)
    assert found.matrix[:2, 3] == pytest.approx([517410.0, 4330746.0])
    assert found.level == 50


@pytest.mark.parametrize("scale", [0.5, 304.8, 0.0, -1.0, float("nan")])
def test_a_scale_that_fits_no_reading_is_refused(scale: float) -> None:
    with pytest.raises(FrameError) as caught:
        place(replace(MODEL, conversion=replace(CONVERSION, scale=scale)))
    assert caught.value.key == "bim.scale"


def test_the_x_axis_of_the_model_points_where_abscissa_and_ordinate_say() -> None:
    bearing = np.radians(72.6)
    axis = (float(np.sin(bearing)), float(np.cos(bearing)))
    found = place(replace(MODEL, conversion=replace(CONVERSION, x_axis=axis)))
    ahead = found.matrix @ np.array([10.0, 0.0, 1.0, 1.0])
    assert ahead[:2] - [517410.0, 4330746.0] == pytest.approx([10 * axis[0], 10 * axis[1]])
    assert ahead[2] == pytest.approx(4.6)
    left = found.matrix @ np.array([0.0, 10.0, 0.0, 1.0])
    assert left[:2] - [517410.0, 4330746.0] == pytest.approx([-10 * axis[1], 10 * axis[0]])


def test_an_identity_conversion_leaves_map_coordinates_where_they_are() -> None:
    far = Evidence(1.0, (517410.0, 4330746.0, 3.0), replace(CONVERSION, eastings=0, northings=0))
    found = place(far)
    assert found.matrix[:2, 3] == pytest.approx([0.0, 0.0])


def test_a_model_placed_twice_is_refused() -> None:
    with pytest.raises(FrameError) as caught:
        place(replace(MODEL, centre=(517410.0, 4330746.0, 3.0)))
    assert caught.value.key == "bim.georef_twice"
    assert "at = [" in caught.value.remedy()


def test_eastings_in_project_units_are_found_by_where_they_lead() -> None:
    # G6: an IFC2X3 property set cannot say its unit.
    millimetres = replace(CONVERSION, eastings=517410e3, northings=4330746e3, height=3600.0)
    found = place(Evidence(0.001, (0.0, 0.0, 0.0), millimetres))
    assert found.matrix[:3, 3] == pytest.approx([517410.0, 4330746.0, 3.6])


def test_a_place_outside_the_area_of_use_is_refused() -> None:
    with pytest.raises(FrameError) as caught:
        place(replace(MODEL, conversion=replace(CONVERSION, eastings=4330746, northings=517410)))
    assert caught.value.key == "bim.outside_area"


def test_a_place_by_hand_replaces_what_the_file_says() -> None:
    found = place(MODEL, at=(517000.0, 4330000.0, 3.0, 90.0), crs="EPSG:4548")
    assert found.matrix @ np.array([10.0, 0, 0, 1]) == pytest.approx([517000, 4330010, 3, 1])
    assert (found.level, found.rule) == (0, "bim.placed_at")


def test_a_place_by_hand_of_a_model_in_map_coordinates_is_refused() -> None:
    with pytest.raises(FrameError) as caught:
        place(
            Evidence(1.0, (517410.0, 4330746.0, 0.0)),
            at=(517000.0, 4330000.0, 3.0, 0.0), crs="EPSG:4548",
        )  # fmt: skip
    assert caught.value.key == "bim.outside_area"


def test_map_coordinates_in_the_placement_need_only_the_name_of_their_system() -> None:
    far = Evidence(1.0, (517410.0, 4330746.0, 3.0))
    found = place(far, crs="EPSG:4548", height_datum="cgvd1985")
    assert (found.level, found.height_datum) == (30, "cgvd1985")
    assert (found.matrix == np.eye(4)).all()


@pytest.mark.parametrize(
    ("evidence", "key"),
    [
        (Evidence(1.0, (0.0, 0.0, 0.0)), "bim.nowhere"),
        (Evidence(1.0, (0.0, 0.0, 0.0), None, (-71.06, 42.358)), "bim.only_lonlat"),
        (Evidence(1.0, (517410.0, 4330746.0, 0.0)), "bim.map_without_crs"),
        (Evidence(1.0, (0.0, 0.0, 0.0), unusable="IfcRigidOperation"), "bim.unusable"),
    ],
)
def test_a_model_without_a_usable_place_is_refused_with_a_remedy(
    evidence: Evidence, key: str
) -> None:
    with pytest.raises(FrameError) as caught:
        place(evidence)
    assert caught.value.key == key
    for lang in ("en", "zh"):
        assert caught.value.remedy(lang)


def test_what_the_file_says_of_its_heights_comes_before_what_the_caller_says() -> None:
    assert place(MODEL, height_datum="dagu").height_datum == "EPSG:5737"
    silent = replace(MODEL, conversion=replace(CONVERSION, vertical=None))
    assert place(silent, height_datum="dagu").height_datum == "dagu"
    assert place(silent).height_datum is None


def test_every_reading_of_the_scale_is_logged_with_whether_it_fits() -> None:
    # G1: buildingSMART's samples write 1000 for a millimetre model.
    found = place(replace(MODEL, unit_m=0.001, conversion=replace(CONVERSION, scale=1000.0,
                                                                  map_unit_m=1.0)))  # fmt: skip
    assert [(r.how, r.fits, r.used) for r in found.log if r.what == "scale"] == [
        ("units", False, False), ("factor", False, False), ("inverse", True, True),
    ]  # fmt: skip
    sure = place(MODEL)
    assert sure.confidence > found.confidence > 0.5
    assert (found.scale, found.rotation_deg) == (pytest.approx(1.0), 0.0)


def test_true_north_is_information_where_there_is_a_conversion() -> None:
    # G5
    turned = replace(MODEL, true_north_deg=50.0)
    assert (place(turned).matrix == place(MODEL).matrix).all()
    assert [r.value for r in place(turned).log if r.what == "true_north"] == ["50.0000"]


@pytest.mark.parametrize(
    ("eastings", "how"),
    [(517410.0, "system_units"), (39_517_410.0, "zone_number_dropped")],
)
def test_a_zone_number_too_many_is_found_by_where_it_leads(eastings: float, how: str) -> None:
    # G7: EPSG:4548 has no zone number before its eastings, EPSG:4527 has.
    found = place(replace(MODEL, conversion=replace(CONVERSION, eastings=eastings)))
    assert found.matrix[0, 3] == pytest.approx(517410.0)
    assert [r.how for r in found.log if r.what == "offset" and r.used] == [how]


def test_a_zone_number_too_few_is_found_too() -> None:
    def prefixed(crs: str, east_m: float, north_m: float) -> bool:
        return 39_300_000 < east_m < 39_700_000 and 4_000_000 < north_m < 5_000_000

    found = resolve(MODEL, name="a.ifc", inside=prefixed)
    assert found.matrix[0, 3] == pytest.approx(39_517_410.0)
    assert found.confidence < place(MODEL).confidence


@pytest.mark.parametrize(
    ("map_unit_m", "factor", "how"),
    [
        (0.3048, 0.3048, "map_units"),
        (0.304800609601219, 0.304800609601219, "map_units"),  # US survey feet
        (None, 0.304800609601219, "system_units"),
    ],
)
def test_feet_and_us_survey_feet_are_two_things(
    map_unit_m: float | None, factor: float, how: str
) -> None:
    # At 1.7 million feet the two differ by 3.4 feet.
    conversion = replace(
        CONVERSION, eastings=517410.0 / factor, northings=4330746.0 / factor, height=10.0,
        map_unit_m=map_unit_m, scale=None if map_unit_m is None else 1.0 / factor,
    )  # fmt: skip
    found = place(replace(MODEL, conversion=conversion), unit_of=lambda _: 0.304800609601219)
    assert found.matrix[:3, 3] == pytest.approx([517410.0, 4330746.0, 10 * factor], abs=1e-6)
    assert [r.how for r in found.log if r.what == "offset" and r.used] == [how]


def degrees(first: float, second: float) -> Evidence:
    rigid = MapConversion(
        crs="EPSG:4490", eastings=first, northings=second, height=5.0, geographic=True,
        carrier="IfcRigidOperation",
    )  # fmt: skip
    return Evidence(1.0, (0.0, 0.0, 0.0), rigid)


def project(crs: str, lon: float, lat: float) -> tuple[str, float, float, float] | None:
    if not (73 < lon < 135 and 18 < lat < 54):
        return None
    return "EPSG:4548", 500_000 + (lon - 117) * 86_000, lat * 111_000, 0.5


@pytest.mark.parametrize("order", [(117.2, 39.1), (39.1, 117.2)])
def test_an_operation_in_degrees_is_read_in_the_order_that_fits(order: tuple[float, float]) -> None:
    # G7: by the authority latitude comes first, by most files longitude.
    found = place(degrees(*order), project=project)
    assert found.matrix[:3, 3] == pytest.approx([517_200, 4_340_100, 5.0])
    assert found.rotation_deg == pytest.approx(0.5)  # grid north is east of true north
    assert (found.crs, found.level) == ("EPSG:4548", 50)


def test_degrees_outside_of_their_system_are_refused() -> None:
    with pytest.raises(FrameError) as caught:
        place(degrees(10.0, 20.0), project=project)
    assert caught.value.key == "bim.outside_area"


def test_the_address_a_program_starts_with_marks_its_city_as_a_default() -> None:
    from bim_import.placement import noted

    boston = Evidence(1.0, (0.0, 0.0, 0.0), None, (-71.06, 42.358))
    said = [replace(boston, address=text) for text in ("Enter address here", "12 Main Street")]
    assert [noted(e)[0].how for e in said] == ["software_default", "site"]


def test_two_points_give_the_place_of_the_zero() -> None:
    at = from_points([(0, 0, 0), (10, 0, 0)], [(517000, 4330000, 3), (517000, 4330010, 3)])
    assert at == pytest.approx((517000, 4330000, 3, 90))
    away = from_points([(5, 0, 1), (5, 10, 1)], [(517000, 4330000, 3), (516990, 4330000, 3)])
    assert away == pytest.approx((517000, 4329995, 2, 90))
    with pytest.raises(FrameError) as caught:
        from_points([(0, 0, 0), (10, 0, 0)], [(0, 0, 0), (0, 3, 0)])
    assert caught.value.key == "bim.points_scale"
