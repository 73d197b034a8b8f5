"""The GLB reads back in another program, upright, in place, each corner with its object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from cim.errors import CancelledError
from cim.jobs import Job
from cim.model import Twin
from scenes.compose import compose
from scenes.glb import linear, write_glb, y_up
from scenes.scene import Scene
from tests.scenes.test_city import a_shell, houses, with_layers
from tests.towns import EAST, FRAME, NORTH, box, layer, town

SMALL = Scene(size=(160, 90))
SIZES = {5126: np.dtype("<f4"), 5123: np.dtype("<u2"), 5125: np.dtype("<u4")}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


class Read:
    """A GLB by the letter of the specification, every length and bound checked on the way."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        assert data[:4] == b"glTF" and int.from_bytes(data[4:8], "little") == 2
        assert int.from_bytes(data[8:12], "little") == len(data)
        size = int.from_bytes(data[12:16], "little")
        assert data[16:20] == b"JSON" and size % 4 == 0
        self.json: dict[str, Any] = json.loads(data[20 : 20 + size])
        rest = data[20 + size :]
        assert rest[4:8] == b"BIN\0" and int.from_bytes(rest[:4], "little") == len(rest) - 8
        self.bin = rest[8:]
        assert len(self.bin) - 3 <= self.json["buffers"][0]["byteLength"] <= len(self.bin)

    def view(self, number: int) -> bytes:
        view = self.json["bufferViews"][number]
        end = view["byteOffset"] + view["byteLength"]
        assert view["byteLength"] > 0 and view["byteOffset"] % 4 == 0 and end <= len(self.bin)
        return self.bin[view["byteOffset"] : end]

    def array(self, number: int) -> np.ndarray:
        one = self.json["accessors"][number]
        values = np.frombuffer(self.view(one["bufferView"]), SIZES[one["componentType"]])
        values = values.reshape(one["count"], -1)
        assert values.shape[1] == WIDTHS[one["type"]]
        if "min" in one:
            np.testing.assert_array_equal(values.min(axis=0), np.float32(one["min"]))
            np.testing.assert_array_equal(values.max(axis=0), np.float32(one["max"]))
        return values

    def table(self, number: int) -> dict[str, list[Any]]:
        """Return the property table as EXT_structural_metadata lays it out."""
        told = self.json["extensions"]["EXT_structural_metadata"]
        table = told["propertyTables"][number]
        schema = told["schema"]["classes"][table["class"]]["properties"]
        out: dict[str, list[Any]] = {}
        for name, at in table["properties"].items():
            assert all(c.isascii() and (c.isalnum() or c == "_") for c in name)
            values, kind = self.view(at["values"]), schema[name]
            if kind["type"] == "STRING":
                ends = np.frombuffer(self.view(at["stringOffsets"]), "<u4")
                assert len(ends) == table["count"] + 1
                out[name] = [values[a:b].decode() for a, b in zip(ends[:-1], ends[1:], strict=True)]
            else:
                assert kind["componentType"] == "FLOAT64"
                numbers = np.frombuffer(values, "<f8")
                assert len(numbers) == table["count"]
                out[name] = [None if v == kind["noData"] else float(v) for v in numbers]
        return out

    def mesh(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = next(
            m["primitives"] for m in self.json["meshes"] if m["name"] == name
        )
        return found


def written(tmp_path: Path, view: Twin) -> Read:
    write_glb(SMALL, view, path=tmp_path / "a.glb")
    return Read(tmp_path / "a.glb")


def test_every_corner_leads_to_its_object_and_its_attributes(tmp_path: Path) -> None:
    view = town()
    read = written(tmp_path, view)
    table = view.table("building")
    picture = compose(SMALL, view)
    o = picture.origin
    seen = set()
    for primitive in read.mesh("building"):
        told = primitive["extensions"]["EXT_mesh_features"]["featureIds"][0]
        rows = read.table(told["propertyTable"])
        numbers = read.array(primitive["attributes"]["_FEATURE_ID_0"]).ravel().astype(int)
        at = read.array(primitive["attributes"]["POSITION"])
        assert told["featureCount"] == len(np.unique(numbers))
        for n in np.unique(numbers):
            id_ = rows["id"][n]
            i = table.position()[id_]
            corners = at[numbers == n]
            x0, y0, x1, y1 = table.geometry[i].bounds
            assert corners[:, 0].min() >= x0 - o.x - 1e-3 and corners[:, 0].max() <= x1 - o.x + 1e-3
            assert -corners[:, 2].max() >= y0 - o.y - 1e-3
            assert -corners[:, 2].min() <= y1 - o.y + 1e-3
            assert rows["height_m"][n] == table.numbers("height_m")[i]
            assert rows["name"][n] == f"房屋{i + 1}"
            seen.add(id_)
    assert seen == set(table.ids)


def test_indices_stay_inside_and_no_triangle_joins_two_objects(tmp_path: Path) -> None:
    read = written(tmp_path, town())
    for mesh in read.json["meshes"]:
        for primitive in mesh["primitives"]:
            faces = read.array(primitive["indices"]).ravel()
            count = {len(read.array(a)) for a in primitive["attributes"].values()}
            assert len(count) == 1 and faces.max() < count.pop() and len(faces) % 3 == 0
            if "_FEATURE_ID_0" in primitive["attributes"]:
                owner = read.array(primitive["attributes"]["_FEATURE_ID_0"]).ravel()[faces]
                assert (np.ptp(owner.reshape(-1, 3), axis=1) == 0).all()


def test_trimesh_reads_it_back_with_up_as_y(tmp_path: Path) -> None:
    view = town()
    report = write_glb(SMALL, view, path=tmp_path / "a.glb")
    loaded = trimesh.load(tmp_path / "a.glb")
    names = {n for n in loaded.geometry if n.startswith("building")}
    built = trimesh.util.concatenate([loaded.geometry[n] for n in names])
    picture = compose(SMALL, view)
    drawn = [s for s in picture.surfaces if set(s.ids) & set(view.table("building").ids)]
    corners = np.concatenate([s.vertices[np.unique(s.triangles)] for s in drawn])
    low, high = corners.min(axis=0), corners.max(axis=0)
    np.testing.assert_allclose(built.bounds[0], (low[0], low[2], -high[1]), atol=1e-4)
    np.testing.assert_allclose(built.bounds[1], (high[0], high[2], -low[1]), atol=1e-4)
    assert sum(len(g.faces) for g in loaded.geometry.values()) == picture.triangles
    assert report.objects == 12 + 30 and report.triangles == picture.triangles


def test_a_closed_body_keeps_its_volume_and_its_outside(tmp_path: Path) -> None:
    """A tetrahedron of 10 × 10 × 9 holds 150 m³; mirrored it would hold -150."""
    table = houses(height_m=[9.0] * 3)
    view = with_layers(town(houses=1), table, pool=a_shell(table.ids[1]))
    read = written(tmp_path, view)
    for primitive in read.mesh("building"):
        rows = read.table(
            primitive["extensions"]["EXT_mesh_features"]["featureIds"][0]["propertyTable"]
        )
        numbers = read.array(primitive["attributes"]["_FEATURE_ID_0"]).ravel().astype(int)
        mine = numbers == rows["id"].index(table.ids[1])
        if mine.any():
            faces = read.array(primitive["indices"]).reshape(-1, 3)
            at = read.array(primitive["attributes"]["POSITION"])
            body = trimesh.Trimesh(at, faces[mine[faces].all(axis=1)])
            assert body.is_watertight and body.volume == pytest.approx(150.0, rel=1e-4)
            return
    raise AssertionError("the shell is not in the file")


def test_the_file_says_where_its_zero_lies_and_that_it_is_illustrative(tmp_path: Path) -> None:
    extras = written(tmp_path, town()).json["asset"]["extras"]
    assert extras["crs"] == "EPSG:4548" and extras["height_datum"] == "cgvd1985"
    assert abs(extras["origin"][0] - EAST) < 300 and abs(extras["origin"][1] - NORTH) < 300
    assert extras["illustrative"] is True and "示意数据" in extras["mark"]


def test_missing_values_and_foreign_column_names_survive(tmp_path: Path) -> None:
    table = layer("building", [box(20, 20, 14, 10), box(60, 20, 14, 10)], height_m=[9.0, None])
    table = type(table)(
        table.layer,
        table.ids,
        table.geometry,
        {
            **table.columns,
            "用途": np.array(["住宅", None], object),
            "面积": np.array([1.5, np.nan]),
        },
        (*table.fields, *(_field("用途", "text"), _field("面积", "real"))),
    )
    read = written(tmp_path, Twin(name="t", frame=FRAME, tables={"building": table}))
    rows = read.table(0)
    assert rows["height_m"] == [9.0, None]
    assert [v for k, v in rows.items() if v == ["住宅", ""]] and [1.5, None] in rows.values()


def _field(name: str, type_: Any) -> Any:
    from cim.model.kinds import Field

    return Field(name, type_)


def test_axes_and_colours_follow_the_specification() -> None:
    np.testing.assert_array_equal(y_up(np.array([[1.0, 2.0, 3.0]])), [[1.0, 3.0, -2.0]])
    # IEC 61966-2-1: sRGB 0 -> 0, 255 -> 1, 188 -> 0.5029
    told = linear(np.array([[0, 188, 255]], dtype=np.uint8))[0] / 65535
    np.testing.assert_allclose(told, (0.0, 0.5029, 1.0, 1.0), atol=1e-4)


def test_a_cancelled_model_leaves_no_file(tmp_path: Path) -> None:
    job = Job()
    job.listen = lambda p: job.cancel()
    with pytest.raises(CancelledError):
        write_glb(SMALL, town(), path=tmp_path / "a.glb", job=job)
    assert list(tmp_path.iterdir()) == []
