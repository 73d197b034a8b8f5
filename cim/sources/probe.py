"""A first look at every file, before anything is built: what it is, where, how much.

The frame is chosen from all files together, and a file that cannot be trusted stops the
build before another one has been worked on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cim.crs import Box
from cim.errors import CimError, SourceError
from cim.jobs import QUIET, Job
from cim.model.kinds import kind, kinds
from cim.sources.archive import unpack
from cim.sources.columns import Rows
from cim.sources.feeding import with_named_units
from cim.sources.opening import Format, check_file
from cim.sources.osm import cut_osm
from cim.sources.osm_tags import PARTS
from cim.sources.place import Place, place_of, settled_place
from cim.sources.points import CloudHead, look_at_cloud
from cim.sources.raster import RasterHead, look_at_raster
from cim.sources.readers import inner_reader, outer_readers
from cim.sources.report import Report
from cim.sources.rows import parts_of, row_pieces
from cim.sources.shapes import from_wkb
from cim.sources.spec import LayerSpec, source_key
from cim.sources.survey import AT_ONCE, Survey, survey

__all__ = ["Probe", "expand", "guess_kind", "probe"]

_WORDS = {
    "building_part": ("building_part", "buildingpart"),
    "building": ("building", "buildings", "bldg", "house", "houses", "footprint", "footprints",
                 "建筑", "房屋", "楼"),
    "road": ("road", "roads", "street", "streets", "highway", "道路", "路网", "街"),
    "tree": ("tree", "trees", "树木", "行道树", "古树"),
    "green": ("green", "greens", "park", "parks", "绿地", "公园"),
    "water": ("water", "waters", "river", "rivers", "lake", "lakes", "水系", "河流", "湖"),
    "pipe_node": ("pipe_node", "pipe_nodes", "manhole", "manholes", "管点", "检查井"),
    "pipe": ("pipe", "pipes", "sewer", "sewers", "drain", "drains", "管线", "管网"),
    "wall": ("wall", "walls", "fence", "fences", "院墙", "围墙"),
    "parcel": ("parcel", "parcels", "lot", "lots", "地块", "宗地"),
    "land_use": ("landuse", "land_use", "用地"),
    "address": ("address", "addresses", "门牌", "地址"),
    "sensor": ("sensor", "sensors", "传感器", "感知"),
    "admin_unit": ("admin", "district", "districts", "boundary", "行政区"),
    "transit_stop": ("stop", "stops", "station", "stations", "站点"),
    "catchment": ("catchment", "catchments", "排水分区"),
    "surface": ("dsm", "surface"),
    "image": ("image", "ortho", "orthophoto", "dop", "aerial", "basemap", "影像", "正射", "航片"),
    "land_cover": ("landcover", "land_cover", "lulc", "地表覆盖"),
    "terrain": ("dem", "dtm", "terrain", "ground", "地形", "高程"),
}  # fmt: skip
_MODELS = ("cityjson", "citygml")
_FORMS = frozenset("gml xml citygml json jsonl city cityjson compress compressed min".split())
_BY_DIMENSION = {0: "generic", 1: "road", 2: "building"}
_DIMENSION_OF = {"point": 0, "line": 1, "polygon": 2}


@dataclass
class Probe:
    """What the first look found.

    Attributes
    ----------
    spec, layer
        The layer's specification, its kind settled, and its name in the twin.
    format
        None for a file that a reader of the packages above reads. Of one with a ``reader``
        the layer is only a name: its objects say theirs.
    place, bounds
        System, and the box of the middle of the data in it; None for such a file.
    survey, head, cloud
        What was seen on the way: of a vector file, a raster, a point cloud.
    """

    spec: LayerSpec
    layer: str
    format: Format | None = None
    place: Place | None = None
    bounds: Box | None = None
    survey: Survey | None = None
    head: RasterHead | None = None
    cloud: CloudHead | None = None

    @property
    def order(self) -> tuple[str, ...]:
        """Return what orders files whatever order they are given in.

        Grids and streets come first: later layers are checked against them.
        """
        first = {"terrain": "0", "road": "1", "building": "2"}
        kind_name = self.layer.partition("/")[0]
        rank = "9" if self.format is None else first.get(kind_name, "5")
        if self.format is not None and self.format.reader:
            rank = "2"
        return (rank, self.layer, self.spec.source_key, self.spec.file.name, self.spec.part)


def expand(
    specs: tuple[LayerSpec, ...], into: Path, *, report: Report, job: Job = QUIET
) -> list[LayerSpec]:
    """Return the layers with archives unpacked, and OpenStreetMap files cut, into `into`.

    Raises
    ------
    SourceError
        An archive that is not safe to unpack.
    """
    out: list[LayerSpec] = []
    for number, spec in enumerate(specs):
        out += _expanded(spec, into / str(number), report, job)
    return out


def _expanded(spec: LayerSpec, folder: Path, report: Report, job: Job) -> list[LayerSpec]:
    found = None if _outer(spec) else check_file(spec.file)
    if found is None or (found.carrier != "archive" and found.driver != "OSM"):
        return [spec]
    folder.mkdir()
    if found.driver == "OSM":
        if "at" in spec.options:
            raise _no_place_of_its_own(spec)
        return _osm_layers(spec, folder, report, job)
    inner = unpack(spec.file, folder)
    wanted = [file for file in inner if file.name == spec.options.get("member")] or inner
    wanted = _one_form_each(wanted, spec, report)
    out: list[LayerSpec] = []
    for number, file in enumerate(wanted):
        one = check_file(file)
        if one.driver == "OSM":
            out += _expanded(replace(spec, file=file), folder / f"osm{number}", report, job)
        elif one.driver in ("CSV", "XLSX") and len(wanted) > 1 and not _has_place(spec, file, one):
            says = {"member": file.name}
            report.note("source.archive_skipped", file=spec.file.name, layer="", values=says)
        else:
            parts = [p for p, t in parts_of(file, one) if t is not None or one.driver == "XLSX"]
            out += [replace(spec, file=file, part=p) for p in ([spec.part] if spec.part else parts)]
    return out


def _one_form_each(files: list[Path], spec: LayerSpec, report: Report) -> list[Path]:
    """Return the files without other forms of a city model that is there already, said aloud.

    A model is often delivered as CityGML and CityJSON side by side: taken twice, every
    building would stand twice. Forms of one model have one name but for
    the words of `_FORMS` at its end.
    """
    forms: dict[tuple[Path, str], list[Path]] = {}
    for file in files:
        if check_file(file).reader in _MODELS:
            forms.setdefault((file.parent, _bare(file.name)), []).append(file)
    left_out: set[Path] = set()
    for some in (names for names in forms.values() if len(names) > 1):
        some.sort(key=lambda f: (f.suffix.lower() not in (".gml", ".xml", ".citygml"), f.name))
        taken = next((f for f in some if _is_readable(replace(spec, file=f))), some[0])
        for file in some:
            if file != taken:
                left_out.add(file)
                says = {"member": file.name, "taken": taken.name}
                report.note("source.archive_same", file=spec.file.name, layer="", values=says)
    return [file for file in files if file not in left_out]


def _bare(name: str) -> str:
    words = name.split(".")
    while len(words) > 1 and words[-1].lower() in _FORMS:
        words.pop()
    return ".".join(words)


def _is_readable(spec: LayerSpec) -> bool:
    reader = check_file(spec.file).reader
    try:
        inner_reader(str(reader)).look(spec, report=Report())
    except SourceError:
        return False
    except CimError:  # what it is in can still be said by the caller
        return True
    return True


def _has_place(spec: LayerSpec, file: Path, found: Format) -> bool:
    """Tell whether a table beside other files of an archive says where its rows are."""
    try:
        next(row_pieces(replace(spec, file=file), found, Report(), "", at_once=AT_ONCE), None)
    except SourceError as error:
        return error.key not in ("source.table_no_place", "source.table_heading")
    return True


def _osm_layers(spec: LayerSpec, folder: Path, report: Report, job: Job) -> list[LayerSpec]:
    """Return the layers of an OpenStreetMap file, those of the spec's kind where it has one."""
    building = replace(spec, part="building")
    cuts = cut_osm(spec.file, folder, source_key=source_key(building), report=report, job=job)
    made = []
    for cut in cuts:
        part = PARTS[cut.part]
        if spec.kind in (None, part.kind) and spec.part in ("", cut.part):
            made.append(
                replace(
                    spec,
                    kind=part.kind,
                    name=spec.name or part.name,
                    part=cut.part,
                    id_field="osm_id",
                    columns={**part.feeds, **spec.columns},
                    units={**part.units, **spec.units},
                    options={"arrow": str(cut.file), "free_text": True},
                )
            )
    if not made:
        raise SourceError("source.no_features", given=spec.file.name)
    return made


