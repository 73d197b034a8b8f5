"""From files to checked layers of a twin.

`read_district` or `district_from_files` say which files; `build_twin` makes a twin in
memory of them, with a report of every object.
"""

from cim.sources.build import Built, SourceRecord, build_twin, district_from_files
from cim.sources.district import District, ObservationSpec, read_district, specs_from_files
from cim.sources.onto import laid_onto
from cim.sources.parts import Parts
from cim.sources.report import Entry, LayerCount, Report
from cim.sources.spec import LayerSpec, Loaded, Reader
from cim.sources.tables import Observations

__all__ = [
    "Built",
    "District",
    "Entry",
    "LayerCount",
    "LayerSpec",
    "Loaded",
    "ObservationSpec",
    "Observations",
    "Parts",
    "Reader",
    "Report",
    "SourceRecord",
    "build_twin",
    "district_from_files",
    "laid_onto",
    "read_district",
    "specs_from_files",
]
