"""IFC from parameters: tables of a district in, georeferenced IFC4 models out; 示意数据.

``python -m bim_import.authoring data/wudadao`` makes the model of every table in
``data/wudadao/tables/models``.
"""

from bim_import.authoring.reading import read_model
from bim_import.authoring.recipe import LABEL, author_models, draw_model, model_ifc
from bim_import.authoring.table import Facts, Model

__all__ = ["LABEL", "Facts", "Model", "author_models", "draw_model", "model_ifc", "read_model"]