def _no_place_of_its_own(spec: LayerSpec) -> SourceError:
    """Return the error for the option ``at`` of a file that always says where it lies."""
    given = f"at = {spec.options['at']!r}"
    return SourceError("source.at_not_here", given=given, values={"file": spec.file.name})


def _outer(spec: LayerSpec) -> bool:
    return spec.file.suffix.lower().removeprefix(".") in outer_readers()


def probe(spec: LayerSpec, *, report: Report, job: Job = QUIET) -> Probe:
    """Look at one file.

    Raises
    ------
    SourceError
        The file cannot be trusted.
    FrameError
        Nobody says what it is in, or the numbers contradict it.
    """
    if _outer(spec):
        if not spec.file.is_file():
            raise SourceError("source.missing", given=str(spec.file))
        return Probe(spec, spec.name or spec.kind or spec.file.suffix[1:])
    found = check_file(spec.file)
    if found.carrier == "points":
        return _probe_cloud(spec, found, report)
    if found.reader:
        place, bounds = inner_reader(found.reader).look(spec, report=report)
        return Probe(spec, spec.name or spec.file.stem, found, place, bounds)
    return (
        _probe_raster(spec, found, report)
        if found.carrier == "raster"
        else _probe_vector(spec, found, report, job)
    )


def _probe_cloud(spec: LayerSpec, found: Format, report: Report) -> Probe:
    if spec.kind not in (None, "terrain"):
        raise SourceError("source.not_features", given=str(spec.kind),
                          values={"file": spec.file.name, "carrier": "points"})  # fmt: skip
    head = look_at_cloud(spec.file)
    settled = replace(spec, kind="terrain")
    place = place_of(settled, head.crs, head.crs is not None, report=report, layer="terrain")
    place = settled_place(head.bounds, place, settled, report=report, layer="terrain")
    return Probe(settled, "terrain", found, place, place.box(head.bounds), cloud=head)


