"""What a person reads on a picture: title, legend, scale, north, source, the mark 示意数据."""

from __future__ import annotations

from dataclasses import replace
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
from scenes import palette
from scenes.compose import Picture
from scenes.drawables import Legend
from scenes.drawers import Drawing
from scenes.remarks import remarks
from scenes.scene import Scene

__all__ = ["font", "lay_over", "whole_legend"]

FONT = Path(__file__).parent / "fonts" / "NotoSansSC-subset.otf"
_INK, _GREY, _PAPER = (34, 38, 44), (86, 92, 100), (255, 255, 255, 250)
_WARNING = (255, 226, 138, 250)


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
    picture: Picture,
) -> Any:
    """Return the finished picture as a PIL image.

    Parameters
    ----------
    pixels
        (h, w, 3) uint8.
    scene, view, result, picture
        What is shown.
    """
    from PIL import Image, ImageDraw

    base = Image.fromarray(pixels).convert("RGBA")
    layer = Image.new("RGBA", base.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(layer)
    unit = max(9, round(scene.size[1] / 42))
    drawing = picture.drawing
    _labels(pen, picture, base.size, unit)
    _title(pen, _heading(scene, view, result, drawing), unit)
    legend = whole_legend(scene, picture)
    if legend is not None and scene.legend:
        _legend(pen, legend, base.size, unit)
    left = float(unit)
    if view.illustrative or (result is not None and result.illustrative):
        text = messages.text("scenes.illustrative", lang=scene.lang)
        left = _mark(pen, text, base.size, unit)
    _source(pen, picture.sources, base.size, unit, left, scene.lang)
    _remarks(pen, remarks(view, result, scene.lang), base.size, unit)
    scale_m = picture.camera.metres_per_pixel(scene.size[1])
    _scale(pen, scale_m, base.size, unit)
    _north(pen, picture.camera.turn_deg, base.size, unit, flat=scene.camera != "top")
    return Image.alpha_composite(base, layer).convert("RGB")


def _labels(pen: Any, picture: Picture, size: tuple[int, int], unit: int) -> None:
    """Write labels where their places appear; one that would cover another is left out."""
    small = font(round(unit * 0.9))
    taken: list[tuple[float, float, float, float]] = []
    for label in sorted(picture.labels, key=lambda one: not one.pinned):
        seen = picture.camera.project(np.array([label.at]), size)[0]
        if not np.isfinite(seen).all() or not (0 <= seen[0] < size[0] and 0 <= seen[1] < size[1]):
            continue
        x, y = float(seen[0]), float(seen[1])
        foot = y - unit * (2.4 if label.pinned else 0.4)
        wide = float(pen.textlength(label.text, font=small)) / 2 + unit * 0.4
        box = (x - wide, foot - unit * 1.5, x + wide, foot)
        covers = any(
            box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken
        )
        if covers and not label.pinned:
            continue
        taken.append(box)
        if label.pinned:
            pen.line((x, foot, x, y), fill=_INK, width=max(1, unit // 9))
            pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=_INK)
        pen.rounded_rectangle(box, unit * 0.25, fill=_PAPER)
        pen.text((x, foot - unit * 0.75), label.text, font=small, fill=_INK, anchor="mm")


def whole_legend(scene: Scene, picture: Picture) -> Legend | None:
    """Return the legend of the result, with what is drawn for want of a height."""
    keys = list(picture.keys)
    recoloured = picture.drawing is not None and any(
        layer.startswith("building") for layer in picture.drawing.objects
    )
    if picture.without_height and not recoloured:
        values = {"count": picture.without_height}
        text = messages.text("scenes.without_height", values, lang=scene.lang)
        keys.append((palette.NO_HEIGHT, text))
    if picture.drawing is not None:
        legend = picture.drawing.legend
        return replace(legend, keys=[*legend.keys, *keys])
    return Legend("", "", np.empty((0, 3), np.uint8), (), keys) if keys else None


def _name(scene: Scene, view: TwinView) -> str:
    return messages.title(view.titles, lang=scene.lang) or view.name


def _heading(
    scene: Scene, view: TwinView, result: Result | None, drawing: Drawing | None
) -> tuple[str, str]:
    if result is None:
        return scene.title or _name(scene, view), ""
    title = scene.title or messages.title(result.titles, lang=scene.lang)
    parts = [_name(scene, view)]
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
    high = unit * (2.7 if not below else 3.9)
    pen.rounded_rectangle((unit, unit, unit * 2.2 + wide, unit + high), unit * 0.3, fill=_PAPER)
    pen.text((unit * 1.6, unit * 1.15), title, font=big, fill=_INK)
    if below:
        pen.text((unit * 1.6, unit * 3.1), below, font=small, fill=_GREY)


def _legend(pen: Any, legend: Legend, size: tuple[int, int], unit: int) -> None:
    """Draw title, ramp with its marks, and single colours with theirs, in the upper right."""
    title = f"{legend.title} ({legend.unit})" if legend.unit else legend.title
    small = font(unit)
    keys = list(legend.keys)
    if len(legend.rgb) == 1:
        keys.insert(0, (_rgb(legend.rgb[0]), title))
    ramp = len(legend.rgb) > 1
    bar = unit * 12 if ramp else 0
    texts = [pen.textlength(text, font=small) + unit * 2.2 for _, text in keys]
    wide = max([unit * 6, *texts, pen.textlength(title, font=small) if ramp else 0]) + unit * 1.4
    high = (bar + unit * 3.4 if ramp else unit * 0.8) + unit * 1.7 * len(keys)
    left, top = size[0] - wide - unit, unit
    pen.rounded_rectangle((left, top, size[0] - unit, top + high), unit * 0.3, fill=_PAPER)
    y = top + unit * 0.4
    if ramp:
        pen.text((left + unit * 0.7, y), title, font=small, fill=_INK)
        _ramp(pen, legend, left + unit * 0.8, top + unit * 2.4, unit)
        y = top + bar + unit * 3.2
    for colour, text in keys:
        box = (left + unit * 0.8, y + unit * 0.35, left + unit * 2.0, y + unit * 1.15)
        pen.rectangle(box, colour, outline=(120, 124, 130))
        pen.text((left + unit * 2.6, y), text, font=small, fill=_INK)
        y += unit * 1.7


def _ramp(pen: Any, legend: Legend, x: float, y: float, unit: int) -> None:
    bar, small = unit * 12, font(unit)
    for i in range(bar):
        colour = _rgb(legend.rgb[int((1 - i / bar) * (len(legend.rgb) - 1))])
        pen.line((x, y + i, x + unit * 1.4, y + i), fill=colour)
    for share, text in legend.marks:
        at = y + (1 - share) * bar
        pen.line((x + unit * 1.4, at, x + unit * 1.7, at), fill=_INK)
        pen.text((x + unit * 2.0, at), text, font=small, fill=_INK, anchor="lm")


def _rgb(colour: Any) -> tuple[int, int, int]:
    return (int(colour[0]), int(colour[1]), int(colour[2]))


def _mark(pen: Any, text: str, size: tuple[int, int], unit: int) -> float:
    """Draw the mark of illustrative data and return where it ends."""
    small = font(unit)
    wide = pen.textlength(text, font=small)
    top = size[1] - unit * 2.6
    box = (unit, top, unit * 2.2 + wide, size[1] - unit)
    pen.rounded_rectangle(box, unit * 0.3, fill=(140, 40, 36, 216))
    pen.text((unit * 1.6, top + unit * 0.1), text, font=small, fill=(255, 255, 255))
    return float(box[2] + unit * 0.5)


def _source(
    pen: Any,
    sources: tuple[str, ...],
    size: tuple[int, int],
    unit: int,
    left: float,
    lang: str | None,
) -> None:
    """Say where the data come from, as far as it fits."""
    if not sources:
        return
    tiny = font(round(unit * 0.8))
    names = "; ".join(sources[:3]) + (" …" if len(sources) > 3 else "")
    text = messages.text("scenes.source", {"names": names}, lang=lang)
    room = size[0] * 0.72 - left
    while pen.textlength(text, font=tiny) > room and len(text) > 12:
        text = text[:-2].rstrip("…") + "…"
    wide = pen.textlength(text, font=tiny)
    bottom = size[1] - unit
    box = (left, bottom - unit * 1.6, left + wide + unit, bottom)
    pen.rounded_rectangle(box, unit * 0.3, fill=_PAPER)
    pen.text((left + unit * 0.5, bottom - unit * 0.8), text, font=tiny, fill=_GREY, anchor="lm")


def _remarks(pen: Any, lines: tuple[str, ...], size: tuple[int, int], unit: int) -> None:
    """Write what must not be overlooked over the foot of the picture, small enough to fit."""
    bottom = size[1] - unit * 3.1
    for text in lines:
        high = unit
        while high > 6 and pen.textlength(text, font=font(high)) > size[0] - unit * 3.2:
            high -= 1
        wide = pen.textlength(text, font=font(high))
        box = (unit, bottom - unit * 1.6, unit * 2.2 + wide, bottom)
        pen.rounded_rectangle(box, unit * 0.3, fill=_WARNING)
        at = (unit * 1.6, bottom - unit * 0.8)
        pen.text(at, text, font=font(high), fill=_INK, anchor="lm")
        bottom -= unit * 2.0


def _scale(pen: Any, scale_m: float, size: tuple[int, int], unit: int) -> None:
    """Draw a bar of round length; it holds at the middle of the picture, at one distance."""
    rough = scale_m * size[0] * 0.14
    power = 10.0 ** np.floor(np.log10(rough))
    length = max(f * power for f in (1, 2, 5) if f * power <= rough)
    wide = length / scale_m
    text = f"{length:g} m" if length < 1000 else f"{length / 1000:g} km"
    text = f"≈ {text}"
    right, bottom = size[0] - unit * 4.8, size[1] - unit * 1.5
    small = font(round(unit * 0.9))
    box = (right - wide - unit, bottom - unit * 1.9, right + unit, bottom + unit * 0.6)
    pen.rounded_rectangle(box, unit * 0.3, fill=_PAPER)
    pen.line((right - wide, bottom, right, bottom), fill=_INK, width=max(2, unit // 7))
    for x in (right - wide, right):
        pen.line((x, bottom - unit * 0.4, x, bottom), fill=_INK, width=max(2, unit // 7))
    middle = right - wide / 2 - pen.textlength(text, font=small) / 2
    pen.text((middle, bottom - unit * 1.75), text, font=small, fill=_INK)


def _north(pen: Any, turn_deg: float, size: tuple[int, int], unit: int, *, flat: bool) -> None:
    """Draw where north lies, foreshortened as the ground is where one looks aslant."""
    x, y = size[0] - unit * 2.2, size[1] - unit * 2.3
    turn = np.radians(turn_deg)
    squash = 0.62 if flat else 1.0
    pen.ellipse((x - unit * 1.3, y - unit * 1.3, x + unit * 1.3, y + unit * 1.3), fill=_PAPER)

    def at(along: float, across: float) -> tuple[float, float]:
        dx = along * np.sin(turn) + across * np.cos(turn)
        dy = along * np.cos(turn) - across * np.sin(turn)
        return (x + dx * unit, y - dy * unit * squash + unit * 0.25)

    pen.polygon([at(1.0, 0), at(-0.6, 0.5), at(-0.3, 0), at(-0.6, -0.5)], fill=_INK)
    small = font(round(unit * 0.7))
    pen.text((x, y - unit * 0.85), "N", font=small, fill=(140, 40, 36), anchor="mm")
