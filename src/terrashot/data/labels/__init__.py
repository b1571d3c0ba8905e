"""Labels as vectors: polygons, lines and points, from a layer to class ids on an image's grid."""
