"""Observations from a CSV: sensor, time, value; a time without offset is an error."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from cim.errors import SourceError
from cim.sources.district import ObservationSpec
from cim.sources.report import Report

__all__ = ["Observations", "read_observations"]


@dataclass(frozen=True)
class Observations:
    """Readings of sensors.

    Attributes
    ----------
    sensor
        (n,) ids of the sensors in the twin.
    time
        (n,) ISO 8601 texts with offset, as they were given.
    epoch_s
        (n,) the same as seconds since 1970-01-01T00:00Z.
    value
        (n,) in the unit of the sensor.
    source
        (n,) source of each reading.
    """

    sensor: list[str] = field(default_factory=list)
    time: list[str] = field(default_factory=list)
    epoch_s: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    value: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    source: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.sensor)

    def rows(self) -> list[tuple[str, float, float]]:
        """Return (sensor id, seconds since 1970-01-01T00:00Z, value) of every reading."""
        return list(zip(self.sensor, self.epoch_s.tolist(), self.value.tolist(), strict=True))


def read_observations(
    specs: tuple[ObservationSpec, ...], *, sensors: dict[str, str], report: Report
) -> Observations:
    """Return the readings of all files, each row counted.

    Parameters
    ----------
    specs
        The files.
    sensors
        What a file may call a sensor (own id, name, id) -> its id in the twin.
    report
        Where rows that are not taken in are listed.

    Raises
    ------
    SourceError
        Not UTF-8 or GBK, columns missing, a time without offset.
    """
    taken = Observations()
    epoch: list[float] = []
    value: list[float] = []
    for spec in specs:
        count = report.layer("observations")
        seen: dict[tuple[str, float], int] = {}
        for number, row in _rows(spec):
            count.read += 1
            at = _instant(row["time"], spec, number)
            fault = _fault(row, at, sensors, seen)
            if fault is not None:
                count.rejected += 1
                key, values = fault
                report.reject(
                    key,
                    file=spec.file.name,
                    layer="observations",
                    object=str(number),
                    values=values,
                )
                continue
            assert at is not None
            sensor = sensors[row["sensor"]]
            seen[sensor, at.timestamp()] = number
            count.kept += 1
            taken.sensor.append(sensor)
            taken.time.append(row["time"])
            taken.source.append(spec.source or spec.file.stem)
            epoch.append(at.timestamp())
            value.append(float(row["value"]))
    return Observations(
        taken.sensor, taken.time, np.array(epoch, float), np.array(value, float), taken.source
    )


def _rows(spec: ObservationSpec) -> list[tuple[int, dict[str, str]]]:
    raw = spec.file.read_bytes()
    if not raw.strip():
        raise SourceError("source.empty_file", given=spec.file.name)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        values = {"declared": "UTF-8", "found": "GB18030 ?"}
        raise SourceError("source.encoding_wrong", given=spec.file.name, values=values) from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    names = [name.strip() for name in reader.fieldnames or []]
    reader.fieldnames = names
    for wanted in ("sensor", "time", "value"):
        if wanted not in names:
            values = {"file": spec.file.name, "attribute": wanted, "known": ", ".join(names)}
            raise SourceError("source.no_column", given=wanted, values=values)
    return [
        (number, {key: (row[key] or "").strip() for key in ("sensor", "time", "value")})
        for number, row in enumerate(reader, 1)
    ]


def _instant(text: str, spec: ObservationSpec, number: int) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        values = {"file": spec.file.name, "row": number}
        raise SourceError("source.time_without_offset", given=text, values=values)
    return at


def _fault(
    row: dict[str, str],
    at: datetime | None,
    sensors: dict[str, str],
    seen: dict[tuple[str, float], int],
) -> tuple[str, dict[str, object]] | None:
    if at is None:
        return "source.row.time", {"value": row["time"]}
    if row["sensor"] not in sensors:
        return "source.row.sensor", {"value": row["sensor"]}
    try:
        finite = bool(np.isfinite(float(row["value"])))
    except ValueError:
        finite = False
    if not finite:
        return "source.row.value", {"value": row["value"]}
    first = seen.get((sensors[row["sensor"]], at.timestamp()))
    if first is not None:
        return "source.object.duplicate", {"original": first}
    return None
