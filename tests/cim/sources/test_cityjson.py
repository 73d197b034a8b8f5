"""CityJSON: read whole, every object accounted for, and out again as it came in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cim.crs import Frame
from cim.errors import CimError
from cim.export import to_cityjson, to_cityjsonseq
from cim.sources import Built, build_twin, district_from_files
from cim.sources.model_place import turned
from cim.sources.place import Place
from cim.sources.spec import LayerSpec
from cim.store import create, open_twin
from tests.cim.sources.city_files import E0, N0, PNG, cityjson, write_cityjson, write_sequence


def build(path: Path, **options: Any) -> Built:
    datum = options.pop("height_datum", "cgvd1985")
    return build_twin(district_from_files([path], height_datum=datum), **options)


def spoilt(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> Built:
    document = cityjson()
    change(document)
    return build(write_cityjson(tmp_path / "a.json", document), accept_rejects=True)


def reasons(built: Built) -> set[str]:
    return {entry.reason for entry in built.report.entries}


def located(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document's objects with coordinates instead of numbers, themes by their looks."""
    scale, shift = (np.array(document["transform"][k]) for k in ("scale", "translate"))
    points = np.array(document["vertices"]) * scale + shift
    looks = document.get("appearance", {})
    uv = looks.get("vertices-texture", [])

    def placed(value: Any) -> Any:
        if isinstance(value, list):
            return [placed(v) for v in value]
        return tuple(np.round(points[value], 3).tolist())

    def worn(value: Any) -> Any:
        if value and not isinstance(value[0], list):
            if value[0] is None:
                return None
            kept = looks["textures"][value[0]]
            return kept.get("wrapMode"), [tuple(uv[i]) for i in value[1:]]
        return [worn(v) for v in value]

    def painted(value: Any) -> Any:
        if isinstance(value, list):
            return [painted(v) for v in value]
        return None if value is None else looks["materials"][value]["name"]

    out = {}
    for name, one in document["CityObjects"].items():
        record = {**one, "geometry": []}
        for g in one.get("geometry", []):
            made = {**g, "boundaries": placed(g["boundaries"])}
            made["texture"] = {t: worn(v["values"]) for t, v in g.get("texture", {}).items()}
            made["material"] = {
                t: painted(v["values"]) for t, v in g.get("material", {}).items() if "values" in v
            }
            record["geometry"].append(made)
        out[name] = record
    return out


def same_object(one: dict[str, Any], two: dict[str, Any]) -> None:
    for key in {*one, *two} - {"geometry", "children", "parents"}:
        assert one.get(key) == two.get(key), key
    assert set(one.get("children", ())) == set(two.get("children", ()))
    assert set(one.get("parents", ())) <= set(two.get("parents", ()))
    assert len(one["geometry"]) == len(two["geometry"])
    for a, b in zip(one["geometry"], two["geometry"], strict=True):
        for key in ("type", "boundaries", "semantics", "texture", "template"):
            assert a.get(key) == b.get(key), key
        for theme, values in a["material"].items():
            assert b["material"][theme] == values


def test_every_object_is_read_and_stands_where_it_is(tmp_path: Path) -> None:
    built = build(write_cityjson(tmp_path / "a.json"))
    total = built.report.total
    assert (total.read, total.kept, total.rejected) == (7, 7, 0)
    assert built.twin.layers() == {
        "building": 1, "building_part": 1, "building_element/installation": 1, "tree": 1,
        "generic/noisebarrier": 1, "generic/road": 1, "generic/group": 1,
    }  # fmt: skip
    house = built.twin.table("building")
    row = house.row(0)
    assert row["height_m"] == 9.5 and row["storeys_above"] == 3 and row["year"] == 1931
    assert row["name"] == "民园" and row["base_m"] == 3.0 and row["source_own"] == "survey"
    assert house.geometry[0].area == pytest.approx(80 - 8)  # the court is a hole
    part = built.twin.table("building_part").row(0)
    assert part["parent"] == row["id"] and part["height_m"] == 9.0
    tree = built.twin.table("tree").geometry[0]
    assert (tree.x, tree.y) == (E0 + 20, N0 + 4 + 2)  # the template's own middle, twice as large


def test_meshes_carry_meaning_and_texture(tmp_path: Path) -> None:
    twin = build(write_cityjson(tmp_path / "a.json")).twin
    part = twin.table("building_part").ids[0]
    (shown,) = [i for i in twin.pool.instances if i.object_id == part and i.lod == "2"]
    mesh = twin.pool.meshes[shown.mesh_id]
    corners = twin.pool.placed(shown)[mesh.triangles]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1).sum() / 2
    assert area == pytest.approx(2 * 72 + (36 + 12) * 9, rel=1e-6)
    volume = np.einsum("ij,ij->i", corners[:, 0] - corners[0, 0], cross).sum() / 6
    assert volume == pytest.approx(72 * 9, rel=1e-6)  # outside is outside
    textured = mesh.material == 2  # after two materials
    assert textured.any() and mesh.uv is not None and mesh.uv.max() == 1.0
    assert twin.pool.materials[2].image in twin.body_pool.images
    assert list(twin.body_pool.images.values()) == [PNG]


