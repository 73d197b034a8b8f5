"""make bench: the machine's speed, then every bench in a process of its own.

``python -m tests.benchmarks`` runs all, ``python -m tests.benchmarks store open`` some.
A bench is a file ``bench_NAME.py`` with ``bench() -> list[Row]``.
"""

from __future__ import annotations

import json
import platform
import resource
import subprocess
import sys
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import Row
from tests.benchmarks.triad import REFERENCE_GB_S, cores, triad_gb_s
from tests.benchmarks.yardstick import DRAWING, REFERENCE_S

ROOT = Path(__file__).resolve().parents[2]
MARK = "ROW "
WIDTHS = (46, 9, 9, 30, 9, 8, 14)


def main(asked: list[str]) -> int:
    """Run the benches asked for, or all; return how many failed."""
    if asked[:1] == ["--in-child"]:
        for row in import_module(f"tests.benchmarks.bench_{asked[1]}").bench():
            print(MARK + json.dumps(_record(row), ensure_ascii=False), flush=True)
        return 0
    speed = triad_gb_s()
    print(f"{platform.processor() or platform.machine()}, {cores()} cores, Python "
          f"{platform.python_version()}; float32 triad on one core {speed:.1f} GB/s")  # fmt: skip
    print(f"CPU seconds, median of 3; 'scaled' = ours on a core whose triad runs at "
          f"{REFERENCE_GB_S} GB/s, and for drawing on one that rasterises a plain scene in "
          f"{REFERENCE_S} s; ratio = peer / ours")  # fmt: skip
    failed = 0
    for name in asked or _names():
        failed += not _one(name)
    return failed


def _names() -> list[str]:
    here = Path(__file__).parent
    return sorted(p.stem.removeprefix("bench_") for p in here.glob("bench_*.py"))


def _one(name: str) -> bool:
    speed = triad_gb_s()  # again before each: on a shared machine it changes from minute to minute
    scale = speed / REFERENCE_GB_S
    drawn_s = _yardstick_s() if name in DRAWING else None
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--in-child", name],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    plain = "" if drawn_s is None else f"; plain scene now {drawn_s:.2f} s a frame"
    print(f"\n{name}: {spent:.0f} CPU s in all; triad now {speed:.1f} GB/s{plain}")
    rows = [
        Row(**json.loads(line.removeprefix(MARK)))
        for line in done.stdout.splitlines()
        if line.startswith(MARK)
    ]
    if rows:
        print(_line("", "first", "warm", "peer", "its", "ratio", "scaled"))
    for row in rows:
        print(_shown(row, scale, drawn_s))
    if done.returncode or not rows:
        print(f"  failed with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.returncode == 0 and bool(rows)


def _record(row: Row | Mapping[str, Any]) -> dict[str, Any]:
    return asdict(row) if isinstance(row, Row) else dict(row)


def _yardstick_s() -> float | None:
    """Return the seconds of the rasteriser's yardstick, None where nothing draws here."""
    asked = [sys.executable, "-m", "tests.benchmarks.yardstick"]
    done = subprocess.run(asked, cwd=ROOT, text=True, capture_output=True, check=False)
    return float(done.stdout) if done.returncode == 0 else None


def _shown(row: Row, scale: float, drawn_s: float | None) -> str:
    peer_s = "absent" if row.peer and row.peer_s is None else _seconds(row.peer_s)
    ratio = "" if row.ratio is None else f"{row.ratio:.3g}x"
    readings = {"": row.cpu_s * scale}
    if row.drawn and drawn_s is not None:
        readings = {"memory ": row.cpu_s * scale, "drawing ": row.cpu_s * REFERENCE_S / drawn_s}
    scaled = " / ".join(_seconds(value) for value in readings.values())
    bar = ""
    if row.bar_s is not None:
        found = (f"{by}{_kept(value, row.bar_s)}" for by, value in readings.items())
        bar = f"  bar {row.bar_s:g}: " + ", ".join(found)
    line = _line(
        row.what, _seconds(row.first_s), _seconds(row.cpu_s), row.peer, peer_s, ratio, scaled
    )  # fmt: skip
    return line + bar + (f"\n      {row.note}" if row.note else "")


def _kept(value: float, bar: float) -> str:
    return "kept" if value <= bar else "MISSED"


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if value >= 1 else f"{value:.2g}"


def _line(*cells: str) -> str:
    left = (0, 3)
    parts = [_pad(c, w, left=i in left) for i, (c, w) in enumerate(zip(cells, WIDTHS, strict=True))]
    return "  " + " ".join(parts)


def _pad(text: str, width: int, *, left: bool) -> str:
    gap = " " * max(0, width - _columns(text))
    return text + gap if left else gap + text


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
