"""One run: `start` makes its folder and processes, `run` is what its task works with.

`folder` keeps ``run.json``, `bench` builds parts from settings and finds checkpoints, `build`
makes the trainer, `loggers` its loggers, `report` the page at the end of stage 2.
"""
