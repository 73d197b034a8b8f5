"""Where the sun stands, and what lies in the shade."""
