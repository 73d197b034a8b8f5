"""The house rules that a machine can keep."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("kernels", "cim", "bim_import", "scenes")
SOURCES = [p for package in PACKAGES for p in sorted((ROOT / package).rglob("*.py"))]
HEAVY = ("vtk", "vtkmodules", "pyvista", "ifcopenshell", "pandas", "numba", "geopandas", "rasterio")


def _modules() -> list[str]:
    names = []
    for package in PACKAGES:
        names.append(package)
        path = importlib.import_module(package).__path__
        names += [m.name for m in pkgutil.walk_packages(path, f"{package}.")]
    return [n for n in names if not n.endswith("__main__")]


@pytest.mark.parametrize("name", _modules())
def test_all_names_what_is_there_and_public(name: str) -> None:
    module = importlib.import_module(name)
    names = getattr(module, "__all__", [])
    assert len(names) == len(set(names))
    for one in names:
        assert hasattr(module, one), f"{name}.__all__ names {one}, which is not there"
        assert not one.startswith("_") or one == "__version__"


def test_every_module_says_in_its_first_line_what_it_answers() -> None:
    silent = [str(p.relative_to(ROOT)) for p in SOURCES if not ast.get_docstring(_tree(p))]
    assert silent == []


def test_the_front_door_has_at_most_25_names() -> None:
    import cim

    assert len(cim.__all__) <= 25
    assert all(getattr(cim, name) is not None for name in cim.__all__)


def test_importing_the_packages_loads_nothing_heavy() -> None:
    code = (
        "import sys, time, resource\n"
        "import cim, bim_import, scenes\n"
        f"loaded = [m for m in {HEAVY!r} if m in sys.modules]\n"
        "print(loaded, resource.getrusage(resource.RUSAGE_SELF).ru_utime)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.startswith("[]"), done.stdout


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        (r"\.to_crs\(|rasterio\.warp|rasterio import warp", r"cim/crs/"),
        (r"fastmath\s*=\s*True", r"$^"),
        (r"@(numba\.|nb\.)?njit|^\s*(from|import) numba", r"kernels/_jit\.py"),
        (r"except\s*:|return False  # error", r"$^"),
        (r"^\s*print\(", r"cim/cli/|__main__\.py|scenes/probe\.py"),
        (r"\bpickle\.load|allow_pickle=True", r"kernels/_jit\.py"),
        (r"resolve_entities=True", r"$^"),
    ],
)
def test_forbidden_code_stands_nowhere_else(pattern: str, allowed: str) -> None:
    found = []
    for path in SOURCES:
        relative = path.relative_to(ROOT).as_posix()
        if re.search(allowed, relative):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(pattern, line):
                found.append(f"{relative}:{number}: {line.strip()}")
    assert found == []


BARE = re.compile(r"^(depth|height|radius|distance|duration|speed|width|length|area|volume|flow)$")


def test_numbers_with_a_unit_say_so_in_their_name() -> None:
    bare = []
    for path in SOURCES:
        if path.parent == ROOT / "kernels" / "traffic":
            continue  # flow and capacity in one unit of the caller's choosing
        for node in ast.walk(_tree(path)):
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            for argument in (*node.args.args, *node.args.kwonlyargs):
                text = ast.unparse(argument.annotation) if argument.annotation else ""
                if BARE.match(argument.arg) and text in ("float", "float | None"):
                    bare.append(f"{path.relative_to(ROOT)}:{node.lineno} {argument.arg}")
    assert bare == []


def test_public_functions_take_no_catch_all_keywords() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef) and node.args.kwarg and not node.name.startswith("_")
    ]
    wrappers = ("cim/cli/_app.py", "kernels/_jit.py")  # stand in front of any function
    assert [f for f in found if not f.startswith(wrappers)] == []


def test_the_project_ships_no_file_of_others_and_none_too_large() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    large = [f for f in listed.stdout.split() if _size(f) > 5_000_000]
    assert large == []


def _size(name: str) -> int:
    path = ROOT / name
    return path.stat().st_size if path.is_file() else 0


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_decisions_are_numbered_in_order_and_no_text_is_half_merged() -> None:
    text = (ROOT / "DECISIONS.md").read_text("utf-8")
    numbers = [int(n) for n in re.findall(r"^## (\d+)\.", text, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    for path in (*ROOT.glob("*.md"), *(ROOT / "cim/messages").glob("*.toml")):
        assert not re.search(r"^(<{7}|>{7}) ", path.read_text("utf-8"), re.MULTILINE), path.name
