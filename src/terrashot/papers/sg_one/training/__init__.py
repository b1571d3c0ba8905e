"""Episodic training on base classes."""
