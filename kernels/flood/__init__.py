"""flood: water on a grid, as arithmetic."""