def _probe_raster(spec: LayerSpec, found: Format, report: Report) -> Probe:
    head = look_at_raster(spec, found)
    settled = _settle_raster(spec, head, report)
    layer = _layer(settled)
    if "at" in spec.options:
        raise _no_place_of_its_own(spec)
    place = place_of(settled, head.crs, head.crs is not None, report=report, layer=layer)
    if not np.isfinite(head.bounds).all():
        raise SourceError("source.raster_no_place", given=spec.file.name)
    place = settled_place(head.bounds, place, settled, report=report, layer=layer)
    return Probe(settled, layer, found, place, head.bounds, head=head)


def _settle_raster(spec: LayerSpec, head: RasterHead, report: Report) -> LayerSpec:
    """Return `spec` with its kind: one that is red, green and blue is an image, said aloud."""
    if spec.kind is not None or not head.colours:
        return _settle_kind(spec, "grid", report)
    report.note("source.kind_by_colours", file=spec.file.name, layer="image")
    return replace(spec, kind="image")


def _probe_vector(spec: LayerSpec, found: Format, report: Report, job: Job) -> Probe:
    if found.driver in ("GPKG", "XLSX") and not spec.part:
        listed = parts_of(spec.file, found)
        parts = [name for name, type_ in listed if type_ is not None or found.driver == "XLSX"]
        if len(parts) > 1:
            values = {"known": ", ".join(parts)}
            raise SourceError("source.which_part", given=spec.file.name, values=values)
    early, kinds_told = Report(), Report()

    def settle(rows: Rows) -> LayerSpec:
        settled = _settle_kind(spec, _dimension(rows), kinds_told)
        if kind(str(settled.kind)).carrier == "grid":
            values = {"kind": str(settled.kind)}
            raise SourceError("source.not_a_grid", given=spec.file.name, values=values)
        what = kind(str(settled.kind))
        return with_named_units(rows.columns, settled, what, kinds_told, _layer(settled))

    seen = survey(spec, found, settle, report=early, job=job)
    layer = _layer(seen.spec)
    report.merge(kinds_told)
    for entry in early.entries:
        report.note(entry.reason, file=entry.file, layer=layer, values=entry.values)
    place = place_of(seen.spec, seen.crs, seen.stated, report=report, layer=layer)
    if place.lift_m:
        given = f"at = {spec.options['at']!r}"
        raise SourceError("source.at", given=given, values={"file": spec.file.name})
    bounds = seen.settle(geographic=place.geographic)
    if bounds is not None:
        place = settled_place(bounds, place, seen.spec, report=report, layer=layer)
        bounds = place.box(bounds)
    seen.judge()
    return Probe(seen.spec, layer, found, place, bounds, survey=seen)


