"""Which other waters a flood meets: built from the twin and from what was asked.

Pipes where the twin has storm drains (their neighbourhood then has no sink); soil by a law of
infiltration on ground that is not sealed; structures wherever there are any; rain by zones.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cim.errors import RequestError
from cim.flood.cells import open_cells
from cim.flood.coupling import Coupling, Meeting, Pipes, Soil, Watch, Works, ZonedRain
from cim.flood.drains import Drains
from cim.flood.ground import Site, cells_inside
from cim.flood.openings import Sills, find_sills, tables_of
from cim.flood.rain import Storm
from cim.flood.sewer import Sewer, find_sewer
from cim.flood.structures import find_structures
from cim.flood.thin_walls import Crossings, crossings
from cim.flood.watcher import Watcher
from cim.model.twin import TwinView
from cim.registry import standard

__all__ = ["DRAINS", "LAWS", "NODE_REACH_M", "DrainMode", "Law", "Setting", "set_up"]

DrainMode = Literal["auto", "pipes", "sinks"]
Law = Literal["none", "green_ampt", "horton", "curve_number", "constant"]
DRAINS: tuple[DrainMode, ...] = get_args(DrainMode)
LAWS: tuple[Law, ...] = get_args(Law)

NODE_REACH_M = 6.0
_FENCES = ("fence", "railing", "hedge", "栅栏", "围栏", "栏杆", "绿篱")  # water passes them
_TABLES = {
    "green_ampt": "flood.infiltration",
    "horton": "flood.horton",
    "curve_number": "flood.curve_number",
    "constant": "flood.infiltration",
}


@dataclass(frozen=True)
class Setting:
    """What a run meets besides its own ground and rain.

    Attributes
    ----------
    site
        The ground, without sinks where pipes drain it.
    meeting
        The couplings.
    pipes, works, watch, danger
        Those of them that have something to tell, or None.
    sills
        Ways underground, at whose cells `watch` looks.
    crossings
        Faces that walls and buildings narrow.
    left_out
        (id, reason key) of what could not be used.
    notes
        (message key, given) of what a reader should know.
    standards
        Keys of the registry that count because of it.
    illustrative
        Whether any of it is 示意数据.
    """

    site: Site
    meeting: Meeting
    sills: Sills
    danger: Watcher
    crossings: Crossings
    watch: Watch | None = None
    pipes: Pipes | None = None
    works: Works | None = None
    left_out: tuple[tuple[str, str], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    standards: tuple[str, ...] = ()
    illustrative: bool = False

    @property
    def solid_m(self) -> NDArray[np.float64]:
        """Return what water stands on, blocks of buildings among it; NaN where none gets in."""
        bed = self.site.bed_m
        return np.where(np.isfinite(self.site.block_m), self.site.block_m, bed)


@dataclass
class _Made:
    couplings: list[Coupling] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    standards: list[str] = field(default_factory=list)
    illustrative: bool = False


def set_up(
    view: TwinView,
    site: Site,
    *,
    storm: Storm,
    duration_s: float,
    drains: DrainMode,
    infiltration: Law,
    zones: tuple[NDArray[np.int64], Sequence[Storm]] | None,
    stack: ExitStack,
    walls: bool = True,
    remember: bool = True,
) -> Setting:
    """Build the couplings of a run.

    Parameters
    ----------
    view, site
        The twin and its ground on cells.
    storm, duration_s
        The rain, and the longest the run may take.
    drains
        ``pipes`` demands them, ``sinks`` does without, ``auto`` takes them where the twin has
        them and SWMM is installed.
    infiltration
        The law, or ``none``.
    zones
        (rows, cols) number of the storm of each cell, and the storms.
    stack
        Closes SWMM when the run ends.
    walls
        Whether walls thinner than a cell hold water back.
    remember
        Whether the run may be asked for its state.

    Raises
    ------
    RequestError
        Pipes are demanded and there are none, or a word is unknown.
    MissingError
        Pipes are demanded and SWMM is not installed.
    """
    if drains not in DRAINS:
        raise RequestError("flood.drains", given=drains, values={"known": ", ".join(DRAINS)})
    if infiltration not in LAWS:
        raise RequestError("flood.law", given=infiltration, values={"known": ", ".join(LAWS)})
    made = _Made()
    made.left_out += [(id_, "flood.left_out.off_terrain") for id_ in site.off_terrain]
    if zones is not None:
        zone, storms = zones
        fits = zone.shape == site.frame.shape and zone.max(initial=-1) < len(storms)
        if not fits:
            given = f"{zone.shape}, {int(zone.max(initial=-1))}"
            values = {"shape": site.frame.shape, "storms": len(storms)}
            raise RequestError("rain.zones", given=given, values=values)
        made.couplings.append(
            ZonedRain(
                zone=zone.ravel(),
                storms=storms,
                share=site.rain_share.ravel(),
                cell_m=site.frame.cell_m,
            )
        )
    pipes, site = _pipes(view, site, drains, duration_s, stack, made, remember)
    works = _works(view, site, made)
    if infiltration != "none":
        _soil(view, site, infiltration, storm, zones, made)
    sills = find_sills(view, site)
    watch = Watch(np.maximum(sills.cell, 0)) if len(sills.ids) else None
    if watch is not None:
        made.couplings.append(watch)
    danger = Watcher(site.frame.shape)
    found = _walls(view, site, made) if walls else Crossings()
    for face, (crest_m, open_share) in site.gaps.found.items():
        found.add(face, crest_m, open_share)
    found.ways = site.ways
    made.standards += ["flood.debris_factor", "flood.hazard_classes", "flood.person_dv_m2_s"]
    return Setting(
        site=site,
        meeting=Meeting(made.couplings, danger=danger),
        sills=sills,
        danger=danger,
        crossings=found,
        watch=watch,
        pipes=pipes,
        works=works,
        left_out=tuple(made.left_out),
        notes=tuple(made.notes),
        standards=tuple(dict.fromkeys(made.standards)),
        illustrative=made.illustrative,
    )


def _pipes(
    view: TwinView,
    site: Site,
    mode: DrainMode,
    duration_s: float,
    stack: ExitStack,
    made: _Made,
    remember: bool,
) -> tuple[Pipes | None, Site]:
    if mode == "sinks":
        return None, site
    try:
        sewer = find_sewer(view)
    except RequestError as error:
        if mode == "pipes":
            raise
        made.notes.append(("flood.note.no_outfall", error.given))
        return None, site
    if sewer is None:
        if mode == "pipes":
            raise RequestError("flood.no_pipes", given=", ".join(view.layers()))
        return None, site
    if mode == "auto" and importlib.util.find_spec("swmm") is None:
        made.notes.append(("flood.note.no_swmm", str(len(sewer.pipe_ids))))
        return None, site
    open_ = np.isfinite(site.bed_m)
    cell = open_cells(site.frame, open_, sewer.x_m, sewer.y_m, reach_m=NODE_REACH_M)
    if not (cell[~sewer.outfall] >= 0).any():
        if mode == "pipes":
            raise RequestError("flood.no_pipes_here", given=len(sewer.node_ids))
        return None, site
    crest = np.where(cell >= 0, site.bed_m.ravel()[np.maximum(cell, 0)], np.nan)
    running = stack.enter_context(
        Drains(sewer, crest_m=crest, duration_s=duration_s, remember=remember)
    )
    bed = site.bed_m.ravel()
    pipes = Pipes(running, cell=cell, bed_m=bed, cell_m=site.frame.cell_m)
    made.couplings.append(pipes)
    made.left_out += list(sewer.left_out)
    blind = int(((cell < 0) & ~sewer.outfall).sum())
    made.notes.append(("flood.note.pipes", str(len(sewer.pipe_ids))))
    if blind:
        made.notes.append(("flood.note.blind_nodes", str(blind)))
    if not sewer.inlet.any():
        made.notes.append(("flood.note.no_grates", str(int((~sewer.outfall).sum()))))
    made.standards += ["flood.exchange_inlet", "flood.exchange_manhole", "flood.inlet_reach_m"]
    made.standards += ["flood.grate", "flood.manhole_opening", "flood.lid_holes_m2"]
    made.standards.append("pipe.manning")
    made.illustrative |= sewer.illustrative
    return pipes, _without_sinks(site, sewer, cell)


def _without_sinks(site: Site, sewer: Sewer, cell: NDArray[np.int64]) -> Site:
    """Take the sink from the ground that pipes drain: within reach of an inlet or manhole."""
    reach = standard("flood.inlet_reach_m").number()
    x, y = site.frame.centres()
    sink = site.drain_mm_h.copy()
    for at in np.flatnonzero((cell >= 0) & ~sewer.outfall):
        cols = np.flatnonzero(np.abs(x - sewer.x_m[at]) <= reach)
        rows = np.flatnonzero(np.abs(y - sewer.y_m[at]) <= reach)
        away = np.hypot(x[cols][None, :] - sewer.x_m[at], y[rows][:, None] - sewer.y_m[at])
        block = np.ix_(rows, cols)
        sink[block] = np.where(away <= reach, 0.0, sink[block])
    return replace(site, drain_mm_h=sink)


def _works(view: TwinView, site: Site, made: _Made) -> Works | None:
    structures = find_structures(view, site)
    made.left_out += structures.left_out
    if not structures.ids:
        return None
    works = Works(structures, bed_m=site.bed_m.ravel(), cell_m=site.frame.cell_m)
    made.couplings.append(works)
    made.standards += ["flood.broad_crest", "flood.culvert"]
    made.notes.append(("flood.note.structures", str(len(structures.ids))))
    made.illustrative |= any(t.illustrative for t in tables_of(view, "hydraulic_structure"))
    return works


def _walls(view: TwinView, site: Site, made: _Made) -> Crossings:
    """Walls that hold water back; fences do not, and a wall of unknown height is assumed one."""
    found, tables = Crossings(), tables_of(view, "wall", site=site)
    assumed = standard("flood.wall_height_m")
    unknown = fences = 0
    for table in tables:
        types = [word.strip().lower() for word in table.texts("type")]
        solid = np.array([not any(f in word for f in _FENCES) for word in types], bool)
        height = table.numbers("height_m")
        missing = solid & ~(height > 0)
        unknown, fences = unknown + int(missing.sum()), fences + int((~solid).sum())
        height = np.where(missing, assumed.number(), height)
        shapes = [shape for shape, s in zip(table.geometry, solid, strict=True) if s]
        crossings(shapes, height[solid], site.frame, _with_beyond(site), into=found)
        made.illustrative |= table.illustrative and bool(solid.any())
    if found.found:
        made.notes.append(("flood.note.walls", str(sum(len(t.ids) for t in tables) - fences)))
        made.standards += ["flood.broad_crest", "flood.gate_m"]
    if unknown:
        made.notes.append(("flood.note.walls_assumed", str(unknown)))
        made.standards.append(assumed.key)
    if fences:
        made.notes.append(("flood.note.fences", str(fences)))
    return found


def _with_beyond(site: Site) -> NDArray[np.float64]:
    """Ground of the area, and of the cells beyond its ways out: walls stand there too."""
    if site.ways is None:
        return site.bed_m
    ways, out = site.ways, site.bed_m.copy()
    back = np.where(ways.up, 0, 1)
    row = ways.row - np.where(ways.axis == 1, back, 0)
    col = ways.col - np.where(ways.axis == 0, back, 0)
    out[row, col] = ways.beyond_m
    return out


def _soil(
    view: TwinView, site: Site, law: Law, storm: Storm,
    zones: tuple[NDArray[np.int64], Sequence[Storm]] | None, made: _Made,
) -> None:  # fmt: skip
    """Let water into greens and bare ground; everything else is sealed."""
    entry = standard(_TABLES[law])
    surface = np.full(site.frame.shape, -1)
    names = [name for name in ("bare", "green") if name in entry.value]
    for number, name in enumerate(names):
        for table in tables_of(view, name, site=site) if name == "green" else _bare(view, site):
            for shape in table.geometry:
                surface[cells_inside(shape, site.frame)] = number
    for table in tables_of(view, "road", site=site):
        wide = table.numbers("carriageway_m", default=0.0)
        for shape, width in zip(table.geometry, wide, strict=True):
            if shape is not None and width > 0:
                surface[cells_inside(shape.buffer(width / 2), site.frame)] = -1
    surface[~np.isfinite(site.bed_m)] = -1
    cells = np.flatnonzero(surface.ravel() >= 0)
    if law == "curve_number":
        cells = np.flatnonzero(np.isfinite(site.bed_m.ravel()))
        curve = np.array([entry.value[name] for name in (*names, "default")])
        number = curve[surface.ravel()[cells]]  # -1 is the default
        numbers = 0.0254 * (1000.0 / number - 10.0)[None]
    else:
        table_ = np.array([entry.value[name] for name in names], np.float64)
        numbers = table_[surface.ravel()[cells]].T
        if law == "green_ampt":
            numbers = np.stack([numbers[0], numbers[1] * numbers[2]])
    made.standards.append(entry.key)
    made.notes.append(("flood.note.soil", f"{len(cells) * site.frame.cell_m**2 / 1e4:.2f}"))
    if len(cells):
        made.couplings.append(
            Soil(law, cells=cells, numbers=np.ascontiguousarray(numbers), storm=storm,
                 cell_m=site.frame.cell_m, zones=zones)
        )  # fmt: skip


def _bare(view: TwinView, site: Site) -> list[Any]:
    """Land whose use says that it is bare ground."""
    tables = tables_of(view, "land_use", site=site)
    words = standard("flood.land_use_surface").value["bare"]
    return [
        table.take(np.array([use.strip().lower() in words for use in table.texts("use")], bool))
        for table in tables
    ]
