"""From a district's files to a twin in memory: look at all, choose the frame, read, check.

Nothing is written here; the store keeps what this returns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from cim.crs import Frame
from cim.errors import CimError, SourceError
from cim.jobs import QUIET, Job
from cim.model.table import FeatureTable
from cim.model.twin import Twin
from cim.registry import standard
from cim.sources.between import check_between
from cim.sources.district import District, specs_from_files
from cim.sources.doubled import tell_doubled
from cim.sources.framing import common_frame, zone_there
from cim.sources.gathering import Gathered, SourceRecord, record_of
from cim.sources.osm import EDGE
from cim.sources.parts import Parts, chain
from cim.sources.probe import Probe, expand, probe
from cim.sources.report import Report
from cim.sources.spec import LayerSpec
from cim.sources.tables import Observations, read_observations

__all__ = ["Built", "SourceRecord", "build_twin", "district_from_files"]

_HELD = 200_000  # objects held from the first look to the reading; more files are opened again


@dataclass(frozen=True)
class Built:
    """What a build made: the twin, the account of it, its sources and observations.

    ``name`` is a hash of all it was made of: the same inputs make the same.
    """

    twin: Twin
    report: Report
    sources: tuple[SourceRecord, ...] = ()
    observations: Observations = field(default_factory=Observations)
    title: Mapping[str, str] = field(default_factory=dict)
    name: str = ""


def district_from_files(
    files: Iterable[Path],
    *,
    crs: str | None = None,
    height_datum: str | None = None,
    kind: str | None = None,
    at: Sequence[float] | None = None,
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
    specs = specs_from_files(paths, crs=crs, height_datum=height_datum, kind=kind, at=at)
    return District(name=paths[0].stem, layers=specs)


def build_twin(
    district: District,
    *,
    frame: str | Frame | None = None,
    frame_height: str | None = None,
    near: Mapping[str, FeatureTable] | None = None,
    strict: bool = False,
    accept_rejects: bool = False,
    parts: Parts | None = None,
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
    parts
        Where what took long to read is kept, and taken over from a build that was stopped.
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
        probes = _looked_at(specs, report, job)
        chosen = common_frame(
            district, probes, frame=frame, frame_height=frame_height, report=report
        )
        probes.sort(key=lambda p: p.order)
        made = Gathered(chosen, report, {} if near is None else near, parts)
        digests = _digests(probes)
        names, labels = _names(probes, digests, chosen, district), _labels(probes)
        if parts is not None:
            parts.begin(list(zip(labels, names, strict=True)))
        for done, (one, label) in enumerate(zip(probes, labels, strict=True)):
            job.step(len(specs) + done, 2 * len(specs), what="source.reading")
            with _there(one.spec.file):
                made.read(one, label, job.part(len(specs) + done, 2 * len(specs)))
            if one.survey is not None:
                one.survey.held = []
            whole = one.format is not None and one.format.reader
            for layer in list(report.counts) if whole else [one.layer]:
                _judge(report, layer, strict=strict, accept_rejects=accept_rejects)
        made.finish()
    check_between(made.tables, made.grids, report=report)
    tell_doubled(made.tables, {} if near is None else near, report=report)
    twin = Twin(
        name=district.name,
        frame=chosen,
        tables=dict(made.tables) if made.tables.in_memory else made.tables,
        rasters=made.grids,
        pool=made.meshes,
        body_pool=made.bodies,
        zone=district.zone or zone_there(chosen, report=report if near is None else Report()),
    )
    watched = read_observations(district.observations, sensors=_sensors(made.tables), report=report)
    _judge(report, "observations", strict=strict, accept_rejects=accept_rejects)
    sources = tuple(record_of(one, digests[one.spec.file]) for one in probes)
    return Built(twin, report, sources, watched, district.title, names[-1])


def _looked_at(specs: list[LayerSpec], report: Report, job: Job) -> list[Probe]:
    probes: list[Probe] = []
    held = 0
    for done, spec in enumerate(specs):
        job.step(done, 2 * len(specs), what="source.looking")
        with _there(spec.file):
            one = probe(spec, report=report, job=job.part(done, 2 * len(specs)))
        if one.survey is not None and one.survey.held:
            held += one.survey.count
            if held > _HELD:
                one.survey.held = []
        probes.append(one)
    return probes


@contextmanager
def _there(path: Path) -> Iterator[None]:
    """Name the file where the disk refuses it, or it is gone since it was looked at."""
    try:
        yield
    except CimError:
        raise
    except OSError as error:
        why = error.strerror or str(error)
        key = "source.unreadable" if path.exists() else "source.vanished"
        raise SourceError(key, given=path.name, values={"why": why}) from error


def _digests(probes: Iterable[Probe]) -> dict[Path, str]:
    """Return the hash of the bytes of every file."""
    found: dict[Path, str] = {}
    for one in probes:
        if one.spec.file not in found:
            with _there(one.spec.file), one.spec.file.open("rb") as file:
                found[one.spec.file] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _names(
    probes: list[Probe], digests: Mapping[Path, str], frame: Frame, district: District
) -> list[str]:
    watched = [repr(one) for one in district.observations]
    more = [district.name, district.zone, repr(district.title), *watched]
    inputs = [(p.spec, digests[p.spec.file], f"{p.layer} {p.place}") for p in probes]
    return chain(inputs, frame=frame, more=more)


def _labels(probes: Iterable[Probe]) -> list[str]:
    """Return how a person tells the files apart."""
    found: list[str] = []
    for one in probes:
        name = f"{one.spec.file.name} ({one.layer})"
        found.append(name if name not in found else f"{name} {found.count(name) + len(found)}")
    return found


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
    for table in (tables[name] for name in tables if name.partition("/")[0] == "sensor"):
        for name in ("name", "source_id"):
            found |= {
                text: str(id_)
                for text, id_ in zip(table.texts(name), table.ids, strict=True)
                if text
            }
        found |= {str(id_): str(id_) for id_ in table.ids}
    return found
