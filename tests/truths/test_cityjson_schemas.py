"""What goes out as CityJSON is valid against the published JSON schemas.

The schemas are no part of the project: they are read from ``cityjson_schemas/*.schema.json``
in the folder of real data; with the package cjvalpy installed its own copies judge too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from cim.export import to_cityjson, to_cityjsonseq
from cim.model import Twin
from cim.sources import build_twin, district_from_files
from tests.cim.sources.city_files import write_citygml, write_cityjson
from tests.towns import town

pytestmark = pytest.mark.truths
Find = Callable[[str], Path]
SCHEMAS = "cityjson_schemas/cityjson.schema.json"


class Judge:
    """The schemas of one folder; objects are judged by the schema of their type."""

    def __init__(self, folder: Path) -> None:
        read = {p.name: json.loads(p.read_text()) for p in folder.glob("*.schema.json")}
        # a schema without an own name is known by its file's, as the others refer to it
        self.named = {name: {"$id": f"https://local/{name}", **one} for name, one in read.items()}
        resources = [(one["$id"], Resource.from_contents(one)) for one in self.named.values()]
        self.registry = Registry().with_resources(resources)
        self.types = {k: v for k, v in self.named["cityobjects.schema.json"].items()
                      if isinstance(v, dict) and k[0] not in "$_"}  # fmt: skip

    def errors(self, document: dict[str, Any], name: str) -> Iterator[str]:
        """Yield what is wrong, once a place."""
        head = {**document, "CityObjects": {}}
        yield from self._of(head, {"$ref": self.named[f"{name}.schema.json"]["$id"]}, name)
        for key, one in document["CityObjects"].items():
            type_ = "ExtensionObject" if one["type"].startswith("+") else one["type"]
            if type_ == "GenericCityObject" and type_ not in self.types:
                continue  # of 2.0 only: schemas of 1.1 do not know it
            if type_ not in self.types:
                yield f"{key}: no type {type_}"
                continue
            base = self.named["cityobjects.schema.json"]["$id"]
            yield from self._of(one, {"$ref": f"{base}#/{type_}"}, f"{type_} {key}")

    def _of(self, value: Any, schema: dict[str, Any], name: str) -> Iterator[str]:
        for error in jsonschema.Draft7Validator(schema, registry=self.registry).iter_errors(value):
            where = "/".join(map(str, error.absolute_path))
            why = jsonschema.exceptions.best_match([error]) or error
            yield f"{name} {where}: {why.message[:200]}"


def _model(find: Find, name: str, datum: str) -> Twin:
    return build_twin(district_from_files([find(name)], height_datum=datum)).twin


CASES: dict[str, Callable[[Find, Path], Twin]] = {
    "Rotterdam": lambda find, at: _model(
        find, "city3d/rotterdam_delfshaven_lod2.city.json", "EPSG:5709"
    ),
    "Munich": lambda find, at: _model(find, "city3d/munich_LOD2_4424_5482.gml", "EPSG:5783"),
    "geoRES": lambda find, at: _model(find, "city3d/geoRES_testdata.zip", "unknown"),
    "Suzhou": lambda find, at: _model(find, "city3d/suzhou/bd_demo_2.json", "unknown"),
    "Baltimore": lambda find, at: _model(find, "city3d/osm_pbf/baltimore.osm.pbf", "unknown"),
    "small CityJSON": lambda find, at: _model(
        lambda name: write_cityjson(at / name), "a.city.json", "cgvd1985"
    ),
    "small CityGML": lambda find, at: _model(
        lambda name: write_citygml(at / name), "a.gml", "cgvd1985"
    ),
    "town": lambda find, at: town(),
}


@pytest.mark.parametrize("name", CASES)
def test_what_goes_out_is_valid_against_the_published_schemas(
    testdata: Find, tmp_path: Path, name: str
) -> None:
    judge = Judge(testdata(SCHEMAS).parent)
    twin = CASES[name](testdata, tmp_path)
    to_cityjson(twin, tmp_path / "out.city.json")
    to_cityjsonseq(twin, tmp_path / "seq.city.jsonl")
    whole = json.loads((tmp_path / "out.city.json").read_text())
    head, *features = map(json.loads, (tmp_path / "seq.city.jsonl").read_text().splitlines())
    found = [*judge.errors(whole, "cityjson"), *judge.errors(head, "cityjson")]
    for one in features:
        found += judge.errors(one, "cityjsonfeature")
    types = Counter(one["type"] for one in whole["CityObjects"].values())
    print(f"\n{name}: {judge.named['cityjson.schema.json'].get('title', '?')}: {dict(types)}, "
          f"{len(features)} features, {len(found)} errors")  # fmt: skip
    assert whole["CityObjects"] and features and found == []


def test_the_schemas_find_what_is_wrong(testdata: Find, tmp_path: Path) -> None:
    judge = Judge(testdata(SCHEMAS).parent)
    to_cityjson(town(), tmp_path / "out.city.json")
    good = json.loads((tmp_path / "out.city.json").read_text())
    name = next(k for k, one in good["CityObjects"].items() if one["type"] == "Building")

    def spoilt(change: Callable[[dict[str, Any]], object]) -> list[str]:
        copy = json.loads(json.dumps(good))
        change(copy)
        return list(judge.errors(copy, "cityjson"))

    assert spoilt(lambda d: None) == []
    assert spoilt(lambda d: d.pop("transform"))
    assert spoilt(lambda d: d["CityObjects"][name]["geometry"][0].pop("lod"))
    assert spoilt(lambda d: d["CityObjects"][name]["geometry"][0].update(type="MultiPoint"))
    assert spoilt(lambda d: d["CityObjects"][name].update(type="House"))
    assert spoilt(lambda d: d["CityObjects"][name].update(parents="x"))


def test_the_official_validator_agrees(testdata: Find, tmp_path: Path) -> None:
    cjvalpy = pytest.importorskip("cjvalpy", reason="the official validator is not installed")
    twin = CASES["Rotterdam"](testdata, tmp_path)
    to_cityjson(twin, tmp_path / "out.city.json")
    judge = cjvalpy.CJValidator([(tmp_path / "out.city.json").read_text()])
    assert judge.validate(), judge.get_report()
