"""What a city is, as plain data: kinds, tables, grids, meshes, twins, results, schemes."""

from cim.model.arrays import Derived, Network, Rings, network, rings
from cim.model.body import Body, BodyPool, Draped
from cim.model.edit import Edit, Scheme, apply_to_grid, apply_to_table
from cim.model.grid import Grid, GridFrame
from cim.model.ids import content_ids, own_ids
from cim.model.kinds import COMMON, Field, Kind, kind, kinds, split_layer
from cim.model.mesh import Instance, Material, Mesh, MeshPool, Surface, mesh_id
from cim.model.result import Result, ResultField
from cim.model.table import FeatureTable, as_column, concat, empty_table
from cim.model.twin import SchemedView, Twin, TwinView, WindowView, layer_names

__all__ = [
    "COMMON",
    "Body",
    "BodyPool",
    "Derived",
    "Draped",
    "Edit",
    "FeatureTable",
    "Field",
    "Grid",
    "GridFrame",
    "Instance",
    "Kind",
    "Material",
    "Mesh",
    "MeshPool",
    "Network",
    "Result",
    "ResultField",
    "Rings",
    "Scheme",
    "SchemedView",
    "Surface",
    "Twin",
    "TwinView",
    "WindowView",
    "apply_to_grid",
    "apply_to_table",
    "as_column",
    "concat",
    "content_ids",
    "empty_table",
    "kind",
    "kinds",
    "layer_names",
    "mesh_id",
    "network",
    "own_ids",
    "rings",
    "split_layer",
]
