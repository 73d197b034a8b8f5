"""Another district is tables and a district.toml: no line of code knows which one it makes."""

from __future__ import annotations

import csv
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio

import cim
from cim.authoring import author
from cim.errors import SourceError
from tests.cim.wudadao import shuffled

ELSEWHERE = Path(__file__).resolve().parent / "elsewhere"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(ELSEWHERE, folder, dirs_exist_ok=True)
    author(folder)
    return folder


def test_a_second_district_builds_from_its_tables_alone(made: Path) -> None:
    built = cim.build_twin(cim.read_district(made / "district.toml"))
    total = built.report.total
    assert total.read == total.kept > 1000 and total.repaired == total.rejected == 0
    assert {entry["action"] for entry in built.report.record()["entries"]} == {"note"}
    assert built.twin.frame.crs == "EPSG:4549" and built.twin.frame.height_datum == "yellow1956"
    counts = {table.kind: len(table) for table in built.twin.tables.values()}
    assert counts["road"] == 8 and counts["building"] == counts["address"] > 100
    hall = built.twin.tables["building"]
    assert "湖畔会馆（示意）" in hall.texts("name")
    assert all(text.startswith("示意市湖畔区") for text in hall.texts("address"))
    # nothing of the first district has come along: neither its names nor layers without rows
    text = "".join(path.read_text(encoding="utf-8") for path in made.glob("*.geojson"))
    for word in ("天津", "和平", "五大道", "马场", "4548", "cgvd1985"):
        assert word not in text
    assert not (made / "trees.geojson").exists() and not (made / "grid_units.geojson").exists()


def test_its_readings_fit_its_own_drains_and_ground(made: Path) -> None:
    series: dict[str, list[float]] = {}
    with (made / "readings.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            series.setdefault(row["sensor"], []).append(float(row["value"]))
    pond, shaft = np.array(series["pond"]), np.array(series["shaft"])
    twin = cim.build_twin(cim.read_district(made / "district.toml")).twin
    nodes, sensors = twin.table("pipe_node"), twin.table("sensor")
    at = nodes.texts("source_id").index("后街×桥巷")
    assert shaft.min() == pytest.approx(nodes.numbers("invert_m")[at] + 0.03, abs=0.0015)
    with rasterio.open(made / "terrain.tif") as file:
        spot = sensors.geometry[sensors.texts("source_id").index("pond")]
        gutter = float(next(file.sample([(spot.x, spot.y)]))[0]) * file.scales[0]
    assert pond.max() > 0.1
    np.testing.assert_allclose(pond, np.maximum(shaft - gutter, 0.0), atol=0.0015)


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_rows_changes_no_byte(made: Path, tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "again"
    shuffled(ELSEWHERE, folder, random.Random(seed))
    for path in author(folder):
        assert path.read_bytes() == (made / path.name).read_bytes(), path.name


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("rodes.csv", None, r"rodes\.csv is none that a district has"),
        ("bowls.csv", "湖滨街低洼,1,1,0.1,9,invented,\n", r"bowls\.csv:3: 湖滨街低洼 stands in"),
        ("roads.csv", "无路,,,residential,11,7,1,no,,,,invented,\n", "无路 has no course"),
    ],
)
def test_a_table_that_cannot_be_meant_is_named(
    tmp_path: Path, table: str, change: str | None, message: str
) -> None:
    shutil.copytree(ELSEWHERE, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "tables" / table
    text = path.read_text(encoding="utf-8") if path.exists() else "name\n"
    path.write_text(text + (change or ""), encoding="utf-8")
    with pytest.raises(SourceError, match=message):
        author(tmp_path)


def test_a_district_that_says_no_frame_is_refused(tmp_path: Path) -> None:
    shutil.copytree(ELSEWHERE, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "district.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("frame_height", "#"), encoding="utf-8")
    with pytest.raises(SourceError, match=r"district\.toml does not say frame_height"):
        author(tmp_path)
