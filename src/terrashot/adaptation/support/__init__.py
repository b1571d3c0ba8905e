"""The labelled pixels that a method learns from.

`pixels` holds them in blocks of one label and one tile class (`blocks`), gathered from tiles by
`model/support_tiles.py`. `checks` refuses what can't be learned from; `scaling` brings features to
the size that step sizes are made for; `subset` thins them; `weighting` is the interface of those
who doubt some of them; `storage` says in which dtype they lie.
"""
