"""Every file of the real data: read = kept + rejected with reasons, or refused in words."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from cim.errors import CimError
from cim.sources import Built, build_twin, district_from_files
from cim.sources.opening import FORMATS

pytestmark = pytest.mark.truths

ELSEWHERE = (".ifc",)  # tests/bim_import/test_real_files.py has a table of its own
COMPANIONS = (".shx", ".dbf", ".prj", ".cpg", ".md", ".cff")


def build(path: Path) -> Built:
    return build_twin(district_from_files([path], height_datum="unknown"), accept_rejects=True)


def told(built: Built) -> str:
    """Check the sums of one file and return its line."""
    report = built.report
    listed = Counter(e.layer for e in report.entries if e.action == "rejected")
    for layer, count in report.counts.items():
        assert count.read == count.kept + count.rejected, layer
        assert layer == "points" or listed[layer] == count.rejected, layer
        there = built.twin.tables.get(layer)
        assert there is None or len(there) >= count.kept, layer
    for entry in report.entries:
        assert entry.record("en")["reason"] and entry.record("zh")["reason"]
    total = report.total
    reasons = Counter(e.reason for e in report.entries if e.action != "note")
    why = ", ".join(f"{key.removeprefix('source.')} {n}" for key, n in reasons.most_common())
    return f"{total.read:>7} {total.kept:>7} {total.repaired:>7} {total.rejected:>7}  {why}"


def test_every_file_is_accounted_for(testdata: Callable[[str], Path]) -> None:
    root = testdata("city3d/README.md").parents[1]
    lines: list[str] = []
    refused: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        name, suffix = str(path.relative_to(root)), path.suffix.lower()
        if suffix in ELSEWHERE or suffix in COMPANIONS:
            continue
        if suffix not in FORMATS:
            unknown[suffix or name] += 1
            continue
        start = time.process_time()
        try:
            line = told(build(path))
        except CimError as error:
            assert error.remedy() and path.stem in str(error), name
            refused[name.split("/", maxsplit=1)[0]] += 1
            line = f"refused: {error.key.removeprefix('source.')}: {error.message()[:110]}"
        lines.append(f"{name[:56]:<56} {line}  [{time.process_time() - start:.1f} CPU s]")
    print(f"\n{'file':<56} {'read':>7} {'kept':>7} {'mended':>7} {'out':>7}")
    print("\n".join(lines))
    print(f"refused: {dict(refused)}; no format of ours: {dict(unknown)}")
    cities = sum(line.startswith("city3d/") for line in lines)
    # a raster or cloud of a city without a coordinate system is to be refused, little else is
    assert cities >= 20 and refused["city3d"] <= cities // 4
