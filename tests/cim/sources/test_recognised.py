"""What a delivery without ids means for the next one; what a table without known columns says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cim.cli import main
from cim.cli._keep import keep
from cim.jobs import QUIET
from cim.query import named
from cim.sources import build_twin, district_from_files
from cim.store import diff, open_twin
from cim.store.compare import as_of
from tests.cim.sources import files as f

COUNT = 6


def delivery(path: Path, **changed: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    columns = {
        "Hoehe": [9.0 + i for i in range(COUNT)],
        "HausNr": [f"H{i:03d}" for i in range(COUNT)],
        "Art": ["Haus"] * COUNT,
    }
    return f.write(path, f.houses(COUNT), **(columns | changed))


def build(path: Path, twin: Path) -> list[dict[str, Any]]:
    built = build_twin(district_from_files([path], crs=None, height_datum=None, kind="building"))
    keep(built, twin, replace=False, job=QUIET)
    return [entry.record() for entry in built.report.entries]


def test_a_column_that_look_ups_by_name_read_is_not_said_to_serve_no_question(
    tmp_path: Path,
) -> None:
    path = f.geojson(
        tmp_path / "a.geojson", f.houses(), "EPSG:4548", Anschrift=["Markt 1"] * 12,
        Stoff=["Ziegel"] * 12,
    )  # fmt: skip
    district = district_from_files([path], kind="building", height_datum="unknown")
    told = {"address": "Anschrift", "stuff": "Stoff"}
    layers = tuple(replace(spec, columns=told) for spec in district.layers)
    built = build_twin(replace(district, layers=layers))
    entries = {
        e.values["attribute"]: e.reason
        for e in built.report.entries if "attribute" in e.values and "near" in e.values
    }  # fmt: skip
    assert entries == {"address": "source.named_target", "stuff": "source.unknown_target"}
    assert len(named(built.twin, "markt 1")) == 12


def test_a_changed_house_without_a_number_stays_the_same_house(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twin = tmp_path / "t.cim"
    build(delivery(tmp_path / "a" / "houses.gpkg"), twin)
    first = open_twin(twin).table("building")
    taller = [9.0 + i for i in range(COUNT)]
    taller[2] = 30.0
    for hoehe, changed in ((taller, 1), (taller, 0), ([9.0 + i for i in range(COUNT)], 1)):
        newer = delivery(tmp_path / str(len(list(tmp_path.iterdir()))) / "houses.gpkg", Hoehe=hoehe)
        assert main(["update", str(twin), str(newer), "--kind", "building", "--json"]) == 0
        said = capsys.readouterr().out
        assert f'"added": 0, "changed": {changed}, "removed": 0' in said
    assert set(open_twin(twin).table("building").ids) == set(first.ids)
    told = diff(as_of(twin, 1), as_of(twin, 2))["building"]
    assert list(told["changed"]) == [first.ids[2]]


def test_two_of_one_shape_are_not_guessed_between(tmp_path: Path) -> None:
    twin = tmp_path / "t.cim"
    for name in "ab":
        (tmp_path / name).mkdir()
    same = [*f.houses(1) * 2, *f.houses(COUNT)[2:]]
    build(f.write(tmp_path / "a" / "houses.gpkg", same, Hoehe=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), twin)
    newer = f.write(tmp_path / "b" / "houses.gpkg", same, Hoehe=[7.0, 8.0, 3.0, 4.0, 5.0, 6.0])
    assert main(["update", str(twin), str(newer), "--kind", "building"]) == 0
    before, after = as_of(twin, 1).table("building").ids, open_twin(twin).table("building").ids
    assert len(set(before) - set(after)) == len(set(after) - set(before)) == 2


def test_columns_nobody_knows_and_what_could_number_the_objects_are_named(tmp_path: Path) -> None:
    notes = {e["key"]: e for e in build(delivery(tmp_path / "houses.gpkg"), tmp_path / "t.cim")}
    assert "Hoehe, HausNr, Art" in notes["source.nothing_recognised"]["reason"]
    assert "Hoehe" not in notes["source.no_id"]["reason"]  # a measure is no number
    assert "HausNr" in notes["source.no_id"]["reason"]
    known = f.write(
        tmp_path / "known.gpkg", f.houses(COUNT), height_m=[1.0 + i for i in range(COUNT)]
    )
    said = {e["key"] for e in build(known, tmp_path / "k.cim")}
    assert not said & {"source.nothing_recognised", "source.no_id"}


def test_a_building_of_height_zero_has_no_height(tmp_path: Path) -> None:
    heights = [0.0, 9.0, 0.0, 8.0, 7.0, 6.0]
    path = f.write(tmp_path / "h.gpkg", f.houses(COUNT), height_m=heights, storeys=[3] * COUNT)
    entries = build(path, tmp_path / "t.cim")
    assert sum(e["key"] == "source.object.no_height" for e in entries) == 2
    table = open_twin(tmp_path / "t.cim").table("building")
    assert not (table.numbers("height_m") == 0).any()


def test_houses_that_come_twice_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = delivery(tmp_path / "houses.gpkg"), tmp_path / "房屋.gpkg"
    f.write(two, f.houses(COUNT), 高度=[9.5 + i for i in range(COUNT)])
    district = district_from_files([one, two], crs=None, height_datum=None, kind="building")
    said = [e for e in build_twin(district).report.entries if e.reason == "source.doubled"]
    assert [e.values["count"] for e in said] == [COUNT]
    build(one, tmp_path / "t.cim")
    assert main(["update", str(tmp_path / "t.cim"), str(two), "--kind", "building"]) == 0
    out = capsys.readouterr().out
    assert f"{COUNT} of {COUNT} buildings of 房屋 stand where buildings of houses stand" in out
    assert "has nothing in this twin yet" in out
    apart = f.write(tmp_path / "apart.gpkg", f.houses(COUNT, step=47.0)[1:], height_m=[7.0] * 5)
    district = district_from_files([one, apart], crs=None, height_datum=None, kind="building")
    assert "source.doubled" not in [e.reason for e in build_twin(district).report.entries]


def test_a_renamed_copy_takes_over_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twin = tmp_path / "t.cim"
    build(delivery(tmp_path / "houses.gpkg"), twin)
    copy = delivery(tmp_path / "july.gpkg")
    assert main(["update", str(twin), str(copy), "--kind", "building"]) == 0
    out = capsys.readouterr().out
    assert f"july took over {COUNT} objects of houses" in out
    assert "nothing in this twin" not in out


def test_a_folder_with_a_district_updates_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twin = tmp_path / "t.cim"
    build(delivery(tmp_path / "houses.gpkg"), twin)
    (tmp_path / "district.toml").write_text(
        '[twin]\nname = "d"\n[[layer]]\nfile = "houses.gpkg"\nkind = "building"\n', encoding="utf-8"
    )
    assert main(["update", str(twin), str(tmp_path), "--json"]) == 0
    assert '"removed": 0' in capsys.readouterr().out
