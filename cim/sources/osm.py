"""OpenStreetMap files (.osm, .osm.bz2, .osm.gz, .osm.pbf) cut into layers, streamed.

Two passes of pyosmium: relations first, to know which ways they need, then nodes and
ways. Features go to disk in batches, so memory holds the places of the nodes, the
roads, and the outlines of multipolygons, never the file. What an extract lacks at its
edge is named: a line is cut there, an area that is not whole is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import SourceError
from cim.jobs import QUIET, Job
from cim.model.ids import own_ids
from cim.registry import standard
from cim.sources.arrow import Batches
from cim.sources.osm_mend import mend
from cim.sources.osm_roads import Road, cut_roads, restrictions
from cim.sources.osm_shapes import (
    NOWHERE,
    line_of,
    lines_of,
    point_of,
    polygon_of,
    whole_pieces,
    without_loose_inner,
)
from cim.sources.osm_tags import PARTS, address_of, attributes_of, layers_of, main_tag
from cim.sources.report import Report

__all__ = ["EDGE", "Cut", "cut_osm"]

EDGE = frozenset(
    [
        "source.osm.cut_area",
        "source.osm.cut_relation",
        "source.osm.one_node",
        "source.osm.turn_lacks",
    ]
)
"""Reasons that concern the edge of the extract, not the quality of the data."""

_MANY_BYTES = 1 << 30  # from here on the places of nodes lie on disk
_STEP = 20_000
_SHOWN = 15

Points = NDArray[np.int64]


@dataclass(frozen=True)
class Cut:
    """One layer of an OpenStreetMap file, on disk.

    Attributes
    ----------
    part
        Key in `cim.sources.osm_tags.PARTS`.
    file
        Arrow file with the rows.
    """

    part: str
    file: Path


@dataclass
class _Wanted:
    """A relation that is to become an area."""

    id: int
    tags: dict[str, str]
    ways: tuple[tuple[int, str], ...]
    others: int  # members that are no ways: of no use to an outline


@dataclass
class _Found:
    """What the two passes have seen."""

    areas: list[_Wanted] = field(default_factory=list)
    bare: dict[int, _Wanted] = field(default_factory=dict)  # by outer way: no tags of their own
    groups: dict[str, str] = field(default_factory=dict)  # part -> its building, both by name
    turns: list[tuple[int, dict[str, str], list[tuple[str, int, str]]]] = field(
        default_factory=list
    )
    outlines: dict[int, Points | None] = field(default_factory=dict)  # of ways that are needed
    roads: list[Road] = field(default_factory=list)
    read: Counter[str] = field(default_factory=Counter)
    used: int = 0  # objects of which something was made, or that serve another
    taken: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    edge: Counter[str] = field(default_factory=Counter)


def cut_osm(
    path: Path, into: Path, *, source_key: str, report: Report, job: Job = QUIET
) -> list[Cut]:
    """Cut a file into layers written to the folder `into`; every object is accounted for.

    Parameters
    ----------
    path, into
        The file, and an empty folder.
    source_key
        The key of the building layer in ids: a part names its building by id.
    report
        What was read, taken, left out, and what the file lacks at its edge.
    job
        Progress and cancel.

    Raises
    ------
    SourceError
        Unreadable, cut off, or a file of the history instead of one day's map.
    """
    classes = frozenset(standard("traffic.speed_km_h").value)
    maker = _Maker(path, into, report, classes, job)
    try:
        maker.read(path)
    except SourceError as error:
        mended = into / "mended.osm"
        left = None if _packed(path) or error.key != "source.unreadable" else _mend(path, mended)
        if left is None:
            raise
        maker = _Maker(path, into, report, classes, job)
        maker.read(mended)
        says: dict[str, Any] = {
            name: left[name] for name in ("objects", "references", "tags", "texts")
        }
        says["why"] = str(error.values.get("why", ""))
        report.note("source.osm.mended", file=path.name, layer="", values=says)
    maker.finish(source_key)
    return [Cut(name, batches.file) for name, batches in maker.out.items() if batches.count]


def _packed(path: Path) -> bool:
    return path.suffix == ".pbf"


def _mend(path: Path, into: Path) -> Counter[str] | None:
    try:
        return mend(path, into)
    except (OSError, EOFError, ValueError):  # the packing itself is damaged
        return None


@contextmanager
def _read(path: Path) -> Iterator[None]:
    """Word what libosmium says of a file that it cannot read."""
    import osmium

    refusals = (RuntimeError, ValueError, OSError, MemoryError, osmium.InvalidLocationError)
    try:
        yield
    except refusals as error:
        why = " ".join(str(error).split()).replace(str(path), path.name)[:200] or "no memory"
        raise SourceError("source.unreadable", given=path.name, values={"why": why}) from error


class _Maker:
    """Takes the objects of a file one by one."""

    def __init__(
        self, path: Path, into: Path, report: Report, classes: frozenset[str], job: Job
    ) -> None:
        self.path, self.report, self.classes, self.job = path, report, classes, job
        self.out = {
            name: Batches(into / f"{name}.arrow", {"osm_id": "text", **part.columns})
            for name, part in PARTS.items()
        }
        self.found = _Found()

    def read(self, file: Path) -> None:
        """Read the file itself, or one that was mended, in two passes."""
        with _read(self.path):
            self.relations(file)
            self.ways(file)

    # first pass -----------------------------------------------------------------

    def relations(self, file: Path) -> None:
        """Note which relations become areas, groups of parts and turn restrictions."""
        import osmium

        with osmium.io.Reader(str(file)) as reader:
            if reader.header().has_multiple_object_versions:
                raise SourceError("source.osm.history", given=self.path.name)
        stream: Any = osmium.FileProcessor(str(file), osmium.osm.RELATION)
        for one in stream:
            self.found.read["relation"] += 1
            if not self.found.read["relation"] % _STEP:
                self.job.step(0, 3, what="source.reading")
            tags = {t.k: t.v for t in one.tags}
            members = [(m.type, int(m.ref), m.role) for m in one.members]
            self._relation(int(one.id), tags, members)
        for wanted in (*self.found.areas, *self.found.bare.values()):
            for way, _ in wanted.ways:
                self.found.outlines[way] = None

    def _relation(
        self, number: int, tags: dict[str, str], members: list[tuple[str, int, str]]
    ) -> None:
        sort, found = tags.get("type"), self.found
        if sort in ("restriction", "restriction:conditional"):
            found.turns.append((number, tags, members))
            found.used += 1
            return
        ways = tuple((ref, role) for kind, ref, role in members if kind == "w")
        if sort == "building":
            names = {"w": "way", "r": "relation", "n": "node"}
            outline = next((f"{names[k]}/{r}" for k, r, role in members if role == "outline"), None)
            if outline is not None:
                found.groups |= {
                    f"{names[k]}/{r}": outline for k, r, role in members if role == "part"
                }
            found.taken["group of building parts"] += 1
            found.used += 1
            return
        if sort in ("multipolygon", "boundary") and ways:
            wanted = _Wanted(number, tags, ways, len(members) - len(ways))
            if layers_of(tags, "area"):
                found.areas.append(wanted)
                found.used += 1
                return
            outer = [way for way, role in ways if role in ("outer", "")]
            if not set(tags) - {"type", "created_by", "source"} and len(outer) == 1:
                found.bare[outer[0]] = wanted
                found.used += 1
                return
        found.left[f"relation type={sort or '-'}"] += 1

    # second pass ----------------------------------------------------------------

    def ways(self, file: Path) -> None:
        """Take nodes and ways, with the places of nodes kept beside."""
        import osmium

        large = self.path.stat().st_size > _MANY_BYTES
        store = "flex_mem" if not large else f"sparse_file_array,{self.out['road'].file}.nodes"
        tagged: Any = osmium.filter.EmptyTagFilter()
        tagged = tagged.enable_for(osmium.osm.NODE)
        kinds = osmium.osm.NODE | osmium.osm.WAY
        stream: Any = osmium.FileProcessor(str(file), kinds).with_locations(store)
        for count, one in enumerate(stream.with_filter(tagged)):
            if not count % _STEP:
                self.job.step(1, 3, what="source.reading")
            tags = {t.k: t.v for t in one.tags}
            if one.is_node():
                self.found.read["node"] += 1
                self._node(int(one.id), tags, one.location)
            else:
                self.found.read["way"] += 1
                self._way(int(one.id), tags, one.nodes)

    def _node(self, number: int, tags: dict[str, str], place: Any) -> None:
        parts = layers_of(tags, "node")
        if not parts:
            self.found.left[f"node {main_tag(tags)}"] += 1
        self.found.used += bool(parts)
        for part in parts:
            name, values = f"node/{number}", attributes_of(part, tags, self.classes)
            if part == "address":
                values = address_of(tags)
            shape = point_of(place.lon, place.lat) if place.valid() else None
            self._put(part, name, shape, values)

    def _way(self, number: int, tags: dict[str, str], nodes: Any) -> None:
        found = self.found
        closed = len(nodes) >= 4 and nodes[0].ref == nodes[-1].ref
        old = found.bare.get(number)
        parts = layers_of(tags, "ring" if closed else "line")
        if not parts and number not in found.outlines:
            what = "untagged (a member or none)" if not tags else main_tag(tags)
            found.left[f"way {what}"] += 1
            return
        found.used += 1
        points = np.array([(n.ref, n.x, n.y) for n in nodes], dtype=np.int64).reshape(-1, 3)
        if number in found.outlines:
            found.outlines[number] = points
            if old is not None and layers_of(tags, "area"):
                old.tags |= tags  # the old style: tags on the outer way, the relation only bores
                return
            if not parts:
                found.taken["outline of a multipolygon"] += 1
                return
        gone = int((points[:, 1] == NOWHERE).sum())
        if gone:
            found.edge["ways"] += 1
            found.edge["nodes"] += gone
        for part in parts:
            self._feature(part, number, tags, points, gone, closed=closed)

    def _feature(
        self, part: str, number: int, tags: dict[str, str], points: Points, gone: int, *,
        closed: bool,
    ) -> None:  # fmt: skip
        name = f"way/{number}"
        if part in ("road", "path"):
            values = attributes_of(part, tags, self.classes)
            self.found.roads.append(Road(part, number, points, values))
            self.found.taken[part] += 1
            return
        values = attributes_of(part, tags, self.classes)
        line = PARTS[part].carrier == "line" or (
            part == "water" and tags.get("waterway") and "water" not in _area_parts(tags, closed)
        )
        if gone and not line:
            says = {"missing": gone, "count": len(points)}
            self._reject(part, name, "source.osm.cut_area", says)
            return
        if not line:
            self._put(part, name, polygon_of(points), values)
            self._address(tags, name, points)
            return
        pieces = whole_pieces(points)
        if not pieces:
            says = {"missing": gone, "count": len(points)}
            key = "source.osm.cut_area" if gone else "source.osm.one_node"
            self._reject(part, name, key, says)
            return
        if gone:
            says = {"missing": gone, "count": len(points), "pieces": len(pieces)}
            self._repair(part, name, "source.osm.cut_line", says)
        self._put(part, name, lines_of(pieces), values)

    def _address(self, tags: Mapping[str, str], name: str, points: Points) -> None:
        if tags.get("addr:housenumber"):
            middle = points[:-1, 1:].mean(axis=0) / 1e7
            values = {**address_of(tags), "building": name}
            self._put("address", name, point_of(*middle), values, count=False)

    # the end --------------------------------------------------------------------

    def finish(self, source_key: str) -> None:
        """Make areas of relations, a network of roads, and write the account."""
        for wanted in (*self.found.areas, *self.found.bare.values()):
            self._area(wanted)
        segments = cut_roads(self.found.roads)
        for segment in segments.rows:
            self.out[segment.part].add(segment.shape, segment.values)
        for part, name, gone, count in segments.cut:
            says = {"missing": gone, "count": count, "pieces": "-"}
            self._repair(part, name, "source.osm.cut_line", says)
        for part, name, gone, count in segments.lost:
            key = "source.osm.cut_area" if gone else "source.osm.one_node"
            self._reject(part, name, key, {"missing": gone, "count": count})
        for name, fault, row in restrictions(self.found.turns, segments):
            if row is None:
                self._reject("turn_restriction", name, *fault)
            else:
                self._put("turn_restriction", name, row.shape, row.values)
        for batches in self.out.values():
            batches.close()
        self._parents(source_key)
        self._account(len(segments.rows))

    def _area(self, wanted: _Wanted) -> None:
        import shapely

        parts = layers_of(wanted.tags, "area")
        if not parts:
            self.found.left["relation type=multipolygon without a tag that says what"] += 1
            self.found.used -= 1
            return
        name = f"relation/{wanted.id}"
        lines = [self.found.outlines.get(way) for way, _ in wanted.ways]
        lacking = sum(line is None for line in lines)
        gone = sum(int((line[:, 1] == NOWHERE).sum()) for line in lines if line is not None)
        if lacking or gone:
            self.found.edge["relations"] += 1
            self.found.edge["members"] += lacking
            says = {"missing": lacking, "nodes": gone, "count": len(lines)}
            self._reject(parts[0], name, "source.osm.cut_relation", says)
            return
        drawn = [line_of(line[:, 1:]) for line in lines if line is not None and len(line) > 1]
        area = shapely.build_area(shapely.multilinestrings(drawn)) if drawn else None
        if area is None or area.is_empty:
            self._reject(parts[0], name, "source.osm.open_area", {"count": len(lines)})
            return
        loose = 0
        inner = [way for way, role in wanted.ways if role == "inner"]
        if len(inner) < len(wanted.ways):  # else the roles say nothing
            found = [self.found.outlines[way] for way in inner]
            rings = [line_of(line[:, 1:]) for line in found if line is not None and len(line) > 1]
            area, loose = without_loose_inner(area, rings)
        whole = shapely.length(area.boundary)
        if loose:
            self._repair(parts[0], name, "source.osm.loose_inner", {"count": loose})
        elif abs(whole - sum(line.length for line in drawn)) > 1e-6 * max(whole, 1e-9):
            self._repair(parts[0], name, "source.osm.loose_lines", {"count": len(lines)})
        self._put(parts[0], name, area, attributes_of(parts[0], wanted.tags, self.classes))
        if wanted.tags.get("addr:housenumber"):
            values = {**address_of(wanted.tags), "building": name}
            self._put("address", name, shapely.point_on_surface(area), values, count=False)

    def _parents(self, source_key: str) -> None:
        """Give building parts the ids of their buildings: by relation, else by lying in one."""
        parts, buildings = self.out["building_part"], self.out["building"]
        if not parts.count:
            return
        import shapely

        table, outlines = parts.read(), buildings.read() if buildings.count else None
        names = table.column("osm_id").to_pylist()
        found: list[str | None] = [self.found.groups.get(name) for name in names]
        if outlines is not None:
            known = outlines.column("osm_id").to_pylist()
            there = set(known)
            found = [name if name in there else None for name in found]
            tree = shapely.STRtree(shapely.from_wkb(outlines.column("geometry").to_pylist()))
            middle = shapely.point_on_surface(
                shapely.from_wkb(table.column("geometry").to_pylist())
            )
            part, building = tree.query(middle, predicate="within")
            for i, j in zip(part.tolist(), building.tolist(), strict=True):
                found[i] = found[i] or known[j]
        else:
            found = [None] * len(names)
        ids = own_ids("building", source_key, [name or "" for name in found])
        parents = [id_ if name else None for id_, name in zip(ids, found, strict=True)]
        parts.rewrite("parent", parents)
        alone = sum(one is None for one in parents)
        if alone:
            says = {"count": alone, "of": len(parents)}
            self.report.note("source.osm.parts_alone", file=self.path.name,
                             layer="building_part", values=says)  # fmt: skip

    def _account(self, segments: int) -> None:
        found, file = self.found, self.path.name
        left = found.left.most_common()
        shown = [f"{what} {count}" for what, count in left[:_SHOWN]]
        rest = sum(count for _, count in left[_SHOWN:])
        if rest:
            shown.append(f"… {rest}")
        taken = [f"{what} {count}" for what, count in sorted(found.taken.items())]
        says = {
            "nodes": found.read["node"],
            "ways": found.read["way"],
            "relations": found.read["relation"],
            "taken": ", ".join(taken) or "-",
            "used": found.used,
            "left": ", ".join(shown) or "-",
            "left_count": sum(found.left.values()),
        }
        self.report.note("source.osm.account", file=file, layer="", values=says)
        if found.edge:
            edge = {k: found.edge[k] for k in ("ways", "nodes", "relations", "members")}
            self.report.note("source.osm.edge", file=file, layer="", values=edge)
        if segments:
            says = {"roads": len(found.roads), "segments": segments}
            self.report.note("source.osm.network", file=file, layer="road", values=says)

    # one row --------------------------------------------------------------------

    def _put(
        self, part: str, name: str, shape: Any, values: Mapping[str, Any], *, count: bool = True
    ) -> None:
        if count:
            self.found.taken[part] += 1
        self.out[part].add(shape, {"osm_id": name, **values})

    def _reject(self, part: str, name: str, key: str, values: Mapping[str, Any]) -> None:
        layer = _layer(part)
        self.found.taken[part] += 1
        self.report.reject(key, file=self.path.name, layer=layer, object=name, values=values)
        count = self.report.layer(layer)
        count.read += 1
        count.rejected += 1

    def _repair(self, part: str, name: str, key: str, values: Mapping[str, Any]) -> None:
        layer = _layer(part)
        self.report.repair(key, file=self.path.name, layer=layer, object=name, values=values)
        self.report.layer(layer).repaired += 1


def _layer(part: str) -> str:
    one = PARTS[part]
    return f"{one.kind}/{one.name}" if one.name else one.kind


def _area_parts(tags: Mapping[str, str], closed: bool) -> Sequence[str]:
    return layers_of(tags, "area") if closed else ()
