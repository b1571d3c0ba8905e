"""Base-to-novel similarity; one estimator a file.

`estimator` is the interface: features or names of the classes in, shares ``[base, novel]`` out;
`options` checks the settings that estimators share. `transport` and `prototype_cosine` look at
features, `clip_text` at class names (`class_phrases` words them, `text_encoder` reads them,
`text_cache` keeps the result); `uniform` knows nothing and is the control.
"""
