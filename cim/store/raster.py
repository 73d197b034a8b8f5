"""How a grid becomes a GeoTIFF and comes back, whole or with an error of ours.

GDAL's own errors are not those of rasterio: a full disk shows itself when the file is
closed, as an exception that rasterio does not document (measured with 1.4).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim import messages
from cim.errors import CimError, StoreError
from cim.model.colour import RGB, packed, unpacked
from cim.model.grid import Grid, GridFrame
from cim.store import disk

__all__ = ["check_written", "grid_name", "read_grid", "write_grid", "writing_raster"]


def grid_name(layer: str, version: int) -> str:
    """Return the file's name of a grid at the version that wrote it."""
    return f"{layer.replace('/', '__')}.v{version}.tif"


@contextmanager
def writing_raster(path: Path) -> Iterator[None]:
    """Clear the place of a raster, and turn what GDAL raises while it is written into ours.

    A half-written file of a stopped writer must be gone before: GDAL opens what is there
    and fails on it (measured).
    """
    disk.remove_file(path)
    with _translated(path, "store.cannot_write"):
        yield


@contextmanager
def _translated(path: Path, key: str) -> Iterator[None]:
    from rasterio._err import CPLE_BaseError  # GDAL's errors have no public base
    from rasterio.errors import RasterioError

    try:
        yield
    except CimError:
        raise
    except (RasterioError, CPLE_BaseError, OSError) as error:
        why = getattr(error, "errmsg", "") or str(error)
        raise StoreError(key, given=path, values={"why": why}) from error


def check_written(path: Path, bands: NDArray[Any]) -> None:
    """Read a raster back and compare it with what it should hold, band by band.

    On a disk that fills up in the last tenth of a Cloud Optimized GeoTIFF, GDAL closes
    the truncated file without an error (measured with rasterio 1.4): only reading tells.

    Parameters
    ----------
    path
        The file.
    bands
        (bands, rows, cols), as they were written.

    Raises
    ------
    StoreError
        The file cannot be read, or holds something else.
    """
    import rasterio

    with _translated(path, "store.cannot_write"), rasterio.open(path, driver="GTiff") as file:
        same = file.count == len(bands) and all(
            np.array_equal(file.read(i), one, equal_nan=one.dtype.kind == "f")
            for i, one in enumerate(bands, 1)
        )
    if not same:
        why = messages.text("store.not_as_written")
        raise StoreError("store.cannot_write", given=path, values={"why": why})


def write_grid(grid: Grid, folder: Path, version: int, *, crs: str) -> str:
    """Write a grid as a Cloud Optimized GeoTIFF, on disk when this returns; return its name."""
    import rasterio
    from rasterio.enums import ColorInterp
    from rasterio.transform import Affine

    name = grid_name(grid.layer, version)
    path = folder / name
    disk.step(f"write {name}")
    frame = grid.frame
    bands: NDArray[Any] = grid.values[np.newaxis]
    if grid.unit == RGB:
        bands = np.ascontiguousarray(np.moveaxis(unpacked(grid.values), -1, 0))
    kind = bands.dtype.kind
    with (
        writing_raster(path),
        rasterio.open(
            path,
            "w",
            driver="COG",
            height=frame.rows,
            width=frame.cols,
            count=len(bands),
            dtype=str(bands.dtype),
            crs=crs,
            transform=Affine(*frame.geotransform),
            nodata=np.nan if kind == "f" else None,
            compress="DEFLATE",
            level=1,
            predictor="YES",
            overviews="AUTO",
        ) as file,
    ):
        file.write(bands)
        if grid.unit == RGB:
            file.colorinterp = [ColorInterp[c] for c in ("red", "green", "blue", "alpha")]
        else:
            file.set_band_unit(1, grid.unit)
    check_written(path, bands)
    disk.sync_file(path)
    return name


def read_grid(
    path: Path, bounds: tuple[float, float, float, float] | None
) -> tuple[GridFrame, Any]:
    """Return frame and values of a grid file, or of the part of it that touches `bounds`.

    Raises
    ------
    RequestError
        `bounds` lies outside the grid.
    StoreError
        The file is gone or damaged.
    """
    import rasterio
    from rasterio.windows import Window

    with _translated(path, "store.damaged"), rasterio.open(path, driver="GTiff") as file:
        a = file.transform
        whole = GridFrame(a.c, a.f, a.a, file.height, file.width)
        if bounds is None:
            return whole, _values(file, None)
        empty = Grid("grid", whole, np.broadcast_to(np.float32(0), whole.shape), "")
        part = empty.window(bounds).frame
        column = round((part.west - whole.west) / whole.cell_m)
        row = round((whole.north - part.north) / whole.cell_m)
        return part, _values(file, Window(column, row, part.cols, part.rows))


def _values(file: Any, window: Any) -> NDArray[Any]:
    """Return a grid's numbers: the one band there is, or colours as numbers."""
    if file.count == 1:
        one: NDArray[Any] = file.read(1, window=window)
        return one
    red, green, blue, alpha = file.read(window=window)
    return packed(np.stack([red, green, blue]), alpha)
