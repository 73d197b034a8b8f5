"""bim_import: IFC files become city objects."""

from pathlib import Path

from cim import messages

messages.add(Path(__file__).with_name("messages.toml"))
