"""From a district's files to a twin in memory: look at all, choose the frame, read, check.

Nothing is written here; the store keeps what this returns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cim.crs import (
    PSEUDO_CRS,
    Frame,
)
from cim.errors import SourceError
from cim.jobs import QUIET, Job, Progress
from cim.model.body import BodyPool
from cim.model.grid import Grid
from cim.model.mesh import MeshPool
from cim.model.table import FeatureTable, concat
from cim.model.twin import Twin
from cim.registry import standard
from cim.sources.between import check_between, check_shift
from cim.sources.district import District, specs_from_files
from cim.sources.framing import common_frame
from cim.sources.heights import with_heights
from cim.sources.osm import EDGE
from cim.sources.points import read_cloud
from cim.sources.probe import Probe, expand, probe
from cim.sources.raster import read_raster
from cim.sources.readers import inner_reader, load_reader
from cim.sources.report import Report
from cim.sources.spec import LayerSpec, Loaded, Reader
from cim.sources.tables import Observations, read_observations
from cim.sources.terrain import Ranked, merged, with_breaklines
from cim.sources.vector import Seen, read_vector

__all__ = ["Built", "SourceRecord", "build_twin", "district_from_files"]


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


@dataclass(frozen=True)
class Built:
    """What a build made: the twin, the account of it, its sources and observations."""

    twin: Twin
    report: Report
    sources: tuple[SourceRecord, ...] = ()
    observations: Observations = field(default_factory=Observations)
    title: Mapping[str, str] = field(default_factory=dict)


def district_from_files(
    files: Iterable[Path],
    *,
    crs: str | None = None,
    height_datum: str | None = None,
    kind: str | None = None,
) -> District:
    """Return a district of plain files; see `specs_from_files`.

    Raises
    ------
    SourceError
        No file, or one that cannot be opened.
    """
    paths = [Path(file) for file in files]
    if not paths:
        raise SourceError("source.no_files")
    specs = specs_from_files(paths, crs=crs, height_datum=height_datum, kind=kind)
    return District(name=paths[0].stem, layers=specs)


def build_twin(
    district: District,
    *,
    frame: str | Frame | None = None,
    frame_height: str | None = None,
    near: Mapping[str, FeatureTable] | None = None,
    strict: bool = False,
    accept_rejects: bool = False,
    job: Job = QUIET,
) -> Built:
    """Build a twin in memory from a district's files.

    Parameters
    ----------
    district
        The files and what is known of them.
    frame, frame_height
        The twin's system and height datum, over what the district says; a `Frame` is
        taken as it is (an update of a twin that stands).
    near
        Layers that stand already in that frame; new ones are checked against them.
    strict
        Take no object that had to be repaired or rejected.
    accept_rejects
        Go on although more than the share in ``quality.rejected_share`` is rejected.
    job
        Progress and cancel.

    Raises
    ------
    SourceError
        A file that cannot be trusted, too many rejected objects, or any fault when strict.
    FrameError
        A coordinate system or height datum that is missing or contradicted.
    UnitError
        A unit that is unknown or impossible.
    """
    report = Report()
    if not district.layers:
        raise SourceError("source.no_files")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="cim-")))
        specs = expand(district.layers, folder, report=report, job=job)
        probes = []
        for done, spec in enumerate(specs):
            job.step(done, 2 * len(specs), what="source.looking")
            probes.append(probe(spec, report=report))
        chosen = common_frame(
            district, probes, frame=frame, frame_height=frame_height, report=report
        )
        made = _Made(chosen, report, dict(near or {}))
        for done, one in enumerate(sorted(probes, key=lambda p: p.order)):
            job.step(len(specs) + done, 2 * len(specs), what="source.reading")
            made.read(one, _part(job, len(specs) + done, 2 * len(specs)))
            whole = one.format is not None and one.format.reader
            for layer in list(report.counts) if whole else [one.layer]:
                _judge(report, layer, strict=strict, accept_rejects=accept_rejects)
        made.finish()
    check_between(made.tables, made.grids, report=report)
    twin = Twin(
        name=district.name,
        frame=chosen,
        tables=made.tables,
        rasters=made.grids,
        pool=made.meshes,
        body_pool=made.bodies,
        zone=district.zone,
    )
    watched = read_observations(district.observations, sensors=_sensors(made.tables), report=report)
    _judge(report, "observations", strict=strict, accept_rejects=accept_rejects)
    return Built(twin, report, tuple(made.sources), watched, district.title)


def _part(job: Job, done: int, total: int) -> Job:
    """Return a job whose steps count as one of `total` of `job`; a cancel reaches both."""
    listen = job.listen
    if listen is None:
        return job

    def hear(progress: Progress) -> None:
        listen(Progress(progress.what, done + progress.share, total))

    return replace(job, listen=hear)


@dataclass
class _Made:
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

    def read(self, one: Probe, job: Job) -> None:
        """Read one file into layers."""
        if one.format is None:
            self._read_whole(load_reader(one.spec.file.suffix), one, job)
        elif one.format.reader:
            self._read_whole(inner_reader(one.format.reader).read, one, job)
        elif one.head is not None:
            self._read_raster(one, job)
        elif one.cloud is not None:
            self._read_cloud(one, job)
        else:
            table = read_vector(one, frame=self.frame, report=self.report, seen=self.seen, job=job)
            if one.place is not None and one.place.crs not in PSEUDO_CRS:
                known = {**self.near, **self.tables}
                check_shift(table, known, frame=self.frame, file=one.spec.file.name)
            self._add(table)
            if one.spec.options.get("breakline") and table.layer not in self.breaklines:
                self.breaklines.append(table.layer)
        one.rows = one.checked = None
        self.sources.append(_record(one))

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

    def _read_cloud(self, one: Probe, job: Job) -> None:
        assert one.cloud is not None and one.place is not None
        spec = one.spec
        grids = read_cloud(
            spec, one.cloud, one.place, frame=self.frame, report=self.report, job=job
        )
        for grid in grids:
            self._add_grid(grid, spec.file.name, _priority(spec))

    def _read_raster(self, one: Probe, job: Job) -> None:
        assert one.format is not None and one.head is not None and one.place is not None
        grid = read_raster(
            one.spec,
            layer=one.layer,
            format=one.format,
            head=one.head,
            place=one.place,
            frame=self.frame,
            report=self.report,
            job=job,
        )
        count = self.report.layer(one.layer)
        count.read += 1
        count.kept += 1
        self._add_grid(grid, one.spec.file.name, _priority(one.spec))

    def _read_whole(self, reader: Reader, one: Probe, job: Job) -> None:
        loaded: Loaded = reader(
            one.spec,
            frame=self.frame,
            report=self.report,
            near={**self.near, **self.tables},
            job=job,
        )
        for table in loaded.tables:
            known = self.seen.ids.setdefault(table.kind, {})
            twice = [str(id_) for id_ in table.ids if id_ in known]
            if twice:
                values = {"id": twice[0], "count": len(twice)}
                raise SourceError("source.ids_twice", given=one.spec.file.name, values=values)
            known.update((str(id_), str(id_)) for id_ in table.ids)
            self._add(table)
        for grid in loaded.grids:
            self._add_grid(grid, one.spec.file.name)
        self.meshes = _joined(self.meshes, loaded.meshes)
        self.bodies = self.bodies.merged(loaded.bodies) if self.bodies else loaded.bodies


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


def _judge(report: Report, layer: str, *, strict: bool, accept_rejects: bool) -> None:
    """Stop when too much was rejected, or anything at all when strict."""
    count = report.counts.get(layer)
    if count is None or count.read == 0:
        return
    mine = [e for e in report.entries if e.layer == layer and e.action != "note"]
    first = mine[0].record() if mine else {}
    values = {
        "rejected": count.rejected,
        "repaired": count.repaired,
        "read": count.read,
        "first": f"{first.get('object', '')}: {first.get('reason', '')}",
    }
    if strict and (count.rejected or count.repaired):
        raise SourceError("source.strict", given=layer, values=values)
    limit = standard("quality.rejected_share").number()
    faults = count.rejected - sum(e.reason in EDGE for e in mine)
    if faults > limit * count.read and not accept_rejects:
        values["limit"] = f"{limit:.0%}"
        raise SourceError("source.too_many_rejected", given=layer, values=values)


def _sensors(tables: Mapping[str, FeatureTable]) -> dict[str, str]:
    """Return what observations may call a sensor -> its id."""
    found: dict[str, str] = {}
    for table in tables.values():
        if table.kind != "sensor":
            continue
        for name in ("name", "source_id"):
            found |= {
                text: str(id_)
                for text, id_ in zip(table.texts(name), table.ids, strict=True)
                if text
            }
        found |= {str(id_): str(id_) for id_ in table.ids}
    return found


def _record(one: Probe) -> SourceRecord:
    spec = one.spec
    with spec.file.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
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
