"""What a district.toml says: which file feeds which layer, and what is known of it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cim.crs import parse_crs, parse_height_datum
from cim.errors import CimError, SourceError
from cim.model.kinds import kinds
from cim.sources.opening import check_file, format_of, suffixes
from cim.sources.place import named
from cim.sources.readers import outer_readers
from cim.sources.rows import parts_of
from cim.sources.spec import LayerSpec

__all__ = ["District", "ObservationSpec", "is_zone", "read_district", "specs_from_files"]


@dataclass(frozen=True)
class ObservationSpec:
    """One ``[[observations]]``: a CSV of sensor, time, value."""

    file: Path
    source: str = ""
    illustrative: bool = False


@dataclass(frozen=True)
class District:
    """What a twin is built from.

    Attributes
    ----------
    name, title
        Short name; title by language.
    frame, frame_height
        The twin's system and height datum; None: chosen from the files, said aloud.
    zone
        Time zone (IANA name); empty where it goes by the place.
    layers, observations
        The files.
    illustrative
        Whether the whole is illustrative (示意数据).
    path
        The district.toml, None for plain files.
    """

    name: str
    title: Mapping[str, str] = field(default_factory=dict)
    frame: str | None = None
    frame_height: str | None = None
    zone: str = ""
    layers: tuple[LayerSpec, ...] = ()
    observations: tuple[ObservationSpec, ...] = ()
    illustrative: bool = False
    source: str = ""
    date: str = ""
    licence: str = ""
    path: Path | None = None


_TWIN = {
    "name": str, "title": dict, "frame": str, "frame_height": str, "zone": str,
    "illustrative": bool, "source": str, "date": str, "licence": str,
}  # fmt: skip
_LAYER = {
    "file": str, "kind": str, "name": str, "part": str, "crs": str, "height_datum": str,
    "encoding": str, "id": str, "source": str, "date": str, "licence": str, "accuracy_m": float,
    "illustrative": bool, "map": dict, "units": dict, "set": dict, "options": dict,
}  # fmt: skip
_OBSERVATIONS = {"file": str, "source": str, "illustrative": bool}
_TYPES = {str: "text", bool: "true or false", float: "number", dict: "table"}


def is_zone(name: str) -> bool:
    """Tell whether there is a time zone of that name."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def read_district(path: Path) -> District:
    """Return what a district.toml says.

    Raises
    ------
    SourceError
        Not there, not TOML, an unknown or missing key, a value of the wrong type, a
        file that is not there; the message names key and line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        raw = tomllib.loads(text)
    except OSError as error:
        raise SourceError("source.missing", given=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceError("source.toml", given=path.name, values={"why": str(error)}) from error
    doc = _Document(path, text)
    doc.check("", raw, {"twin": dict, "layer": list, "observations": list})
    twin = raw.get("twin", {})
    doc.check("twin", twin, _TWIN)
    layers = [doc.layer(each, twin, i) for i, each in enumerate(_tables(doc, raw, "layer"))]
    if not layers:
        raise SourceError("source.toml_no_layer", given=path.name)
    watched = [
        doc.observation(each, twin, i) for i, each in enumerate(_tables(doc, raw, "observations"))
    ]
    title = twin.get("title", {})
    return District(
        name=twin.get("name") or path.parent.name or path.stem,
        title=title,
        frame=twin.get("frame"),
        frame_height=twin.get("frame_height"),
        zone=doc.zone(twin["zone"]) if "zone" in twin else "",
        layers=tuple(layers),
        observations=tuple(watched),
        illustrative=twin.get("illustrative", False),
        source=twin.get("source", ""),
        date=twin.get("date", ""),
        licence=twin.get("licence", ""),
        path=path,
    )


def specs_from_files(
    files: Iterable[Path],
    *,
    crs: str | None = None,
    height_datum: str | None = None,
    kind: str | None = None,
    at: Sequence[float] | None = None,
) -> tuple[LayerSpec, ...]:
    """Return a layer for every file named on the command line.

    A GeoPackage with several layers gives one for each. Kinds and columns that are not
    given are guessed when the files are read, and the report says so.

    Parameters
    ----------
    files
        GIS files, or what a reader of the packages above accepts.
    crs, height_datum
        What a file is in where it does not say so itself.
    kind
        Kind of all of them; where grids and objects come together, of those it can be.
    at
        East, north, height and turn of the zero point of files in local coordinates, in
        the system of `crs`; height and turn may be left out.

    Raises
    ------
    SourceError
        A file that is not there or cannot be opened.
    FrameError
        An unknown coordinate system or height datum.
    RequestError
        An unknown kind.
    """
    from cim.model.kinds import kind as kind_called

    name = parse_crs(crs) if crs else None
    datum = parse_height_datum(height_datum) if height_datum else None
    if kind is not None:
        kind_called(kind)
    files = list(files)
    specs: list[LayerSpec] = []
    for file in files:
        reader = outer_readers().get(file.suffix.lower().removeprefix("."))
        parts: Sequence[str] = [""]
        mine = kind
        if reader is not None:
            mine = "bim"
        else:
            found = check_file(file)
            grid = kind is not None and kind_called(kind).carrier == "grid"
            if len(files) > 1 and grid != (found.carrier in ("raster", "points")):
                mine = None  # --kind is meant for the other files
            if found.driver == "GPKG":
                parts = [part for part, type_ in parts_of(file, found) if type_ is not None]
                if not parts:
                    raise SourceError("source.no_features", given=file.name)
        specs += [
            LayerSpec(
                file=file,
                kind=mine,
                part=part,
                crs=name,
                height_datum=datum,
                options={"guess": True} if at is None else {"guess": True, "at": list(at)},
            )
            for part in parts
        ]
    return tuple(specs)


def _tables(doc: _Document, raw: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found = raw.get(key, [])
    if not all(isinstance(each, dict) for each in found):
        doc.fail("source.toml_type", key, {"type": f"[[{key}]]"})
    return list(found)


@dataclass(frozen=True)
class _Document:
    """The text of the file, to name lines in messages."""

    path: Path
    text: str

    def line(self, key: str, index: int | None = None) -> str:
        """Return where a key stands: the first time after the table's own heading."""
        lines = self.text.splitlines()
        start = 0
        if index is not None:
            heads = [i for i, line in enumerate(lines) if re.match(r"\s*\[\[", line)]
            mine = [i for i in heads if re.match(r"\s*\[\[\s*layer", lines[i])] or heads
            start = mine[index] if index < len(mine) else 0
        pattern = re.compile(rf'\s*(\[+\s*)?([\w.]*\.)?"?{re.escape(key)}"?\s*(=|\])')
        for number, line in enumerate(lines[start:], start + 1):
            if pattern.match(line):
                return str(number)
        return "-"

    def fail(
        self, message: str, key: str, values: Mapping[str, object], index: int | None = None
    ) -> None:
        """Raise with file, key and line."""
        raise SourceError(
            message,
            given=key,
            values={"file": self.path.name, "line": self.line(key, index), **values},
        )

    def check(
        self,
        where: str,
        table: Mapping[str, Any],
        known: Mapping[str, Any],
        index: int | None = None,
    ) -> None:
        """Refuse unknown keys and wrong types."""
        for key, value in table.items():
            if key not in known:
                values = {"where": where or "-", "known": ", ".join(known)}
                self.fail("source.toml_key", key, values, index)
            wanted = known[key]
            number = wanted is float and isinstance(value, (int, float)) and value is not True
            date = wanted is str and key == "date" and hasattr(value, "isoformat")
            if not (isinstance(value, wanted) or number or date):
                self.fail("source.toml_type", key, {"type": _TYPES.get(wanted, "[[…]]")}, index)

    def zone(self, name: str) -> str:
        """Return a time zone's name that exists."""
        if not is_zone(name):
            self.fail("source.toml_zone", "zone", {"zone": name})
        return name

    def file(self, table: Mapping[str, Any], index: int | None) -> Path:
        """Return the file of a table, which must be there."""
        if "file" not in table:
            self.fail("source.toml_lacks", "file", {}, index)
        if "://" in table["file"] or table["file"].lower().startswith("/vsi"):
            raise SourceError("source.remote", given=table["file"])
        found = self.path.parent / str(table["file"])
        if not found.is_file():
            self.fail("source.toml_no_file", "file", {"path": table["file"]}, index)
        return found

    def layer(self, table: Mapping[str, Any], twin: Mapping[str, Any], index: int) -> LayerSpec:
        """Return one layer, the twin's provenance as its default."""
        self.check("layer", table, _LAYER, index)
        file = self.file(table, index)
        outer = file.suffix.lower().removeprefix(".") in outer_readers()
        kind = table.get("kind")
        if not outer and format_of(file) is None:
            raise SourceError(
                "source.unknown_format", given=file.name, values={"known": suffixes()}
            )
        if kind is not None and kind not in kinds() and not (outer and kind == "bim"):
            self.fail(
                "source.toml_kind", "kind", {"kind": kind, "known": ", ".join(kinds())}, index
            )
        name = table.get("name", "")
        if name and not re.fullmatch(r"[\w-]+", name):
            self.fail("source.toml_name", "name", {"name": name}, index)
        return LayerSpec(
            file=file,
            kind=kind if kind is not None or not outer else "bim",
            name=name,
            part=table.get("part", ""),
            crs=self._named("crs", table, parse_crs, index),
            height_datum=self._named("height_datum", table, parse_height_datum, index),
            encoding=table.get("encoding"),
            id_field=table.get("id"),
            columns=self._texts("map", table, index),
            units=self._texts("units", table, index),
            constants=dict(table.get("set", {})),
            source=table.get("source", twin.get("source", "")) and self._key(table, twin, file),
            date=str(table.get("date", twin.get("date", ""))),
            licence=table.get("licence", twin.get("licence", "")),
            accuracy_m=float(table["accuracy_m"]) if "accuracy_m" in table else None,
            illustrative=table.get("illustrative", twin.get("illustrative", False)),
            options=dict(table.get("options", {})),
        )

    def _key(self, table: Mapping[str, Any], twin: Mapping[str, Any], file: Path) -> str:
        """Return the source's key; the twin's own serves several files and is joined to each."""
        if "source" in table:
            return str(table["source"])
        return f"{twin['source']} · {file.stem}"

    def observation(
        self, table: Mapping[str, Any], twin: Mapping[str, Any], index: int
    ) -> ObservationSpec:
        """Return one table of observations."""
        self.check("observations", table, _OBSERVATIONS)
        return ObservationSpec(
            file=self.file(table, None),
            source=table.get("source", twin.get("source", "")),
            illustrative=table.get("illustrative", twin.get("illustrative", False)),
        )

    def _named(self, key: str, table: Mapping[str, Any], parse: Any, index: int) -> str | None:
        if key not in table:
            return None
        try:
            return str(parse(table[key]))
        except CimError as error:
            where = f"{self.path.name}:{self.line(key, index)}, {key}"
            raise named(error, where) from error

    def _texts(self, key: str, table: Mapping[str, Any], index: int) -> dict[str, str]:
        found = table.get(key, {})
        for name, value in found.items():
            if not isinstance(value, str):
                self.fail("source.toml_type", name, {"type": "text"}, index)
        return dict(found)
