"""How well embeddings tell classes apart."""
