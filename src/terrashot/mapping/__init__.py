"""From an adapted head to maps of whole scenes, in memory that no size of scene changes.

`discovery` finds scenes, `scene` and `checks` refuse what can't be mapped, `plan` lays windows over
them, `source` and `stream` read these (`radiometry` brings other sensors to 8 bit), `blending`
joins them, `rows` and `finish` make files (`cog`), `products` what goes beside (`areas`,
`polygons`, `qgis_style`). `ledger` and `job` know what is finished. `postprocess/` mends a
finished map; `tile_map` and `submission` write the maps of query tiles.
"""
