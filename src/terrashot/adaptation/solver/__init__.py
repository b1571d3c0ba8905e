"""How a method minimises it.

`sgd` is the published descent, `lbfgs` the default of `method=terrashot`, `anchored` follows one
descent for all queries (`solver=fast`).
"""
