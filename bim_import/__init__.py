"""bim_import: IFC files become city objects."""
