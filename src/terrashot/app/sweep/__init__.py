"""A multirun: `grid` lists its jobs, `plan` checks and names them (`identity`), `sweep` runs them.

`outcomes` gathers their numbers into the closing table, `report` into a page; `search` drives
Optuna over jobs of the same kind.
"""
