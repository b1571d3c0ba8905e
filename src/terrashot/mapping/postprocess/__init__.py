"""Rules that mend a finished class map; see ``chain.PostProcess``.

`rule` says what a rule is and what it works on. One a file: `paste_masks`, `touching`,
`containing`, `minimum_size`, `fill_holes`; `replacement` is what takes the place of a removed area.
`components` finds connected areas block by block, `block_map` holds a map that way, `scene` mends a
raster.
"""
