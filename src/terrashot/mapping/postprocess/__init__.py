"""Rules that mend a finished class map; see ``chain.PostProcess``."""
