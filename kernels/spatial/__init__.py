"""Solids, rays and cells: what encloses, what is hit, what is touched."""
