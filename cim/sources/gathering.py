"""What a build has read so far: layers, grids, bodies, sources, and what they make together."""

from __future__ import annotations

import time
from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np

from cim.crs import PSEUDO_CRS, Frame
from cim.errors import SourceError
from cim.jobs import Job
from cim.model.body import BodyPool
from cim.model.grid import Grid
from cim.model.layers import Layers, Load, Standing
from cim.model.mesh import MeshPool
from cim.model.table import FeatureTable
from cim.sources.between import SHIFTED_KINDS, Lying, check_shift, joined, lying
from cim.sources.heights import MEASURED, with_heights
from cim.sources.parts import Part, Parts
from cim.sources.points import read_cloud
from cim.sources.probe import Probe
from cim.sources.raster import read_raster
from cim.sources.readers import inner_reader, load_reader
from cim.sources.report import Report
from cim.sources.seen import Seen
from cim.sources.spec import LayerSpec, Loaded, Reader
from cim.sources.survey import AT_ONCE, checked_pieces
from cim.sources.terrain import Ranked, merged, with_breaklines
from cim.sources.vector import read_piece, told_as_one

__all__ = ["Gathered", "SourceRecord", "record_of"]

_HELD = 200_000  # features in memory; further layers are put aside where there is a place


@dataclass(frozen=True)
class SourceRecord:
    """What is remembered of one source file.

    Attributes
    ----------
    key
        The source's key in ids.
    file, sha256
        Its name and the hash of its bytes.
    layer
        The layer it feeds.
    crs, height_datum
        What it was in; empty where a reader of another package knows.
    """

    key: str
    file: str
    sha256: str
    layer: str
    crs: str = ""
    height_datum: str = ""
    date: str = ""
    licence: str = ""
    accuracy_m: float | None = None
    illustrative: bool = False

    def record(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


@dataclass
class Gathered:
    """What has been read so far."""

    frame: Frame
    report: Report
    near: Mapping[str, FeatureTable]
    parts: Parts | None = None
    tables: Layers = field(default_factory=Layers)
    grids: dict[str, Grid] = field(default_factory=dict)
    ranked: dict[str, list[Ranked]] = field(default_factory=dict)
    breaklines: list[str] = field(default_factory=list)
    meshes: MeshPool = field(default_factory=MeshPool)
    bodies: BodyPool = field(default_factory=BodyPool)
    seen: Seen = field(default_factory=Seen)
    held: int = 0

    def read(self, one: Probe, label: str, job: Job) -> None:
        """Read one file, or take over what a stopped build has read of it."""
        if one.survey is not None and one.survey.pieces > 1:
            self._read_long(one, label, job)
            return
        part = None if self.parts is None else self.parts.recall(label)
        if part is not None:
            self._remember(part)
        else:
            start = time.process_time()
            part = self._part(one, job)
            if self.parts is not None:
                self.parts.keep(label, part, cpu_s=time.process_time() - start)
        self._take(one, part)

    def _part(self, one: Probe, job: Job) -> Part:
        """Return what one file gives, beside what was read before."""
        part = Part()
        if one.format is None:
            self._read_whole(load_reader(one.spec.file.suffix), one, part, job)
        elif one.format.reader:
            self._read_whole(inner_reader(one.format.reader).read, one, part, job)
        elif one.head is not None:
            self._read_raster(one, part, job)
        elif one.cloud is not None:
            self._read_cloud(one, part, job)
        else:
            self._read_short(one, part, job)
        return part

    def _take(self, one: Probe, part: Part) -> None:
        """Put what one file gave to the rest."""
        self.report.merge(part.report)
        for table in part.tables:
            self._add(table)
        for grid, priority in part.grids:
            self._add_grid(grid, one.spec.file.name, priority)
        self.meshes = _joined(self.meshes, part.meshes)
        self.bodies = self.bodies.merged(part.bodies) if self.bodies else part.bodies
        if one.spec.options.get("breakline"):
            self._note_breaklines(t.layer for t in part.tables)

    def _note_breaklines(self, layers: Iterable[str]) -> None:
        self.breaklines += dict.fromkeys(n for n in layers if n not in self.breaklines)

    def _read_short(self, one: Probe, part: Part, job: Job) -> None:
        """Read a vector file of one piece."""
        assert one.survey is not None and one.format is not None
        (piece,) = checked_pieces(one.survey, one.format)
        got = read_piece(one, piece, 0, frame=self.frame, seen=self.seen, job=job)
        if self._is_compared(one):
            self._check_shift(one, lying([got.table]))
        part.report = told_as_one(one, [got.report])
        part.tables.append(got.table)
        part.ids[got.table.kind], part.contents[got.table.kind] = got.ids, got.contents

    def _read_long(self, one: Probe, label: str, job: Job) -> None:
        """Read a vector file piece by piece, each of them kept."""
        assert one.survey is not None and one.format is not None
        reports: list[Report] = []
        places: list[Lying] = []
        start, mine = 0, Layers()
        began = time.process_time()
        count, compared = one.survey.count, self._is_compared(one)
        for number, piece in enumerate(checked_pieces(one.survey, one.format)):
            job.step(start, count, what="source.reading", count=(start, count))
            part, load = self._recalled(label, number)
            if part is None:
                slice_ = job.part(start, count, size=min(AT_ONCE, count - start))
                got = read_piece(one, piece, start, frame=self.frame, seen=self.seen, job=slice_)
                part = Part([got.table], report=got.report, ids={got.table.kind: got.ids},
                            contents={got.table.kind: got.contents})  # fmt: skip
                if self.parts is not None:
                    spent = time.process_time() - began if one.survey.held else np.inf
                    load = self.parts.keep(label, part, cpu_s=spent, piece=number)
            start += sum(told.read for told in part.report.counts.values())
            reports.append(part.report)
            if compared:
                places.append(lying([part.tables[0]]))
            if load is None:
                load = self._aside(part.tables[0])
            mine.add(part.tables[0], load)
        if compared:
            self._check_shift(one, joined(places))
        self.tables.join(mine)
        self.report.merge(told_as_one(one, reports))
        if one.spec.options.get("breakline"):
            self._note_breaklines([one.layer])

    def _recalled(self, label: str, number: int) -> tuple[Part | None, Load | None]:
        """Return a piece that a stopped build has read; what it kept is known from now on."""
        part = None if self.parts is None else self.parts.recall(label, number)
        if part is None or self.parts is None:
            return None, None
        self._remember(part)
        return part, self.parts.piece_of(label, number)

    def _remember(self, part: Part) -> None:
        for kind_name, ids in part.ids.items():
            self.seen.add(kind_name, ids, part.contents.get(kind_name))

    def _is_compared(self, one: Probe) -> bool:
        """Tell whether there is anything to see a shift by."""
        beside = {name.partition("/")[0] for name in (*self.near, *self.tables)}
        return one.layer.partition("/")[0] in SHIFTED_KINDS and bool(beside & {"building", "road"})

    def _check_shift(self, one: Probe, mine: Lying) -> None:
        if one.place is not None and one.place.crs not in PSEUDO_CRS:
            standing = Standing([n for n in self.near if n not in self.tables], self.near.get)  # type: ignore[arg-type]
            for reference in (standing, self.tables):
                check_shift(mine, reference, frame=self.frame, file=one.spec.file.name)

    def _add(self, table: FeatureTable) -> None:
        """Put a table to its layer."""
        self.tables.add(table, self._aside(table))

    def _aside(self, table: FeatureTable) -> Load | None:
        """Put rows on disk where many are in memory; None where they stay there."""
        load = None
        if self.parts is not None and self.held + len(table) > _HELD:
            load = self.parts.put(table)
        if load is None:
            self.held += len(table)
        return load

    def _add_grid(self, grid: Grid, file: str, priority: float = 0.0) -> None:
        self.ranked.setdefault(grid.layer, []).append(Ranked(grid, priority, file))
        self.grids.setdefault(grid.layer, grid)

    def finish(self) -> None:
        """Bring together what several files say: one grid a layer, breaklines, heights."""
        clouds = self.ranked.pop("terrain_source", [])
        for layer, ranked in self.ranked.items():
            if len(ranked) > 1:
                self.grids[layer], origin = merged(ranked, report=self.report)
                if origin is not None:
                    self.grids["terrain_source"] = origin
        if clouds and len(self.ranked.get("terrain", [])) == 1:
            self.grids["terrain_source"] = clouds[0].grid
        terrain, surface = self.grids.get("terrain"), self.grids.get("surface")
        if terrain is None:
            return
        if surface is not None:
            origin = self.grids.get("terrain_source")
            for name in self.tables:
                if name.partition("/")[0] in MEASURED and self.tables.count(name):
                    self._measure(name, terrain, surface, origin)
        for name in self.breaklines:
            origin = self.grids.get("terrain_source")
            self.grids["terrain"], self.grids["terrain_source"] = with_breaklines(
                self.grids["terrain"], origin, self.tables[name], report=self.report
            )

    def _measure(self, name: str, terrain: Grid, surface: Grid, origin: Grid | None) -> None:
        """Give the buildings of a layer the heights they lack."""
        pieces = partial(self.tables.pieces, name)
        fresh = with_heights(pieces, terrain, surface, origin, report=self.report)
        if fresh is None:
            return
        long = self.parts is not None and not self.tables.in_memory
        self.tables.replace(
            name, ((t, self.parts.put(t) if long and self.parts else None) for t in fresh)
        )

    def _read_cloud(self, one: Probe, part: Part, job: Job) -> None:
        assert one.cloud is not None and one.place is not None
        grids = read_cloud(
            one.spec, one.cloud, one.place, frame=self.frame, report=part.report, job=job
        )
        part.grids += [(grid, _priority(one.spec)) for grid in grids]

    def _read_raster(self, one: Probe, part: Part, job: Job) -> None:
        assert one.format is not None and one.head is not None and one.place is not None
        grid = read_raster(
            one.spec,
            layer=one.layer,
            format=one.format,
            head=one.head,
            place=one.place,
            frame=self.frame,
            report=part.report,
            job=job,
        )
        count = part.report.layer(one.layer)
        count.read += 1
        count.kept += 1
        part.grids.append((grid, _priority(one.spec)))

    def _read_whole(self, reader: Reader, one: Probe, part: Part, job: Job) -> None:
        loaded: Loaded = reader(
            one.spec,
            frame=self.frame,
            report=part.report,
            near=ChainMap(self.tables, self.near),  # type: ignore[arg-type]
            job=job,
        )
        for table in loaded.tables:
            ids = [str(id_) for id_ in table.ids]
            known = self.seen.known(table.kind, ids)
            if known.any():
                values = {"id": ids[int(np.argmax(known))], "count": int(known.sum())}
                raise SourceError("source.ids_twice", given=one.spec.file.name, values=values)
            self.seen.add(table.kind, ids)
            part.ids[table.kind] = part.ids.get(table.kind, []) + ids
        part.tables += loaded.tables
        part.grids += [(grid, 0.0) for grid in loaded.grids]
        part.meshes, part.bodies = loaded.meshes, loaded.bodies


def _priority(spec: LayerSpec) -> float:
    """Return which of several grids of a layer counts: the highest first."""
    given = spec.options.get("priority", 0)
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        values = {"file": spec.file.name, "type": "number"}
        raise SourceError("source.constant", given=f"priority = {given!r}", values=values)
    return float(given)


def _joined(first: MeshPool, second: MeshPool) -> MeshPool:
    if not first.meshes and not first.instances:
        return second
    return first.merged(second)


def record_of(one: Probe, digest: str) -> SourceRecord:
    """Return what is remembered of a file."""
    spec = one.spec
    return SourceRecord(
        key=spec.source_key,
        file=spec.file.name,
        sha256=digest,
        layer=one.layer,
        crs=one.place.crs if one.place else (spec.crs or ""),
        height_datum=(one.place.height_datum if one.place else spec.height_datum) or "",
        date=spec.date,
        licence=spec.licence,
        accuracy_m=spec.accuracy_m,
        illustrative=spec.illustrative,
    )
