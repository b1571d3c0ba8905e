"""Whole scenes and a layer of labels in place of tiles: what stage 1 learns from without cutting.

``source``: which files, and how they are read. ``held_out``: what is kept for validation.
``plan``: the scenes with their labels, and where windows lie. ``datamodule``: the loaders.
"""
