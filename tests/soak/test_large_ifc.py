"""A file of 250 MB: an office repeated sixty times, every copy its own products and place."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("ifcopenshell")

from bim_import.meshing import read_and_mesh
from cim.jobs import QUIET

pytestmark = pytest.mark.soak

MEGABYTES = 250
MOST_MB = 5000
_NUMBER = re.compile(rb"#(\d+)")
_GUID = re.compile(rb"^(#\d+= ?IFC[A-Z]+\(')([0-9A-Za-z_$]{22})'", re.MULTILINE)


def repeated(path: Path, to: Path, megabytes: int) -> int:
    """Write a file many times into one, numbers and GlobalIds made new; return how many."""
    text = path.read_bytes()
    start, end = text.index(b"DATA;") + 5, text.rindex(b"ENDSEC;")
    body = text[start:end]
    shift = max(int(n) for n in _NUMBER.findall(body)) + 1
    times = megabytes * 10**6 // len(text) + 1
    with to.open("wb") as out:
        out.write(text[:start])
        for i in range(times):
            mark = f"{i:04d}".encode()
            copy = _NUMBER.sub(lambda m, i=i: b"#%d" % (int(m[1]) + i * shift), body)
            out.write(_GUID.sub(lambda m, mark=mark: m[1] + mark + m[2][4:] + b"'", copy))
        out.write(text[end:])
    return times


def test_a_quarter_of_a_gigabyte_stays_within_five(
    testdata: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIM_CACHE", "off")
    office = testdata("ifc/office_a_2x3.ifc")
    one = read_and_mesh(office, job=QUIET).outcomes()
    large = tmp_path / "large.ifc"
    times = repeated(office, large, MEGABYTES)
    done = read_and_mesh(large, job=QUIET)
    print(
        f"\nIFC of {large.stat().st_size / 1e6:.0f} MB: {done.cpu_s:.0f} CPU s, first shape "
        f"{done.first_geometry_s:.1f} s, peak of all processes {done.peak_mb:.0f} MB, "
        f"{done.outcomes()}"
    )
    assert done.outcomes() == {name: n * times for name, n in one.items()}
    assert done.peak_mb < MOST_MB
