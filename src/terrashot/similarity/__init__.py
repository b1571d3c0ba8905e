"""Base-to-novel similarity: one estimator a file, one interface."""
