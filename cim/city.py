"""City: the object users hold; every question a line.

>>> city = cim.open("wudadao.cim")                                # doctest: +SKIP
>>> city["building"].where("height_m > 20").to_geopandas()         # doctest: +SKIP
>>> run = city.flood(cim.storm(return_period_a=50))                # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cim.errors import RequestError
from cim.jobs import QUIET, Job
from cim.model.edit import Edit, Scheme
from cim.model.result import Result
from cim.model.table import FeatureTable
from cim.model.twin import Bounds, TwinView, WindowView, fitting_cell_m, layer_names

if TYPE_CHECKING:
    import geopandas
    import pyarrow

    from cim.flood import Border, Storm
    from cim.flood.engine import Solver
    from cim.flood.setting import DrainMode, Law
    from cim.query import Found
    from cim.store import StoredTwin

__all__ = ["City", "Layer", "Questions", "open"]


def open(path: str | Path) -> City:
    """Open a twin.

    Parameters
    ----------
    path
        The folder ``NAME.cim``.

    Raises
    ------
    StoreError
        There is no twin, or it cannot be trusted.
    """
    from cim.store import open_twin

    stored = open_twin(Path(path))
    return City(view=stored, path=stored.path)


@dataclass(frozen=True)
class Layer:
    """A layer as a question: nothing is read until it is turned into data."""

    view: TwinView
    name: str
    condition: str | None = None
    area: Any = None

    def where(self, condition: str) -> Layer:
        """Return the layer with a condition in CQL2 text, joined to earlier ones by ``AND``."""
        both = condition if self.condition is None else f"({self.condition}) AND ({condition})"
        return Layer(self.view, self.name, both, self.area)

    def within(self, area: Any) -> Layer:
        """Return the part of the layer wholly within a shapely polygon in projected metres."""
        both = area if self.area is None else self.area.intersection(area)
        return Layer(self.view, self.name, self.condition, both)

    def table(self) -> FeatureTable:
        """Return the features that answer the question."""
        import shapely

        from cim.query import select

        bounds: Bounds | None = None if self.area is None else self.area.bounds
        table = self.view.table(self.name, bounds=bounds)
        if self.area is not None:
            shapely.prepare(self.area)
            table = table.take(shapely.covers(self.area, table.geometry))
        return table if self.condition is None else select(table, self.condition)

    def __len__(self) -> int:
        if self.condition is None and self.area is None:
            return self.view.layers()[self.name]
        return len(self.table())

    @property
    def fields(self) -> dict[str, str]:
        """The attributes and their units."""
        inside = (0.0, 0.0, 0.0, 0.0)  # no feature is needed to know the columns
        return {f.name: f.unit for f in self.view.table(self.name, bounds=inside).fields}

    def to_geopandas(self) -> geopandas.GeoDataFrame:
        """Return a snapshot as a GeoDataFrame in the twin's CRS, indexed by id."""
        import geopandas

        table = self.table()
        frame = geopandas.GeoDataFrame(
            dict(table.columns),
            geometry=table.geometry,
            crs=self.view.frame.crs,
            index=table.ids,
        )
        frame.index.name = "id"
        return frame

    def to_arrow(self) -> pyarrow.Table:
        """Return a snapshot as an Arrow table, geometry as WKB."""
        import pyarrow
        import shapely

        table = self.table()
        columns: dict[str, Any] = {"id": table.ids, **table.columns}
        columns["geometry"] = shapely.to_wkb(table.geometry)
        return pyarrow.table({n: pyarrow.array(c, from_pandas=True) for n, c in columns.items()})


@dataclass(frozen=True)
class Questions:
    """The questions of place and name of a city; each returns a `Found` with ids and records."""

    view: TwinView

    def near(
        self,
        xy: tuple[float, float],
        *,
        radius_m: float,
        layer: str | None = None,
        where: str | None = None,
        limit: int | None = None,
    ) -> Found:
        """Return what stands within a radius; see `cim.query.near`."""
        from cim.query import near

        return near(self.view, xy, radius_m=radius_m, layer=layer, where=where, limit=limit)

    def within(
        self,
        area: Any,
        *,
        layer: str | None = None,
        where: str | None = None,
        limit: int | None = None,
    ) -> Found:
        """Return what lies wholly within a polygon; see `cim.query.within`."""
        from cim.query import within

        return within(self.view, area, layer=layer, where=where, limit=limit)

    def box(
        self,
        bounds: Bounds,
        *,
        layer: str | None = None,
        where: str | None = None,
        limit: int | None = None,
    ) -> Found:
        """Return what touches a box; see `cim.query.box`."""
        from cim.query import box

        return box(self.view, bounds, layer=layer, where=where, limit=limit)

    def named(
        self,
        text: str,
        *,
        layer: str | None = None,
        where: str | None = None,
        limit: int | None = None,
    ) -> Found:
        """Return what goes by a name, an address or a number; see `cim.query.named`."""
        from cim.query import named

        return named(self.view, text, layer=layer, where=where, limit=limit)


