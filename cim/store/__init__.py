"""The twin on disk: a folder of open files that is whole at every moment.

``NAME.cim/current`` names a generation ``g0001/`` with ``city.gpkg`` and
``grids/*.tif``; ``runs/`` lies beside. One writer, many readers.
"""

from cim.store.compare import as_of, at, diff
from cim.store.create import begun_rows, check_target, create
from cim.store.edits import Changeset, Edits, commit, edit, update
from cim.store.reindex import reindex
from cim.store.runs import open_run, save_run
from cim.store.schemes import merge_scheme, open_scheme, save_scheme, schemes
from cim.store.stored import StoredTwin, open_twin
from cim.store.upgrade import upgrade

__all__ = [
    "Changeset",
    "Edits",
    "StoredTwin",
    "as_of",
    "at",
    "begun_rows",
    "check_target",
    "commit",
    "create",
    "diff",
    "edit",
    "merge_scheme",
    "open_run",
    "open_scheme",
    "open_twin",
    "reindex",
    "save_run",
    "save_scheme",
    "schemes",
    "update",
    "upgrade",
]
