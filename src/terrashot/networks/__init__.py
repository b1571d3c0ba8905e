"""Backbone, decoder and the segmenter that joins them with a linear head.

`build` makes a `segmenter` from plain values, out of an `encoder` (any timm backbone, or a plain
transformer of `vit`) and one of the `decoders` (`upernet_classtrans` is ours, `pyramid` makes the
maps that they read of the one of a transformer); `single_value_norm` mends a norm of theirs,
`upsampling` brings maps to the image's size, `features` names the maps that a new head sees,
`encoder_stages` and those of a `second_encoder` among them, put behind the others by `widening`;
`probe` looks at shapes. Weights come in by `backbone_weights`: from a tag (`weight_tags`) or a
file (`checkpoint_file`, `encoder_file`), matched name by name (`key_match`), positions resampled
(`position_weights`), with a `weight_report` of what was taken.
"""
