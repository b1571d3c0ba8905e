"""A network and its adapted head: everything between features of a tile and a file on disk."""
