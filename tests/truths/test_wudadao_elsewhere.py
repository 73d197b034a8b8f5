"""The recipe of Wudadao on an older processor: the same records, ids and cells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cim.wudadao import FOLDER, LAYERS, assert_same

pytestmark = pytest.mark.truths

_RUN = """
import sys
from numpy._core._multiarray_umath import __cpu_dispatch__ as wide, __cpu_features__ as has
assert not any(has.get(name) for name in wide), "numpy still computes with wide vectors"
from cim.authoring.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_the_recipe_gives_the_same_on_a_processor_without_wide_vectors(tmp_path: Path) -> None:
    from numpy._core._multiarray_umath import __cpu_dispatch__

    shutil.copytree(FOLDER / "tables", tmp_path / "tables")
    shutil.copy(FOLDER / "district.toml", tmp_path)
    older = {
        "NPY_DISABLE_CPU_FEATURES": " ".join(__cpu_dispatch__),
        "OPENBLAS_CORETYPE": "Nehalem",
        "OPENBLAS_NUM_THREADS": "1",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA,-FMA4",
    }
    words = [sys.executable, "-W", "ignore", "-c", _RUN, str(tmp_path)]
    done = subprocess.run(words, env={**os.environ, **older}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    made = sorted(path.name for path in tmp_path.glob("*.*") if path.name != "district.toml")
    assert {f"{layer}.geojson" for layer in LAYERS} <= set(made)
    for file in made:
        assert_same(tmp_path / file, FOLDER / file)
