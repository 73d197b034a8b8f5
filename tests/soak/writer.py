"""A process that builds, edits, runs and keeps schemes until it is killed.

``python -m tests.soak.writer TWIN DIARY SEED``. Before each piece of work it writes
``{"begin": …}`` into the diary, after it ``{"done": number}``, each on disk before
the next step: what is done was acknowledged.
"""

from __future__ import annotations

import json
import os
import random
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from cim._version import VERSION
from cim.model import Edit, Result, ResultField, Scheme
from cim.store import commit, create, open_twin, save_run, save_scheme
from tests.towns import box, town

__all__ = ["DIG_M", "State", "after", "perform", "seen", "titles"]

SIZE_M = 60
DIG_M = 0.25
_PIT = box(5, 5, 20, 20)


@dataclass(frozen=True)
class State:
    """What a twin holds, as far as the writer changes it: two of them are the same or not."""

    houses: dict[str, str] = field(default_factory=dict)  # id -> name
    dug: int = 0
    runs: tuple[str, ...] = ()
    schemes: dict[str, str] = field(default_factory=dict)  # name -> why


def seen(path: Path) -> State:
    """Read the state of a twin on disk."""
    from cim.store import schemes

    twin = open_twin(path)
    table = twin.table("building")
    low = float(twin.grid("terrain").values.min())
    whole = float(town(houses=1, size_m=SIZE_M).grid("terrain").window(_PIT.bounds).values.min())
    return State(
        dict(zip(table.ids, table.texts("name"), strict=True)),
        max(0, round((whole - low) / DIG_M)),
        tuple(run["titles"]["en"] for run in twin.runs()),
        {one["scheme"]: one["why"] for one in schemes(path)},
    )


def after(state: State, work: dict[str, Any]) -> State:
    """Return the state that a piece of work leaves."""
    if work["op"] == "build":
        table = town(houses=work["houses"], size_m=SIZE_M).table("building")
        houses = dict(zip(table.ids, table.texts("name"), strict=True))
        return replace(state, houses=houses, dug=0)
    if work["op"] == "run":
        return replace(state, runs=(*state.runs, titles(work["mark"])["en"]))
    if work["op"] == "scheme":
        return replace(state, schemes={**state.schemes, work["name"]: work["why"]})
    houses, dug = dict(state.houses), state.dug
    for verb, id_, name in work["edits"]:
        if verb == "dig":
            dug += 1
        elif verb == "remove":
            del houses[id_]
        else:
            houses[id_] = name
    return replace(state, houses=houses, dug=dug)


def perform(path: Path, work: dict[str, Any]) -> None:
    """Do a piece of work on the twin."""
    if work["op"] == "build":
        twin = town(houses=work["houses"], size_m=SIZE_M)
        create(twin, path, replace=(path / "current").exists())
    elif work["op"] == "run":
        save_run(path, _result(path, work["mark"]))
    elif work["op"] == "scheme":
        house = str(open_twin(path).table("building").ids[0])
        edits = (Edit("change", "building", house, {"name": "规划"}),)
        save_scheme(path, Scheme(work["name"], open_twin(path).version, edits, why=work["why"]))
    else:
        commit(path, [_edit(*one) for one in work["edits"]], why="soak")


def titles(mark: int) -> dict[str, str]:
    """Return the titles of the result with a mark."""
    return {"en": f"mark {mark}", "zh": f"记号 {mark}"}


def _result(path: Path, mark: int) -> Result:
    twin = open_twin(path)
    ids = twin.table("building").ids
    values = np.full((20, len(ids)), float(mark))
    mark_field = ResultField("mark", "1", "objects", values, titles(mark), "building", ids, True)
    return Result(
        question="mark",
        titles=titles(mark),
        fields=(mark_field,),
        summary={"mark": float(mark)},
        parameters={},
        twin_version=twin.version,
        scheme=None,
        kernel_version=VERSION,
        illustrative=True,
        times_s=np.arange(20.0),
    )


def _edit(verb: str, id_: str, name: str) -> Edit:
    if verb == "dig":
        return Edit("terrain", "terrain", "", {"delta_m": -DIG_M}, _PIT)
    if verb == "remove":
        return Edit("remove", "building", id_)
    if verb == "add":
        return Edit("add", "building", id_, {"name": name, "height_m": 9.0}, box(1, 1, 6, 6))
    return Edit("change", "building", id_, {"name": name})


def _choose(dice: random.Random, path: Path, number: int) -> dict[str, Any]:
    kinds = {"build": 2, "edit": 6, "run": 2, "scheme": 1}
    op = dice.choices(list(kinds), list(kinds.values()))[0]
    if op == "build" or not (path / "current").exists():
        return {"op": "build", "houses": dice.randint(4, 60)}
    if op == "run":
        return {"op": "run", "mark": number}
    if op == "scheme":
        return {"op": "scheme", "name": f"plan{dice.randint(1, 3)}", "why": f"why {number}"}
    ids = sorted(open_twin(path).table("building").ids)
    picked = dice.sample(ids, min(len(ids) - 1, dice.randint(1, 8)))
    edits = [["change", str(id_), f"改{number}"] for id_ in picked[1:]]
    edits.append(["remove" if len(ids) > 3 else "change", str(picked[0]), f"改{number}"])
    edits.append(["add", f"bld-new-{number}", f"新{number}"])
    if dice.random() < 0.4:
        edits.append(["dig", "", ""])
    return {"op": "edit", "edits": edits}


def _say(diary: TextIO, record: dict[str, Any]) -> None:
    diary.write(json.dumps(record, ensure_ascii=False) + "\n")
    diary.flush()
    os.fsync(diary.fileno())


def main(path: Path, diary_path: Path, seed: int) -> None:
    """Work until killed."""
    dice = random.Random(seed)
    number = 1000 * seed
    with diary_path.open("a", encoding="utf-8") as diary:
        _say(diary, {"ready": seed})
        while True:
            number += 1
            work = _choose(dice, path, number)
            _say(diary, {"begin": work})
            perform(path, work)
            _say(diary, {"done": number})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
