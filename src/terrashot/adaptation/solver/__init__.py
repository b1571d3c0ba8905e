"""How a method minimises its objective; one solver a file.

`sgd` is the published descent, a fixed number of steps. `lbfgs` goes to the bottom of a convex
objective in some tens of passes. `anchored` (`solver=fast`) is `sgd` on a share of the support,
corrected along one exact descent that all queries share. Each asks `objective/problem.py` for an
objective, and that for values and gradients of one flat vector (`objective/parameters.py`).
"""
