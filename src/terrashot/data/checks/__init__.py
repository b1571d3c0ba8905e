"""Looking a dataset over before training: lists, files, labels, shares.

`dataset` goes through all of it on several threads: `lists` reads the lists, `tiles` looks at one
tile at a time. Both leave findings in a `report`, which `render` prints.
"""
