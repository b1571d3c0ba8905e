"""A finished class map, anyone's, held against a reference: points, polygons or a raster."""
