"""Which maps of a frozen network a head for novel classes sees."""

DECODER = "decoder"
STAGES = "stages"
AUTO = "auto"
FEATURES = (AUTO, DECODER, STAGES)
"""The decoder's map, or the encoder's stages beside it; ``auto``: the stages where the decoder's
map is coarse enough for them. Asked by settings as well, so nothing heavy is imported here."""
