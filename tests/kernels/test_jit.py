"""The compiler seam: what the cache answers after an edit, and who may enter a kernel.

Every case runs in a child process on a copy of the real ``_jit.py`` inside a small
package of the same name, with a cache folder of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from kernels import _jit

SOURCE = Path(_jit.__file__).parent

HELPER = """
from kernels._jit import kernel
FACTOR = 3.0
@kernel
def scaled(x):
    return FACTOR * x
"""
TWO_STEPS_AWAY = """
from ..near import helper
from kernels._jit import kernel
@kernel
def shifted(x):
    return helper.scaled(x) + 1.0
"""
CALLER = """
import numpy as np
from kernels._jit import kernel, prange
from kernels.far.middle import shifted
@kernel
def total(values):
    out = 0.0
    for i in range(values.size):
        out += shifted(values[i])
    return out
@kernel(parallel=True)
def filled(out, by):
    for i in prange(out.size):
        out[i] = shifted(by * i)
def warm():
    total(np.ones(2))
    filled(np.ones(2), 1.0)
"""
REPORT = """
def report(**numbers):
    import json
    from kernels import _jit
    stats = {}
    for name, found in _jit._kernels.items():
        stats[name.split(".")[-1].split(" ")[0]] = (
            sum(found.stats.cache_hits.values()), sum(found.stats.cache_misses.values()))
    print("REPORT" + json.dumps({"stats": stats, **numbers}))
