"""The pictures of Wudadao's IFC models: each on its building, among its neighbours."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from bim_import.authoring import Facts, read_model
from bim_import.bringing import import_ifc
from cim.jobs import QUIET
from cim.store import open_twin
from scenes.render import render_scene
from scenes.scene import Eye, Scene

__all__ = ["draw_models"]

DATA = Path(__file__).resolve().parent.parent / "data" / "wudadao"
_MORNING = "2026-05-10T10:00:00+08:00"
_SIZE, _SMALL = (1280, 720), (640, 360)


@dataclass(frozen=True)
class _Shot:
    """Eye and aim in the model's own metres, view angle, title."""

    eye: tuple[float, float, float]
    focus: tuple[float, float, float]
    angle_deg: float
    title: str


SHOTS = {
    "tower_villa": _Shot((-31, -44, 24), (-1, -1, 5.5), 28, "龚心湛旧居 · L plan, tower, mansard"),
    "portico_villa": _Shot((-26, -42, 14), (0, -3, 4), 28, "李叔福旧居 · portico and pediment"),
    "terrace": _Shot((-76, -42, 20), (-33, 0, 2.5), 28, "先农大院四排 · fourteen houses"),
    "minyuan": _Shot((150, -150, 78), (12, -6, 0), 36, "民园广场 · arcade and stands"),
}
VILLA = _Shot((-27, -46, 16), (2.5, -2, 3.4), 28, "张学铭旧宅 · one IFC file in its street")


def draw_models(twin: Path, out: Path) -> None:
    """Draw ``villa.png`` and ``models.png``, the others side by side, from a built district.

    The district holds the villa; the other models join a copy of it.
    """
    _draw(twin, "villa", VILLA, out / "villa.png")
    full = out / "models.cim"
    shutil.rmtree(full, ignore_errors=True)
    shutil.copytree(twin, full)
    for name in SHOTS:
        import_ifc(full, [DATA / f"{name}.ifc"], why="picture", job=QUIET)
    sheet = Image.new("RGB", _SIZE)
    for i, (name, shot) in enumerate(SHOTS.items()):
        png = out / "one.png"
        _draw(full, name, shot, png)
        small = Image.open(png).convert("RGB").resize(_SMALL, Image.Resampling.LANCZOS)
        sheet.paste(small, (i % 2 * _SMALL[0], i // 2 * _SMALL[1]))
        png.unlink()
    sheet.save(out / "models.png")
    shutil.rmtree(full)


def _draw(twin: Path, name: str, shot: _Shot, png: Path) -> None:
    facts = read_model(DATA / "tables" / "models" / f"{name}.toml").facts
    eye = Eye(_place(facts, shot.eye), _place(facts, shot.focus), shot.angle_deg)
    scene = Scene(size=_SIZE, eye=eye, sun=_MORNING, title=shot.title)
    render_scene(scene, open_twin(twin), path=png)


def _place(facts: Facts, at: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return a place of the model in the frame of the district."""
    x, y, z = at
    bearing = math.radians(facts.bearing_deg)
    sine, cosine = math.sin(bearing), math.cos(bearing)
    east, north = x * sine - y * cosine, x * cosine + y * sine
    return facts.east_m + east, facts.north_m + north, facts.ground_floor_m + z
