"""Frames, names and transformations against the published points of Tianjin."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cim import crs, messages
from cim.crs import Frame, choose_frame, parse_crs, transform, transform_heights
from cim.errors import FrameError

TIANJIN = Frame("EPSG:4548", "cgvd1985", (517000, 4330000))
# standards.md 4.1: longitude, latitude (CGCS2000) → easting, northing (EPSG:4548)
TEST_POINTS = [
    ((117.2, 39.0), (517325.288, 4318523.014)),
    ((117.1967, 39.1095), (517013.126, 4330678.716)),
]


@pytest.mark.parametrize(("degrees", "metres"), TEST_POINTS)
def test_the_published_points_hold_to_a_millimetre(degrees, metres):
    there = transform([degrees], source="EPSG:4490", target="EPSG:4548")
    np.testing.assert_allclose(there, [metres], atol=0.001)
    back = transform([metres], source="EPSG:4548", target="EPSG:4490")
    np.testing.assert_allclose(back, [degrees], atol=1e-8)


def test_the_published_utm_point_holds_to_a_centimetre():
    there = transform([(117.1967, 39.1095)], source="EPSG:4490", target="EPSG:32650")
    np.testing.assert_allclose(there, [(517006.32, 4328946.44)], atol=0.01)


def test_x_is_east_although_epsg_4548_declares_north_first():
    axes = crs.proj_crs("EPSG:4548").axis_info
    assert axes[0].direction == "north"  # the trap
    east, north = transform([(117.2, 39.0)], source="EPSG:4490", target="EPSG:4548")[0]
    assert 5e5 < east < 6e5
    assert 4e6 < north < 5e6


def test_convergence_and_scale_are_the_published_ones():
    assert crs.grid_convergence_deg("EPSG:4548", 117.2, 39.1) == pytest.approx(0.126, abs=5e-4)
    assert crs.scale_factor("EPSG:4548", 117.2, 39.1) == pytest.approx(1.0000037, abs=5e-8)
    with pytest.raises(FrameError):
        crs.scale_factor("EPSG:4490", 117.2, 39.1)


def test_convergence_is_the_turn_of_a_meridian_on_the_map():
    south, north = transform(
        [(117.2, 39.1), (117.2, 39.1001)], source="EPSG:4490", target="EPSG:4548"
    )
    east_m, north_m = north - south
    # east of the central meridian true north leans to the west on the map
    turn = np.degrees(np.arctan2(-east_m, north_m))
    assert turn == pytest.approx(crs.grid_convergence_deg("EPSG:4548", 117.2, 39.1), abs=1e-3)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("EPSG:4548", "EPSG:4548"),
        ("epsg:4548", "EPSG:4548"),
        (4548, "EPSG:4548"),
        ("urn:ogc:def:crs:EPSG::4548", "EPSG:4548"),
        ("http://www.opengis.net/def/crs/EPSG/0/4548", "EPSG:4548"),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326"),
        ("EPSG:4548+5737", "EPSG:4548"),
        ("EPSG:4480", "EPSG:4490"),
        ("gcj02", "GCJ-02"),
        ("BD-09", "BD-09"),
    ],
)
def test_a_system_has_one_name_however_it_is_written(given, name):
    assert parse_crs(given) == name


def test_wkt_and_json_of_a_system_give_its_code_back():
    proj = crs.proj_crs("EPSG:4548")
    for written in (proj, proj.to_wkt(), proj.to_wkt("WKT1_ESRI"), proj.to_json_dict()):
        assert parse_crs(written) == "EPSG:4548"


def test_a_system_without_a_code_keeps_its_wkt_and_still_works():
    name = parse_crs("+proj=tmerc +lat_0=0 +lon_0=117.3 +k=1 +x_0=100000 +y_0=0 +ellps=GRS80")
    assert not name.startswith("EPSG")
    assert parse_crs(name) == name
    back = transform(
        transform([(117.2, 39.1)], source="EPSG:4490", target=name), source=name, target="EPSG:4490"
    )
    np.testing.assert_allclose(back, [(117.2, 39.1)], atol=1e-9)


@pytest.mark.parametrize(
    "given",
    [
        "", "  ", None, "urn:...", "urn:adv:...", "urn:adv:crs:ATLANTIS_UTM32*DE_DHHN92_NH",
        "EPSG:9999999", "EPSG:", "Tianjin local", 3.5, "EPSG:5737", "EPSG:4479",
        'LOCAL_CS["site",UNIT["metre",1]]', "x" * 30_000, {"type": "nonsense"}, True,
    ],
)  # fmt: skip
def test_what_is_no_map_system_is_refused_and_named(given):
    with pytest.raises(FrameError) as caught:
        parse_crs(given)
    assert isinstance(caught.value, ValueError)
    if isinstance(given, str) and given.strip():
        assert given.strip()[:20] in caught.value.message("en")
    assert caught.value.remedy("en")
    assert caught.value.remedy("zh")


def test_a_compound_system_yields_its_height_datum():
    assert crs.split_crs("EPSG:4548+5737") == ("EPSG:4548", "cgvd1985")
    assert crs.split_crs("EPSG:4548+5736") == ("EPSG:4548", "yellow1956")
    assert crs.split_crs("EPSG:4979") == ("EPSG:4326", "ellipsoid")
    assert crs.split_crs("EPSG:4548") == ("EPSG:4548", None)


def test_height_datums_have_names_codes_and_chinese_names():
    for name in ("cgvd1985", "EPSG:5737", "1985国家高程基准", " CGVD1985 "):
        assert crs.parse_height_datum(name) == "cgvd1985"
    assert crs.parse_height_datum("大沽高程") == "dagu"
    assert crs.parse_height_datum("EPSG:3855") == "EPSG:3855"  # EGM2008
    for bad in ("sea", "", "EPSG:4548", "EPSG:99999", "EPSG:6360"):  # 6360 is in feet
        with pytest.raises(FrameError):
            crs.parse_height_datum(bad)


def test_heights_of_1956_are_29_mm_above_those_of_1985_both_ways():
    # origin 72.289 m in 1956, 72.260 m in 1985 (verified_sun_rain.md 4)
    up = transform_heights([0.0, 3.0], source="cgvd1985", target="yellow1956")
    np.testing.assert_allclose(up, [0.029, 3.029], atol=1e-12)
    down = transform_heights(up, source="EPSG:5736", target="EPSG:5737")
    np.testing.assert_allclose(down, [0.0, 3.0], atol=1e-12)


def test_dagu_heights_need_an_offset_and_the_way_over_1956_differs_by_29_mm():
    with pytest.raises(FrameError, match="no default"):
        transform_heights([2.0], source="dagu", target="cgvd1985")
    straight = transform_heights([2.0], source="dagu", target="cgvd1985", offset_m=1.163)
    over = transform_heights([2.0], source="dagu", target="yellow1956", offset_m=1.163)
    over = transform_heights(over, source="yellow1956", target="cgvd1985")
    assert straight[0] - over[0] == pytest.approx(0.029, abs=1e-12)
    back = transform_heights(straight, source="cgvd1985", target="dagu", offset_m=1.163)
    assert back[0] == pytest.approx(2.0, abs=1e-12)


@pytest.mark.parametrize(
    ("source", "target", "offset_m"),
    [
        ("relative", "cgvd1985", 3.0),
        ("cgvd1985", "unknown", None),
        ("ellipsoid", "dagu", 1.0),
        ("dagu", "cgvd1985", float("nan")),
        ("cgvd1985", "yellow1956", 0.029),
    ],
)
def test_heights_without_a_sound_relation_are_refused(source, target, offset_m):
    with pytest.raises(FrameError):
        transform_heights([1.0], source=source, target=target, offset_m=offset_m)


def test_the_same_datum_changes_no_height():
    for name in crs.HEIGHT_DATUMS:
        assert transform_heights([1.5], source=name, target=name)[0] == 1.5


def test_degrees_in_tianjin_choose_the_national_zone_and_say_so():
    chosen = choose_frame("EPSG:4490", (117.19, 39.10, 117.21, 39.12))
    assert (chosen.frame.crs, chosen.frame.height_datum) == ("EPSG:4548", "unknown")
    assert chosen.key == "crs.frame_china_zone"
    assert "EPSG:4548" in messages.text(chosen.key, chosen.values, lang="zh")
    middle = transform([(117.2, 39.11)], source="EPSG:4490", target="EPSG:4548")[0]
    assert np.abs(chosen.frame.to_local([middle])).max() <= 50.0
    assert all(part == int(part) for part in chosen.frame.origin)


@pytest.mark.parametrize(
    ("lon", "lat", "code"),
    [
        (117.2, 39.1, 4548), (116.4, 39.9, 4548), (113.26, 23.13, 4547), (121.47, 31.23, 4549),
        (87.6, 43.8, 4538), (91.1, 29.65, 4539), (126.6, 45.8, 4551), (134.5, 48.3, 4554),
        (75.99, 39.47, 4534), (121.0, 23.7, 4549),
        (127.0, 37.57, 32652), (106.9, 47.9, 32648), (13.4, 52.5, 32633), (151.2, -33.9, 32756),
        (139.7, 35.7, 32654), (77.2, 28.6, 32643), (105.8, 21.0, 32648), (131.9, 43.1, 32652),
        (179.9, 10.0, 32660), (-179.9, -10.0, 32701),
    ],
)  # fmt: skip
def test_the_zone_is_cgcs2000_inside_china_and_utm_elsewhere(lon, lat, code):
    d = 0.005
    chosen = choose_frame("EPSG:4326", (lon - d, lat - d, lon + d, lat + d))
    assert chosen.frame.crs == f"EPSG:{code}"


def test_a_projected_file_gives_its_own_frame_and_its_height_datum():
    chosen = choose_frame("EPSG:4548+5737", (517000, 4330000, 518000, 4331000))
    assert (chosen.frame.crs, chosen.frame.height_datum) == ("EPSG:4548", "cgvd1985")
    assert chosen.key == "crs.frame_from_source"
    asked = choose_frame(
        "EPSG:4490", (117.19, 39.1, 117.2, 39.2), frame="EPSG:32650", frame_height="dagu"
    )
    assert (asked.frame.crs, asked.frame.height_datum) == ("EPSG:32650", "dagu")
    assert asked.key == "crs.frame_given"


def test_web_mercator_feet_and_gcj_give_no_frame_of_their_own():
    mercator = tuple(
        transform(
            [(117.19, 39.10), (117.21, 39.12)], source="EPSG:4326", target="EPSG:3857"
        ).ravel()
    )
    assert choose_frame("EPSG:3857", mercator).frame.crs == "EPSG:4548"
    assert choose_frame("GCJ-02", (117.19, 39.1, 117.21, 39.12)).frame.crs == "EPSG:4548"
    new_york_ft = (980000.0, 195000.0, 990000.0, 200000.0)
    assert choose_frame("EPSG:2263", new_york_ft).frame.crs == "EPSG:32618"


@pytest.mark.parametrize(
    ("frame", "key"),
    [
        ("EPSG:4490", "crs.frame_not_projected"),
        ("EPSG:3857", "crs.frame_not_true_to_scale"),
        ("GCJ-02", "crs.frame_not_projected"),
        ("EPSG:2263", "crs.outside_area"),
        ("EPSG:4547", "crs.outside_area"),  # the zone of 114°E: Tianjin is 1.7° too far east
    ],
)
def test_a_frame_that_would_falsify_lengths_is_refused(frame, key):
    with pytest.raises(FrameError) as caught:
        choose_frame("EPSG:4490", (117.19, 39.10, 117.21, 39.12), frame=frame)
    assert caught.value.key == key


def test_a_frame_in_feet_is_refused_with_the_zone_to_use():
    with pytest.raises(FrameError, match="EPSG:32618") as caught:
        choose_frame("EPSG:4326", (-74.0, 40.7, -73.9, 40.8), frame="EPSG:2263")
    assert caught.value.key == "crs.frame_not_metres"


@pytest.mark.parametrize(
    ("name", "bounds"),
    [
        ("EPSG:4548", (4318000, 517000, 4319000, 518000)),  # axes exchanged
        ("EPSG:4548", (117.1, 39.0, 117.3, 39.2)),  # degrees
        ("EPSG:4548", (5.17e8, 4.318e9, 5.18e8, 4.319e9)),  # millimetres
        ("EPSG:4548", (39517000, 4318000, 39518000, 4319000)),  # zone number in the easting
        ("EPSG:4326", (39.0, 117.0, 39.1, 117.1)),
        ("EPSG:4490", (117.0, 0.0, 117.1, 0.1)),
    ],
)
def test_data_outside_the_area_of_use_are_refused(name, bounds):
    with pytest.raises(FrameError) as caught:
        crs.check_area_of_use(name, bounds)
    assert caught.value.key == "crs.outside_area"
    with pytest.raises(FrameError):
        choose_frame(name, bounds)


def test_a_degree_beyond_the_area_of_use_is_still_allowed():
    crs.check_area_of_use("EPSG:4548", (119.3, 39.0, 119.4, 39.1), bounds_crs="EPSG:4490")
    with pytest.raises(FrameError):
        crs.check_area_of_use("EPSG:4548", (119.3, 39.0, 119.6, 39.1), bounds_crs="EPSG:4490")
    with pytest.raises(FrameError):
        crs.check_area_of_use("EPSG:4548", (float("nan"), 0, 1, 1))


def test_geometries_move_with_their_heights_kept():
    flat = shapely.Point(117.2, 39.0)
    tall = shapely.LineString([(117.2, 39.0, 3.0), (117.2, 39.001, 4.0)])
    moved = transform([flat, None, tall], source="EPSG:4490", target="EPSG:4548")
    assert moved[0].x == pytest.approx(517325.288, abs=0.001)
    assert moved[1] is None
    assert not moved[0].has_z
    assert [z for *_, z in moved[2].coords] == [3.0, 4.0]
    one = transform(flat, source="EPSG:4490", target="EPSG:4548")
    assert one.equals(moved[0])
    points = transform([(117.2, 39.0, 7.5)], source="EPSG:4490", target="EPSG:4548")
    assert points[0, 2] == 7.5


def test_points_without_a_place_are_counted_in_the_error():
    with pytest.raises(FrameError, match="2 of 3 points") as caught:
        transform(
            [(117.2, 39.0), (float("nan"), 39.0), (200.0, 139.0)],
            source="EPSG:4490",
            target="EPSG:4548",
        )
    assert caught.value.values["count"] == 2
    for wrong in ([1.0, 2.0], [(1.0, 2.0, 3.0, 4.0)]):
        with pytest.raises(FrameError):
            transform(wrong, source="EPSG:4490", target="EPSG:4548")


def test_no_points_are_no_error():
    assert transform(np.empty((0, 2)), source="EPSG:4490", target="EPSG:4548").shape == (0, 2)


def test_gcj02_is_a_source_and_never_a_target():
    shifted = crs.wgs84_to_gcj02([(117.2, 39.1)])
    there = transform(shifted, source="GCJ-02", target="EPSG:4548")
    true = transform([(117.2, 39.1)], source="EPSG:4326", target="EPSG:4548")
    np.testing.assert_allclose(there, true, atol=1e-3)
    with pytest.raises(FrameError):
        transform(shifted, source="EPSG:4326", target="GCJ-02")
    assert crs.datum_note("BD-09") == "crs.note_pseudo"
    assert crs.datum_note("EPSG:2436") == "crs.note_old_datum"
    assert crs.datum_note("EPSG:4548") is None
    assert "近似" in crs.crs_title("GCJ-02")


def test_cgcs2000_and_wgs84_are_one():
    same = transform([(117.2, 39.1)], source="EPSG:4490", target="EPSG:4326")
    np.testing.assert_allclose(same, [(117.2, 39.1)], atol=1e-9)


@given(st.floats(115.5, 118.5), st.floats(22.6, 49.8), st.floats(-9e3, 9e3), st.floats(-9e3, 9e3))
@settings(max_examples=100, deadline=None)
def test_degrees_and_local_metres_round_trip(lon, lat, x, y):
    xy = crs.from_lonlat(TIANJIN, [(lon, lat)])
    np.testing.assert_allclose(crs.lonlat(TIANJIN, xy), [(lon, lat)], atol=1e-9)
    local = np.array([(x, y, 5.0)])
    projected = TIANJIN.to_projected(local)
    assert projected[0, 2] == 5.0
    np.testing.assert_allclose(TIANJIN.to_local(projected), local, atol=1e-8)


def test_a_frame_has_a_whole_origin_and_meets_only_its_equal():
    with pytest.raises(FrameError):
        Frame("EPSG:4548", "cgvd1985", (517000.5, 4330000))
    with pytest.raises(FrameError):
        Frame("EPSG:4548", "sea", (0, 0))
    TIANJIN.require_same(Frame("EPSG:4548", "EPSG:5737", (0, 0)))
    with pytest.raises(FrameError, match="dagu"):
        TIANJIN.require_same(Frame("EPSG:4548", "dagu", (517000, 4330000)))


def test_geocentric_coordinates_come_back():
    place = np.array([(117.2, 39.1, 12.0)])
    xyz = crs.to_geocentric(place, crs="EPSG:4490")
    assert np.linalg.norm(xyz) == pytest.approx(6.369e6, rel=2e-3)
    np.testing.assert_allclose(crs.from_geocentric(xyz, crs="EPSG:4490"), place, atol=1e-7)


def test_proj_stays_off_the_network_in_every_thread_and_crs_loads_it_late():
    code = (
        "import sys, threading\n"
        "from cim import crs\n"
        "assert 'pyproj' not in sys.modules and 'shapely' not in sys.modules\n"
        "def work(seen):\n"
        "    crs.transform([(117.2, 39.1)], source='EPSG:4214', target='EPSG:4548')\n"
        "    from pyproj.network import is_network_enabled\n"
        "    seen.append(is_network_enabled())\n"
        "seen = []\n"
        "work(seen)\n"
        "for _ in range(2):\n"
        "    thread = threading.Thread(target=work, args=(seen,)); thread.start(); thread.join()\n"
        "print(seen)\n"
    )
    environment = {**os.environ, "PROJ_NETWORK": "ON"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[False, False, False]", done.stderr


def test_a_name_of_the_german_surveys_is_its_map_system():
    # AdV: ETRS89 in UTM zone 32 is EPSG:25832; the height system stands behind the asterisk.
    assert parse_crs("urn:adv:crs:ETRS89_UTM32*DE_DHHN92_NH") == "EPSG:25832"
    # LGLN Niedersachsen, questions and answers on GNTRANS_NI: EPSG:31466 is DE_DHDN_3GK2_NI100
    assert parse_crs("urn:adv:crs:DE_DHDN_3GK2_NI100") == "EPSG:31466"


@pytest.mark.parametrize(
    ("name", "registered"),
    [
        ("DHHN2016_NH", "DHHN2016 height"),
        ("DHHN92_NH", "DHHN92 height"),
        ("DHHN85_NOH", "DHHN85 height"),
        ("DHHN12_NOH", "DHHN12 height"),
        ("SNN76_NH", "SNN76 height"),
    ],
)
def test_a_height_system_of_the_german_surveys_is_that_of_the_same_name_in_epsg(name, registered):
    _, height = crs.split_crs(f"urn:adv:crs:ETRS89_UTM32*DE_{name}")
    assert crs.proj_crs(height).name == registered