"""
ANSWER = """
import numpy as np
from kernels.caller import total, filled
out = np.zeros(4); filled(out, 2.0)
report(total=total(np.ones(5)), filled=out.tolist())
"""


SERIAL = """
import numpy as np
from kernels.caller import total
report(total=total(np.ones(5)))
"""


class Child:
    """A package ``kernels`` in a temporary folder, and child processes that use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.package = folder / "src" / "kernels"
        self.package.mkdir(parents=True)
        for name in ("__init__.py", "_jit.py", "warm.py"):
            shutil.copy(SOURCE / name, self.package / name)
        for module, text in {
            "near/__init__": "",
            "near/helper": HELPER,
            "far/__init__": "",
            "far/middle": TWO_STEPS_AWAY,
            "caller": CALLER,
            "stranger": HELPER,
        }.items():
            self.write(module, text)

    def write(self, module: str, text: str) -> None:
        path = self.package / f"{module}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def run(
        self, script: str, *, check: bool = True, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        path = self.folder / "script.py"
        path.write_text(REPORT + script, encoding="utf-8")
        surroundings = {
            **os.environ,
            "PYTHONPATH": str(self.folder / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NUMBA_CACHE_DIR": str(self.cache),
            "NUMBA_NUM_THREADS": "2",
            **(env or {}),
        }
        done = subprocess.run(
            [sys.executable, "-W", "error", str(path)],
            cwd=self.folder,
            env=surroundings,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(done.stderr)
        return done

    def answer(self, script: str = ANSWER, **options: object) -> dict[str, object]:
        lines = self.run(script, **options).stdout.splitlines()  # type: ignore[arg-type]
        found = [line for line in lines if line.startswith("REPORT")]
        return dict(json.loads(found[-1].removeprefix("REPORT")))

    def folders(self) -> set[str]:
        return {path.name for path in (self.cache / "cim-twin").iterdir()}


@pytest.fixture(scope="module")
def warmed(tmp_path_factory: pytest.TempPathFactory) -> Child:
    """A package whose kernels were compiled once: 5 * (3 * 1 + 1) = 20."""
    child = Child(tmp_path_factory.mktemp("warmed"))
    first = child.answer()
    assert first["total"] == 20.0
    assert first["filled"] == [1.0, 7.0, 13.0, 19.0]
    assert first["stats"]["total"] == [0, 1]
    return child


@pytest.fixture
def child(warmed: Child, tmp_path: Path) -> Child:
    """A private copy of the warmed package and of its cache."""
    copy = Child.__new__(Child)
    copy.folder = tmp_path
    copy.cache = tmp_path / "cache"
    copy.package = tmp_path / "src" / "kernels"
    shutil.copytree(warmed.folder, tmp_path, dirs_exist_ok=True)
    return copy


def test_a_second_process_compiles_nothing(child: Child) -> None:
    again = child.answer()
    assert again["total"] == 20.0
    assert again["stats"]["total"] == [1, 0]
    assert again["stats"]["filled"] == [1, 0]


def test_machine_code_from_disk_does_not_load_the_compiler(child: Child) -> None:
    late = "filled=out.tolist(), late='numba.np.linalg' in sys.modules)"
    asked = "import sys" + ANSWER.replace("filled=out.tolist())", late)
    assert child.answer(asked)["late"] is False
    new = asked.replace("np.ones(5)", "np.ones(5, np.float32)")  # no machine code for these
    again = child.answer(new)
    assert again["total"] == 20.0 and again["late"] is True


def test_an_edited_helper_two_modules_away_gives_the_new_number(child: Child) -> None:
    child.write("near/helper", HELPER.replace("3.0", "5.0"))
    again = child.answer()
    assert again["total"] == 30.0
    assert again["filled"] == [1.0, 11.0, 21.0, 31.0]
    assert again["stats"]["total"] == [0, 1]


def test_an_unrelated_edit_recompiles_nothing(child: Child) -> None:
    before = child.folders()
    child.write("stranger", HELPER.replace("3.0", "7.0"))
    child.write("near/newcomer", HELPER)
    os.utime(child.package / "caller.py")
    again = child.answer()
    assert again["stats"]["total"] == [1, 0]
    assert child.folders() == before


def test_an_edit_taken_back_finds_its_old_machine_code(child: Child) -> None:
    child.write("near/helper", HELPER.replace("3.0", "5.0"))
    child.answer(SERIAL)
    child.write("near/helper", HELPER)
    assert child.answer(SERIAL)["stats"]["total"] == [1, 0]


def test_only_the_newest_folders_of_a_module_stay(child: Child) -> None:
    for age_s in range(1, 5):
        old = child.cache / "cim-twin" / f"kernels.near.helper-{age_s}"
        old.mkdir()
        os.utime(old, (1e9 - age_s, 1e9 - age_s))
    child.write("near/helper", HELPER.replace("3.0", "10.0"))
    child.answer("from kernels.near.helper import scaled; report(y=scaled(1.0))")
    kept = {name for name in child.folders() if name.startswith("kernels.near.helper-")}
    assert len(kept) == 3
    assert not kept & {"kernels.near.helper-2", "kernels.near.helper-3", "kernels.near.helper-4"}


def test_flags_do_not_share_machine_code(child: Child) -> None:
    child.write(
        "flags",
        "from kernels._jit import kernel\n"
        "def plain(a):\n    return a[0] * a[1] + a[2]\n"
        "strict, loose = kernel(plain), kernel(relaxed=True)(plain)\n",
    )
    script = """
import numpy as np
from kernels.flags import strict, loose
a = np.ones(3, np.float32)
strict(a), loose(a)
from kernels import _jit
report(hits=[sum(d.stats.cache_hits.values()) for n, d in _jit._kernels.items() if "plain" in n])
"""
    assert child.answer(script)["hits"] == [0, 0]
    assert child.answer(script)["hits"] == [1, 1]


def test_two_threads_and_a_spawned_process_get_the_right_number(child: Child) -> None:
    script = """
import threading, multiprocessing
import numpy as np
from kernels.caller import filled
def work(by=2.0):
    for _ in range(50):
        out = np.zeros(1000); filled(out, by)
    return out
def worker(queue):
    queue.put(float(work()[999]))
if __name__ == "__main__":
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(float(work()[999])))
               for _ in range(2)]
    [t.start() for t in threads]; [t.join() for t in threads]
    spawn = multiprocessing.get_context("spawn")
    queue = spawn.SimpleQueue()
    process = spawn.Process(target=worker, args=(queue,))
    process.start(); answers.append(queue.get()); process.join()
    report(answers=answers)
"""
    assert child.answer(script)["answers"] == [3 * 2 * 999 + 1.0] * 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_is_refused_with_the_remedy(child: Child) -> None:
    script = """
import os, warnings
import numpy as np
from kernels.caller import filled, total
filled(np.zeros(4), 1.0)
warnings.simplefilter("ignore")
read, write = os.pipe()
if os.fork() == 0:
    text = f"serial {total(np.ones(5))} "
    try:
        filled(np.zeros(4), 1.0)
    except RuntimeError as error:
        text += str(error)
    os.write(write, text.encode()); os._exit(0)
os.wait()
report(said=os.read(read, 4000).decode())
"""
    said = str(child.answer(script)["said"])
    assert said.startswith("serial 20.0 filled runs on several threads")
    assert 'get_context("spawn")' in said


def test_kernels_run_where_nothing_can_be_written(child: Child) -> None:
    nowhere = {"NUMBA_CACHE_DIR": "/dev/null/cache", "HOME": "/dev/null"}
    assert child.answer(SERIAL, env=nowhere)["total"] == 20.0


def test_kernels_run_where_there_is_no_home(child: Child) -> None:
    homeless = {"NUMBA_CACHE_DIR": "", "XDG_CACHE_HOME": "", "HOME": str(child.folder / "new")}
    assert child.answer(SERIAL, env=homeless)["total"] == 20.0
    assert (child.folder / "new" / ".cache" / "cim-twin").is_dir()


def test_a_damaged_cache_is_compiled_anew(child: Child) -> None:
    for path in (child.cache / "cim-twin").rglob("*.nbi"):
        path.write_bytes(path.read_bytes()[:20])
    assert child.answer(SERIAL)["total"] == 20.0
    for path in (child.cache / "cim-twin").rglob("*.nbc"):
        path.write_bytes(b"")
    assert child.answer(SERIAL)["total"] == 20.0


def test_importing_kernels_writes_nothing(child: Child) -> None:
    empty = child.folder / "empty"
    child.run("import kernels.caller", env={"NUMBA_CACHE_DIR": str(empty)})
    assert not empty.exists()


def test_another_package_of_the_same_name_is_refused_with_the_remedy(child: Child) -> None:
    other = child.folder / "other" / "kernels"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text(
        "import pkgutil\n__path__ = pkgutil.extend_path(__path__, __name__)\n", encoding="utf-8"
    )
    path = os.pathsep.join([str(other.parent), str(child.folder / "src")])
    done = child.run("import kernels.caller", check=False, env={"PYTHONPATH": path})
    assert done.returncode == 1
    assert "ImportError: the package 'kernels' found at" in done.stderr
    assert "install cim-twin in an environment of its own" in done.stderr


def test_plain_python_gives_the_same_numbers(child: Child) -> None:
    plain = child.answer(env={"NUMBA_DISABLE_JIT": "1"})
    assert plain["total"] == 20.0
    assert plain["filled"] == [1.0, 7.0, 13.0, 19.0]
    assert plain["stats"] == {}


def test_a_relaxed_kernel_refuses_float64_arrays(child: Child) -> None:
    child.write(
        "loose",
        "from kernels._jit import kernel\n@kernel(relaxed=True)\ndef first(a):\n    return a[0]\n",
    )
    script = """
import numpy as np
from kernels.loose import first
try:
    first(np.ones(2))
except TypeError as error:
    report(said=str(error), good=float(first(np.ones(2, np.float32))))
"""
    answer = child.answer(script)
    assert "first is a relaxed kernel, for float32 only" in str(answer["said"])
    assert answer["good"] == 1.0


PARTS = """
from kernels._jit import kernel
@kernel(part=True, apart=True)
def added(out, row):
    for i in range(out.size):
        out[i] += row[i]
    return out[0]
@kernel
def all_added(out, rows):
    for k in range(rows.shape[0]):
        added(out[1:], rows[k, 1:])
    return out
@kernel(part=True)
def half(row):
    return row[row.size // 2 :], 2
@kernel
def first_of_half(row):
    return half(row)[0][0]
"""


def test_a_part_serves_kernels_and_refuses_python(child: Child) -> None:
    child.write("parts", PARTS)
    script = """
import sys
import numba
import numpy as np
from kernels.parts import added, all_added, first_of_half
said = []
def refused(function, *args):
    try:
        function(*args)
    except (TypeError, numba.TypingError) as error:
        said.append(str(error))
out, rows = np.zeros(4), np.arange(8.0).reshape(2, 4)
refused(added, out, rows[0])
held = sys.getrefcount(out)
total = all_added(out, rows).tolist()
refused(added, out, rows[0])
refused(first_of_half, out)
report(total=total, said=said, held=sys.getrefcount(out) - held)
"""
    for _ in range(2):  # compiled, and from the cache
        answer = child.answer(script)
        assert answer["total"] == [0.0, 6.0, 8.0, 10.0]
        assert answer["held"] == 0
        first, again, array = answer["said"]
        assert first == again == "added is a part of other kernels; call those"
        assert "half is a part of other kernels and must not return an array" in array


def test_parallel_means_loops_only_so_sums_do_not_depend_on_threads(child: Child) -> None:
    child.write(
        "sums",
        "from kernels._jit import kernel, prange\n"
        "@kernel(parallel=True)\n"
        "def both(a, out):\n"
        "    for i in prange(out.size):\n"
        "        out[i] = a[i]\n"
        "    return a.sum()\n",
    )
    script = """
import numpy as np
from kernels import _jit
from kernels.sums import both
a = np.random.default_rng(1).random(100_001)
sums = []
for threads in (1, 2):
    _jit.set_threads(threads)
    sums.append(float(both(a, np.zeros(3))))
report(same=sums[0] == sums[1])
"""
    assert child.answer(script)["same"] is True


def test_warming_compiles_ahead_and_tells_how_far_it_is(child: Child) -> None:
    script = """
from kernels import _jit
from kernels.warm import warm_all
heard = []
took = warm_all(lambda *state: heard.append(state))
signatures = _jit.compiled()
report(heard=heard, took=list(took), counts=sorted(signatures.values()))
"""
    answer = child.answer(script, env={"NUMBA_CACHE_DIR": str(child.folder / "ahead")})
    assert answer["heard"] == [[0, 1, "kernels.caller"], [1, 1, ""]]
    assert answer["took"] == ["kernels.caller"]
    later = child.answer(env={"NUMBA_CACHE_DIR": str(child.folder / "ahead")})
    assert later["stats"]["total"] == [1, 0]
