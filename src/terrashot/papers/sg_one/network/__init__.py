"""SG-One: two branches on one trunk, one for guidance and one for segmentation."""
