"""Similarity of novel to base classes, one estimator a file."""
