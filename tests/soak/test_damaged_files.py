"""Three hundred spoilt copies of each format: refused in words, or built with a report."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.soak.damage import FORMATS

pytestmark = pytest.mark.soak

ROOT = Path(__file__).resolve().parents[2]
COPIES = int(os.environ.get("CIM_SOAK_COPIES", "300"))
LONGEST_S = 10.0
MOST_MB = 1024
STILL_IN = 0.6  # of the copies in which one value is spoilt
_SILENT_S = 120.0  # also the start of the process, on a machine at work


def spoil_and_build(name: str, folder: Path) -> list[dict[str, Any]]:
    """Return what became of every copy; one that takes the process down is "FELL"."""
    outcomes: list[dict[str, Any]] = []
    while len(outcomes) < COPIES:
        first = len(outcomes)
        found, code, errors = _batch(name, folder, first)
        outcomes += found
        if len(outcomes) < COPIES:
            assert found or first, f"the good file does not build: {errors}"
            outcomes.append({"n": len(outcomes), "how": "?", "outcome": "FELL",
                             "key": f"{code} {errors[-1500:]}", "wall_s": 0.0, "peak_mb": 0,
                             "warned": []})  # fmt: skip
    return outcomes


def _batch(name: str, folder: Path, first: int) -> tuple[list[dict[str, Any]], int, str]:
    command = [
        sys.executable, "-X", "faulthandler", "-m", "tests.soak.damage",
        name, str(folder), str(first), str(COPIES),
    ]  # fmt: skip
    lines: queue.Queue[str | None] = queue.Queue()
    with (
        (folder / "errors.txt").open("w+") as errors,
        subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as child,
    ):

        def listen() -> None:
            assert child.stdout is not None
            for line in child.stdout:
                lines.put(line)
            lines.put(None)

        threading.Thread(target=listen, daemon=True).start()
        found = []
        while True:
            try:
                line = lines.get(timeout=_SILENT_S)
            except queue.Empty:
                child.kill()
                continue
            if line is None:
                break
            found.append(json.loads(line))
        code = child.wait()
        errors.seek(0)
        return found, code, errors.read()


@pytest.mark.parametrize("name", FORMATS)
def test_a_spoilt_file_is_refused_in_words_or_built_with_a_report(
    name: str, tmp_path: Path
) -> None:
    outcomes = spoil_and_build(name, tmp_path)
    counts = Counter(o["outcome"] for o in outcomes)
    keys = Counter(o["key"] for o in outcomes if o["outcome"] == "refused")
    slowest = max(o["wall_s"] for o in outcomes)
    peak_mb = max(o["peak_mb"] for o in outcomes)
    print(f"\n{name}: {len(outcomes)} copies: {dict(counts)}; slowest {slowest:.2f} s, "
          f"peak of the process {peak_mb} MB\n  {dict(keys.most_common())}")  # fmt: skip
    for text, times in Counter(w for o in outcomes for w in o["warned"]).items():
        print(f"  warned {times} times: {text}")
    bad = [o for o in outcomes if o["outcome"] in ("WRONG", "FELL")]
    for one in bad[:20]:
        print(f"  {one['outcome']}: copy {one['n']}, {one['how']}: {one['key']}")
    assert len(outcomes) == COPIES and bad == []
    assert slowest < LONGEST_S and peak_mb < MOST_MB
    assert counts["refused"] and (counts["built"] or counts["built in part"])
    single = [o["outcome"] for o in outcomes if o["how"].startswith("value: ")]
    if single:
        share = sum(one.startswith("built") for one in single) / len(single)
        print(f"  one value spoilt: {share:.0%} of {len(single)} still come in")
        assert share >= STILL_IN
