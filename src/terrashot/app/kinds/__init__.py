"""The tasks of `run.py`, one file each; `registry.py` lists them."""
