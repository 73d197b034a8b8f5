"""A map on paper, at true scale: PNG or PDF with title, legend, scale, north, source, system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cim import messages
from cim._version import VERSION
from cim.crs import HEIGHT_DATUMS, crs_title
from cim.errors import MissingError, RequestError
from cim.jobs import QUIET, Job
from cim.model.kinds import kind, split_layer
from cim.model.result import Result
from cim.model.twin import Bounds, TwinView
from scenes import city
from scenes.chart import ROUND, Chart, draw_chart, keys_of
from scenes.drawables import Legend
from scenes.drawers import Drawing, draw
from scenes.files import whole
from scenes.moments import clock
from scenes.overlay import FONT
from scenes.remarks import remarks, stale
from scenes.thematic import thematic

__all__ = ["PAPERS", "SCALES", "MapReport", "Sheet", "write_map"]

PAPERS = {"A0": (1189, 841), "A1": (841, 594), "A2": (594, 420), "A3": (420, 297), "A4": (297, 210)}
SCALES = tuple(f * 10**p for p in range(2, 7) for f in (1, 2, 5))  # chosen from where none is asked
_MARGIN, _HEAD, _SIDE, _GAP = 10.0, 13.0, 52.0, 4.0  # millimetres
_DPI = 200
_MM = 1 / 25.4
_INK, _GREY, _RED = (0.13, 0.15, 0.17), (0.36, 0.38, 0.41), (0.55, 0.16, 0.14)
_AMBER = (1.0, 0.886, 0.541)


@dataclass(frozen=True)
class Sheet:
    """What a map shows and on what.

    Attributes
    ----------
    paper, portrait
        A0 to A4, lying unless said.
    scale
        Denominator of the scale, 5000 for 1:5000; the largest round one that fits where None.
    bounds
        Box to show, projected metres; the twin's buildings, else everything, where None.
    layers
        Layers to draw; all the map has signs for where None.
    by
        Attribute to colour by: ``height_m``, or ``layer.attribute``.
    field, time_s
        Of the run shown, as for a scene.
    title, source
        Own words instead of those made.
    underground
        Whether pipes and manholes are shown.
    lang
        ``en`` or ``zh``; the language in force where None.
    """

    paper: str = "A4"
    portrait: bool = False
    scale: float | None = None
    bounds: Bounds | None = None
    layers: tuple[str, ...] | None = None
    by: str | None = None
    field: str | None = None
    time_s: float | None = None
    title: str | None = None
    source: str | None = None
    underground: bool = False
    lang: str | None = None


@dataclass(frozen=True)
class MapReport:
    """What the map shows.

    Attributes
    ----------
    map
        The file written.
    scale
        Denominator of the scale.
    paper_mm
        (width, height) of the sheet.
    bounds
        The box in the frame, projected metres.
    cut
        Whether the twin goes on beyond the frame.
    objects
        Features of each layer in the frame.
    rasterised
        Layers drawn as pixels for their number.
    unwritten
        Characters of names that the font lacks, shown as □.
    stale
        Whether the run answers another version of the city than the one drawn.
    """

    map: str
    scale: float
    paper_mm: tuple[float, float]
    bounds: Bounds
    cut: bool
    objects: dict[str, int]
    rasterised: list[str]
    unwritten: str
    stale: bool = False


def write_map(
    sheet: Sheet, view: TwinView, result: Result | None = None, *, path: Path, job: Job = QUIET
) -> MapReport:
    """Write a map at true scale; the ending of `path` says PNG (200 dots an inch) or PDF.

    Parameters
    ----------
    sheet, view, result
        What to show; a run is drawn over the city.
    path
        The file; it is there whole or not at all.
    job
        Who listens.

    Raises
    ------
    MissingError
        The viewer extra or the font is missing.
    RequestError
        Unknown paper, an impossible scale, a box that does not fit, both a run and an
        attribute, an unknown layer or attribute, an empty twin.
    StoreError
        The file cannot be written.
    CancelledError
        The job was cancelled; no file is left.
    """
    ending = path.suffix.lower()
    if ending not in (".png", ".pdf"):
        raise RequestError("scenes.ending", given=path, values={"known": ".pdf, .png"})
    if sheet.by is not None and result is not None:
        raise RequestError("scenes.by_and_run", given=sheet.by)
    paper = _paper(sheet)
    layers = _layers(sheet, view)
    frame = (paper[0] - 2 * _MARGIN - _SIDE - _GAP, paper[1] - 2 * _MARGIN - _HEAD)
    box, scale, cut = _placed(sheet, view, frame)
    drawing = _colours(sheet, view, result, box)
    writer = _Writer(sheet, paper)
    with whole(path) as partial:
        job.step(0, 3, what="scenes.mapping")
        axes = writer.frame(frame, box)
        chart = draw_chart(
            axes, view, layers, box, scale=scale, drawing=drawing, result=result,
            font=writer.font, writable=writer.writable, underground=sheet.underground,
        )  # fmt: skip
        job.step(1, 3, what="scenes.mapping")
        writer.furniture(view, result, drawing, chart, scale, box)
        job.step(2, 3, what="scenes.mapping")
        writer.save(partial, ending[1:], sheet.title or view.name)
        job.step(3, 3, what="scenes.mapping")
    return MapReport(
        map=str(path),
        scale=scale,
        paper_mm=paper,
        bounds=box,
        cut=cut,
        objects=chart.objects,
        rasterised=chart.rasterised,
        unwritten="".join(sorted(writer.unwritten)),
        stale=stale(view, result),
    )


def _paper(sheet: Sheet) -> tuple[float, float]:
    if sheet.paper.upper() not in PAPERS:
        known = ", ".join(PAPERS)
        raise RequestError("scenes.paper", given=sheet.paper, values={"known": known})
    wide, high = PAPERS[sheet.paper.upper()]
    return (float(high), float(wide)) if sheet.portrait else (float(wide), float(high))


def _layers(sheet: Sheet, view: TwinView) -> list[str]:
    known = view.layers()
    for name in sheet.layers or ():
        if name not in known:
            raise RequestError("twin.no_layer", given=name, values={"known": ", ".join(known)})
    return [n for n in known if sheet.layers is None or n in sheet.layers]


def _placed(
    sheet: Sheet, view: TwinView, frame_mm: tuple[float, float]
) -> tuple[Bounds, float, bool]:
    """Return the box in the frame, the scale, and whether what there is goes on beyond it."""
    asked = sheet.bounds
    if asked is not None and not (
        np.isfinite(asked).all() and asked[0] < asked[2] and asked[1] < asked[3]
    ):
        raise RequestError("scenes.bounds", given=" ".join(f"{v:g}" for v in asked))
    box = asked or city.extent(view, sheet.layers)
    if box is None:
        raise RequestError("scenes.empty", given=view.name)
    needed = max((box[2] - box[0]) / frame_mm[0], (box[3] - box[1]) / frame_mm[1]) * 1000.0
    fitting = next((s for s in SCALES if s >= needed), None)
    scale = sheet.scale if sheet.scale is not None else fitting
    if scale is None or not (np.isfinite(scale) and 50 <= scale <= SCALES[-1]):
        raise RequestError("scenes.scale", given=f"1:{scale or needed:g}")
    cut = scale < needed * (1 - 1e-9)
    if cut and asked is not None:
        values = {"fits": f"1:{fitting:g}" if fitting else "-", "paper": sheet.paper}
        raise RequestError("scenes.does_not_fit", given=f"1:{scale:g}", values=values)
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    half = frame_mm[0] * scale / 2000.0, frame_mm[1] * scale / 2000.0
    return (x - half[0], y - half[1], x + half[0], y + half[1]), float(scale), cut


def _colours(sheet: Sheet, view: TwinView, result: Result | None, box: Bounds) -> Drawing | None:
    if result is not None:
        return draw(result, name=sheet.field, time_s=sheet.time_s, lang=sheet.lang)
    if sheet.by is None:
        return None
    layer, dot, name = sheet.by.rpartition(".")
    layer = layer if dot else "building"
    known = view.layers()
    if layer not in known:
        raise RequestError("twin.no_layer", given=layer, values={"known": ", ".join(known)})
    return thematic(view.table(layer, bounds=box), name, lang=sheet.lang)


class _Writer:
    """One sheet: a page in millimetres with the map's frame on it."""

    def __init__(self, sheet: Sheet, paper: tuple[float, float]) -> None:
        try:
            from matplotlib.figure import Figure
            from matplotlib.font_manager import FontProperties, get_font
        except ImportError as error:
            raise MissingError("scenes.no_viewer", given="matplotlib") from error
        if not FONT.is_file():
            raise MissingError("scenes.no_font", given=FONT.name)
        self.sheet, self.paper = sheet, paper
        self.font = FontProperties(fname=str(FONT))
        self.unwritten: set[str] = set()
        self._known = set(get_font(str(FONT)).get_charmap())
        self.figure = Figure(figsize=(paper[0] * _MM, paper[1] * _MM))
        self.page = self.figure.add_axes((0, 0, 1, 1))
        self.page.set(xlim=(0, paper[0]), ylim=(0, paper[1]))
        self.page.axis("off")

    def frame(self, size_mm: tuple[float, float], box: Bounds) -> Any:
        """Return the axes of the map, in projected metres, with a grid along its edges."""
        w, h = self.paper
        place = (_MARGIN / w, _MARGIN / h, size_mm[0] / w, size_mm[1] / h)
        axes = self.figure.add_axes(place)
        axes.set(xlim=(box[0], box[2]), ylim=(box[1], box[3]))
        step = next(s for s in SCALES if s >= (box[2] - box[0]) / size_mm[0] * 45 / 2)
        for side, low, high in (("x", box[0], box[2]), ("y", box[1], box[3])):
            ticks = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
            getattr(axes, f"set_{side}ticks")(ticks, [f"{t:.0f}" for t in ticks])
        axes.tick_params(direction="in", length=5, width=0.4, top=True, right=True, pad=-7)
        for label in axes.get_xticklabels():
            label.set(fontproperties=self.font, fontsize=4.5, color=_GREY, va="bottom", zorder=80)
        for label in axes.get_yticklabels():
            label.set(fontproperties=self.font, fontsize=4.5, color=_GREY, rotation=90)
            label.set(ha="left", va="center", zorder=80)
        axes.set_axisbelow(False)
        for edge in axes.spines.values():
            edge.set(linewidth=0.8, zorder=90)
        return axes

    def _text(self, x: float, y: float, words: str, size: float, **look: Any) -> Any:
        """Write words at millimetres of the page."""
        return self.page.text(
            x, y, self.writable(words), fontproperties=self.font, fontsize=size, **look
        )

    def writable(self, words: str) -> str:
        """Return words with □ for what the font lacks, and remember it."""
        lacking = {c for c in words if ord(c) not in self._known and c != "\n"}
        self.unwritten |= lacking
        return "".join("□" if c in lacking else c for c in words)

    def _say(self, key: str, **values: object) -> str:
        """Return a text in the sheet's language."""
        return messages.text(key, values, lang=self.sheet.lang)

    def furniture(
        self,
        view: TwinView,
        result: Result | None,
        drawing: Drawing | None,
        chart: Chart,
        scale: float,
        box: Bounds,
    ) -> None:
        """Write all that stands outside the frame."""
        w, h = self.paper
        name = messages.title(view.titles, lang=self.sheet.lang) or view.name
        main, below = name, ""
        if result is not None:
            main, below = messages.title(result.titles, lang=self.sheet.lang), name
        elif drawing is not None:
            main, below = drawing.legend.title, name
        if drawing is not None and drawing.time_s is not None:
            below += " · " + self._say("scenes.after", time=clock(drawing.time_s))
        if view.scheme:
            below += " · " + self._say("scenes.scheme", name=view.scheme)
        self._text(_MARGIN, h - _MARGIN - 5.5, self.sheet.title or main, 15, color=_INK)
        self._text(_MARGIN, h - _MARGIN - 10.5, below, 8, color=_GREY)
        left, y = w - _MARGIN - _SIDE, h - _MARGIN - _HEAD - 3.0
        if view.illustrative or (result is not None and result.illustrative):
            mark = {"boxstyle": "round,pad=0.3", "facecolor": _RED, "edgecolor": "none"}
            words = self._fold(self._say("scenes.illustrative"), 30)
            self._text(left + 1.0, y, words, 7, color="white", va="top", bbox=mark)
            y -= 4.0 * (words.count("\n") + 1) + 3.0
        for told in remarks(view, result, self.sheet.lang):
            mark = {"boxstyle": "round,pad=0.3", "facecolor": _AMBER, "edgecolor": "none"}
            words = self._fold(told, 30)
            self._text(left + 1.0, y, words, 7, color=_INK, va="top", bbox=mark)
            y -= 4.0 * (words.count("\n") + 1) + 3.0
        if drawing is not None:
            y = self._legend(drawing.legend, left, y)
        self._signs(keys_of(chart), left, y)
        self._foot(view, chart, scale, box, left)

    def _legend(self, legend: Legend, left: float, y: float) -> float:
        from matplotlib.patches import Rectangle

        title = f"{legend.title} ({legend.unit})" if legend.unit else legend.title
        keys = list(legend.keys)
        if len(legend.rgb) == 1:
            r, g, b = (int(v) for v in legend.rgb[0])
            keys.insert(0, ((r, g, b), title))
        else:
            words = self._fold(title, 30)
            self._text(left, y, words, 8, color=_INK, va="top")
            y -= 3.6 * (words.count("\n") + 1) + 1.5
        if len(legend.rgb) > 1:
            high = 34.0
            ramp = legend.rgb[::-1][:, None, :]
            self.page.imshow(ramp, extent=(left, left + 5.0, y - high, y), aspect="auto", zorder=2)
            self.page.add_patch(
                Rectangle((left, y - high), 5.0, high, fill=False, lw=0.3, ec=_GREY, zorder=3)
            )
            for share, words in legend.marks:
                at = y - high * (1 - share)
                self.page.plot((left + 5.0, left + 6.0), (at, at), color=_INK, lw=0.4)
                self._text(left + 7.0, at, words, 6.5, color=_INK, va="center_baseline")
            self.page.set(xlim=(0, self.paper[0]), ylim=(0, self.paper[1]))
            y -= high + 4.0
        return self._signs(keys, left, y, translate=False)

    def _signs(
        self,
        keys: Sequence[tuple[Any, str]],
        left: float,
        y: float,
        *,
        translate: bool = True,
    ) -> float:
        from matplotlib.patches import Circle, Rectangle

        for rgb, key in keys:
            look: dict[str, Any] = {"fc": np.asarray(rgb) / 255, "zorder": 2}
            if translate and key in ROUND:  # as on the map
                self.page.add_patch(Circle((left + 2.5, y - 1.5), 1.2, ec="none", **look))
            else:
                self.page.add_patch(Rectangle((left, y - 3.0), 5.0, 3.0, ec=_GREY, lw=0.3, **look))
            words = key
            if translate:
                words = self._say(key) if "." in key else self._kind(key)
            words = self._fold(words, 26)
            self._text(left + 7.0, y - 0.2, words, 6.5, color=_INK, va="top")
            y -= 3.2 * (words.count("\n") + 1) + 1.2
        return y - 2.0

    def _kind(self, name: str) -> str:
        return messages.title(kind(split_layer(name)[0]).titles, lang=self.sheet.lang)

    def _foot(self, view: TwinView, chart: Chart, scale: float, box: Bounds, left: float) -> None:
        """Write from below up: program, source, system, scale bar, north."""
        frame = view.frame
        datum = "" if frame.height_datum is None else f" · {self._datum(frame.height_datum)}"
        names = self.sheet.source or "; ".join(chart.sources)
        lines = [
            self._say("scenes.source", names=names) if names else "",
            f"{crs_title(frame.crs)}{datum}",
            self._say("scenes.made", version=VERSION, number=view.version),
        ]
        folded = "\n".join(self._fold(line, 38) for line in lines if line)
        self._text(left, _MARGIN, folded, 5.2, color=_GREY, va="bottom", linespacing=1.35)
        y = _MARGIN + 2.9 * (folded.count("\n") + 1) + 5.0
        self._scale_bar(scale, left, y)
        self._north(left + _SIDE - 6.0, y + 13.0)

    def _datum(self, name: str) -> str:
        """Return what a person reads for a height datum."""
        return self._say(f"crs.height.{name}") if name in HEIGHT_DATUMS else crs_title(name)

    def _scale_bar(self, scale: float, left: float, y: float) -> None:
        from matplotlib.patches import Rectangle

        room = 36.0 * scale / 1000.0
        metres = max(s for s in (*SCALES, 1, 2, 5, 10, 20, 50) if s <= room)
        long = metres * 1000.0 / scale
        for i in range(4):
            fill = _INK if i % 2 == 0 else (1.0, 1.0, 1.0)
            self.page.add_patch(
                Rectangle((left + i * long / 4, y), long / 4, 1.4, fc=fill, ec=_INK, lw=0.4)
            )
        for share in (0.0, 0.5, 1.0):
            value = metres * share
            words = f"{value:g}" if metres < 1000 else f"{value / 1000:g}"
            words += (" m" if metres < 1000 else " km") if share == 1.0 else ""
            self._text(left + share * long, y + 2.2, words, 5.5, color=_INK, ha="center")
        self._text(left, y + 6.5, f"1 : {scale:,.0f}".replace(",", " "), 9, color=_INK)

    def _north(self, x: float, y: float) -> None:
        from matplotlib.patches import Polygon

        shape = [(x, y + 5.0), (x + 2.2, y - 4.0), (x, y - 2.2), (x - 2.2, y - 4.0)]
        self.page.add_patch(Polygon(shape, closed=True, fc=_INK, ec="none"))
        self._text(x, y + 5.8, "N", 8, color=_RED, ha="center")
        self._text(x, y - 7.2, self._say("scenes.grid_north"), 4.6, color=_GREY, ha="center")

    @staticmethod
    def _fold(words: str, most: int) -> str:
        """Return words in lines of at most `most` Latin letters; a hanzi counts for two."""
        lines, line, wide = [], "", 0
        for word in _words(words):
            need = sum(2 if ord(c) > 0x2000 else 1 for c in word)
            if line and wide + need > most:
                lines.append(line.rstrip())
                line, wide = "", 0
            line, wide = line + word, wide + need
        return "\n".join([*lines, line.rstrip()])

    def save(self, path: Path, kind_: str, title: str) -> None:
        """Write the sheet; the same sheet gives the same file."""
        import matplotlib as mpl

        about: dict[str, Any] = {"Title": title}
        about |= {"CreationDate": None} if kind_ == "pdf" else {}
        with mpl.rc_context({"pdf.fonttype": 3, "pdf.compression": 6}):
            self.figure.savefig(path, format=kind_, dpi=_DPI, metadata=about)


def _words(text: str) -> list[str]:
    """Return pieces between which a line may break: after spaces, and between hanzi."""
    pieces: list[str] = []
    for c in text:
        fresh = not pieces or pieces[-1].endswith(" ") or ord(c) > 0x2000 or len(pieces[-1]) > 30
        if fresh:
            pieces.append(c)
        else:
            pieces[-1] += c
    return pieces
