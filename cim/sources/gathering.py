"""What a build has read so far: layers, grids, bodies, sources, and what they make together."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from cim.crs import PSEUDO_CRS, Frame
from cim.errors import SourceError
from cim.jobs import Job
from cim.model.body import BodyPool
from cim.model.grid import Grid
from cim.model.mesh import MeshPool
from cim.model.table import FeatureTable, concat
from cim.sources.between import check_shift
from cim.sources.heights import with_heights
from cim.sources.parts import Part
from cim.sources.points import read_cloud
from cim.sources.probe import Probe, look_again
from cim.sources.raster import read_raster
from cim.sources.readers import inner_reader, load_reader
from cim.sources.report import Report
from cim.sources.spec import LayerSpec, Loaded, Reader
from cim.sources.terrain import Ranked, merged, with_breaklines
from cim.sources.vector import Seen, read_vector

__all__ = ["Gathered", "SourceRecord"]


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
    near: dict[str, FeatureTable]
    tables: dict[str, FeatureTable] = field(default_factory=dict)
    grids: dict[str, Grid] = field(default_factory=dict)
    ranked: dict[str, list[Ranked]] = field(default_factory=dict)
    breaklines: list[str] = field(default_factory=list)
    meshes: MeshPool = field(default_factory=MeshPool)
    bodies: BodyPool = field(default_factory=BodyPool)
    sources: list[SourceRecord] = field(default_factory=list)
    seen: Seen = field(default_factory=Seen)

    def read(self, one: Probe, job: Job) -> Part:
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
            self._read_vector(one, part, job)
        return part

    def take(self, one: Probe, part: Part, digest: str) -> None:
        """Put what one file gave to the rest."""
        self.report.merge(part.report)
        for table in part.tables:
            self._add(table)
        for grid, priority in part.grids:
            self._add_grid(grid, one.spec.file.name, priority)
        self.meshes = _joined(self.meshes, part.meshes)
        self.bodies = self.bodies.merged(part.bodies) if self.bodies else part.bodies
        for kind_name, ids in part.ids.items():
            self.seen.ids.setdefault(kind_name, {}).update((i, i) for i in ids)
        for kind_name, contents in part.contents.items():
            self.seen.contents.setdefault(kind_name, {}).update(contents)
        if one.spec.options.get("breakline"):
            named = (t.layer for t in part.tables if t.layer not in self.breaklines)
            self.breaklines += dict.fromkeys(named)
        self.sources.append(_record(one, digest))

    def _read_vector(self, one: Probe, part: Part, job: Job) -> None:
        if one.rows is None:
            look_again(one)
        what = str(one.spec.kind)
        known = self.seen.ids.setdefault(what, {})
        contents = self.seen.contents.setdefault(what, {})
        before = len(known), len(contents)
        table = read_vector(one, frame=self.frame, report=part.report, seen=self.seen, job=job)
        if one.place is not None and one.place.crs not in PSEUDO_CRS:
            beside = {**self.near, **self.tables}
            check_shift(table, beside, frame=self.frame, file=one.spec.file.name)
        part.tables.append(table)
        part.ids[what] = list(islice(known, before[0], None))
        part.contents[what] = dict(islice(contents.items(), before[1], None))

    def _add(self, table: FeatureTable) -> None:
        before = self.tables.get(table.layer)
        self.tables[table.layer] = table if before is None else concat([before, table])

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
            for name, table in self.tables.items():
                if table.kind in ("building", "building_part") and len(table):
                    self.tables[name] = with_heights(
                        table, terrain, surface, origin, report=self.report
                    )
        for name in self.breaklines:
            origin = self.grids.get("terrain_source")
            self.grids["terrain"], self.grids["terrain_source"] = with_breaklines(
                self.grids["terrain"], origin, self.tables[name], report=self.report
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
            near={**self.near, **self.tables},
            job=job,
        )
        for table in loaded.tables:
            known = self.seen.ids.setdefault(table.kind, {})
            ids = [str(id_) for id_ in table.ids]
            twice = [id_ for id_ in ids if id_ in known]
            if twice:
                values = {"id": twice[0], "count": len(twice)}
                raise SourceError("source.ids_twice", given=one.spec.file.name, values=values)
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


def _record(one: Probe, digest: str) -> SourceRecord:
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
