"""From files to checked layers of a twin."""
