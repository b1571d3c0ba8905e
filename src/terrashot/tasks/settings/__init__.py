"""The configuration as typed plain values: the groups that tasks of `run.py` are made of.

``field``: a key with its range. ``data``, ``groups``: the config groups. ``runs``: what a run has.
Each number says its range where it is defined, and each key that changes no score says so
(``neutral``).
"""
