"""How good a map is, and what area its classes have, from a sample of places that were looked at.

Plain NumPy: `stratified` estimates from a stratified random sample, `clusters` from polygons,
`allocation` shares a sample out among strata. Files and tables are other rooms' business.
"""
