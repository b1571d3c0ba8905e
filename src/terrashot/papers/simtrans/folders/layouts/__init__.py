"""How the folders of a dataset are laid out: one file a layout."""
