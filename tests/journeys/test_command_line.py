"""The contract of the command line: what goes in, what one JSON object comes out, how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cim.cli import _ask, main
from cim.cli.schema import SCHEMAS
from scenes.probe import opengl

ROOT = Path(__file__).resolve().parents[2]
Cim = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def cim(capsys: pytest.CaptureFixture[str]) -> Cim:
    """Return a function that runs the command and returns exit code, JSON and stderr."""

    def run(*words: object) -> tuple[int, dict[str, Any], str]:
        capsys.readouterr()
        code = main([str(w) for w in words] + ["--json"])
        out, err = capsys.readouterr()
        lines = out.strip().splitlines()
        assert len(lines) == 1, f"one JSON object on standard output, got {out!r}"
        return code, json.loads(lines[0]), err

    return run


def valid(name: str, record: dict[str, Any]) -> None:
    jsonschema.validate(record, SCHEMAS[name])


HOUSES = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {"code": f"h{i}", "height_m": 6 + 3 * i, "name": f"房屋{i}"},
            "geometry": {
                "type": "Polygon",
                "coordinates": [
                    [
                        [117.2 + i * 4e-4, 39.11],
                        [117.2 + i * 4e-4 + 2e-4, 39.11],
                        [117.2 + i * 4e-4 + 2e-4, 39.1101],
                        [117.2 + i * 4e-4, 39.1101],
                        [117.2 + i * 4e-4, 39.11],
                    ]
                ],
            },
        }
        for i in range(5)
    ],
}


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    path = tmp_path / "building.geojson"
    path.write_text(json.dumps(HOUSES, ensure_ascii=False), encoding="utf-8")
    return path


def test_a_geojson_becomes_a_twin_that_answers(cim: Cim, houses: Path, tmp_path: Path) -> None:
    twin = tmp_path / "mine.cim"
    code, built, _ = cim("build", houses, "-o", twin)
    assert code == 0, built
    valid("build", built)
    assert (built["read"], built["kept"], built["rejected"]) == (5, 5, 0)
    assert built["layers"] == {"building": 5} and built["crs"] == "EPSG:4548"
    assert Path(built["report"]).exists() and built["twin_version"] == 1

    code, info, _ = cim("info", twin)
    assert code == 0
    valid("info", info)
    assert info["layers"]["building"]["count"] == 5

    code, found, _ = cim(
        "query",
        twin,
        "near",
        "--lonlat",
        117.2001,
        39.11005,
        "--radius-m",
        40,
        "--kind",
        "building",
    )
    assert code == 0
    valid("query near", found)
    assert [i["distance_m"] for i in found["items"]] == sorted(
        i["distance_m"] for i in found["items"]
    )
    assert found["items"][0]["distance_m"] == 0.0 and found["items"][0]["name"] == "房屋0"

    code, tall, _ = cim(
        "query", twin, "near", "--lonlat", 117.2001, 39.11005, "--radius-m", 500,
        "--kind", "building", "--where", "height_m > 10 AND name <> '房屋4'",
    )  # fmt: skip
    assert [i["name"] for i in tall["items"]] == ["房屋2", "房屋3"]

    code, one, _ = cim("query", twin, "id", found["items"][0]["id"])
    valid("query id", one)
    assert code == 0 and one["count"] == 1
    code, about, _ = cim("about", twin, found["items"][0]["id"])
    valid("about", about)
    assert code == 0


def test_a_box_and_an_area_find_the_same_houses(cim: Cim, houses: Path, tmp_path: Path) -> None:
    twin = tmp_path / "mine.cim"
    cim("build", houses, "-o", twin)
    xmin, ymin, xmax, ymax = cim("info", twin)[1]["bounds"]
    _, boxed, _ = cim("query", twin, "box", "--bounds", xmin - 1, ymin - 1, xmax + 1, ymax + 1)
    valid("query box", boxed)
    area = tmp_path / "area.geojson"
    area.write_text(
        json.dumps(
            {
                "type": "Polygon",
                "coordinates": [
                    [
                        [117.19, 39.10],
                        [117.21, 39.10],
                        [117.21, 39.12],
                        [117.19, 39.12],
                        [117.19, 39.10],
                    ]
                ],
            }
        )
    )
    _, within, _ = cim("query", twin, "within", area)
    valid("query within", within)
    assert {i["id"] for i in boxed["items"]} == {i["id"] for i in within["items"]}
    assert boxed["count"] == 5


def test_an_update_is_a_changeset_with_counts(cim: Cim, houses: Path, tmp_path: Path) -> None:
    twin = tmp_path / "mine.cim"
    district = tmp_path / "district.toml"
    district.write_text(
        '[twin]\nname = "mine"\nframe = "EPSG:4548"\nframe_height = "unknown"\n'
        '[[layer]]\nfile = "building.geojson"\nkind = "building"\nid = "code"\n'
        'source = "survey"\n'
    )
    assert cim("build", district, "-o", twin)[0] == 0
    newer = json.loads(houses.read_text(encoding="utf-8"))
    newer["features"][0]["properties"]["height_m"] = 99
    del newer["features"][4]
    added = json.loads(json.dumps(newer["features"][1]))
    added["properties"]["code"] = "h9"
    for corner in added["geometry"]["coordinates"][0]:
        corner[1] += 0.001
    newer["features"].append(added)
    houses.write_text(json.dumps(newer, ensure_ascii=False), encoding="utf-8")

    code, told, _ = cim("update", twin, district, "--why", "survey")
    valid("update", told)
    assert code == 0, told
    assert (told["added"], told["changed"], told["removed"]) == (1, 1, 1)
    assert told["twin_version"] == 2

    code, differs, _ = cim("diff", twin, "--since", 1)
    valid("diff", differs)
    assert code == 0 and set(differs["layers"]) == {"building"}


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("info", "nowhere.cim"), "store."),
        (("build", "nowhere.geojson", "-o", "x.cim"), "source"),
        (("query", "nowhere.cim", "near", "--radius-m", "5"), "store."),
        (("frobnicate",), "cli.usage"),
        (("query",), "cli.usage"),
    ],
)
def test_wrong_usage_and_missing_files_end_with_2_and_a_remedy(
    cim: Cim, words: tuple[str, ...], key: str
) -> None:
    code, told, err = cim(*words)
    assert code == 2
    valid("error", told)
    assert told["error"]["key"].startswith(key)
    assert told["error"]["message"] and told["error"]["remedy"]
    assert told["error"]["message"] in err


def test_types_and_keys_of_an_error_do_not_depend_on_the_language(cim: Cim) -> None:
    _, english, _ = cim("info", "nowhere.cim", "--lang", "en")
    _, chinese, _ = cim("info", "nowhere.cim", "--lang", "zh")
    assert english["error"]["type"] == chinese["error"]["type"]
    assert english["error"].keys() == chinese["error"].keys()
    assert english["error"]["message"] != chinese["error"]["message"]


def test_a_twin_that_is_there_is_not_replaced_unasked(
    cim: Cim, houses: Path, tmp_path: Path
) -> None:
    twin = tmp_path / "mine.cim"
    assert cim("build", houses, "-o", twin)[0] == 0
    code, told, _ = cim("build", houses, "-o", twin)
    assert code == 2 and "--replace" in told["error"]["remedy"]
    code, again, _ = cim("build", houses, "-o", twin, "--replace")
    assert code == 0 and again["twin_version"] == 2


def test_the_sketch_is_flooded_shaded_and_loaded_with_traffic(
    cim: Cim, sketch: Path, tmp_path: Path
) -> None:
    code, sun, _ = cim("sun", sketch, "--date", "2026-12-22", "--cell-m", 4)
    assert code == 0, sun
    valid("sun", sun)
    code, traffic, _ = cim("traffic", sketch)
    assert code == 0, traffic
    valid("traffic", traffic)
    code, flood, _ = cim(
        "flood", sketch, "--cell-m", 8, "--storm-min", 60, "--after-min", 0, "--lang", "zh"
    )
    assert code == 0, flood
    valid("flood", flood)
    assert all(answer["illustrative"] for answer in (sun, traffic, flood))
    code, runs, _ = cim("runs", sketch)
    valid("runs", runs)
    assert {r["run"] for r in runs["runs"]} >= {sun["run"], traffic["run"], flood["run"]}
    if opengl().ok:
        png = tmp_path / "flood.png"
        code, drawn, _ = cim(
            "render", sketch, "-o", png, "--run", flood["run"], "--size", "640x360"
        )
        assert code == 0, drawn
        valid("render", drawn)
        assert png.stat().st_size > 10_000 and drawn["objects"] > 100


def test_a_question_draws_its_answer_where_asked(cim: Cim, sketch: Path, tmp_path: Path) -> None:
    png = tmp_path / "shade.png"
    words = ("sun", sketch, "--date", "2026-12-22", "--cell-m", 4, "--picture")
    code, record, _ = cim(*words, png)
    if opengl().ok:
        assert code == 0 and record["picture"] == str(png) and png.stat().st_size > 10_000
        assert record["not_drawn"] == {}
    else:
        assert code == 3 and record["picture"] is None and record["missing"]
    assert record["run"] in {run["run"] for run in cim("runs", sketch)[1]["runs"]}
    assert cim(*words, tmp_path / "no" / "shade.png")[0] == 2


def test_without_the_viewer_a_picture_is_refused_before_the_question(
    cim: Cim, sketch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_ask, "entry_points", lambda **_: ())
    words = ("traffic", sketch, "--picture", tmp_path / "flow.png")
    code, record, _ = cim(*words)
    assert code == 3 and record["error"]["remedy"]
    assert cim("runs", sketch)[1]["runs"] == []


def test_a_new_building_on_others_is_told(cim: Cim, sketch: Path) -> None:
    import shapely

    from cim.crs import lonlat
    from cim.store import open_twin

    view = open_twin(sketch)
    houses = view.table("building")
    on = houses.geometry[0].buffer(0.5, join_style="mitre")
    corners = shapely.get_coordinates(lonlat(view.frame, on.envelope))[:-1]
    ring = " ".join(f"{x:.9f},{y:.9f}" for x, y in corners)
    code, made, _ = cim("scheme", sketch, "tower", "--add-building", ring, "--height-m", "60")
    valid("scheme", made)
    assert code == 0
    assert str(houses.ids[0]) in made["notes"][0]
    code, made, _ = cim("scheme", sketch, "empty", "--close", view.table("road").ids[0])
    assert made["notes"] == []


def test_a_scheme_changes_the_answer_and_not_the_base(cim: Cim, sketch: Path) -> None:
    _, before, _ = cim("traffic", sketch)
    _, found, _ = cim(
        "query", sketch, "near", "--lonlat", 117.2004, 39.1106, "--radius-m", 60, "--kind", "road"
    )
    version = found["twin_version"]
    street = found["items"][0]["id"]
    code, made, _ = cim("scheme", sketch, "closed", "--close", street)
    valid("scheme", made)
    assert code == 0, made
    code, after, _ = cim("traffic", sketch, "--scheme", "closed")
    assert code == 0 and after["summary"] != before["summary"]
    assert cim("traffic", sketch)[1]["summary"] == before["summary"]
    assert cim("info", sketch)[1]["twin_version"] == version


def test_layers_go_out_as_geopackage_and_geojson(cim: Cim, houses: Path, tmp_path: Path) -> None:
    twin = tmp_path / "mine.cim"
    cim("build", houses, "-o", twin)
    code, told, _ = cim("export", twin, "--to", "gpkg", "-o", tmp_path / "out.gpkg")
    valid("export", told)
    assert code == 0 and told["layers"] == {"building": 5}
    code, told, _ = cim("export", twin, "--to", "geojson", "-o", tmp_path / "out")
    assert code == 0
    back = json.loads((tmp_path / "out" / "building.geojson").read_text(encoding="utf-8"))
    first = {f["properties"]["name"]: f for f in back["features"]}["房屋0"]
    corners = sorted(map(tuple, first["geometry"]["coordinates"][0]))
    want = sorted(map(tuple, HOUSES["features"][0]["geometry"]["coordinates"][0]))  # type: ignore[index]
    for got, expected in zip(corners, want, strict=True):
        assert got == pytest.approx(expected, abs=2e-8)
    code, told, _ = cim("export", twin, "--to", "gpkg", "-o", tmp_path / "out.gpkg")
    assert code == 2 and told["error"]["key"] == "export.exists"


def test_the_schema_of_every_answer_is_itself_valid(cim: Cim) -> None:
    code, told, _ = cim("schema")
    valid("schema", told)
    assert code == 0
    for one in told["answers"].values():
        jsonschema.Draft202012Validator.check_schema(one)


def test_ctrl_c_ends_with_130_and_leaves_nothing_behind(tmp_path: Path) -> None:
    twin = tmp_path / "w.cim"
    code = (
        "import os, signal, sys, threading\n"
        "from cim.cli import main\n"
        "import cim.jobs\n"
        "step = cim.jobs.Job.step\n"
        "def later(self, done, total, **rest):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    step(self, done, total, **rest)\n"
        "cim.jobs.Job.step = later\n"
        # A shell's background jobs ignore the signal, and so would their children.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"sys.exit(main(['build', 'data/wudadao/district.toml', '-o', {str(twin)!r}, '--json']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 130, done.stderr
    assert json.loads(done.stdout)["error"]["type"] == "CancelledError"
    assert not twin.exists()
