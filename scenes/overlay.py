"""What a person reads on a picture: title, legend, scale, north, source, the mark 示意数据."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim import messages
from cim.errors import MissingError
from cim.model.result import Result
from cim.model.twin import TwinView
from scenes.drawables import Legend
from scenes.drawers import Drawing
from scenes.scene import Scene

__all__ = ["TURN_DEG", "font", "lay_over"]

FONT = Path(__file__).parent / "fonts" / "NotoSansSC-subset.otf"
TURN_DEG = -14.0  # how far an oblique camera stands west of due south
_INK, _PAPER = (34, 38, 44), (255, 255, 255, 214)


@cache
def font(size_px: int) -> Any:
    """Return the font of pictures at a size.

    Raises
    ------
    MissingError
        The font file is not there.
    """
    from PIL import ImageFont

    try:
        return ImageFont.truetype(str(FONT), size_px)
    except OSError as error:
        raise MissingError("scenes.no_font", given=FONT.name) from error


def lay_over(
    pixels: NDArray[np.uint8],
    scene: Scene,
    view: TwinView,
    result: Result | None,
    drawing: Drawing | None,
    scale_m: float,
) -> Any:
    """Return the finished picture as a PIL image.

    Parameters
    ----------
    pixels
        (h, w, 3) uint8.
    scene, view, result, drawing
        What is shown.
    scale_m
        Metres a pixel at the middle of the picture.
    """
    from PIL import Image, ImageDraw

    base = Image.fromarray(pixels).convert("RGBA")
    layer = Image.new("RGBA", base.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(layer)
    unit = max(9, round(scene.size[1] / 42))
    _title(pen, _heading(scene, view, result, drawing), unit)
    if drawing is not None:
        _legend(pen, drawing.legend, base.size, unit)
    if view.illustrative or (result is not None and result.illustrative):
        _mark(pen, messages.text("scenes.illustrative", lang=scene.lang), base.size, unit)
    _scale(pen, scale_m, base.size, unit, exact=scene.camera == "top")
    _north(pen, scene, base.size, unit)
    return Image.alpha_composite(base, layer).convert("RGB")


def _heading(
    scene: Scene, view: TwinView, result: Result | None, drawing: Drawing | None
) -> tuple[str, str]:
    if result is None:
        return scene.title or view.name, ""
    title = scene.title or messages.title(result.titles, lang=scene.lang)
    parts = [view.name]
    if result.scheme:
        parts.append(messages.text("scenes.scheme", {"name": result.scheme}, lang=scene.lang))
    if drawing is not None and drawing.time_s is not None:
        moment = str(timedelta(seconds=round(drawing.time_s)))
        parts.append(messages.text("scenes.after", {"time": moment}, lang=scene.lang))
    return title, " · ".join(parts)


def _title(pen: Any, heading: tuple[str, str], unit: int) -> None:
    title, below = heading
    big, small = font(round(unit * 1.5)), font(unit)
    wide = max(pen.textlength(title, font=big), pen.textlength(below, font=small))
    high = unit * (2.3 if not below else 3.7)
    pen.rounded_rectangle((unit, unit, unit * 2.2 + wide, unit + high), unit * 0.3, fill=_PAPER)
    pen.text((unit * 1.6, unit * 1.15), title, font=big, fill=_INK)
    if below:
        pen.text((unit * 1.6, unit * 3.1), below, font=small, fill=(86, 92, 100))


def _legend(pen: Any, legend: Legend, size: tuple[int, int], unit: int) -> None:
    title = f"{legend.title} ({legend.unit})" if legend.unit else legend.title
    small = font(unit)
    single = len(legend.rgb) == 1
    bar = 0 if single else unit * 13
    wide = max(
        unit * 6 + bar * 0, pen.textlength(title, font=small) + unit * (3.2 if single else 1.4)
    )
    high = unit * 2.2 if single else bar + unit * 3.4
    left, top = size[0] - wide - unit, unit
    pen.rounded_rectangle((left, top, size[0] - unit, top + high), unit * 0.3, fill=_PAPER)
    if single:
        colour = tuple(int(c) for c in legend.rgb[0])
        pen.rectangle(
            (left + unit * 0.7, top + unit * 0.7, left + unit * 2, top + unit * 1.5), colour
        )
        pen.text((left + unit * 2.5, top + unit * 0.35), title, font=small, fill=_INK)
        return
    pen.text((left + unit * 0.7, top + unit * 0.4), title, font=small, fill=_INK)
    x, y = left + unit * 0.8, top + unit * 2.4
    for i in range(bar):
        colour = tuple(int(c) for c in legend.rgb[int((1 - i / bar) * (len(legend.rgb) - 1))])
        pen.line((x, y + i, x + unit * 1.4, y + i), fill=colour)
    for share, text in legend.marks:
        at = y + (1 - share) * bar
        pen.line((x + unit * 1.4, at, x + unit * 1.7, at), fill=_INK)
        pen.text((x + unit * 2.0, at - unit * 0.75), text, font=small, fill=_INK)


def _mark(pen: Any, text: str, size: tuple[int, int], unit: int) -> None:
    small = font(unit)
    wide = pen.textlength(text, font=small)
    top = size[1] - unit * 2.6
    box = (unit, top, unit * 2.2 + wide, size[1] - unit)
    pen.rounded_rectangle(box, unit * 0.3, fill=(140, 40, 36, 216))
    pen.text((unit * 1.6, top + unit * 0.1), text, font=small, fill=(255, 255, 255))


def _scale(pen: Any, scale_m: float, size: tuple[int, int], unit: int, *, exact: bool) -> None:
    """Draw a bar of round length; in an oblique view it holds at the middle of the picture."""
    rough = scale_m * size[0] * 0.14
    power = 10.0 ** np.floor(np.log10(rough))
    length = max(f * power for f in (1, 2, 5) if f * power <= rough)
    wide = length / scale_m
    text = f"{length:g} m" if length < 1000 else f"{length / 1000:g} km"
    text = text if exact else f"≈ {text}"
    right, bottom = size[0] - unit * 4.8, size[1] - unit * 1.5
    small = font(round(unit * 0.9))
    box = (right - wide - unit, bottom - unit * 1.9, right + unit, bottom + unit * 0.6)
    pen.rounded_rectangle(box, unit * 0.3, fill=_PAPER)
    pen.line((right - wide, bottom, right, bottom), fill=_INK, width=max(2, unit // 7))
    for x in (right - wide, right):
        pen.line((x, bottom - unit * 0.4, x, bottom), fill=_INK, width=max(2, unit // 7))
    middle = right - wide / 2 - pen.textlength(text, font=small) / 2
    pen.text((middle, bottom - unit * 1.75), text, font=small, fill=_INK)


def _north(pen: Any, scene: Scene, size: tuple[int, int], unit: int) -> None:
    x, y = size[0] - unit * 2.2, size[1] - unit * 2.3
    turn = 0.0 if scene.camera == "top" else np.radians(TURN_DEG)
    squash = 1.0 if scene.camera == "top" else 0.62
    pen.ellipse((x - unit * 1.3, y - unit * 1.3, x + unit * 1.3, y + unit * 1.3), fill=_PAPER)

    def at(along: float, across: float) -> tuple[float, float]:
        dx = along * np.sin(turn) + across * np.cos(turn)
        dy = along * np.cos(turn) - across * np.sin(turn)
        return (x + dx * unit, y - dy * unit * squash + unit * 0.25)

    pen.polygon([at(1.0, 0), at(-0.6, 0.5), at(-0.3, 0), at(-0.6, -0.5)], fill=_INK)
    small = font(round(unit * 0.7))
    pen.text((x - unit * 0.25, y - unit * 1.32), "N", font=small, fill=(140, 40, 36))