def test_what_came_in_goes_out_through_the_store(tmp_path: Path) -> None:
    built = build(write_cityjson(tmp_path / "a.json"))
    create(built.twin, tmp_path / "t.cim")
    done = to_cityjson(
        open_twin(tmp_path / "t.cim"), tmp_path / "out" if False else tmp_path / "b.city.json"
    )
    out = json.loads((tmp_path / "b.city.json").read_text(encoding="utf-8"))
    before, after = located(cityjson()), located(out)
    assert set(before) == set(after)
    for name in before:
        same_object(before[name], after[name])
    assert out["+census"] == {"people": 12} and out["extensions"] == cityjson()["extensions"]
    assert out["metadata"] == cityjson()["metadata"]
    assert out["appearance"]["default-theme-texture"] == "photo"
    image = tmp_path / out["appearance"]["textures"][0]["image"]
    assert image.read_bytes() == PNG
    assert sum(done.layers.values()) == 7
    again = build(tmp_path / "b.city.json")
    assert again.report.total.kept == 7 and not again.report.total.repaired


def test_a_sequence_goes_in_and_out(tmp_path: Path) -> None:
    built = build(write_sequence(tmp_path / "a.city.jsonl"))
    assert built.twin.layers() == {"building": 3}
    assert list(built.twin.table("building").numbers("height_m")) == [6, 7, 8]
    whole = build(write_cityjson(tmp_path / "b.json"))
    to_cityjsonseq(whole.twin, tmp_path / "c.city.jsonl")
    lines = (tmp_path / "c.city.jsonl").read_text(encoding="utf-8").splitlines()
    features = [json.loads(line) for line in lines[1:]]
    assert [len(f["CityObjects"]) for f in features] == [3, 1, 1, 1, 1]
    assert build(tmp_path / "c.city.jsonl").report.total.kept == 7


def test_a_twin_of_footprints_goes_out_as_closed_blocks(tmp_path: Path) -> None:
    from tests.towns import town

    done = to_cityjson(town(), tmp_path / "town.city.json")
    out = json.loads((tmp_path / "town.city.json").read_text(encoding="utf-8"))
    solids = [g for o in out["CityObjects"].values() for g in o["geometry"] if g["type"] == "Solid"]
    assert len(solids) == 12
    for solid in solids:
        edges = [
            (a, b)
            for face in solid["boundaries"][0]
            for ring in face
            for a, b in zip(ring, [*ring[1:], ring[0]], strict=True)
        ]
        assert len(set(edges)) == len(edges)
        assert all((b, a) in edges for a, b in edges)
    assert all(o["attributes"]["illustrative"] for o in out["CityObjects"].values())
    assert any(line["key"] == "export.left.layers" for line in done.record("zh"))  # the terrain
    assert build(tmp_path / "town.city.json").report.total.rejected == 0


def test_heights_without_a_datum_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CimError) as caught:
        build(write_cityjson(tmp_path / "a.json"), height_datum=None)
    assert caught.value.key == "source.no_height_datum"


def set_at(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        at = document
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = to

    return change


HALL = ("CityObjects", "hall", "geometry", 1)


@pytest.mark.parametrize(
    ("change", "reason", "kept"),
    [
        (set_at(*HALL, "boundaries", 0, 2, 0, 0, to=9999), "source.model.index_range", 7),
        (set_at(*HALL, "boundaries", 0, 2, 0, to=[0, 1]), "source.model.ring_short", 7),
        (set_at(*HALL, "boundaries", 0, 2, 0, to=[0, 9, 1, 8]), "source.model.face_104", 7),
        (set_at(*HALL, "boundaries", 0, 2, 0, to=[0, 1, 1, 9, 8]), "source.model.face_102", 7),
        (set_at(*HALL, "boundaries", 0, 2, 0, to=[0, 0, 1, 1]), "source.model.face_101", 7),
        (
            set_at(*HALL, "boundaries", 0, 0, to=[[3, 2, 1, 0], [3, 2, 1, 0]]),
            "source.model.face_202",
            7,
        ),
        (set_at(*HALL, "boundaries", 0, 2, 0, to=[0, 1, 9, 4]), "source.model.face_bent", 7),
        (set_at(*HALL, "semantics", "values", 0, 0, to=77), "source.model.semantics_broken", 7),
        (set_at(*HALL, "texture", "photo", "values", 0, 2, 0, to=[0, 1]),
         "source.model.texture_broken", 7),
        (set_at(*HALL, "material", "night", "value", to="x"), "source.model.material_broken", 7),
        (set_at("vertices", 17, to=[1, "x", 3]), "source.model.vertex_broken", 6),
        (set_at("vertices", 17, to=[1, 2]), "source.model.vertex_broken", 6),
        (set_at("vertices", 17, to=[1, 2, 10**15]), "source.model.vertex_broken", 6),
        (set_at("CityObjects", "screen", to=5), "source.model.object_broken", 6),
        (set_at("CityObjects", "screen", "type", to=None), "source.model.object_type", 6),
        (set_at("CityObjects", "plane", "geometry", 0, "template", to=3),
         "source.model.template_missing", 6),
        (set_at("CityObjects", "hall", "parents", to=["nobody"]),
         "source.model.parent_missing", 7),
        (set_at("CityObjects", "house", "parents", to=["hall"]),
         "source.model.parent_circle", 7),
        (set_at("appearance", "textures", 0, "image", to="../../secret.png"),
         "source.model.image_path", 7),
        (set_at("appearance", "textures", 0, "image", to="looks/other.png"),
         "source.model.image_missing", 7),
    ],
)  # fmt: skip
def test_a_fault_is_named_and_costs_only_what_it_is_in(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], reason: str, kept: int
) -> None:
    built = spoilt(tmp_path, change)
    total = built.report.total
    assert reason in reasons(built)
    assert (total.read, total.kept) == (7, kept)
    json.dumps(built.report.record("zh"), allow_nan=False)


