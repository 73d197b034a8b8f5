"""Five hundred spoilt copies of IFC files: refused in words or reported, the caller unharmed."""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ifcopenshell")

from bim_import.meshing import Budget
from bim_import.reporting import ifc_report
from cim.errors import CimError
from cim.jobs import QUIET

pytestmark = pytest.mark.soak

ROOT = Path(__file__).resolve().parents[2]
COPIES = int(os.environ.get("CIM_SOAK_COPIES", "500"))
MOST_MB = 1024
LEAST_IMPORTED = 0.6
_REAL = ("ifc/tested_sample.ifc", "ifc/ifcopenhouse_4.ifc", "ifc/testmodel_4add2.ifc",
         "ifc/acad2010_objects.ifc", "ifc/large_offset.ifc")  # fmt: skip
_VALUE = re.compile(rb"'(?:[^']|'')+'|(?<=[(,])-?\d+\.?\d*(?:[Ee][-+]?\d+)?(?=[,)])")
_CHARACTERS = b"0123456789-+.eE$#'()*,;\\XZ \xff"


def originals() -> list[Path]:
    """Return the villa, and real files where they are."""
    folder = os.environ.get("CIM_TESTDATA", "")
    real = [Path(folder, name) for name in _REAL] if folder else []
    return [ROOT / "data" / "wudadao" / "villa.ifc", *(p for p in real if p.exists())]


def spoil(data: bytes, dice: random.Random, *, one_value: bool) -> tuple[bytes, str]:
    """Return spoilt bytes and how."""
    text, n = bytearray(data), len(data)
    if one_value:
        values = list(_VALUE.finditer(data, data.index(b"DATA;")))
        value = dice.choice(values)
        at = dice.randrange(*value.span())
        text[at] = dice.choice(_CHARACTERS)
        return bytes(text), f"value {value[0][:30]!r}: {chr(data[at])} to {chr(text[at])}"
    how = dice.choice(["flip 1", "flip 30", "flip 1000", "cut", "hole", "lose", "double", "digits"])
    at, size = dice.randrange(n), max(1, int(n * dice.choice([0.0005, 0.01, 0.2])))
    if how.startswith("flip"):
        for _ in range(int(how[5:])):
            text[dice.randrange(n)] ^= dice.randint(1, 255)
    elif how == "cut":
        del text[at:]
    elif how == "hole":
        text[at : at + size] = bytes(len(text[at : at + size]))
    elif how == "lose":
        del text[at : at + size]
    elif how == "double":
        text[at:at] = text[at : at + size]
    else:
        digits = [i for i, byte in enumerate(text) if 48 <= byte <= 57]
        for i in dice.sample(digits, 200):
            text[i] = dice.choice(b"0123456789")
    return bytes(text), f"{how} at {at}"


def one(path: Path, number: int, copy: Path) -> dict[str, Any]:
    dice = random.Random(f"ifc {number}")
    data, how = spoil(path.read_bytes(), dice, one_value=number % 2 == 0)
    copy.write_bytes(data)
    start, key, peak = time.monotonic(), "", 0.0
    budget = Budget(stall_s=2.0, product_s=2.0, trouble_s=6.0, total_s=60.0, memory_mb=1500)
    try:
        record = ifc_report(copy, job=QUIET, budget=budget)
        peak = record["peak_mb"]
        outcome = "reported"
        if sum(record["outcomes"].values()) != record["products"] or not record["products"]:
            outcome, key = ("empty", "") if not record["products"] else ("WRONG", "sum")
        json.dumps(record, allow_nan=False)
    except CimError as error:
        outcome, key = "refused", error.key
        if re.search(r"{\w+}", error.message("en") + error.message("zh")):
            outcome = "WRONG"
    return {"n": number, "file": path.name, "how": how, "outcome": outcome, "key": key,
            "peak_mb": peak, "wall_s": time.monotonic() - start}  # fmt: skip


def test_spoilt_ifc_files_never_harm_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIM_CACHE", "off")
    files = originals()
    found = [one(files[n // 2 % len(files)], n, tmp_path / "copy.ifc") for n in range(COPIES)]
    single, rough = found[::2], found[1::2]
    for name, some in (("one value", single), ("rough", rough)):
        counts = Counter(o["outcome"] for o in some)
        keys = Counter(o["key"] for o in some if o["key"])
        slowest, peak = (max(o[k] for o in some) for k in ("wall_s", "peak_mb"))
        print(
            f"\nIFC, {name}: {len(some)} copies of {len(files)} files: {dict(counts)}; "
            f"slowest {slowest:.1f} s, peak of all processes {peak:.0f} MB\n"
            f"  {dict(keys.most_common())}"
        )
    for o in found:
        if o["outcome"] in ("WRONG", "empty"):
            print(f"  {o}")
    assert len(found) == COPIES
    assert not [o for o in found if o["outcome"] == "WRONG"]
    assert max(o["peak_mb"] for o in found) < MOST_MB
    imported = sum(o["outcome"] == "reported" for o in single) / len(single)
    assert imported >= LEAST_IMPORTED, f"{imported:.0%} of the copies with one value spoilt"
