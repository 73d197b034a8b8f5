"""Files out: CityJSON, GeoPackage, GeoJSON, GeoParquet and GeoTIFF for other programs."""

from cim.export.analytic import to_geotiff, to_parquet
from cim.export.cityjson import to_cityjson, to_cityjsonseq
from cim.export.outcome import Exported, left_out
from cim.export.vector import to_geojson, to_gpkg

__all__ = [
    "Exported",
    "left_out",
    "to_cityjson",
    "to_cityjsonseq",
    "to_geojson",
    "to_geotiff",
    "to_gpkg",
    "to_parquet",
]