@dataclass(frozen=True)
class City:
    """An open twin, or a scheme or an older state of one.

    Attributes
    ----------
    view
        What engines are given.
    path
        Folder of the twin, or None for one in memory.
    """

    view: TwinView
    path: Path | None = None

    def __getitem__(self, layer: str) -> Layer:
        if layer not in self.view.layers():
            raise RequestError(
                "twin.no_layer", given=layer, values={"known": layer_names(self.view)}
            )
        return Layer(self.view, layer)

    def __iter__(self) -> Iterator[str]:
        return iter(self.view.layers())

    def __repr__(self) -> str:
        scheme = f", scheme {self.view.scheme}" if self.view.scheme else ""
        frame = f"{self.view.frame.crs} + {self.view.frame.height_datum}"
        counts = ", ".join(f"{name} {count}" for name, count in self.view.layers().items())
        return f"<City {self.view.name} v{self.view.version}{scheme}, {frame}: {counts}>"

    @property
    def query(self) -> Questions:
        """Spatial questions."""
        return Questions(self.view)

    def flood(
        self,
        storm: Storm,
        *,
        duration_s: float | None = None,
        cell_m: float | None = None,
        solver: Solver = "inertial",
        order: int = 1,
        drains: DrainMode = "auto",
        infiltration: Law = "none",
        borders: Sequence[Border] = (),
        within: Any = None,
        job: Job = QUIET,
    ) -> Result:
        """Rain on the city; see `cim.flood.flood`."""
        from cim.flood import flood

        return flood(
            self.view,
            storm=storm,
            duration_s=duration_s,
            cell_m=fitting_cell_m(self.view, cell_m, least_m=2.0),
            solver=solver,
            order=order,
            drains=drains,
            infiltration=infiltration,
            borders=borders,
            within=within,
            job=job,
        )

    def traffic(self, *, gap: float = 1e-6, job: Job = QUIET) -> Result:
        """Assign demand to the streets; see `cim.traffic.traffic`."""
        from cim.traffic import traffic

        return traffic(self.view, gap=gap, job=job)

    def sun(
        self, date: str, *, time: str = "noon", cell_m: float | None = None, job: Job = QUIET
    ) -> Result:
        """Cast shadows at a moment; see `cim.planning.sun`."""
        from cim.planning import sun

        cells_m = fitting_cell_m(self.view, cell_m, least_m=1.0)
        return sun(self.view, date=date, time=time, cell_m=cells_m, job=job)

    def within(self, bounds: Bounds) -> City:
        """Return the part of the city that touches a box in projected metres."""
        return City(view=WindowView(self.view, bounds), path=self.path)

    def about(self, id: str) -> dict[str, Any]:
        """Return everything the twin and its runs say of one object."""
        return self._stored().about(id)

    def edit(self, why: str) -> AbstractContextManager[Any]:
        """Open a changeset: all its edits are kept together, or none."""
        from cim.store import edit

        return edit(self._path(), why=why)

    def scheme(self, name: str, edits: Sequence[Edit] | None = None, *, why: str = "") -> City:
        """Return the city under a kept scheme, or keep `edits` as one first."""
        from cim.store import open_scheme, save_scheme

        if edits is not None:
            made = Scheme(name, self.view.version, tuple(edits), why, self.view.illustrative)
            save_scheme(self._path(), made)
        return City(view=open_scheme(self._path(), name), path=self.path)

    def save(self, result: Result) -> str:
        """Keep a result as a run and return the run's id."""
        from cim.store import save_run

        return save_run(self._path(), result)

    def run(self, run: str) -> Result:
        """Return a kept run."""
        from cim.store import open_run

        return open_run(self._path(), run)

    @property
    def runs(self) -> list[dict[str, Any]]:
        """The kept runs."""
        return list(self._stored().runs())

    def as_of(self, version: int) -> City:
        """Return the city as it was known at an older version."""
        from cim.store import as_of

        return City(view=as_of(self._path(), version), path=self.path)

    def at(self, instant: datetime) -> City:
        """Return the world as it was at an instant: what was valid then."""
        from cim.store import at

        return City(view=at(self.view, instant), path=self.path)

    def diff(self, other: City) -> Mapping[str, Any]:
        """Return what differs between this city and another, by layer and id."""
        from cim.store import diff

        return diff(self.view, other.view)

    def _path(self) -> Path:
        if self.path is None:
            raise RequestError("city.in_memory", given=self.view.name)
        return self.path

    def _stored(self) -> StoredTwin:
        from cim.store import open_twin

        return open_twin(self._path())
