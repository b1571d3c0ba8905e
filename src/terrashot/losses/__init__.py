"""Losses, one a file: logits ``[B, K, H, W]`` and labels ``[B, H, W]`` to a scalar.

All leave out pixels labelled ``taxonomy.IGNORE`` and give 0 where no other is. `ce_dice` and
`focal` are for stage 1, `cross_entropy` and `ldam` for both stages; `ldam` gives rare classes a
margin, `ldam_paper` is the same with the published, typed-in counts.
"""
