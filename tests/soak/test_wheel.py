"""The wheel holds everything the program needs, and works from a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.soak

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("kernels", "cim", "bim_import", "scenes")
AROUND = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")
NEEDED = (
    "cim/model/kinds.toml",
    "cim/registry/standards.toml",
    "scenes/messages.toml",
    "bim_import/messages.toml",
    "scenes/fonts/NotoSansSC-subset.otf",
    "scenes/fonts/OFL.txt",
    "cim/py.typed",
    "kernels/py.typed",
)


def pip(*arguments: str) -> None:
    """Run pip; where it fails its own words are the failure."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the sources: building leaves nothing in the working tree."""
    copy = tmp_path_factory.mktemp("sources")
    for name in AROUND:
        shutil.copy(ROOT / name, copy / name)
    for name in PACKAGES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture(scope="module")
def wheel(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as a release would, with the build backend that setup names."""
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "-w", str(folder), str(sources))
    (made,) = folder.glob("cim_twin-*.whl")
    return made


@pytest.fixture(scope="module")
def target(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel alone into a folder."""
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--no-deps", "--target", str(folder), str(wheel))
    return folder


def test_the_wheel_holds_every_source_and_every_data_file(wheel: Path, sources: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    assert set(NEEDED) <= inside, set(NEEDED) - inside
    wanted = {
        path.relative_to(sources).as_posix()
        for package in PACKAGES
        for path in (sources / package).rglob("*")
        if path.suffix in (".py", ".toml", ".otf", ".typed")
    }
    assert wanted <= inside, sorted(wanted - inside)
    assert {n.partition("/")[0] for n in inside if ".dist-info/" not in n} == set(PACKAGES)


def run(target: Path, cwd: Path, code: str, *arguments: str) -> str:
    """Run code with the installed folder first on the path, the working tree not on it."""
    env = {**os.environ, "PYTHONPATH": str(target), "CIM_LANG": "en", "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=env,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_installed_packages_are_the_ones_imported(target: Path, tmp_path: Path) -> None:
    code = f"import {', '.join(PACKAGES)}\nfor p in ({', '.join(PACKAGES)}): print(p.__file__)"
    found = run(target, tmp_path, code).split()
    assert [Path(p).parent for p in found] == [target / name for name in PACKAGES]


def test_the_installed_program_says_help_in_both_languages(target: Path, tmp_path: Path) -> None:
    code = "from cim.cli import _entry; _entry()"
    english = run(target, tmp_path, code, "--help")
    assert all(verb in english for verb in ("build", "query", "flood", "render"))
    chinese = run(target, tmp_path, f"import os; os.environ['CIM_LANG'] = 'zh'; {code}", "--help")
    assert any("一" <= letter <= "鿿" for letter in chinese)


def test_the_installed_program_builds_a_file_and_answers(target: Path, tmp_path: Path) -> None:
    from tests.cim.sources import files

    heights = [3.0 * (i + 1) for i in range(12)]
    files.geojson(tmp_path / "buildings.geojson", files.degrees(), height_m=heights)
    code = "from cim.cli import _entry; _entry()"
    run(target, tmp_path, code, "build", "buildings.geojson", "-o", "a.cim")
    answer = run(target, tmp_path, code, "query", "a.cim", "near",
                 "--lonlat", "117.2", "39.11", "--radius-m", "1", "--json")  # fmt: skip
    assert json.loads(answer)["count"] == 1, answer
    standards = "import cim.registry as r; print(r.__file__)"
    assert str(target) in run(target, tmp_path, standards)
    entry = "from importlib.metadata import entry_points as e; print(*e(group='cim.readers'))"
    assert "bim_import.reader:read" in run(target, tmp_path, entry)
