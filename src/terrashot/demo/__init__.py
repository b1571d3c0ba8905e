"""The synthetic demo set: seeded aerial scenes in the few-shot layout.

`make` writes it: `plan` says which tiles there are, `scene` draws one, `camera` says how it is
seen, `writer` saves it; `large` makes one of any size. A `painter` holds `canvas`, `frame` and
`palette`; `landscape`, `roads`, `buildings`, `parking`, `paved` and `sports` draw with it
(`textures`). `classes` are the label ids.
"""

from terrashot.demo.make import make_demo
from terrashot.demo.scene import render_scene

__all__ = ["make_demo", "render_scene"]
