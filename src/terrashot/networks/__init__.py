"""Backbone, decoder and the segmenter that joins them with a linear head."""