def _layer(spec: LayerSpec) -> str:
    return f"{spec.kind}/{spec.name}" if spec.name else str(spec.kind)


def _dimension(rows: Rows) -> str:
    """Return the carrier that most geometries of the first thousand have."""
    import shapely

    some = [item for item in rows.wkb[:1000] if item is not None]
    if not some:
        return "any"
    found = shapely.get_dimensions(from_wkb(some))
    counts = [int((found == d).sum()) for d in (0, 1, 2)]
    return ("point", "line", "polygon")[int(np.argmax(counts))] if max(counts) else "any"


def _settle_kind(spec: LayerSpec, carrier: str, report: Report) -> LayerSpec:
    """Return `spec` with its kind, guessed and said aloud where it has none."""
    if spec.kind is not None:
        if carrier == "grid" and kind(spec.kind).carrier != "grid":
            values = {"file": spec.file.name, "carrier": kind(spec.kind).carrier}
            raise SourceError("source.not_features", given=spec.kind, values=values)
        return spec
    name, key = guess_kind((spec.part, spec.file.stem), carrier)
    report.note(key, file=spec.file.name, layer=name, values={"kind": name})
    return replace(spec, kind=name)


def guess_kind(names: tuple[str, ...], carrier: str) -> tuple[str, str]:
    """Return the likely kind of a file and the message that says why.

    Parameters
    ----------
    names
        Names to look at, the most telling first.
    carrier
        ``point``, ``line``, ``polygon``, ``grid`` or ``any``: a kind with another
        carrier is not meant.

    Examples
    --------
    >>> guess_kind(("roads_2024",), "line")
    ('road', 'source.kind_by_name')
    """
    for name in names:
        words = set(re.split(r"[^a-z]+", name.lower())) | {name.lower()}
        for candidate, known in _WORDS.items():
            chinese = any(word in name for word in known if not word.isascii())
            hit = chinese or bool(words & {candidate, *known}) or candidate == name.lower()
            if hit and kinds()[candidate].carrier in (carrier, "any"):
                return candidate, "source.kind_by_name"
    if carrier == "grid":
        return "terrain", "source.kind_by_geometry"
    return _BY_DIMENSION.get(_DIMENSION_OF.get(carrier, 0), "generic"), "source.kind_by_geometry"
