"""A first look at every file, before anything is built: what it is, where, how much.

The frame is chosen from all files together, and a file that cannot be trusted stops the
build before another one has been worked on.
"""

from __future__ import annotations

import re
import tarfile
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cim.crs import Box
from cim.errors import SourceError
from cim.model.kinds import Kind, kind, kinds
from cim.sources.archive import unpack
from cim.sources.opening import Format, check_file, parts_hint
from cim.sources.place import Place, check_numbers, middle_box, place_of
from cim.sources.raster import RasterHead, look_at_raster
from cim.sources.report import Report
from cim.sources.rows import Rows, parts_of, read_rows
from cim.sources.shapes import Checked, check_before
from cim.sources.spec import LayerSpec
