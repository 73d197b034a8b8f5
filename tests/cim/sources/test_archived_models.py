"""One city model delivered in several forms in one archive stands in the twin once."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from cim.errors import SourceError
from cim.sources import build_twin, district_from_files
from tests.cim.sources.city_files import cityjson, write_citygml, write_cityjson


def packed(folder: Path, *names: str) -> Path:
    old = {**cityjson(), "version": "0.5"}
    made = {
        "town.gml": write_citygml,
        "town.json": write_cityjson,
        "town.compress.json": lambda at: at.write_text(json.dumps(old)),
        "other.json": write_cityjson,
        "town.north.json": write_cityjson,
        "town.south.json": write_cityjson,
    }
    with zipfile.ZipFile(folder / "set.zip", "w") as archive:
        for name in names:
            made[name](folder / name)
            archive.write(folder / name, f"set/{name}")
    return folder / "set.zip"


@pytest.mark.parametrize(
    ("names", "taken", "objects"),
    [
        (("town.gml", "town.json"), "town.gml", 3),
        (("town.compress.json", "town.json"), "town.json", 7),
        (("town.gml", "town.json", "town.compress.json"), "town.gml", 3),
    ],
)
def test_of_several_forms_of_one_model_one_is_read_and_the_others_are_named(
    names: tuple[str, ...], taken: str, objects: int, tmp_path: Path
) -> None:
    district = district_from_files([packed(tmp_path, *names)], height_datum="cgvd1985")
    built = build_twin(district)
    said = [e for e in built.report.entries if e.reason == "source.archive_same"]
    assert {e.values["member"] for e in said} == set(names) - {taken}
    assert {e.values["taken"] for e in said} == {taken}
    assert built.report.total.read == objects


def test_two_models_of_different_names_are_both_read(tmp_path: Path) -> None:
    built = build_twin(
        district_from_files([packed(tmp_path, "town.gml", "other.json")], height_datum="cgvd1985")
    )
    assert built.report.total.read == 10


def test_tiles_of_one_model_are_all_read(tmp_path: Path) -> None:
    tiles = packed(tmp_path, "town.north.json", "town.south.json")
    built = build_twin(district_from_files([tiles], height_datum="cgvd1985"))
    assert built.report.total.read == 14


def test_a_lone_model_of_an_unknown_version_is_still_refused(tmp_path: Path) -> None:
    path = packed(tmp_path, "town.compress.json")
    with pytest.raises(SourceError, match=r"0\.5"):
        build_twin(district_from_files([path], height_datum="cgvd1985"))
