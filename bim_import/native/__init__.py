"""Own reading of the plain shapes: faces, tessellations, straight extrusions, bent bars."""
