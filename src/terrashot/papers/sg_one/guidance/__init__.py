"""Masked average pooling, cosine maps, and what they guide: SG-One's own and any stage-2 method."""
