"""How an answer is kept: staged in a folder, brought to disk, renamed, and visible by its row."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import RequestError, StoreError
from cim.model.grid import GridFrame
from cim.model.result import Result, ResultField
from cim.store import disk
from cim.store.create import tidy
from cim.store.folder import connect, generation
from cim.store.lock import one_writer
from cim.store.raster import check_written, writing_raster
from cim.store.stored import open_twin

__all__ = ["open_run", "save_run"]


def save_run(path: Path | str, result: Result) -> str:
    """Keep a result beside its twin and return the run's id (``flood-0001``).

    Grid fields become GeoTIFF with a band per time, object and link fields Parquet,
    everything else ``run.json``.

    Raises
    ------
    StoreError
        Another writer is at work, or the disk refuses.
    """
    target = Path(path)
    generation(target)
    with one_writer(target), disk.guarded(target):
        twin = open_twin(target)  # under the lock: another writer may just have replaced it
        tidy(target)
        disk.make_folder(target / "runs")
        disk.sync_folder(target)
        with closing(connect(twin.folder / "city.gpkg", write=True)) as connection:
            run = _next_id(connection, target / "runs", result.question)
            staged = target / "runs" / f"{run}.tmp"
            try:
                disk.make_folder(staged)
                digest = _write(result, staged, run, twin.frame.crs)
                disk.rename(staged, target / "runs" / run)
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(
                    "INSERT INTO cim_run VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        run,
                        result.question,
                        datetime.now(UTC).isoformat(),
                        result.twin_version,
                        result.scheme,
                        json.dumps(dict(result.titles), ensure_ascii=False),
                        result.illustrative,
                        digest,
                    ),
                )
                disk.commit(connection)
            except BaseException:
                disk.remove_folder(staged)
                raise
    return run


def _next_id(connection: Any, folder: Path, question: str) -> str:
    known = {row[0] for row in connection.execute("SELECT id FROM cim_run")}
    number = 1
    while f"{question}-{number:04d}" in known:
        number += 1
    left = folder / f"{question}-{number:04d}"
    if left.exists():  # renamed, but its row never came: a stopped writer's
        disk.remove_folder(left)
    return f"{question}-{number:04d}"


def _write(result: Result, folder: Path, run: str, crs: str) -> str:
    files: dict[str, str] = {}
    records = []
    for one in result.fields:
        ending = "tif" if one.carrier == "grid" else "parquet"
        name = f"{one.name}.{ending}"
        if name in files:  # the same quantity of two layers
            name = f"{one.name}.{len(files)}.{ending}"
        writer = _write_grid if one.carrier == "grid" else _write_objects
        disk.step(f"write {name}")
        writer(result, one, folder / name, crs)
        disk.sync_file(folder / name)
        files[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        records.append(
            {
                "name": one.name,
                "unit": one.unit,
                "carrier": one.carrier,
                "titles": dict(one.titles),
                "layer": one.layer,
                "over_time": one.over_time,
                "file": name,
                "dtype": str(one.values.dtype),
            }
        )
    record = {
        "schema": "cim-run/1",
        "run": run,
        "question": result.question,
        "titles": dict(result.titles),
        "fields": records,
        "summary": result.summary,
        "parameters": result.parameters,
        "twin_version": result.twin_version,
        "scheme": result.scheme,
        "kernel_version": result.kernel_version,
        "illustrative": result.illustrative,
        "times_s": None if result.times_s is None else [float(t) for t in result.times_s],
        "start": None if result.start is None else result.start.isoformat(),
        "crs": crs,
        "grid": None if result.grid is None else asdict(result.grid),
        "balance": dict(result.balance),
        "notes": [dict(note) for note in result.notes],
        "files": files,
    }
    text = json.dumps(record, ensure_ascii=False, indent=1, default=_jsonable)
    disk.write_text(folder / "run.json", text)
    disk.sync_folder(folder)
    return hashlib.sha256(text.encode()).hexdigest()


def _jsonable(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def _write_grid(result: Result, one: ResultField, path: Path, crs: str) -> None:
    import rasterio
    from rasterio.transform import Affine

    frame = result.grid
    assert frame is not None  # Result checked it
    bands = one.values if one.over_time else one.values[np.newaxis]
    values = bands.astype(np.uint8) if bands.dtype == bool else bands
    with (
        writing_raster(path),
        rasterio.open(
            path,
            "w",
            driver="GTiff",
            height=frame.rows,
            width=frame.cols,
            count=len(values),
            dtype=str(values.dtype),
            crs=crs,
            transform=Affine(*frame.geotransform),
            nodata=np.nan if values.dtype.kind == "f" else None,
            compress="DEFLATE",
            zlevel=1,
            tiled=True,
            predictor=3 if values.dtype.kind == "f" else 2,
            bigtiff="IF_SAFER",
        ) as file,
    ):
        file.write(values)
        for i in range(len(values)):
            file.set_band_unit(i + 1, one.unit)
    check_written(path, values)


def _write_objects(_: Result, one: ResultField, path: Path, __: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    assert one.ids is not None  # Result checked it
    columns: dict[str, Any] = {"id": pa.array([str(i) for i in one.ids], pa.string())}
    if one.over_time:
        for step, values in enumerate(one.values):
            columns[f"t{step:05d}"] = pa.array(values)
    else:
        columns["value"] = pa.array(one.values)
    pq.write_table(pa.table(columns), path, compression="zstd")


def open_run(path: Path | str, run: str) -> Result:
    """Return a kept run.

    Raises
    ------
    RequestError
        No such run.
    StoreError
        Its files are gone or differ from what was written.
    """
    target = Path(path)
    with open_twin(target).reading() as connection:
        known = dict(connection.execute("SELECT id, digest FROM cim_run ORDER BY id").fetchall())
    if run not in known:
        raise RequestError("store.no_run", given=run, values={"known": ", ".join(known) or "-"})
    folder = target / "runs" / run
    with disk.reading(folder):
        text = (folder / "run.json").read_bytes()
        if hashlib.sha256(text).hexdigest() != known[run]:
            raise StoreError("store.run_changed", given=folder / "run.json")
        record = json.loads(text)
        for name, digest in record["files"].items():
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
                raise StoreError("store.run_changed", given=folder / name)
    grid = None if record["grid"] is None else GridFrame(**record["grid"])
    times = None if record["times_s"] is None else np.array(record["times_s"], dtype=np.float64)
    return Result(
        question=record["question"],
        titles=record["titles"],
        fields=tuple(_read_field(folder, r) for r in record["fields"]),
        summary=record["summary"],
        parameters=record["parameters"],
        twin_version=record["twin_version"],
        kernel_version=record["kernel_version"],
        illustrative=record["illustrative"],
        scheme=record["scheme"],
        times_s=times,
        start=None if record["start"] is None else datetime.fromisoformat(record["start"]),
        grid=grid,
        balance=record["balance"],
        notes=tuple(record["notes"]),
    )


def _read_field(folder: Path, record: dict[str, Any]) -> ResultField:
    ids: NDArray[Any] | None = None
    if record["carrier"] == "grid":
        import rasterio

        with rasterio.open(folder / record["file"], driver="GTiff") as file:
            values = file.read() if record["over_time"] else file.read(1)
    else:
        import pyarrow.parquet as pq

        table = pq.read_table(folder / record["file"])
        ids = np.empty(table.num_rows, dtype=object)
        ids[:] = table.column("id").to_pylist()
        series = [table.column(n).to_numpy() for n in table.column_names if n != "id"]
        values = np.stack(series) if record["over_time"] else series[0]
    return ResultField(
        name=record["name"],
        unit=record["unit"],
        carrier=record["carrier"],
        values=values.astype(record["dtype"]),
        titles=record["titles"],
        layer=record["layer"],
        ids=ids,
        over_time=record["over_time"],
    )
