"""One-way episodes of novel classes, and one map of all classes."""