def test_a_face_that_is_not_plane_says_how_far(tmp_path: Path) -> None:
    built = spoilt(tmp_path, set_at("vertices", 9, to=[10000, 300, 9000]))
    bent = [e for e in built.report.entries if e.reason == "source.model.face_bent"]
    assert bent and all(0.02 < float(e.values["distance"]) < 0.31 for e in bent)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (set_at("type", to="CityModel"), "source.not_cityjson"),
        (set_at("version", to="9.0"), "source.cityjson_version"),
        (set_at("transform", "scale", to=[1, 0, 1]), "source.cityjson_transform"),
        (set_at("metadata", to={}), "source.no_crs"),
        (set_at("metadata", "referenceSystem", to="urn:adv:crs:DE_NOWHERE"), "crs.unknown"),
        (set_at("vertices", to=[]), "source.model.no_vertex"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], key: str
) -> None:
    with pytest.raises(CimError) as caught:
        spoilt(tmp_path, change)
    assert caught.value.key == key


@pytest.mark.parametrize("cut", [0.3, 0.9])
def test_a_file_cut_short_is_refused_with_the_place(tmp_path: Path, cut: float) -> None:
    path = write_cityjson(tmp_path / "a.json")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * cut)])
    with pytest.raises(CimError, match="breaks at byte"):
        build(path)


def test_two_objects_of_one_id_are_not_merged(tmp_path: Path) -> None:
    text = json.dumps(cityjson()).replace('"screen":', '"lane":')
    (tmp_path / "a.json").write_text(text)
    built = build(tmp_path / "a.json", accept_rejects=True)
    assert "source.model.twice" in reasons(built) and built.report.total.rejected == 1


def test_a_model_in_another_system_stands_in_the_twins_frame(tmp_path: Path) -> None:
    built = build(write_cityjson(tmp_path / "a.json"), frame="EPSG:32650")
    house = built.twin.table("building").geometry[0]
    assert house.area == pytest.approx(72, rel=0.005) and built.twin.frame.crs == "EPSG:32650"
    assert house.centroid.y == pytest.approx(N0 * 0.9996, abs=50)  # UTM shrinks by 0.9996


def test_a_template_turns_with_the_map() -> None:
    at = np.array([90500.0, 435500.0, 0.0])  # Rotterdam
    frame = Frame("EPSG:25831", "unknown", (0.0, 0.0))
    place = Place("EPSG:28992", "unknown")
    matrix = turned(np.eye(4), at, place, frame, LayerSpec(Path("a.json")))
    turn_deg = np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))
    # meridian convergence (λ − λ0) sin φ: λ 4.42°, φ 51.9°; λ0 3° in UTM 31, 5.387° in RD
    expected_deg = ((4.42 - 3.0) - (4.42 - 5.387)) * np.sin(np.radians(51.9))
    assert turn_deg == pytest.approx(expected_deg, abs=0.05)


def test_a_parent_without_geometry_takes_that_of_its_parts_or_is_named(tmp_path: Path) -> None:
    document = cityjson()
    document["CityObjects"]["mother"] = {"type": "Building", "children": ["kid"]}
    document["CityObjects"]["kid"] = {"type": "BuildingPart", "parents": ["mother"]}
    built = build(write_cityjson(tmp_path / "a.city.json", document), height_datum="cgvd1985")
    said = [e for e in built.report.entries if e.reason == "source.model.no_shape"]
    assert {e.values["examples"] for e in said} == {"mother", "kid"}  # not "house": it has parts
    assert built.report.total.kept == 9
