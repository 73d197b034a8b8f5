"""Files out: a twin's layers as GeoPackage or GeoJSON for other programs."""

from cim.export.vector import to_geojson, to_gpkg

__all__ = ["to_geojson", "to_gpkg"]
