"""From files to samples: reading tiles, the few-shot layout, transforms, the data module.

`layout` says which tile is for what (`share`, `support_pool` change that, `held_out` writes a
list), `reading` reads one, `tiles` are the dataset (`memory` keeps them decoded), `support` and
`query_tiles` what stage 2 takes of it, `transforms` cut `windows` and change colours (`photometry`)
or resize (`nearest`), `sampling` orders them, `datamodule` gives all that to a Trainer.
`feature_cache` keeps features, `statistics` counts labels; `checks/` looks a dataset over,
`download/` fetches one.
"""
